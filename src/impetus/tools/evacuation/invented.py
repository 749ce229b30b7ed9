"""The three venues that come with the tool, in the invented city of Aurelia.

`python -m impetus.tools.evacuation.invented` writes `venues/` anew. No real place looks like this."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ORIGIN_LONGITUDE, ORIGIN_LATITUDE = 12.9, 44.9
METRES_PER_DEGREE = 111_320.0
Metres = tuple[float, float]


def to_degrees(position: Metres) -> list[float]:
    """Metres east and north of the city's origin, in the open Adriatic."""
    x, y = position
    longitude = ORIGIN_LONGITUDE + x / (METRES_PER_DEGREE * math.cos(math.radians(ORIGIN_LATITUDE)))
    return [round(longitude, 7), round(ORIGIN_LATITUDE + y / METRES_PER_DEGREE, 7)]


def polygon(*points: Metres) -> dict[str, Any]:
    """A polygon through these points."""
    return {"type": "Polygon", "coordinates": [[to_degrees(point) for point in (*points, points[0])]]}


def line(*points: Metres) -> dict[str, Any]:
    """A line through these points."""
    return {"type": "LineString", "coordinates": [to_degrees(point) for point in points]}


def point(at: Metres) -> dict[str, Any]:
    """A point."""
    return {"type": "Point", "coordinates": to_degrees(at)}


def feature(id: str, kind: str, name: str, geometry: dict[str, Any], **properties: object) -> dict[str, Any]:
    """One feature of a venue."""
    return {
        "type": "Feature",
        "id": id,
        "geometry": geometry,
        "properties": {"kind": kind, "name": name, **properties},
    }


def rectangle(left: float, bottom: float, width: float, height: float) -> dict[str, Any]:
    """An upright rectangle."""
    return polygon((left, bottom), (left + width, bottom), (left + width, bottom + height), (left, bottom + height))


def market_square() -> list[dict[str, Any]]:
    """100 m x 120 m with stalls, a fountain and a stage; four narrow lanes and two wide streets lead away."""
    left, bottom = -450.0, -262.0
    right, top = left + 100.0, bottom + 120.0
    stalls = [
        feature(f"stall-{row}-{column}", "obstacle", f"Stall {row}.{column}",
                rectangle(left + 24 + 9 * column, bottom + 62 + 11 * row, 5, 3))
        for row in range(4) for column in range(6)
    ]  # fmt: skip
    fountain = [
        (left + 50 + 5 * math.cos(a), bottom + 46 + 5 * math.sin(a)) for a in [k * math.pi / 6 for k in range(12)]
    ]
    return [
        feature("square", "walkable", "Market Square", rectangle(left, bottom, 100, 120)),
        *stalls,
        feature("fountain", "obstacle", "Fountain", polygon(*fountain)),
        feature("stage", "obstacle", "Stage", rectangle(left + 14, bottom + 10, 16, 8)),
        feature("fish-lane", "exit", "Fish Lane", line((left, bottom + 30), (left, bottom + 33)), width_m=3.0),
        feature("baker-lane", "exit", "Baker Lane", line((left + 34, bottom), (left + 37, bottom)), width_m=3.0),
        feature("arcade", "exit", "Arcade", line((left, bottom + 88), (left, bottom + 92)), width_m=4.0),
        feature("north-street", "exit", "North Street", line((left + 60, top), (left + 68, top)), width_m=8.0),
        feature("river-street", "exit", "River Street", line((right, bottom + 70), (right, bottom + 78)), width_m=8.0),
        feature("mint-lane", "exit", "Mint Lane", line((right, bottom + 12), (right, bottom + 16)), width_m=4.0),
        feature("stage-front", "zone", "Before the stage", rectangle(left + 4, bottom + 20, 36, 24), capacity=2400),
        feature("stalls", "zone", "Between the stalls", rectangle(left + 22, bottom + 60, 56, 44), capacity=1500),
        feature("east-side", "zone", "East side", rectangle(left + 66, bottom + 8, 30, 46), capacity=1500),
        feature("ring-gate", "responder_entry", "Ring gate", point((right - 1, bottom + 80))),
        feature("north-gate", "responder_entry", "North gate", point((left + 70, top - 1))),
        feature("people-count-market-square-fountain", "sensor", "Counter at the fountain",
                point((left + 50, bottom + 38))),
        feature("people-count-market-square-north-gate", "sensor", "Counter at the north gate",
                point((left + 60, top - 6))),
    ]  # fmt: skip


