"""The plots of an after-action review as plain shapes, drawn alike as SVG on the page and as lines in the PDF."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from impetus.exercise.outcomes import Lane, Review
from impetus.model import AlertState

Words = Callable[[str], str]


def _(text: str) -> str:
    """Marks a text for translation; who draws translates it."""
    return text


WIDTH: Final = 1_000.0
LEFT: Final = 90.0
LANES: Final[tuple[tuple[Lane, str], ...]] = (
    (Lane.TRUTH, "#b46bff"),
    (Lane.DETECTED, "#1b6fcf"),
    (Lane.DECIDED, "#178f6f"),
    (Lane.DONE, "#b77400"),
)
LANE_NAMES: Final[Mapping[Lane, str]] = {
    Lane.TRUTH: _("truth"),
    Lane.DETECTED: _("detected"),
    Lane.DECIDED: _("decided"),
    Lane.DONE: _("done"),
}
DECISION_NAMES: Final[Mapping[str, str]] = {
    AlertState.NEW.value: _("waits"),
    AlertState.ACKNOWLEDGED.value: _("taken on"),
    AlertState.CONFIRMED.value: _("confirmed"),
    AlertState.DISMISSED.value: _("dismissed"),
    AlertState.ESCALATED.value: _("escalated"),
}
LANE_HEIGHT: Final = 34.0
LOAD_HEIGHT: Final = 170.0
WAITING_COLOUR: Final = "#c63648"
HELD_COLOUR: Final = "#1b6fcf"


@dataclass(frozen=True, slots=True)
class Mark:
    """A point on a lane."""

    x: float
    y: float
    colour: str
    title: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A line through points, and what it shows."""

    points: Sequence[tuple[float, float]]
    colour: str
    title: str


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot, `WIDTH` wide."""

    height: float
    marks: Sequence[Mark] = ()
    curves: Sequence[Curve] = ()
    names: Sequence[tuple[float, str]] = ()
    """Names at the left, with their heights."""
    ticks: Sequence[tuple[float, str]] = ()
    """Minutes below, with their places."""


def timeline_plot(review: Review, words: Words = str) -> Plot:
    """Truth, detected, decided and done on four lines over time."""
    height = LANE_HEIGHT * len(LANES) + 24
    rows = {lane: (number + 0.5) * LANE_HEIGHT for number, (lane, colour) in enumerate(LANES)}
    colours = dict(LANES)
    return Plot(
        height=height,
        marks=[
            Mark(_x(moment.elapsed_s, review), rows[moment.lane], colours[moment.lane], moment.title)
            for moment in review.timeline
        ],
        names=[(rows[lane], words(LANE_NAMES[lane])) for lane, colour in LANES],
        ticks=_ticks(review),
    )


def load_plot(review: Review, words: Words = str) -> Plot:
    """How many alerts waited, and how many were worked on, over time."""
    most = max((max(point.waiting, point.held) for point in review.load), default=0)
    top, base = max(most, 4), LOAD_HEIGHT - 24

    def y(value: float) -> float:
        return base - (base - 22) * value / top  # the names of the curves stand above

    return Plot(
        height=LOAD_HEIGHT,
        curves=[
            Curve(
                [(_x(one.elapsed_s, review), y(one.waiting)) for one in review.load],
                WAITING_COLOUR,
                words(_("waiting")),
            ),
            Curve([(_x(one.elapsed_s, review), y(one.held)) for one in review.load], HELD_COLOUR, words(_("in work"))),
        ],
        names=[(y(value), str(value)) for value in (0, round(top / 2), top)],
        ticks=_ticks(review),
    )


def _x(elapsed_s: float, review: Review) -> float:
    share = min(max(elapsed_s / review.length_s, 0.0), 1.0)
    return LEFT + (WIDTH - LEFT - 16) * share


def _ticks(review: Review) -> Sequence[tuple[float, str]]:
    minutes = review.length_s / 60
    step = next((one for one in (1, 2, 5, 10, 15, 30, 60, 120, 240) if minutes / one <= 12), 480)
    return [(_x(minute * 60.0, review), f"{minute} min") for minute in range(0, int(minutes) + 1, step)]
