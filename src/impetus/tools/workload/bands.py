"""Band powers of an electroencephalogram, by region of the scalp, as the model of load reads them.

Welch's method in windows of 2 s; regions by the 10-20 system's names: F frontal, P and PO parietal, all of them global.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.signal import welch

from impetus.model import InvalidInput
from impetus.tools.workload.arrays import Floats
from impetus.tools.workload.brain_inputs import POWERS
from impetus.tools.workload.heart_variability import band_power

BANDS_HZ = {"delta": (1.0, 4.0), "theta": (4.0, 8.0), "alpha": (8.0, 13.0), "beta": (13.0, 30.0), "gamma": (30.0, 45.0)}
WINDOW_S = 2.0
LEAST_RATE_HZ = 100.0
MOST_V = 200e-6
"""A sample beyond comes from muscles or movement."""
MOST_BAD = 0.1
LEAST_SD_V = 0.05e-6
"""An electrode that moves less is off, or joined to the reference."""


def powers_of(volts: Floats, names: Sequence[str], rate_hz: float) -> Floats | None:
    """Powers, shape (POWERS,), of one epoch of shape (channels, n), of those electrodes that can be believed.

    None if a region is left without any: too much of the epoch is artefact, or the electrodes are off.

    Raises `InvalidInput` if a region has no channel or the rate is too low.
    """
    if rate_hz < LEAST_RATE_HZ or volts.shape[1] < WINDOW_S * rate_hz:
        raise InvalidInput(f"{volts.shape[1] / rate_hz:.1f} s at {rate_hz:g} Hz are too little for bands")
    frontal, parietal = _regions(names)
    if not frontal or not parietal:
        raise InvalidInput("bands need frontal and parietal channels", hint="name them by the 10-20 system: Fz, Pz")
    centred = volts - np.median(volts, axis=1, keepdims=True)
    spread, beyond = centred.std(axis=1), np.mean(np.abs(centred) > MOST_V, axis=1)
    # A comparison with what is no number is false: such an electrode is left out too.
    believed = np.flatnonzero((spread >= LEAST_SD_V) & (beyond <= MOST_BAD)).tolist()
    centred, names = centred[believed], [names[place] for place in believed]
    frontal, parietal = _regions(names)
    if not frontal or not parietal:
        return None
    frequency, density = welch(centred, rate_hz, nperseg=int(WINDOW_S * rate_hz), axis=1)
    regions = {"frontal": frontal, "parietal": parietal, "global": list(range(len(names)))}
    result = []
    for name in POWERS:
        region, _, band = name.partition("_")
        mean: Floats = density[regions[region]].mean(axis=0)
        result.append(band_power(frequency, mean, BANDS_HZ[band]))
    return np.array(result)


def _regions(names: Sequence[str]) -> tuple[list[int], list[int]]:
    """Where the frontal and the parietal electrodes are."""
    upper = [name.upper() for name in names]
    frontal = [place for place, name in enumerate(upper) if name[:1] == "F" and name[:2] != "FT"]
    parietal = [place for place, name in enumerate(upper) if name[:1] == "P"]
    return frontal, parietal
