"""What a run gives: when people were out and where, how dense it was, and how long people were in danger."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from impetus.tools.evacuation.arrays import Floats

DENSE_PM2 = 5.0


@dataclass(frozen=True)
class Outcome:
    """One run of one model."""

    model: str
    seed: int
    people: int
    out_s: Floats
    """(people,): when each one was out; infinite for those who were not."""
    exits: Mapping[str, int]
    """By exit that was open: how many left there."""
    max_density_pm2: float
    exposure_person_s: float
    dense_person_s: float
    """Time spent at more than `DENSE_PM2`."""
    stuck: int
    """Who could not get out: no way leads there, or they stopped moving."""
    notes: Sequence[str] = ()
    density: Floats | None = None
    """(rows, columns) of 1 m: greatest density at any time, in 1/m2."""
    frames: Sequence[tuple[float, Floats, Floats]] = field(default=(), repr=False)
    """Of a recorded run: time, x and y of everybody; NaN for those who are out."""

    @property
    def evacuated(self) -> int:
        """How many were out at the end."""
        return int(np.isfinite(self.out_s).sum())

    def time_s(self, share: float) -> float | None:
        """When that share of all people was out; None if that never happened."""
        needed = max(1, math.ceil(share * self.people - 1e-9))
        if self.people == 0 or self.evacuated < needed:
            return None
        return float(np.partition(self.out_s, needed - 1)[needed - 1])

    def summary(self) -> dict[str, object]:
        """What `impetus evacuation simulate --json` prints."""
        return {
            "t50_s": _rounded(self.time_s(0.5)),
            "t90_s": _rounded(self.time_s(0.9)),
            "t95_s": _rounded(self.time_s(0.95)),
            "evacuated": self.evacuated,
            "stuck": self.stuck,
            "exits": dict(self.exits),
            "max_density_pm2": round(self.max_density_pm2, 2),
            "exposure_person_s": round(self.exposure_person_s, 1),
        }

    def curve(self, step_s: float = 5.0) -> list[dict[str, float]]:
        """People out by time."""
        last = float(np.max(self.out_s[np.isfinite(self.out_s)], initial=0.0))
        ordered = np.sort(self.out_s)
        times = np.arange(0.0, last + step_s, step_s)
        counts = np.searchsorted(ordered, times, side="right")
        return [{"time_s": float(at), "out": int(count)} for at, count in zip(times, counts, strict=True)]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
