"""Streams of the Lab Streaming Layer on the local network, by its Python library `pylsl`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from impetus.model import ConfigurationError, InvalidInput
from impetus.tools.workload.beats import Pulse
from impetus.tools.workload.brain_inputs import POWERS
from impetus.tools.workload.electrodes import BrainPiece, electrode, volts_of
from impetus.tools.workload.monitor import Piece
from impetus.tools.workload.sources import MOST_SECONDS, Arrived

KINDS: Mapping[str, str] = {
    "ECG": "heart", "EKG": "heart", "PPG": "pulse", "BVP": "pulse", "Bands": "bands", "EEG": "brain",
    "EDA": "skin", "GSR": "skin", "Pupil": "pupil", "Gaze": "gaze",
}  # fmt: skip
"""Types of streams that are known, as the layer names them."""
MOST_SAMPLES = 200_000
"""No more than this is taken from one stream at once, whatever rate it claims."""
INFO_S = 0.5
"""So long is waited for the description of a stream that has just appeared; otherwise it is asked again."""


@dataclass(slots=True)
class _Inlet:
    name: str
    kind: str
    rate_hz: float
    inlet: Any
    electrodes: tuple[str, ...] | None = None
    """Places of the electrodes; None before the stream was asked."""
    chosen: tuple[int, ...] = ()
    volts: tuple[float, ...] = ()
    refused: str | None = None


class LabStreamingLayer:
    """Streams found by the name or the source id of the device that a person says they wear.

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
        self._inlets: dict[str, dict[str, _Inlet]] = {}
        """By person, then by the stream's unique id."""

    def read(self, person: str, device: str, now_s: float) -> Arrived:
        """Samples of all streams of the device, known by their type."""
        arrived = Arrived()
        if not device:
            return arrived
        inlets = self._inlets.setdefault(person, {})
        self._open_new(inlets, device)
        for uid, one in list(inlets.items()):
            try:
                self._pull(one, now_s, arrived)
            except (self._lsl.LostError, RuntimeError):
                del inlets[uid]
            if one.refused is not None:
                arrived.remarks.append(one.refused)
        return arrived

    def forget(self, person: str) -> None:
        """Stop listening to the person's device."""
        for one in self._inlets.pop(person, {}).values():
            one.inlet.close_stream()

    def _open_new(self, inlets: dict[str, _Inlet], device: str) -> None:
        for info in self._resolver.results():
            known = device in (info.name(), info.source_id())
            if known and info.type() in KINDS and info.uid() not in inlets:
                inlet = self._lsl.StreamInlet(
                    info, max_buflen=int(MOST_SECONDS), recover=False, processing_flags=self._lsl.proc_clocksync
                )
                name = f"{info.name()} {info.source_id()}".strip()
                inlets[info.uid()] = _Inlet(name, KINDS[info.type()], float(info.nominal_srate()), inlet)

    def _pull(self, one: _Inlet, now_s: float, arrived: Arrived) -> None:
        most = min(int(MOST_SECONDS * max(one.rate_hz, 1)) + 1, MOST_SAMPLES)
        samples, times = one.inlet.pull_chunk(timeout=0.0, max_samples=most)
        if not len(times):
            return
        values = np.array(samples, dtype=np.float64).reshape(len(times), -1)
        # The layer's clock runs from the start of the machine; ours is the time of day.
        start_s = times[0] + now_s - float(self._lsl.local_clock())
        if one.kind in ("heart", "pulse"):
            pulse = Pulse.ECG if one.kind == "heart" else Pulse.PPG
            arrived.pieces.append(Piece(one.name, start_s, one.rate_hz, values[:, 0], pulse))
        elif one.kind == "bands":
            if values.shape[1] == len(POWERS):
                arrived.bands += list(values)
            else:
                one.refused = f"{one.name} sends {values.shape[1]} band powers, not {len(POWERS)}"
        elif one.kind == "brain":
            if one.electrodes is None:
                self._ask(one)
            if one.electrodes:
                volts = (values[:, one.chosen] * np.array(one.volts)).T
                arrived.brain.append(BrainPiece(start_s, one.rate_hz, one.electrodes, volts))
        else:
            arrived.others[one.kind] = (values, one.rate_hz)

    def _ask(self, one: _Inlet) -> None:
        """Which of the stream's channels are electrodes, and in what unit they come."""
        try:
            info = one.inlet.info(timeout=INFO_S)
        except self._lsl.util.TimeoutError:
            return
        labels = info.get_channel_labels() or []
        units = info.get_channel_units() or [None] * len(labels)
        placed = [(number, name) for number, label in enumerate(labels) if (name := electrode(label)) is not None]
        one.electrodes = ()
        try:
            one.volts = tuple(volts_of(units[number]) for number, _ in placed)
        except InvalidInput as refusal:
            one.refused = f"{one.name}: {refusal}"
            return
        if not placed:
            one.refused = f"{one.name} names no electrode by the 10-20 system"
            return
        one.chosen, one.electrodes = tuple(number for number, _ in placed), tuple(name for _, name in placed)
