"""Reads the files of the command line: readings of a network, points, samples and the weather. All are bounded."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import numpy as np

from impetus.model import InvalidInput
from impetus.tools.air.arrays import Floats
from impetus.tools.air.background import COVARIATES
from impetus.tools.air.quantities import convert
from impetus.tools.air.release import USUAL_WIND_LOG_ERROR, USUAL_WIND_MPS, Box, Weather
from impetus.tools.air.spread import Terrain
from impetus.tools.air.stability import (
    StabilityClass,
    class_from_direction_sd,
    class_from_obukhov,
    class_from_radiation,
    class_of,
)

LARGEST_BYTES = 500_000_000
MOST_POINTS = 1_000_000
MOST_SAMPLES = 2_000
WEATHER_BYTES = 1_000_000
NO_VALUE = frozenset({"", "na", "n/a", "nan", "null", "none", "inf", "-inf", "+inf", "infinity", "-infinity", "-"})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SensorReading:
    """One row of a file of readings: `time_s` follows the local time as written."""

    time: str
    time_s: float
    sensor: str
    value: float
    covariates: tuple[float, ...]
    position_m: tuple[float, float] | None = None


@dataclass
class Remarks:
    """What was left out of a file, and why: counted, and shown at the end."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, what: str) -> None:
        """One more of it."""
        self.counts[what] = self.counts.get(what, 0) + 1


def read_rows(path: str, columns: Sequence[str], stream: TextIO | None = None) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV file as (line number, column -> text); names are found in the first line, in any case.

    Raises InvalidInput if the file cannot be read, is too large, is no CSV or lacks a column.
    """
    if stream is not None:
        yield from _rows(stream, path, columns)
        return
    try:
        if Path(path).stat().st_size > LARGEST_BYTES:
            raise InvalidInput(f"{path} is larger than {LARGEST_BYTES // 1_000_000} MB", hint="split it")
        with Path(path).open(encoding="utf-8", newline="") as lines:
            yield from _rows(lines, path, columns)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", hint="name a CSV file") from error


def _rows(lines: Iterable[str], name: str, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(lines)
    first_line = ",".join(columns)
    try:
        header = next(reader, None)
        if header is None:
            raise InvalidInput(f"{name} is empty", hint=f"the first line is: {first_line}")
        names = [column.strip().lstrip("\ufeff").lower() for column in header]
        missing = [column for column in columns if column not in names]
        if missing:
            raise InvalidInput(f"{name}: line 1 names no column {', '.join(missing)}", hint=f"it is: {first_line}")
        for fields in reader:
            if not fields:
                continue
            if len(fields) < len(names):
                raise InvalidInput(
                    f"{name}: line {reader.line_num} has {len(fields)} of {len(names)} fields",
                    hint="write a field for each column, empty where a value is missing",
                )
            yield reader.line_num, {column: text.strip() for column, text in zip(names, fields, strict=False)}
    except csv.Error as error:
        raise InvalidInput(f"{name}: line {reader.line_num}: {error}", hint="write comma-separated values") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is not text in UTF-8", hint="convert it first") from error


def number(text: str, place: str, *, missing: float = math.nan) -> float:
    """A number as written; `missing` where there is none. Raises InvalidInput for other text."""
    if text.lower() in NO_VALUE:
        return missing
    try:
        return float(text)
    except ValueError as error:
        raise InvalidInput(f"{place}: {text[:40]!r} is no number", hint="use a point for decimals") from error


def moment(text: str, place: str) -> tuple[float, float | None]:
    """Seconds since 1970 on the clock as written, and the seconds by which that is ahead of UTC, where it says so: an
    ISO 8601 time, or seconds since 1970."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        seconds = number(text, place)
        if not math.isfinite(seconds) or abs(seconds) > 1e11:
            raise InvalidInput(f"{place}: {text[:40]!r} is no time", hint="as in 2026-03-02T14:05:00+01:00") from None
        return seconds, None
    ahead = found.utcoffset()
    return (found.replace(tzinfo=UTC) - EPOCH).total_seconds(), None if ahead is None else ahead.total_seconds()


