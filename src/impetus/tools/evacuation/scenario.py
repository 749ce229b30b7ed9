"""A scenario as people write it in YAML: who is there, what threatens, what is open, and which plan is followed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from impetus.model import InvalidInput, Value
from impetus.tools.evacuation.distributions import Distribution

TEXT_LIMIT = 5_000_000
PEOPLE_LIMIT = 200_000
WALKING = Distribution(kind="normal", middle=1.34, spread=0.26, low=0.6, high=2.2)
"""Free speed of a mixed crowd: U. Weidmann, Transporttechnik der Fussgaenger, 1993."""
AGE_SPEEDS: Mapping[str, Distribution] = {
    # Means of Weidmann's curve of free speed over age, with his coefficient of variation.
    "child": Distribution(kind="normal", middle=1.08, spread=0.26, low=0.4, high=1.9),
    "young": Distribution(kind="normal", middle=1.55, spread=0.24, low=0.8, high=2.2),
    "adult": Distribution(kind="normal", middle=1.41, spread=0.22, low=0.8, high=2.2),
    "elderly": Distribution(kind="normal", middle=1.08, spread=0.22, low=0.4, high=1.6),
    "reduced_mobility": Distribution(kind="normal", middle=0.75, spread=0.25, low=0.3, high=1.2),
    "wheelchair": Distribution(kind="normal", middle=0.89, spread=0.25, low=0.3, high=1.4),
}
"""By group, in m/s; reduced mobility and wheelchair after K. Boyce et al., 1999."""
AGE_WORDS = {
    "children": "child", "kids": "child", "teenager": "young", "teenagers": "young", "youth": "young",
    "adults": "adult", "old": "elderly", "older": "elderly", "senior": "elderly", "seniors": "elderly",
    "disabled": "reduced_mobility", "mobility_impaired": "reduced_mobility", "impaired": "reduced_mobility",
    "prm": "reduced_mobility",
}  # fmt: skip
Share = Annotated[float, Field(ge=0, le=1)]
Spot = tuple[float, float]
Name = Annotated[str, Field(min_length=1, max_length=64)]


class Group(Value):
    """Some of the people, who differ from the others in something."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(default="", max_length=100)
    count: Annotated[int, Field(ge=0, le=PEOPLE_LIMIT)] | None = None
    share: Annotated[float, Field(ge=0)] | None = None
    """Of the people of its zone, or of all; shares are scaled to 1."""
    zone: Name | None = None
    at: tuple[Spot, ...] = ()
    """Longitude and latitude of each one, where they are given one by one."""
    area: dict[str, Any] | None = None
    """GeoJSON polygon (WGS 84) in which they stand."""
    exit: Name | None = None
    """The only exit that they use."""
    speed_mps: Distribution | None = None
    start_s: Distribution | None = None
    age: dict[str, float] | None = None
    familiarity: Share | None = None
    compliance: Distribution | None = None
    radius_m: Annotated[float, Field(gt=0.05, le=0.5)] | None = None
    time_gap_s: Annotated[float, Field(ge=0.1, le=5)] | None = None


class People(Value):
    """The crowd."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    count: Annotated[int, Field(ge=0, le=PEOPLE_LIMIT)] | None = None
    density_pm2: Annotated[float, Field(ge=0, le=20)] | None = None
    zones: dict[str, Annotated[float, Field(ge=0, le=PEOPLE_LIMIT)]] = {}
    sensors: dict[str, Annotated[float, Field(ge=0, le=PEOPLE_LIMIT)]] = {}
    """Counts of people counters; each stands for what is nearest to it."""
    uncertainty: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Relative standard deviation of counts; each seed draws its own."""
    groups: tuple[Group, ...] = ()
    speed_mps: Distribution = WALKING
    start_s: Distribution = Distribution(kind="constant", middle=0.0)
    age: dict[str, float] = {}
    reduced_mobility: Share = 0.0
    together: Share = 0.0
    """Share that came in groups of two to four, who walk at the speed of the slowest."""
    familiarity: Share = 1.0
    """Share that knows all exits; the others leave where they came in."""
    main_exits: tuple[Name, ...] = ()
    """Where people came in; without them, the widest open exit."""
    compliance: Distribution = Distribution(kind="uniform", low=0.3, high=0.9)
    """Share that follows a plan; a range is drawn anew for each seed."""
    radius_m: Annotated[float, Field(gt=0.05, le=0.5)] | None = None
    time_gap_s: Annotated[float, Field(ge=0.1, le=5)] | None = None


