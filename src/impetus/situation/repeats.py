"""Joining of repeats: the same thing noticed again and again is one row of the queue with a count, and all is kept.

An alert repeats an earlier one that is still open when both come from the same detector of the same tool on the same
source, with the same status (exercise or real), begin near each other in time and place, and the later is not more
severe. The earlier one, the head, stands for all of them: what people decide on it holds for its repeats.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from impetus.model import Alert, Place, Position
from impetus.situation.harm import SEVERITY_WEIGHT
from impetus.situation.settings import SituationSettings
from impetus.store import Transaction
from impetus.store.records import AlertArrival, AlertRecord
from impetus.store.workload import Head

EARTH_RADIUS_M: Final = 6_371_008.8
"""Mean radius (IUGG)."""


def distance_m(one: Position, other: Position) -> float:
    """Great-circle distance of two positions (longitude, latitude in degrees), in metres; the haversine formula."""
    east = math.radians(other[0] - one[0])
    north = math.radians(other[1] - one[1])
    part = (
        math.sin(north / 2) ** 2
        + math.cos(math.radians(one[1])) * math.cos(math.radians(other[1])) * math.sin(east / 2) ** 2
    )
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(part)))


class _Group:
    """A head, and the span of time in which it and its repeats began."""

    def __init__(self, record: AlertRecord, last_seen: datetime) -> None:
        self.record = record
        self.first = record.alert.onset
        self.last = max(last_seen, record.alert.onset)
        self.added = 0


class RepeatBoard:
    """The open heads, in memory: finds for each alert the one that it repeats."""

    def __init__(self, heads: Iterable[Head], *, within_s: float, within_m: float) -> None:
        self._within = timedelta(seconds=within_s)
        self._within_m = within_m
        self._groups: dict[tuple[str, ...], list[_Group]] = defaultdict(list)
        for head in heads:
            self._groups[_key(head.record.alert)].append(_Group(head.record, head.last_seen))

    def place(self, record: AlertRecord) -> AlertRecord | None:
        """The head that this alert repeats, which then counts one more; None if it repeats none and is one itself."""
        alert = record.alert
        known = self._groups[_key(alert)]
        for group in known:
            if group.record.alert.id != alert.id and self._repeats(alert, group):
                group.added += 1
                group.first = min(group.first, alert.onset)
                group.last = max(group.last, alert.onset)
                return group.record
        known.append(_Group(record, alert.onset))
        return None

    def grown(self) -> Sequence[tuple[AlertRecord, int, datetime]]:
        """Heads that got repeats: how many more, and when the newest of the group began."""
        return [
            (group.record, group.added, group.last)
            for groups in self._groups.values()
            for group in groups
            if group.added
        ]

    def _repeats(self, alert: Alert, group: _Group) -> bool:
        head = group.record.alert
        return (
            group.first - self._within <= alert.onset <= group.last + self._within
            and SEVERITY_WEIGHT[alert.severity] <= SEVERITY_WEIGHT[head.severity]
            and self._near(alert.place, head.place)
        )

    def _near(self, one: Place | None, other: Place | None) -> bool:
        # Without a place the source says where it is.
        return one is None or other is None or distance_m(one.centre, other.centre) <= self._within_m


def _key(alert: Alert) -> tuple[str, ...]:
    return (alert.tool, alert.detector, alert.source, alert.status.value)


async def join_repeats(
    transaction: Transaction,
    tenant: str,
    arrivals: Sequence[AlertArrival],
    settings: SituationSettings,
    now: datetime,
) -> Sequence[AlertRecord]:
    """Join what arrived to what it repeats; the alerts as they stand now whose rows on the screens have changed."""
    told = {arrival.record.alert.id: arrival.record for arrival in arrivals if arrival.changed}
    created = {arrival.record.alert.id for arrival in arrivals if arrival.created}
    freed = await _free_the_graver(transaction, tenant, [told[id] for id in told if id not in created], now)
    touched = {*freed, *freed.values()}
    joined: dict[str, AlertRecord] = {}
    fresh = [told[id] for id in told if id in created]
    if fresh and settings.repeats_within_s > 0:
        earliest = min(record.alert.onset for record in fresh) - timedelta(seconds=settings.repeats_within_s)
        heads = await transaction.workload.heads(tenant, [record.alert.source for record in fresh], earliest)
        board = RepeatBoard(
            (head for head in heads if head.record.alert.id not in created),
            within_s=settings.repeats_within_s,
            within_m=settings.repeats_within_m,
        )
        for record in fresh:
            head = board.place(record)
            if head is not None:
                joined[record.alert.id] = head
        await transaction.workload.join(tenant, joined)
        for head, more, last_seen in board.grown():
            await transaction.workload.seen_again(tenant, head.alert.id, more=more, last_seen=last_seen, updated=now)
            touched.add(head.alert.id)
    plain = [
        record for id, record in told.items() if id not in touched and id not in joined and record.repeat_of is None
    ]
    again = await transaction.alerts.many(tenant, touched)
    return [*plain, *again.values()]


async def _free_the_graver(
    transaction: Transaction, tenant: str, revised: Sequence[AlertRecord], now: datetime
) -> dict[str, str]:
    """A repeat that has become more severe than its head gets a row of its own; their ids and their heads'."""
    repeats = [record for record in revised if record.repeat_of is not None]
    heads = await transaction.alerts.many(tenant, [record.repeat_of for record in repeats if record.repeat_of])
    freed: dict[str, str] = {}
    for record in repeats:
        head = heads.get(record.repeat_of or "")
        if head is None or SEVERITY_WEIGHT[record.alert.severity] <= SEVERITY_WEIGHT[head.alert.severity]:
            continue
        freed[record.alert.id] = head.alert.id
        await transaction.workload.seen_again(
            tenant, head.alert.id, more=-1, last_seen=max(head.alert.onset, record.alert.onset), updated=now
        )
    await transaction.workload.set_free(tenant, freed)
    return freed
