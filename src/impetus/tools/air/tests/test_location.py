"""Protects the posterior: a planted source is found, lying sensors and missing weather are borne, regions hold."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from shapely.geometry import Point, shape

from impetus.model import ConfigurationError, InvalidInput
from impetus.tools.air.agents import agent_of, dose_level
from impetus.tools.air.evaluation import arc_maxima_by_similarity, read_runs, scores
from impetus.tools.air.hazard import hazard_map
from impetus.tools.air.onset import Arrival, start_times
from impetus.tools.air.open_space import open_cells, read_open_space
from impetus.tools.air.plane import Plane
from impetus.tools.air.plume import CalmWind, plume_gpm3
from impetus.tools.air.posterior import Posterior, locate
from impetus.tools.air.regions import region_features
from impetus.tools.air.release import USUAL_WIND_LOG_ERROR, Box, Release, Weather, readings_of
from impetus.tools.air.sampling import sampling_plan
from impetus.tools.air.spread import Terrain
from impetus.tools.air.stability import StabilityClass

GRASS = Path(__file__).resolve().parents[6] / "shared/data/prairie-grass"
D = StabilityClass.D
TRUTH = (120.0, -80.0)
RATE_GPS = 60.0


def release(*, liar: bool = False, stability: StabilityClass | None = D, roofs: bool = False) -> Release:
    """Thirty samplers north of a source in a south wind of 4 m/s that is reported 10 degrees wrong."""
    random = np.random.default_rng(7)
    east, north = random.uniform(-200, 440, 30), random.uniform(20, 800, 30)
    height = np.full(30, 1.5)
    if roofs:
        height[::3] = 20.0
    level = plume_gpm3(
        north - TRUTH[1], east - TRUTH[0], height, rate_gps=RATE_GPS, wind_mps=4, stability=D, terrain=Terrain.RURAL
    )
    level = level * np.exp(random.normal(0, 0.3, 30))
    level = np.where(level < 1e-6, 0.0, level)
    if liar:
        level[int(np.argmin(level))] = 0.5
    weather = Weather(4.0, 190.0, stability)
    return Release(readings_of(np.column_stack([east, north, height]), level, limit_gpm3=1e-6), weather, box())


def box() -> Box:
    return Box.around(0, 0, 3_000)


def error_m(found: Posterior) -> float:
    return math.dist(found.median_m, TRUTH)


@pytest.mark.parametrize(
    ("problem", "within_m"),
    [({}, 60), ({"liar": True}, 80), ({"stability": None}, 120), ({"roofs": True}, 60)],
    ids=["plain", "a sensor that lies", "no stability", "sensors on roofs"],
)
def test_a_planted_source_is_found(problem: dict[str, bool | None], within_m: float) -> None:
    found = locate(release(**problem), np.random.default_rng(1))  # type: ignore[arg-type]
    assert error_m(found) < within_m
    assert 0.4 * RATE_GPS < found.rate_quantiles_gps(0.5)[0] < 2.5 * RATE_GPS


def test_one_reading_among_silent_sensors_is_still_of_a_release() -> None:
    """With one reading above 0 the likeliest story must not be that its sensor lies and that there is no release."""
    east, north = (value.ravel() for value in np.meshgrid([-400.0, 0.0, 400.0], [100.0, 400.0, 700.0, 1_000.0]))
    level = plume_gpm3(north, east, 3.0, rate_gps=50, wind_mps=4, stability=D, terrain=Terrain.RURAL)
    level[:] = np.where((east == 0) & (north == 400), level, 0.0)
    position = np.column_stack([east, north, np.full(12, 3.0)])
    problem = Release(readings_of(position, level, limit_gpm3=2e-4), Weather(4.0, 185.0, D), box())
    found = locate(problem, np.random.default_rng(1))
    assert -300 < np.median(found.positions_m[:, 1]) < 400
    low, high = found.rate_quantiles_gps(0.05, 0.95)
    assert 1e-3 < low < high


def test_missing_stability_widens_the_answer() -> None:
    known = locate(release(), np.random.default_rng(1))
    unknown = locate(release(stability=None), np.random.default_rng(1))
    spread = [high / low for low, high in (one.rate_quantiles_gps(0.05, 0.95) for one in (known, unknown))]
    assert spread[1] > spread[0]


def test_an_update_agrees_with_a_search_from_nothing() -> None:
    problem = release()
    first = locate(problem.with_readings(problem.readings.subset(np.arange(30) < 24)), np.random.default_rng(1))
    assert error_m(locate(problem, np.random.default_rng(2), before=first)) < 60


def test_the_same_seed_gives_the_same_answer() -> None:
    assert (
        locate(release(), np.random.default_rng(3)).samples == locate(release(), np.random.default_rng(3)).samples
    ).all()


def test_regions_hold_their_share_of_the_samples() -> None:
    found = locate(release(), np.random.default_rng(1))
    for feature, probability in zip(region_features(found.positions_m, (0.5, 0.9)), (0.5, 0.9), strict=True):
        region = shape(feature["geometry"]).buffer(0)  # type: ignore[arg-type]
        inside = np.mean([region.contains(Point(*position)) for position in found.positions_m[:600]])
        assert inside == pytest.approx(probability, abs=0.08)


def test_where_a_source_may_not_be_none_is_found() -> None:
    problem = release()
    east, north = np.linspace(-1_500, 1_500, 61), np.linspace(-1_500, 1_500, 61)
    open_space = np.ones((61, 61), dtype=np.bool_)
    open_space[:, east < 0] = False
    held = Release(problem.readings, problem.weather, problem.box, (east, north, open_space))
    assert (locate(held, np.random.default_rng(1)).positions_m[:, 0] > -30).all()


@pytest.mark.parametrize("wrong", [[-1.0], [math.nan], [math.inf]])
def test_readings_that_cannot_be_are_refused(wrong: list[float]) -> None:
    with pytest.raises(InvalidInput):
        readings_of(np.zeros((1, 3)), np.array(wrong))


def test_calm_wind_and_an_empty_box_are_refused() -> None:
    with pytest.raises(CalmWind):
        Weather(0.0, 180.0, D)
    with pytest.raises(InvalidInput):
        Box(1, 1, 0, 2)


def test_a_saturated_reading_is_a_lower_bound() -> None:
    problem = release()
    many = len(problem.readings)
    ceiling = 0.2 * float(problem.readings.concentration_gpm3.max())
    clipped = np.minimum(problem.readings.concentration_gpm3, ceiling)
    position = np.column_stack([problem.readings.east_m, problem.readings.north_m, np.full(many, 1.5)])
    flags = (problem.readings.concentration_gpm3 > ceiling).tolist()
    said = Release(readings_of(position, clipped, limit_gpm3=1e-6, saturated=flags), problem.weather, box())
    assert error_m(locate(said, np.random.default_rng(1))) < 100


def test_the_hazard_map_lies_down_wind_and_grows_with_the_lead() -> None:
    problem = release()
    found = locate(problem, np.random.default_rng(1))
    levels = agent_of("chlorine").levels(30)
    drawn = hazard_map(found.samples, problem.weather, box(), levels, np.random.default_rng(1), age_s=30, cells=120)
    assert drawn.probability.shape == (4, 3, 120, 120)
    assert ((drawn.probability >= 0) & (drawn.probability <= 1)).all()
    upwind = drawn.north_m < TRUTH[1] - 200
    assert drawn.probability[:, :, upwind].max() < 0.2
    area = [(drawn.probability[lead, 0] > 0.5).sum() for lead in (0, 1)]
    assert 0 < area[0] < area[1]
    assert (drawn.probability[0, 0] >= drawn.probability[0, 1]).all()


def test_the_sampling_plan_looks_where_readings_would_differ() -> None:
    problem = release()
    found = locate(problem, np.random.default_rng(1))
    plan = sampling_plan(problem, found.samples, Box(-600, -600, 900, 900), np.random.default_rng(1))
    assert [place.information for place in plan] == sorted((place.information for place in plan), reverse=True)
    assert plan[0].information > 0
    assert plan[0].north_m > TRUTH[1] - 200


def test_levels_have_a_source_and_the_right_order() -> None:
    chlorine = agent_of("chlorine")
    first, second, third = chlorine.levels(60)
    assert chlorine.source
    assert first.concentration < second.concentration < third.concentration
    assert second.concentration == pytest.approx(2.0e-6 * 70.91 * 101_325 / (8.314 * 293.15), rel=1e-3)
    assert dose_level("d", "dose", 100.0).concentration == pytest.approx(100 / (0.00033 * 600))
    with pytest.raises(InvalidInput):
        agent_of("phlogiston")


@pytest.mark.skipif(not GRASS.exists(), reason="the releases of Prairie Grass are not beside this repository")
def test_prairie_grass_arc_maxima() -> None:
    runs = read_runs(GRASS)
    observed = np.concatenate([list(run.arc_maxima().values()) for run in runs])
    found = scores(observed, np.concatenate([arc_maxima_by_similarity(run) for run in runs]))
    assert found.factor_of_two > 0.85
    assert abs(found.fractional_bias) < 0.12
    assert found.geometric_variance < 1.35


def test_an_unknown_wind_speed_widens_the_rate_and_not_the_place() -> None:
    known, unknown = release(), release()
    unknown = replace(unknown, weather=replace(unknown.weather, log_speed_error=USUAL_WIND_LOG_ERROR))
    one, other = (locate(problem, np.random.default_rng(1)) for problem in (known, unknown))
    spread = [math.log(high / low) for low, high in (found.rate_quantiles_gps(0.05, 0.95) for found in (one, other))]
    assert spread[1] > 1.2 * spread[0]
    assert error_m(other) < 60


def test_the_start_of_a_release_is_told_from_when_sensors_noticed_it() -> None:
    """Two minutes' way at 4 m/s: the nearest sensor noticed it late, and the far one later still."""
    found = locate(release(), np.random.default_rng(1))
    began = 1_000.0
    arrivals = [Arrival(TRUTH[0], TRUTH[1] + way, began + way / 4.0, 20.0) for way in (200.0, 500.0)]
    times = start_times(found.samples, release().weather, arrivals, np.random.default_rng(1))
    assert np.median(times) == pytest.approx(began, abs=25)
    low, high = np.quantile(times, [0.05, 0.95])
    assert low < began < high


def test_open_space_is_a_grid_of_a_map(tmp_path: Path) -> None:
    plane = Plane(12.9, 44.9)
    square = [list(plane.to_degrees(x, y)) for x, y in ((0, 0), (500, 0), (500, 500), (0, 500), (0, 0))]
    file = tmp_path / "open.geojson"
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [square]}}
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    cells = open_cells(read_open_space(file), plane, Box.around(0, 0, 2_000))
    assert cells is not None
    east, north, allowed = cells
    assert allowed[np.argmin(abs(north - 250)), np.argmin(abs(east - 250))]
    assert not allowed[np.argmin(abs(north + 250)), np.argmin(abs(east - 250))]
    assert open_cells(read_open_space(file), plane, Box.around(90_000, 0, 2_000)) is None
    for wrong in (
        "",
        "{}",
        '{"type": "FeatureCollection", "features": []}',
        '{"type": "Point", "coordinates": [1, 2]}',
    ):
        other = tmp_path / f"{len(wrong)}.geojson"
        other.write_text(wrong)
        with pytest.raises(ConfigurationError):
            read_open_space(other)
