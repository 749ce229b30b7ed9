"""Opens, follows and ends the episodes of unusual readings, of single streams and of districts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from impetus.tools.anomaly.arrays import Booleans, Floats, Integers
from impetus.tools.anomaly.episode_book import EpisodeBook
from impetus.tools.anomaly.episodes import Episode, Reading, advance
from impetus.tools.anomaly.monitor import Outcome, Scored
from impetus.tools.anomaly.past_events import LEAST_RARITY
from impetus.tools.anomaly.place_watch import PlaceEpisodes
from impetus.tools.anomaly.surroundings import NeighbourState
from impetus.tools.anomaly.unit_watch import UnitWatch
from impetus.tools.anomaly.unusual import FEATURES as READING_FEATURES

APART_READINGS = 5
"""Unusual readings after which a stream that stands apart from its neighbours is called broken."""


class LevelWatch:
    """Takes the scores of rounds of readings, and keeps the episodes of the detector `level`."""

    def __init__(self, book: EpisodeBook) -> None:
        self._book = book
        self._memory = book.memory
        self._units = UnitWatch()
        self._places = PlaceEpisodes(book)

    def take(
        self, row: Integers, time_s: Floats, offset_s: Floats, value: Floats, scored: Scored, fresh: Booleans
    ) -> None:
        """One round, at most one reading of each stream; those that are not `fresh` are not told of."""
        memory, rules = self._memory, self._book.bar.rules
        rarities, features = self._over_hours(row, time_s + offset_s, value, scored)
        self._remember(row, time_s, offset_s, value, scored, rarities)
        judged = np.flatnonzero((scored.outcome == Outcome.SCORED) & ~scored.stuck)
        if not len(judged):
            return
        streams = row[judged]
        rarity = np.maximum(rarities[judged] - memory.shift[streams], 0.0)
        counts = memory.recent.update(streams, time_s[judged], rarity >= rules.weak, window=rules.window)
        # What was found in the last hour holds until the next one ends; it opens nothing anew meanwhile.
        held = memory.level_open[streams] & ~memory.reading_open[streams] & memory.hours.held(streams, rules.weak)
        counts = np.maximum(counts, held)
        units = self._units.update(streams, value[judged], scored.middle[judged], scored.spread[judged])
        eventful = memory.level_open[streams] | (rarity >= rules.strong) | (counts >= rules.needed)
        for place in np.flatnonzero(eventful):
            position = int(judged[place])
            reading = Reading(
                time_s=float(time_s[position]),
                value=float(value[position]),
                rarity=float(rarity[place]),
                low=float(scored.low[position]),
                middle=float(scored.middle[position]),
                high=float(scored.high[position]),
                feature=int(features[position]),
            )
            stream = int(streams[place])
            self._advance(stream, reading, int(counts[place]), units.get(stream, ""), fresh=bool(fresh[position]))
        spread = np.maximum(scored.spread[judged], 1e-12)
        distance = (value[judged] - scored.middle[judged]) / spread
        interval_s = memory.monitor.interval.usual_s[streams]
        self._places.take(streams, time_s[judged], distance, interval_s, fresh[judged])

    def end(self, row: int) -> None:
        """Nothing more is known of what was unusual at a sensor that went silent."""
        episode = self._memory.open.get((row, "level"))
        if episode is not None:
            self._book.keep((row, "level"), replace(episode, ended_s=episode.last_s), tell=True)
            self._memory.recent.bits[row] = 0

    def _over_hours(self, row: Integers, local_s: Floats, value: Floats, scored: Scored) -> tuple[Floats, Integers]:
        """Rarity and feature of each reading, those of the stretch of hours that it ends included."""
        good = np.flatnonzero(scored.outcome == Outcome.SCORED)
        spread = np.maximum(scored.spread[good], 1e-12)
        distance = (value[good] - scored.middle[good]) / spread
        told = self._memory.reading_open[row[good]]
        said = self._memory.hours.update(row[good], local_s[good], distance, spread, told, self._memory.days)
        rarities, features = scored.rarity, scored.feature
        rarer = said.rarity > rarities[good[said.place]]
        if rarer.any():
            rarities, features = rarities.copy(), features.copy()
            place = good[said.place[rarer]]
            rarities[place], features[place] = said.rarity[rarer], said.feature[rarer]
        return rarities, features

    def _remember(
        self, row: Integers, time_s: Floats, offset_s: Floats, value: Floats, scored: Scored, rarities: Floats
    ) -> None:
        """What the page and the explanations tell of: the streams' days, their events, and how far each is away."""
        memory = self._memory
        good = (scored.outcome == Outcome.SCORED) | (scored.outcome == Outcome.LEARNING)
        rows, times = row[good], time_s[good]
        if not len(rows):
            return
        memory.days.update(rows, times + offset_s[good], value[good])
        spread = np.maximum(scored.spread[good], 1e-12)
        memory.around.update(rows, times, (value[good] - scored.middle[good]) / spread)
        memory.pictured.update(rows, times, value[good], scored.low[good], scored.high[good])
        memory.contributions[rows, : len(READING_FEATURES)] = scored.rarities[good]
        memory.contributions[rows, len(READING_FEATURES) :] = memory.hours.rarities[rows]
        rare = rarities[good] - memory.shift[rows]
        for place in np.flatnonzero(rare >= LEAST_RARITY):
            number = int(rows[place])
            interval_s = max(float(memory.monitor.interval.usual_s[number]), 1.0)
            memory.past.take(number, float(times[place]), float(rare[place]), interval_s=interval_s)

    def _advance(self, row: int, reading: Reading, count: int, unit: str, *, fresh: bool) -> None:
        memory, book, rules = self._memory, self._book, self._book.bar.rules
        key = (row, "level")
        episode, change = advance(
            memory.open.get(key),
            reading,
            rules,
            detector="level",
            count=count,
            first_s=float(memory.recent.first_s[row]),
            before=memory.ended.get(key),
        )
        if episode is None:
            return
        if change == "opened":
            self._join(row, episode)
        members = memory.districts.members(row)
        if change == "ended" and members:
            # The event of the district goes on where it began no more.
            episode, change = replace(episode, ended_s=None), "none"
        if memory.districts.leader(row) is not None:
            # The alert of the stream that was first speaks for this one too.
            book.keep(key, episode, tell=False)
            return
        neighbours = book.neighbours(row, reading.time_s, episode.sign)
        # Of an event of several, those take part too that are less unusual by themselves.
        several = reading.rarity >= rules.weak and neighbours.together
        taking_part = dict.fromkeys((*members, *neighbours.deviating) if several else members)
        joined = tuple(member for member in taking_part if member not in episode.members)
        apart = _is_apart(episode, neighbours)
        unit = unit or episode.unit
        grown = episode.revision >= 0 and (apart != episode.apart or unit != episode.unit or bool(joined))
        episode = replace(episode, members=(*episode.members, *joined), apart=apart, unit=unit)
        severity = book.bar.frequencies.severity(episode)
        # What began in old readings and goes on is told with its first fresh reading.
        untold = episode.revision < 0 and reading.rarity >= rules.weak
        due = change != "none" or untold or grown or (episode.revision >= 0 and severity != episode.sent_severity)
        book.keep(key, replace(episode, sent_severity=str(severity)) if due else episode, tell=fresh and due)

    def _join(self, row: int, episode: Episode) -> None:
        """Let an episode that opens join the alert of a neighbour that deviates to the same side."""
        memory = self._memory
        signs = {
            other: memory.open[other, "level"].sign
            for other in map(int, memory.around.neighbours[row])
            if (other, "level") in memory.open
        }
        memory.districts.join(row, list(signs), signs, episode.sign)


def _is_apart(episode: Episode, neighbours: NeighbourState) -> bool:
    """Whether it is the sensor rather than the place; what was an event of several streams is none of a sensor."""
    if episode.readings < APART_READINGS or episode.members or episode.feature >= len(READING_FEATURES):
        return False
    return not neighbours.together if episode.apart else neighbours.apart
