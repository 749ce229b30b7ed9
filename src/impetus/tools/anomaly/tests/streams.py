"""Made-up streams with a known rhythm, for the tests of this tool."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import impetus.tools.anomaly
from impetus.model import Datastream, ObservationBatch, Place, Point
from impetus.sdk import LocalContext, Manifest, read_manifest
from impetus.sdk.testing import START
from impetus.tools.anomaly.arrays import Floats
from impetus.tools.anomaly.monitor import Scored, StreamMonitor

INTERVAL_S = 900.0
DAY_READINGS = 96
START_S = START.timestamp()


def manifest() -> Manifest:
    return read_manifest(Path(impetus.tools.anomaly.__file__).parent)


def people(days: float, *, seed: int = 1) -> Floats:
    """People counted every quarter of an hour: two rush hours, quieter weekends, Poisson noise."""
    time_s = np.arange(0, days * 86_400, INTERVAL_S)
    hour = time_s / 3600 % 24
    week = np.where(time_s // 86_400 % 7 >= 5, 0.6, 1.0)
    mean = 150 * week * (0.2 + np.exp(-(((hour - 8) / 2) ** 2)) + np.exp(-(((hour - 17) / 2.5) ** 2)))
    return np.random.default_rng(seed).poisson(mean).astype(np.float64)


def datastream(id: str = "torget-north", *, observed_property: str = "people-count", **fields: object) -> Datastream:
    place = Place(geometry=Point(coordinates=(10.4, 63.4)), name="Torget North")
    values: dict[str, object] = {
        "id": id,
        "name": f"Counter {id}",
        "thing": "Mast 4",
        "observed_property": observed_property,
        "unit": "1",
        "place": place,
        "interval_s": INTERVAL_S,
        **fields,
    }
    return Datastream.model_validate(values)


def batch(values: dict[str, Floats], *, first: int = 0, interval_s: float = INTERVAL_S) -> ObservationBatch:
    """Readings of several streams at the same times, the first `first` intervals after START."""
    names = tuple(values)
    count = len(next(iter(values.values())))
    time_us = [round((START_S + (first + number) * interval_s) * 1e6) for number in range(count)]
    return ObservationBatch(
        datastreams=names,
        index=tuple(row for _ in range(count) for row in range(len(names))),
        time_us=tuple(moment for moment in time_us for _ in names),
        value=tuple(float(values[name][number]) for number in range(count) for name in names),
    )


def context(*datastreams: Datastream, history: ObservationBatch | None = None, readings: int = 0) -> LocalContext:
    """A context whose clock stands `readings` intervals after START."""
    made = LocalContext(manifest(), datastreams=datastreams, history=() if history is None else (history,))
    made.clock.advance(readings * INTERVAL_S)
    return made


def score(values: Floats, *, interval_s: float = INTERVAL_S, monitor: StreamMonitor | None = None) -> list[Scored]:
    """One stream through a monitor, reading by reading."""
    if monitor is None:
        monitor = StreamMonitor()
        monitor.grow(1)
    row = np.zeros(1, dtype=np.int64)
    return [
        monitor.update(row, np.array([START_S + number * interval_s]), np.zeros(1), np.array([value]))
        for number, value in enumerate(values)
    ]


def rarities(*streams: Floats) -> Floats:
    """Rarities of streams of one length, scored side by side; shape (streams, readings)."""
    monitor = StreamMonitor()
    monitor.grow(len(streams))
    row, nothing = np.arange(len(streams)), np.zeros(len(streams))
    return np.stack(
        [
            monitor.update(row, np.full(len(streams), START_S + number * INTERVAL_S), nothing, np.array(values)).rarity
            for number, values in enumerate(zip(*streams, strict=True))
        ],
        axis=-1,
    )
