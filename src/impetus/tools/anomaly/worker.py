"""The live side: readings in, alerts and expected bands out."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import ClassVar
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import BaseModel

from impetus.model import (
    Alert,
    ClockWatch,
    Datastream,
    ExpectationBatch,
    ObservationBatch,
    ReasonClass,
    ToolRequest,
    Unavailable,
    Verdict,
)
from impetus.sdk import Context, Tool
from impetus.tools.anomaly import page, wording
from impetus.tools.anomaly.arrays import Booleans, Floats, Integers
from impetus.tools.anomaly.bar import Bar
from impetus.tools.anomaly.city_calendar import CityCalendar, public_holidays
from impetus.tools.anomaly.episode_book import EpisodeBook
from impetus.tools.anomaly.fault_watch import FaultWatch
from impetus.tools.anomaly.history import begin_of_history, readings_of, unlearnt
from impetus.tools.anomaly.level_watch import LevelWatch
from impetus.tools.anomaly.memory import Memory
from impetus.tools.anomaly.monitor import Scored, compile_beforehand
from impetus.tools.anomaly.page_requests import PageHost
from impetus.tools.anomaly.rounds import rounds
from impetus.tools.anomaly.settings import AnomalySettings

ROUNDS_AT_ONCE = 20
"""Rounds between two turns for the rest of the process."""
CLOCK_SHOWN_S = 60.0
"""How long the status board speaks of readings from the future after the last one."""
TESTS_A_READING = 2.0
"""What a reading itself says, and what its share of an hour says (`hours.py`)."""
NO_JUDGEMENT = frozenset({ReasonClass.DUPLICATE, ReasonClass.FAULT})
"""Dismissals that say nothing about the threshold."""


class AnomalyTool(Tool[AnomalySettings]):
    """Watches all datastreams of one organisation."""

    settings_type: ClassVar[type[AnomalySettings]] = AnomalySettings
    task_models: ClassVar[Mapping[str, type[BaseModel]]] = {
        "inspect": page.StreamNamed,
        "threshold": page.ThresholdWanted,
        "forget": page.StreamNamed,
    }

    def __init__(self, context: Context, settings: AnomalySettings) -> None:
        super().__init__(context, settings)
        is_holiday = public_holidays(settings.holidays_country, settings.holidays_subdivision)
        self._calendar = CityCalendar(ZoneInfo(settings.time_zone), is_holiday)
        self._use(Memory(settings))
        self._saved_s = context.clock.monotonic_s()
        self._clock_watch = ClockWatch()
        self._future_readings = 0
        self._future_seen_s = -math.inf
        self._degraded: str | None = None

    def _use(self, memory: Memory) -> None:
        self._memory = memory
        self._registered: tuple[Datastream, ...] | None = None
        bar = Bar.of(self.settings, readings_a_day=1.0)
        self._book = EpisodeBook(memory, self.context.tenant, self._calendar, self.context.clock, bar)
        self._level = LevelWatch(self._book)
        self._faults = FaultWatch(self._book, cool_down_s=self.settings.cool_down_s)
        self._page = PageHost(self.context, self._book, self._calendar)

    async def start(self) -> None:
        # In a thread: the worker goes on to answer, and is not taken for one that hangs.
        await asyncio.to_thread(compile_beforehand)
        self._restore(await self.context.load_checkpoint())
        await self._refresh_datastreams()
        await self._read_history()
        now_s = self.context.clock.monotonic_s()
        self._memory.silence.expect(np.flatnonzero(~np.isnan(self._memory.monitor.newest_s)), now_s)
        await self._send()

    async def observe(self, batch: ObservationBatch) -> None:
        await self._send()
        if not len(batch):
            return
        row, time_s, value = readings_of(batch, self._memory)
        touched = np.unique(row)
        self._memory.silence.arrived(touched, self.context.clock.monotonic_s())
        possible = self._not_from_the_future(time_s)
        await self._learn(row[possible], time_s[possible], value[possible], publish=True)
        await self._send()
        await self._send_expectations(touched)

    async def tick(self) -> None:
        await self._send()
        await self._refresh_datastreams()
        now = self.context.clock.now()
        for row in self._faults.look_for_silence(now.timestamp(), self.context.clock.monotonic_s()):
            self._level.end(row)
        await self._send()
        await self._page.show()
        await self._tell_state()
        now_s = self.context.clock.monotonic_s()
        if now_s - self._saved_s >= self.settings.checkpoint_interval_s:
            await self._save()
            self._saved_s = now_s

    async def stop(self) -> None:
        await self._send()
        await self._save()

    async def verdict(self, verdict: Verdict) -> None:
        if verdict.detector != "level" or self._memory.roster.row(verdict.source) is None:
            return
        correct = None if verdict.reason in NO_JUDGEMENT else verdict.correct
        self._memory.verdicts.take(verdict.alert, verdict.source, correct=correct)
        self._memory.apply_verdicts()

    async def handle(self, request: ToolRequest) -> str:
        if request.task == "threshold":
            wanted = page.ThresholdWanted.model_validate(request.content)
            self._memory.false_alerts_a_day = wanted.false_alerts_a_day
            await self._refresh_datastreams()
            await self._page.show(now=True)
            return f"Alerts from {wording.once_in(self._book.bar.rules.strong)} on."
        stream = page.StreamNamed.model_validate(request.content).id
        if request.task == "forget":
            return await self._page.forget(stream)
        return await self._page.inspect(stream, request)

    # Readings

    def _not_from_the_future(self, time_s: Floats) -> Booleans:
        # Where this machine's clock was set back, it is no sensor's fault to be ahead of it.
        tolerated_s = self.settings.future_s + self._clock_watch.behind_s()
        late: Booleans = time_s <= self.context.clock.now().timestamp() + tolerated_s
        if not late.all():
            self._future_readings += int(np.count_nonzero(~late))
            self._future_seen_s = self.context.clock.monotonic_s()
        return late

    async def _learn(self, row: Integers, time_s: Floats, value: Floats, *, publish: bool = False) -> None:
        """Take readings in rounds, and leave the process a turn now and then."""
        offset_s = self._calendar.offset_s(time_s)
        now_s = self.context.clock.now().timestamp()
        for turn, part in enumerate(rounds(row, time_s), start=1):
            scored = self._take(row[part], time_s[part], offset_s[part], value[part], now_s)
            if publish:
                self._memory.band.update(row[part], time_s[part], scored)
            if turn % ROUNDS_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _take(self, row: Integers, time_s: Floats, offset_s: Floats, value: Floats, now_s: float) -> Scored:
        """Score one round, and open, update and end episodes."""
        # A holiday is expected as a Sunday, and teaches the Sundays.
        lived_s = offset_s + self._calendar.as_sunday_s(time_s + offset_s)
        scored = self._memory.monitor.update(row, time_s, lived_s, value)
        tolerated_s = max(self.settings.alert_age_s, self.settings.future_s)
        # Where this machine's clock was set, readings are as far from it as they should be and by that much more.
        fresh = (time_s >= now_s - tolerated_s - self._clock_watch.ahead_s()) & (
            time_s <= now_s + tolerated_s + self._clock_watch.behind_s()
        )
        self._faults.take(row, time_s, value, scored, fresh)
        self._level.take(row, time_s, offset_s, value, scored, fresh)
        return scored

    async def _send(self) -> None:
        """Emit what waits; what was emitted before an error is not emitted again."""
        while self._book.outgoing:
            told = self._book.outgoing[0]
            await self.context.emit(await self._with_picture(told.alert, told.picture))
            del self._book.outgoing[0]

    async def _with_picture(self, alert: Alert, picture: bytes | None) -> Alert:
        """The alert with its picture as evidence; without it where there is no room for more."""
        if picture is None:
            return alert
        title = "The last hours, the range that was expected, and what left it"
        try:
            reference = await self.context.keep_evidence(picture, media_type="image/png", title=title)
        except Unavailable as error:
            self.context.log.warning("alert without its picture", error=str(error))
            return alert
        return alert.model_copy(update={"evidence": (reference,)})

    async def _send_expectations(self, rows: Integers) -> None:
        band, names = self._memory.band, self._memory.roster.names
        due = band.due(rows, self.context.clock.monotonic_s(), self.settings.expectation_interval_s)
        if not len(due):
            return
        await self.context.emit_expectations(
            ExpectationBatch(
                datastreams=tuple(names[row] for row in due),
                index=tuple(range(len(due))),
                time_us=tuple(int(time) for time in np.round(band.time_s[due] * 1e6)),
                low=tuple(band.low[due].tolist()),
                middle=tuple(band.middle[due].tolist()),
                high=tuple(band.high[due].tolist()),
                score=tuple(band.score[due].tolist()),
            )
        )

    # Streams, history, checkpoint, state

    async def _refresh_datastreams(self) -> None:
        memory = self._memory
        registered = tuple(await self.context.datastreams())
        if registered is not self._registered:
            memory.rows_of(entry.id for entry in registered)
        changed = memory.roster.register(registered)
        self._registered = registered
        for row in changed:
            datastream = memory.roster.registered[row]
            memory.monitor.set_limits(row, datastream.lowest, datastream.highest)
        if changed:
            memory.around.place_registered(memory.roster.registered)
            memory.places.group_registered(memory.roster.registered)
        independent_s = np.maximum(memory.interval_s(), memory.monitor.parameters.independent_s)
        # Of each reading, and of the hour that it belongs to.
        readings_a_day = max(TESTS_A_READING * float(np.sum(86_400.0 / independent_s)), 1.0)
        self._book.bar = Bar.of(
            self.settings, readings_a_day=readings_a_day, false_alerts_a_day=memory.false_alerts_a_day
        )

    async def _read_history(self) -> None:
        now = self.context.clock.now()
        history = self.context.history(begin_of_history(now, self._memory.monitor.newest_s))
        latest_s = now.timestamp() + self.settings.future_s
        async for row, time_s, value in unlearnt(history, self._memory, latest_s=latest_s):
            await self._learn(row, time_s, value)

    async def _save(self) -> None:
        """Save all state; the writing of many megabytes leaves the event loop free."""
        memory = self._memory
        await self.context.save_checkpoint(await asyncio.to_thread(memory.monitor.to_bytes, memory.saved()))

    def _restore(self, data: bytes | None) -> None:
        """Take over a checkpoint; one that cannot be read is left aside, and history is learnt from instead."""
        if data is None:
            return
        try:
            self._use(Memory.from_bytes(data, self.settings))
        except ValueError as error:
            self.context.log.warning("checkpoint left aside, learning from history", error=str(error))
            return
        # Another process counts its monotonic time from another moment: everybody gets the whole time anew.
        self._memory.silence.restart(self.context.clock.monotonic_s())

    async def _tell_state(self) -> None:
        recently = self.context.clock.monotonic_s() - self._future_seen_s < CLOCK_SHOWN_S
        text = None
        if recently:
            text = (
                f"{self._future_readings} readings carry times in the future and were set aside: "
                "check the clocks of the sensors and of this machine"
            )
        if text != self._degraded:
            await self.context.degraded(text)
            self._degraded = text
