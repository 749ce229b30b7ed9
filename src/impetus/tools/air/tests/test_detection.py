"""Protects the tests for a step: found soon, not by one spike, not by what all share, and quiet on background."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from impetus.model import InvalidInput
from impetus.tools.air.arrays import Booleans, Floats
from impetus.tools.air.calibration import TailThreshold
from impetus.tools.air.detection import Confirmation, Detection, Detector, Reading
from impetus.tools.air.quantities import convert, gas_gpm3, standard
from impetus.tools.air.simulator import NetworkSettings, PlantedStep, SimulatedNetwork, simulate

DAYS = 5.0
AFTER = 288 * 3 + 90


def play(network: SimulatedNetwork) -> list[tuple[int, Detection]]:
    detector = Detector({str(number): (float(x), float(y)) for number, (x, y) in enumerate(network.positions_m)})
    found = []
    for sample, time_s in enumerate(network.time_s):
        covariates = tuple(float(value) for value in network.covariates[sample])
        row = enumerate(network.values[sample].tolist())
        readings = [Reading(str(sensor), float(time_s), value, covariates) for sensor, value in row]
        found += [(sample, one) for one in detector.observe(readings)]
    return found


def test_a_large_step_is_found_within_three_samples_and_confirmed() -> None:
    settings = NetworkSettings(sensors=8, days=DAYS, seed=3)
    found = play(simulate(settings, [PlantedStep(2, AFTER, 10, 8.0)]))
    mine = [(sample, one) for sample, one in found if AFTER <= sample < AFTER + 10 and "2" in one.sensors]
    assert mine
    assert mine[0][0] - AFTER < 3
    assert mine[0][1].revision == 0
    assert mine[-1][1].confirmation is not Confirmation.NONE


def test_the_onset_is_a_sample_that_there_was_though_samples_now_come_sooner() -> None:
    """History of five-minute samples, then one every 20 s: the onset must not be minutes too early."""
    random, detector, found = np.random.default_rng(1), Detector(), []
    times = [300.0 * number for number in range(400)]
    times += [times[-1] + 20.0 * (number + 1) for number in range(12)]
    for number, time_s in enumerate(times):
        value = 100 + 5 * float(random.normal()) + (80.0 if number >= 404 else 0.0)
        found += list(detector.observe([Reading("a", time_s, value)]))
    assert found[0].onset_s in times[403:406]


def test_one_spike_is_no_release() -> None:
    settings = NetworkSettings(sensors=8, days=DAYS, seed=3)
    found = play(simulate(settings, [PlantedStep(2, AFTER, 1, 12.0)]))
    assert not [one for sample, one in found if AFTER <= sample < AFTER + 3 and "2" in one.sensors]


def test_what_all_sensors_share_is_no_release() -> None:
    settings = NetworkSettings(sensors=8, days=DAYS, seed=3)
    found = play(simulate(settings, [PlantedStep(sensor, AFTER, 10, 4.0) for sensor in range(8)]))
    assert not [one for sample, one in found if AFTER <= sample < AFTER + 10]


def test_three_neighbours_together_are_found_where_none_is_alone() -> None:
    settings = NetworkSettings(sensors=9, days=DAYS, seed=4)
    found = play(simulate(settings, [PlantedStep(sensor, AFTER, 10, 3.5) for sensor in (0, 1, 3)]))
    assert [one for sample, one in found if AFTER <= sample < AFTER + 10 and {"0", "1", "3"} & set(one.sensors)]


def test_a_threshold_follows_the_tail_of_a_quiet_past() -> None:
    """Heavier tails ask for more evidence, excursions in which something was detected do not count."""
    random = np.random.default_rng(1)
    row, yes, no = np.arange(3), np.ones(3, dtype=np.bool_), np.zeros(3, dtype=np.bool_)

    def threshold(draw: Callable[[], Floats], detected: Booleans) -> float:
        tail = TailThreshold(base=3.0, rate=0.01, excess=1.8, per_year=0.5, lowest=3.5, highest=20.0)
        tail.grow(3)
        first = float(tail.of(row, 300.0)[0])
        for _ in range(8_000):
            tail.learn(row, draw(), yes, detected)
        assert first == pytest.approx(6.05, abs=0.01)
        return float(tail.of(row, 300.0)[0])

    normal = threshold(lambda: np.asarray(random.normal(size=3)), no)
    heavy = threshold(lambda: np.asarray(random.standard_t(4, 3)), no)
    assert 4.0 < normal < 5.0 < heavy
    assert threshold(lambda: np.asarray(random.standard_t(4, 3)), yes) < heavy


def test_the_simulator_is_seeded() -> None:
    settings = NetworkSettings(sensors=3, days=1)
    assert (simulate(settings).values == simulate(settings).values).all()
    assert not (simulate(settings).values == simulate(NetworkSettings(sensors=3, days=1, seed=2)).values).all()


def test_readings_of_the_past_are_left_out() -> None:
    detector = Detector()
    for minute in range(30):
        list(detector.observe([Reading("a", 60.0 * minute, 10.0 + minute % 3)]))
    assert list(detector.observe([Reading("a", 60.0, 1e9)])) == []


def test_units_are_brought_together_or_refused() -> None:
    assert standard(2.0, "CFU/L") == (2_000.0, "CFU/m3")
    assert standard(3.0, "ACPLA") == (3.0, "ACPLA")
    assert convert(1.0, "ppm", "ppb") == pytest.approx(1_000.0)
    assert convert(5.0, "ug/m3", "g/m3") == pytest.approx(5e-6)
    assert gas_gpm3(1_000.0, 64.06) == pytest.approx(2.663e-3, rel=1e-3)
    for wrong in ("furlong", "", "m" * 100, "__import__('os')"):
        with pytest.raises(InvalidInput):
            standard(1.0, wrong)
    with pytest.raises(InvalidInput):
        convert(1.0, "CFU/m3", "ppb")


def test_evidence_is_finite_whatever_is_read() -> None:
    detector = Detector()
    random = np.random.default_rng(1)
    for minute in range(200):
        value = float(random.choice([0.0, 1e-12, 1e12, 5.0]))
        for one in detector.observe([Reading("a", 60.0 * minute, value)]):
            assert math.isfinite(one.evidence)
