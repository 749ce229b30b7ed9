"""Protects: squares from OpenStreetMap, drawings in DXF and scenario zips keep their size, obstacles, exits and people;
hostile files are refused with a reason."""

from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path

import ezdxf.filemanagement
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from impetus.model import InvalidInput
from impetus.tools.evacuation.features import parse_features
from impetus.tools.evacuation.ground import Ground, make_ground, projection
from impetus.tools.evacuation.importing import from_dxf, from_osm, from_zip, read_venue

MIDDLE = (12.9, 44.9)


def osm(*ways: tuple[list[tuple[float, float]], dict[str, str]], bounds: float = 40.0) -> str:
    """A map of ways in metres around the middle; the bounds lie `bounds` metres from it on each side."""
    to_degrees = projection(*MIDDLE)
    nodes: list[tuple[int, float, float]] = []
    lines: list[str] = []
    for points, tags in ways:
        references = []
        for x, y in points:
            longitude, latitude = to_degrees.transform(x, y, direction="INVERSE")
            same = [node for node in nodes if node[1:] == (longitude, latitude)]
            number = same[0][0] if same else len(nodes) + 1
            if not same:
                nodes.append((number, longitude, latitude))
            references.append(f'<nd ref="{number}"/>')
        words = "".join(f'<tag k="{key}" v="{value}"/>' for key, value in tags.items())
        lines.append(f'<way id="{len(lines) + 1}">{"".join(references)}{words}</way>')
    west, south = to_degrees.transform(-bounds, -bounds, direction="INVERSE")
    east, north = to_degrees.transform(bounds, bounds, direction="INVERSE")
    points_text = "".join(f'<node id="{n}" lon="{x:.9f}" lat="{y:.9f}"/>' for n, x, y in nodes)
    frame = f'<bounds minlon="{west}" minlat="{south}" maxlon="{east}" maxlat="{north}"/>'
    return f'<osm version="0.6">{frame}{points_text}{"".join(lines)}</osm>'


def ring(left: float, bottom: float, right: float, top: float) -> list[tuple[float, float]]:
    """A closed upright rectangle."""
    return [(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)]


def ground_of(path: Path) -> Ground:
    return make_ground(read_venue(path))


def test_a_square_of_openstreetmap_has_its_streets_as_exits(tmp_path: Path) -> None:
    """A square of 40 m x 30 m with a building in it and two streets that leave the map, one with a width of its own."""
    path = tmp_path / "square.osm"
    path.write_text(
        osm(
            (ring(-20, -15, 20, 15), {"highway": "pedestrian", "area": "yes"}),
            (ring(-5, -5, 5, 5), {"building": "yes", "name": "Kiosk"}),
            ([(20, 0), (60, 0)], {"highway": "residential", "name": "East Street", "width": "6 m"}),
            ([(-20, 0), (-60, 0)], {"highway": "pedestrian", "name": "West Lane"}),
            ([(0, -70), (0, -90)], {"highway": "footway", "name": "far away"}),
        )
    )
    ground = ground_of(path)
    assert {one.id: round(one.width_m) for one in ground.exits} == {"East Street": 6, "West Lane": 8}
    assert ground.inner.area == pytest.approx(40 * 30 - 10 * 10 + 20 * 6 + 20 * 8, rel=0.03)
    assert not ground.area.contains(shapely.Point(ground.project(shapely.Point(*MIDDLE)).coords[0]))


