"""Protects the formulas: published values, conservation of mass, and what may not be divided by."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.model import InvalidInput
from impetus.tools.air.plume import CalmWind, WindSpan, plume_gpm3, puffs_gpm3
from impetus.tools.air.similarity import SurfaceLayer, crosswind_integrated, similarity_gpm3
from impetus.tools.air.spread import Terrain, log_sigmas, sigmas_m
from impetus.tools.air.stability import (
    StabilityClass,
    class_from_obukhov,
    class_from_radiation,
    class_of,
    wind_profile_mps,
)

D, F = StabilityClass.D, StabilityClass.F


@pytest.mark.parametrize(
    ("terrain", "letter", "lateral", "vertical"),
    [
        (Terrain.RURAL, "A", 209.8, 200.0),
        (Terrain.RURAL, "B", 152.6, 120.0),
        (Terrain.RURAL, "C", 104.9, 73.03),
        (Terrain.RURAL, "D", 76.28, 37.95),
        (Terrain.RURAL, "E", 57.21, 23.08),
        (Terrain.RURAL, "F", 38.14, 12.31),
        (Terrain.URBAN, "A", 270.5, 339.4),
        (Terrain.URBAN, "B", 270.5, 339.4),
        (Terrain.URBAN, "C", 185.9, 200.0),
        (Terrain.URBAN, "D", 135.2, 122.8),
        (Terrain.URBAN, "E", 92.97, 50.60),
        (Terrain.URBAN, "F", 92.97, 50.60),
    ],
)
def test_briggs_at_one_kilometre(terrain: Terrain, letter: str, lateral: float, vertical: float) -> None:
    found = sigmas_m(1_000.0, StabilityClass(letter), terrain)
    assert float(found[0]) == pytest.approx(lateral, rel=5e-4)
    assert float(found[1]) == pytest.approx(vertical, rel=5e-4)


def test_a_known_plume() -> None:
    found = plume_gpm3(500, 0, 0, rate_gps=100.0, wind_mps=2.0, stability=F, terrain=Terrain.RURAL)
    assert float(found) == pytest.approx(0.11722, rel=1e-4)


def test_no_mass_is_lost_through_a_plane_across_the_wind() -> None:
    y, z = np.meshgrid(np.linspace(-400, 400, 401), np.linspace(0, 300, 601))
    for lid in (None, 120.0):
        found = plume_gpm3(
            800, y, z, rate_gps=5, wind_mps=3, stability=D, terrain=Terrain.RURAL, height_m=20, mixing_height_m=lid
        )
        assert 3 * np.trapezoid(np.trapezoid(found, y[0], axis=1), z[:, 0]) == pytest.approx(5, rel=0.01)


def test_upwind_of_the_source_the_air_is_clean() -> None:
    found = plume_gpm3([-1, 0, -500], 0, 0, rate_gps=1, wind_mps=2, stability=D, terrain=Terrain.URBAN)
    assert found.tolist() == [0, 0, 0]


@pytest.mark.parametrize("wind_mps", [0.0, 0.2])
def test_calm_wind_is_said_and_not_divided_by(wind_mps: float) -> None:
    with pytest.raises(CalmWind, match="calm"):
        plume_gpm3(100, 0, 0, rate_gps=1, wind_mps=wind_mps, stability=D, terrain=Terrain.RURAL)


@pytest.mark.parametrize("rate", [-1.0, math.nan, math.inf])
def test_an_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(InvalidInput):
        plume_gpm3(100, 0, 0, rate_gps=rate, wind_mps=2, stability=D, terrain=Terrain.RURAL)


@pytest.mark.parametrize("terrain", [Terrain.RURAL, Terrain.URBAN])
@pytest.mark.parametrize("puff_every_s", [0.5, 2.0, 10.0])
def test_steady_puffs_are_a_plume(terrain: Terrain, puff_every_s: float) -> None:
    """Whatever their number and whatever the spans that a steady wind is cut into: small steps must not add errors."""
    plume = plume_gpm3([600, 600], [0, 20], 0, rate_gps=10, wind_mps=4, stability=D, terrain=terrain)
    for spans in (1, 40):
        winds = [WindSpan(1_200 / spans, 0.0, 4.0, D)] * spans
        puffs = puffs_gpm3([0, 20], [600, 600], 0, winds, rate_gps=10, terrain=terrain, puff_every_s=puff_every_s)
        assert puffs == pytest.approx(plume, rel=0.015)


def test_puffs_follow_a_wind_that_turns_and_stand_in_no_wind() -> None:
    turned = [WindSpan(300, 4.0, 0.0, D), WindSpan(300, 0.0, 4.0, D)]
    found = puffs_gpm3([1_200, 1_200], [1_200, -1_200], 0, turned, rate_gps=10, terrain=Terrain.RURAL, release_s=60)
    assert found[0] > 100 * max(found[1], 1e-30)
    calm = puffs_gpm3([0, 10], [0, 0], 0, [WindSpan(120, 0, 0, F)], rate_gps=10, terrain=Terrain.RURAL)
    assert np.isfinite(calm).all()
    assert calm[0] > 0


def test_similarity_keeps_the_flux_and_deposition_takes_of_it() -> None:
    air = SurfaceLayer(0.3, 100.0, 0.12, 5.0, roughness_m=0.01)
    heights = np.geomspace(0.01, 200, 300)
    level = np.array([crosswind_integrated([200.0], float(z), air, source_height_m=0.5)[0] for z in heights])
    wind = wind_profile_mps(heights, 0.3, 100.0, 0.01)
    assert np.trapezoid(level * wind, heights) == pytest.approx(1.0, rel=0.05)
    with_loss = crosswind_integrated([200.0], 1.5, air, source_height_m=0.5, deposition_mps=0.01)
    assert with_loss[0] < crosswind_integrated([200.0], 1.5, air, source_height_m=0.5)[0]


def test_similarity_refuses_what_cannot_be() -> None:
    with pytest.raises(InvalidInput):
        SurfaceLayer(0.0, 100.0, 0.1, 3.0)
    with pytest.raises(CalmWind):
        SurfaceLayer(0.3, 100.0, 0.1, 0.1)
    air = SurfaceLayer(0.3, -50.0, 0.2, 4.0)
    assert similarity_gpm3([-5.0, 50.0], 0.0, 1.5, air, rate_gps=1.0)[0] == 0


def test_classes() -> None:
    assert class_of(" d ") is D
    assert class_from_radiation(1.5, 950) is StabilityClass.A
    assert class_from_radiation(1.5, 0) is F
    assert class_from_radiation(7.0, 0) is D
    assert class_from_obukhov(math.inf) is D
    assert class_from_obukhov(8.0, 0.01) is F
    assert class_from_obukhov(-5.0, 0.01) is StabilityClass.A
    with pytest.raises(InvalidInput):
        class_of("H")
    with pytest.raises(InvalidInput):
        class_from_obukhov(0.0)


@given(
    st.floats(-5_000, 50_000), st.floats(-5_000, 5_000), st.floats(0, 500), st.sampled_from(list(StabilityClass)),
    st.sampled_from(list(Terrain)), st.floats(0.5, 40),
)  # fmt: skip
def test_a_plume_is_never_negative_or_no_number(
    x: float, y: float, z: float, letter: StabilityClass, terrain: Terrain, wind: float
) -> None:
    found = float(plume_gpm3(x, y, z, rate_gps=1, wind_mps=wind, stability=letter, terrain=terrain, height_m=3))
    assert math.isfinite(found)
    assert found >= 0


@given(st.floats(1, 20_000), st.sampled_from(list(StabilityClass)))
def test_sigmas_between_classes_meet_those_of_the_classes(x: float, letter: StabilityClass) -> None:
    lateral, vertical = log_sigmas(np.array([math.log(x)]), np.array([float(letter.number)]), Terrain.RURAL)
    wanted = sigmas_m(x, letter, Terrain.RURAL)
    assert math.exp(lateral[0]) == pytest.approx(float(wanted[0]), rel=1e-9)
    assert math.exp(vertical[0]) == pytest.approx(float(wanted[1]), rel=1e-9)
