"""The air tool: dispersion and source location on Prairie Grass, detection on the simulated network, speed.

`IMPETUS_PRAIRIE_GRASS` names another folder with `arcs.csv` and `weather.csv`, for runs that were kept back.
"""

from __future__ import annotations

import asyncio
import math
import os
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from shapely.geometry import Point, shape

from benchmarks.reporting import Figure, report
from impetus.exercise import signals
from impetus.exercise.city import sensors
from impetus.exercise.events import RELEASE_SITES, EventKind, PlantedEvent, Schedule, reading
from impetus.exercise.geography import to_degrees
from impetus.model import Observation, ObservationBatch
from impetus.sdk import LocalContext, read_manifest
from impetus.tools.air import worker
from impetus.tools.air.agents import agent_of
from impetus.tools.air.detection import Detection, Detector, Reading
from impetus.tools.air.evaluation import Run, Scores, arc_maxima_by_similarity, read_runs, scores
from impetus.tools.air.hazard import hazard_map
from impetus.tools.air.plane import Plane
from impetus.tools.air.plume import plume_gpm3
from impetus.tools.air.posterior import locate
from impetus.tools.air.regions import region_features
from impetus.tools.air.release import Box, Readings, Release, Weather, readings_of
from impetus.tools.air.settings import AirSettings
from impetus.tools.air.similarity import SHORT_GRASS_M
from impetus.tools.air.simulator import NetworkSettings, PlantedStep, SimulatedNetwork, simulate
from impetus.tools.air.spread import Terrain, sigmas_m
from impetus.tools.air.stability import CLASSES, StabilityClass, class_from_obukhov
from impetus.tools.air.worker import AirTool

SHARED = Path(__file__).resolve().parents[2] / "shared/data/prairie-grass"
SAMPLERS, DRAWS = 16, 4
DIRECTION_ERROR_DEG, BOX_M = 15.0, 3_000.0
QUIET_DAYS, LEARNING_DAYS, SENSORS = 90.0, 14.0, 12
STEP_DAYS = 40.0
CITY_RELEASES, CITY_HISTORY_DAYS = 8, 5.0
CITY_START = datetime(2026, 3, 2, 6, tzinfo=UTC)

BRIGGS_AT_1_KM = {
    (Terrain.RURAL, "A"): (209.8, 200.0),
    (Terrain.RURAL, "B"): (152.6, 120.0),
    (Terrain.RURAL, "C"): (104.9, 73.0),
    (Terrain.RURAL, "D"): (76.28, 37.95),
    (Terrain.RURAL, "E"): (57.21, 23.08),
    (Terrain.RURAL, "F"): (38.14, 12.31),
    (Terrain.URBAN, "A"): (270.5, 339.4),
    (Terrain.URBAN, "B"): (270.5, 339.4),
    (Terrain.URBAN, "C"): (185.9, 200.0),
    (Terrain.URBAN, "D"): (135.2, 122.8),
    (Terrain.URBAN, "E"): (92.97, 50.60),
    (Terrain.URBAN, "F"): (92.97, 50.60),
}


def main() -> None:
    """Measure and print."""
    figures = [_formulas()]
    notes: list[str] = []
    folder = Path(os.environ.get("IMPETUS_PRAIRIE_GRASS", str(SHARED)))
    if (folder / "arcs.csv").exists():
        runs = read_runs(folder)
        figures += _dispersion(runs, notes)
        figures += _location(runs, notes)
    else:
        notes.append(f"Prairie Grass: not measured, there is no arcs.csv in {folder.name}.")
    figures += _detection(notes)
    figures += asyncio.run(_city(notes))
    figures += _speed()
    report("Air", figures, notes=notes)


def _formulas() -> Figure:
    worst = 0.0
    for (terrain, letter), asked in BRIGGS_AT_1_KM.items():
        found = sigmas_m(1_000.0, StabilityClass(letter), terrain)
        worst = max(worst, *(abs(float(value) / wanted - 1) for value, wanted in zip(found, asked, strict=True)))
    return Figure("Briggs' sigmas at 1 km, worst difference", "of one", 5e-4, worst, at_most=True)


def _dispersion(runs: Sequence[Run], notes: list[str]) -> list[Figure]:
    observed = np.concatenate([list(run.arc_maxima().values()) for run in runs])
    found = scores(observed, np.concatenate([arc_maxima_by_similarity(run) for run in runs]))
    notes.append(f"Prairie Grass: {len(runs)} runs, {found.pairs} arc maxima, turbulence as measured, nothing fitted.")
    for terrain in (Terrain.RURAL, Terrain.PASQUILL_GIFFORD):
        textbook = scores(observed, np.concatenate([_textbook(run, terrain) for run in runs]))
        notes.append(f"  for comparison, a plume with {terrain.value} coefficients by class: {_text(textbook)}")
    return [
        Figure("Prairie Grass, arc maxima, FAC2", "of one", 0.85, found.factor_of_two),
        Figure("  absolute fractional bias", "of one", 0.1, abs(found.fractional_bias), at_most=True),
        Figure("  geometric variance", "of one", 1.35, found.geometric_variance, at_most=True),
    ]