def read_network(path: str, remarks: Remarks, stream: TextIO | None = None) -> Iterator[SensorReading]:
    """Readings of `time,sensor,value[,unit][,saturated_at][,x_m,y_m][,wind_speed_mps,...]`, in the file's order.

    A negative reading, a saturated one, one without a value and one in a unit of another kind are left out and counted
    in `remarks`. The first unit of a sensor is that of its series; others are converted.
    """
    units: dict[str, str] = {}
    clock_s: float | None = None
    for line, row in read_rows(path, ("time", "sensor", "value"), stream):
        place = f"{path}: line {line}"
        sensor = row["sensor"][:200]
        if not sensor:
            raise InvalidInput(f"{place}: names no sensor", hint="each row has a sensor")
        time_s, ahead_s = moment(row["time"], place)
        if ahead_s is not None:
            # All follow the clock of the first row, whose days the city lives by; other offsets are brought to it.
            clock_s = ahead_s if clock_s is None else clock_s
            time_s += clock_s - ahead_s
        value = number(row["value"], place)
        if not math.isfinite(value):
            remarks.add("without a value")
            continue
        if unit := row.get("unit", ""):
            try:
                value = convert(value, unit, units.setdefault(sensor, unit))
            except InvalidInput:
                remarks.add("in a unit of another kind than the sensor's first")
                continue
        if value < 0:
            remarks.add("below 0")
            continue
        highest = number(row.get("saturated_at", ""), place)
        if math.isfinite(highest) and value >= highest:
            # A saturated reading is at least so much: it is a lower bound, and still far above background.
            value = highest
            remarks.add("saturated (taken as that much)")
        covariates = tuple(number(row.get(name, ""), place) for name in COVARIATES)
        east, north = number(row.get("x_m", ""), place), number(row.get("y_m", ""), place)
        position = (east, north) if math.isfinite(east) and math.isfinite(north) else None
        yield SensorReading(row["time"], time_s, sensor, value, covariates, position)


def read_points(path: str, stream: TextIO | None = None) -> Floats:
    """(n, 3) of `x_m,y_m,z_m`; an empty z is the ground."""
    found: list[tuple[float, float, float]] = []
    for line, row in read_rows(path, ("x_m", "y_m", "z_m"), stream):
        place = f"{path}: line {line}"
        point = (number(row["x_m"], place), number(row["y_m"], place), number(row["z_m"], place, missing=0.0))
        if not all(math.isfinite(value) for value in point):
            raise InvalidInput(f"{place}: a coordinate is missing", hint="write x, y and z in metres")
        found.append(point)
        if len(found) > MOST_POINTS:
            raise InvalidInput(f"{path} has more than {MOST_POINTS:,} points", hint="split it")
    return np.array(found, dtype=np.float64).reshape(-1, 3)


@dataclass(frozen=True, slots=True)
class Samples:
    """What samplers found: positions (n, 3) in metres east, north, up, and g/m3."""

    position_m: Floats
    concentration_gpm3: Floats
    saturated: Sequence[bool]


def read_samples(path: str, remarks: Remarks, stream: TextIO | None = None) -> Samples:
    """Samples of `x_m,y_m,z_m,concentration_gpm3[,saturated]`; negative and missing ones are left out and counted."""
    positions: list[tuple[float, float, float]] = []
    values: list[float] = []
    saturated: list[bool] = []
    for line, row in read_rows(path, ("x_m", "y_m", "z_m", "concentration_gpm3"), stream):
        place = f"{path}: line {line}"
        value = number(row["concentration_gpm3"], place)
        point = (number(row["x_m"], place), number(row["y_m"], place), number(row["z_m"], place, missing=0.0))
        if not all(math.isfinite(coordinate) for coordinate in point):
            remarks.add("without a position")
        elif not math.isfinite(value):
            remarks.add("without a value")
        elif value < 0:
            remarks.add("below 0")
        else:
            positions.append(point)
            values.append(value)
            saturated.append(row.get("saturated", "").lower() in {"1", "true", "yes"})
        if len(values) > MOST_SAMPLES:
            raise InvalidInput(f"{path} has more than {MOST_SAMPLES:,} readings", hint="average them per sampler")
    if not values:
        raise InvalidInput(f"{path} holds no usable reading", hint="each row is: x_m,y_m,z_m,concentration_gpm3")
    return Samples(np.array(positions, dtype=np.float64).reshape(-1, 3), np.array(values), saturated)


@dataclass(frozen=True, slots=True)
class Situation:
    """What a weather file says: the weather, and what it knows of the search."""

    weather: Weather
    box: Box | None
    limit_gpm3: float | None
    remarks: Sequence[str]


_NAMES: Mapping[str, Sequence[str]] = {
    "wind": (
        "wind_speed_mps",
        "wind_mps",
        "wind_speed_2m_mps",
        "wind_speed_10m_mps",
        "wind_speed",
        "speed_mps",
        "u_mps",
    ),
    "from": ("wind_from_deg", "wind_direction_deg", "wind_dir_deg", "wind_direction", "wind_from"),
    "from_sd": (
        "wind_from_sd_deg",
        "wind_from_uncertainty_deg",
        "wind_direction_uncertainty_deg",
        "wind_from_error_deg",
    ),
    "class": ("stability", "stability_class", "class", "pasquill_class", "pasquill"),
    "class_sd": ("stability_uncertainty", "stability_uncertainty_classes", "stability_sd"),
    "obukhov": ("obukhov_length_m",),
    "roughness": ("roughness_m", "roughness_length_m"),
    "radiation": ("solar_radiation_wm2", "solar_wm2"),
    "fluctuation": ("wind_direction_sd_deg", "sigma_theta_deg"),
    "height": ("release_height_m", "source_height_m"),
    "limit": ("detection_limit_gpm3", "limit_of_detection_gpm3"),
    "width": ("search_width_m", "box_width_m", "search_box_m", "box_m"),
}


