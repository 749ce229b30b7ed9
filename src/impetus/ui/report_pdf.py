"""The report of an incident as PDF, on A4. Text from outside is only ever text: it becomes glyphs of a font."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from fpdf import FPDF
from fpdf.enums import Align, WrapMode, XPos, YPos
from fpdf.fonts import TTFFont

from impetus.ui.rendering import STATIC
from impetus.ui.report import SEVERITY_COLOURS, SKETCH_HEIGHT, SKETCH_WIDTH, Sketch
from impetus.ui.text import harmless

FONTS: Final = STATIC / "vendor" / "dejavu-fonts-ttf"
FAMILY: Final = "DejaVu"
INK: Final = (24, 30, 38)
PALE: Final = (96, 106, 118)
RULE: Final = (206, 211, 217)
BAND: Final = (93, 42, 156)
MARK: Final = (243, 238, 249)

Words = Callable[[str], str]
Moment = Callable[[str | None], str]


def plain(value: object) -> str:
    """Text that can be printed: nothing that reorders or hides, no letter that the font cannot have.

    >>> plain("Gdańsk, Tromsø\\U0001f4a5")
    'Gdańsk, Tromsø‹U+1F4A5›'
    """
    known = _letters()
    return "".join(
        letter if ord(letter) in known or letter in "\n\t" else f"‹U+{ord(letter):04X}›"
        for letter in harmless(str(value)).replace("\r", "")
    )


@cache
def _letters() -> frozenset[int]:
    """The letters that both fonts have."""
    paper = FPDF()
    paper.add_font(FAMILY, "", str(FONTS / "DejaVuSans.ttf"))
    paper.add_font(FAMILY, "B", str(FONTS / "DejaVuSans-Bold.ttf"))
    found = [frozenset(font.cmap) for font in paper.fonts.values() if isinstance(font, TTFFont)]
    return frozenset.intersection(*found)


class Paper(FPDF):
    """A report on A4: its fonts, its headings, its rows."""

    def __init__(self, foot: str, *, band: str = "") -> None:
        """`band` stands in a violet band at the top of each page, and large and pale across it: it is an exercise."""
        super().__init__(format="A4", unit="mm")
        self._foot = foot
        self._band = band
        self.set_margins(18, 16, 18)
        self.set_auto_page_break(True, margin=18)
        self.add_font(FAMILY, "", str(FONTS / "DejaVuSans.ttf"))
        self.add_font(FAMILY, "B", str(FONTS / "DejaVuSans-Bold.ttf"))
        self.add_page()

    def header(self) -> None:
        if not self._band:
            return
        self.set_fill_color(*BAND)
        self.rect(0, 0, self.w, 9, style="F")
        self.ink((255, 255, 255), 8, bold=True)
        self.set_xy(18, 2)
        self.cell(0, 5, self._band)
        word = self._band.partition(" · ")[0]
        self.ink(MARK, 76, bold=True)
        with self.rotation(35, self.w / 2, self.h / 2):
            self.set_xy(0, self.h / 2 - 15)
            self.cell(self.w, 30, word, align="C")
        self.set_xy(18, 16)

    def footer(self) -> None:
        self.set_y(-12)
        self.ink(PALE, 7)
        self.cell(0, 5, self._foot)
        self.set_x(18)
        self.cell(0, 5, f"{self.page_no()} / {{nb}}", align="R")

    def ink(self, colour: tuple[int, int, int], size: float, *, bold: bool = False) -> None:
        self.set_font(FAMILY, "B" if bold else "", size)
        self.set_text_color(*colour)

    def line_of(self, text: object, size: float = 9, *, colour: tuple[int, int, int] = INK, bold: bool = False) -> None:
        self.ink(colour, size, bold=bold)
        self.multi_cell(
            0, size * 0.52, plain(text), align=Align.L, new_x=XPos.LMARGIN, new_y=YPos.NEXT, wrapmode=_wrap(text)
        )

    def title_of(self, text: str) -> None:
        if self.get_y() > 255:
            self.add_page()
        self.ln(4)
        self.line_of(text, 11.5, bold=True)
        self.set_draw_color(*RULE)
        self.line(18, self.get_y() + 0.8, 192, self.get_y() + 0.8)
        self.ln(2.5)

    def row(self, name: object, text: object, indent: float = 36) -> None:
        if not str(text):
            return
        if self.get_y() > 272:
            self.add_page()
        top, page = self.get_y(), self.page_no()
        self.ink(PALE, 8.5)
        self.multi_cell(indent - 2, 4.6, plain(name), align=Align.L, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        bottom, after = self.get_y(), self.page_no()
        if after == page:
            self.set_xy(18 + indent, top)
        else:
            self.set_x(18 + indent)
        self.ink(INK, 8.5)
        self.multi_cell(
            174 - indent,
            4.6,
            plain(text),
            align=Align.L,
            new_x=XPos.LMARGIN,
            new_y=YPos.NEXT,
            wrapmode=_wrap(text),
        )
        if self.page_no() == page:
            self.set_y(max(bottom, self.get_y()))
        self.ln(0.6)


def band_of(exercise: str, _: Words) -> str:
    """What stands in the band of a report from an exercise; nothing of a real one."""
    return plain(f"{_('EXERCISE')} · {exercise} · {_('nothing here is real')}") if exercise else ""


def _wrap(text: object) -> WrapMode:
    """A word too long for a line is broken within."""
    return WrapMode.CHAR if any(len(word) > 60 for word in str(text).split()) else WrapMode.WORD


def report_pdf(
    export: Mapping[str, Any],
    drawn: Sketch | None,
    story: Sequence[Mapping[str, str]],
    _: Words,
    moment: Moment,
    *,
    exercise: str = "",
) -> bytes:
    """The report as a PDF file. `story` are the lines of the timeline, `_` translates, `moment` writes a time;
    `exercise` is the title of the exercise that it comes from."""
    incident = export["incident"]
    foot = plain(f"{export['organisation']} · {incident['id']} · {moment(export['generated'])} · {export['generator']}")
    paper = Paper(foot, band=band_of(exercise, _))
    paper.set_title(plain(incident["title"]))
    paper.set_creator("impetus")
    paper.line_of(f"{export['organisation']} · {_('Incident report')}", 8.5, colour=PALE)
    paper.ln(1)
    paper.line_of(incident["title"], 17, bold=True)
    paper.ln(1.5)
    severity = incident["severity"]
    paper.ink(colour_of(SEVERITY_COLOURS.get(severity, SEVERITY_COLOURS["Unknown"])), 9.5, bold=True)
    paper.cell(
        0, 5, plain(f"{_word(_, severity)} · {_word(_, incident['state'])}"), new_x=XPos.LMARGIN, new_y=YPos.NEXT
    )
    paper.ln(1)
    if incident["summary"]:
        paper.line_of(incident["summary"], 9.5)
    paper.ln(1.5)
    for name, text in _facts(export, _, moment):
        paper.row(name, text)
    if drawn is not None:
        paper.title_of(_("Where"))
        _draw(paper, drawn)
    if incident.get("reasons"):
        paper.title_of(_("Why these alerts belong together"))
        for reason in incident["reasons"]:
            paper.line_of(f"– {reason}")
    paper.title_of(_("Timeline"))
    for entry in story:
        paper.row(entry["time"], entry["text"], 40)
    paper.title_of(_("Alerts and their reasons"))
    for number, alert in enumerate(export["alerts"], 1):
        _alert(paper, number, alert, _, moment)
    if not export["alerts"]:
        paper.line_of(_("There are none, or you may not read them."), colour=PALE)
    if export["evidence"]:
        paper.title_of(_("Evidence and chain of custody"))
    for one in export["evidence"]:
        _evidence(paper, one, _, moment)
    return bytes(paper.output())


def _facts(export: Mapping[str, Any], _: Words, moment: Moment) -> Sequence[tuple[str, str]]:
    incident = export["incident"]
    probability = incident.get("probability")
    return [
        (_("Number"), incident["id"]),
        (_("Opened"), moment(incident["opened"])),
        (_("Changed"), moment(incident["updated"])),
        (_("Place"), (incident["place"] or {}).get("name") or ""),
        (_("Threat"), _word(_, incident["threat_class"])),
        (_("Probability"), "" if probability is None else f"{probability:.2f}"),
        (_("Participants"), ", ".join(export["participants"])),
        (_("Report made"), f"{moment(export['generated'])}, {export['generated_by']}"),
    ]


def _alert(paper: Paper, number: int, alert: Mapping[str, Any], _: Words, moment: Moment) -> None:
    if paper.get_y() > 245:
        paper.add_page()
    paper.line_of(f"{number}. {alert['headline']}", 9.5, bold=True)
    paper.ln(0.6)
    paper.row(
        _("Severity"),
        f"{_word(_, alert['severity'])} · {_word(_, alert['state'])} · {alert.get('handled_by') or ''}".rstrip(" ·"),
    )
    paper.row(_("Began"), moment(alert["onset"]))
    paper.row(_("Place"), (alert["place"] or {}).get("name") or "")
    paper.row(_("Probability"), f"{alert['confidence']:.2f}")
    paper.row(
        _("Raised by"), f"{alert['tool']} · {alert['detector']} · {alert['model']['name']} {alert['model']['version']}"
    )
    paper.row(_("Description"), alert["description"])
    for reason in alert["explanation"]:
        told = [part for part in (reason["observed"], reason["expected"]) if part]
        words = " / ".join(told) or reason["text"]
        paper.row(f"{reason['weight']:+.2f}", f"{reason['name']}{': ' + words if words else ''}")
    paper.ln(2)


def _evidence(paper: Paper, one: Mapping[str, Any], _: Words, moment: Moment) -> None:
    evidence = one["evidence"]
    paper.line_of(evidence["title"], 9, bold=True)
    paper.row("SHA-256", evidence["sha256"])
    paper.row(_("Kind"), f"{evidence['media_type']}, {evidence['size_bytes']} B, {evidence['data_class']}")
    for entry in one["custody"]:
        who = ", ".join(filter(None, (entry["person_name"], entry["organisation"])))
        paper.row(moment(entry["time"]), f"{who}: {_word(_, entry['kind'])} – {entry['reason']}", 40)
    if not one["custody"]:
        paper.row("", _("Nobody has opened it."))
    paper.ln(1.5)


def _draw(paper: Paper, drawn: Sketch) -> None:
    width = 174.0
    height = width * SKETCH_HEIGHT / SKETCH_WIDTH
    if paper.get_y() + height > 275:
        paper.add_page()
    left, top = 18.0, paper.get_y()
    scale = width / SKETCH_WIDTH

    def at(point: tuple[float, float]) -> tuple[float, float]:
        return (left + point[0] * scale, top + point[1] * scale)

    paper.set_fill_color(250, 250, 248)
    paper.rect(left, top, width, height, style="F")
    for one in drawn.shapes:
        points = [at(point) for point in one.points]
        if one.fill is not None:
            paper.set_fill_color(*colour_of(one.fill))
            paper.polygon(points, style="F")
        elif one.stroke is not None:
            paper.set_draw_color(*colour_of(one.stroke))
            paper.set_line_width(one.width * scale)
            paper.polyline(points)
    for mark in drawn.marks:
        x, y = at((mark.x, mark.y))
        paper.set_fill_color(*colour_of(mark.colour))
        paper.circle(x, y, 2.4, style="F")
        paper.ink((255, 255, 255), 7, bold=True)
        paper.set_xy(x - 4, y - 2)
        paper.cell(8, 4, str(mark.number), align="C")
    paper.set_draw_color(*INK)
    paper.set_line_width(0.4)
    paper.line(left + 4, top + height - 4, left + 4 + drawn.scale_width * scale, top + height - 4)
    paper.ink(INK, 7)
    paper.set_xy(left + 4, top + height - 8.5)
    paper.cell(30, 4, f"{drawn.scale_m} m")
    paper.set_draw_color(*RULE)
    paper.set_line_width(0.2)
    paper.rect(left, top, width, height)
    paper.set_xy(18, top + height + 2)


def colour_of(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of `#rrggbb`."""
    return (int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16))


def _word(translate: Words, word: str) -> str:
    """A word of the model in the reader's language; the pages have them in their catalogue."""
    return translate(word)