def test_a_drawing_in_millimetres_keeps_its_size(tmp_path: Path) -> None:
    """Closed polylines, lines and circles on layers named like the kinds; other layers are left out."""
    document = ezdxf.filemanagement.new()
    document.header["$INSUNITS"] = 4  # millimetres
    sheet = document.modelspace()
    corners = [(0, 0), (20_000, 0), (20_000, 10_000), (0, 10_000)]
    sheet.add_lwpolyline(corners, close=True, dxfattribs={"layer": "walkable"})
    sheet.add_circle((10_000, 5_000), 1_000, dxfattribs={"layer": "Obstacle-columns"})
    sheet.add_line((20_000, 4_000), (20_000, 6_500), dxfattribs={"layer": "exit"})
    sheet.add_text("furniture", dxfattribs={"layer": "0"})
    path = tmp_path / "hall.dxf"
    document.saveas(path)
    ground = ground_of(path)
    assert [round(one.width_m, 2) for one in ground.exits] == [2.5]
    assert ground.inner.area == pytest.approx(200 - math.pi, abs=0.2)


def packed(**files: object) -> bytes:
    """A zip of files; what is no text is written as JSON."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content if isinstance(content, str) else json.dumps(content))
    return stream.getvalue()


def test_a_scenario_zip_keeps_ground_exits_and_people(tmp_path: Path) -> None:
    """The walkable area as WKT with a hole, exits and distributions as polygons."""
    path = tmp_path / "hall.zip"
    path.write_bytes(
        packed(
            geometry__wkt="POLYGON ((0 0, 30 0, 30 20, 0 20, 0 0), (10 8, 12 8, 12 12, 10 12, 10 8))",
            config__json={
                "exits": {"door": {"coordinates": [[29.5, 8], [30, 8], [30, 11], [29.5, 11]], "type": "polygon"}},
                "distributions": {
                    "crowd": {"coordinates": [[1, 1], [8, 1], [8, 19], [1, 19]], "parameters": {"number": 40}}
                },
            },
        )
    )
    ground = ground_of(path)
    assert [one.id for one in ground.exits] == ["door"]
    assert 3.0 <= ground.exits[0].width_m <= 4.0  # it can be entered from its sides too
    assert [(zone.id, zone.people) for zone in ground.zones] == [("crowd", 40)]
    assert ground.inner.area == pytest.approx(30 * 20 - 8, rel=0.02)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("bomb.osm", b'<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]><osm>&c;</osm>'),
        ("empty.osm", b"<osm/>"),
        ("half.osm", b'<osm><node id="1" lon="1" lat="2"/><way'),
        ("nowhere.osm", b'<osm><node id="1" lon="east" lat="2"/></osm>'),
        ("text.dxf", b"hello"),
        ("empty.dxf", b""),
        ("text.zip", b"PK nothing"),
        ("without.zip", packed(config__json={"exits": {}})),
        ("broken.zip", packed(a__wkt="POLYGON ((0 0, 1", b__json={})),
        ("hollow.zip", packed(a__wkt="POLYGON EMPTY")),
        ("huge.zip", packed(a__txt="0" * 60_000_000)),
    ],
)
def test_what_is_no_venue_is_refused(name: str, data: bytes, tmp_path: Path) -> None:
    """One clear reason each."""
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InvalidInput):
        ground_of(path)


@pytest.mark.parametrize("longitude", ["801", "nan", "inf", "-170", "1e308"])
def test_nodes_that_are_not_of_one_place_are_refused(longitude: str) -> None:
    """A plane through both of them does not exist, and what would be drawn on it has no numbers."""
    nodes = "".join(f'<node id="{n}" lat="58.1" lon="8.00{n}"/>' for n in range(3))
    with pytest.raises(InvalidInput, match="not of one place"):
        from_osm(f'<osm>{nodes}<node id="9" lat="58.1" lon="{longitude}"/></osm>'.encode(), "square")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from((from_osm, from_dxf, from_zip)), st.binary(max_size=400))
def test_no_bytes_crash_the_importers(reader: object, data: bytes) -> None:
    """Any bytes are a venue or refused."""
    assert callable(reader)
    for content in (data, b"<osm>" + data + b"</osm>", packed(a__wkt=data.decode("latin-1"), b__json={"exits": [1]})):
        try:
            parse_features(reader(content, "fuzz"))
        except InvalidInput:
            continue
