"""Protects the live side: a release becomes an alert and a hazard zone, faults are told apart, and it all ends."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from impetus.model import (
    Datastream,
    InvalidInput,
    Observation,
    ObservationBatch,
    Place,
    Point,
    ToolRequest,
    derived_id,
)
from impetus.sdk import LocalContext, read_manifest
from impetus.sdk.testing import START
from impetus.tools.air import worker
from impetus.tools.air.panel import panels
from impetus.tools.air.plane import Plane
from impetus.tools.air.plume import plume_gpm3
from impetus.tools.air.settings import AirSettings
from impetus.tools.air.spread import Terrain
from impetus.tools.air.stability import StabilityClass
from impetus.tools.air.worker import AirTool

PLANE = Plane(12.9, 44.9)
SENSORS = [(x, y) for x in (-300.0, 0.0, 300.0) for y in (100.0, 350.0, 600.0)]
NOW = START + timedelta(days=2, hours=10)


def stream(id: str, prop: str, unit: str, position: tuple[float, float]) -> Datastream:
    place = Place(geometry=Point(coordinates=PLANE.to_degrees(*position)), name=id)
    return Datastream(id=id, name=id, thing=id, observed_property=prop, unit=unit, place=place, interval_s=20.0)


STREAMS = [
    *(stream(f"bacteria-{n}", "bacteria-concentration", "CFU/m3", at) for n, at in enumerate(SENSORS)),
    stream("wind", "wind-speed", "m/s", (0, 0)),
    stream("vane", "wind-direction", "deg", (0, 0)),
    stream("people", "people-count", "1", (0, 200)),
]


def context() -> LocalContext:
    random = np.random.default_rng(1)
    history = []
    for step in range(2 * 288):
        moment = NOW - timedelta(minutes=5 * (2 * 288 - step))
        history += [
            Observation(datastream=f"bacteria-{n}", time=moment, value=float(100 + 8 * random.normal()))
            for n in range(len(SENSORS))
        ]
    manifest = read_manifest(Path(worker.__file__).parent)
    return LocalContext(manifest, datastreams=STREAMS, history=[ObservationBatch.of(history)], start=NOW)


async def play(tool: AirTool, made: LocalContext, rounds: int, *, released: bool, broken: float | None = None) -> None:
    """Rounds of 20 s of a city with a south wind of 3 m/s and, if released, 3 million CFU/s at the origin."""
    random = np.random.default_rng(2)
    for _ in range(rounds):
        made.clock.advance(20.0)
        now = made.clock.now()
        readings = [
            Observation(datastream="wind", time=now, value=3.0),
            Observation(datastream="vane", time=now, value=184.0),
            Observation(datastream="people", time=now, value=40.0),
        ]
        for number, (east, north) in enumerate(SENSORS):
            excess = float(
                plume_gpm3(
                    north, east, 3.0, rate_gps=3e7, wind_mps=3, stability=StabilityClass.D, terrain=Terrain.URBAN
                )
            )
            value = 100 + 8 * random.normal() + (excess if released else 0.0)
            value = broken if broken is not None and number == 0 else value
            readings.append(Observation(datastream=f"bacteria-{number}", time=now, value=float(value)))
        await tool.observe(ObservationBatch.of(readings))
        await tool.tick()


async def started() -> tuple[AirTool, LocalContext]:
    made = context()
    tool = AirTool(made, AirSettings())
    await tool.start()
    return tool, made


async def test_a_release_becomes_an_alert_and_a_zone_and_ends() -> None:
    tool, made = await started()
    await play(tool, made, 10, released=False)
    assert made.alerts == []
    await play(tool, made, 12, released=True)
    assert any(alert.detector == "release" and alert.confidence >= 0.75 for alert in made.alerts)
    zone = made.results[-1]
    assert zone.kind == "hazard-zone"
    source = zone.content["source"]
    assert isinstance(source, dict)
    east, north = PLANE.to_metres(float(source["longitude"]), float(source["latitude"]))  # type: ignore[arg-type]
    assert np.hypot(east, north) < 200
    zones = zone.content["zones"]
    assert isinstance(zones, list)
    assert {one["lead_s"] for one in zones} == {0, 300, 900, 1_800}  # type: ignore[index, call-overload]
    assert zone.place is not None
    await play(tool, made, 20, released=False)
    assert made.results[-1].ended is not None
    assert made.results[-1].id == zone.id
    assert made.alerts[-1].ended is not None


async def test_a_reading_below_zero_is_a_fault_of_the_device_and_no_release() -> None:
    tool, made = await started()
    await play(tool, made, 5, released=False, broken=-3.0)
    assert [alert.detector for alert in made.alerts] == ["device"]
    await play(tool, made, 3, released=False)
    assert made.alerts[-1].ended is not None


async def test_a_clock_that_is_ahead_is_said() -> None:
    tool, made = await started()
    ahead = Observation(datastream="bacteria-0", time=NOW + timedelta(hours=2), value=1e6)
    await tool.observe(ObservationBatch.of([ahead]))
    await tool.tick()
    assert "clock" in (made.degraded_text or "")
    assert made.alerts == []


async def test_a_release_can_be_drawn_where_somebody_asks() -> None:
    tool, made = await started()
    await play(tool, made, 1, released=False)
    request = ToolRequest(
        id=derived_id("test"), tool="air", task="dispersion", reason="exercise", asked=NOW,
        content={"agent": "chlorine", "rate_gps": 500.0, "longitude": 12.9, "latitude": 44.9},
    )  # fmt: skip
    assert "Chlorine" in await tool.handle(request)
    assert made.results[-1].kind == "what-if"
    with pytest.raises(InvalidInput, match="no place"):
        await tool.handle(request.model_copy(update={"content": {}}))


async def test_a_unit_that_is_none_is_said_and_left_out() -> None:
    made = context()
    made.registered = [stream("odd", "bacteria-concentration", "furlong", (0, 0))]
    tool = AirTool(made, AirSettings())
    await tool.start()
    await tool.observe(ObservationBatch.of([Observation(datastream="odd", time=NOW, value=3.0)]))
    await tool.tick()
    assert "furlong" in (made.degraded_text or "")


def test_the_panels_are_declared() -> None:
    assert [panel.id for panel in panels()] == ["release", "figures", "alerts", "draw"]
