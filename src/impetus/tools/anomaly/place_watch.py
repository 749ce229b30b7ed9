"""Opens, follows and ends the episodes of places whose sensors do not fit together."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from impetus.tools.anomaly.arrays import Booleans, Floats, Integers
from impetus.tools.anomaly.episode_book import EpisodeBook
from impetus.tools.anomaly.episodes import Episode
from impetus.tools.anomaly.places import Joint

LEAST_SHARE = 0.2
"""Of the joint distance: a sensor with less is not named."""
OPEN_JUDGEMENTS = 2
"""So many joint readings in a row have to be rare, so that one that came late is none."""
QUIET_JUDGEMENTS = 5
"""Joint readings in a row that are not rare, after which it is over."""
FRESH_INTERVALS = 3.0


class PlaceEpisodes:
    """Keeps the episodes of the detector `place`, under the row of the place's first sensor."""

    def __init__(self, book: EpisodeBook) -> None:
        self._book = book
        self._memory = book.memory
        self._rare: dict[int, int] = {}
        self._quiet: dict[int, int] = {}

    def take(self, row: Integers, time_s: Floats, distance: Floats, interval_s: Floats, fresh: Booleans) -> None:
        """Readings of distinct streams that were scored, and their distance from the expected in spreads."""
        joint = self._memory.places.update(row, time_s, distance, FRESH_INTERVALS * np.maximum(interval_s, 1.0))
        rules = self._book.bar.rules
        for place in np.flatnonzero(joint.rarity >= rules.weak):
            leader = int(joint.leader[place])
            key = (leader, "place")
            self._quiet.pop(leader, None)
            episode = self._memory.open.get(key)
            if episode is None:
                self._rare[leader] = self._rare.get(leader, 0) + 1
                if self._rare[leader] >= OPEN_JUDGEMENTS and self._is_new(joint, int(place)):
                    self._book.keep(key, self._episode(joint, int(place)), tell=bool(fresh.any()))
                continue
            rarity = max(episode.rarity, float(joint.rarity[place]))
            last_s = float(self._memory.places.judged_s[leader])
            episode = replace(episode, last_s=last_s, readings=episode.readings + 1, rarity=rarity)
            self._book.keep(key, episode, tell=False)
        for place in np.flatnonzero(joint.rarity < rules.weak):
            leader = int(joint.leader[place])
            self._rare.pop(leader, None)
            episode = self._memory.open.get((leader, "place"))
            if episode is None:
                continue
            self._quiet[leader] = self._quiet.get(leader, 0) + 1
            if self._quiet[leader] >= QUIET_JUDGEMENTS:
                self._quiet.pop(leader)
                self._book.keep((leader, "place"), replace(episode, ended_s=episode.last_s), tell=True)

    def _is_new(self, joint: Joint, place: int) -> bool:
        """Whether the sensors tell more together than what is told of one of them already."""
        memory = self._memory
        members = [int(row) for row in joint.members[place] if row >= 0]
        alone = any(memory.level_open[row] or memory.fault_open[row] for row in members)
        before = memory.ended.get((int(joint.leader[place]), "place"))
        now_s = float(memory.places.judged_s[joint.leader[place]])
        rules = self._book.bar.rules
        cooling = before is not None and 0 <= now_s - (before.ended_s or 0.0) < rules.cool_down_s
        return float(joint.rarity[place]) >= rules.strong and not alone and not cooling

    def _episode(self, joint: Joint, place: int) -> Episode:
        now_s = float(self._memory.places.judged_s[joint.leader[place]])
        order = np.argsort(-joint.share[place])
        chosen = [int(joint.members[place, one]) for one in order if joint.share[place, one] >= LEAST_SHARE]
        members = tuple(row for row in chosen if row >= 0)
        nan = math.nan
        rarity = float(joint.rarity[place])
        return Episode("place", now_s, now_s, rarity, nan, nan, nan, nan, 0, OPEN_JUDGEMENTS, members=members)
