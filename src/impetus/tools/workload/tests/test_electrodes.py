"""Protects the way from raw electrodes, skin and eyes to what is said: whole epochs, nothing across a gap."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.model import InvalidInput
from impetus.tools.workload.arrays import Floats
from impetus.tools.workload.bands import LEAST_RATE_HZ, powers_of
from impetus.tools.workload.electrodes import MOST_ELECTRODES, MOST_RATE_HZ, BrainPiece, Epochs, electrode, volts_of
from impetus.tools.workload.estimate import EPOCH_S
from impetus.tools.workload.monitor import PersonMonitor
from impetus.tools.workload.windows import LastMinute

RATE_HZ = 128.0
NAMES = ("FZ", "CZ", "PZ")
BEGAN_S = 1_780_000_000.0


def scalp(seconds: float, *, theta: float = 5.0, alpha: float = 8.0, seed: int = 1) -> Floats:
    """Volts of three electrodes with two rhythms (in microvolts) and noise, shape (3, n)."""
    random, time_s = np.random.default_rng(seed), np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    volts = 3e-6 * random.normal(size=(3, len(time_s)))
    volts[0] += 1e-6 * theta * np.sin(2 * np.pi * 6 * time_s)
    volts[2] += 1e-6 * alpha * np.sin(2 * np.pi * 10 * time_s)
    return volts


def pieces(volts: Floats, every_s: float = 1.5, *, began_s: float = BEGAN_S) -> list[BrainPiece]:
    step = round(every_s * RATE_HZ)
    return [
        BrainPiece(began_s + first / RATE_HZ, RATE_HZ, NAMES, volts[:, first : first + step])
        for first in range(0, volts.shape[1], step)
    ]


def test_an_epoch_is_the_same_whether_it_comes_in_pieces_or_whole() -> None:
    volts = scalp(2 * EPOCH_S)
    epochs = Epochs()
    found = [powers for piece in pieces(volts) for powers in epochs.take(piece)]
    whole = powers_of(volts[:, : round(EPOCH_S * RATE_HZ)], NAMES, RATE_HZ)
    assert len(found) == 2
    assert found[0] is not None
    assert whole is not None
    assert np.allclose(found[0], whole, rtol=1e-3)


def test_nothing_is_worked_out_across_a_gap_or_another_cap() -> None:
    volts = scalp(EPOCH_S)
    half = volts[:, : volts.shape[1] // 2]
    epochs = Epochs()
    taken = [epochs.take(piece) for piece in pieces(half)]
    taken += [epochs.take(piece) for piece in pieces(half, began_s=BEGAN_S + EPOCH_S)]
    assert not any(taken)
    other = BrainPiece(BEGAN_S + 1.5 * EPOCH_S, RATE_HZ, ("FZ", "PZ"), half[:2])
    assert epochs.take(other) == []


def test_a_dead_or_jumping_electrode_is_left_out_and_a_dead_region_says_nothing() -> None:
    volts = scalp(EPOCH_S)
    names = (*NAMES, "F3")
    alone = powers_of(volts, NAMES, RATE_HZ)
    for bad in (np.zeros((1, volts.shape[1])), 1e-3 * np.random.default_rng(2).normal(size=(1, volts.shape[1]))):
        assert powers_of(np.vstack([volts, bad]), names, RATE_HZ) == pytest.approx(alone)
    volts[2, 5] = np.nan
    assert powers_of(volts, NAMES, RATE_HZ) is None


def test_labels_and_units_are_known_as_devices_write_them() -> None:
    labels = ("EEG Fpz-Cz", "Fz", "EEG P3-REF", "poz", "T7", "ECG", "PPG", "Pulse", "Position", "F 1", None, "")
    places = [electrode(label) for label in labels]
    assert places == ["FPZ", "FZ", "P3", "POZ", "T7", None, None, None, None, None, None, None]
    assert [volts_of(unit) for unit in ("uV", "microvolts", "mV", None)] == [1e-6, 1e-6, 1e-3, 1e-6]
    with pytest.raises(InvalidInput):
        volts_of("kelvin")


@given(
    rate_hz=st.floats(allow_nan=True, allow_infinity=True),
    count=st.integers(0, 80),
    seconds=st.floats(0, 3),
    fill=st.floats(allow_nan=True, allow_infinity=True),
)
def test_whatever_a_device_claims_gives_powers_or_a_refusal(
    rate_hz: float, count: int, seconds: float, fill: float
) -> None:
    samples = int(seconds * rate_hz) if 0 < rate_hz < 3_000 else 10
    piece = BrainPiece(BEGAN_S, rate_hz, tuple(f"F{place}" for place in range(count)), np.full((count, samples), fill))
    usable = count <= MOST_ELECTRODES and LEAST_RATE_HZ <= rate_hz <= MOST_RATE_HZ
    with contextlib.nullcontext() if usable else pytest.raises(InvalidInput, match="electrodes"):
        assert Epochs().take(piece) == []


def test_raw_electrodes_move_the_estimate_after_a_time_of_rest_and_say_when_they_are_off() -> None:
    monitor = PersonMonitor(rest_s=2 * EPOCH_S)
    volts = scalp(4 * EPOCH_S)
    said: list[str | None] = []
    for piece in pieces(volts):
        now_s = piece.start_s + 1.5
        monitor.take_brain(piece, now_s)
        said.append(monitor.step(now_s).abstained)
    assert said[0] == "no signal yet"
    assert "of rest are missing" in (said[round(1.1 * EPOCH_S / 1.5)] or "")
    assert said[-1] is None
    assert "frontal theta to parietal alpha" in monitor.measures(BEGAN_S + 4 * EPOCH_S)
    for piece in pieces(np.zeros_like(volts), began_s=BEGAN_S + 4 * EPOCH_S):
        monitor.take_brain(piece, piece.start_s + 1.5)
        monitor.step(piece.start_s + 1.5)
    assert any("electrodes" in text for text in monitor.remarks)
    lonely = PersonMonitor(rest_s=EPOCH_S)
    lonely.take_brain(BrainPiece(BEGAN_S, RATE_HZ, ("CZ",), scalp(EPOCH_S)[:1]), BEGAN_S)
    assert "frontal and parietal" in (lonely.step(BEGAN_S).abstained or "")


def test_slow_signals_are_measured_over_a_minute_and_forgotten_when_silent() -> None:
    random = np.random.default_rng(6)
    gaze = LastMinute("gaze")
    where = np.repeat(random.uniform(-10, 10, (60, 2)), 30, axis=0)  # two fixations a second for half a minute
    for second in range(30):
        gaze.take(where[60 * second : 60 * (second + 1)], 60.0, BEGAN_S + second)
    measures = gaze.measures(BEGAN_S + 30)
    assert measures["fixations a minute"] == pytest.approx(120, abs=10)
    assert measures["mean fixation in s"] == pytest.approx(0.5, abs=0.05)
    assert gaze.measures(BEGAN_S + 60) == {}
    gaze.take(where[:60], 60.0, BEGAN_S + 90)
    assert gaze.measures(BEGAN_S + 90) == {}  # one second is too little, and the minute before is gone
