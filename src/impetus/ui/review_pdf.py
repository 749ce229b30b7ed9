"""The report of an exercise as PDF, on A4, marked as an exercise on every page."""

from __future__ import annotations

from impetus.exercise.outcomes import Outcome, Review
from impetus.exercise.questionnaires import IMPACT
from impetus.exercise.reviewing import Reviewed
from impetus.ui.report_pdf import INK, PALE, RULE, Paper, Words, band_of, colour_of, plain
from impetus.ui.review_plots import DECISION_NAMES, LANE_NAMES, WIDTH, Plot, load_plot, timeline_plot

TIMELINE_LINES = 400


def review_pdf(told: Reviewed, _: Words, other: Reviewed | None = None) -> bytes:
    """The report as a PDF file. `_` translates; `other` is a second run to compare with."""
    review = told.review
    paper = Paper(
        plain(f"{_('EXERCISE')} · {review.title} · {review.started:%Y-%m-%d %H:%M} UTC"), band=band_of(review.title, _)
    )
    paper.set_title(plain(review.title))
    paper.set_creator("impetus")
    paper.line_of(f"{_('EXERCISE')} · {_('After-action review')}", 8.5, colour=PALE)
    paper.ln(1)
    paper.line_of(review.title, 17, bold=True)
    paper.ln(1.5)
    _facts(paper, review, _)
    _truths(paper, review, _)
    paper.title_of(_("Timeline: truth, detected, decided, done"))
    _plot(paper, timeline_plot(review, _))
    paper.title_of(_("Load: alerts that waited, and alerts in work"))
    _plot(paper, load_plot(review, _))
    if review.objectives:
        paper.title_of(_("Objectives"))
    for one in review.objectives:
        reached = f"{_('reached')}, {clock(one.elapsed_s)}" if one.reached else f"{_('not reached')}: {one.why}"
        paper.row(f"{one.points} {_('points')}", f"{one.title} – {reached}")
    _tools(paper, review, _)
    if review.shared:
        paper.title_of(_("Shared with other organisations"))
    for share in review.shared:
        paper.row(clock(share.elapsed_s), f"{share.incident} → {share.receiver}")
    _asked(paper, told, _)
    if other is not None:
        compare(paper, review, other.review, _)
    paper.title_of(_("Debrief"))
    paper.line_of(review.good)
    for title, hint in review.hints.items():
        paper.row(title, hint, 60)
    paper.title_of(_("Timeline"))
    for moment in review.timeline[:TIMELINE_LINES]:
        who = f" ({moment.who})" if moment.who else ""
        paper.row(f"{clock(moment.elapsed_s)}  {_(LANE_NAMES[moment.lane])}", f"{moment.title}{who}", 36)
    return bytes(paper.output())


def clock(elapsed_s: float | None) -> str:
    """Minutes and seconds since the start; a dash for never."""
    if elapsed_s is None:
        return "–"
    return f"{int(elapsed_s) // 60:02d}:{int(elapsed_s) % 60:02d}"


def _decision(state: str, _: Words) -> str:
    return _(DECISION_NAMES.get(state, state))


def compare(paper: Paper, review: Review, other: Review, _: Words) -> None:
    """Two runs beside each other."""
    paper.title_of(_("Compared with another run"))
    paper.row("", f"{_('This run')}   |   {_('The other run')}", 60)
    for name, first, second in comparison(review, other, _):
        paper.row(name, f"{first}   |   {second}", 60)


def comparison(review: Review, other: Review, _: Words) -> list[tuple[str, str, str]]:
    """What differs or not between two runs: a name, and a value of each."""

    def found(one: Review) -> str:
        played = [truth for truth in one.truths if truth.outcome is not Outcome.SKIPPED]
        return f"{sum(truth.outcome is Outcome.FOUND for truth in played)} / {len(played)}"

    lines = [
        (_("Run"), f"{review.started:%Y-%m-%d %H:%M}", f"{other.started:%Y-%m-%d %H:%M}"),
        (_("Score"), f"{review.score.total:g}", f"{other.score.total:g}"),
        (_("Detected"), found(review), found(other)),
        (_("Alerts"), str(review.alerts), str(other.alerts)),
        (_("Not explained"), str(len(review.unexplained)), str(len(other.unexplained))),
        (_("Decisions"), str(review.decisions), str(other.decisions)),
        (_("Wrong decisions"), str(review.wrong_decisions), str(other.wrong_decisions)),
        (_("Median until taken on"), clock(review.median_acknowledged_s), clock(other.median_acknowledged_s)),
        (_("Median until decided"), clock(review.median_decided_s), clock(other.median_decided_s)),
    ]
    delays = {truth.id: truth.delay_s for truth in other.truths}
    lines += [(truth.title, clock(truth.delay_s), clock(delays.get(truth.id))) for truth in review.truths]
    return lines


