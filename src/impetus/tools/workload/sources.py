"""What comes of a person's devices, whatever brings it: the layer, recordings, or invented people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from impetus.tools.workload.arrays import Floats
from impetus.tools.workload.electrodes import BrainPiece
from impetus.tools.workload.monitor import Piece

MOST_SECONDS = 10.0
"""No more than this is taken in at once; what is older is lost, and shows as a jump."""


@dataclass(slots=True)
class Arrived:
    """What came of one person since the last time."""

    pieces: list[Piece] = field(default_factory=list)
    bands: list[Floats] = field(default_factory=list)
    """Powers of whole epochs, shape (POWERS,) each."""
    brain: list[BrainPiece] = field(default_factory=list)
    """Samples of electrodes on the scalp, not yet in bands."""
    others: dict[str, tuple[Floats, float]] = field(default_factory=dict)
    """Samples of skin, pupil and gaze, shape (n, k), by kind, with their rate in Hz."""
    remarks: list[str] = field(default_factory=list)
    """What is wrong with a stream, for the person to read."""


class Source(Protocol):
    """Gives what arrived of a person. Never waits."""

    def read(self, person: str, device: str, now_s: float) -> Arrived:
        """What arrived from the device since the last call."""
        ...

    def forget(self, person: str) -> None:
        """The person's consent is over."""
        ...


class NoSource:
    """Nothing is worn."""

    def read(self, person: str, device: str, now_s: float) -> Arrived:
        """Nothing."""
        return Arrived()

    def forget(self, person: str) -> None:
        """Nothing to forget."""
