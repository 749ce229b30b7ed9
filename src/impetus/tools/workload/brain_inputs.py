"""What the model of load is given of the electroencephalogram: band powers as such, and against the person's own past.

A recording is normalised by the epochs before it in the same session only; nothing of the future is looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from impetus.tools.workload.arrays import Booleans, Floats

POWERS = (
    "frontal_theta", "frontal_alpha", "frontal_beta", "frontal_delta", "frontal_gamma",
    "parietal_theta", "parietal_alpha", "parietal_beta", "global_alpha", "global_beta", "global_theta",
)  # fmt: skip
"""Power in a band over a region, in V squared; the bands are delta 1-4, theta 4-8, alpha 8-13, beta 13-30, gamma 30-45
Hz."""
CONTRASTS = (
    ("frontal_theta", "parietal_alpha"),
    ("frontal_gamma", "frontal_beta"),
    ("frontal_theta", "frontal_delta"),
    ("frontal_beta", "global_beta"),
    ("frontal_alpha", "parietal_alpha"),
    ("frontal_theta", "global_theta"),
    ("frontal_theta", "frontal_beta"),
    ("global_alpha", "global_beta"),
)
"""Ratios that are told of load; the first is the task-load index of Gevins and Smith (2003)."""
CHANNELS = (*POWERS, *(f"{above}/{below}" for above, below in CONTRASTS))
NAMES = (*(f"{channel}:as such" for channel in CHANNELS), *(f"{channel}:own past" for channel in CHANNELS))
LEAST_V2, MOST_V2 = 1e-16, 1e-6
"""Powers outside cannot come from a scalp: the electrode is off, or the person moves."""
USUAL_SD = 0.2
USUAL_WEIGHT = 5.0
"""Spread of the logarithm that is supposed of a person at first, as if so many epochs had shown it."""


@dataclass(slots=True)
class BrainInputs:
    """Makes the model's inputs as epochs of one session arrive."""

    epochs: int = 0
    total: Floats = field(default_factory=lambda: np.zeros(len(CHANNELS)))
    squares: Floats = field(default_factory=lambda: np.zeros(len(CHANNELS)))

    def update(self, powers: Floats) -> tuple[Floats, Booleans]:
        """Inputs, shape (n, names), of n epochs with powers of shape (n, POWERS), and which may be used, shape (n,)."""
        usable: Booleans = np.all((powers >= LEAST_V2) & (powers <= MOST_V2), axis=1)
        result = np.zeros((len(powers), len(NAMES)))
        place = {name: number for number, name in enumerate(POWERS)}
        logs = np.log(np.where(usable[:, None], powers, 1e-12))
        contrasts = [logs[:, place[above]] - logs[:, place[below]] for above, below in CONTRASTS]
        channels = np.column_stack([logs, *contrasts])
        for row in np.flatnonzero(usable):
            result[row] = np.concatenate([channels[row], self._against_own_past(channels[row])])
        return result, usable

    def _against_own_past(self, channels: Floats) -> Floats:
        """Distance from the mean of the epochs before; the epoch is learnt from afterwards."""
        if self.epochs == 0:
            relative = np.zeros(len(channels))
        else:
            mean = self.total / self.epochs
            variance = np.maximum(self.squares / self.epochs - mean**2, 0.0)
            spread = np.sqrt((variance * self.epochs + USUAL_SD**2 * USUAL_WEIGHT) / (self.epochs + USUAL_WEIGHT))
            relative = (channels - mean) / spread
        self.epochs += 1
        self.total = self.total + channels
        self.squares = self.squares + channels**2
        return relative


def ratios(powers: Floats) -> dict[str, float]:
    """The ratios that are told of load, of one epoch's powers, shape (POWERS,), by name."""
    place = {name: number for number, name in enumerate(POWERS)}
    return {
        f"{above}/{below}": float(powers[place[above]] / powers[place[below]])
        for above, below in CONTRASTS
        if powers[place[below]] > 0 and math.isfinite(powers[place[above]])
    }
