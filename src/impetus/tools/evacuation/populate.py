"""From a scenario to a crowd: one seed, one sample of who is there, how they walk, and what they do."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import shapely
from shapely.geometry import Point, Polygon, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from impetus.model import InvalidInput
from impetus.tools.evacuation.arrays import Floats
from impetus.tools.evacuation.ground import Ground
from impetus.tools.evacuation.people import RADIUS_M, TIME_GAP_S, Crowd, join, scatter
from impetus.tools.evacuation.scenario import AGE_SPEEDS, AGE_WORDS, PEOPLE_LIMIT, Group, People, Scenario

SENSOR_REACH_M = 25.0
LEAST_SPEED_MPS = 0.05


def populate(ground: Ground, scenario: Scenario, seed: int) -> Crowd:
    """The people of one run.

    Raises:
        InvalidInput: nobody is there, more than fit, or a zone, exit or place is unknown; it is named.
    """
    random = np.random.default_rng([seed, 1])
    people = scenario.people
    parts: list[tuple[Group | None, BaseGeometry, int, str]] = []
    explicit = [group for group in people.groups if group.at]
    for id, count in people.zones.items():
        area, name = zone_area(ground, id)
        _closed_exit_crowd(ground, id)
        for group, share in _split(people, id, _sampled(count, people, random)):
            parts.append((group, area, share, name))
    for id, count in people.sensors.items():
        if id not in ground.sensors:
            raise InvalidInput(f"there is no sensor {id[:60]!r}", hint=f"the venue has {', '.join(ground.sensors)}")
        area = _around_sensor(ground, id)
        for group, share in _split(people, None, _sampled(count, people, random)):
            parts.append((group, area, share, f"the place of sensor {id!r}"))
    placed = set(people.zones)
    for group in people.groups:
        if group.at or group.share is not None or (group.zone in placed):
            continue
        area, name = _place_of(ground, group)
        number = group.count
        if number is None:
            number = 0 if people.count is not None else _default_count(ground, people, area)
        parts.append((group, area, _sampled(number, people, random), name))
    if people.count is not None or (not parts and not explicit):
        already = sum(count for _, _, count, _ in parts) + len([at for group in explicit for at in group.at])
        whole = people.count
        if whole is None:
            whole = _default_count(ground, people, ground.inner)
        rest = max(0, _sampled(whole, people, random) - already) if not people.zones else 0
        for group, share in _split(people, None, rest):
            if group is not None and (group.zone or group.area):
                area, name = _place_of(ground, group)
                parts.append((group, area, share, name))
            else:
                parts += [(group, area, number, name) for area, name, number in _spread(ground, share)]
    total = sum(count for _, _, count, _ in parts) + sum(len(group.at) for group in explicit)
    if total == 0:
        raise InvalidInput("the scenario has no people", hint="give people: {count: 500}")
    if total > PEOPLE_LIMIT:
        raise InvalidInput(f"{total:,} people are more than the {PEOPLE_LIMIT:,} that a run may have")
    return _crowd(ground, scenario, parts, explicit, random, seed)


def _crowd(
    ground: Ground,
    scenario: Scenario,
    parts: list[tuple[Group | None, BaseGeometry, int, str]],
    explicit: list[Group],
    random: np.random.Generator,
    seed: int,
) -> Crowd:
    people = scenario.people
    crowds: list[Crowd] = []
    taken = np.empty((0, 2))
    level = float(np.clip(people.compliance.draw(1, np.random.default_rng([seed, 2]))[0], 0.0, 1.0))
    for group in explicit:
        positions = np.array([ground.to_metres(*at) for at in group.at])
        for at, (x, y) in zip(group.at, positions, strict=True):
            if not ground.area.buffer(0.05).covers(Point(x, y)):
                raise InvalidInput(
                    f"somebody at {at[0]:g}, {at[1]:g} is not on the walkable area", hint="longitude comes first"
                )
        crowds.append(_members(ground, people, group, positions, -1, random, level))
        taken = np.vstack([taken, positions])
    # Those of one place are put there together, so that classes of people are mixed.
    places: dict[str, list[tuple[Group | None, BaseGeometry, int]]] = {}
    for made, area, count, name in parts:
        places.setdefault(name, []).append((made, area, count))
    zones = {zone.id: number for number, zone in enumerate(ground.zones)}
    for name, classes in places.items():
        count = sum(entry[2] for entry in classes)
        if count == 0:
            continue
        positions = scatter(
            _inside(classes[0][1], ground, name), count, random, name=name, taken=taken if len(taken) else None
        )
        taken = np.vstack([taken, positions])
        first = 0
        zone = zones.get(name.removeprefix("zone '").removesuffix("'"), -1)
        for made, _, number in classes:
            crowds.append(_members(ground, people, made, positions[first : first + number], zone, random, level))
            first += number
    crowd = join(crowds)
    _together(crowd, people, random)
    return crowd


def _members(
    ground: Ground,
    people: People,
    group: Group | None,
    positions: Floats,
    zone: int,
    random: np.random.Generator,
    level: float,
) -> Crowd:
    count = len(positions)
    speeds = _speeds(people, group, count, random)
    start = (group.start_s if group and group.start_s else people.start_s).draw(count, random)
    familiarity = people.familiarity if group is None or group.familiarity is None else group.familiarity
    if group is not None and group.compliance is not None:
        level = float(np.clip(group.compliance.draw(1, random)[0], 0.0, 1.0))
    draw = random.uniform(0, 1, count)
    preferred = -1
    if group is not None and group.exit is not None:
        door = ground.exit(group.exit)
        if not door.open:
            raise InvalidInput(f"a group is to use exit {door.id!r}, which is closed")
        preferred = [one.id for one in ground.open_exits].index(door.id)
    radius = (group.radius_m if group and group.radius_m else None) or people.radius_m or RADIUS_M
    gap = (group.time_gap_s if group and group.time_gap_s else None) or people.time_gap_s or TIME_GAP_S
    return Crowd(
        x=positions[:, 0].copy(),
        y=positions[:, 1].copy(),
        free_mps=np.maximum(speeds, LEAST_SPEED_MPS),
        radius_m=np.full(count, radius),
        time_gap_s=np.full(count, gap),
        start_s=np.maximum(start, 0.0),
        familiar=random.uniform(0, 1, count) < familiarity,
        comply=draw < level,
        comply_draw=draw,
        group=np.full(count, -1, dtype=np.int64),
        preferred=np.full(count, preferred, dtype=np.int64),
        zone=np.full(count, zone, dtype=np.int64),
    )


def _speeds(people: People, group: Group | None, count: int, random: np.random.Generator) -> Floats:
    if group is not None and group.speed_mps is not None:
        return group.speed_mps.draw(count, random)
    shares: Mapping[str, float] = (group.age if group is not None and group.age else None) or people.age
    if shares:
        names = [AGE_WORDS.get(name, name) for name in shares]
        unknown = [name for name in names if name not in AGE_SPEEDS]
        if unknown:
            raise InvalidInput(
                f"there is no age group {unknown[0][:40]!r}", hint=f"known are {', '.join(sorted(AGE_SPEEDS))}"
            )
        weights = np.array([max(float(share), 0.0) for share in shares.values()])
        if weights.sum() <= 0:
            raise InvalidInput("the shares of the age groups are all 0")
        chosen = random.choice(len(names), size=count, p=weights / weights.sum())
        speeds: Floats = np.empty(count)
        for number, name in enumerate(names):
            speeds[chosen == number] = AGE_SPEEDS[name].draw(int((chosen == number).sum()), random)
    else:
        speeds = people.speed_mps.draw(count, random)
    if people.reduced_mobility > 0:
        slow = random.uniform(0, 1, count) < people.reduced_mobility
        speeds[slow] = np.minimum(speeds[slow], AGE_SPEEDS["reduced_mobility"].draw(int(slow.sum()), random))
    return speeds


def _together(crowd: Crowd, people: People, random: np.random.Generator) -> None:
    """Neighbours that came together walk as fast as the slowest of them and start with the last."""
    if people.together <= 0 or len(crowd) < 2:
        return
    from scipy.spatial import cKDTree

    tree = cKDTree(np.column_stack([crowd.x, crowd.y]))
    free = random.uniform(0, 1, len(crowd)) < people.together
    number = 0
    for person in random.permutation(len(crowd)):
        if not free[person]:
            continue
        size = int(random.choice([2, 3, 4], p=[0.6, 0.25, 0.15]))
        near = tree.query_ball_point([crowd.x[person], crowd.y[person]], 2.0)
        members = [person, *[other for other in near if other != person and free[other]][: size - 1]]
        free[members] = False
        if len(members) < 2:
            continue
        crowd.group[members] = number
        crowd.free_mps[members] = crowd.free_mps[members].min()
        crowd.start_s[members] = crowd.start_s[members].max()
        for column in (crowd.familiar, crowd.comply, crowd.comply_draw):
            column[members] = column[person]
        number += 1


def _sampled(count: float, people: People, random: np.random.Generator) -> int:
    if people.uncertainty <= 0 or count <= 0:
        return round(count)
    return max(0, round(random.normal(count, people.uncertainty * count)))


def _split(people: People, zone: str | None, count: int) -> list[tuple[Group | None, int]]:
    """So many people by the classes that have a share here; all alike where there are none."""
    classes = [
        group
        for group in people.groups
        if not group.at and group.share is not None and (group.zone is None or zone is None or group.zone == zone)
    ]
    if not classes:
        return [(None, count)]
    shares = np.array([group.share or 0.0 for group in classes])
    total = max(shares.sum(), 1e-12)
    rest = 1.0 - total if total < 0.999 else 0.0
    weights = np.append(shares, rest) / max(total + rest, 1e-12)
    edges = np.round(np.cumsum(weights) * count).astype(int)
    counts = np.diff(np.concatenate([[0], edges]))
    made: list[tuple[Group | None, int]] = [(group, int(counts[number])) for number, group in enumerate(classes)]
    return [*made, (None, int(counts[-1]))]


def _default_count(ground: Ground, people: People, area: BaseGeometry) -> int:
    if people.density_pm2 is not None:
        return round(people.density_pm2 * area.area)
    given = [zone.people for zone in ground.zones if zone.people is not None]
    return round(sum(given)) if given else 0


def _spread(ground: Ground, count: int) -> list[tuple[BaseGeometry, str, int]]:
    """Over the venue's zones by their people or capacity; over all of it where it has none."""
    weights = np.array([
        (zone.people if zone.people is not None else float(zone.capacity or 0)) if zone.area.area > 0 else 0.0
        for zone in ground.zones
    ])  # fmt: skip
    if len(weights) == 0 or weights.sum() <= 0:
        return [(ground.inner, "the venue", count)]
    edges = np.round(np.cumsum(weights / weights.sum()) * count).astype(int)
    counts = np.diff(np.concatenate([[0], edges]))
    return [
        (zone_area(ground, zone.id)[0], f"zone {zone.id!r}", int(number))
        for zone, number in zip(ground.zones, counts, strict=True)
        if number > 0
    ]


