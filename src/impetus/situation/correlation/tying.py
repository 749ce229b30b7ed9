"""What ties two tracks: how much likelier they are so near each other under one happening than by chance.

    score = weight + log(q g(r) h(t) / rate)

with q how likely a source within reach notices a happening too, g a Gaussian in distance and h an exponential in time
that the rule's `distance_m` and `minutes` set, and `rate` how often this source raises anything here anyway, learnt
from the stream (compare Baiesi and Paczuski 2004 and Zaliapin et al. 2008, who tell aftershocks from background in this
way). A chatty sensor thus has to be nearer than a quiet one. A shared name counts in the same way: the fewer carry it,
the more it ties.

As in models of aftershocks (Omori), what follows is counted from the onset, not from whatever came last: else every
false alert nearby would prolong a happening, and groups would grow for a whole day. Only what a person took in hand or
found to be true goes on for as long as there is news of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from impetus.situation.correlation.following import CONTROL, Following, Order
from impetus.situation.correlation.groups import Link, Track
from impetus.situation.correlation.rules import Tie

NOTICED = 0.2
"""How likely a source within reach notices a true happening too: one of two would notice what it is made for, and less
than half of all happenings are that."""

FEW = 20
"""Sources that may carry a name before it ties less: a network, a building or a square has some twenty; what everything
names says nothing."""

HARMLESS = 0.06
"""Share of false alerts that are about something real but harmless, which other tools notice as well."""

SPAN = 2.0
"""A group may reach so many times a rule's distance from where it began, so that groups do not creep through a city."""


def truth_of(probability: float, precision: float) -> float:
    """Log of how much likelier an alert that is so probable is about a happening than any one of its detector."""
    return math.log(HARMLESS + (1.0 - HARMLESS) * probability / precision)


def commonness(carriers: int) -> float:
    """How many times likelier chance is for a name that so many sources carry."""
    return max(carriers / FEW, 1.0)


def near(
    track: Track, other: Track, ties: Sequence[Tie], rate: float, truth: float, following: Following
) -> list[Link]:
    """Links by place and time; `rate` is how often the track's source raises something here, per second."""
    if track.where is None or other.where is None:
        return []
    distance = track.where.distance_m(other.where)
    gap_s = _gap_s(track, other)
    links: list[Link] = []
    for tie in ties:
        if tie.distance_m is None or distance > tie.distance_m or gap_s > CONTROL * tie.minutes * 60.0:
            continue
        anchor = other.group.anchor
        if anchor is not None and track.where.distance_m(anchor) > SPAN * tie.distance_m:
            continue
        spread_m = tie.distance_m / 2.0
        spread_s = tie.minutes * 60.0 / 3.0
        # A large place is near to much by chance.
        larger = 1.0 + ((track.where.radius_m + other.where.radius_m) / spread_m) ** 2
        chance = rate * 2.0 * spread_s * larger
        closeness = -0.5 * (distance / spread_m) ** 2 - gap_s / spread_s
        score = tie.weight + truth + _noticed(real(other, afar=False)) - math.log(chance) + closeness
        links.append(_corrected(Link(tie, track, other, score, distance, gap_s, None), following))
    return links


def named(
    track: Track, other: Track, ties: Sequence[Tie], entity: str, rate: float, truth: float, following: Following
) -> list[Link]:
    """Links by a shared name; `rate` is how often the track's source raises something, per second."""
    gap_s = _gap_s(track, other)
    distance = None if track.where is None or other.where is None else track.where.distance_m(other.where)
    links: list[Link] = []
    for tie in ties:
        if not tie.shared_entity or gap_s > CONTROL * tie.minutes * 60.0:
            continue
        spread_s = tie.minutes * 60.0 / 3.0
        afar = distance is None or tie.distance_m is None or distance > tie.distance_m
        score = tie.weight + truth + _noticed(real(other, afar=afar)) - math.log(rate * 2.0 * spread_s)
        link = Link(tie, track, other, score - gap_s / spread_s, distance, gap_s, entity, afar)
        links.append(_corrected(link, following))
    return links


def order(link: Link) -> Order:
    """Which kind came first."""
    one, other = (link.one.tool, link.one.detector), (link.other.tool, link.other.detector)
    first, then = (other, one) if link.one.begin_s >= link.other.begin_s else (one, other)
    return (link.tie.title, first, then)


def _corrected(link: Link, following: Following) -> Link:
    link.score = link.guessed + following.correction(order(link), link.share)
    return link


def real(other: Track, *, afar: bool) -> float:
    """How likely there is something real that such a link can be about.

    A happening is at a place, or it spreads by names (a network). What is certain of the one says nothing of the other:
    across, the other alert counts by itself.
    """
    return other.group.probability if other.group.afar is afar else other.believed


def _gap_s(track: Track, other: Track) -> float:
    """Seconds between the two, or since the other's group began while no person says that it is real."""
    gap_s = max(track.begin_s - other.end_s, other.begin_s - track.end_s, 0.0)
    group = other.group
    return gap_s if group.fixed or group.confirmed else max(gap_s, track.begin_s - group.onset_s)


def _noticed(probability: float) -> float:
    """Log of how likely a further source notices it too: less where the first alert is probably false."""
    return math.log(NOTICED * (HARMLESS + (1.0 - HARMLESS) * probability))
