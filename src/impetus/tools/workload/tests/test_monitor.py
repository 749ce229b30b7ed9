"""Protects that nothing is said of a person whose signals are wrong, and that it is said what is wrong."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from impetus.tools.workload.arrays import Floats
from impetus.tools.workload.heart_inputs import NAMES, HeartInputs
from impetus.tools.workload.monitor import PersonMonitor, Piece, baseline_of
from impetus.tools.workload.signals import band_powers
from impetus.tools.workload.tests.people import RATE_HZ, beats, ecg

BEGAN_S = 1_780_000_000.0
REST_S = 30.0


class Belt:
    """A belt that sends a person's heart once a second."""

    def __init__(self, seconds: int = 240, *, name: str = "belt", seed: int = 1) -> None:
        self.signal = ecg(beats(seconds, seed), seconds)
        self.name = name
        self.clock_off_s = 0.0

    def second(self, number: int, values: Floats | None = None) -> Piece:
        samples = self.signal[int(number * RATE_HZ) : int((number + 1) * RATE_HZ)] if values is None else values
        return Piece(self.name, BEGAN_S + number + self.clock_off_s, RATE_HZ, samples)


def wear(monitor: PersonMonitor, belt: Belt, first: int, last: int) -> str | None:
    """Let the belt send from one second to another; why nothing is said at the end, if so."""
    estimate = None
    for number in range(first, last):
        monitor.take(belt.second(number), BEGAN_S + number + 1)
        estimate = monitor.step(BEGAN_S + number + 1)
    assert estimate is not None
    if estimate.abstained is None:
        assert (estimate.overload or 0) + (estimate.normal or 0) + (estimate.underload or 0) == pytest.approx(1.0)
    return estimate.abstained


@pytest.fixture
def belt() -> Belt:
    return Belt()


@pytest.fixture(scope="module")
def rested() -> PersonMonitor:
    """Of somebody who has been at rest for a while."""
    made = PersonMonitor(rest_s=REST_S)
    assert wear(made, Belt(), 0, 60) is None
    return made


@pytest.fixture
def monitor(rested: PersonMonitor) -> PersonMonitor:
    """The same for each test anew."""
    return copy.deepcopy(rested)


def test_without_rest_nothing_is_said(belt: Belt) -> None:
    made = PersonMonitor(rest_s=REST_S)
    assert "rest" in (wear(made, belt, 0, 25) or "")
    assert wear(made, belt, 25, 70) is None


def test_a_sensor_that_comes_off_is_noticed_within_seconds(monitor: PersonMonitor, belt: Belt) -> None:
    for number in range(60, 75):
        monitor.take(belt.second(number, np.zeros(250)), BEGAN_S + number + 1)
    assert "cannot be believed" in (monitor.step(BEGAN_S + 75).abstained or "")
    assert wear(monitor, belt, 75, 100) is None


def test_motion_is_no_load(monitor: PersonMonitor, belt: Belt) -> None:
    random = np.random.default_rng(3)
    estimate = monitor.step(BEGAN_S + 60)
    for number in range(60, 75):
        monitor.take(belt.second(number, random.normal(0, 3, 250)), BEGAN_S + number + 1)
        estimate = monitor.step(BEGAN_S + number + 1)
    assert "cannot be believed" in (estimate.abstained or "")


def test_silence_is_said(monitor: PersonMonitor) -> None:
    assert "silent" in (monitor.step(BEGAN_S + 70).abstained or "")


def test_two_streams_of_one_person_are_not_mixed(monitor: PersonMonitor, belt: Belt) -> None:
    other = Belt(name="another belt", seed=9)
    estimate = monitor.step(BEGAN_S + 60)
    for number in range(60, 66):
        monitor.take(belt.second(number), BEGAN_S + number + 1)
        monitor.take(other.second(number), BEGAN_S + number + 1)
        estimate = monitor.step(BEGAN_S + number + 1)
    assert "two devices" in (estimate.abstained or "")
    assert wear(monitor, belt, 66, 90) is None


def test_who_changes_the_device_rests_first(monitor: PersonMonitor) -> None:
    other = Belt(name="another belt", seed=9)
    assert "rest" in (wear(monitor, other, 70, 95) or "")
    assert wear(monitor, other, 95, 140) is None


@pytest.mark.parametrize("jump_s", [3_600.0, -3_600.0, 5.0])
def test_time_that_jumps_is_said_and_outlived(monitor: PersonMonitor, belt: Belt, jump_s: float) -> None:
    belt.clock_off_s = jump_s
    assert "jumped" in (wear(monitor, belt, 60, 63) or "")
    assert wear(monitor, belt, 63, 110) is None


def test_a_clock_that_drifts_away_is_said(monitor: PersonMonitor, belt: Belt) -> None:
    estimate = monitor.step(BEGAN_S + 60)
    for number in range(60, 100):
        # Every second of the device lasts a tenth more than one of ours.
        piece = Piece("belt", BEGAN_S + 60 + (number - 60), RATE_HZ, belt.second(number).values)
        monitor.take(piece, BEGAN_S + 60 + 1.1 * (number - 59))
        estimate = monitor.step(BEGAN_S + 60 + 1.1 * (number - 59))
    assert "drifts" in (estimate.abstained or "")


def test_a_baseline_is_kept_as_it_was_and_a_spoilt_one_left_aside(monitor: PersonMonitor) -> None:
    kept = monitor.baseline_json()
    again = baseline_of(kept)
    assert again is not None
    assert again.mean.tolist() == monitor.baseline.mean.tolist()
    for spoilt in ({}, {**kept, "mean": [1.0]}, {**kept, "heart_square": "x"}, {**kept, "seconds": -1}):
        assert baseline_of(spoilt) is None


def test_what_the_person_says_counts(monitor: PersonMonitor) -> None:
    before = monitor.step(BEGAN_S + 61).load
    monitor.take_rating(5)
    after = monitor.step(BEGAN_S + 61).load
    assert before is not None
    assert after is not None
    assert after > before + 0.05


def test_electrodes_that_are_off_say_nothing(monitor: PersonMonitor) -> None:
    random = np.random.default_rng(4)
    before = monitor.step(BEGAN_S + 61).load
    monitor.take_bands(np.full(11, np.nan), BEGAN_S + 61)
    monitor.take_bands(np.full(11, 1.0), BEGAN_S + 61)
    assert monitor.step(BEGAN_S + 61).load == before
    monitor.take_bands(band_powers(1.0, random), BEGAN_S + 61)
    assert monitor.step(BEGAN_S + 61).load != before


def test_inputs_are_the_same_whether_seconds_come_alone_or_together() -> None:
    random = np.random.default_rng(5)
    heart, breathing = 70 + random.normal(0, 3, 900), 14 + random.normal(0, 1, 900)
    heart[200:205] = np.nan
    heart[400:440] = np.nan
    together, usable = HeartInputs().update(heart, breathing)
    inputs = HeartInputs()
    parts = [inputs.update(heart[start : start + 7], breathing[start : start + 7]) for start in range(0, 900, 7)]
    assert together.shape == (900, len(NAMES))
    assert np.allclose(together, np.concatenate([rows for rows, _ in parts]))
    assert (usable == np.concatenate([flags for _, flags in parts])).all()
    assert usable[204]
    assert not usable[430]
    # Nothing of what comes later is looked at.
    cut, _ = HeartInputs().update(heart[:300], breathing[:300])
    assert np.allclose(together[:300], cut)
