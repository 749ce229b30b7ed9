"""Opens, follows and ends the episodes of failing sensors: stuck, impossible, silent."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from impetus.tools.anomaly.arrays import Booleans, Floats, Integers
from impetus.tools.anomaly.episode_book import NETWORK_ROW, EpisodeBook
from impetus.tools.anomaly.episodes import Episode
from impetus.tools.anomaly.monitor import Outcome, Scored


class FaultWatch:
    """Keeps the episodes of the detectors `stuck`, `impossible` and `silence`."""

    def __init__(self, book: EpisodeBook, *, cool_down_s: float) -> None:
        self._book = book
        self._memory = book.memory
        self._cool_down_s = cool_down_s

    def take(self, row: Integers, time_s: Floats, value: Floats, scored: Scored, fresh: Booleans) -> None:
        """Stuck and impossible: open where they are and no episode is, end where they are no more."""
        impossible = scored.outcome == Outcome.IMPOSSIBLE
        eventful = impossible | scored.stuck | self._memory.fault_open[row]
        for position in np.flatnonzero(eventful):
            number, time, tell = int(row[position]), float(time_s[position]), bool(fresh[position])
            usable = scored.outcome[position] in (Outcome.SCORED, Outcome.LEARNING)
            reading = _reading("impossible", time, value=float(value[position]))
            if impossible[position] or usable:
                self._advance(number, reading, bool(impossible[position]), tell)
            if usable:
                run = replace(
                    reading,
                    detector="stuck",
                    onset_s=float(scored.stuck_since_s[position]),
                    rarity=float(scored.stuck_rarity[position]),
                    readings=int(scored.stuck_readings[position]),
                )
                self._advance(number, run, bool(scored.stuck[position]), tell)

    def look_for_silence(self, now_s: float, monotonic_s: float) -> list[int]:
        """Open and end the episodes of silence; rows of the sensors that went silent now."""
        memory, book = self._memory, self._book
        report = memory.silence.look(monotonic_s, memory.silence_limit_s())
        for row in map(int, report.back):
            self._end_silence(row, now_s)
        if report.network_back:
            self._end_silence(NETWORK_ROW, now_s)
        silent = list(map(int, report.silent))
        for row in silent:
            book.keep((row, "silence"), _silence(float(memory.monitor.newest_s[row]), now_s, 1), tell=True)
        if report.network_silent is not None:
            last_s = float(np.nanmax(memory.monitor.newest_s[report.network_silent], initial=-math.inf))
            book.keep((NETWORK_ROW, "silence"), _silence(last_s, now_s, len(report.network_silent)), tell=True)
            silent += map(int, report.network_silent)
        return silent

    def _end_silence(self, row: int, now_s: float) -> None:
        episode = self._memory.open.get((row, "silence"))
        if episode is not None:
            self._book.keep((row, "silence"), replace(episode, ended_s=max(now_s, episode.onset_s)), tell=True)

    def _advance(self, row: int, now: Episode, faulty: bool, tell: bool) -> None:
        """Open, prolong or end an episode of a fault; `now` is an episode of just this reading."""
        key = (row, now.detector)
        episode = self._memory.open.get(key)
        if episode is None:
            before = self._memory.ended.get(key)
            cooling = before is not None and 0 <= now.last_s - (before.ended_s or 0.0) < self._cool_down_s
            if faulty and not cooling:
                self._book.keep(key, now, tell=tell)
        elif faulty:
            readings = max(episode.readings + 1, now.readings)
            episode = replace(episode, last_s=now.last_s, readings=readings, rarity=max(episode.rarity, now.rarity))
            self._book.keep(key, episode, tell=tell and episode.revision < 0)
        else:
            self._book.keep(key, replace(episode, ended_s=now.last_s), tell=tell)


def _reading(detector: str, time_s: float, *, value: float = math.nan, readings: int = 1) -> Episode:
    """An episode of which nothing was usual that could be told."""
    nan = math.nan
    return Episode(detector, time_s, time_s, 0.0, value, nan, nan, nan, 0, readings)


def _silence(last_reading_s: float, now_s: float, count: int) -> Episode:
    return _reading("silence", last_reading_s if math.isfinite(last_reading_s) else now_s, readings=count)