def _textbook(run: Run, terrain: Terrain) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return plume_gpm3(
        list(run.arc_maxima()),
        0.0,
        run.sampler_height_m,
        rate_gps=run.rate_gps,
        wind_mps=run.wind_mps,
        stability=class_from_obukhov(run.obukhov_length_m, SHORT_GRASS_M),
        terrain=terrain,
        height_m=run.source_height_m,
    )


def _text(found: Scores) -> str:
    return (
        f"FAC2 {found.factor_of_two:.2f}, FB {found.fractional_bias:+.2f}, VG {found.geometric_variance:.2f},"
        f" MG {found.geometric_mean:.2f}"
    )


def _location(runs: Sequence[Run], notes: list[str]) -> list[Figure]:
    errors, ratios, inside_50, inside_90, took_s = [], [], [], [], []
    for run in runs:
        for draw in range(DRAWS):
            random = np.random.default_rng([run.number, draw])
            release, truth = _problem(run, random)
            began_s = time.process_time()
            found = locate(release, random)
            took_s.append(time.process_time() - began_s)
            errors.append(float(np.hypot(*(np.array(found.median_m) - truth))))
            ratios.append(found.rate_quantiles_gps(0.5)[0] / run.rate_gps)
            regions = [shape(feature["geometry"]) for feature in region_features(found.positions_m, (0.5, 0.9))]  # type: ignore[arg-type]
            inside = [region.buffer(0).contains(Point(*truth)) for region in regions]
            inside_50.append(inside[0])
            inside_90.append(inside[1])
    share_50, share_90 = float(np.mean(inside_50)), float(np.mean(inside_90))
    notes.append(
        f"Location: {SAMPLERS} samplers by chance, {DRAWS} draws a run, direction wrong by a normal error of"
        f" {DIRECTION_ERROR_DEG:g} degrees, stability by one class or none, wind at 2 m; the 50 % regions hold"
        f" {share_50:.0%}; 90 % of errors are under {np.quantile(errors, 0.9):.0f} m."
    )
    factor_of_two = float(np.mean([0.5 <= ratio <= 2 for ratio in ratios]))
    return [
        Figure("source location, median error", "m", 30.0, statistics.median(errors), at_most=True),
        Figure("  under 100 m", "of one", 0.90, float(np.mean(np.array(errors) < 100))),
        Figure("  rate within a factor of two", "of one", 0.70, factor_of_two),
        Figure("  90 % regions hold the source, at least", "of one", 0.85, share_90),
        Figure("  90 % regions hold the source, at most", "of one", 0.95, share_90, at_most=True),
        Figure("  a first location, processor time", "s", 1.0, statistics.median(took_s), at_most=True),
    ]


