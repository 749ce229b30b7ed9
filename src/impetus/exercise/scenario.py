"""A scenario as a folder that people can read: `scenario.yaml`, and beside it the data that it names.

Everything that the scenario says is checked when it is read, and each problem is told with the place where it stands:
a scenario that loads can be played to its end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from impetus.exercise.camera_scene import CALLED, CAMERAS
from impetus.exercise.city import PROPERTIES, datastreams, sites
from impetus.exercise.events import RELEASE_SITES, EventKind
from impetus.model import Identifier, InvalidInput, Line, NotFound, Role, Slug, Text, UtcTime, Value

FILE: Final = "scenario.yaml"
SHIPPED: Final = Path(__file__).with_name("scenarios")
OWN: Final = "scenarios"
"""Below a home: the scenarios that its organisations saved, each in a folder of the organisation's."""
SIZE_LIMIT_BYTES: Final = 1_000_000
DATA_LIMIT_BYTES: Final = 50_000_000
LONGEST_MINUTES: Final = 24 * 60


def _moment(value: object) -> object:
    """Seconds since the start, from `12:30` (minutes and seconds), `1:02:00` or a number of seconds."""
    if isinstance(value, str):
        found = re.fullmatch(r"(?:(\d{1,2}):)?(\d{1,4}):([0-5]\d)", value.strip())
        if found is None:
            raise ValueError(f"{value!r} is no time in the exercise; write minutes and seconds, like '12:30'")
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return float(hours * 3_600 + minutes * 60 + seconds)
    return value


Moment = Annotated[float, BeforeValidator(_moment), Field(ge=0, le=LONGEST_MINUTES * 60)]
"""Seconds since the scenario began."""
FileName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_./-]*$")]
"""A file below the scenario's folder."""


class Player(Value):
    """Somebody whom the scenario needs."""

    role: Role
    organisation: Slug
    does: Line
    """What this player is there for."""


class Organisation(Value):
    """An organisation that takes part."""

    id: Slug
    name: Line


class _Inject(Value):
    id: Identifier
    at: Moment
    title: Line
    hint: Text = ""
    """Told to a player who asks for help."""
    optional: bool = False
    """A variant may leave it out."""


class ReadingsInject(_Inject):
    """Something happens in the city, and its sensors read it."""

    kind: Literal["readings"]
    event: EventKind
    site: Line
    minutes: Annotated[float, Field(gt=0, le=600)]
    strength: Annotated[float, Field(gt=0, le=20)] = 1.0
    """Beside the usual strength of such an event."""


class LinkInject(_Inject):
    """Sensors are cut off: of some sites, of some kinds, or all."""

    kind: Literal["link"]
    minutes: Annotated[float, Field(gt=0, le=600)]
    sites: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    properties: Annotated[tuple[Line, ...], Field(max_length=100)] = ()


class PartInject(_Inject):
    """A part of the installation is down: a tool or a connector."""

    kind: Literal["part"]
    part: Annotated[str, Field(pattern=r"^(tool|connector):[a-z0-9-]+$")]
    minutes: Annotated[float, Field(gt=0, le=600)]


class SecurityInject(_Inject):
    """Alerts of an intrusion detection system: a file of Suricata EVE lines, each with `after_s`."""

    kind: Literal["security-alerts"]
    file: FileName


class FeedInject(_Inject):
    """An item appears in the threat feed that the city reads."""

    kind: Literal["feed"]
    text: Text


class PostsInject(_Inject):
    """Public posts: a file of JSON lines as the tool `social` reads them, each with `after_s`."""

    kind: Literal["posts"]
    file: FileName


class VideoInject(_Inject):
    """What comes into the picture of a rendered camera, which the tool `firearm` watches as any camera.

    A picture cannot be sped up: while it lasts, the exercise goes no faster than real time.
    """

    kind: Literal["video"]
    camera: Identifier
    scene: Slug
    minutes: Annotated[float, Field(gt=0, le=10)]


class ScanInject(_Inject):
    """A scanner writes a new report on the city's network, in any format that the tool `cyber` reads."""

    kind: Literal["scan"]
    file: FileName


class MessageInject(_Inject):
    """A phone call or a report, as text, to the players of a role."""

    kind: Literal["message"]
    sender: Line
    role: Role = Role.OPERATOR
    text: Text


