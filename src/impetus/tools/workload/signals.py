"""Signals of an invented person, for tests, exercises and the demo: heart, breathing, bands of the brain.

A beat is a sum of five waves (McSharry et al., IEEE Transactions on Biomedical Engineering 50 (2003), 289-294, with the
waves placed in time); intervals vary with breathing, with slow waves, and with load.
"""

from __future__ import annotations

import math

import numpy as np

from impetus.tools.workload.arrays import Floats
from impetus.tools.workload.brain_inputs import POWERS

WAVES = ((-0.18, 0.12, 0.025), (-0.026, -0.14, 0.009), (0.0, 1.0, 0.011), (0.026, -0.22, 0.010), (0.26, 0.30, 0.045))
"""P, Q, R, S and T: seconds from the R peak, height in mV, width in s."""


def intervals(
    duration_s: float, random: np.random.Generator, *, heart_bpm: float = 66.0, variation: float = 1.0
) -> Floats:
    """Intervals in s between beats; `variation` scales their variability (1: at rest)."""
    result: list[float] = []
    time_s, phase = 0.0, random.uniform(0, 2 * math.pi, 2)
    while time_s < duration_s:
        breath = 0.045 * math.sin(2 * math.pi * 0.25 * time_s + phase[0])
        slow = 0.03 * math.sin(2 * math.pi * 0.095 * time_s + phase[1])
        interval = 60 / heart_bpm * (1 + variation * (breath + slow + 0.012 * float(random.normal())))
        result.append(max(interval, 0.3))
        time_s += result[-1]
    return np.array(result)


def ecg(beats_s: Floats, duration_s: float, rate_hz: float) -> Floats:
    """An electrocardiogram in mV, shape (n,), with R peaks at these times."""
    signal = np.zeros(round(duration_s * rate_hz))
    for delay_s, height, width_s in WAVES:
        reach = round(5 * width_s * rate_hz)
        offsets = np.arange(-reach, reach + 1)
        centre = (beats_s + delay_s) * rate_hz
        nearest = np.rint(centre).astype(np.int64)
        place = nearest[:, None] + offsets
        wave = height * np.exp(-0.5 * ((place - centre[:, None]) / (width_s * rate_hz)) ** 2)
        inside = (place >= 0) & (place < len(signal))
        np.add.at(signal, place[inside], wave[inside])
    return signal


def with_noise(signal: Floats, decibels: float, random: np.random.Generator) -> Floats:
    """The signal with white noise so far below its own power."""
    power = float(np.mean((signal - signal.mean()) ** 2)) / 10 ** (decibels / 10)
    return signal + math.sqrt(power) * random.normal(size=len(signal))


LOW_LOAD = (-24.72, -26.04, -25.83, -23.60, -26.46, -23.95, -24.99, -24.97, -25.44, -25.36, -24.31)
"""Natural logarithms of the powers (`POWERS`) of the people of the training data at low load, in the mean."""
HIGH_ADDS = (0.664, 0.661, 0.434, 0.608, 0.538, 0.720, 0.527, 0.488, 0.569, 0.470, 0.702)
"""What high load adds to them in the mean."""


def band_powers(load: float, random: np.random.Generator, *, person: float = 0.0) -> Floats:
    """Powers of one epoch, shape (POWERS,), in V squared, of a load from 0 to 1; `person` is an offset of the
    logarithm."""
    noise = 0.06 * random.normal(size=len(POWERS))
    result: Floats = np.exp(np.array(LOW_LOAD) + person + load * np.array(HIGH_ADDS) + noise)
    return result
