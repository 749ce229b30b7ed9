"""Protects the live side: a release becomes an alert and a hazard zone, faults are told apart, and it all ends."""

from __future__ import annotations

import asyncio
import inspect
import re
from datetime import datetime, timedelta
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
from impetus.tools.air import worker, zones
from impetus.tools.air.panel import panels
from impetus.tools.air.plane import Plane
from impetus.tools.air.plume import plume_gpm3
from impetus.tools.air.settings import AirSettings
from impetus.tools.air.spread import Terrain
from impetus.tools.air.stability import StabilityClass
from impetus.tools.air.whatif import HEAVY
from impetus.tools.air.winds import WindRecord
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


async def play(
    tool: AirTool,
    made: LocalContext,
    rounds: int,
    *,
    released: bool,
    broken: float | None = None,
    wind_mps: float | None = 3.0,
    ceiling: float = 1e9,
) -> None:
    """Rounds of 20 s of a city with a south wind of 3 m/s and, if released, 3 million CFU/s at the origin."""
    random = np.random.default_rng(2)
    for _ in range(rounds):
        made.clock.advance(20.0)
        now = made.clock.now()
        readings = [Observation(datastream="people", time=now, value=40.0)]
        if wind_mps is not None:
            readings.append(Observation(datastream="wind", time=now, value=wind_mps))
            readings.append(Observation(datastream="vane", time=now, value=184.0))
        for number, (east, north) in enumerate(SENSORS):
            excess = float(
                plume_gpm3(
                    north, east, 3.0, rate_gps=3e7, wind_mps=3, stability=StabilityClass.D, terrain=Terrain.URBAN
                )
            )
            value = 100 + 8 * random.normal() + (excess if released else 0.0)
            value = min(value, ceiling)
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
    zone = [result for result in made.results if result.kind == "hazard-zone"][-1]
    source = zone.content["source"]
    assert isinstance(source, dict)
    east, north = PLANE.to_metres(float(source["longitude"]), float(source["latitude"]))  # type: ignore[arg-type]
    assert np.hypot(east, north) < 200
    zones = zone.content["zones"]
    assert isinstance(zones, list)
    assert {one["lead_s"] for one in zones} == {0, 300, 900, 1_800}  # type: ignore[index, call-overload]
    assert zone.place is not None
    assert all(one["people"] in (0, 40) for one in zones)  # type: ignore[index, call-overload, operator]
    began = datetime.fromisoformat(str(source["began"]))
    assert abs((began - (NOW + timedelta(seconds=200))).total_seconds()) < 120
    series = zone.content["series"]
    assert isinstance(series, dict)
    assert len(series["rows"]) >= 12  # type: ignore[arg-type]
    assert made.expectations
    await play(tool, made, 20, released=False)
    last = [result for result in made.results if result.kind == "hazard-zone"][-1]
    assert last.ended is not None
    assert last.id == zone.id
    assert made.alerts[-1].ended is not None


async def test_a_reading_below_zero_is_a_fault_of_the_device_and_no_release() -> None:
    tool, made = await started()
    await play(tool, made, 5, released=False, broken=-3.0)
    assert [alert.detector for alert in made.alerts] == ["device"]
    health = [result for result in made.results if result.kind == "device-health"][-1].content
    assert health["devices"][0]["state"] == "reads what cannot be"  # type: ignore[index, call-overload]
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
    drawn = made.results[-1]
    assert drawn.kind == "what-if"
    assert drawn.place is not None
    assert {"zones", "wind", "advice", "remarks"} <= set(drawn.content)
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


@pytest.mark.parametrize(("speed", "said"), [(0.2, "calm"), (None, "no wind speed")])
async def test_calm_and_unknown_wind_are_said(speed: float | None, said: str) -> None:
    """In calm air no zone is drawn; with no wind known at all, a wider one."""
    tool, made = await started()
    await play(tool, made, 8, released=False, wind_mps=speed)
    await play(tool, made, 8, released=True, wind_mps=speed)
    zones = [result for result in made.results if result.kind == "hazard-zone"]
    assert [alert for alert in made.alerts if alert.detector == "release"]
    assert bool(zones) == (speed is None)
    assert said in (made.degraded_text or "") + " ".join(str(zone.content["remarks"]) for zone in zones)


