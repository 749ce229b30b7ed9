"""Protects that beats are found, and that nothing is said of a signal that cannot be believed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impetus.model import InvalidInput
from impetus.tools.workload.arrays import Floats
from impetus.tools.workload.beats import LEAST_QUALITY, Pulse, find_beats
from impetus.tools.workload.breathing import breathing_per_min
from impetus.tools.workload.heart_variability import variability
from impetus.tools.workload.tests.people import RATE_HZ, beats, ecg


def found_of(true: Floats, found: Floats) -> tuple[float, float]:
    """Sensitivity and precision, within 50 ms."""
    distance = np.abs(true[:, None] - found[None])
    return float(np.mean(distance.min(axis=1) < 0.05)), float(np.mean(distance.min(axis=0) < 0.05))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("inverted", [False, True])
def test_peaks_are_found_at_24_db_whichever_way_the_electrodes_are_on(seed: int, inverted: bool) -> None:
    true = beats(60, seed, heart_bpm=55 + 20 * seed)
    signal = ecg(true, 60, 24.0) * (-1 if inverted else 1)
    found = find_beats(signal, RATE_HZ)
    sensitivity, precision = found_of(true, found.time_s)
    assert min(sensitivity, precision) >= 0.99
    assert found.quality >= LEAST_QUALITY
    measured, known = found.variability(), variability(1_000 * np.diff(true))
    assert measured.rmssd_ms == pytest.approx(known.rmssd_ms, rel=0.1)


@pytest.mark.parametrize("decibels", [6.0, 3.0, 0.0, -6.0])
def test_noise_is_not_taken_for_variability(decibels: float) -> None:
    true = beats(120, 3, heart_bpm=55, variation=0.4)
    known = variability(1_000 * np.diff(true)).rmssd_ms
    assert known is not None
    found = find_beats(ecg(true, 120, decibels), RATE_HZ)
    said = found.variability()
    if said.abstained is None:
        assert said.rmssd_ms == pytest.approx(known, rel=0.15)
    else:
        assert said.rmssd_ms is None
    assert decibels > 0 or said.abstained is not None


@pytest.mark.parametrize("signal", [np.zeros(5_000), np.full(5_000, np.nan), np.tile([0.0] * 400 + [1.0] * 100, 10)])
def test_a_sensor_that_is_off_is_said(signal: Floats) -> None:
    found = find_beats(signal, RATE_HZ)
    assert found.reason is not None
    assert "off" in found.reason
    assert found.variability().rmssd_ms is None


def test_motion_spoils_its_own_part_only() -> None:
    true = beats(60, 4)
    signal = ecg(true, 60)
    signal[5_000:7_500] += np.random.default_rng(5).normal(0, 2, 2_500)
    found = find_beats(signal, RATE_HZ)
    assert found.reason is None
    assert found.segment_quality[2] < LEAST_QUALITY
    assert found.segment_quality[[0, 4, 5]].min() >= LEAST_QUALITY
    assert found.variability().rmssd_ms == pytest.approx(variability(1_000 * np.diff(true)).rmssd_ms, rel=0.15)


def test_a_beat_that_is_missed_is_a_gap_and_no_variability() -> None:
    true = beats(60, 6, variation=0.3)
    found = find_beats(ecg(np.delete(true, 30), 60), RATE_HZ)
    assert found.variability().rmssd_ms == pytest.approx(variability(1_000 * np.diff(true)).rmssd_ms, rel=0.1)


def test_breathing_is_read_off_the_beat() -> None:
    true = beats(60, 7)
    found = find_beats(ecg(true, 60), RATE_HZ)
    assert breathing_per_min(found.time_s, found.amplitude, found.good) == pytest.approx(15.0, abs=1.0)
    assert breathing_per_min(found.time_s[:5], found.amplitude[:5], found.good[:5]) is None


def test_a_pulse_wave_gives_the_same_beats() -> None:
    true = beats(60, 8)
    time_s = np.arange(15_000) / RATE_HZ
    wave = np.exp(-0.5 * ((time_s[:, None] - true - 0.2) / 0.09) ** 2).sum(axis=1)
    found = find_beats(wave, RATE_HZ, Pulse.PPG)
    sensitivity, precision = found_of(true + 0.2, found.time_s)
    assert min(sensitivity, precision) >= 0.97


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.floats(allow_nan=True, allow_infinity=True, width=64) | st.sampled_from([0.0, 1e300, -1e300]),
        min_size=300,
        max_size=400,
    ),
    st.sampled_from([50.0, 59.9]),
)
def test_any_numbers_are_survived(values: list[float], rate_hz: float) -> None:
    found = find_beats(np.array(values), rate_hz)
    assert 0.0 <= found.quality <= 1.0
    found.variability()


@pytest.mark.parametrize(("seconds", "rate_hz"), [(1.0, 250.0), (60.0, 1.0), (60.0, 1e6), (60.0, float("nan"))])
def test_what_cannot_be_is_refused(seconds: float, rate_hz: float) -> None:
    with pytest.raises(InvalidInput):
        find_beats(np.zeros(int(seconds * 250)), rate_hz)
