"""Protects the way of signals from devices: the Lab Streaming Layer's loopback, and recordings played in real time."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from impetus.model import ConfigurationError, InvalidInput
from impetus.tools.workload.arrays import Floats
from impetus.tools.workload.brain_inputs import POWERS
from impetus.tools.workload.sources import LabStreamingLayer, Replay
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
