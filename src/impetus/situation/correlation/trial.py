"""What rules would have done: a dry run over alerts that were, and what is wrong with rules that tie everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from impetus.situation.correlation.calibration import Calibration, Recalibration
from impetus.situation.correlation.grouping import Grouping
from impetus.situation.correlation.groups import Group
from impetus.situation.correlation.reasons import reasons
from impetus.situation.correlation.rules import RuleSet, Tie
from impetus.situation.correlation.signal import Signal

SAMPLE = 300
"""Alerts of which every pair is looked at."""

ENOUGH = 30
"""With fewer alerts the shares say nothing, and nothing is refused for them."""

TOO_MANY_PAIRS = 0.2
"""A tie that holds for more pairs than this ties nearly everything that is going on."""

TOO_LARGE = 0.5
"""A group with a greater share of all alerts than this hides what is going on."""

WIDE_M = 2_000.0
LONG_MINUTES = 360.0
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class TieTrial:
    """What one tie would have done."""

    title: str
    pairs: int
    """Pairs of the sample that are near enough, or share a name, for this tie."""
    pairs_share: float
    links: int
    """Tracks that it would have put into a group."""


@dataclass(frozen=True, slots=True)
class Example:
    """One candidate that the rules would have made."""

    title: str
    alerts: int
    probability: float
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class Trial:
    """What a set of rules would have done with some alerts."""

    alerts: int
    items: int
    """What an operator would have had to look at: groups and single alerts, repeats not counted."""
    candidates: int
    """Incident candidates."""
    largest: int
    """Alerts in the largest group."""
    ties: Sequence[TieTrial]
    doubted: int
    """Alerts whose source would have been trusted less."""
    requests: int
    """Alerts of a kind that makes a request once it reaches the state."""
    examples: Sequence[Example]
    warnings: Sequence[str]
    refusals: Sequence[str]
    """Why these rules may not go live; empty if they may."""


def try_rules(
    rules: RuleSet, signals: Sequence[Signal], calibration: Calibration, recalibration: Recalibration
) -> Trial:
    """Run the rules over alerts in the order in which they were received."""
    grouping = Grouping(rules, calibration, recalibration, horizon_s=10 * 365 * 86_400.0)
    for signal in signals:
        grouping.take(signal)
    groups = [group for group in grouping.groups() if group.tracks]
    for group in groups:
        grouping.weigh(group)
    links = Counter(link.tie.title for group in groups for link in group.links.values())
    pairs, compared = _pairs(rules, signals)
    ties = [
        TieTrial(tie.title, pairs[tie.title], pairs[tie.title] / compared if compared else 0.0, links[tie.title])
        for tie in rules.ties
    ]
    candidates = [group for group in groups if len(group.tracks) > 1 and group.probability >= rules.candidate_from]
    candidates.sort(key=lambda group: -group.probability)
    largest = max((group.size for group in groups), default=0)
    warnings, refusals = _judge(rules, ties, largest, len(signals))
    return Trial(
        alerts=len(signals),
        items=len(groups),
        candidates=len(candidates),
        largest=largest,
        ties=ties,
        doubted=sum(grouping.trust.doubt(signal) is not None for signal in signals) if rules.trust else 0,
        requests=sum(
            any(rule.when.selects(*signal.kind, signal.severity) for rule in rules.requests) for signal in signals
        ),
        examples=[_example(group, grouping) for group in candidates[:EXAMPLES]],
        warnings=warnings,
        refusals=refusals,
    )


def _example(group: Group, grouping: Grouping) -> Example:
    lines = reasons(group, grouping.trust)
    return Example(lines[0] if lines else "", group.size, group.probability, lines[1:])


def _pairs(rules: RuleSet, signals: Sequence[Signal]) -> tuple[Counter[str], int]:
    """How many pairs of different sources each tie holds for, in a sample spread evenly over the alerts."""
    step = max(len(signals) // SAMPLE, 1)
    sample = signals[::step][:SAMPLE]
    held: Counter[str] = Counter()
    compared = 0
    for number, one in enumerate(sample):
        for other in sample[number + 1 :]:
            if (one.tool, one.source) == (other.tool, other.source) or one.status != other.status:
                continue
            compared += 1
            for tie in rules.ties:
                if _holds(tie, one, other):
                    held[tie.title] += 1
    return held, compared


def _holds(tie: Tie, one: Signal, other: Signal) -> bool:
    if max(one.begin_s - other.end_s, other.begin_s - one.end_s) > tie.minutes * 60.0:
        return False
    if not (
        (tie.one.selects(*one.kind) and tie.other.selects(*other.kind))
        or (tie.one.selects(*other.kind) and tie.other.selects(*one.kind))
    ):
        return False
    if tie.shared_entity and not one.entities.isdisjoint(other.entities):
        return True
    return (
        tie.distance_m is not None
        and one.where is not None
        and other.where is not None
        and one.where.distance_m(other.where) <= tie.distance_m
    )


def _judge(rules: RuleSet, ties: Sequence[TieTrial], largest: int, alerts: int) -> tuple[Sequence[str], Sequence[str]]:
    warnings: list[str] = []
    refusals: list[str] = []
    for tie, tried in zip(rules.ties, ties, strict=True):
        if alerts >= ENOUGH and tried.pairs_share > TOO_MANY_PAIRS:
            refusals.append(
                f"'{tie.title}' would tie {tried.pairs_share:.0%} of all pairs of alerts ({tried.pairs} of those "
                f"looked at); at most {TOO_MANY_PAIRS:.0%} is allowed"
            )
        everything = tie.one.everything and tie.other.everything
        if everything and (tie.distance_m or 0.0) >= WIDE_M and tie.minutes >= LONG_MINUTES:
            refusals.append(
                f"'{tie.title}' ties any two alerts within {tie.distance_m:.0f} m and {tie.minutes:.0f} minutes, "
                "which is the whole city and most of a day"
            )
        elif everything:
            warnings.append(f"'{tie.title}' is about every kind of alert; it would have tied {tried.links} last week")
    if alerts >= ENOUGH and largest > TOO_LARGE * alerts:
        refusals.append(f"one group would hold {largest} of {alerts} alerts, more than half")
    if not rules.ties:
        warnings.append("there is no tie: every alert stays by itself")
    return warnings, refusals