Inject = Annotated[
    ReadingsInject
    | LinkInject
    | PartInject
    | SecurityInject
    | FeedInject
    | PostsInject
    | VideoInject
    | ScanInject
    | MessageInject,
    Field(discriminator="kind"),
]
NEEDS: Final[Mapping[str, str]] = {
    "posts": "social",
    "video": "firearm",
    "security-alerts": "cyber",
    "scan": "cyber",
    "feed": "cti",
}
"""Kinds of injects that nobody hears without the tool."""


class Truth(Value):
    """What really happens, and which tool should notice it."""

    id: Identifier
    title: Line
    inject: Identifier
    tool: Slug
    detectors: Annotated[tuple[Slug, ...], Field(max_length=20)] = ()
    """Which of the tool's detectors count; none named: all."""
    within: Moment
    """Seconds after the inject within which the tool should have raised it."""
    sources: Annotated[tuple[Line, ...], Field(max_length=50)] = ()
    """What the alert must be about: part of its source's name or of an entity's; none named: where the inject is."""
    results: Annotated[tuple[Slug, ...], Field(max_length=10)] = ()
    """Kinds of the tool's results that count as well: it asks a person with them before it raises an alert."""
    limit: Text = ""
    """What is known to keep the tool from noticing it: the review says so where it was missed."""


class ObjectiveKind(StrEnum):
    """What a player is asked to achieve."""

    ACKNOWLEDGE = "acknowledge"
    """Somebody took the alert of a truth on, in time."""
    CONFIRM = "confirm"
    """The alert of a truth was found to be right, in time."""
    INCIDENT = "incident"
    """An incident joins alerts of several tools, in time."""
    PLAN = "plan"
    """A tool was asked for a plan, in time."""
    SHARE = "share"
    """An incident was shared with another organisation, in time."""


class Objective(Value):
    """One thing to achieve."""

    id: Identifier
    title: Line
    kind: ObjectiveKind
    truth: Identifier | None = None
    """Of `acknowledge` and `confirm`."""
    tool: Slug | None = None
    """Of `plan`."""
    tools: Annotated[int, Field(ge=1, le=10)] = 2
    """Of `incident`: of so many tools at least."""
    by: Moment
    """Seconds since the start; for a truth, since its inject."""
    points: Annotated[int, Field(ge=1, le=1_000)] = 10


class TourStep(Value):
    """One step of the tour: what one sees and does now."""

    at: Moment
    title: Line
    text: Text
    page: Annotated[str, Field(pattern=r"^/[a-z0-9/-]*$")] = "/"


class Scenario(Value):
    """A whole exercise."""

    format: Literal[1]
    id: Slug
    title: Line
    summary: Text
    minutes: Annotated[float, Field(gt=0, le=LONGEST_MINUTES)]
    start: UtcTime
    """The moment at which a run without players begins, so that it can be repeated."""
    seed: Annotated[int, Field(ge=0, le=2**31)] = 1
    place: Line
    venue: Slug | None = None
    organisations: Annotated[tuple[Organisation, ...], Field(min_length=1, max_length=20)]
    players: Annotated[tuple[Player, ...], Field(max_length=50)] = ()
    injects: Annotated[tuple[Inject, ...], Field(max_length=1_000)] = ()
    truths: Annotated[tuple[Truth, ...], Field(max_length=500)] = ()
    objectives: Annotated[tuple[Objective, ...], Field(max_length=100)] = ()
    most_alerts_an_hour: Annotated[float, Field(gt=0, le=10_000)] | None = None
    """What a quiet exercise may ask of an operator."""
    good: Text = ""
    """What good looks like, for the debrief."""
    tour: Annotated[tuple[TourStep, ...], Field(max_length=50)] = ()

    @property
    def length(self) -> timedelta:
        """How long it is played."""
        return timedelta(minutes=self.minutes)

    def inject(self, id: str) -> Inject:
        """The inject of that name; raises KeyError."""
        return next(one for one in self.injects if one.id == id)

    @model_validator(mode="after")
    def _fits_together(self) -> Scenario:
        problems = list(_problems(self))
        if problems:
            raise ValueError("; ".join(problems[:20]))
        return self


