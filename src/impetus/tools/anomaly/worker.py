"""The live side: readings in, alerts and expected bands out."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import BaseModel

from impetus.model import (
    Alert,
    Datastream,
    ExpectationBatch,
    InvalidInput,
    ObservationBatch,
    ReasonClass,
    ToolRequest,
    ToolResult,
    Verdict,
    from_microseconds,
)
from impetus.sdk import Context, Tool
from impetus.tools.anomaly import page, wording
from impetus.tools.anomaly.alerts import FIRST_NAMED_S, LAST_NAMED_S, AlertWriter, Frequencies, Known
from impetus.tools.anomaly.arrays import Booleans, Floats, Integers
from impetus.tools.anomaly.band import LatestBand
from impetus.tools.anomaly.day_memory import DAY_S, DayMemory
from impetus.tools.anomaly.episodes import Episode, EpisodeRules, Reading, RecentlyUnusual, advance
from impetus.tools.anomaly.monitor import Outcome, Scored, StreamMonitor
from impetus.tools.anomaly.past_events import KEPT_S, PastEvents
from impetus.tools.anomaly.past_events import LEAST_RARITY as LEAST_PAST
from impetus.tools.anomaly.rounds import rounds
from impetus.tools.anomaly.settings import AnomalySettings
from impetus.tools.anomaly.silence import SilenceWatch
from impetus.tools.anomaly.surroundings import Districts, NeighbourState, Surroundings
from impetus.tools.anomaly.unusual import FEATURES
from impetus.tools.anomaly.verdicts import VerdictMemory

HISTORY_DAYS = 28.0
OVERLAP_S = 3_600.0
"""History is read again from so long before the checkpoint's newest reading."""
HISTORY_CHUNK = 200_000
"""Readings of history that are collected before they are taken in rounds; more streams a round are faster."""
ROUNDS_AT_ONCE = 20
"""Rounds between two turns for the rest of the process."""
LEAST_RARITY, MOST_RARITY = 4.0, 8.0
"""Bounds of the rarity that one reading needs to alert by itself, whatever the number of streams."""
WEAK_SHARE = 0.8
"""Rarity that several readings need, as a share of what one needs."""
DEFAULT_INTERVAL_S = 60.0
"""For streams that say nothing of their interval and have not shown it yet."""
LEARNT_GAPS = 20.0
CLOCK_SHOWN_S = 60.0
"""How long the status board speaks of readings from the future after the last one."""
NETWORK_ROW = -1
OVERVIEW_S = 15.0
"""The page's overview is published so often at most."""
APART_READINGS = 5
"""Unusual readings after which a stream that stands apart from its neighbours is called broken."""
NEIGHBOUR_FRESH_INTERVALS = 3.0
NO_JUDGEMENT = frozenset({ReasonClass.DUPLICATE, ReasonClass.FAULT})
"""Dismissals that say nothing about the threshold."""
Key = tuple[int, str]


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
        self._zone = ZoneInfo(settings.time_zone)
        self._writer = AlertWriter(context.tenant, self._zone)
        self._monitor = StreamMonitor(stuck_rarity=settings.stuck_rarity, stuck_readings=settings.stuck_readings)
        self._recent = RecentlyUnusual()
        self._silence = SilenceWatch(together=settings.silence_together)
        self._band = LatestBand()
        self._around = Surroundings()
        self._districts = Districts()
        self._days = DayMemory()
        self._past = PastEvents()
        self._verdicts = VerdictMemory()
        self._shift: Floats = np.zeros(0)
        """Powers of ten by which each stream's threshold is moved by verdicts."""
        self._contributions: Floats = np.zeros((0, len(FEATURES)))
        self._false_alerts_a_day: float | None = None
        """What a person set in place of the setting."""
        self._revision = 0
        self._page_s = -math.inf
        self._page_shown: object = None
        self._placed: object = None
        self._rows: dict[str, int] = {}
        self._names: list[str] = []
        self._registered: dict[int, Datastream] = {}
        self._open: dict[Key, Episode] = {}
        self._ended: dict[Key, Episode] = {}
        """The last episode of each stream and detector, for the cool-down."""
        self._level_open: Booleans = np.zeros(0, dtype=np.bool_)
        self._fault_open: Booleans = np.zeros(0, dtype=np.bool_)
        self._outgoing: list[Alert] = []
        self._rules = self._make_rules()
        self._frequencies = Frequencies(1.0, settings.events_a_day, self._rules.strong)
        self._saved_s = context.clock.monotonic_s()
        self._future_readings = 0
        self._future_seen_s = -math.inf
        self._degraded: str | None = None

    async def start(self) -> None:
        self._restore(await self.context.load_checkpoint())
        await self._refresh_datastreams()
        await self._read_history()
        now_s = self.context.clock.monotonic_s()
        self._silence.expect(np.flatnonzero(~np.isnan(self._monitor.newest_s)), now_s)
        await self._send()

    async def observe(self, batch: ObservationBatch) -> None:
        await self._send()
        if not len(batch):
            return
        row = self._rows_of(batch.datastreams)[np.array(batch.index, dtype=np.int64)]
        time_s = np.array(batch.time_us, dtype=np.float64) / 1e6
        value = np.array(batch.value, dtype=np.float64)
        now_s = self.context.clock.now().timestamp()
        touched = np.unique(row)
        self._silence.arrived(touched, self.context.clock.monotonic_s())
        early = time_s > now_s + self.settings.future_s
        if early.any():
            self._future_readings += int(np.count_nonzero(early))
            self._future_seen_s = self.context.clock.monotonic_s()
            row, time_s, value = row[~early], time_s[~early], value[~early]
        offset_s = self._offset_s(time_s)
        for turn, part in enumerate(rounds(row, time_s), start=1):
            scored = self._take(row[part], time_s[part], offset_s[part], value[part], now_s)
            self._band.update(row[part], time_s[part], scored)
            if turn % ROUNDS_AT_ONCE == 0:
                await asyncio.sleep(0)
        await self._send()
        await self._send_expectations(touched)

    async def tick(self) -> None:
        await self._send()
        await self._refresh_datastreams()
        self._look_for_silence()
        await self._send()
        await self._show()
        await self._tell_state()
        now_s = self.context.clock.monotonic_s()
        if now_s - self._saved_s >= self.settings.checkpoint_interval_s:
            await self._save()
            self._saved_s = now_s

    async def stop(self) -> None:
        await self._send()
        await self._save()

    # Readings

    def _take(self, row: Integers, time_s: Floats, offset_s: Floats, value: Floats, now_s: float) -> Scored:
        """Score one round, and open, update and end episodes."""
        scored = self._monitor.update(row, time_s, offset_s, value)
        fresh = np.abs(now_s - time_s) <= max(self.settings.alert_age_s, self.settings.future_s)
        self._judge_faults(row, time_s, value, scored, fresh)
        self._remember(row, time_s, offset_s, value, scored)
        judged = np.flatnonzero((scored.outcome == Outcome.SCORED) & ~scored.stuck)
        if not len(judged):
            return scored
        streams = row[judged]
        rarity = np.maximum(scored.rarity[judged] - self._shift[streams], 0.0)
        unusual = rarity >= self._rules.weak
        counts = self._recent.update(streams, time_s[judged], unusual, window=self._rules.window)
        eventful = self._level_open[streams] | (rarity >= self._rules.strong) | (counts >= self._rules.needed)
        for place in np.flatnonzero(eventful):
            position = int(judged[place])
            reading = Reading(
                time_s=float(time_s[position]),
                value=float(value[position]),
                rarity=float(rarity[place]),
                low=float(scored.low[position]),
                middle=float(scored.middle[position]),
                high=float(scored.high[position]),
                feature=int(scored.feature[position]),
            )
            self._advance_level(int(streams[place]), reading, int(counts[place]), bool(fresh[position]))
        return scored

    def _advance_level(self, row: int, reading: Reading, count: int, fresh: bool) -> None:
        key = (row, "level")
        episode, change = advance(
            self._open.get(key),
            reading,
            self._rules,
            detector="level",
            count=count,
            first_s=float(self._recent.first_s[row]),
            before=self._ended.get(key),
        )
        if episode is None:
            return
        if change == "opened":
            self._join(row, episode)
        members = self._districts.members(row)
        if change == "ended" and members:
            # The event of the district goes on where it began no more.
            episode, change = replace(episode, ended_s=None), "none"
        if self._districts.leader(row) is not None:
            # The alert of the stream that was first speaks for this one too.
            self._keep(key, episode, tell=False)
            return
        neighbours = self._neighbours(row, reading.time_s, episode.sign)
        # Of an event of several, those take part too that are less unusual by themselves.
        several = reading.rarity >= self._rules.weak and neighbours.together
        taking_part = dict.fromkeys((*members, *neighbours.deviating) if several else members)
        joined = tuple(member for member in taking_part if member not in episode.members)
        apart = self._is_apart(episode, neighbours)
        grown = episode.revision >= 0 and (apart != episode.apart or bool(joined))
        episode = replace(episode, members=(*episode.members, *joined), apart=apart)
        severity = self._frequencies.severity(episode)
        # What began in old readings and goes on is told with its first fresh reading.
        untold = episode.revision < 0 and reading.rarity >= self._rules.weak
        due = change != "none" or untold or grown or (episode.revision >= 0 and severity != episode.sent_severity)
        self._keep(key, replace(episode, sent_severity=str(severity)) if due else episode, tell=fresh and due)

    def _judge_faults(self, row: Integers, time_s: Floats, value: Floats, scored: Scored, fresh: Booleans) -> None:
        """Stuck and impossible: open where they are and no episode is, end where they are no more."""
        impossible = scored.outcome == Outcome.IMPOSSIBLE
        eventful = impossible | scored.stuck | self._fault_open[row]
        for position in np.flatnonzero(eventful):
            number, time, tell = int(row[position]), float(time_s[position]), bool(fresh[position])
            usable = scored.outcome[position] in (Outcome.SCORED, Outcome.LEARNING)
            reading = Episode(
                detector="impossible",
                onset_s=time,
                last_s=time,
                rarity=0.0,
                value=float(value[position]),
                low=math.nan,
                middle=math.nan,
                high=math.nan,
                feature=0,
                readings=1,
            )
            if impossible[position] or usable:
                self._advance_fault(number, reading, bool(impossible[position]), tell)
            if usable:
                run = replace(
                    reading,
                    detector="stuck",
                    onset_s=float(scored.stuck_since_s[position]),
                    rarity=float(scored.stuck_rarity[position]),
                    readings=int(scored.stuck_readings[position]),
                )
                self._advance_fault(number, run, bool(scored.stuck[position]), tell)

    def _advance_fault(self, row: int, now: Episode, faulty: bool, tell: bool) -> None:
        """Open, prolong or end an episode of a fault; `now` is an episode of just this reading."""
        key = (row, now.detector)
        episode = self._open.get(key)
        if episode is None:
            before = self._ended.get(key)
            cooling = before is not None and 0 <= now.last_s - (before.ended_s or 0.0) < self.settings.cool_down_s
            if faulty and not cooling:
                self._keep(key, now, tell=tell)
        elif faulty:
            readings = max(episode.readings + 1, now.readings)
            episode = replace(episode, last_s=now.last_s, readings=readings, rarity=max(episode.rarity, now.rarity))
            self._keep(key, episode, tell=tell and episode.revision < 0)
        else:
            self._keep(key, replace(episode, ended_s=now.last_s), tell=tell)

    # Episodes and alerts

    def _keep(self, key: Key, episode: Episode, *, tell: bool) -> None:
        """Remember an episode as it is now, and tell of it; not of the end of one that nobody was told of."""
        over = episode.ended_s is not None
        told = episode.revision >= 0
        # Who was told of it is told of its end, even where that was found out late, as after a restart.
        if (tell and not over) or (over and told):
            now = self.context.clock.now()
            sent_s = episode.last_s
            episode = replace(episode, revision=episode.revision + 1, sent_rarity=episode.rarity, sent_s=sent_s)
            self._outgoing.append(self._write(key, episode, now))
        if over:
            self._open.pop(key, None)
            self._ended[key] = episode
            if key[1] == "level":
                self._districts.leave(key[0])
        else:
            self._open[key] = episode
        row, detector = key
        if detector == "level":
            self._level_open[row] = not over
        elif detector in ("stuck", "impossible"):
            self._fault_open[row] = (row, "stuck") in self._open or (row, "impossible") in self._open

    def _write(self, key: Key, episode: Episode, now: datetime) -> Alert:
        row, detector = key
        if row == NETWORK_ROW:
            silent = [self._datastream(int(other)) for other in np.flatnonzero(self._silence.with_network)]
            watched = int(np.count_nonzero(~np.isnan(self._silence.arrived_s)))
            return self._writer.network(silent, episode, now, watched)
        datastream = self._datastream(row)
        if detector == "stuck":
            return self._writer.stuck(datastream, episode, now)
        if detector == "impossible":
            return self._writer.impossible(datastream, episode, now)
        if detector == "silence":
            return self._writer.silence(datastream, episode, now, float(self._interval_s()[row]))
        known = Known(
            readings=float(self._monitor.unusual.count[row]),
            neighbours=self._neighbours(row, episode.last_s, episode.sign),
            members=tuple(self._datastream(member) for member in episode.members),
            found=self._verdicts.found(datastream.id),
            like=tuple(self._days.like(row, self._day_of(episode.last_s))),
        )
        return self._writer.level(datastream, episode, self._frequencies, now, known)

    # Neighbours, days and events of the past

    def _remember(self, row: Integers, time_s: Floats, offset_s: Floats, value: Floats, scored: Scored) -> None:
        """What the page and the explanations tell of: the streams' days, their events, and how far each is away."""
        good = (scored.outcome == Outcome.SCORED) | (scored.outcome == Outcome.LEARNING)
        rows, times = row[good], time_s[good]
        if not len(rows):
            return
        self._days.update(rows, times + offset_s[good], value[good])
        spread = np.maximum(scored.spread[good], 1e-12)
        self._around.update(rows, times, (value[good] - scored.middle[good]) / spread)
        self._contributions[rows] = scored.rarities[good]
        rare = scored.rarity[good] - self._shift[rows]
        for place in np.flatnonzero(rare >= LEAST_PAST):
            number = int(rows[place])
            interval_s = max(float(self._monitor.interval.usual_s[number]), 1.0)
            self._past.take(number, float(times[place]), float(rare[place]), interval_s=interval_s)

    def _neighbours(self, row: int, now_s: float, sign: int = 0) -> NeighbourState:
        """What the neighbours do; `sign` is to which side the stream deviates, 0: as its newest reading does."""
        usual_s = max(float(self._monitor.interval.usual_s[row]), DEFAULT_INTERVAL_S)
        sign = sign or (1 if self._around.distance[row] >= 0 else -1)
        return self._around.state(row, now_s, NEIGHBOUR_FRESH_INTERVALS * usual_s, sign=sign)

    def _join(self, row: int, episode: Episode) -> None:
        """Let an episode that opens join the alert of a neighbour that deviates to the same side."""
        signs = {
            other: self._open[other, "level"].sign
            for other in map(int, self._around.neighbours[row])
            if (other, "level") in self._open
        }
        self._districts.join(row, list(signs), signs, episode.sign)

    def _is_apart(self, episode: Episode, neighbours: NeighbourState) -> bool:
        """Whether it is the sensor rather than the place; what was an event of several streams is none of a sensor."""
        if episode.readings < APART_READINGS or episode.members:
            return False
        return not neighbours.together if episode.apart else neighbours.apart

    def _day_of(self, time_s: float) -> int:
        return math.floor((time_s + float(self._offset_s(np.array([time_s]))[0])) / DAY_S)

    # Verdicts, requests and the page

    async def verdict(self, verdict: Verdict) -> None:
        if verdict.detector != "level" or verdict.source not in self._rows:
            return
        correct = None if verdict.reason in NO_JUDGEMENT else verdict.correct
        self._verdicts.take(verdict.alert, verdict.source, correct=correct)
        self._apply_verdicts()

    async def handle(self, request: ToolRequest) -> str:
        if request.task == "threshold":
            wanted = page.ThresholdWanted.model_validate(request.content)
            self._false_alerts_a_day = wanted.false_alerts_a_day
            await self._refresh_datastreams()
            await self._show(now=True)
            return f"Alerts from {wording.once_in(self._rules.strong)} on."
        stream = page.StreamNamed.model_validate(request.content).id
        row = self._rows.get(stream)
        if row is None:
            raise InvalidInput(f"There is no stream {stream[:80]!r}.", hint="Name one that is watched.")
        if request.task == "forget":
            count = self._verdicts.forget(stream)
            self._apply_verdicts()
            await self._show(now=True)
            return f"{count} verdicts forgotten; the threshold is as set up."
        newest_s = float(self._monitor.newest_s[row])
        now = self.context.clock.now()
        await self.context.publish(
            page.stream_document(
                self.context.tenant,
                now,
                self._next_revision(),
                request.id,
                self._datastream(row),
                row,
                self._contributions[row],
                self._neighbours(row, newest_s if math.isfinite(newest_s) else now.timestamp()),
                self._days,
                self._verdicts,
                self._zone,
            )
        )
        return "Looked into."

    def _apply_verdicts(self) -> None:
        self._shift = np.zeros(len(self._names))
        for stream, found in self._verdicts.all().items():
            if stream in self._rows:
                self._shift[self._rows[stream]] = found.shift

    def _next_revision(self) -> int:
        """Greater than every one before, of this life and of earlier ones."""
        self._revision = max(self._revision + 1, int(self.context.clock.now().timestamp() * 1e3))
        return self._revision

    async def _show(self, *, now: bool = False) -> None:
        """Publish what the page shows, where it changed."""
        moment_s = self.context.clock.monotonic_s()
        if not self._names or not (now or moment_s - self._page_s >= OVERVIEW_S):
            return
        self._page_s = moment_s
        self._past.forget(self.context.clock.now().timestamp() - KEPT_S)
        documents: list[ToolResult] = []
        placed = (len(self._names), len(self._registered), hash(tuple(self._registered.values())))
        if placed != self._placed:
            self._placed = placed
            documents.extend(
                page.stream_documents(
                    self.context.tenant,
                    self.context.clock.now(),
                    self._next_revision(),
                    self._names,
                    self._registered,
                )
            )
        states = self._states()
        shown = (states, self._rules, len(self._past), self._verdicts.to_json())
        if shown != self._page_shown:
            self._page_shown = shown
            false_alerts = self._false_alerts_a_day or self.settings.false_alerts_a_day
            threshold = page.Threshold(false_alerts, self._rules.strong, self._frequencies.readings_a_day, WEAK_SHARE)
            documents.append(
                page.overview(
                    self.context.tenant,
                    self.context.clock.now(),
                    self._next_revision(),
                    self._names,
                    states,
                    threshold,
                    self._past,
                    self._verdicts,
                )
            )
        for document in documents:
            await self.context.publish(document)

    def _states(self) -> list[page.StreamNow]:
        """Streams that are not as usual."""
        states = []
        for (row, detector), episode in self._open.items():
            if row == NETWORK_ROW:
                continue
            apart = detector == "level" and episode.apart
            text = self._neighbours(row, episode.last_s, episode.sign).words if detector == "level" else ""
            states.append(page.StreamNow(row, "apart" if apart else detector, episode.onset_s, episode.rarity, text))
        return states

    def _look_for_silence(self) -> None:
        now = self.context.clock.now()
        now_s = now.timestamp()
        report = self._silence.look(self.context.clock.monotonic_s(), self._silence_limit_s())
        for row in map(int, report.back):
            episode = self._open.get((row, "silence"))
            if episode is not None:
                self._keep((row, "silence"), replace(episode, ended_s=max(now_s, episode.onset_s)), tell=True)
        network = (NETWORK_ROW, "silence")
        if report.network_back and network in self._open:
            episode = self._open[network]
            self._keep(network, replace(episode, ended_s=max(now_s, episode.onset_s)), tell=True)
        for row in map(int, report.silent):
            self._keep((row, "silence"), self._silent_episode(float(self._monitor.newest_s[row]), now_s, 1), tell=True)
            self._end_level(row)
        if report.network_silent is not None:
            last_s = float(np.nanmax(self._monitor.newest_s[report.network_silent], initial=-math.inf))
            self._keep(network, self._silent_episode(last_s, now_s, len(report.network_silent)), tell=True)
            for row in map(int, report.network_silent):
                self._end_level(row)

    def _silent_episode(self, last_reading_s: float, now_s: float, count: int) -> Episode:
        onset_s = last_reading_s if math.isfinite(last_reading_s) else now_s
        nan = math.nan
        return Episode("silence", onset_s, onset_s, 0.0, nan, nan, nan, nan, 0, count)

    def _end_level(self, row: int) -> None:
        """Nothing more is known of what was unusual at a sensor that went silent."""
        episode = self._open.get((row, "level"))
        if episode is not None:
            self._keep((row, "level"), replace(episode, ended_s=episode.last_s), tell=True)
            self._recent.bits[row] = 0

    async def _send(self) -> None:
        """Emit what waits; what was emitted before an error is not emitted again."""
        while self._outgoing:
            await self.context.emit(self._outgoing[0])
            del self._outgoing[0]

    async def _send_expectations(self, rows: Integers) -> None:
        due = self._band.due(rows, self.context.clock.monotonic_s(), self.settings.expectation_interval_s)
        if not len(due):
            return
        await self.context.emit_expectations(
            ExpectationBatch(
                datastreams=tuple(self._names[row] for row in due),
                index=tuple(range(len(due))),
                time_us=tuple(int(time) for time in np.round(self._band.time_s[due] * 1e6)),
                low=tuple(self._band.low[due].tolist()),
                middle=tuple(self._band.middle[due].tolist()),
                high=tuple(self._band.high[due].tolist()),
                score=tuple(self._band.score[due].tolist()),
            )
        )

    # Streams and what is known of them

    def _rows_of(self, names: Iterable[str]) -> Integers:
        """Row numbers of streams; unknown ones are added."""
        rows = []
        for name in names:
            row = self._rows.get(name)
            if row is None:
                row = self._rows[name] = len(self._names)
                self._names.append(name)
            rows.append(row)
        self._grow()
        return np.array(rows, dtype=np.int64)

    def _grow(self) -> None:
        count = len(self._names)
        if count == self._monitor.streams:
            return
        for part in (self._monitor, self._recent, self._silence, self._band, self._around, self._days):
            part.grow(count)
        self._shift = np.concatenate([self._shift, np.zeros(count - len(self._shift))])
        strange = np.zeros((count - len(self._contributions), len(FEATURES)))
        self._contributions = np.concatenate([self._contributions, strange])
        missing = np.zeros(count - len(self._level_open), dtype=np.bool_)
        self._level_open = np.concatenate([self._level_open, missing])
        self._fault_open = np.concatenate([self._fault_open, missing])

    async def _refresh_datastreams(self) -> None:
        registered = await self.context.datastreams()
        fresh = False
        for row, datastream in zip(self._rows_of(entry.id for entry in registered), registered, strict=True):
            if self._registered.get(int(row)) == datastream:
                continue
            fresh = True
            self._registered[int(row)] = datastream
            self._monitor.set_limits(int(row), datastream.lowest, datastream.highest)
        if fresh:
            self._around.place_registered(self._registered)
        interval_s = self._interval_s()
        independent_s = np.maximum(interval_s, self._monitor.parameters.independent_s)
        readings_a_day = max(float(np.sum(86_400.0 / independent_s)), 1.0)
        self._rules = self._make_rules(readings_a_day)
        self._frequencies = Frequencies(readings_a_day, self.settings.events_a_day, self._rules.strong)

    def _make_rules(self, readings_a_day: float = 1.0) -> EpisodeRules:
        false_alerts_a_day = self._false_alerts_a_day or self.settings.false_alerts_a_day
        strong = math.log10(max(readings_a_day / false_alerts_a_day, 1.0))
        strong = min(max(strong, LEAST_RARITY), MOST_RARITY)
        return EpisodeRules(
            strong=strong,
            weak=WEAK_SHARE * strong,
            needed=min(self.settings.needed_readings, self.settings.window_readings),
            window=self.settings.window_readings,
            cool_down_s=self.settings.cool_down_s,
        )

    def _datastream(self, row: int) -> Datastream:
        name = self._names[row]
        unregistered = Datastream(id=name, name=name, thing=name, observed_property="reading", unit="")
        return self._registered.get(row, unregistered)

    def _interval_s(self) -> Floats:
        """Usual time between readings of each stream: as registered, else as learnt; shape (streams,)."""
        learnt = self._monitor.interval
        interval_s = np.where(learnt.count >= LEARNT_GAPS, np.maximum(learnt.usual_s, 1e-3), DEFAULT_INTERVAL_S)
        for row, datastream in self._registered.items():
            if datastream.interval_s is not None:
                interval_s[row] = datastream.interval_s
        return interval_s

    def _silence_limit_s(self) -> Floats:
        learnt = self._monitor.interval
        usual = np.maximum(self.settings.silence_intervals * self._interval_s(), self.settings.silence_least_s)
        declared = np.zeros(len(usual), dtype=np.bool_)
        for row, datastream in self._registered.items():
            declared[row] = datastream.interval_s is not None
        learnable = (learnt.count >= LEARNT_GAPS) & ~declared
        return np.where(learnable, np.maximum(usual, 2.0 * learnt.long_s), usual)

    def _offset_s(self, time_s: Floats) -> Floats:
        """What local time is ahead of UTC at each moment; asked once a quarter of an hour, as it changes on those."""
        # A clock that stands at the first or the last day that a date can name has no local time.
        named_s = np.clip(time_s, FIRST_NAMED_S, LAST_NAMED_S)
        quarters, inverse = np.unique(np.floor(named_s / 900.0), return_inverse=True)
        offsets = np.zeros(len(quarters))
        for position, quarter in enumerate(quarters):
            local = from_microseconds(int(quarter) * 900_000_000).astimezone(self._zone).utcoffset()
            offsets[position] = 0.0 if local is None else local.total_seconds()
        return offsets[inverse]

    # History, checkpoint, state

    async def _read_history(self) -> None:
        """Learn from kept readings: all of them for streams that are new, since the checkpoint for the others."""
        now = self.context.clock.now()
        since = now - timedelta(days=HISTORY_DAYS)
        newest = self._monitor.newest_s
        if len(newest) and not np.isnan(newest).any():
            # In seconds, as a sensor's clock may have stood at the first day that a date can name.
            since_s = max(since.timestamp(), float(np.min(newest)) - OVERLAP_S)
            since = from_microseconds(int(since_s * 1e6))
        waiting: list[tuple[Integers, Floats, Floats]] = []
        count = 0
        async for batch in self.context.history(since):
            row = self._rows_of(batch.datastreams)[np.array(batch.index, dtype=np.int64)]
            time_s = np.array(batch.time_us, dtype=np.float64) / 1e6
            newest = self._monitor.newest_s[row]
            new = (np.isnan(newest) | (time_s > newest)) & (time_s <= now.timestamp() + self.settings.future_s)
            waiting.append((row[new], time_s[new], np.array(batch.value, dtype=np.float64)[new]))
            count += int(np.count_nonzero(new))
            if count >= HISTORY_CHUNK:
                await self._learn(waiting, now.timestamp())
                waiting, count = [], 0
        await self._learn(waiting, now.timestamp())

    async def _learn(self, waiting: list[tuple[Integers, Floats, Floats]], now_s: float) -> None:
        if not waiting:
            return
        row, time_s, value = (np.concatenate(column) for column in zip(*waiting, strict=True))
        offset_s = self._offset_s(time_s)
        for turn, part in enumerate(rounds(row, time_s), start=1):
            self._take(row[part], time_s[part], offset_s[part], value[part], now_s)
            if turn % ROUNDS_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _save(self) -> None:
        """Save all state; the writing of many megabytes leaves the event loop free."""
        known = {
            "names": self._names,
            "open": [[*key, episode.to_json()] for key, episode in self._open.items()],
            "ended": [[*key, episode.to_json()] for key, episode in self._ended.items()],
            "districts": self._districts.to_json(),
            "past": self._past.to_json(),
            "verdicts": self._verdicts.to_json(),
            "false_alerts_a_day": self._false_alerts_a_day,
        }
        extra = {
            "known": np.frombuffer(json.dumps(known).encode(), dtype=np.uint8),
            **self._recent.dump("recent"),
            **self._silence.dump("silence"),
            **self._around.dump("around"),
            **self._days.dump("days"),
        }
        await self.context.save_checkpoint(await asyncio.to_thread(self._monitor.to_bytes, extra))

    def _restore(self, data: bytes | None) -> None:
        """Take over a checkpoint; one that cannot be read is left aside, and history is learnt from instead."""
        if data is None:
            return
        settings = self.settings
        monitor = StreamMonitor(stuck_rarity=settings.stuck_rarity, stuck_readings=settings.stuck_readings)
        recent = RecentlyUnusual()
        silence = SilenceWatch(together=settings.silence_together)
        around, days = Surroundings(), DayMemory()
        try:
            arrays = monitor.from_bytes(data)
            recent.load("recent", arrays)
            silence.load("silence", arrays)
            around.load("around", arrays)
            days.load("days", arrays)
            known = json.loads(arrays["known"].tobytes())
            names = [str(name) for name in known["names"]]
            parts = (monitor, recent, silence, around, days)
            if any(part.streams != len(names) for part in parts):
                raise ValueError("names and arrays differ in number")
            opened = {(int(row), str(detector)): Episode.from_json(episode) for row, detector, episode in known["open"]}
            ended = {(int(row), str(detector)): Episode.from_json(episode) for row, detector, episode in known["ended"]}
            districts = Districts.from_json(known["districts"])
            past, verdicts = PastEvents.from_json(known["past"]), VerdictMemory.from_json(known["verdicts"])
            borne = known["false_alerts_a_day"]
            false_alerts_a_day = None if borne is None else float(borne)
        except (ValueError, KeyError, TypeError) as error:
            self.context.log.warning("checkpoint left aside, learning from history", error=str(error))
            return
        self._monitor, self._recent, self._silence = monitor, recent, silence
        self._names, self._rows = names, {name: row for row, name in enumerate(names)}
        self._open, self._ended = opened, ended
        around.grow_neighbours()
        self._around, self._days, self._districts = around, days, districts
        self._past, self._verdicts, self._false_alerts_a_day = past, verdicts, false_alerts_a_day
        self._contributions = np.zeros((len(names), len(FEATURES)))
        self._apply_verdicts()
        self._band.grow(len(names))
        self._level_open = np.zeros(len(names), dtype=np.bool_)
        self._fault_open = np.zeros(len(names), dtype=np.bool_)
        for row, detector in opened:
            if detector == "level":
                self._level_open[row] = True
            elif detector in ("stuck", "impossible"):
                self._fault_open[row] = True
        # Another process counts its monotonic time from another moment: everybody gets the whole time anew.
        silence.restart(self.context.clock.monotonic_s())

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
