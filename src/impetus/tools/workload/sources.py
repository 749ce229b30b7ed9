"""Where the signals of people come from: Lab Streaming Layer, recordings, or invented people."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from impetus.model import ConfigurationError, InvalidInput
from impetus.tools.workload import signals
from impetus.tools.workload.arrays import Floats
from impetus.tools.workload.beats import Pulse
from impetus.tools.workload.brain_inputs import POWERS
from impetus.tools.workload.files import read_signal
from impetus.tools.workload.monitor import Piece

MOST_SECONDS = 10.0
"""No more than this is taken in at once; what is older is lost, and shows as a jump."""
KINDS: Mapping[str, str] = {
    "ECG": "heart", "EKG": "heart", "PPG": "pulse", "BVP": "pulse", "Bands": "bands", "EDA": "skin", "GSR": "skin",
    "Pupil": "eyes", "Gaze": "eyes",
}  # fmt: skip
"""Types of streams that are known, as the Lab Streaming Layer names them."""


@dataclass(slots=True)
class Arrived:
    """What came of one person since the last time."""

    pieces: list[Piece] = field(default_factory=list)
    bands: list[Floats] = field(default_factory=list)
    """Powers of whole epochs, shape (POWERS,) each."""
    others: dict[str, tuple[Floats, float]] = field(default_factory=dict)
    """Samples of skin and eyes, by kind, with their rate in Hz."""


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


class Replay:
    """Recordings in a folder, a file for each device, played in real time from the moment of consent, over and over."""

    def __init__(self, folder: Path, rate_hz: float) -> None:
        """Raises `ConfigurationError` if there is no such folder."""
        if not folder.is_dir():
            raise ConfigurationError(f"{folder} is no folder", hint="set tools.workload.replay_folder")
        self._folder = folder
        self._rate_hz = rate_hz
        self._files: dict[str, tuple[Floats, float]] = {}
        self._sent: dict[str, tuple[float, int]] = {}

    def read(self, person: str, device: str, now_s: float) -> Arrived:
        """What the recording holds of the time since the last call. Raises `InvalidInput` if there is none."""
        if not device:
            return Arrived()
        values, rate_hz = self._file(device)
        began_s, sent = self._sent.setdefault(person, (now_s, 0))
        until = int((now_s - began_s) * rate_hz)
        first = max(sent, until - int(MOST_SECONDS * rate_hz))
        self._sent[person] = (began_s, until)
        chosen = values[np.arange(first, until) % len(values)]
        return Arrived([Piece(device, began_s + first / rate_hz, rate_hz, chosen)])

    def forget(self, person: str) -> None:
        """The recording begins anew with the next consent."""
        self._sent.pop(person, None)

    def _file(self, device: str) -> tuple[Floats, float]:
        if device not in self._files:
            for suffix in (".edf", ".csv", ".npy", ".txt"):
                path = self._folder / f"{Path(device).name}{suffix}"
                if path.is_file():
                    signal = read_signal(path)
                    self._files[device] = (np.nan_to_num(signal.values), signal.rate_hz or self._rate_hz)
                    break
            else:
                raise InvalidInput(f"there is no recording of a device {device!r}", hint="name one that there is")
        return self._files[device]


class LabStreamingLayer:
    """Streams on the local network, found by the name or the source id of the device that a person says they wear.

    Times are corrected by the layer's own estimate of the offset between the clocks (`time_correction`).
    """

    FORGET_AFTER_S = 5.0

    def __init__(self) -> None:
        """Raises `ConfigurationError` if pylsl is not installed."""
        try:
            import pylsl  # type: ignore[import-untyped]
        except (ImportError, RuntimeError) as error:
            raise ConfigurationError(
                f"the Lab Streaming Layer cannot be used: {error}", hint="install impetus[workload]"
            ) from error
        self._lsl: Any = pylsl
        self._resolver: Any = pylsl.ContinuousResolver(forget_after=self.FORGET_AFTER_S)
        self._inlets: dict[str, dict[str, tuple[Any, Any]]] = {}
        """By person, then by the stream's unique id."""

    def read(self, person: str, device: str, now_s: float) -> Arrived:
        """Samples of all streams of the device, known by their type."""
        arrived = Arrived()
        if not device:
            return arrived
        inlets = self._inlets.setdefault(person, {})
        self._open_new(inlets, device)
        for uid, (info, inlet) in list(inlets.items()):
            try:
                self._pull(info, inlet, now_s, arrived)
            except (self._lsl.LostError, RuntimeError):
                del inlets[uid]
        return arrived

    def forget(self, person: str) -> None:
        """Stop listening to the person's device."""
        for _, inlet in self._inlets.pop(person, {}).values():
            inlet.close_stream()

    def _open_new(self, inlets: dict[str, tuple[Any, Any]], device: str) -> None:
        for info in self._resolver.results():
            known = device in (info.name(), info.source_id())
            if known and info.type() in KINDS and info.uid() not in inlets:
                inlets[info.uid()] = (
                    info,
                    self._lsl.StreamInlet(
                        info, max_buflen=int(MOST_SECONDS), recover=False, processing_flags=self._lsl.proc_clocksync
                    ),
                )

    def _pull(self, info: Any, inlet: Any, now_s: float, arrived: Arrived) -> None:
        kind, rate_hz = KINDS[info.type()], float(info.nominal_srate())
        samples, times = inlet.pull_chunk(timeout=0.0, max_samples=int(MOST_SECONDS * max(rate_hz, 1)) + 1)
        if not len(times):
            return
        values = np.array(samples, dtype=np.float64).reshape(len(times), -1)
        # The layer's clock runs from the start of the machine; ours is the time of day.
        offset_s = now_s - float(self._lsl.local_clock())
        if kind in ("heart", "pulse"):
            pulse = Pulse.ECG if kind == "heart" else Pulse.PPG
            name = f"{info.name()} {info.source_id()}".strip()
            arrived.pieces.append(Piece(name, times[0] + offset_s, rate_hz, values[:, 0], pulse))
        elif kind == "bands":
            if values.shape[1] == len(POWERS):
                arrived.bands += list(values)
        else:
            arrived.others[kind] = (values[:, 0], rate_hz)
