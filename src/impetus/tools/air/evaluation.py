"""How well predicted concentrations fit observed ones, and how to read the releases of Project Prairie Grass.

Measures after Chang & Hanna, Air quality model performance evaluation, Meteorology and Atmospheric Physics 87 (2004).
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impetus.model import InvalidInput
from impetus.tools.air.arrays import Floats
from impetus.tools.air.similarity import SHORT_GRASS_M, SULPHUR_DIOXIDE_MPS, SurfaceLayer, similarity_gpm3

COLUMNS_OF_ARCS = (
    "run",
    "arc_distance_m",
    "release_rate_gps",
    "source_height_m",
    "sampler_height_m",
    "sampler_azimuth_deg",
    "concentration_mgpm3",
)


@dataclass(frozen=True, slots=True)
class Scores:
    """How predictions fit observations."""

    pairs: int
    factor_of_two: float
    """FAC2: share of predictions within a factor of two."""
    fractional_bias: float
    """FB: 2 (mean observed - mean predicted) / (their sum); positive where the model predicts too little."""
    geometric_variance: float
    """VG: exp of the mean squared logarithm of the ratio; 1 is perfect."""
    geometric_mean: float
    """MG: exp of the mean logarithm of observed over predicted."""


def scores(observed: Floats, predicted: Floats) -> Scores:
    """Both in the same unit, above 0. Raises ValueError where there are none or a length differs.

    >>> scores(np.array([1.0, 2.0]), np.array([1.0, 2.0])).geometric_variance
    1.0
    """
    if observed.shape != predicted.shape or not observed.size:
        raise ValueError("as many predictions as observations are needed, and at least one")
    ratio = predicted / observed
    logarithm = np.log(ratio)
    return Scores(
        pairs=int(observed.size),
        factor_of_two=float(np.mean((ratio >= 0.5) & (ratio <= 2.0))),
        fractional_bias=float(2 * (observed.mean() - predicted.mean()) / (observed.mean() + predicted.mean())),
        geometric_variance=float(np.exp(np.mean(logarithm**2))),
        geometric_mean=float(np.exp(-np.mean(logarithm))),
    )


@dataclass(frozen=True, slots=True)
class Run:
    """One release of Prairie Grass: what was measured of the weather, and its samplers."""

    number: int
    rate_gps: float
    source_height_m: float
    sampler_height_m: float
    obukhov_length_m: float
    friction_velocity_mps: float
    mixing_height_m: float | None
    wind_from_deg: float
    direction_sd_deg: float
    wind_mps: float
    """At 2 m."""
    distance_m: Floats
    """Of each sampler from the source."""
    bearing_deg: Floats
    """Of each sampler from the source, clockwise from north."""
    concentration_gpm3: Floats

    def arc_maxima(self) -> Mapping[float, float]:
        """The greatest concentration on each arc, in g/m3, where one is above 0."""
        maxima: dict[float, float] = defaultdict(float)
        for distance, concentration in zip(self.distance_m, self.concentration_gpm3, strict=True):
            maxima[float(distance)] = max(maxima[float(distance)], float(concentration))
        return {distance: found for distance, found in sorted(maxima.items()) if found > 0}


def arc_maxima_by_similarity(run: Run) -> Floats:
    """What `impetus.tools.air.similarity` predicts on the axis of the plume at the arcs of a run, in g/m3."""
    air = SurfaceLayer(
        friction_velocity_mps=run.friction_velocity_mps,
        obukhov_length_m=run.obukhov_length_m,
        direction_sd_rad=math.radians(run.direction_sd_deg),
        wind_mps=run.wind_mps,
        roughness_m=SHORT_GRASS_M,
        mixing_height_m=run.mixing_height_m,
    )
    return similarity_gpm3(
        np.array(list(run.arc_maxima())),
        0.0,
        run.sampler_height_m,
        air,
        rate_gps=run.rate_gps,
        source_height_m=run.source_height_m,
        deposition_mps=SULPHUR_DIOXIDE_MPS,
    )


def read_runs(folder: Path) -> Sequence[Run]:
    """All runs in `arcs.csv` and `weather.csv` of a folder; negative concentrations mean missing and are left out.

    Raises InvalidInput if a file is missing, a column is missing or a value is no number.
    """
    samplers: dict[int, list[dict[str, float]]] = defaultdict(list)
    for row in _rows(folder / "arcs.csv", COLUMNS_OF_ARCS):
        samplers[int(row["run"])].append(row)
    weather = ("run", "obukhov_length_m", "friction_velocity_mps", "mixing_height_m", "wind_from_deg")
    found = []
    for row in _rows(folder / "weather.csv", (*weather, "wind_direction_sd_deg", "wind_speed_2m_mps")):
        rows = [sampler for sampler in samplers[int(row["run"])] if sampler["concentration_mgpm3"] >= 0]
        if not rows:
            continue
        mixing = row["mixing_height_m"]
        found.append(
            Run(
                number=int(row["run"]),
                rate_gps=rows[0]["release_rate_gps"],
                source_height_m=rows[0]["source_height_m"],
                sampler_height_m=rows[0]["sampler_height_m"],
                obukhov_length_m=row["obukhov_length_m"],
                friction_velocity_mps=row["friction_velocity_mps"],
                mixing_height_m=mixing if mixing > 0 else None,
                wind_from_deg=row["wind_from_deg"],
                direction_sd_deg=row["wind_direction_sd_deg"],
                wind_mps=row["wind_speed_2m_mps"],
                distance_m=np.array([sampler["arc_distance_m"] for sampler in rows]),
                bearing_deg=np.array([sampler["sampler_azimuth_deg"] for sampler in rows]),
                concentration_gpm3=np.array([sampler["concentration_mgpm3"] for sampler in rows]) / 1_000.0,
            )
        )
    return found


def _rows(file: Path, columns: Sequence[str]) -> Sequence[dict[str, float]]:
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines)
            missing = set(columns) - set(rows.fieldnames or ())
            if missing:
                raise InvalidInput(f"{file.name} has no column {', '.join(sorted(missing))}")
            return [{name: float(row[name] or "nan") for name in columns} for row in rows]
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}", hint="see the README of the data") from error
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"{file.name} holds a value that is no number: {error}") from error
