"""Protects what is measured of brain, skin and eyes, on signals whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from impetus.model import InvalidInput
from impetus.tools.workload.bands import powers_of
from impetus.tools.workload.brain_inputs import POWERS
from impetus.tools.workload.eyes import fixations_s, pupil_measures
from impetus.tools.workload.skin import skin_measures


def test_a_rhythm_has_its_power_in_its_band_and_region() -> None:
    time_s = np.arange(30 * 250) / 250
    random = np.random.default_rng(1)
    volts = 1e-6 * random.normal(size=(2, len(time_s)))
    volts[0] += 10e-6 * np.sin(2 * np.pi * 6 * time_s)
    powers = powers_of(volts, ["Fz", "Pz"], 250)
    assert powers is not None
    by_name = dict(zip(POWERS, powers, strict=True))
    assert by_name["frontal_theta"] == pytest.approx(5e-11, rel=0.1)
    assert max(by_name, key=lambda name: by_name[name]) == "frontal_theta"
    volts[1] += 500e-6 * np.sign(np.sin(2 * np.pi * 0.5 * time_s))
    assert powers_of(volts, ["Fz", "Pz"], 250) is None
    with pytest.raises(InvalidInput):
        powers_of(volts, ["Cz", "Oz"], 250)


def test_reactions_of_the_skin_are_counted() -> None:
    time_s = np.arange(60 * 10) / 10
    level = 5 + 0.5 * np.exp(-0.5 * (time_s[:, None] - np.array([10, 25, 40])) ** 2).sum(axis=1)
    measures = skin_measures(level, 10.0)
    assert measures["skin responses a minute"] == pytest.approx(3)
    assert skin_measures(np.zeros(600), 10.0) == {}


def test_blinks_are_counted_and_an_unseen_eye_says_nothing() -> None:
    pupil = np.full(60 * 60, 3.5)
    for start in (100, 900, 2_000):
        pupil[start : start + 12] = np.nan
    pupil[3_000:3_200] = 0.0  # looked away: too long for a blink
    assert pupil_measures(pupil, 60.0)["blinks a minute"] == pytest.approx(3)
    assert pupil_measures(np.full(3_600, np.nan), 60.0) == {}


def test_a_gaze_that_rests_twice_has_two_fixations() -> None:
    gaze = np.concatenate([np.zeros((30, 2)), np.linspace(0, 20, 6)[:, None] * [1, 1], np.full((60, 2), 20.0)])
    assert fixations_s(gaze, 60.0) == pytest.approx([0.5, 1.0], abs=0.1)
