"""Protects burst detection: a real rise is found soon, and an ordinary week is quiet."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom, poisson

from impetus.tools.social.bursts import bursts_of, tail

DAY = 86_400.0


@pytest.mark.parametrize("per_hour", [2.0, 20.0, 200.0])
def test_a_rise_is_found_and_an_ordinary_week_is_quiet(per_hour: float) -> None:
    random = np.random.default_rng(int(per_hour))
    quiet = np.sort(random.uniform(0, 7 * DAY, random.poisson(per_hour * 24 * 7)))
    assert not bursts_of(quiet.tolist(), start=0, end=7 * DAY)
    begin = 6 * DAY
    rising = begin + random.exponential(1_800.0, int(40 + 1.5 * per_hour))
    found = bursts_of([*quiet.tolist(), *rising.tolist()], start=0, end=7 * DAY)
    assert len(found) == 1
    assert 0 < found[0].found - begin <= 3_600


@given(st.integers(0, 60), st.floats(0.01, 50), st.floats(0.02, 1.0))
def test_the_tail_is_the_distributions(count: int, mean: float, dispersion: float) -> None:
    size = 1 / dispersion
    exact = float(nbinom.sf(count - 1, size, size / (size + mean)))
    assert math.isclose(tail(count, mean, dispersion), exact, rel_tol=1e-6, abs_tol=1e-12)
    assert math.isclose(tail(count, mean, 0.0), float(poisson.sf(count - 1, mean)), rel_tol=1e-5, abs_tol=1e-12)
