"""Other words for the fields of a scenario: what planners and other programs naturally write means the same here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

SPEED = ("speed_mps", "speed", "free_speed", "free_speed_mps", "desired_speed", "desired_speed_mps", "walking_speed",
         "walking_speed_mps", "v0", "speeds", "speed_m_s", "velocity", "speed_ms")  # fmt: skip
START = ("start_s", "premovement_s", "premovement", "pre_movement_s", "pre_movement", "premovement_time",
         "premovement_time_s", "pre_movement_time_s", "pre_movement_time", "reaction_time", "reaction_time_s",
         "reaction_s", "response_time_s", "response_time", "delay_s", "delay", "start_delay_s", "pre_evacuation_s",
         "pre_evacuation_time_s", "premovement_times")  # fmt: skip
COUNT = ("count", "n", "number", "people", "agents", "persons", "population", "size", "total", "n_agents", "n_people",
         "num_agents", "num_people", "number_of_agents", "number_of_people", "occupants", "crowd",
         "pedestrians")  # fmt: skip
SHARED = {
    "speed_mps": SPEED,
    "start_s": START,
    "familiarity": ("familiarity", "familiar", "familiar_share"),
    "compliance": ("compliance", "compliance_rate", "follow"),
    "radius_m": ("radius_m", "radius", "body_radius_m", "body_radius"),
    "time_gap_s": ("time_gap_s", "time_gap"),
    "age": ("age", "ages", "age_groups", "age_distribution", "demographics"),
}
PEOPLE_WORDS: Mapping[str, Sequence[str]] = {
    **SHARED,
    "count": COUNT,
    "density_pm2": ("density_pm2", "density", "initial_density", "initial_density_pm2", "density_p_m2"),
    "zones": ("zones", "by_zone", "per_zone"),
    "sensors": ("sensors", "counters", "sensor_counts", "people_counters"),
    "uncertainty": ("uncertainty", "count_uncertainty", "relative_sd"),
    "groups": ("groups", "classes", "profiles", "population_groups", "agent_groups"),
    "reduced_mobility": ("reduced_mobility", "reduced_mobility_share", "mobility_impaired", "disabled", "wheelchair",
                         "prm"),
    "together": ("together", "group_share", "social_groups", "in_groups"),
    "main_exits": ("main_exits", "main_exit", "familiar_exits", "familiar_exit", "entrances"),
}  # fmt: skip
GROUP_WORDS: Mapping[str, Sequence[str]] = {
    **SHARED,
    "name": ("name", "id", "label"),
    "count": COUNT,
    "share": ("share", "fraction", "weight", "proportion", "probability", "ratio", "percent"),
    "zone": ("zone", "start_zone", "in_zone"),
    "at": ("at", "positions", "position", "start", "start_position", "start_positions", "coordinates", "location"),
    "area": ("area", "geometry", "polygon", "start_area"),
    "exit": ("exit", "target", "destination", "goal", "assigned_exit", "target_exit", "exit_id"),
}
THREAT_WORDS: Mapping[str, Sequence[str]] = {
    "kind": ("kind", "type", "threat"),
    "path": ("path", "route", "trajectory", "track", "waypoints", "at", "position", "location", "point", "place",
             "coordinates", "source"),
    "area": ("area", "geometry", "polygon", "zone", "hazard_zone"),
    "zones": ("zones", "hazard_zones"),
    "start_s": ("start_s", "start", "time_s", "from_s", "begin_s", "t_start_s", "delay_s"),
    "end_s": ("end_s", "end", "until_s", "detonation_s", "explosion_s", "t_end_s", "stop_s", "detonates_s"),
    "speed_mps": ("speed_mps", "speed"),
    "range_m": ("range_m", "range", "radius_m", "radius", "distance_m", "standoff_m", "visibility_m",
                "sight_m", "line_of_sight_m", "blast_radius_m"),
    "width_m": ("width_m", "width", "corridor_m", "corridor_width_m"),
}  # fmt: skip
PLAN_WORDS: Mapping[str, Sequence[str]] = {
    "offsets_s": ("offsets_s", "offsets", "exit_offsets_s", "exit_offsets"),
    "closed": ("closed", "close", "closed_exits", "close_exits", "closed_gates"),
    "opened": ("opened", "open", "open_exits", "open_gates"),
    "stewards": ("stewards", "steward", "stewards_at"),
    "zones": ("zones", "zone_exits", "assignment", "assignments", "routes"),
    "responder_entry": ("responder_entry", "responders", "responder", "responder_lane", "entry"),
}
TOP_WORDS: Mapping[str, Sequence[str]] = {
    "name": ("name", "title", "id"),
    "seed": ("seed", "random_seed"),
    "duration_s": ("duration_s", "duration", "max_time_s", "max_time", "time_limit_s", "time_limit", "horizon_s",
                   "t_max_s", "t_max", "simulation_time_s", "end_time_s", "timeout_s"),
    "threat": ("threat", "hazard", "incident", "attack"),
    "avoid": ("avoid", "avoid_areas", "avoided_areas", "keep_away", "no_go"),
    "plan": ("plan", "strategy"),
}  # fmt: skip
THREAT_KINDS: Mapping[str, str] = {
    "gunman": "gunman", "shooter": "gunman", "firearm": "gunman", "active_shooter": "gunman", "gun": "gunman",
    "attacker": "gunman", "knife": "gunman", "vehicle": "vehicle", "car": "vehicle", "truck": "vehicle",
    "lorry": "vehicle", "ramming": "vehicle", "vehicle_ramming": "vehicle", "bomb": "bomb", "explosive": "bomb",
    "ied": "bomb", "blast": "bomb", "explosion": "bomb", "suspicious_object": "bomb", "plume": "plume", "gas": "plume",
    "smoke": "plume", "chemical": "plume", "release": "plume", "cbrn": "plume", "hazard_zone": "plume",
    "toxic": "plume", "fire": "fire",
}  # fmt: skip
IGNORED = frozenset({"venue", "description", "comment", "notes", "model", "version", "source", "reference", "expected",
                     "expect", "$schema", "author", "licence", "license", "experiment", "test", "dt", "step_s",
                     "time_step_s", "tags", "units"})  # fmt: skip


def key_of(word: object) -> str:
    """A field's name in one spelling: `Pre-Movement (s)` is `pre_movement_s`."""
    import re

    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(word).strip())
    return re.sub(r"[^a-z0-9$]+", "_", text.lower()).strip("_")


