"""Protects the command line: what files hold, what is refused in one line with 2, and what is left out and said."""

from __future__ import annotations

import contextlib
import json
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from impetus.model import InvalidInput
from impetus.tools.air.cli import app
from impetus.tools.air.files import Remarks, read_network, read_points, read_samples, read_situation
from impetus.tools.air.plume import plume_gpm3
from impetus.tools.air.simulator import NetworkSettings, PlantedStep, simulate
from impetus.tools.air.spread import Terrain
from impetus.tools.air.stability import StabilityClass

run = CliRunner().invoke
POINTS = "x_m,y_m,z_m\n500,0,0\n-10,0,0\n"


def file(folder: Path, text: str, name: str = "file.csv") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_plume(tmp_path: Path) -> None:
    points = file(tmp_path, POINTS)
    result = run(
        app, ["plume", "--rate-gps", "100", "--wind-mps", "2", "--class", "F", "--rural", "--points", points, "--json"]
    )
    assert result.exit_code == 0
    first, second = json.loads(result.stdout)
    assert first["concentration_gpm3"] == pytest.approx(0.11722, rel=1e-4)
    assert second["concentration_gpm3"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--wind-mps", "0"], "calm"),
        (["--wind-mps", "-1"], "cannot be"),
        (["--wind-mps", "2", "--class", "Q"], "no stability class"),
        (["--wind-mps", "nan"], "cannot be"),
    ],
)
def test_a_plume_that_cannot_be_is_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    result = run(app, ["plume", "--rate-gps", "1", "--points", file(tmp_path, POINTS), *arguments])
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_locate(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    east, north = random.uniform(-150, 150, 16), random.uniform(60, 700, 16)
    level = plume_gpm3(
        north, east, 1.5, rate_gps=50, wind_mps=4, stability=StabilityClass.D, terrain=Terrain.RURAL
    ) * np.exp(random.normal(0, 0.3, 16))
    rows = "".join(f"{x},{y},1.5,{c}\n" for x, y, c in zip(east, north, level, strict=True))
    readings = file(tmp_path, "x_m,y_m,z_m,concentration_gpm3\n" + rows + "0,0,1.5,-9\n5,5,1.5,\n")
    weather = file(tmp_path, json.dumps({"wind_speed_mps": 4, "wind_from_deg": 185, "stability": "D"}), "w.json")
    result = run(app, ["locate", readings, weather, "--json"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert math.hypot(found["median"]["x_m"], found["median"]["y_m"]) < 60
    assert {"map", "median", "covariance", "rate_gps", "regions"} <= set(found)
    assert [one["properties"]["probability"] for one in found["regions"]["features"]] == [0.5, 0.9, 0.95]
    assert "1 below 0" in result.stderr
    assert "1 without a value" in result.stderr


@pytest.mark.parametrize(
    ("weather", "said"),
    [
        ("[]", "no JSON object"),
        ("{", "no JSON"),
        ('{"wind_speed_mps": 0, "wind_from_deg": 10}', "calm"),
        ('{"wind_speed_mps": 3, "wind_from_deg": 10, "stability": "Z"}', "no stability class"),
        ('{"wind_speed_mps": "fast", "wind_from_deg": 10}', "no number"),
        ('{"wind_speed_mps": 3, "wind_from_deg": 10, "box": "here"}', "no box"),
    ],
)
def test_weather_that_cannot_be_is_refused(tmp_path: Path, weather: str, said: str) -> None:
    readings = file(tmp_path, "x_m,y_m,z_m,concentration_gpm3\n0,0,1,1e-3\n")
    result = run(app, ["locate", readings, file(tmp_path, weather, "w.json")])
    assert result.exit_code == 2
    assert said in result.stderr


def test_missing_weather_is_said(tmp_path: Path) -> None:
    found = read_situation(file(tmp_path, '{"wind_speed_mps": 3}', "w.json"))
    assert found.weather.direction_error_deg > 90
    assert found.weather.stability is None
    assert len(found.remarks) == 2
    nothing = read_situation(file(tmp_path, "{}", "nothing.json"))
    assert nothing.weather.log_speed_error > 0
    assert len(nothing.remarks) == 3


def test_detect(tmp_path: Path) -> None:
    network = simulate(NetworkSettings(sensors=6, days=3, seed=5), [PlantedStep(2, 700, 6, 8.0)])
    lines, time = ["time,sensor,value,wind_speed_mps,wind_from_deg"], ""
    for time_s, values, weather in zip(network.time_s, network.values, network.covariates, strict=True):
        time = datetime.fromtimestamp(float(time_s), UTC).isoformat()
        lines += [f"{time},s{number},{value:.3f},{weather[0]:.2f},180" for number, value in enumerate(values)]
    lines += [f"{time},s0,-4,2,180", f"{time},s1,nan,2,180"]
    result = run(app, ["detect", file(tmp_path, "\n".join(lines) + "\n"), "--json"])
    assert result.exit_code == 0
    found = [json.loads(line) for line in result.stdout.splitlines()]
    planted = datetime.fromtimestamp(float(network.time_s[700]), UTC)
    mine = [one for one in found if one["sensor"] == "s2" and datetime.fromisoformat(one["time"]) >= planted]
    assert mine
    assert (datetime.fromisoformat(mine[0]["time"]) - planted).total_seconds() <= 600
    assert "1 below 0" in result.stderr


def test_mixed_units_of_one_sensor_are_converted(tmp_path: Path) -> None:
    remarks = Remarks()
    text = "time,sensor,value,unit\n2026-03-02T00:00:00,a,5,CFU/m3\n2026-03-02T00:01:00,a,0.006,CFU/L\n"
    rows = list(read_network(file(tmp_path, text + "2026-03-02T00:02:00,a,5,ppb\n"), remarks))
    assert [row.value for row in rows] == pytest.approx([5.0, 6.0])
    assert remarks.counts == {"in a unit of another kind than the sensor's first": 1}


def test_offsets_are_brought_to_one_clock_and_saturated_readings_are_said(tmp_path: Path) -> None:
    remarks = Remarks()
    text = (
        "time,sensor,value,saturated_at\n2026-03-02T12:00:00+01:00,a,5,100\n"
        "2026-03-02T11:00:20Z,b,700,100\n2026-03-02T12:00:40,c,1,\n"
    )
    rows = list(read_network(file(tmp_path, text), remarks))
    assert [row.time_s - rows[0].time_s for row in rows] == [0, 20, 40]
    assert rows[1].value == 100
    assert remarks.counts == {"saturated (taken as that much)": 1}


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "time,sensor,value\nnever,a,1\n", "time,sensor,value\n2026-01-01,a,x\n"]
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    result = run(app, ["detect", file(tmp_path, text)])
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(text=st.text(max_size=300))
def test_no_file_breaks_a_reader(tmp_path: Path, text: str) -> None:
    """Every file is read or refused; nothing else happens."""
    for header in ("time,sensor,value\n", "x_m,y_m,z_m,concentration_gpm3\n", "x_m,y_m,z_m\n", ""):
        path = file(tmp_path, (header + text).encode("utf-8", "replace").decode())
        for reader in (network_of, samples_of, read_points, read_situation):
            with contextlib.suppress(InvalidInput):
                reader(path)


def network_of(path: str) -> int:
    return len(list(read_network(path, Remarks())))


def samples_of(path: str) -> int:
    return len(read_samples(path, Remarks()).concentration_gpm3)
