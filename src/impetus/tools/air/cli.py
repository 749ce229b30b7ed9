"""`impetus air`: releases noticed in a file, a plume at points, a source located; no server needed."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import numpy as np
import typer

from impetus.model import ImpetusError, InvalidInput
from impetus.tools.air.detection import ACTIONS, Detection, Detector, Reading
from impetus.tools.air.files import (
    Remarks,
    SensorReading,
    read_network,
    read_points,
    read_samples,
    read_situation,
    search_box,
)
from impetus.tools.air.plume import plume_gpm3
from impetus.tools.air.posterior import locate as posterior_of
from impetus.tools.air.regions import region_features
from impetus.tools.air.release import Release, Unknown, readings_of
from impetus.tools.air.spread import Terrain
from impetus.tools.air.stability import class_of

ROUND_S = 30.0
"""Readings of different sensors within so many seconds belong to one round."""
PROBABILITIES = (0.5, 0.9, 0.95)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

app = typer.Typer(help="Releases into the air: noticed, spread, located.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json/--text", help="JSON, or a short text for people.")]


@app.command()
def detect(
    file: Annotated[
        str, typer.Argument(help="CSV with time,sensor,value and, if known, weather; - is standard input.")
    ],
    as_json: AsJson = True,
) -> None:
    """Releases in a file of readings, each found from the readings before it only. A JSON line a detection."""
    remarks = Remarks()
    try:
        stream = sys.stdin if file == "-" else None
        for detection, written in _detections(list(read_network(file, remarks, stream)), remarks):
            line = _detection_line(detection, written)
            if as_json:
                typer.echo(json.dumps(line))
            else:
                typer.echo(
                    f"{line['time']}  {', '.join(detection.sensors)}: {detection.height_sd:.1f} sigma above background,"
                    f" {line['confirmation']}"
                )
    except ImpetusError as error:
        raise _refused(error) from error
    _tell(remarks)


@app.command()
def plume(
    rate_gps: Annotated[float, typer.Option("--rate-gps", help="Release rate in g/s.")],
    wind_mps: Annotated[float, typer.Option("--wind-mps", help="Wind that carries the plume, in m/s.")],
    points: Annotated[str, typer.Option("--points", help="CSV with x_m,y_m,z_m; x down-wind of the source.")],
    stability: Annotated[str, typer.Option("--class", help="Pasquill stability class, A to F.")] = "D",
    urban: Annotated[
        bool, typer.Option("--urban/--rural", help="Briggs' coefficients for towns or open country.")
    ] = False,
    pasquill_gifford: Annotated[
        bool, typer.Option("--pasquill-gifford", help="The curves of Pasquill and Gifford.")
    ] = False,
    height_m: Annotated[float, typer.Option("--height-m", help="Height of the release above ground.")] = 0.0,
    mixing_height_m: Annotated[float | None, typer.Option("--mixing-height-m", help="Lid, where known.")] = None,
    as_json: AsJson = True,
) -> None:
    """Concentration of a continuous release at points, by a Gaussian plume."""
    try:
        stream = sys.stdin if points == "-" else None
        rows = read_points(points, stream)
        terrain = Terrain.PASQUILL_GIFFORD if pasquill_gifford else Terrain.URBAN if urban else Terrain.RURAL
        found = plume_gpm3(
            rows[:, 0],
            rows[:, 1],
            rows[:, 2],
            rate_gps=rate_gps,
            wind_mps=wind_mps,
            stability=class_of(stability),
            terrain=terrain,
            height_m=height_m,
            mixing_height_m=mixing_height_m,
        )
    except ImpetusError as error:
        raise _refused(error) from error
    lines = [
        {"x_m": x, "y_m": y, "z_m": z, "concentration_gpm3": value}
        for (x, y, z), value in zip(rows.tolist(), found.tolist(), strict=True)
    ]
    if as_json:
        typer.echo(json.dumps(lines))
    else:
        for line in lines:
            typer.echo(f"{line['x_m']:g} {line['y_m']:g} {line['z_m']:g}  {line['concentration_gpm3']:.5g} g/m3")


@app.command()
def locate(
    readings: Annotated[str, typer.Argument(help="CSV with x_m (east), y_m (north), z_m, concentration_gpm3.")],
    weather: Annotated[str, typer.Argument(help="JSON with wind_speed_mps, wind_from_deg and, if known, stability.")],
    box_width_m: Annotated[
        float, typer.Option("--box-width-m", help="Width of the search box around the samplers.")
    ] = 3_000.0,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Of the random numbers: the same seed, the same answer.")
    ] = 1,
    as_json: AsJson = True,
) -> None:
    """Where a steady release comes from and how strong it is, with regions that hold it at 50, 90 and 95 %."""
    remarks = Remarks()
    try:
        samples = read_samples(readings, remarks)
        situation = read_situation(weather)
        if not (math.isfinite(box_width_m) and box_width_m > 0):
            raise InvalidInput("the search box has no width", hint="give metres above 0")
        release = Release(
            readings_of(
                samples.position_m,
                samples.concentration_gpm3,
                limit_gpm3=situation.limit_gpm3,
                saturated=samples.saturated,
            ),
            situation.weather,
            search_box(situation, samples, box_width_m),
        )
        found = posterior_of(release, np.random.default_rng(seed))
    except ImpetusError as error:
        raise _refused(error) from error
    east, north = found.median_m
    low, middle, high = found.rate_quantiles_gps(0.05, 0.5, 0.95)
    notes = list(situation.remarks)
    if found.effective_samples < 50:
        notes.append("the posterior is rough: few independent samples")
    result = {
        "map": {
            "x_m": float(found.best[Unknown.EAST]),
            "y_m": float(found.best[Unknown.NORTH]),
            "rate_gps": float(np.exp(found.best[Unknown.LOG_RATE])),
        },
        "median": {"x_m": east, "y_m": north},
        "covariance": found.covariance_m2.tolist(),
        "rate_gps": middle,
        "rate_interval_gps": [low, high],
        "regions": {"type": "FeatureCollection", "features": region_features(found.positions_m, PROBABILITIES)},
        "readings": len(release.readings),
        "effective_samples": round(found.effective_samples, 1),
        "notes": notes,
    }
    if as_json:
        typer.echo(json.dumps(result))
    else:
        typer.echo(f"source near x {east:.0f} m, y {north:.0f} m; {middle:.3g} g/s ({low:.3g} to {high:.3g})")
    for note in notes:
        typer.echo(f"Note: {note}.", err=True)
    _tell(remarks)


def _detections(rows: list[SensorReading], remarks: Remarks) -> Iterator[tuple[Detection, dict[str, str]]]:
    """Detections in the order of time, with the times as they were written."""
    positions = {row.sensor: row.position_m for row in rows if row.position_m is not None}
    detector = Detector(positions)
    newest: dict[str, float] = {}
    for current in _rounds(rows, newest, remarks):
        written = {row.sensor: row.time for row in current}
        readings = [Reading(row.sensor, row.time_s, row.value, row.covariates) for row in current]
        for detection in detector.observe(readings):
            yield detection, written


def _rounds(rows: list[SensorReading], newest: dict[str, float], remarks: Remarks) -> Iterator[list[SensorReading]]:
    current: dict[str, SensorReading] = {}
    for row in sorted(rows, key=lambda row: row.time_s):
        if row.time_s <= newest.get(row.sensor, -math.inf):
            remarks.add("of a time that the sensor had reported before")
            continue
        newest[row.sensor] = row.time_s
        began_s = min((other.time_s for other in current.values()), default=row.time_s)
        if current and (row.sensor in current or row.time_s - began_s > ROUND_S):
            yield list(current.values())
            current = {}
        current[row.sensor] = row
    if current:
        yield list(current.values())


def _detection_line(detection: Detection, written: dict[str, str]) -> dict[str, object]:
    lead = detection.sensors[0]
    time = written.get(lead) or _iso(detection.time_s)
    return {
        "time": time,
        "sensor": lead,
        "sensors": list(detection.sensors),
        "joint": detection.joint,
        "onset": _iso(detection.onset_s),
        "value": detection.value,
        "expected": round(detection.expected, 6),
        "sd": round(detection.sd, 6),
        "height_sd": round(detection.height_sd, 2),
        "evidence": round(detection.evidence, 2),
        "confirmation": detection.confirmation.value,
        "action": ACTIONS[detection.confirmation],
        "revision": detection.revision,
        "learning": detection.learning,
    }


def _iso(time_s: float) -> str:
    """On the clock of the file, which may be any: without an offset."""
    return (EPOCH + timedelta(seconds=round(time_s))).replace(tzinfo=None).isoformat()


def _refused(error: ImpetusError) -> typer.Exit:
    typer.echo(f"Error: {error}", err=True)
    return typer.Exit(2)


def _tell(remarks: Remarks) -> None:
    if remarks.counts:
        what = ", ".join(f"{count} {reason}" for reason, count in remarks.counts.items())
        typer.echo(f"Rows with a remark: {what}.", err=True)


if __name__ == "__main__":
    app()
