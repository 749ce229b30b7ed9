"""Replay: recorded readings go through a tool as it is now, and what it tells is put beside what was told then.

The tool is the live code on a clock that follows the readings. It reads the same history as it would have had, raises
alerts into a list, and touches nothing: not the queue, not its own checkpoints. Readings go in as arrays, many at a
time, and of a long period the next are read by a process of their own meanwhile (docs/adr/0051).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from impetus.exercise.read_ahead import read_ahead
from impetus.model import (
    Alert,
    Datastream,
    ExpectationBatch,
    Incident,
    InvalidInput,
    ObservationBatch,
    ToolResult,
    Value,
    from_microseconds,
    to_microseconds,
)
from impetus.sdk import InstalledTool
from impetus.sdk.manifest import Manifest
from impetus.sdk.selection import InputSelection
from impetus.sdk.testing import LocalContext
from impetus.sdk.worker import validate_settings
from impetus.store import Store
from impetus.store.readings import ReadingArrays
from impetus.store.records import AlertFilter, AlertOrder

SAME_S: Final = 300.0
"""Alerts of one detector and source that began within this time of each other are the same."""
LONGEST: Final = timedelta(days=31)
PAGE: Final = 200
ROWS: Final = 100_000
"""Readings that are read at once."""
LONG: Final = timedelta(hours=1)
"""A process that reads ahead is worth its start from so long a period on."""


class Difference(Value):
    """One alert, and what each of two ways made of it."""

    detector: str
    source: str
    headline: str
    first_s: float | None = None
    """When the first way raised it, in seconds since the begin of the period; None: it did not."""
    second_s: float | None = None


class IncidentDifference(Value):
    """What another way would have made of an incident that alerts of the first one were a part of."""

    incident: str
    title: str
    alerts: int
    kept: int
    """How many of these alerts the second way raised too."""
    first_s: float
    """When the first way raised the first of them, in seconds since the begin of the period."""
    second_s: float | None = None
    """The same of the second way; None: it raised none of them."""


class Comparison(Value):
    """Two ways side by side."""

    first: str
    second: str
    first_alerts: int
    second_alerts: int
    both: int
    median_later_s: float | None = None
    """How much later the second way raised those that both did; negative: sooner."""
    only_first: tuple[Difference, ...] = ()
    only_second: tuple[Difference, ...] = ()
    incidents: tuple[IncidentDifference, ...] = ()
    """Those of the first way, of which it is known what its alerts belong to."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a tool told of a period."""

    alerts: Sequence[Alert]
    """The first revision of each, `sent` being when it was raised."""
    readings: int
    took_s: float


class ReplayContext(LocalContext):
    """A context in memory whose history is the store's, up to the moment of the replay; it keeps what is compared, and
    of everything else no more than a tool asks for again: a day may hold a hundred million readings."""

    def __init__(
        self,
        manifest: Manifest,
        datastreams: Sequence[Datastream],
        store: Store,
        tenant: str,
        start: datetime,
        address: str | None = None,
    ) -> None:
        super().__init__(manifest, datastreams=datastreams, tenant=tenant, start=start)
        self._store = store
        self._begin = start
        self._address = address
        self._readable = InputSelection(manifest, datastreams).datastreams

    async def datastreams(self) -> Sequence[Datastream]:
        return self._readable

    async def history(self, since: datetime, until: datetime | None = None) -> AsyncIterator[ObservationBatch]:
        # What came after the begin of the period is observed, and not remembered.
        end = min(until or self._begin, self._begin)
        async for arrays in self.readings(since, end):
            yield batch_of(arrays, slice(None))

    async def readings(self, since: datetime, until: datetime) -> AsyncGenerator[ReadingArrays, None]:
        """What was recorded in [since, until) and the tool may read, in order of time."""
        names = None
        if self.manifest.observed_properties() is not None:
            names = {datastream.id for datastream in self._readable}
        if self._address is not None and until - since >= LONG:
            found = read_ahead(self._address, self.tenant, since, until, names, ROWS)
        else:
            found = self._store.readings.arrays(self.tenant, since, until, datastreams=names, rows=ROWS)
        async with aclosing(found):
            async for arrays in found:
                yield arrays

    async def emit_expectations(self, batch: ExpectationBatch) -> None:
        """Nobody looks at the bands of a replay."""

    async def publish(self, result: ToolResult) -> None:
        await super().publish(result)
        self.results = [one for one in self.results if one is result or one.id != result.id]


