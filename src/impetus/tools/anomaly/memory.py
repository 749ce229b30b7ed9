"""All that is known of an organisation's streams, and the checkpoint that it survives a restart in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impetus.tools.anomaly.arrays import ArrayState, Booleans, Floats, Integers
from impetus.tools.anomaly.band import LatestBand
from impetus.tools.anomaly.day_memory import DayMemory
from impetus.tools.anomaly.episodes import Episode, RecentlyUnusual
from impetus.tools.anomaly.hours import FEATURES, HourWatch
from impetus.tools.anomaly.monitor import StreamMonitor
from impetus.tools.anomaly.past_events import PastEvents
from impetus.tools.anomaly.places import PlaceWatch
from impetus.tools.anomaly.recent_past import RecentPast
from impetus.tools.anomaly.roster import Roster
from impetus.tools.anomaly.settings import AnomalySettings
from impetus.tools.anomaly.silence import SilenceWatch
from impetus.tools.anomaly.surroundings import Districts, Surroundings
from impetus.tools.anomaly.unusual import FEATURES as READING_FEATURES
from impetus.tools.anomaly.verdicts import VerdictMemory

DEFAULT_INTERVAL_S = 60.0
"""For streams that say nothing of their interval and have not shown it yet."""
LEARNT_GAPS = 20.0
Key = tuple[int, str]
"""A row and a detector."""


class Memory:
    """The state of all streams side by side, their open episodes, and what people said.

    >>> memory = Memory(AnomalySettings())
    >>> memory.rows_of(["a", "b"]).tolist(), memory.monitor.streams
    ([0, 1], 2)
    >>> Memory.from_bytes(memory.to_bytes(), AnomalySettings()).roster.names
    ['a', 'b']
    """

    def __init__(self, settings: AnomalySettings) -> None:
        self._settings = settings
        self.roster = Roster()
        self.monitor = StreamMonitor(stuck_rarity=settings.stuck_rarity, stuck_readings=settings.stuck_readings)
        self.recent = RecentlyUnusual()
        self.silence = SilenceWatch(together=settings.silence_together)
        self.around = Surroundings()
        self.days = DayMemory()
        self.hours = HourWatch()
        self.places = PlaceWatch()
        self.pictured = RecentPast()
        self.districts = Districts()
        self.past = PastEvents()
        self.verdicts = VerdictMemory()
        self.false_alerts_a_day: float | None = None
        """What a person set in place of the setting."""
        self.open: dict[Key, Episode] = {}
        self.ended: dict[Key, Episode] = {}
        """The last episode of each stream and detector, for the cool-down."""

        # What is not saved, as the next readings bring it back.
        self.band = LatestBand()
        self.level_open: Booleans = np.zeros(0, dtype=np.bool_)
        self.reading_open: Booleans = np.zeros(0, dtype=np.bool_)
        """Whether an open episode of `level` is about single readings, not about hours."""
        self.fault_open: Booleans = np.zeros(0, dtype=np.bool_)
        self.shift: Floats = np.zeros(0)
        """Powers of ten by which each stream's threshold is moved by verdicts."""
        self.contributions: Floats = np.zeros((0, len(FEATURES)))
        """Rarities of each stream's newest reading, in the order of `FEATURES`."""

    def rows_of(self, names: Iterable[str]) -> Integers:
        """Row numbers of streams; unknown ones are added."""
        rows = self.roster.add(names)
        self._grow()
        return rows

    def interval_s(self) -> Floats:
        """Usual time between readings of each stream: as registered, else as learnt; shape (streams,)."""
        learnt = self.monitor.interval
        interval_s = np.where(learnt.count >= LEARNT_GAPS, np.maximum(learnt.usual_s, 1e-3), DEFAULT_INTERVAL_S)
        declared_s = self.roster.declared_s()
        return np.where(np.isnan(declared_s), interval_s, declared_s)

    def silence_limit_s(self) -> Floats:
        """Time without a reading after which each stream is silent; shape (streams,)."""
        settings, learnt = self._settings, self.monitor.interval
        usual = np.maximum(settings.silence_intervals * self.interval_s(), settings.silence_least_s)
        learnable = (learnt.count >= LEARNT_GAPS) & np.isnan(self.roster.declared_s())
        return np.where(learnable, np.maximum(usual, 2.0 * learnt.long_s), usual)

    def apply_verdicts(self) -> None:
        """Move the streams' thresholds as the verdicts say."""
        self.shift = np.zeros(len(self.roster))
        for stream, found in self.verdicts.all().items():
            row = self.roster.row(stream)
            if row is not None:
                self.shift[row] = found.shift

    def mark_open(self, row: int) -> None:
        """Bring up to date which streams have an open episode."""
        level = self.open.get((row, "level"))
        self.level_open[row] = level is not None
        self.reading_open[row] = level is not None and level.feature < len(READING_FEATURES)
        self.fault_open[row] = (row, "stuck") in self.open or (row, "impossible") in self.open

    def _parts(self) -> dict[str, ArrayState]:
        """What is saved beside the monitor, by name."""
        return {
            "recent": self.recent,
            "silence": self.silence,
            "around": self.around,
            "days": self.days,
            "hours": self.hours,
            "places": self.places,
            "places-tail": self.places.tail,
            "pictured": self.pictured,
        }

    def _grow(self) -> None:
        count = len(self.roster)
        if count == len(self.shift):
            return
        for part in (self.monitor, self.band, *self._parts().values()):
            part.grow(count)
        self.around.grow_neighbours()
        more = count - len(self.shift)
        self.shift = np.concatenate([self.shift, np.zeros(more)])
        self.contributions = np.concatenate([self.contributions, np.zeros((more, len(FEATURES)))])
        nothing = np.zeros(more, dtype=np.bool_)
        self.level_open = np.concatenate([self.level_open, nothing])
        self.reading_open = np.concatenate([self.reading_open, nothing])
        self.fault_open = np.concatenate([self.fault_open, nothing])

    def to_bytes(self) -> bytes:
        """Everything for a checkpoint."""
        return self.monitor.to_bytes(self.saved())

    def saved(self) -> dict[str, NDArray[Any]]:
        """What a checkpoint holds beside the monitor."""
        known = {
            "names": self.roster.names,
            "open": [[*key, episode.to_json()] for key, episode in self.open.items()],
            "ended": [[*key, episode.to_json()] for key, episode in self.ended.items()],
            "districts": self.districts.to_json(),
            "past": self.past.to_json(),
            "verdicts": self.verdicts.to_json(),
            "false_alerts_a_day": self.false_alerts_a_day,
        }
        arrays: dict[str, NDArray[Any]] = {"known": np.frombuffer(json.dumps(known).encode(), dtype=np.uint8)}
        for name, part in self._parts().items():
            arrays |= part.dump(name)
        return arrays

    @classmethod
    def from_bytes(cls, data: bytes, settings: AnomalySettings) -> Memory:
        """The inverse of `to_bytes`. Raises `ValueError` for anything else."""
        memory = cls(settings)
        arrays = memory.monitor.from_bytes(data)
        try:
            memory._take_over(arrays)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the saved state cannot be read: {error!r}") from error
        return memory

    def _take_over(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        parts = self._parts()
        for name, part in parts.items():
            part.load(name, arrays)
        known = json.loads(arrays["known"].tobytes())
        self.roster = Roster(str(name) for name in known["names"])
        if any(part.streams != len(self.roster) for part in (self.monitor, *parts.values())):
            raise ValueError("names and arrays differ in number")
        self.open = {(int(row), str(detector)): Episode.from_json(episode) for row, detector, episode in known["open"]}
        self.ended = {
            (int(row), str(detector)): Episode.from_json(episode) for row, detector, episode in known["ended"]
        }
        self.districts = Districts.from_json(known["districts"])
        self.past, self.verdicts = PastEvents.from_json(known["past"]), VerdictMemory.from_json(known["verdicts"])
        borne = known["false_alerts_a_day"]
        self.false_alerts_a_day = None if borne is None else float(borne)
        self._grow()
        self.around.grow_neighbours()
        self.apply_verdicts()
        for row, _ in self.open:
            if row >= 0:
                self.mark_open(row)
