"""Invented people, whose hearts and brains follow what they hold: for exercises and the demo."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from impetus.tools.workload import signals
from impetus.tools.workload.monitor import Piece
from impetus.tools.workload.sources import MOST_SECONDS, Arrived


@dataclass(slots=True)
class _Invented:
    random: np.random.Generator
    began_s: float
    heart_bpm: float
    person: float
    beats: list[float]
    sent_s: float
    strain: float = 0.0
    epoch_s: float = 0.0


class Simulator:
    """Invented people. Their hearts and brains follow a strain from 0 to 1, slowly, as people do.

    What is invented is the person; beats are found and load is estimated as for anybody.
    """

    RATE_HZ = 250.0
    FOLLOWS_S = 25.0
    NOISE_DB = 24.0
    EPOCH_S = 10.0

    def __init__(self, strain: Callable[[str], float]) -> None:
        self._strain = strain
        self._people: dict[str, _Invented] = {}

    def read(self, person: str, device: str, now_s: float) -> Arrived:
        """An electrocardiogram with noise, and band powers every ten seconds."""
        if not device:
            return Arrived()
        one = self._people.get(person)
        if one is None:
            random = np.random.default_rng(zlib.crc32(person.encode()))
            one = _Invented(
                random, now_s, float(random.uniform(60, 74)), float(random.normal(0, 0.2)), [now_s - 1.0], now_s
            )
            one.epoch_s = now_s
            self._people[person] = one
        elapsed_s = min(now_s - one.sent_s, MOST_SECONDS)
        if elapsed_s <= 0:
            return Arrived()
        wanted = min(max(self._strain(person), 0.0), 1.0)
        one.strain += (wanted - one.strain) * (1 - math.exp(-elapsed_s / self.FOLLOWS_S))
        start_s = now_s - elapsed_s
        self._beat(one, now_s + 1.0)
        count = round((now_s - start_s) * self.RATE_HZ)
        values = signals.ecg(np.array(one.beats) - start_s, count / self.RATE_HZ, self.RATE_HZ)
        noise = 0.16 * 10 ** (-self.NOISE_DB / 20)
        one.beats = [beat for beat in one.beats if beat > now_s - 2.0]
        one.sent_s = start_s + count / self.RATE_HZ
        arrived = Arrived([Piece(device, start_s, self.RATE_HZ, values + noise * one.random.normal(size=count))])
        if now_s - one.epoch_s >= self.EPOCH_S:
            one.epoch_s = now_s
            arrived.bands.append(signals.band_powers(one.strain, one.random, person=one.person))
        return arrived

    def _beat(self, one: _Invented, until_s: float) -> None:
        while one.beats[-1] < until_s:
            time_s = one.beats[-1] - one.began_s
            calm = 1 - 0.6 * one.strain
            wave = 0.04 * math.sin(2 * math.pi * (0.22 + 0.06 * one.strain) * time_s)
            slow = 0.03 * math.sin(2 * math.pi * 0.095 * time_s)
            beat_s = 60 / (one.heart_bpm * (1 + 0.35 * one.strain))
            interval = beat_s * (1 + calm * (wave + slow + 0.01 * float(one.random.normal())))
            one.beats.append(one.beats[-1] + max(interval, 0.3))

    def forget(self, person: str) -> None:
        """The person is invented anew the next time, and the same."""
        self._people.pop(person, None)
