"""Protects: a sweep runs every combination once, goes on after a stop, keeps what was refused, and can be reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from impetus.model import InvalidInput
from impetus.tools.evacuation.cli import app
from impetus.tools.evacuation.importing import from_dxf, from_osm, from_zip, read_venue
from impetus.tools.evacuation.sweeping import parse_variations, read_results, sweep_files, with_values
from impetus.tools.evacuation.tests.sites import two_doors, written

runner = CliRunner()


def test_a_sweep_resumes_and_is_reported(tmp_path: Path) -> None:
    venue, scenario = written(tmp_path, two_doors()), Path(written(tmp_path, "people: 20\n", "scenario.yaml"))
    output = tmp_path / "sweep.parquet"
    first = sweep_files(
        venue, scenario, {"people.count": [20, 30]}, output=output, seeds=2, model="queue", jobs=1, bar=False
    )
    assert first == {"runs": 4, "done_now": 4, "refused": 0}
    again = sweep_files(
        venue, scenario, {"people.count": [20, 30, 99_999]}, output=output, seeds=2, model="queue", jobs=1, bar=False
    )
    assert again == {"runs": 6, "done_now": 2, "refused": 2}
    rows = read_results(output)
    assert {row["evacuated"] for row in rows if not row["error"]} == {20, 30}
    assert "do not fit" in next(row["error"] for row in rows if row["error"])
    report = tmp_path / "report.html"
    answer = runner.invoke(
        app, ["report", str(output), "--output", str(report), "--venue", venue, "--scenario", str(scenario)]
    )
    assert answer.exit_code == 0, answer.output
    text = report.read_text()
    assert text.count("<svg") >= 4
    for title in ("Egress curve", "Density map", "Exit shares", "Sensitivity"):
        assert title in text


def test_a_cluster_of_two_workers_says_the_same_as_this_process(tmp_path: Path) -> None:
    """A sweep goes to the processes of a Dask cluster, and no run is lost or done twice on the way."""
    distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    venue, scenario = written(tmp_path, two_doors()), Path(written(tmp_path, "people: 20\n", "scenario.yaml"))
    vary = {"people.count": [20, 30, 99_999]}
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        found = []
        for address in (None, cluster.scheduler_address):
            output = tmp_path / f"sweep-{address is None}.parquet"
            made = sweep_files(venue, scenario, vary, output=output, seeds=2, model="queue", cluster=address, bar=False)
            assert made == {"runs": 6, "done_now": 6, "refused": 2}
            found.append(sorted(read_results(output), key=lambda row: str(row["key"])))
    assert [row["key"] for row in found[0]] == [row["key"] for row in found[1]]
    assert [row["t95_s"] for row in found[0] if not row["error"]] == [
        row["t95_s"] for row in found[1] if not row["error"]
    ]


def test_a_cluster_that_does_not_answer_is_said(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    venue, scenario = written(tmp_path, two_doors()), Path(written(tmp_path, "people: 20\n", "scenario.yaml"))
    with pytest.raises(InvalidInput, match="no Dask cluster answers"):
        sweep_files(
            venue, scenario, {"people.count": [20]}, output=tmp_path / "o.parquet", seeds=1, model="queue",
            cluster="nonsense://nowhere", bar=False,
        )  # fmt: skip


def test_variations_are_read_and_refused() -> None:
    assert parse_variations(["people.count=5,6", "model=fast"]) == {"people.count": [5, 6], "model": ["fast"]}
    with pytest.raises(InvalidInput):
        parse_variations(["people"])
    assert with_values({"a": [{"b": 1}]}, {"a.0.b": 2}) == {"a": [{"b": 2}]}


def test_venues_of_other_programs_are_read(tmp_path: Path) -> None:
    import io
    import zipfile

    from ezdxf.document import Drawing

    drawing = Drawing.new()
    space = drawing.modelspace()
    space.add_lwpolyline([(0, 0), (20, 0), (20, 10), (0, 10)], close=True, dxfattribs={"layer": "walkable"})
    space.add_line((20, 4), (20, 6), dxfattribs={"layer": "exit"})
    drawing.saveas(tmp_path / "room.dxf")
    runner_out = runner.invoke(app, ["validate", str(tmp_path / "room.dxf"), "--json"])
    assert json.loads(runner_out.stdout)["area_m2"] == pytest.approx(200, abs=1)

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("geometry.wkt", "POLYGON ((0 0, 20 0, 20 10, 0 10, 0 0))")
        archive.writestr(
            "scenario.json", json.dumps({"exits": {"e1": {"coordinates": [[19, 4], [20, 4], [20, 6], [19, 6]]}}})
        )
    (tmp_path / "room.zip").write_bytes(packed.getvalue())
    assert [one.id for one in read_venue(tmp_path / "room.zip").shapes] == ["ground", "e1"]

    nodes = {1: (0, 0), 2: (30, 0), 3: (30, 20), 4: (0, 20), 5: (30, 10), 6: (80, 10)}
    west, south = 12.9, 44.9
    lines = [f'<node id="{id}" lon="{west + x / 78_900}" lat="{south + y / 111_100}"/>' for id, (x, y) in nodes.items()]
    square = "".join(f'<nd ref="{id}"/>' for id in (1, 2, 3, 4, 1))
    text = (
        f'<osm><bounds minlon="{west - 0.0001}" minlat="{south - 0.0001}" maxlon="{west + 60 / 78_900}"'
        f' maxlat="{south + 0.0003}"/>{"".join(lines)}'
        f'<way id="1">{square}<tag k="highway" v="pedestrian"/><tag k="area" v="yes"/></way>'
        '<way id="2"><nd ref="5"/><nd ref="6"/><tag k="highway" v="footway"/><tag k="name" v="Lane"/></way></osm>'
    )
    (tmp_path / "square.osm").write_text(text)
    assert {one.kind.value for one in read_venue(tmp_path / "square.osm").shapes} == {"walkable", "exit"}


@pytest.mark.parametrize("read", [from_osm, from_dxf, from_zip])
@pytest.mark.parametrize(
    "data", [b"", b"\x00\xff" * 50, b"<osm/>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"PK\x03\x04"]
)
def test_hostile_files_are_refused(read, data: bytes) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidInput):
        read(data, "file")
