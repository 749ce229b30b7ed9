"""The few numbers that a control room keeps an eye on."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from impetus.model import AlertState, Clock, Datastream, Severity, SubjectKind, from_microseconds
from impetus.situation.latest import Reading
from impetus.situation.readings import ReadingService
from impetus.store import OPEN_STATES, Store

ACKNOWLEDGED_WITHIN = timedelta(hours=24)
DECISIONS_LIMIT = 1_000
CACHE_S = 10.0
FRESH_S = 1.0
"""Many pages ask at about the same moment; they share one count that is at most so old."""
USUAL_INTERVAL_S = 100.0
"""Taken for a datastream that does not say how often it reads."""
MISSED_READINGS = 3
"""A sensor whose last reading is longer ago than so many intervals does not report."""
ON_THE_WAY_S = 2.0
"""Real seconds that a reading may be on its way: in an exercise that runs faster than the time it is more by the
clock."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers of one organisation at one moment."""

    alerts: Mapping[AlertState, int]
    open_by_severity: Mapping[Severity, int]
    incidents: Mapping[str, int]
    """By state."""
    sensors: int
    sensors_reporting: int
    acknowledge_mean_s: float | None
    """Mean time from an alert's arrival to the first decision on it, over the last 24 hours."""
    readings_per_s: float

    @property
    def alerts_open(self) -> int:
        """Alerts that wait for somebody."""
        return sum(self.alerts[state] for state in OPEN_STATES)

    @property
    def alerts_serious(self) -> int:
        """Those of them that are severe or extreme."""
        return self.open_by_severity[Severity.SEVERE] + self.open_by_severity[Severity.EXTREME]


class Journey:
    """When what arrives now was sent at the earliest.

    >>> journey, noon = Journey(), datetime(2026, 3, 2, 12)
    >>> _ = journey.begun(0.0, noon)
    >>> (noon + timedelta(seconds=20) - journey.begun(1.0, noon + timedelta(seconds=20))).total_seconds()
    40.0
    """

    def __init__(self) -> None:
        self._before: tuple[float, datetime] | None = None

    def begun(self, now_s: float, now: datetime) -> datetime:
        """`now_s` is monotonic real time, `now` the clock's, whose pace between two calls says how far it goes while a
        reading is on its way."""
        pace = 1.0
        if self._before is not None and now_s > self._before[0]:
            pace = max((now - self._before[1]).total_seconds() / (now_s - self._before[0]), 1.0)
        self._before = now_s, now
        return now - timedelta(seconds=ON_THE_WAY_S * pace)


class FigureService:
    """Counts, and remembers for a moment what is costly to count."""

    def __init__(self, store: Store, clock: Clock, readings: ReadingService) -> None:
        self._store = store
        self._clock = clock
        self._readings = readings
        self._counted: dict[str, tuple[float, Figures]] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._means: dict[str, tuple[float, float | None]] = {}
        self._journeys: defaultdict[str, Journey] = defaultdict(Journey)

    async def of(self, tenant: str) -> Figures:
        """The numbers of an organisation, at most `FRESH_S` old."""
        async with self._turns[tenant]:
            known = self._counted.get(tenant)
            if known is None or self._clock.monotonic_s() - known[0] >= FRESH_S:
                known = self._counted[tenant] = (self._clock.monotonic_s(), await self._count(tenant))
        return known[1]

    async def _count(self, tenant: str) -> Figures:
        async with self._store.view() as transaction:
            alerts = await transaction.alerts.counts(tenant)
            severities = await transaction.alerts.open_counts_by_severity(tenant)
            incidents = await transaction.incidents.counts(tenant)
        registered = await self._readings.registered(tenant)
        sent = self._journeys[tenant].begun(self._clock.monotonic_s(), self._clock.now())
        return Figures(
            alerts=alerts,
            open_by_severity=severities,
            incidents={state.value: count for state, count in incidents.items()},
            sensors=len(registered),
            sensors_reporting=count_reporting(registered, self._readings.latest.of(tenant), sent),
            acknowledge_mean_s=await self._acknowledge_mean_s(tenant),
            readings_per_s=self._readings.rate(tenant),
        )

    async def _acknowledge_mean_s(self, tenant: str) -> float | None:
        now_s = self._clock.monotonic_s()
        known = self._means.get(tenant)
        if known is None or now_s - known[0] >= CACHE_S:
            known = self._means[tenant] = (now_s, await self._count_acknowledge_mean_s(tenant))
        return known[1]

    async def _count_acknowledge_mean_s(self, tenant: str) -> float | None:
        since = self._clock.now() - ACKNOWLEDGED_WITHIN
        async with self._store.view() as transaction:
            page = await transaction.assessments.list(tenant, since=since, limit=DECISIONS_LIMIT)
            first = {
                assessment.subject: assessment.decided
                for assessment in page.items
                if assessment.subject_kind is SubjectKind.ALERT
                and assessment.state_before == AlertState.NEW
                and assessment.state_after != AlertState.NEW
            }
            records = await transaction.alerts.many(tenant, first)
        spans_s = [
            max(0.0, (decided - records[id].received).total_seconds()) for id, decided in first.items() if id in records
        ]
        return sum(spans_s) / len(spans_s) if spans_s else None


def count_reporting(registered: Mapping[str, Datastream], latest: Mapping[str, Reading], now: datetime) -> int:
    """How many of the registered datastreams have a reading that is recent for them."""
    return sum(
        1
        for id, datastream in registered.items()
        if id in latest
        and (now - from_microseconds(latest[id][0])).total_seconds()
        <= MISSED_READINGS * (datastream.interval_s or USUAL_INTERVAL_S)
    )
