"""Correlation: how quickly alerts are put together, and how well.

The quality is judged on generated days (impetus.exercise.days) of a city. On the first days people's verdicts on three
of five alerts teach the calibration; then it stands still and is judged on other days, which nobody looked at while
the method was made. All this is done for four cities, and the figures are those of all their judged days together.
`python -m benchmarks.correlation SEED...` judges other seeds.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from benchmarks.reporting import Figure, report
from impetus.exercise.days import City, Day, make_day, make_days
from impetus.model import Alert
from impetus.situation.correlation.calibration import (
    Calibration,
    Recalibration,
    Verdict,
    expected_calibration_error,
    reliability,
)
from impetus.situation.correlation.grouping import Grouping
from impetus.situation.correlation.groups import Group
from impetus.situation.correlation.rules import default_rules
from impetus.situation.correlation.signal import Signal, signal_of

SEEDS = (90_000, 91_000, 92_000, 93_000)
"""Of four cities and their days, which were not looked at while the method was made."""

TEACHING_DAYS = 14
JUDGED_DAYS = 10
SETTLED = 0.6
"""Share of alerts that people settle."""

RECALL = 0.9
HIGHER_RECALL = 0.95
BEGIN = datetime(2026, 11, 2, tzinfo=UTC)

Pairs = Counter[tuple[str, str]]


@dataclass
class Result:
    """What was measured on the judged days together."""

    together: int = 0
    """Pairs of alerts that were put together."""
    belonging: int = 0
    """Pairs that belong together."""
    right: int = 0
    across: list[int] = field(default_factory=lambda: [0, 0, 0])
    """The same three for pairs of different sources only."""
    items: list[tuple[float, bool]] = field(default_factory=list)
    candidates: list[tuple[float, bool]] = field(default_factory=list)
    alerts: list[tuple[float, bool]] = field(default_factory=list)
    raw: list[tuple[float, bool]] = field(default_factory=list)
    shown_alerts: int = 0
    shown_items: int = 0
    incidents: int = 0


def signals_of(day: Day, calibration: Calibration) -> Iterable[tuple[Alert, Signal]]:
    """The day's alerts in the order in which they arrive."""
    for alert in sorted(day.alerts, key=lambda alert: alert.sent):
        probability = calibration.probability(alert.tool, alert.detector, alert.source, alert.confidence)
        yield alert, signal_of(alert, probability=probability, received=alert.sent)


def run_day(day: Day, grouping: Grouping) -> Sequence[Group]:
    """Put the day's alerts together; its groups as they are at its end."""
    for _, signal in signals_of(day, grouping.calibration):
        grouping.take(signal)
        grouping.changed()
    groups = [group for group in grouping.groups() if any(alert in day.about for alert in group.alerts())]
    for group in groups:
        grouping.weigh(group)
    return groups


def is_true(group: Group, day: Day) -> bool:
    """Whether at least one of its alerts is about a true incident."""
    return any(day.true(alert) for alert in of_day(group, day))


def of_day(group: Group, day: Day) -> list[str]:
    """Its alerts of this day: a group may have begun the day before."""
    return [alert for alert in group.alerts() if alert in day.about]


def teach(days: Iterable[Day], grouping: Grouping, seed: int) -> None:
    """People work through the days, and their verdicts teach."""
    random = np.random.default_rng([seed, 13])
    for day in days:
        groups = run_day(day, grouping)
        for several, recalibration in ((True, grouping.recalibration), (False, grouping.single)):
            recalibration.learn(
                (group.fused.log_odds, is_true(group, day))
                for group in groups
                if (len(group.tracks) > 1) is several and group.fused is not None
            )
        for alert in day.alerts:
            if random.random() < SETTLED:
                grouping.calibration.learn(
                    Verdict(alert.tool, alert.detector, alert.source, alert.confidence, day.true(alert.id))
                )


def judge(days: Iterable[Day], grouping: Grouping) -> Result:
    """Measure on days from which nothing is learnt."""
    result = Result()
    queue: list[tuple[float, str | None]] = []
    items: list[tuple[float, frozenset[str]]] = []
    incidents: set[str] = set()
    for day in days:
        groups = run_day(day, grouping)
        _count_pairs(result, groups, day)
        dangerous = {one.id for one in day.incidents()}
        incidents |= dangerous
        for group in groups:
            outcome = is_true(group, day)
            result.items.append((group.probability, outcome))
            if len(group.tracks) > 1:
                result.candidates.append((group.probability, outcome))
            items.append((group.probability, frozenset(day.about[alert] for alert in of_day(group, day)) & dangerous))
        for alert, signal in signals_of(day, grouping.calibration):
            result.alerts.append((signal.probability, day.true(alert.id)))
            result.raw.append((alert.confidence, day.true(alert.id)))
            about = day.about[alert.id]
            queue.append((alert.confidence, about if about in dangerous else None))
    result.incidents = len(incidents)
    wanted = RECALL * len(incidents)
    result.shown_alerts = _shown([(rank, frozenset([about] if about else [])) for rank, about in queue], wanted)
    result.shown_items = _shown(items, wanted)
    return result


def _shown(entries: Sequence[tuple[float, frozenset[str]]], wanted: float) -> int:
    """How many entries, the most probable first, show at least `wanted` incidents; those of equal rank together."""
    seen: set[str] = set()
    ordered = sorted(entries, key=lambda entry: -entry[0])
    for number, (_, about) in enumerate(ordered, 1):
        seen |= about
        if len(seen) >= wanted:
            return number
    return len(ordered)