async def replay(
    installed: InstalledTool,
    store: Store,
    tenant: str,
    since: datetime,
    until: datetime,
    settings: Mapping[str, Any],
    *,
    address: str | None = None,
) -> Replayed:
    """Give a tool the readings that an organisation kept of [since, until), and return what it told.

    With the `address` of the store a process of its own reads ahead of the tool where the period is long.

    Raises:
        InvalidInput: the period is empty or longer than a month, or the tool reads no observations.
        ConfigurationError: the tool or its settings are wrong.
    """
    if not timedelta(0) < until - since <= LONGEST:
        raise InvalidInput("the period is empty or longer than 31 days", hint="give --since and a later --until")
    tool_type, manifest = installed.usable()
    if not any(one.kind == "observation" for one in manifest.inputs):
        raise InvalidInput(f"{manifest.id} reads no observations, so there is nothing to replay")
    validated = validate_settings(tool_type, manifest.id, settings)
    datastreams = await _datastreams(store, tenant)
    context = ReplayContext(manifest, datastreams, store, tenant, since, address)
    tool = tool_type(context, validated)
    began_s, readings = time.monotonic(), 0
    await tool.start()
    step_us = int(manifest.tick_s * 1e6)
    ticked = to_microseconds(since) // step_us
    async with aclosing(context.readings(since, until)) as recorded_readings:
        async for arrays in recorded_readings:
            for part in steps(arrays.time_us, step_us):
                step = int(arrays.time_us[part.start]) // step_us
                if step > ticked:
                    ticked = step
                    _advance(context, step * step_us)
                    await tool.tick()
                _advance(context, int(arrays.time_us[part.stop - 1]))
                await tool.observe(batch_of(arrays, part))
            readings += len(arrays.time_us)
            await asyncio.sleep(0)
    await tool.tick()
    first = {alert.id: alert for alert in reversed(context.alerts)}
    return Replayed(sorted(first.values(), key=lambda alert: alert.sent), readings, time.monotonic() - began_s)


async def _datastreams(store: Store, tenant: str) -> Sequence[Datastream]:
    found: list[Datastream] = []
    after: str | None = None
    async with store.view() as view:
        while True:
            page = await view.datastreams.list(tenant, limit=PAGE, after=after)
            found += page.items
            if (after := page.next) is None:
                return found


async def recorded(store: Store, tenant: str, tool: str, since: datetime, until: datetime) -> Sequence[Alert]:
    """What the tool told of the period when it happened; `sent` is when it arrived."""
    found: list[Alert] = []
    after: str | None = None
    wanted = AlertFilter(tools=(tool,), since=since, until=until)
    async with store.view() as view:
        while True:
            page = await view.alerts.list(tenant, wanted, order=AlertOrder.TIME, limit=PAGE, after=after)
            found += [record.alert.model_copy(update={"sent": record.received}) for record in page.items]
            if (after := page.next) is None:
                return sorted(found, key=lambda alert: alert.sent)


def changed(changes: Sequence[str]) -> Mapping[str, Any]:
    """Settings from `name=value`, where the value is JSON or plain text. Raises `InvalidInput`.

    >>> changed(["false_alerts_a_day=0.5", "time_zone=Europe/Oslo"])
    {'false_alerts_a_day': 0.5, 'time_zone': 'Europe/Oslo'}
    """
    found: dict[str, Any] = {}
    for change in changes:
        name, given, value = change.partition("=")
        if not given or not name.isidentifier():
            raise InvalidInput(f"{change!r} is no change of a setting", hint="write it like false_alerts_a_day=0.5")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


async def incidents_of(store: Store, tenant: str, alerts: Sequence[Alert]) -> Mapping[str, Incident]:
    """The incidents that recorded alerts are a part of, by the alert's id."""
    async with store.view() as view:
        records = await view.alerts.many(tenant, [alert.id for alert in alerts])
        of = {id: record.incident for id, record in records.items() if record.incident is not None}
        incidents = {id: await view.incidents.find(tenant, id) for id in set(of.values())}
    return {alert: found for alert, id in of.items() if (found := incidents[id]) is not None}


