"""Protects the way of signals from devices: the Lab Streaming Layer's loopback, and recordings played in real time."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from impetus.model import ConfigurationError, InvalidInput
from impetus.tools.workload.arrays import Floats
from impetus.tools.workload.brain_inputs import POWERS
from impetus.tools.workload.lab_streaming_layer import LabStreamingLayer
from impetus.tools.workload.replay import Replay
from impetus.tools.workload.sources import Arrived
from impetus.tools.workload.tests.edf import edf
from impetus.tools.workload.tests.people import RATE_HZ, beats, ecg


@pytest.mark.slow
def test_what_a_belt_sends_over_the_layer_arrives() -> None:
    pylsl = pytest.importorskip("pylsl", reason="the Lab Streaming Layer is not installed")
    heart = pylsl.StreamOutlet(pylsl.StreamInfo("belt-7", "ECG", 1, RATE_HZ, "float32", "impetus-test-7"))
    bands = pylsl.StreamOutlet(pylsl.StreamInfo("belt-7", "Bands", len(POWERS), 0, "double64", "impetus-test-7b"))
    other = pylsl.StreamOutlet(pylsl.StreamInfo("belt-8", "ECG", 1, RATE_HZ, "float32", "impetus-test-8"))
    source = LabStreamingLayer()
    signal = ecg(beats(8), 8)
    received: list[Floats] = []
    epochs = 0
    limit_s = time.monotonic() + 20
    sent = 0
    while time.monotonic() < limit_s and (sum(map(len, received)) < 500 or not epochs):
        arrived = source.read("mira", "belt-7", time.time())
        received += [piece.values for piece in arrived.pieces]
        epochs += len(arrived.bands)
        assert all(abs(piece.start_s - time.time()) < 5 for piece in arrived.pieces)
        if heart.have_consumers():
            chunk = signal[sent % 2_000 : sent % 2_000 + 50]
            heart.push_chunk(chunk.astype(np.float32).reshape(-1, 1).tolist())
            bands.push_sample([1e-11] * len(POWERS))
            other.push_chunk([[9.0]] * 50)
            sent += 50
        time.sleep(0.05)
    values = np.concatenate(received)
    assert len(values) >= 500
    assert values.max() < 5  # nothing of the other belt
    assert epochs
    source.forget("mira")


def test_a_recording_is_played_in_real_time_and_from_the_beginning_for_everybody(tmp_path: Path) -> None:
    np.save(tmp_path / "belt.npy", np.arange(1_000.0))
    source = Replay(tmp_path, 250.0)
    assert len(source.read("mira", "belt", 100.0).pieces[0].values) == 0
    (piece,) = source.read("mira", "belt", 101.0).pieces
    assert (piece.start_s, piece.values.tolist()) == (100.0, list(range(250)))
    (piece,) = source.read("mira", "belt", 105.0).pieces
    assert piece.values[-1] == 249.0  # it begins anew after four seconds
    source.read("omar", "belt", 105.0)
    assert source.read("omar", "belt", 106.0).pieces[0].values[0] == 0.0
    with pytest.raises(InvalidInput):
        source.read("mira", "../belt2", 106.0)
    with pytest.raises(ConfigurationError):
        Replay(tmp_path / "nowhere", 250.0)


@pytest.mark.slow
def test_raw_electrodes_and_eyes_arrive_over_the_layer_in_volts_and_degrees() -> None:
    pylsl = pytest.importorskip("pylsl", reason="the Lab Streaming Layer is not installed")
    cap = pylsl.StreamInfo("cap-3", "EEG", 3, RATE_HZ, "float32", "impetus-test-3")
    cap.set_channel_labels(["Fz", "EEG Pz-REF", "trigger"])
    cap.set_channel_units("microvolts")
    brain = pylsl.StreamOutlet(cap)
    gaze = pylsl.StreamOutlet(pylsl.StreamInfo("cap-3", "Gaze", 2, 60, "float32", "impetus-test-3g"))
    wrong = pylsl.StreamOutlet(pylsl.StreamInfo("cap-3", "EEG", 1, RATE_HZ, "float32", "impetus-test-3w"))
    source = LabStreamingLayer()
    seen = Arrived()
    limit_s = time.monotonic() + 60
    while time.monotonic() < limit_s and not (seen.brain and seen.others and seen.remarks):
        arrived = source.read("mira", "cap-3", time.time())
        seen.brain += arrived.brain
        seen.others |= arrived.others
        seen.remarks += arrived.remarks
        brain.push_chunk([[10.0, 20.0, 1.0]] * 50)
        gaze.push_chunk([[1.5, -2.0]] * 12)
        wrong.push_chunk([[1.0]] * 50)
        time.sleep(0.1)
    piece = seen.brain[0]
    assert piece.names == ("FZ", "PZ")
    assert piece.volts[:, 0].tolist() == pytest.approx([10e-6, 20e-6])
    samples, rate_hz = seen.others["gaze"]
    assert (samples[0].tolist(), rate_hz) == ([1.5, -2.0], 60.0)
    assert "no electrode" in seen.remarks[0]
    source.forget("mira")


def test_a_recording_of_a_whole_night_of_sensors_is_played_together(tmp_path: Path) -> None:
    ramp = list(range(4 * 10))
    signals = {"EEG Fz": ramp, "EEG Pz-REF": ramp, "ECG II": ramp, "EDA": ramp, "Pulse": ramp}
    (tmp_path / "cap.edf").write_bytes(edf(signals, rate=4, records=10))
    source = Replay(tmp_path, 250.0)
    source.read("mira", "cap", 100.0)
    arrived = source.read("mira", "cap", 102.5)
    (piece,) = arrived.brain
    assert (piece.names, piece.volts.shape, piece.start_s) == (("FZ", "PZ"), (2, 10), 100.0)
    assert piece.volts[0, 9] == pytest.approx(1e-3 * 9 / 32_767, rel=0.2)  # the file says millivolts
    assert len(arrived.pieces[0].values) == 10
    assert arrived.others["skin"][0].shape == (10, 1)
    (tmp_path / "odd.edf").write_bytes(edf({"Abdomen": ramp}, rate=4, records=10))
    with pytest.raises(InvalidInput, match="no channel"):
        source.read("mira", "odd", 102.5)