def _count_pairs(result: Result, groups: Sequence[Group], day: Day) -> None:
    def pairs(counts: Iterable[int]) -> int:
        return sum(count * (count - 1) // 2 for count in counts)

    place = {alert: group.number for group in groups for alert in of_day(group, day)}
    stream = {alert.id: (alert.tool, alert.detector, alert.source) for alert in day.alerts}

    def counted(alerts: Mapping[str, object]) -> tuple[int, int, int]:
        return (
            pairs(Counter(place[alert] for alert in alerts).values()),
            pairs(Counter(day.about[alert] for alert in alerts).values()),
            pairs(Counter((place[alert], day.about[alert]) for alert in alerts).values()),
        )

    everything = counted(place)
    result.together += everything[0]
    result.belonging += everything[1]
    result.right += everything[2]
    within = (
        pairs(Counter((place[alert], stream[alert]) for alert in place).values()),
        pairs(Counter((day.about[alert], stream[alert]) for alert in place).values()),
        pairs(Counter((place[alert], day.about[alert], stream[alert]) for alert in place).values()),
    )
    for number in range(3):
        result.across[number] += everything[number] - within[number]


def f1(together: int, belonging: int, right: int) -> float:
    """Harmonic mean of pairwise precision and recall."""
    return 2 * right / (together + belonging) if together + belonging else 1.0


def error(pairs: Sequence[tuple[float, bool]]) -> float:
    """Expected calibration error."""
    return expected_calibration_error(reliability(pairs))


def quality(first_seed: int) -> Result:
    """Teach on some days, judge on the following ones."""
    city = City(first_seed)
    grouping = Grouping(default_rules(), Calibration(), Recalibration())
    teaching = range(first_seed, first_seed + TEACHING_DAYS)
    teach(make_days(teaching, city=city, begin=BEGIN), grouping, first_seed)
    judged = range(first_seed + TEACHING_DAYS, first_seed + TEACHING_DAYS + JUDGED_DAYS)
    later = BEGIN + timedelta(days=TEACHING_DAYS)
    return judge(make_days(judged, city=city, begin=later), grouping)


def speed(open_alerts: int, timed: int) -> tuple[float, int]:
    """Alerts a second that grouping and weighing take with so many open; processor time of one core."""
    city = City(SEEDS[0])
    calibration = Calibration()
    grouping = Grouping(default_rules(), calibration)
    alerts: list[Alert] = []
    number = 0
    while len(alerts) < open_alerts + timed:
        # As many days at once as are needed: a city on fire.
        alerts += make_day(SEEDS[0] + number, city=city, begin=BEGIN).alerts
        number += 1
    alerts.sort(key=lambda alert: alert.sent)
    for begin in range(0, open_alerts, 100):
        _take(grouping, calibration, alerts[begin : begin + 100])
    held = len(grouping)
    clock = time.process_time()
    for begin in range(open_alerts, open_alerts + timed, 100):
        _take(grouping, calibration, alerts[begin : begin + 100])
    return timed / (time.process_time() - clock), held


def _take(grouping: Grouping, calibration: Calibration, alerts: Sequence[Alert]) -> None:
    for alert in alerts:
        probability = calibration.probability(alert.tool, alert.detector, alert.source, alert.confidence)
        grouping.take(signal_of(alert, probability=probability, received=alert.sent))
    grouping.changed()


def together(results: Sequence[Result]) -> Result:
    """The sum of what was measured in several cities."""
    total = Result()
    for result in results:
        total.together += result.together
        total.belonging += result.belonging
        total.right += result.right
        total.across = [one + other for one, other in zip(total.across, result.across, strict=True)]
        total.items += result.items
        total.candidates += result.candidates
        total.alerts += result.alerts
        total.raw += result.raw
        total.shown_alerts += result.shown_alerts
        total.shown_items += result.shown_items
        total.incidents += result.incidents
    return total


def main() -> None:
    seeds = [int(seed) for seed in sys.argv[1:]] or list(SEEDS)
    results = [quality(seed) for seed in seeds]
    result = together(results)
    rate, held = speed(10_000, 5_000)
    report(
        "Correlation",
        [
            Figure("alerts into correlation, one core", "1/s", 1_000, rate, note=f"{held} open alerts"),
            Figure("pairwise F1 of grouping", "", 0.9, f1(result.together, result.belonging, result.right)),
            Figure("error of incident probability", "", 0.05, error(result.items), at_most=True, note="all items"),
            Figure(
                "alerts for each item at equal recall",
                "",
                5,
                result.shown_alerts / result.shown_items,
                note=f"{result.shown_alerts} alerts or {result.shown_items} items show {RECALL:.0%}",
            ),
        ],
        notes=[
            f"{len(seeds)} cities, {JUDGED_DAYS} days of each, {len(result.alerts)} alerts, "
            f"{result.incidents} true incidents, {len(result.items)} items, "
            f"{len(result.candidates)} of several sources",
            *(_line(seed, one) for seed, one in zip(seeds, results, strict=True)),
            f"F1 of pairs of different sources only: {f1(*result.across):.3f}; precision "
            f"{result.right / max(result.together, 1):.3f}, recall {result.right / max(result.belonging, 1):.3f}",
            f"calibration error of items of several sources: {error(result.candidates):.3f}; "
            f"of alerts: {error(result.alerts):.3f}, raw: {error(result.raw):.3f}",
        ],
    )


def _line(seed: int, result: Result) -> str:
    return (
        f"city {seed}: F1 {f1(result.together, result.belonging, result.right):.3f}, error {error(result.items):.3f}, "
        f"{result.shown_alerts} alerts or {result.shown_items} items"
    )


if __name__ == "__main__":
    main()