def zone_area(ground: Ground, id: str) -> tuple[BaseGeometry, str]:
    """A zone, or a walkable part, and how messages name it. Raises `InvalidInput`."""
    for zone in ground.zones:
        if zone.id == id or zone.name == id:
            area = zone.area if zone.area.area > 0 else zone.area.buffer(5.0)
            return area, f"zone {zone.id!r}"
    for shape_ in ground.source.shapes:
        if shape_.id == id and shape_.kind.value == "walkable":
            return ground.project(shape_.geometry), f"walkable {id!r}"
    known = ", ".join(zone.id for zone in ground.zones) or "none"
    raise InvalidInput(f"there is no zone {id[:60]!r}", hint=f"the venue has {known}")


def _closed_exit_crowd(ground: Ground, id: str) -> None:
    for one in ground.exits:
        if one.id == id:
            raise InvalidInput(f"{id!r} is an exit, not a zone", hint="people stand in zones")


def _inside(area: BaseGeometry, ground: Ground, name: str) -> BaseGeometry:
    made = area.intersection(ground.inner)
    parts = [part for part in getattr(made, "geoms", [made]) if isinstance(part, Polygon) and part.area > 0.05]
    if not parts:
        closed = [one.id for one in ground.exits if not one.open and one.area.intersects(area)]
        if closed:
            raise InvalidInput(f"{name}: exit {closed[0]!r} is closed, and people are said to be in it")
        raise InvalidInput(f"{name} lies outside of the walkable area")
    return unary_union(parts)


