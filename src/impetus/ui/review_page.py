"""The report of an exercise as a page: on the site, or as one file that opens anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup

from impetus.exercise.questionnaires import IMPACT
from impetus.exercise.reviewing import Reviewed
from impetus.ui.languages import DEFAULT_LANGUAGE
from impetus.ui.rendering import STATIC, Renderer
from impetus.ui.report_pdf import Words
from impetus.ui.review_pdf import comparison
from impetus.ui.review_plots import DECISION_NAMES, LANE_NAMES, load_plot, timeline_plot

FONTS: Final = ":root { --sans: system-ui, sans-serif; --mono: ui-monospace, monospace; }"


def review_html(told: Reviewed, other: Reviewed | None = None) -> str:
    """The report as one file; `other` is a second run to compare with."""
    style = (STATIC / "css" / "report.css").read_text(encoding="utf-8")
    style = style.replace('@import url("tokens.css");', FONTS)  # one file holds all
    sheet = Markup(style)  # noqa: S704 (our own file)
    return Renderer().text("review.html", DEFAULT_LANGUAGE, **review_context(told, other), stylesheet=sheet)


def review_context(told: Reviewed, other: Reviewed | None = None, _: Words = str) -> Mapping[str, Any]:
    """What the template of the report is filled with; `_` translates."""
    return {
        "review": told.review,
        "asked": told.questionnaires,
        "compared": comparison(told.review, other.review, _) if other is not None else (),
        "lanes": {lane: _(name) for lane, name in LANE_NAMES.items()},
        "decisions": {state: _(name) for state, name in DECISION_NAMES.items()},
        "impact": list(zip(IMPACT, told.questionnaires.impact, strict=False)),
        "timeline": timeline_plot(told.review, _),
        "load": load_plot(told.review, _),
    }