def renamed(given: Mapping[str, Any], words: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The same mapping with the names that the model knows; unknown ones stay, to be refused by name."""
    known = {word: name for name, spellings in words.items() for word in spellings}
    made: dict[str, Any] = {}
    for key, value in given.items():
        spelt = key_of(key)
        name = known.get(spelt, spelt)
        if name in made and value is not None:
            raise ValueError(f"{name} is given twice, the second time as {str(key)[:40]!r}")
        if value is not None:
            made[name] = value
    return made


def canonical(given: Mapping[str, Any]) -> dict[str, Any]:
    """A scenario in the model's own words."""
    made = renamed(given, TOP_WORDS)
    for name in list(made):
        if name in IGNORED or name.startswith("x_"):
            made.pop(name)
    made["people"] = _people(made)
    if isinstance(made.get("threat"), Mapping):
        made["threat"] = _threat(made["threat"])
    elif isinstance(made.get("threat"), str):
        word = made.pop("threat")
        if key_of(word) not in ("none", "no", ""):
            raise ValueError("threat: give its kind and where it is, as {kind: gunman, at: [longitude, latitude]}")
    elif isinstance(made.get("threats"), Sequence) and len(made["threats"]) == 1:
        made["threat"] = _threat(made.pop("threats")[0])
    opened = dict(made.get("opened", {})) if isinstance(made.get("opened"), Mapping) else {}
    widths = dict(made.get("widths_m", {})) if isinstance(made.get("widths_m"), Mapping) else {}
    for name in ("exits", "gates", "doors"):
        if name in made:
            _exits(made.pop(name), opened, widths)
    for name in ("closed_exits", "closed", "close", "blocked_exits", "blocked", "closed_gates", "exits_closed"):
        for one in _list(made.pop(name, None)):
            opened[str(one)] = False
    for name in ("open_exits", "open_gates", "exits_open"):
        for one in _list(made.pop(name, None)):
            opened[str(one)] = True
    if opened:
        made["opened"] = opened
    if widths:
        made["widths_m"] = widths
    if "avoid" in made:
        made["avoid"] = _list(made["avoid"])
    if isinstance(made.get("plan"), Mapping):
        plan = renamed(made["plan"], PLAN_WORDS)
        for name in ("closed", "opened", "stewards"):
            if name in plan:
                plan[name] = _list(plan[name])
        made["plan"] = plan
    elif isinstance(made.get("plan"), str):
        word = made.pop("plan")
        if key_of(word) not in ("none", "nearest", "nearest_exit", "baseline", ""):
            raise ValueError(f"plan: {word[:40]!r} is unknown; leave it out for nearest exits, or give offsets_s")
    return made


def _people(made: dict[str, Any]) -> Any:
    """The crowd, whether it stands under `people`, `crowd`, `agents` ... or at the top."""
    if isinstance(made.get("people"), BaseModel):
        return made.pop("people")
    found: dict[str, Any] = {}
    for name in ("people", "crowd", "population", "agents", "occupants", "pedestrians", "persons"):
        if name not in made:
            continue
        value = made.pop(name)
        if isinstance(value, Mapping) and not _names_zones(value):
            found = {**found, **_crowd(value)}
        elif isinstance(value, Mapping):
            found["zones"] = _counts(value, found)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            found["groups"] = [*found.get("groups", []), *(_group(one) for one in value)]
        else:
            found["count"] = _whole(value)
    top = {word for spellings in PEOPLE_WORDS.values() for word in spellings}
    stray = {name: made.pop(name) for name in list(made) if name in top and name != "count"}
    if stray:
        found = {**_crowd(stray), **found}
    if "count" in made:
        found.setdefault("count", _whole(made.pop("count")))
    return found


def _names_zones(value: Mapping[str, Any]) -> bool:
    """Whether a mapping is just zone -> number, with names that are no fields."""
    top = {word for spellings in PEOPLE_WORDS.values() for word in spellings}
    return bool(value) and all(
        key_of(key) not in top and isinstance(one, int | float) and not isinstance(one, bool)
        for key, one in value.items()
    )


def _crowd(value: Mapping[str, Any]) -> dict[str, Any]:
    made = renamed(value, PEOPLE_WORDS)
    if "count" in made:
        if isinstance(made["count"], Mapping):
            made["zones"] = made.pop("count")
        elif isinstance(made["count"], Sequence) and not isinstance(made["count"], str):
            made["groups"] = [*made.pop("count"), *made.get("groups", [])]
        else:
            made["count"] = _whole(made["count"])
    extra: list[Any] = []
    if "zones" in made:
        made["zones"] = _counts(made["zones"], made, extra)
    if isinstance(made.get("groups"), Mapping):
        made["groups"] = [
            {"name": name, **(one if isinstance(one, Mapping) else {"share": one})}
            for name, one in made["groups"].items()
        ]
    if "groups" in made or extra:
        made["groups"] = [_group(one) for one in [*_list(made.get("groups")), *extra]]
    if isinstance(made.get("age"), Mapping):
        made["age"] = {key_of(name): share for name, share in made["age"].items()}
    if "main_exits" in made:
        made["main_exits"] = _list(made["main_exits"])
    return made


def _counts(value: Any, found: dict[str, Any], extra: list[Any] | None = None) -> dict[str, Any]:
    """Zone -> number; what says more of a zone than its number becomes a group."""
    counts: dict[str, Any] = {}
    entries = (
        [(name, one) for name, one in value.items()]
        if isinstance(value, Mapping)
        else [
            (one.get("id", one.get("zone", one.get("name"))), one) for one in _list(value) if isinstance(one, Mapping)
        ]
    )
    for name, one in entries:
        if isinstance(one, Mapping):
            fields = renamed({key: part for key, part in one.items() if key not in ("id", "name")}, GROUP_WORDS)
            fields["zone"] = str(name)
            if set(fields) <= {"zone", "count"}:
                counts[str(name)] = fields.get("count", 0)
            elif extra is not None:
                extra.append(fields)
            else:
                found.setdefault("groups", []).append(_group(fields))
        else:
            counts[str(name)] = one
    return counts


def _group(value: Any) -> Any:
    if not isinstance(value, Mapping):
        if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
            return {"count": 1, "at": [list(value)]}
        return value
    made = renamed(value, GROUP_WORDS)
    percent = any(key_of(key) == "percent" for key in value)
    if percent and isinstance(made.get("share"), int | float):
        made["share"] = made["share"] / 100
    longitude = made.pop("longitude", made.pop("lon", made.pop("lng", None)))
    latitude = made.pop("latitude", made.pop("lat", None))
    if longitude is not None and latitude is not None:
        made["at"] = [[longitude, latitude]]
    if "at" in made:
        made["at"] = _spots(made["at"])
        made.setdefault("count", len(made["at"]))
    if "count" in made:
        made["count"] = _whole(made["count"])
    if isinstance(made.get("age"), str):
        made["age"] = {key_of(made["age"]): 1.0}
    elif isinstance(made.get("age"), Mapping):
        made["age"] = {key_of(name): share for name, share in made["age"].items()}
    return made


def _threat(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    longitude = value.get("longitude", value.get("lon"))
    latitude = value.get("latitude", value.get("lat"))
    rest = {key: one for key, one in value.items() if key not in ("longitude", "lon", "latitude", "lat")}
    made = renamed(rest, THREAT_WORDS)
    if longitude is not None and latitude is not None:
        made["path"] = [[longitude, latitude]]
    if isinstance(made.get("kind"), str):
        made["kind"] = THREAT_KINDS.get(key_of(made["kind"]), made["kind"])
    if "path" in made:
        path = made["path"]
        if isinstance(path, Mapping) and path.get("type") in ("Polygon", "MultiPolygon"):
            made["area"] = made.pop("path")
        else:
            made["path"] = _spots(path)
    for name in ("name", "id", "title", "description"):
        made.pop(name, None)
    return made


def _spots(value: Any) -> list[Any]:
    """Positions, from `[lon, lat]`, a list of those, GeoJSON, or mappings with names."""
    if isinstance(value, Mapping):
        if "coordinates" in value:
            return _spots(value["coordinates"])
        longitude = value.get("longitude", value.get("lon", value.get("lng")))
        latitude = value.get("latitude", value.get("lat"))
        return [[longitude, latitude]]
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) >= 2 and all(isinstance(one, int | float) and not isinstance(one, bool) for one in value[:2]):
            return [list(value[:2])]
        return [spot for one in value for spot in _spots(one)]
    raise ValueError("a position is [longitude, latitude]")


def _exits(value: Any, opened: dict[str, bool], widths: dict[str, float]) -> None:
    entries = (
        [(name, one) for name, one in value.items()]
        if isinstance(value, Mapping)
        else [(one.get("id", one.get("name")) if isinstance(one, Mapping) else one, one) for one in _list(value)]
    )
    if entries and not isinstance(value, Mapping) and all(isinstance(one, str) for _, one in entries):
        raise ValueError("exits: say which are closed (closed_exits) or open (open_exits)")
    for name, one in entries:
        if isinstance(one, bool):
            opened[str(name)] = one
        elif isinstance(one, str):
            word = one.strip().lower()
            if word not in ("open", "closed", "blocked"):
                raise ValueError(f"exits: {str(name)[:40]} is {one[:40]!r}; give open or closed")
            opened[str(name)] = word == "open"
        elif isinstance(one, int | float):
            widths[str(name)] = float(one)
        elif isinstance(one, Mapping):
            for key, part in one.items():
                spelt = key_of(key)
                if spelt in ("id", "name", "capacity"):
                    continue
                if spelt in ("open", "opened"):
                    opened[str(name)] = bool(part)
                elif spelt in ("closed", "blocked"):
                    opened[str(name)] = not part
                elif spelt in ("width", "width_m"):
                    widths[str(name)] = float(part)
                elif spelt in ("state", "status"):
                    opened[str(name)] = str(part).lower() == "open"
                else:
                    raise ValueError(f"exits: {str(name)[:40]}: {str(key)[:40]!r} is unknown; give open or width_m")
        else:
            raise ValueError(f"exits: {str(name)[:40]}: give open or closed")


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