def _facts(paper: Paper, review: Review, _: Words) -> None:
    played = [truth for truth in review.truths if truth.outcome is not Outcome.SKIPPED]
    paper.row(_("Played"), f"{review.started:%Y-%m-%d %H:%M} UTC, {clock(review.length_s)} min, {review.why_ended}")
    paper.row(_("Organisations"), ", ".join(review.organisations))
    paper.row(_("Detected"), f"{sum(one.outcome is Outcome.FOUND for one in played)} / {len(played)}")
    limit = f" ({_('at most')} {review.most_alerts_an_hour:g})" if review.most_alerts_an_hour is not None else ""
    paper.row(_("Alerts"), f"{review.alerts}, {review.alerts_an_hour:g} {_('an hour')}{limit}")
    paper.row(_("Not explained"), f"{len(review.unexplained)}")
    paper.row(
        _("Decisions"),
        f"{review.decisions}, {review.wrong_decisions} {_('wrong')}; {_('Median until taken on')} "
        f"{clock(review.median_acknowledged_s)}, {_('Median until decided')} {clock(review.median_decided_s)}",
    )
    score = review.score
    paper.row(
        _("Score"),
        f"{score.total:g} / 100: {_('objectives')} {score.objectives:g}, {_('timeliness')} {score.timeliness:g}, "
        f"{_('correctness')} {score.correctness:g}, {_('load')} {score.load:g}, {_('coordination')} "
        f"{score.coordination:g}; {score.hints} {_('hints')}",
    )


def _truths(paper: Paper, review: Review, _: Words) -> None:
    if review.truths:
        paper.title_of(_("What was true, and what became of it"))
    for one in review.truths:
        words = {
            Outcome.FOUND: f"{_('detected after')} {clock(one.delay_s)}",
            Outcome.LATE: f"{_('detected too late, after')} {clock(one.delay_s)}",
            Outcome.MISSED: f"{_('missed')}. {one.reason}" if one.reason else _("missed"),
            Outcome.SKIPPED: f"{_('not played')}: {one.reason}",
        }[one.outcome]
        taken = f"; {_('taken on after')} {clock(one.acknowledged_s)}" if one.acknowledged_s is not None else ""
        decided = f"; {_decision(one.decision, _)}, {clock(one.decided_s)}" if one.decided_s is not None else ""
        paper.row(f"{clock(one.inject_s)}  {one.tool}", f"{one.title}: {words}{taken}{decided}", 36)
    if review.unexplained:
        paper.title_of(_("Alerts that nothing planted explains"))
    for alert in review.unexplained[:60]:
        paper.row(f"{clock(alert.elapsed_s)}  {alert.tool}", f"{alert.headline} ({_decision(alert.state, _)})", 36)


def _tools(paper: Paper, review: Review, _: Words) -> None:
    paper.title_of(_("Tools"))
    for one in review.tools:
        paper.row(
            one.tool,
            f"{one.found} / {one.truths} {_('detected')}, {_('median delay')} {clock(one.median_delay_s)}; "
            f"{_('Alerts')}: {one.alerts}, {one.unexplained} {_('not explained')}",
        )


def _asked(paper: Paper, told: Reviewed, _: Words) -> None:
    asked = told.questionnaires
    if not asked.usability_people and not asked.impact_people:
        return
    paper.title_of(_("Questionnaires"))
    if asked.usability is not None:
        paper.row(_("Usability (SUS)"), f"{asked.usability:g} / 100, {asked.usability_people} {_('people')}")
    for statement, mean in zip(IMPACT, asked.impact, strict=False):
        paper.row(f"{mean:g} / 5", statement)
    for remark in asked.remarks:
        paper.line_of(f"– {remark}")


def _plot(paper: Paper, plot: Plot) -> None:
    width = 174.0
    scale = width / WIDTH
    if paper.get_y() + plot.height * scale > 275:
        paper.add_page()
    left, top = 18.0, paper.get_y()
    paper.set_line_width(0.15)
    paper.set_draw_color(*RULE)
    for y, name in plot.names:
        paper.line(left + 80 * scale, top + y * scale, left + width, top + y * scale)
        paper.ink(PALE, 6.5)
        paper.set_xy(left, top + y * scale - 2)
        paper.cell(14, 4, plain(name))
    for x, name in plot.ticks:
        paper.line(left + x * scale, top, left + x * scale, top + (plot.height - 20) * scale)
        paper.set_xy(left + x * scale - 6, top + (plot.height - 20) * scale)
        paper.cell(12, 4, plain(name), align="C")
    for mark in plot.marks:
        paper.set_fill_color(*colour_of(mark.colour))
        paper.circle(left + mark.x * scale, top + mark.y * scale, 0.9, style="F")
    for number, curve in enumerate(plot.curves):
        paper.set_draw_color(*colour_of(curve.colour))
        paper.set_line_width(0.4)
        points = [(left + x * scale, top + y * scale) for x, y in curve.points]
        if len(points) > 1:
            paper.polyline(points)
        paper.ink(colour_of(curve.colour), 7, bold=True)
        paper.set_xy(left + width - 40 + 20 * number, top - 1)
        paper.cell(20, 4, plain(curve.title))
    paper.ink(INK, 9)
    paper.set_xy(18, top + plot.height * scale + 2)