def compare(
    first: Sequence[Alert],
    second: Sequence[Alert],
    since: datetime,
    *,
    names: tuple[str, str],
    incidents: Mapping[str, Incident] | None = None,
) -> Comparison:
    """Pair the alerts of two ways: same detector, same source, begun within five minutes of each other. `incidents` are
    those that alerts of the first way are a part of, by the alert's id."""
    left = list(second)
    later: list[float] = []
    pairs: list[tuple[Alert, Alert | None]] = []
    only_first: list[Difference] = []
    for alert in first:
        pair = next((one for one in left if _same(alert, one)), None)
        pairs.append((alert, pair))
        if pair is None:
            only_first.append(_difference(alert, since, first=True))
        else:
            left.remove(pair)
            later.append((pair.sent - alert.sent).total_seconds())
    return Comparison(
        first=names[0],
        second=names[1],
        first_alerts=len(first),
        second_alerts=len(second),
        both=len(later),
        median_later_s=round(sorted(later)[len(later) // 2], 1) if later else None,
        only_first=tuple(only_first),
        only_second=tuple(_difference(alert, since, first=False) for alert in left),
        incidents=tuple(_incident_differences(pairs, incidents or {}, since)),
    )


def _incident_differences(
    pairs: Sequence[tuple[Alert, Alert | None]], incidents: Mapping[str, Incident], since: datetime
) -> Iterator[IncidentDifference]:
    """In the order in which the first way raised their first alerts."""
    by_incident: dict[str, list[tuple[Alert, Alert | None]]] = {}
    for alert, pair in sorted(pairs, key=lambda both: both[0].sent):
        if alert.id in incidents:
            by_incident.setdefault(incidents[alert.id].id, []).append((alert, pair))
    for id, both in by_incident.items():
        kept = [pair.sent for _, pair in both if pair is not None]
        yield IncidentDifference(
            incident=id,
            title=incidents[both[0][0].id].title,
            alerts=len(both),
            kept=len(kept),
            first_s=round((both[0][0].sent - since).total_seconds(), 1),
            second_s=round((min(kept) - since).total_seconds(), 1) if kept else None,
        )


def _same(one: Alert, other: Alert) -> bool:
    near = abs((one.onset - other.onset).total_seconds()) <= SAME_S
    return near and (one.detector, one.source) == (other.detector, other.source)


def _difference(alert: Alert, since: datetime, *, first: bool) -> Difference:
    moment_s = round((alert.sent - since).total_seconds(), 1)
    return Difference(
        detector=alert.detector,
        source=alert.source,
        headline=alert.headline,
        first_s=moment_s if first else None,
        second_s=None if first else moment_s,
    )


def steps(time_us: NDArray[np.int64], step_us: int) -> Iterator[slice]:
    """Parts of readings in order of time that each lie between two ticks.

    >>> [(part.start, part.stop) for part in steps(np.array([1, 5, 11, 35]), 10)]
    [(0, 2), (2, 3), (3, 4)]
    """
    step = time_us // step_us
    bounds = [0, *(np.flatnonzero(step[1:] != step[:-1]) + 1).tolist(), len(step)]
    for begin, end in pairwise(bounds):
        if begin < end:
            yield slice(begin, end)


def batch_of(arrays: ReadingArrays, part: slice) -> ObservationBatch:
    """Some of the readings as a tool gets them. Their columns are read-only views, which look and count like tuples of
    plain numbers: a tool that computes with arrays takes them over at once, one that goes through them needs no more
    than before. Nothing is checked again, as it was when the readings came."""
    return ObservationBatch.model_construct(
        datastreams=arrays.datastreams,
        index=_view(arrays.index[part]),
        time_us=_view(arrays.time_us[part]),
        value=_view(arrays.value[part]),
    )


def _view(column: NDArray[Any]) -> Any:
    # Before Python 3.12 an array's annotations do not say that it has a buffer.
    whole: Any = np.ascontiguousarray(column)
    return memoryview(whole).toreadonly()


def _advance(context: ReplayContext, time_us: int) -> None:
    behind_s = (from_microseconds(time_us) - context.clock.now()).total_seconds()
    if behind_s > 0:
        context.clock.advance(behind_s)