def _place_of(ground: Ground, group: Group) -> tuple[BaseGeometry, str]:
    if group.zone is not None:
        return zone_area(ground, group.zone)
    if group.area is not None:
        return area_of(group.area, ground, f"the area of group {group.name!r}"), f"the area of group {group.name!r}"
    return ground.inner, "the venue"


def area_of(given: Mapping[str, object], ground: Ground, title: str) -> BaseGeometry:
    """A GeoJSON geometry or feature of a scenario, in metres. Raises `InvalidInput`."""
    geometry = given.get("geometry", given) if given.get("type") == "Feature" else given
    try:
        made = shape(dict(geometry))  # type: ignore[call-overload]
        bounds = made.bounds
    except Exception as error:  # shapely raises many kinds
        raise InvalidInput(f"{title} is no GeoJSON geometry: {str(error)[:100]}") from error
    if made.is_empty or not all(math.isfinite(value) for value in bounds):
        raise InvalidInput(f"{title} is empty")
    if bounds[0] < -180 or bounds[2] > 180 or bounds[1] < -90 or bounds[3] > 90:
        raise InvalidInput(f"{title} is not in degrees, longitude first")
    return shapely.make_valid(ground.project(made))


def _around_sensor(ground: Ground, id: str) -> BaseGeometry:
    """What is nearer to this sensor than to others, within reach."""
    here = ground.sensors[id].centroid
    area = here.buffer(SENSOR_REACH_M).intersection(ground.inner)
    others = [one.centroid for name, one in ground.sensors.items() if name != id]
    if others:
        cells = shapely.voronoi_polygons(shapely.MultiPoint([here, *others]), extend_to=area.buffer(100))
        own = [cell for cell in cells.geoms if cell.covers(here)]
        if own:
            area = area.intersection(own[0])
    if area.is_empty:
        raise InvalidInput(f"sensor {id!r} is not near the walkable area")
    return area
