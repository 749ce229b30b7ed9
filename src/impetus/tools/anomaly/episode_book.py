"""The book of episodes: which are open, which ended last, and the alerts that tell of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from impetus.model import Alert, Clock
from impetus.tools.anomaly.alerts import AlertWriter, Known
from impetus.tools.anomaly.bar import Bar
from impetus.tools.anomaly.city_calendar import CityCalendar
from impetus.tools.anomaly.day_memory import DAY_S
from impetus.tools.anomaly.episodes import Episode
from impetus.tools.anomaly.memory import DEFAULT_INTERVAL_S, Key, Memory
from impetus.tools.anomaly.picture import draw
from impetus.tools.anomaly.surroundings import NeighbourState

NETWORK_ROW = -1
NEIGHBOUR_FRESH_INTERVALS = 3.0
PICTURED = frozenset({"level", "stuck", "place"})
"""Detectors whose alerts show the stream's last hours."""


@dataclass(frozen=True, slots=True)
class Told:
    """An alert, and the picture that goes with it."""

    alert: Alert
    picture: bytes | None


class EpisodeBook:
    """Keeps the episodes of a `Memory`, and writes an alert whenever a person has to be told of one."""

    def __init__(self, memory: Memory, tenant: str, calendar: CityCalendar, clock: Clock, bar: Bar) -> None:
        self.memory = memory
        self.bar = bar
        self.outgoing: list[Told] = []
        """Alerts that wait to be emitted, in order."""
        self._writer = AlertWriter(tenant, calendar.zone)
        self._calendar = calendar
        self._clock = clock

    def keep(self, key: Key, episode: Episode, *, tell: bool) -> None:
        """Remember an episode as it is now, and tell of it; not of the end of one that nobody was told of."""
        over = episode.ended_s is not None
        told = episode.revision >= 0
        # Who was told of it is told of its end, even where that was found out late, as after a restart.
        if (tell and not over) or (over and told):
            now = self._clock.now()
            sent_s = episode.last_s
            episode = replace(episode, revision=episode.revision + 1, sent_rarity=episode.rarity, sent_s=sent_s)
            self.outgoing.append(Told(self._write(key, episode, now), self._picture(key)))
        row, detector = key
        if over:
            self.memory.open.pop(key, None)
            self.memory.ended[key] = episode
            if detector == "level":
                self.memory.districts.leave(row)
        else:
            self.memory.open[key] = episode
        if row != NETWORK_ROW:
            self.memory.mark_open(row)

    def neighbours(self, row: int, now_s: float, sign: int = 0) -> NeighbourState:
        """What the neighbours do; `sign` is to which side the stream deviates, 0: as its newest reading does."""
        memory = self.memory
        usual_s = max(float(memory.monitor.interval.usual_s[row]), DEFAULT_INTERVAL_S)
        sign = sign or (1 if memory.around.distance[row] >= 0 else -1)
        return memory.around.state(row, now_s, NEIGHBOUR_FRESH_INTERVALS * usual_s, sign=sign)

    def _write(self, key: Key, episode: Episode, now: datetime) -> Alert:
        row, detector = key
        memory, roster = self.memory, self.memory.roster
        if row == NETWORK_ROW:
            silent = [roster.datastream(int(other)) for other in np.flatnonzero(memory.silence.with_network)]
            watched = int(np.count_nonzero(~np.isnan(memory.silence.arrived_s)))
            return self._writer.network(silent, episode, now, watched)
        datastream = roster.datastream(row)
        if detector == "stuck":
            return self._writer.stuck(datastream, episode, now)
        if detector == "impossible":
            return self._writer.impossible(datastream, episode, now)
        if detector == "place":
            sensors = [
                (roster.datastream(member), float(memory.places.distance[member]))
                for member in episode.members or (row,)
            ]
            return self._writer.place(sensors, episode, self.bar.frequencies, now)
        if detector == "silence":
            return self._writer.silence(datastream, episode, now, float(memory.interval_s()[row]))
        known = Known(
            readings=float(memory.monitor.unusual.count[row]),
            neighbours=self.neighbours(row, episode.last_s, episode.sign),
            members=tuple(roster.datastream(member) for member in episode.members),
            found=memory.verdicts.found(datastream.id),
            like=tuple(memory.days.like(row, self._day_of(episode.last_s))),
        )
        return self._writer.level(datastream, episode, self.bar.frequencies, now, known)

    def _picture(self, key: Key) -> bytes | None:
        row, detector = key
        return draw(self.memory.pictured.of(row), self._calendar.zone) if detector in PICTURED else None

    def _day_of(self, time_s: float) -> int:
        return math.floor((time_s + float(self._calendar.offset_s(np.array([time_s]))[0])) / DAY_S)
