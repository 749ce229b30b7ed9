"""From readings above background to a hazard zone: posterior, map, and the document that tools and people read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import JsonValue
from shapely.geometry import MultiPolygon, Point, Polygon, mapping

from impetus.model import Place, from_microseconds
from impetus.model import Polygon as PlacePolygon
from impetus.tools.air.agents import Level
from impetus.tools.air.arrays import Booleans, Floats
from impetus.tools.air.hazard import HazardMap, hazard_map
from impetus.tools.air.onset import Arrival, start_times
from impetus.tools.air.plane import Plane
from impetus.tools.air.posterior import Posterior, locate
from impetus.tools.air.regions import polygons_above, region_features
from impetus.tools.air.release import Box, Readings, Release, Unknown, Weather
from impetus.tools.air.sampling import sampling_plan

OpenSpace = Callable[[Box], tuple[Floats, Floats, Booleans] | None]
LIKELY = 0.5
POSSIBLE = 0.1
"""A zone is drawn where a level is exceeded with this probability."""
SEARCH_M = 3_000.0
SIMPLIFY_M = 6.0
LEAST_M2 = 200.0


@dataclass(frozen=True, slots=True)
class Excess:
    """What a sensor reads beyond its background."""

    sensor: str
    east_m: float
    north_m: float
    height_m: float
    value: float
    """Over the background, in the levels' unit; 0 for nothing."""
    limit: float
    """Twice the scatter of the background."""
    saturated: bool = False
    trusted: bool = False
    """A detection stands on it."""
    first_s: float | None = None
    """When it first read something of this release, in seconds since 1970, if it has."""
    error_s: float = 20.0
    """How far wrong that may be."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """All that is worked out of a release at a moment."""

    posterior: Posterior
    hazard: HazardMap
    box: Box
    scale: float
    release: Release
    began_s: Floats
    """When the release began, in seconds since 1970, as many samples as the posterior has."""


def assess(
    readings: Sequence[Excess],
    weather: Weather,
    levels: Sequence[Level],
    random: np.random.Generator,
    *,
    now_s: float,
    onset_s: float,
    space: OpenSpace | None = None,
    before: Posterior | None = None,
) -> Assessment:
    """Locate the source and draw the zone. `readings` must not be empty and hold one above 0; `onset_s` is when the
    first of them was noticed; `space` says where in a box a source may be."""
    # The method thinks in g/m3; other units are scaled so that the numbers are of that size.
    scale = max(max(reading.value for reading in readings), 1e-9) * 100.0
    rows = Readings(
        np.array([reading.east_m for reading in readings]),
        np.array([reading.north_m for reading in readings]),
        np.array([reading.height_m for reading in readings]),
        np.array([max(reading.value, 0.0) for reading in readings]) / scale,
        np.array([max(reading.limit, 1e-9) for reading in readings]) / scale,
        np.array([reading.saturated for reading in readings], dtype=np.bool_),
        np.array([reading.trusted and reading.value > 0 for reading in readings], dtype=np.bool_),
    )
    strongest = max(readings, key=lambda reading: reading.value)
    box = Box.around(strongest.east_m, strongest.north_m, SEARCH_M)
    release = Release(rows, weather, box, space(box) if space is not None else None)
    posterior = locate(release, random, before=before)
    arrivals = [
        Arrival(one.east_m, one.north_m, one.first_s, one.error_s) for one in readings if one.first_s is not None
    ]
    arrivals = arrivals or [Arrival(strongest.east_m, strongest.north_m, onset_s, strongest.error_s)]
    began_s = np.minimum(start_times(posterior.samples, weather, arrivals, random), now_s)
    age_s = now_s - float(np.median(began_s))
    hazard = hazard_map(posterior.samples, weather, box, levels, random, age_s=age_s, scale=scale)
    return Assessment(posterior, hazard, box, scale, release, began_s)


def zone_polygons(hazard: HazardMap, lead: int, level: int, probability: float) -> MultiPolygon:
    """Where a level is exceeded with at least that probability, in metres; small bits are left out."""
    rings = polygons_above(hazard.east_m, hazard.north_m, hazard.probability[lead, level], probability)
    shapes = []
    for polygon in rings:
        drawn = Polygon(polygon[0], polygon[1:]).buffer(0).simplify(SIMPLIFY_M)
        parts = drawn.geoms if isinstance(drawn, MultiPolygon) else [drawn]
        shapes += [part for part in parts if isinstance(part, Polygon) and part.area >= LEAST_M2]
    return MultiPolygon(shapes)


def document(
    assessment: Assessment,
    plane: Plane,
    random: np.random.Generator,
    *,
    agent: str,
    unit: str,
    rate_unit: str,
    remarks: Sequence[str],
    sensors: Sequence[Excess],
    people: Mapping[tuple[float, float], float],
) -> tuple[dict[str, JsonValue], Place | None]:
    """The content of a `hazard-zone` result, and the place that stands for it: the widest likely zone of the second
    level (or the first, if there is none) within half an hour.

    `people`: how many are counted at positions in metres.
    """
    hazard, posterior = assessment.hazard, assessment.posterior
    weather = assessment.release.weather
    zones, curve, outline = drawn_zones(hazard, plane, people)
    began = [from_microseconds(round(1e6 * float(time))) for time in np.quantile(assessment.began_s, [0.5, 0.05, 0.95])]
    east, north = posterior.median_m
    low, middle, high = (value * assessment.scale for value in posterior.rate_quantiles_gps(0.05, 0.5, 0.95))
    longitude, latitude = plane.to_degrees(east, north)
    plan = sampling_plan(assessment.release, posterior.samples, _near(assessment), random)
    content: dict[str, JsonValue] = {
        "agent": agent,
        "unit": unit,
        "source": {
            "longitude": longitude,
            "latitude": latitude,
            "rate": middle,
            "rate_low": low,
            "rate_high": high,
            "rate_unit": rate_unit,
            "began": began[0].isoformat(),
            "began_earliest": began[1].isoformat(),
            "began_latest": began[2].isoformat(),
            "spread_m": round(math.sqrt(float(np.trace(posterior.covariance_m2)))),
            "regions": {
                "type": "FeatureCollection",
                "features": _json(region_features(posterior.positions_m, (0.5, 0.9), place=plane.to_degrees)),
            },
        },
        "wind": wind_of(weather),
        "zones": zones,
        "curve": curve,
        "sensors": [
            {
                "sensor": reading.sensor,
                "longitude": plane.to_degrees(reading.east_m, reading.north_m)[0],
                "latitude": plane.to_degrees(reading.east_m, reading.north_m)[1],
                "value": round(reading.value, 6),
                "limit": round(reading.limit, 6),
            }
            for reading in sensors
        ],
        "sampling": [
            {
                "longitude": plane.to_degrees(place.east_m, place.north_m)[0],
                "latitude": plane.to_degrees(place.east_m, place.north_m)[1],
                "information_nats": round(place.information, 3),
            }
            for place in plan
        ],
        "advice": advice(hazard),
        "remarks": list(remarks),
        "effective_samples": round(posterior.effective_samples),
    }
    return content, place_of(outline, plane)


def wind_of(weather: Weather) -> dict[str, JsonValue]:
    """The wind as a document says it."""
    return {
        "speed_mps": round(weather.wind_mps, 2),
        "from_deg": round(weather.wind_from_deg, 1),
        "error_deg": round(weather.direction_error_deg, 1),
        "stability": weather.stability.value if weather.stability else "unknown",
    }


def drawn_zones(
    hazard: HazardMap, plane: Plane, people: Mapping[tuple[float, float], float]
) -> tuple[list[JsonValue], list[JsonValue], MultiPolygon | None]:
    """Zones by lead, level and probability as other tools read them; the areas of the likely ones by lead; and the
    outline that stands for all: the likely zone of the second level (or the first) at the longest lead that has one."""
    zones: list[JsonValue] = []
    outline: MultiPolygon | None = None
    curve: list[JsonValue] = []
    for lead, lead_s in enumerate(hazard.leads_s):
        counts: dict[str, JsonValue] = {"minute": lead_s / 60}
        for number, level in enumerate(hazard.levels):
            for probability in (LIKELY, POSSIBLE):
                shape = zone_polygons(hazard, lead, number, probability)
                zones.append(
                    {
                        "lead_s": lead_s,
                        "level": level.id,
                        "severity": number + 1,
                        "title": level.title,
                        "concentration": level.concentration,
                        "probability": probability,
                        "area_m2": round(shape.area),
                        "people": round(people_in(shape, people)),
                        "geometry": _degrees(shape, plane),
                    }
                )
                if probability == LIKELY:
                    counts[f"level_{number + 1}_m2"] = round(shape.area)
                    if not shape.is_empty and (number == 1 or (number == 0 and outline is None)):
                        outline = shape
        curve.append(counts)
    return zones, curve, outline


def advice(hazard: HazardMap) -> list[JsonValue]:
    """Proposals for a person to confirm; the tool itself tells nobody anything."""
    found: list[JsonValue] = []
    second = min(1, len(hazard.levels) - 1)
    now = zone_polygons(hazard, 0, second, LIKELY)
    later = zone_polygons(hazard, len(hazard.leads_s) - 1, second, POSSIBLE)
    if not now.is_empty:
        found.append("Proposed: people in the present zone stay indoors, close windows and stop ventilation.")
    if not later.is_empty:
        found.append("Proposed: people whom the zone reaches later leave across the wind; exits down-wind stay closed.")
    if not found:
        found.append("No level is likely to be exceeded; keep watching and take a sample for the laboratory.")
    return found


def point_samples(
    east_m: float, north_m: float, rate: float, weather: Weather, random: np.random.Generator, count: int = 400
) -> Floats:
    """Samples of a release whose place and rate are given: only the weather and the model are uncertain."""
    box = Box.around(east_m, north_m, SEARCH_M)
    one = np.array([0.0])
    none = one.astype(np.bool_)
    nothing = Readings(one, one, one, one, one + 1.0, none, none)
    samples = Release(nothing, weather, box).draw_prior(count, random)
    samples[:, Unknown.EAST], samples[:, Unknown.NORTH] = east_m, north_m
    samples[:, Unknown.LOG_RATE] = math.log(rate)
    return samples


def people_in(shape: MultiPolygon, people: Mapping[tuple[float, float], float]) -> float:
    """How many are counted within it."""
    return sum(count for position, count in people.items() if shape.contains(Point(*position)))


def _near(assessment: Assessment) -> Box:
    """Where sampling could tell something: around the likely source and the sensors that read something."""
    positions = assessment.posterior.positions_m
    low, high = np.quantile(positions, 0.02, axis=0) - 300.0, np.quantile(positions, 0.98, axis=0) + 300.0
    return Box(float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def _degrees(shape: MultiPolygon, plane: Plane) -> JsonValue:
    polygons = mapping(shape)["coordinates"] if not shape.is_empty else []
    return {
        "type": "MultiPolygon",
        "coordinates": [[[list(plane.to_degrees(x, y)) for x, y in ring] for ring in polygon] for polygon in polygons],
    }


def place_of(outline: MultiPolygon | None, plane: Plane) -> Place | None:
    if outline is None or outline.is_empty:
        return None
    widest = max(outline.geoms, key=lambda part: part.area)
    ring = tuple(plane.to_degrees(x, y) for x, y in widest.exterior.coords)
    return Place(geometry=PlacePolygon(coordinates=(ring,)), name="Hazard zone") if len(ring) >= 4 else None


def _json(features: list[dict[str, object]]) -> JsonValue:
    return features  # type: ignore[return-value]  # GeoJSON is JSON