async def test_a_saturated_reading_is_at_least_so_much() -> None:
    made = context()
    made.registered = [
        one.model_copy(update={"highest": 400.0}) if one.observed_property == "bacteria-concentration" else one
        for one in STREAMS
    ]
    tool = AirTool(made, AirSettings())
    await tool.start()
    await play(tool, made, 6, released=False)
    await play(tool, made, 8, released=True, ceiling=400.0)
    assert [alert for alert in made.alerts if alert.detector == "release"]
    assert "end of its range" in (made.degraded_text or "")
    assert [result for result in made.results if result.kind == "hazard-zone"]


async def test_an_instrument_of_its_own_is_calibrated_and_watched(tmp_path: Path) -> None:
    """A replayed bench instrument in another unit: its readings take the same way as those of the platform."""
    replay = tmp_path / "bench.csv"
    replay.write_text("".join(f"2020-01-01T00:00:0{second}Z,0.11,CFU/L\n" for second in range(3)))
    table = tmp_path / "instruments.toml"
    table.write_text(f'["bacteria-0"]\naddress = "replay:{replay}"\nheight_m = 20.0\n')
    made = context()
    tool = AirTool(made, AirSettings(instruments_file=table))
    await tool.start()
    listening = asyncio.create_task(tool.run())
    for _ in range(20):
        await asyncio.sleep(0.02)
        made.clock.advance(1.0)
    await asyncio.wait_for(listening, 5)
    await tool.tick()
    health = [result for result in made.results if result.kind == "device-health"][-1].content
    row = next(one for one in health["devices"] if one["sensor"] == "bacteria-0")  # type: ignore[union-attr, index, call-overload]
    assert row["value"] == pytest.approx(110.0)  # type: ignore[index, call-overload]
    assert row["height_m"] == 20.0  # type: ignore[index, call-overload]


def test_radiation_tells_stability_and_its_absence_is_said() -> None:
    winds = WindRecord()
    winds.speed("mast", 0.0, 2.5)
    _, without = winds.weather(10.0, Terrain.RURAL, 12)
    assert any("no radiation" in text for text in without)
    winds.radiation("mast", 0.0, 950.0)
    weather, remarks = winds.weather(10.0, Terrain.RURAL, 12)
    assert weather is not None
    assert weather.stability is StabilityClass.A
    assert not any("radiation" in text for text in remarks)


async def test_zones_may_be_of_doses() -> None:
    made = context()
    tool = AirTool(made, AirSettings(bacteria_doses_cfu=(50.0, 500.0, 5_000.0)))
    await tool.start()
    await play(tool, made, 5, released=False)
    await play(tool, made, 6, released=True)
    zone = [result for result in made.results if result.kind == "hazard-zone"][-1]
    assert {one["level"] for one in zone.content["zones"]} == {"dose-1", "dose-2", "dose-3"}  # type: ignore[union-attr, index, call-overload]


def test_the_panels_are_declared() -> None:
    assert [panel.id for panel in panels()] == ["release", "figures", "alerts", "draw"]


def test_what_the_tool_proposes_and_remarks_is_in_the_readers_language() -> None:
    words = (Path(worker.__file__).parent / "static" / "words.js").read_text(encoding="utf-8")
    weather, remarks = WindRecord().weather(NOW.timestamp(), Terrain.RURAL, 12.0)
    assert weather is not None
    proposed = re.findall(r'append\("([^"]+)"\)', inspect.getsource(zones.advice))
    assert len(proposed) == 3
    for text in [*remarks, *proposed, HEAVY]:
        pattern = re.sub(r"\d+(?:\.\d+)?", "{1}", text)
        assert words.count(f'"{pattern}":') == 2