def _problem(
    run: Run, random: np.random.Generator
) -> tuple[Release, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """What one would know of a run, moved so that the source is not in the middle of the box."""
    chosen = random.choice(len(run.distance_m), SAMPLERS, replace=False)
    truth = random.uniform(-500.0, 500.0, 2)
    bearing, distance = np.radians(run.bearing_deg[chosen]), run.distance_m[chosen]
    position = np.column_stack(
        [
            truth[0] + distance * np.sin(bearing),
            truth[1] + distance * np.cos(bearing),
            np.full(SAMPLERS, run.sampler_height_m),
        ]
    )
    number = class_from_obukhov(run.obukhov_length_m, SHORT_GRASS_M).number + int(random.integers(-1, 2))
    weather = Weather(
        wind_mps=run.wind_mps,
        wind_from_deg=run.wind_from_deg + float(random.normal(0, DIRECTION_ERROR_DEG)),
        stability=CLASSES[min(max(number, 0), 5)],
    )
    return Release(readings_of(position, run.concentration_gpm3[chosen]), weather, Box.around(0, 0, BOX_M)), truth


def _detection(notes: list[str]) -> list[Figure]:
    """False alarms and delays, with normal noise and with heavy-tailed noise (Student's t of 8 degrees of freedom)."""
    return [*_noise(None, "", notes), *_noise(8.0, ", heavy-tailed noise", notes)]


def _noise(freedom: float | None, words: str, notes: list[str]) -> list[Figure]:
    quiet = simulate(NetworkSettings(sensors=SENSORS, days=QUIET_DAYS, seed=31, tail_freedom=freedom))
    opened = [found for _, found in _play(quiet) if found.revision == 0]
    learnt_s = float(quiet.time_s[0]) + LEARNING_DAYS * 86_400
    counted = [found for found in opened if found.time_s >= learnt_s]
    years = SENSORS * (QUIET_DAYS - LEARNING_DAYS) / 365.25
    singles, joints = _planted()
    steps = [*singles, *(step for group in joints for step in group)]
    settings = NetworkSettings(sensors=SENSORS, days=STEP_DAYS, seed=32, tail_freedom=freedom)
    found = [(sample, one) for sample, one in _play(simulate(settings, steps)) if one.revision == 0]
    delays = [_delay(found, {str(step.sensor)}, step) for step in singles]
    joint_delays = [_delay(found, {str(step.sensor) for step in group}, group[0]) for group in joints]
    within = float(np.mean([delay is not None and delay <= 3 for delay in delays]))
    joint_within = float(np.mean([delay is not None for delay in joint_delays]))
    notes.append(
        f"Detection{words}: {years:.1f} sensor-years of {SENSORS} sensors after {LEARNING_DAYS:g} days of learning;"
        f" {len(opened) - len(counted)} false alarms while learning ({sum(one.learning for one in opened)} in the first"
        f" day), {sum(one.joint for one in counted)} of the others joint; {len(singles)} steps of 5 sigma, median delay"
        f" {statistics.median(delay for delay in delays if delay):g} samples; {len(joints)} of 2.5 sigma on three"
        f" neighbours for 8 samples, median {statistics.median(delay for delay in joint_delays if delay):g}."
    )
    if freedom is None:
        notes += [f"  steps of {height:g} sigma on one sensor: {share}" for height, share in _by_height().items()]
    return [
        Figure(f"false alarms{words}", "a sensor-year", 1.0, len(counted) / years, at_most=True),
        Figure("  5-sigma steps found within 3 samples", "of one", 0.9, within),
        Figure("  2.5-sigma steps on three neighbours found", "of one", 0.9, joint_within),
    ]


def _by_height() -> dict[float, str]:
    """Share found and median delay for other heights, a run each."""
    found = {}
    for height in (3.0, 4.0):
        steps = [PlantedStep(step.sensor, step.first, step.samples, height) for step in _planted()[0]]
        network = simulate(NetworkSettings(sensors=SENSORS, days=STEP_DAYS, seed=33), steps)
        opened = [(sample, one) for sample, one in _play(network) if one.revision == 0]
        delays = [_delay(opened, {str(step.sensor)}, step) for step in steps]
        seen = [delay for delay in delays if delay is not None]
        median = f"after {statistics.median(seen):g} samples" if seen else ""
        found[height] = f"{len(seen) / len(delays):.0%} found {median}"
    return found


def _planted() -> tuple[list[PlantedStep], list[list[PlantedStep]]]:
    """Steps at all hours, after the time of learning, far enough apart to be told from one another."""
    random = np.random.default_rng(5)
    singles, joints = [], []
    first = round(LEARNING_DAYS * 288)
    while first + 40 < STEP_DAYS * 288:
        corner = int(random.choice([0, 1, 2, 4, 5, 6]))
        singles.append(PlantedStep(int(random.integers(SENSORS)), first, 8, 5.0))
        near = [corner, corner + 1, corner + 4]
        joints.append([PlantedStep(sensor, first + 60, 8, 2.5) for sensor in near])
        first += 120 + int(random.integers(40))
    return singles, joints


def _delay(found: Sequence[tuple[int, Detection]], sensors: set[str], step: PlantedStep) -> int | None:
    """Samples from the step's first to its detection, that one included."""
    for sample, one in found:
        if step.first <= sample < step.first + step.samples and sensors & set(one.sensors):
            return sample - step.first + 1
    return None


def _play(network: SimulatedNetwork) -> list[tuple[int, Detection]]:
    detector = Detector({str(number): (float(x), float(y)) for number, (x, y) in enumerate(network.positions_m)})
    found = []
    for sample, time_s in enumerate(network.time_s):
        covariates = tuple(network.covariates[sample])
        readings = [
            Reading(str(sensor), float(time_s), float(value), covariates)
            for sensor, value in enumerate(network.values[sample])
        ]
        found += [(sample, one) for one in detector.observe(readings)]
    return found


async def _city(notes: list[str]) -> list[Figure]:
    """Releases of the demo city through the tool as it runs there: found, how soon, and how far the source is off."""
    errors, delays, inside = [], [], []
    for seed in range(CITY_RELEASES):
        start = CITY_START + timedelta(hours=17 * seed)
        planned = Schedule(sensors(), seed=seed, start=start).plan(start + timedelta(hours=1))
        event = next(one for one in planned if one.kind is EventKind.RELEASE)
        context = await _played(event)
        soon = [alert for alert in context.alerts if alert.detector == "release" and alert.sent >= event.start]
        zones = [one for one in context.results if one.kind == "hazard-zone" and one.ended is None]
        delays.append((soon[0].sent - event.start).total_seconds() if soon else math.inf)
        if not zones:
            errors.append(math.inf)
            inside.append(False)
            continue
        source: Any = zones[-1].content["source"]
        truth = next(position for site, position in RELEASE_SITES if site == event.site)
        longitude, latitude = to_degrees(truth)
        plane = Plane(longitude, latitude)
        errors.append(math.hypot(*plane.to_metres(source["longitude"], source["latitude"])))
        inside.append(
            shape(source["regions"]["features"][-1]["geometry"]).buffer(0).contains(Point(longitude, latitude))
        )
    notes.append(
        f"Demo city: {CITY_RELEASES} releases of its schedule, each after {CITY_HISTORY_DAYS:g} days of history; alerts"
        f" after {', '.join(f'{delay:.0f}' for delay in delays)} s; sources off by"
        f" {', '.join(f'{one:.0f}' for one in errors)} m two minutes after the start; the 90 % region holds"
        f" {sum(inside)} of them."
    )
    found = float(np.mean(np.isfinite(delays)))
    return [
        Figure("releases of the demo city found", "of one", 1.0, found),
        Figure("  median error of the source", "m", 150.0, statistics.median(errors), at_most=True),
    ]


async def _played(event: PlantedEvent) -> LocalContext:
    """The air tool over the days before a release and its first two minutes."""
    manifest = read_manifest(Path(worker.__file__).parent)
    wanted = {name for entry in manifest.inputs for name in getattr(entry, "observed_properties", None) or ()}
    city = [sensor for sensor in sensors().values() if sensor.property.id in wanted]
    began = event.start - timedelta(seconds=90)
    times = signals.history_times(began - timedelta(days=CITY_HISTORY_DAYS), began, timedelta(minutes=5))
    time_s = np.array([moment.timestamp() for moment in times])
    columns = [(sensor.datastream.id, signals.values(sensor, time_s).tolist()) for sensor in city]
    history = [
        ObservationBatch.of([Observation(datastream=id, time=moment, value=values[row]) for id, values in columns])
        for row, moment in enumerate(times)
    ]
    streams = [sensor.datastream for sensor in city]
    context = LocalContext(manifest, datastreams=streams, history=history, start=began)
    tool = AirTool(context, AirSettings())
    await tool.start()
    while context.clock.now() < event.start + timedelta(seconds=120):
        context.clock.advance(5.0)
        now = context.clock.now()
        values = [(sensor.datastream.id, reading(sensor, now, [event])) for sensor in city]
        await tool.observe(
            ObservationBatch.of([Observation(datastream=id, time=now, value=v) for id, v in values if v is not None])
        )
        await tool.tick()
    return context


def _speed() -> list[Figure]:
    """An update of the posterior with 100 sensors from the one of a moment before, and a map drawn from it."""
    random = np.random.default_rng(3)
    position = np.column_stack([random.uniform(-700, 700, 100), random.uniform(50, 1_400, 100), np.full(100, 2.0)])
    weather = Weather(3.0, 180.0, StabilityClass.D)
    model = plume_gpm3(
        position[:, 1], position[:, 0], 2.0, rate_gps=50, wind_mps=3, stability=StabilityClass.D, terrain=Terrain.RURAL
    )
    measured = np.where(model > 1e-6, model * np.exp(random.normal(0, 0.4, 100)), 0.0)
    every = readings_of(position, measured, limit_gpm3=1e-6)
    release = Release(_without(every, 99), weather, Box.around(0, 500, BOX_M))
    before = locate(release, random)
    took = []
    for _ in range(10):
        began_s = time.process_time()
        locate(release.with_readings(every), random, before=before)
        took.append(1_000 * (time.process_time() - began_s))
    drawn = []
    for _ in range(10):
        began_s = time.process_time()
        hazard_map(before.samples, weather, release.box, agent_of("chlorine").levels(30), random)
        drawn.append(1_000 * (time.process_time() - began_s))
    return [
        Figure("posterior update, 100 sensors, processor time", "ms", 200.0, statistics.median(took), at_most=True),
        Figure("hazard map, 200 x 200 cells, four lead times", "ms", 100.0, statistics.median(drawn), at_most=True),
    ]


def _without(readings: Readings, place: int) -> Readings:
    return readings.subset(np.arange(len(readings)) != place)


if __name__ == "__main__":
    main()
