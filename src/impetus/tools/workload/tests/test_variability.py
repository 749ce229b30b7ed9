"""Protects the definitions of heart-rate variability, on recorded intervals and on what is known exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impetus.model import InvalidInput
from impetus.tools.workload.heart_variability import require_milliseconds, variability

SAMPLE = Path(__file__).parents[5].parent / "shared" / "data" / "workload" / "nn-intervals-sample.npy"


@pytest.mark.skipif(not SAMPLE.exists(), reason="the recorded intervals are not here")
def test_the_recorded_intervals_have_the_published_measures() -> None:
    measures = variability(np.load(SAMPLE))
    assert measures.mean_nn_ms == pytest.approx(768.438, abs=0.001)
    assert measures.sdnn_ms == pytest.approx(85.357, abs=0.001)
    assert measures.rmssd_ms == pytest.approx(60.523, abs=0.001)
    assert measures.sdsd_ms == pytest.approx(60.530, abs=0.001)
    assert measures.pnn50 == pytest.approx(28.57, abs=0.01)
    assert measures.lf_hf == pytest.approx(1.78, rel=0.05)


@pytest.mark.parametrize(("frequency_hz", "band"), [(0.1, "lf_ms2"), (0.25, "hf_ms2"), (0.02, "vlf_ms2")])
def test_a_sine_has_its_power_in_its_own_band(frequency_hz: float, band: str) -> None:
    time_s = np.cumsum(np.full(1_000, 0.8))
    measures = variability(800 + 30 * np.sin(2 * np.pi * frequency_hz * time_s))
    assert measures.sdnn_ms == pytest.approx(21.21, abs=0.05)
    power = {name: getattr(measures, name) for name in ("vlf_ms2", "lf_ms2", "hf_ms2")}
    assert power.pop(band) == pytest.approx(450, rel=0.05)
    assert all(other < 10 for other in power.values())


def test_artefacts_are_gaps_and_too_many_are_said() -> None:
    nn = 800 + 20 * np.random.default_rng(1).normal(size=300)
    holed = nn.copy()
    holed[[50, 150, 250]] = [0.0, 9_000.0, np.nan]
    assert variability(holed).rmssd_ms == pytest.approx(variability(nn).rmssd_ms, rel=0.05)
    assert variability(holed).artefacts == 3
    holed[::3] = 0.0
    assert variability(holed).abstained is not None
    assert variability(holed).rmssd_ms is None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True) | st.floats(300, 1_500), max_size=200))
def test_any_numbers_are_survived(values: list[float]) -> None:
    measures = variability(np.array(values))
    assert measures.abstained is not None or (measures.sdnn_ms or 0) >= 0


def test_seconds_are_not_taken_for_milliseconds() -> None:
    with pytest.raises(InvalidInput, match="seconds"):
        require_milliseconds(np.full(20, 0.8))