class Threat(Value):
    """What threatens, where, and since when."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["gunman", "vehicle", "bomb", "plume", "fire"] = "gunman"
    path: tuple[Spot, ...] = ()
    """Longitude and latitude; more than one where it moves."""
    area: dict[str, Any] | None = None
    """GeoJSON (WGS 84): of a plume, or of whatever else is dangerous to be in."""
    zones: tuple[dict[str, Any], ...] = ()
    """Of the air tool's result: `lead_s`, `geometry`, `probability` ..."""
    start_s: Annotated[float, Field(ge=0, le=86_400)] = 0.0
    end_s: Annotated[float, Field(ge=0, le=86_400)] | None = None
    """For a bomb: when it goes off, if nobody knows never."""
    speed_mps: Annotated[float, Field(ge=0, le=60)] | None = None
    range_m: Annotated[float, Field(gt=0, le=2_000)] | None = None
    width_m: Annotated[float, Field(gt=0, le=100)] = 6.0
    """Of the corridor of a vehicle."""


class PlanGiven(Value):
    """A plan as a scenario gives it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    offsets_s: dict[str, float] = {}
    """By exit: so many seconds longer does the way there count."""
    closed: tuple[Name, ...] = ()
    opened: tuple[Name, ...] = ()
    stewards: tuple[Name, ...] = ()
    """Zones and gates at which stewards stand."""
    zones: dict[str, Name] = {}
    """By zone: the exit to which its people are sent."""
    responder_entry: Name | None = None


class Scenario(Value):
    """One what-if."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(default="", max_length=200)
    seed: Annotated[int, Field(ge=0, le=2**31)] = 1
    duration_s: Annotated[float, Field(gt=0, le=86_400)] = 3_600.0
    people: People = People()
    threat: Threat | None = None
    opened: dict[str, bool] = {}
    widths_m: dict[str, Annotated[float, Field(gt=0, le=1_000)]] = {}
    avoid: tuple[Any, ...] = ()
    """GeoJSON polygons (WGS 84), or ids of zones."""
    plan: PlanGiven | None = None

    @field_validator("avoid")
    @classmethod
    def _areas_or_names(cls, given: tuple[Any, ...]) -> tuple[Any, ...]:
        if not all(isinstance(one, str | Mapping) for one in given):
            raise ValueError("each is a GeoJSON polygon or the id of a zone")
        return given

    @model_validator(mode="before")
    @classmethod
    def _in_other_words(cls, given: Any) -> Any:
        from impetus.tools.evacuation.wording import canonical

        return canonical(given) if isinstance(given, Mapping) else given


def read_scenario(path: str | Path) -> Scenario:
    """A scenario's file, YAML or JSON. Raises `InvalidInput`; it names each field that is wrong."""
    path = Path(path)
    try:
        if path.stat().st_size > TEXT_LIMIT:
            raise InvalidInput(f"{path.name} has more than {TEXT_LIMIT // 1_000_000} MB")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path.name} cannot be read: {error}") from error
    return parse_scenario(text, name=path.name)


def parse_scenario(text: str, *, name: str = "the scenario") -> Scenario:
    """A scenario from its text. Raises `InvalidInput`."""
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            # A few lines of references to references can stand for more than memory holds.
            raise InvalidInput(f"{name} uses YAML references (*name)", hint="write out what is meant")
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidInput(f"{name} is not YAML: {str(error).splitlines()[0][:200]}") from error
    if content is None:
        content = {}
    if not isinstance(content, Mapping):
        raise InvalidInput(f"{name} is no mapping", hint="see docs/guide/evacuation.md for the form")
    return make_scenario(content, name=name)


def make_scenario(content: Mapping[str, Any], *, name: str = "the scenario") -> Scenario:
    """A scenario from decoded YAML or JSON. Raises `InvalidInput`."""
    try:
        return Scenario.model_validate(content)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'scenario'}:"
            f" {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_url=False)[:6]
        )
        raise InvalidInput(f"{name} is not valid: {wrong}", hint="docs/guide/evacuation.md names all fields") from error


def finite(value: object) -> bool:
    """Whether it is a plain finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def sequence(value: object) -> Sequence[Any]:
    """The list itself; a single thing as a list of one."""
    if value is None:
        return []
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
