"""Replay: recorded readings go through a tool as it is now, and what it tells is put beside what was told then.

The tool is the live code on a clock that follows the readings. It reads the same history as it would have had, raises
alerts into a list, and touches nothing: not the queue, not its own checkpoints.
"""

from __future__ import annotations

import asyncio
import json
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from impetus.model import Alert, Datastream, InvalidInput, ObservationBatch, Value, from_microseconds, to_microseconds
from impetus.sdk import InstalledTool
from impetus.sdk.manifest import Manifest
from impetus.sdk.selection import InputSelection
from impetus.sdk.testing import LocalContext
from impetus.sdk.worker import validate_settings
from impetus.store import Store
from impetus.store.records import AlertFilter, AlertOrder

SAME_S: Final = 300.0
"""Alerts of one detector and source that began within this time of each other are the same."""
LONGEST: Final = timedelta(days=31)
PAGE: Final = 200


class Difference(Value):
    """One alert, and what each of two ways made of it."""

    detector: str
    source: str
    headline: str
    first_s: float | None = None
    """When the first way raised it, in seconds since the begin of the period; None: it did not."""
    second_s: float | None = None


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


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a tool told of a period."""

    alerts: Sequence[Alert]
    """The first revision of each, `sent` being when it was raised."""
    readings: int
    took_s: float


class ReplayContext(LocalContext):
    """A context in memory whose history is the store's, up to the moment of the replay."""

    def __init__(
        self, manifest: Manifest, datastreams: Sequence[Datastream], store: Store, tenant: str, start: datetime
    ) -> None:
        super().__init__(manifest, datastreams=datastreams, tenant=tenant, start=start)
        self._store = store
        self._begin = start

    async def history(self, since: datetime, until: datetime | None = None) -> AsyncIterator[ObservationBatch]:
        selection = InputSelection(self.manifest, self.registered)
        names = None
        if self.manifest.observed_properties() is not None:
            names = {datastream.id for datastream in selection.datastreams}
        # What came after the begin of the period is observed, and not remembered.
        end = min(until or self._begin, self._begin)
        async for batch in self._store.readings.history(self.tenant, since, end, datastreams=names):
            yield batch


async def replay(
    installed: InstalledTool,
    store: Store,
    tenant: str,
    since: datetime,
    until: datetime,
    settings: Mapping[str, Any],
) -> Replayed:
    """Give a tool the readings that an organisation kept of [since, until), and return what it told.

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
    context = ReplayContext(manifest, datastreams, store, tenant, since)
    selection = InputSelection(manifest, datastreams)
    names = None
    if manifest.observed_properties() is not None:
        names = {datastream.id for datastream in selection.datastreams}
    tool = tool_type(context, validated)
    began_s, readings = time.monotonic(), 0
    await tool.start()
    step_us = int(manifest.tick_s * 1e6)
    ticked = to_microseconds(since) // step_us
    async for batch in store.readings.history(tenant, since, until, datastreams=names):
        for part in steps(batch, step_us):
            step = part.time_us[0] // step_us
            if step > ticked:
                ticked = step
                _advance(context, step * step_us)
                await tool.tick()
            _advance(context, part.time_us[-1])
            await tool.observe(part)
            readings += len(part)
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


def compare(first: Sequence[Alert], second: Sequence[Alert], since: datetime, *, names: tuple[str, str]) -> Comparison:
    """Pair the alerts of two ways: same detector, same source, begun within five minutes of each other."""
    left = list(second)
    later: list[float] = []
    only_first: list[Difference] = []
    for alert in first:
        pair = next((one for one in left if _same(alert, one)), None)
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


def steps(batch: ObservationBatch, step_us: int) -> Iterator[ObservationBatch]:
    """A batch, which is in order of time, in parts that each lie between two ticks."""
    times = batch.time_us
    begin = 0
    while begin < len(times):
        end = bisect_left(times, (times[begin] // step_us + 1) * step_us, begin)
        # The parts of a valid batch are valid; checking them again would take longer than the tool does.
        yield batch.model_copy(
            update={"index": batch.index[begin:end], "time_us": times[begin:end], "value": batch.value[begin:end]}
        )
        begin = end


def _advance(context: ReplayContext, time_us: int) -> None:
    behind_s = (from_microseconds(time_us) - context.clock.now()).total_seconds()
    if behind_s > 0:
        context.clock.advance(behind_s)
