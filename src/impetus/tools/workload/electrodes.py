"""Electrodes of an electroencephalogram as they arrive, put together to epochs of band powers. No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from impetus.model import InvalidInput
from impetus.tools.workload.arrays import Floats
from impetus.tools.workload.bands import LEAST_RATE_HZ, powers_of
from impetus.tools.workload.estimate import EPOCH_S

MOST_ELECTRODES = 64
MOST_RATE_HZ = 2_048.0
JUMP_S = 0.1
"""Between two pieces, time may be this much off before the epoch begins anew: a gap is no rhythm."""
UNITS_V = {
    "": 1e-6, "microvolts": 1e-6, "microvolt": 1e-6, "uv": 1e-6, "µv": 1e-6, "μv": 1e-6,
    "millivolts": 1e-3, "millivolt": 1e-3, "mv": 1e-3, "volts": 1.0, "volt": 1.0, "v": 1.0,
}  # fmt: skip
"""Volts of the units that devices name; without a unit microvolts are meant, as in XDF's recommendations."""
_PLACE = re.compile(r"^(FP|AF|FT|FC|F|TP|T|CP|C|PO|P|O|I)(Z|\d{1,2})$")


@dataclass(frozen=True, slots=True)
class BrainPiece:
    """Samples of electrodes, in order and evenly spaced."""

    start_s: float
    rate_hz: float
    names: tuple[str, ...]
    """Places by the 10-20 system, as `electrode` gives them."""
    volts: Floats
    """Shape (electrodes, n)."""


def electrode(label: str | None) -> str | None:
    """The place of the 10-20 system that a channel's label names; None if it names none.

    >>> electrode("EEG Fz-REF"), electrode("pz"), electrode("ECG II")
    ('FZ', 'PZ', None)
    """
    name = (label or "").strip().upper().removeprefix("EEG").strip(" .:-_").split("-")[0].rstrip(". ")
    return name if _PLACE.match(name) else None


def volts_of(unit: str | None) -> float:
    """How many volts one of that unit is. Raises `InvalidInput`."""
    try:
        return UNITS_V[(unit or "").strip().lower()]
    except KeyError as error:
        raise InvalidInput(f"{unit!r} is no unit of an electrode", hint="send microvolts") from error


class Epochs:
    """Collects the pieces of one stream, and gives the powers of each epoch that is whole."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._rate_hz = 0.0
        self._next_s = 0.0
        self._parts: list[np.ndarray[tuple[int, int], np.dtype[np.float32]]] = []
        self._held = 0

    def take(self, piece: BrainPiece) -> Sequence[Floats | None]:
        """Powers, shape (POWERS,), of each epoch that ends in this piece; None for one that is mostly artefact.

        Raises `InvalidInput` if bands cannot be worked out from such electrodes at all.
        """
        if len(piece.names) > MOST_ELECTRODES or not LEAST_RATE_HZ <= piece.rate_hz <= MOST_RATE_HZ:
            raise InvalidInput(
                f"{len(piece.names)} electrodes at {piece.rate_hz:g} Hz cannot be used",
                hint=f"send at most {MOST_ELECTRODES}, at {LEAST_RATE_HZ:g} to {MOST_RATE_HZ:g} Hz",
            )
        other = piece.names != self._names or piece.rate_hz != self._rate_hz
        if other or abs(piece.start_s - self._next_s) > JUMP_S:
            self._parts, self._held = [], 0
        self._names, self._rate_hz = piece.names, piece.rate_hz
        self._next_s = piece.start_s + piece.volts.shape[1] / piece.rate_hz
        self._parts.append(piece.volts.astype(np.float32))
        self._held += piece.volts.shape[1]
        wanted = round(EPOCH_S * self._rate_hz)
        powers: list[Floats | None] = []
        while self._held >= wanted:
            together = np.concatenate(self._parts, axis=1)
            self._parts = [together[:, wanted:]]
            self._held -= wanted
            powers.append(powers_of(together[:, :wanted].astype(np.float64), self._names, self._rate_hz))
        return powers
