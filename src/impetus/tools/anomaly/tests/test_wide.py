"""Many streams: an event of a district is one alert, a fault of a sensor names the sensor; files good and bad."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from impetus.model import InvalidInput
from impetus.tools.anomaly.arrays import Floats
from impetus.tools.anomaly.cli import app
from impetus.tools.anomaly.districts import Incident, NetworkWatch
from impetus.tools.anomaly.graph import Graph
from impetus.tools.anomaly.wide_file import read_wide

runner = CliRunner()
SIDE = 6
STREAMS = SIDE * SIDE
STEPS, INTERVAL_S = 4 * 288, 300.0
LAST_DAY = 3 * 288


def grid() -> Graph:
    """A street grid: crossings beside each other."""
    place = np.array([(x, y) for x in range(SIDE) for y in range(SIDE)])
    distance = np.abs(place[:, None] - place[None]).sum(axis=2)
    return Graph.of_matrix(np.where(distance == 1, 1.0, np.where(distance == 2, 0.5, 0.0)))


def city(seed: int = 1) -> Floats:
    """Speeds with a rhythm, something shared by all, and noise of their own."""
    random = np.random.default_rng(seed)
    hour = np.arange(STEPS)[:, None] / 12.0 % 24
    shared = np.convolve(random.normal(size=STEPS + 11), np.full(12, 1 / 12**0.5), "valid")[:, None]
    rhythm = 60.0 - 15.0 * np.exp(-(((hour - 8) / 2) ** 2)) - 12.0 * np.exp(-(((hour - 17) / 2) ** 2))
    speeds: Floats = rhythm + shared + random.normal(0, 1.5, (STEPS, STREAMS))
    return speeds


def watched(speeds: Floats, graph: Graph | None = None) -> list[Incident]:
    watch = NetworkWatch(speeds.shape[1], graph or grid(), interval_s=INTERVAL_S)
    found = []
    for step, row in enumerate(speeds):
        found += watch.update(INTERVAL_S * step, 0.0, row)
    return [*found, *watch.finish()]


def test_a_quiet_city_is_quiet() -> None:
    assert [one for one in watched(city()) if one.start > LAST_DAY and one.kind == "event"] == []


def test_a_slow_down_of_a_district_is_one_event_and_no_fault() -> None:
    speeds = city()
    district = [int(one) for one in grid().district[14] if one >= 0]
    speeds[LAST_DAY + 100 : LAST_DAY + 118, district] *= 0.5
    found = [one for one in watched(speeds) if LAST_DAY + 95 <= one.told_at <= LAST_DAY + 120]
    events = [one for one in found if one.kind == "event"]
    assert len(events) == 1
    assert events[0].told_at <= LAST_DAY + 103
    assert len(events[0].streams & set(district)) >= len(district) // 2
    assert [one for one in found if one.kind in ("fault", "drift", "swapped") and one.streams & set(district)] == []


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("stuck", {"stuck"}),
        ("gap", {"gap"}),
        ("spike", {"spike"}),
        ("offset", {"drift"}),
        ("unit", {"unit", "drift"}),
    ],
)
def test_a_fault_of_one_sensor_names_the_sensor_and_is_no_event(kind: str, expected: set[str]) -> None:
    speeds = city()
    span = slice(LAST_DAY + 100, LAST_DAY + 180)
    if kind == "stuck":
        speeds[span, 14] = speeds[LAST_DAY + 100, 14]
    elif kind == "gap":
        speeds[span, 14] = np.nan
    elif kind == "spike":
        speeds[LAST_DAY + 100, 14] = 140.0
    elif kind == "offset":
        speeds[span, 14] -= 30.0
    else:
        speeds[span, 14] *= 1.609344
    found = [one for one in watched(speeds) if LAST_DAY + 95 <= one.told_at <= LAST_DAY + 180]
    assert any(one.streams == {14} and one.kind in expected for one in found)
    assert [one for one in found if one.kind == "event"] == []


def test_what_is_told_does_not_depend_on_later_rows() -> None:
    speeds = city()
    speeds[LAST_DAY + 50 : LAST_DAY + 60, 3] = 0.0
    short = watched(speeds[: LAST_DAY + 100])
    speeds[LAST_DAY + 100 :] = 1e6
    before = [one for one in watched(speeds) if one.last < LAST_DAY + 90]
    assert [(one.kind, one.start, one.streams) for one in before] == [
        (one.kind, one.start, one.streams) for one in short if one.last < LAST_DAY + 90
    ]


def written(folder: Path, speeds: Floats) -> Path:
    file = folder / "wide.csv"
    start = np.datetime64("2026-03-02T00:00:00")
    lines = [",".join(["timestamp", *(f"loop-{number}" for number in range(speeds.shape[1]))])]
    for step, row in enumerate(speeds):
        fields = ["" if np.isnan(value) else f"{value:.3f}" for value in row]
        lines.append(",".join([str(start + np.timedelta64(int(INTERVAL_S * step), "s")), *fields]))
    file.write_text("\n".join(lines) + "\n")
    return file


def test_the_command_writes_a_line_an_alert_with_a_graph_learnt_from_the_first_day(tmp_path: Path) -> None:
    speeds = city()[:, :12]
    speeds[LAST_DAY + 40 : LAST_DAY + 100, 5] = np.nan
    result = runner.invoke(app, ["detect", "--wide", str(written(tmp_path, speeds))])
    assert result.exit_code == 0, result.stderr
    alerts = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(set(one) == {"start", "end", "streams", "score", "kind", "explanation"} for one in alerts)
    assert all(0.0 <= one["score"] <= 1.0 for one in alerts)
    gap = [one for one in alerts if one["kind"] == "gap"]
    assert [one["streams"] for one in gap] == [["loop-5"]]
    assert "loop-5" in gap[0]["explanation"]


def test_a_graph_with_names_in_another_order_is_put_in_order(tmp_path: Path) -> None:
    file = written(tmp_path, city()[:30, :3])
    graph = tmp_path / "graph.csv"
    graph.write_text("loop-2,loop-0,loop-1\n0,1,0\n1,0,0\n0,0,0\n")
    result = runner.invoke(app, ["detect", "--wide", str(file), "--graph", str(graph)])
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ("1,0\n0,1\n", "2 rows and 2 columns for 3 streams"),
        ("0,1,x\n0,0,0\n0,0,0\n", "for 3 streams"),
        ("a,b,c\n0,1,1\n0,0,1\n0,0,0\n", "does not name"),
        ("0,-1,0\n0,0,0\n0,0,0\n", "negative"),
        ("0,nan,0\n0,0,0\n0,0,0\n", "for 3 streams"),
        ("", "0 rows"),
    ],
)
def test_a_wrong_graph_gives_one_line_and_exit_2(matrix: str, message: str, tmp_path: Path) -> None:
    file = written(tmp_path, city()[:30, :3])
    graph = tmp_path / "graph.csv"
    graph.write_text(matrix)
    result = runner.invoke(app, ["detect", "--wide", str(file), "--graph", str(graph)])
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1"),
        ("timestamp\n", "line 1"),
        ("time,a\n", "line 1"),
        ("timestamp,a,a\n", "same name"),
        ("timestamp,a,b\n2026-03-02,1\n", "line 2 has 2 of 3 fields"),
        ("timestamp,a\n2026-03-02,one\n", "no number"),
        ("timestamp,a\nnow,1\n", "no time"),
    ],
)
def test_a_wrong_table_is_an_error_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        list(read_wide(text.splitlines(keepends=True), "file")[1])


def test_unsorted_and_doubled_rows_are_left_out(tmp_path: Path) -> None:
    speeds = city()[:40, :3]
    file = written(tmp_path, speeds)
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, lines[5], lines[-1]]) + "\n")
    result = runner.invoke(app, ["detect", "--wide", str(file)])
    assert result.exit_code == 0, result.stderr


def test_a_graph_without_wide_is_refused(tmp_path: Path) -> None:
    result = runner.invoke(app, ["detect", "file.csv", "--graph", "graph.csv"])
    assert result.exit_code == 2
    assert "--wide" in result.stderr


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_past_is_judged_a_stream_a_line(jobs: str, tmp_path: Path) -> None:
    speeds = city()[:600, :2]
    speeds[500:510, 0] = 0.0
    result = runner.invoke(app, ["backtest", "--wide", "--jobs", jobs, str(written(tmp_path, speeds))])
    assert result.exit_code == 0, result.stderr
    outcomes = {line["stream"]: line for line in map(json.loads, result.stdout.splitlines())}
    assert set(outcomes) == {"loop-0", "loop-1"}
    assert outcomes["loop-0"]["alerts"]["0.5"] >= 1
    assert len(outcomes["loop-0"]["times"]) == outcomes["loop-0"]["alerts"]["0.5"]
    assert "2 streams" in result.stderr


def test_a_cluster_that_does_not_answer_gives_one_line_and_exit_2(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    file = written(tmp_path, city()[:20, :2])
    result = runner.invoke(app, ["backtest", "--wide", "--cluster", "nonsense://nowhere", str(file)])
    assert result.exit_code == 2
    assert "Dask" in result.stderr


def test_a_cluster_of_two_workers_says_the_same_as_this_process(tmp_path: Path) -> None:
    """The back-test of many streams is spread over processes of a Dask cluster, and nothing is lost on the way."""
    distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    file = written(tmp_path, city()[:400, :5])
    alone = runner.invoke(app, ["backtest", "--wide", str(file)])
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        shared = runner.invoke(app, ["backtest", "--wide", "--cluster", cluster.scheduler_address, str(file)])
    assert alone.exit_code == 0, alone.stderr
    assert shared.exit_code == 0, shared.stderr
    assert len(shared.stdout.splitlines()) == 5
    assert sorted(shared.stdout.splitlines()) == sorted(alone.stdout.splitlines())
    assert shared.stderr.startswith("5 streams")