def city_hall_square() -> list[dict[str, Any]]:
    """A square of 90 m x 80 m; a parade runs through it between barriers that have two gates."""
    left, bottom = -258.0, -396.0
    right, top = left + 90.0, bottom + 80.0
    return [
        feature("square", "walkable", "City Hall Square", rectangle(left, bottom, 90, 80)),
        feature("hall", "obstacle", "City Hall steps", rectangle(left + 30, top - 12, 30, 12)),
        feature("monument", "obstacle", "Monument", rectangle(left + 43, bottom + 14, 4, 4)),
        feature("kiosk", "obstacle", "Kiosk", rectangle(left + 74, bottom + 58, 4, 4)),
        feature("barrier-south-west", "obstacle", "Parade barrier",
                line((left, bottom + 34), (left + 28, bottom + 34))),
        feature("barrier-south-middle", "obstacle", "Parade barrier",
                line((left + 34, bottom + 34), (left + 60, bottom + 34))),
        feature("barrier-south-east", "obstacle", "Parade barrier",
                line((left + 66, bottom + 34), (left + 82, bottom + 34))),
        feature("gate-west", "gate", "West parade gate",
                line((left + 28, bottom + 34), (left + 34, bottom + 34)), open=True),
        feature("gate-east", "gate", "East parade gate",
                line((left + 60, bottom + 34), (left + 66, bottom + 34)), open=False),
        feature("parade-west", "exit", "Parade route west",
                line((left, bottom + 36), (left, bottom + 46)), width_m=10.0),
        feature("parade-east", "exit", "Parade route east",
                line((right, bottom + 36), (right, bottom + 46)), width_m=10.0),
        feature("tram-street", "exit", "Tram Street", line((left + 70, bottom), (left + 76, bottom)), width_m=6.0),
        feature("clerk-lane", "exit", "Clerk Lane", line((left + 14, bottom), (left + 16.5, bottom)), width_m=2.5),
        feature("colonnade", "exit", "Colonnade", line((left, bottom + 62), (left, bottom + 65)), width_m=3.0),
        feature("post-lane", "exit", "Post Lane", line((right, bottom + 66), (right, bottom + 69)), width_m=3.0),
        feature("south-side", "zone", "South of the route", rectangle(left + 4, bottom + 4, 82, 28), capacity=4000),
        feature("north-side", "zone", "North of the route", rectangle(left + 4, bottom + 50, 82, 16), capacity=2500),
        feature("hall-entry", "responder_entry", "Hall yard", point((left + 64, top - 2))),
        feature("tram-entry", "responder_entry", "Tram Street", point((left + 73, bottom + 1))),
        feature("people-count-city-hall-square-steps", "sensor", "Counter at the steps", point((left + 45, top - 15))),
    ]  # fmt: skip


def procession_street() -> list[dict[str, Any]]:
    """240 m of a street 14 m wide with side streets, a bend and stands on one side."""
    x, y = -640.0, -90.0
    street = [
        (x, y), (x + 130, y), (x + 240, y + 50), (x + 234, y + 64), (x + 127, y + 14), (x, y + 14),
    ]  # fmt: skip
    return [
        feature("street", "walkable", "Procession Street", polygon(*street)),
        feature("side-north", "walkable", "Bell Lane", rectangle(x + 58, y + 13, 4, 22)),
        feature("side-south", "walkable", "Candle Lane", rectangle(x + 100, y - 20, 3, 21)),
        feature("court", "walkable", "Abbey Court", rectangle(x + 18, y - 26, 26, 27)),
        feature("stand-1", "obstacle", "Stand 1", rectangle(x + 66, y + 10, 24, 3)),
        feature("stand-2", "obstacle", "Stand 2", rectangle(x + 96, y + 10, 24, 3)),
        feature("altar", "obstacle", "Altar", rectangle(x + 28, y - 18, 6, 4)),
        feature("west-end", "exit", "West end", line((x, y + 2), (x, y + 12)), width_m=10.0),
        feature("east-end", "exit", "East end",
                line((x + 239.4, y + 51.4), (x + 234.6, y + 62.6)), width_m=12.0),
        feature("bell-lane", "exit", "Bell Lane", line((x + 58, y + 35), (x + 62, y + 35)), width_m=4.0),
        feature("candle-lane", "exit", "Candle Lane", line((x + 100, y - 20), (x + 103, y - 20)), width_m=3.0),
        feature("abbey-door", "exit", "Abbey door", line((x + 30, y - 26), (x + 32, y - 26)), width_m=2.0),
        feature("west-part", "zone", "West part", rectangle(x + 50, y + 1, 46, 8), capacity=1200),
        feature("east-part", "zone", "East part",
                polygon((x + 130, y + 2), (x + 230, y + 47.5), (x + 226, y + 57), (x + 128, y + 12)), capacity=1800),
        feature("court-zone", "zone", "Abbey Court", rectangle(x + 19, y - 25, 24, 22), capacity=1200),
        feature("east-entry", "responder_entry", "East end", point((x + 236, y + 56))),
        feature("people-count-cathedral-yard-portal", "sensor", "Counter at the portal", point((x + 31, y - 8))),
    ]  # fmt: skip


VENUES = (
    ("market-square", "Market Square", market_square),
    ("city-hall-square", "City Hall Square with parade route", city_hall_square),
    ("procession-street", "Procession Street", procession_street),
)


def write(folder: Path) -> Sequence[Path]:
    """Write the venues as GeoJSON; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for id, name, make in VENUES:
        features = ",\n".join(json.dumps(one, ensure_ascii=False) for one in make())
        file = folder / f"{id}.geojson"
        file.write_text(
            f'{{"type": "FeatureCollection", "id": "{id}", "name": "{name}", "features": [\n{features}\n]}}\n',
            encoding="utf-8",
        )
        files.append(file)
    return files


if __name__ == "__main__":
    write(Path(__file__).parent / "venues")
