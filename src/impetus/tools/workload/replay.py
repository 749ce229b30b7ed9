"""Recordings in a folder, played in real time as if somebody wore the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from impetus.model import ConfigurationError, InvalidInput
from impetus.tools.workload.arrays import Floats
from impetus.tools.workload.electrodes import MOST_ELECTRODES, BrainPiece, electrode, volts_of
from impetus.tools.workload.files import Signal, read_edf, read_signal
from impetus.tools.workload.monitor import Piece
from impetus.tools.workload.sources import MOST_SECONDS, Arrived

KINDS: Mapping[str, Sequence[str]] = {
    "heart": ("ecg", "ekg"),
    "skin": ("eda", "gsr"),
    "pupil": ("pupil",),
}
"""Words in the names of an EDF file's channels; electrodes are known by the 10-20 system."""


@dataclass(frozen=True, slots=True)
class _Recording:
    heart: tuple[Floats, float] | None
    brain: tuple[tuple[str, ...], Floats, float] | None = None
    """Places of the electrodes, volts of shape (electrodes, n), rate in Hz."""
    others: Mapping[str, tuple[Floats, float]] = field(default_factory=dict)


class Replay:
    """A file for each device, played from the moment of consent, over and over."""

    def __init__(self, folder: Path, rate_hz: float) -> None:
        """Raises `ConfigurationError` if there is no such folder."""
        if not folder.is_dir():
            raise ConfigurationError(f"{folder} is no folder", hint="set tools.workload.replay_folder")
        self._folder = folder
        self._rate_hz = rate_hz
        self._files: dict[str, _Recording] = {}
        self._read: dict[str, tuple[float, float]] = {}
        """When a person's recording began, and how much of it was given, in s."""

    def read(self, person: str, device: str, now_s: float) -> Arrived:
        """What the recording holds of the time since the last call. Raises `InvalidInput` if there is none."""
        if not device:
            return Arrived()
        recording = self._recording(device)
        began_s, given_s = self._read.setdefault(person, (now_s, 0.0))
        until_s = now_s - began_s
        from_s = max(given_s, until_s - MOST_SECONDS)
        self._read[person] = (began_s, until_s)
        arrived = Arrived()
        if recording.heart is not None:
            values, rate_hz = recording.heart
            first, samples = _between(values, rate_hz, from_s, until_s)
            arrived.pieces.append(Piece(device, began_s + first / rate_hz, rate_hz, samples))
        if recording.brain is not None:
            names, volts, rate_hz = recording.brain
            first, samples = _between(volts.T, rate_hz, from_s, until_s)
            arrived.brain.append(BrainPiece(began_s + first / rate_hz, rate_hz, names, samples.T))
        for kind, (values, rate_hz) in recording.others.items():
            _, samples = _between(values, rate_hz, from_s, until_s)
            arrived.others[kind] = (samples[:, None], rate_hz)
        return arrived

    def forget(self, person: str) -> None:
        """The recording begins anew with the next consent."""
        self._read.pop(person, None)

    def _recording(self, device: str) -> _Recording:
        if device not in self._files:
            for suffix in (".edf", ".bdf", ".csv", ".npy", ".txt"):
                path = self._folder / f"{Path(device).name}{suffix}"
                if path.is_file():
                    self._files[device] = self._open(path)
                    break
            else:
                raise InvalidInput(f"there is no recording of a device {device!r}", hint="name one that there is")
        return self._files[device]

    def _open(self, path: Path) -> _Recording:
        if path.suffix in (".edf", ".bdf"):
            return _recording_of(path, read_edf(path))
        signal = read_signal(path)
        return _Recording((np.nan_to_num(signal.values), signal.rate_hz or self._rate_hz))


def _recording_of(path: Path, signals: Sequence[Signal]) -> _Recording:
    found: dict[str, tuple[Floats, float]] = {}
    for signal in signals:
        for kind, words in KINDS.items():
            if kind not in found and any(word in signal.name.lower() for word in words):
                found[kind] = (signal.values, signal.rate_hz or 1.0)
    placed = [(name, one) for one in signals if (name := electrode(one.name)) is not None]
    # Electrodes of one file that are sampled otherwise than the first are left out: they are rarely of the scalp.
    placed = [(name, one) for name, one in placed if one.rate_hz == placed[0][1].rate_hz][:MOST_ELECTRODES]
    brain = None
    if placed:
        volts = np.array([volts_of(one.unit) * one.values for _, one in placed])
        brain = (tuple(name for name, _ in placed), volts, placed[0][1].rate_hz or 1.0)
    if not found and brain is None:
        raise InvalidInput(
            f"{path.name} has no channel that is known",
            hint="name channels ECG, EDA, Pupil, or by the 10-20 system, as in EEG Fz",
        )
    return _Recording(found.pop("heart", None), brain, found)


def _between(samples: Floats, rate_hz: float, from_s: float, until_s: float) -> tuple[int, Floats]:
    """Number of the first sample, and samples, shape (n, ...), of a recording that begins anew when it is over."""
    first, last = int(from_s * rate_hz), int(until_s * rate_hz)
    return first, samples[np.arange(first, last) % len(samples)]