def read_situation(path: str) -> Situation:
    """The JSON object of a weather file.

    `wind_speed_mps` and `wind_from_deg` should be there. `stability` (A to F) may be given, or `obukhov_length_m`, or
    `solar_radiation_wm2`, or `wind_direction_sd_deg`; what is missing widens the uncertainty and is said.

    Raises InvalidInput if the file is no such object, a value is wrong, or the wind is calm.
    """
    document = _document(path)
    remarks: list[str] = []
    wind = _number(document, "wind", path)
    direction = _number(document, "from", path)
    speed_error = 0.0
    if wind is None:
        wind, speed_error = USUAL_WIND_MPS, USUAL_WIND_LOG_ERROR
        remarks.append(f"no wind speed is given: {wind:g} m/s is taken, and the rate is uncertain by a factor of two")
    if direction is None:
        remarks.append("no wind direction is given: any is taken for possible")
    direction_sd = _number(document, "from_sd", path)
    if direction is None:
        direction_sd = 120.0
    stability, stability_error = _stability(document, wind, path, remarks)
    terrain_text = str(document.get("terrain", "rural")).lower()
    try:
        terrain = Terrain(terrain_text)
    except ValueError as error:
        raise InvalidInput(f"{path}: there is no terrain {terrain_text[:20]!r}", hint="rural or urban") from error
    weather = Weather(
        wind_mps=wind,
        wind_from_deg=direction or 0.0,
        stability=stability,
        terrain=terrain,
        direction_error_deg=15.0 if direction_sd is None else max(direction_sd, 1.0),
        stability_error=stability_error,
        release_height_m=_number(document, "height", path) or 0.0,
        log_speed_error=speed_error,
    )
    return Situation(weather, _box(document, path), _number(document, "limit", path), remarks)


def _document(path: str) -> dict[str, object]:
    try:
        if Path(path).stat().st_size > WEATHER_BYTES:
            raise InvalidInput(f"{path} is too large for a weather file", hint="it is one JSON object")
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", hint="name a JSON file") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path} is no JSON: {error}", hint="it is one object") from error
    if not isinstance(document, dict):
        raise InvalidInput(f"{path} is no JSON object", hint='as in {"wind_speed_mps": 4, "wind_from_deg": 180}')
    return document


def _number(document: Mapping[str, object], what: str, path: str) -> float | None:
    for name in _NAMES[what]:
        value = document.get(name)
        if value is None or isinstance(value, list | dict):
            continue
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise InvalidInput(f"{path}: {name} is no number")
        found = number(str(value), f"{path}: {name}")
        if math.isfinite(found):
            return found
    return None


def _stability(
    document: Mapping[str, object], wind_mps: float, path: str, remarks: list[str]
) -> tuple[StabilityClass | None, float]:
    error = _number(document, "class_sd", path)
    width = 0.7 if error is None else min(max(error, 0.2), 6.0)
    for name in _NAMES["class"]:
        if isinstance(text := document.get(name), str) and text.strip():
            return class_of(text), width
    roughness = _number(document, "roughness", path) or 0.03
    length = _number(document, "obukhov", path)
    if length is not None:
        return class_from_obukhov(length, roughness), width
    radiation = _number(document, "radiation", path)
    if radiation is not None:
        return class_from_radiation(wind_mps, radiation), max(width, 1.0)
    fluctuation = _number(document, "fluctuation", path)
    if fluctuation is not None:
        return class_from_direction_sd(fluctuation), max(width, 1.0)
    remarks.append("no stability is given: any class is taken for possible, D for the likeliest")
    return None, 1.5


def _box(document: Mapping[str, object], path: str) -> Box | None:
    given = next((document[name] for name in ("box", "search_box", "bounds") if name in document), None)
    if isinstance(given, list) and len(given) == 4:
        west, south, east, north = (number(str(value), f"{path}: box") for value in given)
        return Box(west, south, east, north)
    if isinstance(given, dict):
        for names in (
            ("west", "south", "east", "north"),
            ("x_min_m", "y_min_m", "x_max_m", "y_max_m"),
            ("x_min", "y_min", "x_max", "y_max"),
        ):
            if all(name in given for name in names):
                return Box(*(number(str(given[name]), f"{path}: box") for name in names))
    if given is not None and not isinstance(given, int | float):
        raise InvalidInput(f"{path}: the box is no box", hint="write [west, south, east, north] in metres")
    return None


def search_box(situation: Situation, samples: Samples, width_m: float) -> Box:
    """The box of the weather file, or a square of `width_m` around the samplers."""
    if situation.box is not None:
        return situation.box
    east, north = samples.position_m[:, 0], samples.position_m[:, 1]
    reach = max(width_m, 2 * float(np.ptp(east)), 2 * float(np.ptp(north)))
    return Box.around(0.5 * float(east.min() + east.max()), 0.5 * float(north.min() + north.max()), reach)