def shipped() -> Sequence[str]:
    """Names of the scenarios that come with the program."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{FILE}"))


def folder_of(name: str | Path, home: Path | None = None) -> Path:
    """The folder of a scenario: a path, the name of a shipped one, or of one that an organisation saved at `home`.

    Raises `NotFound`, and `InvalidInput` where two organisations have one of that name.
    """
    given = Path(name)
    folders = [given]
    if given.name == str(name):
        folders.append(SHIPPED / given.name)
        own = sorted((home / OWN).glob(f"*/{given.name}/{FILE}")) if home is not None else []
        if len(own) > 1:
            raise InvalidInput(
                f"several organisations have a scenario {given.name!r}",
                hint=f"give its folder: {' or '.join(str(one.parent) for one in own[:3])}",
            )
        folders += [one.parent for one in own]
    for folder in folders:
        if (folder / FILE).is_file():
            return folder
    raise NotFound(
        f"there is no scenario {str(name)!r}: no folder with a {FILE}",
        hint=f"give a folder, or one of: {', '.join(shipped())}",
    )


def load_scenario(folder: Path) -> Scenario:
    """Read and check a scenario.

    Raises:
        InvalidInput: it is not valid; the message names each place, and what is wrong there.
        NotFound: the folder holds no scenario.
    """
    file = folder / FILE
    try:
        if file.stat().st_size > SIZE_LIMIT_BYTES:
            raise InvalidInput(
                f"{file} is larger than {SIZE_LIMIT_BYTES:,} bytes", hint="put data into files of its own"
            )
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(f"{file} does not exist", hint="name a folder that holds a scenario.yaml") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidInput(
            f"{file} cannot be read: {' '.join(str(error).split())[:300]}", hint="write it as YAML"
        ) from error
    if not isinstance(document, dict):
        raise InvalidInput(f"{file} holds no table of a scenario", hint="begin with `format: 1`")
    try:
        scenario = Scenario.model_validate(document)
    except ValidationError as error:
        raise InvalidInput(
            f"{file}: " + "; ".join(told(problem, document) for problem in error.errors(include_url=False)[:10]),
            hint="see the guide on exercises for what a scenario may say",
        ) from error
    check_files(scenario, folder)
    return scenario


def told(problem: Mapping[str, Any], document: Any) -> str:
    """One problem with its place: of an inject its name and not its number."""
    place: list[str] = []
    inside: Any = document
    for part in problem["loc"]:
        if isinstance(inside, list) and isinstance(part, int) and part < len(inside):
            inside = inside[part]
            name = inside.get("id") if isinstance(inside, dict) else None
            place.append(str(name or part + 1))
        elif isinstance(inside, dict) and part in inside:
            inside = inside[part]
            place.append(str(part))
        elif not (isinstance(inside, dict) and part == inside.get("kind")):
            place.append(str(part))  # a missing field; the name of the union's member says nothing
    words = problem["msg"].removeprefix("Value error, ")
    return f"{' › '.join(place)}: {words}" if place else words


def _problems(scenario: Scenario) -> Iterator[str]:
    """What does not fit together, in words."""
    for name, items in (("inject", scenario.injects), ("truth", scenario.truths), ("objective", scenario.objectives)):
        seen: set[str] = set()
        for one in items:
            if one.id in seen:
                yield f"{name} {one.id!r} stands twice"
            seen.add(one.id)
    organisations = {one.id for one in scenario.organisations}
    for player in scenario.players:
        if player.organisation not in organisations:
            yield f"a player is of the organisation {player.organisation!r}, which does not take part"
    yield from _inject_problems(scenario)
    injects, truths = {one.id: one for one in scenario.injects}, {one.id for one in scenario.truths}
    for truth in scenario.truths:
        if truth.inject not in injects:
            yield f"truth {truth.id!r} is about the inject {truth.inject!r}, which does not exist"
    for objective in scenario.objectives:
        about_truth = objective.kind in (ObjectiveKind.ACKNOWLEDGE, ObjectiveKind.CONFIRM)
        if about_truth and objective.truth not in truths:
            yield f"objective {objective.id!r} needs the name of a truth, not {objective.truth!r}"
        if objective.kind is ObjectiveKind.PLAN and objective.tool is None:
            yield f"objective {objective.id!r} needs the tool that is asked for a plan"


def _inject_problems(scenario: Scenario) -> Iterator[str]:
    last = 0.0
    known_sites, kinds = sites(), {stream.observed_property for stream in datastreams()}
    for inject in scenario.injects:
        if inject.at < last:
            yield f"inject {inject.id!r} is out of order: it comes before the one above it"
        last = inject.at
        if inject.at > scenario.minutes * 60:
            yield f"inject {inject.id!r} comes after the end of the exercise at {scenario.minutes:g} minutes"
        places = {*known_sites, *(name for name, _ in RELEASE_SITES)}
        if isinstance(inject, ReadingsInject) and inject.site not in places:
            yield f"inject {inject.id!r}: there is no site {inject.site!r} in the city"
        if isinstance(inject, VideoInject) and inject.camera not in CAMERAS:
            yield f"inject {inject.id!r}: there is no camera {inject.camera!r}; known: {', '.join(sorted(CAMERAS))}"
        if isinstance(inject, VideoInject) and inject.scene not in CALLED:
            yield f"inject {inject.id!r}: no scene {inject.scene!r} is rendered; known: {', '.join(sorted(CALLED))}"
        if isinstance(inject, LinkInject):
            for site in inject.sites:
                if site not in known_sites:
                    yield f"inject {inject.id!r}: there is no site {site!r} in the city"
            for kind in inject.properties:
                if kind not in PROPERTIES or kind not in kinds:
                    yield f"inject {inject.id!r}: no sensor of the city reads {kind!r}"


def check_files(scenario: Scenario, folder: Path) -> None:
    """Raises `InvalidInput` for a file that the scenario names and that is not there, or not as it should be."""
    root = folder.resolve()
    for inject in scenario.injects:
        if not isinstance(inject, SecurityInject | PostsInject | ScanInject):
            continue
        path = (folder / inject.file).resolve()
        if not path.is_relative_to(root):
            raise InvalidInput(f"inject {inject.id!r}: {inject.file} is outside of the scenario's folder")
        if not path.is_file():
            raise InvalidInput(
                f"inject {inject.id!r}: the file {inject.file} does not exist", hint=f"put it into {folder.name}/"
            )
        if path.stat().st_size > DATA_LIMIT_BYTES:
            raise InvalidInput(f"inject {inject.id!r}: {inject.file} is larger than {DATA_LIMIT_BYTES:,} bytes")
        if isinstance(inject, ScanInject):
            continue
        for number, problem in _line_problems(path):
            raise InvalidInput(f"inject {inject.id!r}: line {number} of {inject.file} {problem}")


def _line_problems(path: Path) -> Iterator[tuple[int, str]]:
    last = 0.0
    for number, line in enumerate(read_lines(path), 1):
        if isinstance(line, str):
            yield number, line
            return
        after_s = line.get("after_s")
        if isinstance(after_s, bool) or not isinstance(after_s, int | float) or not 0 <= after_s <= 86_400:
            yield number, "has no `after_s`, the seconds after the inject"
            return
        if after_s < last:
            yield number, "is out of order: it comes before the one above it"
            return
        last = float(after_s)


def read_lines(path: Path) -> Iterator[dict[str, Any] | str]:
    """The objects of a JSON Lines file; in place of one that is none, why."""
    with path.open("rb") as file:
        for raw in file:
            if not raw.strip():
                continue
            try:
                line = json.loads(raw)
            except (ValueError, RecursionError):
                yield "is no JSON"
                continue
            yield line if isinstance(line, dict) else "is no JSON object"


def missing_tools(scenario: Scenario, installed: Sequence[str]) -> Mapping[str, str]:
    """Injects that nobody would hear, and why: the tool that they need is not installed or switched off.

    Raises `InvalidInput` for a tool that no scenario can mean: neither installed nor known to this program.
    """
    known = {*installed, *NEEDS.values(), "anomaly", "air", "evacuation", "workload"}
    asked = [(f"truth {one.id!r}", one.tool) for one in scenario.truths]
    asked += [(f"objective {one.id!r}", one.tool) for one in scenario.objectives if one.tool is not None]
    asked += [
        (f"inject {one.id!r}", one.part.partition(":")[2])
        for one in scenario.injects
        if isinstance(one, PartInject) and one.part.startswith("tool:")
    ]
    for what, tool in asked:
        if tool not in known:
            raise InvalidInput(
                f"{what} names the tool {tool!r}, which does not exist", hint=f"known: {', '.join(sorted(known))}"
            )
    skipped = {}
    for inject in scenario.injects:
        needed = NEEDS.get(inject.kind)
        if isinstance(inject, PartInject) and inject.part.startswith("tool:"):
            needed = inject.part.partition(":")[2]
        if needed is not None and needed not in installed:
            skipped[inject.id] = f"the tool {needed!r} does not run here"
    return skipped
