"""What a tool says of itself before it runs: `manifest.toml` in its folder."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Self

from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator

from impetus.model import (
    Category,
    ConfigurationError,
    DataClass,
    Line,
    Role,
    Severity,
    SimulationKind,
    Slug,
    Text,
    ToolRequest,
    Value,
)

MANIFEST_NAME = "manifest.toml"

MediaType = Annotated[str, StringConstraints(max_length=100, pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+$")]

SEVERITY_ORDER: Mapping[Severity, int] = MappingProxyType(
    {Severity.UNKNOWN: 0, Severity.MINOR: 1, Severity.MODERATE: 2, Severity.SEVERE: 3, Severity.EXTREME: 4}
)
"""From the least to the most severe."""


class Capability(StrEnum):
    """What a tool helps with, in the words of the mission."""

    DETECTING_EMERGENCIES = "detecting-emergencies"
    IDENTIFYING_EMERGING_THREATS = "identifying-emerging-threats"
    EMERGENCY_MANAGEMENT = "emergency-management"
    CYBER_PROTECTION = "cyber-protection"
    OPERATIONAL_EFFICIENCY = "operational-efficiency"


class AiActClass(StrEnum):
    """Risk class under the EU's AI Act (Regulation (EU) 2024/1689). Forbidden practices have no class here."""

    NO_AI = "no-ai"
    MINIMAL = "minimal"
    LIMITED = "limited"
    """Transparency obligations (article 50)."""
    HIGH = "high"
    """Annex I or III: the obligations of chapter III apply."""


FORBIDDEN_PRACTICES: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "face recognition and biometric identification": re.compile(
            r"(face|facial|biometric|gait|iris)\w*( \w+)?( \w+)? (recogni|identif|match|categori)"
            r"|(recogni|identif)\w*( \w+){0,3} (faces?|facial|gait)\b"
            r"|re ?identif\w*"
        ),
        "social scoring": re.compile(r"(social|citizen|trustworthiness)\w*( \w+)? (scor|rating|rank|credit)"),
        "profiling of named private persons": re.compile(
            r"profil\w*( \w+){0,3} (person|people|individual|citizen|resident|user|author)"
            r"|(person|people|individual|citizen|resident|user|author)\w*( \w+)? profil"
        ),
        "inferring the emotions of staff": re.compile(r"\bemotion"),
        "predictive policing of persons": re.compile(
            r"predictive polic|(predict|forecast)\w*( \w+){0,3} (offend|criminal|reoffen|recidiv|perpetrator)"
            r"|(recidivism|offend\w*|criminal\w*)( \w+){0,2} (predict|forecast|risk)"
        ),
    }
)
"""Practices that no tool may have as its purpose (the EU's AI Act, article 5, and the house's own rules), and the words
of a purpose that give them away. This refuses an honest manifest; it does not find out a dishonest one: approval of the
data-protection record by a person does."""


def forbidden_practice(text: str) -> str | None:
    """The forbidden practice that these words name, if any.

    >>> forbidden_practice("facial-recognition")
    'face recognition and biometric identification'
    >>> forbidden_practice("traffic-operations") is None
    True
    """
    words = " ".join(re.findall(r"[a-z0-9]+", text.lower()))
    return next((practice for practice, pattern in FORBIDDEN_PRACTICES.items() if pattern.search(words)), None)


class InputKind(StrEnum):
    """Kinds of messages that a tool may read."""

    OBSERVATION = "observation"
    RESULT = "result"
    """Results of another tool."""
    VERDICT = "verdict"
    """What people found of this tool's own alerts."""
    DUTY = "duty"
    """What waits for people, and what those who consented (`own`) hold and decided: asked for, not told."""


class ToolInput(Value):
    """A kind of message that the tool reads."""

    kind: InputKind = InputKind.OBSERVATION
    observed_properties: tuple[Slug, ...] = ()
    """Of observations: which observed properties of datastreams it gets; empty: all, and datastreams that nobody
    registered."""
    tool: Slug | None = None
    """Of results: whose."""
    result: Slug | None = None
    """Of results: which kind of that tool's."""

    @model_validator(mode="after")
    def _says_what_it_needs(self) -> Self:
        if self.kind is InputKind.RESULT and (self.tool is None or self.result is None):
            raise ValueError("an input of kind 'result' needs tool and result")
        if self.kind is not InputKind.RESULT and (self.tool or self.result):
            raise ValueError(f"an input of kind '{self.kind.value}' has neither tool nor result")
        if self.kind is not InputKind.OBSERVATION and self.observed_properties:
            raise ValueError(f"an input of kind '{self.kind.value}' has no observed_properties")
        return self


class Detector(Value):
    """One thing that the tool can notice; calibration is learnt for each."""

    id: Slug
    title: Line
    description: Text = ""
    category: Category
    other_categories: tuple[Category, ...] = ()
    """Further categories of its alerts, if they depend on what is observed."""
    max_severity: Severity
    """The most severe alert that it may raise."""
    precision: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Share of its alerts that were true where the card's figures were measured: calibration starts from it."""
    precision_alerts: Annotated[int, Field(ge=1, le=100)] = 10
    """How many verdicts in this city weigh as much as that figure."""


class ResultKind(Value):
    """One kind of document that the tool publishes."""

    id: Slug
    title: Line
    description: Text = ""
    data_class: DataClass
    """One of the tool's `data_classes`; machines read results about persons of no kind."""
    roles: tuple[Role, ...] = ()
    """Who may read it; empty: those for whom the tool is."""
    keep: Annotated[int, Field(ge=1, le=10_000)] = 100
    """How many of the newest are kept for each organisation."""
    retention_days: Annotated[int, Field(ge=1, le=3_650)] | None = None
    """How long one is kept; without it, as long as the tool's `retention_days`."""
    stix: bool = False
    """Its content's `objects` are STIX 2.1 objects and `tlp` says how far they may go: offered over TAXII 2.1, to other
    organisations under an agreement."""


class TaskKind(Value):
    """One thing that the tool can be asked to do."""

    id: Slug
    title: Line
    description: Text = ""
    roles: tuple[Role, ...] = ()
    """Whose people may ask; empty: those for whom the tool is. Rules ask in the city's name."""
    limit_s: Annotated[float, Field(gt=0, le=3_600)] = 30.0
    """A call of `Tool.handle` for it is cancelled after this time."""
    person: bool = False
    """The request names the account of the person who asks, because the task is about their own data."""
    simulation: SimulationKind | None = None
    """It answers the requests of response procedures for this simulation."""


class ToolAsked(Value):
    """A task of another tool that this one asks for."""

    tool: Slug
    task: Slug


class EvidenceUse(Value):
    """What evidence the tool keeps."""

    media_types: Annotated[tuple[MediaType, ...], Field(min_length=1)]
    """For example `image/jpeg`."""
    limit_mb: Annotated[float, Field(gt=0, le=64)] = 4.0
    """One piece may be so large, in MB."""
    daily_mb: Annotated[float, Field(gt=0, le=100_000)] = 500.0
    """All pieces of one organisation within a day may be so large together, in MB."""


class OwnUse(Value):
    """What the tool processes of a person only by that person's consent, and only for them (`impetus.sdk.own`)."""

    title: Line
    """What the consent is for, in a few words."""
    roles: tuple[Role, ...] = ()
    """Whose people may give it; empty: those for whom the tool is."""
    shared_with: tuple[Role, ...] = ()
    """Who may read the document `shared` of those who share it."""
    longest_h: Annotated[float, Field(gt=0, le=24 * 31)] = 12.0
    """A consent is given for no longer, for example for a shift."""


class Manifest(Value):
    """A tool's manifest. What is not declared here, the tool may not do."""

    id: Slug
    """The same as the folder's name (with `-` for `_`) and the entry point's."""
    title: Line
    summary: Line
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+([a-z0-9.+-]*)$")]
    capability: Capability
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    """Whom it is for: who sees its panels."""
    inputs: tuple[ToolInput, ...] = ()
    detectors: tuple[Detector, ...] = ()
    """What it can notice; its alerts name one of them."""
    results: tuple[ResultKind, ...] = ()
    """Kinds of documents that it publishes beside alerts."""
    tasks: tuple[TaskKind, ...] = ()
    """What people, rules, procedures and other tools may ask it for."""
    requests: tuple[ToolAsked, ...] = ()
    """What it asks other tools for."""
    evidence: EvidenceUse | None = None
    """Evidence that it keeps; None: none."""
    own: OwnUse | None = None
    """Data of persons that it processes by their consent; None: none."""
    purposes: Annotated[tuple[Line, ...], Field(min_length=1)]
    """What its data is processed for, in a few words each (GDPR article 5(1)(b))."""
    personal_data: bool
    data_classes: Annotated[tuple[DataClass, ...], Field(min_length=1)]
    """Classes of data that it reads or emits."""
    retention_days: Annotated[int, Field(ge=0, le=3_650)]
    """How long what it keeps may be kept."""
    ai_act_class: AiActClass
    tick_s: Annotated[float, Field(ge=0.1, le=3_600)] = 10.0
    """Seconds between two calls of `Tool.tick`."""
    history_days: Annotated[float, Field(ge=0, le=400)] = 0.0
    """Days of history that it wants to warm up from; readings are kept at least that long."""

    @field_validator("purposes")
    @classmethod
    def _purposes_are_allowed(cls, purposes: tuple[str, ...]) -> tuple[str, ...]:
        for purpose in purposes:
            if practice := forbidden_practice(purpose):
                raise ValueError(f"{purpose!r} is a forbidden practice: {practice}")
        return purposes

    @field_validator("detectors")
    @classmethod
    def _detectors_are_distinct_and_allowed(cls, detectors: tuple[Detector, ...]) -> tuple[Detector, ...]:
        seen: set[str] = set()
        for detector in detectors:
            if detector.id in seen:
                raise ValueError(f"detector {detector.id!r} is declared twice")
            seen.add(detector.id)
            if practice := forbidden_practice(detector.id) or forbidden_practice(detector.title):
                raise ValueError(f"detector {detector.id!r} is a forbidden practice: {practice}")
        return detectors

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Self:
        for what, names in (("result", [one.id for one in self.results]), ("task", [one.id for one in self.tasks])):
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{what} {name!r} is declared twice")
        titles = [(one.id, one.title) for one in self.results] + [(one.id, one.title) for one in self.tasks]
        for id, title in titles:
            if practice := forbidden_practice(id) or forbidden_practice(title):
                raise ValueError(f"{id!r} is a forbidden practice: {practice}")
        return self

    @model_validator(mode="after")
    def _persons_data_is_declared(self) -> Self:
        if self.own is not None and not self.personal_data:
            raise ValueError("[own] is about persons, but personal_data is false")
        if self.own is None and any(given.kind is InputKind.DUTY for given in self.inputs):
            raise ValueError("an input of kind 'duty' is for tools that people consent to: it needs [own]")
        for task in self.tasks:
            if task.person and not self.personal_data:
                raise ValueError(f"task {task.id!r} needs the person who asks, but personal_data is false")
        return self

    @model_validator(mode="after")
    def _gives_something(self) -> Self:
        if not self.detectors and not self.results:
            raise ValueError("it declares neither a detector nor a result")
        for one in self.results:
            if one.data_class not in self.data_classes:
                raise ValueError(f"result {one.id!r} has the data class {one.data_class.value}, the tool has not")
        for given in self.inputs:
            if given.kind is InputKind.RESULT and given.tool == self.id:
                raise ValueError("its own results are no input: it has them")
        return self

    @model_validator(mode="after")
    def _personal_data_is_consistent(self) -> Self:
        about_persons = {DataClass.PSEUDONYMOUS, DataClass.PERSONAL, DataClass.SENSITIVE} & set(self.data_classes)
        if about_persons and not self.personal_data:
            names = ", ".join(sorted(about_persons))
            raise ValueError(f"personal_data is false, but data_classes names {names}")
        if self.personal_data and not about_persons:
            raise ValueError("personal_data is true, but data_classes names no class of data about persons")
        return self

    def detector(self, id: str) -> Detector | None:
        """The declared detector of that id."""
        return next((detector for detector in self.detectors if detector.id == id), None)

    def result(self, id: str) -> ResultKind | None:
        """The declared kind of result of that id."""
        return next((kind for kind in self.results if kind.id == id), None)

    def task(self, id: str) -> TaskKind | None:
        """The declared task of that id."""
        return next((task for task in self.tasks if task.id == id), None)

    def readers(self, kind: ResultKind) -> frozenset[Role]:
        """Roles that may read results of a kind."""
        return frozenset(kind.roles or self.roles)

    def askers(self, task: TaskKind) -> frozenset[Role]:
        """Roles whose people may ask for a task."""
        return frozenset(task.roles or self.roles)

    def asks(self, request: ToolRequest) -> bool:
        """Whether it may ask another tool for this."""
        return any(asked.tool == request.tool and asked.task == request.task for asked in self.requests)

    def reads_result(self, tool: str, kind: str) -> bool:
        """Whether it reads results of that kind of another tool."""
        return any(given.tool == tool and given.result == kind for given in self.inputs)

    @property
    def reads_verdicts(self) -> bool:
        """Whether it is told what people find of its alerts."""
        return any(given.kind is InputKind.VERDICT for given in self.inputs)

    @property
    def reads_duties(self) -> bool:
        """Whether it may ask what waits for people and what they hold."""
        return any(given.kind is InputKind.DUTY for given in self.inputs)

    @property
    def reads_observations(self) -> bool:
        """Whether it reads observations at all."""
        return any(given.kind is InputKind.OBSERVATION for given in self.inputs)

    def observed_properties(self) -> frozenset[str] | None:
        """Observed properties that the tool reads; None for all."""
        inputs = [given for given in self.inputs if given.kind is InputKind.OBSERVATION]
        if any(not given.observed_properties for given in inputs):
            return None
        return frozenset(name for given in inputs for name in given.observed_properties)


def read_manifest(folder: Path) -> Manifest:
    """The manifest in a tool's folder.

    Raises:
        ConfigurationError: it is missing, is not TOML, or a field is wrong; names the file and each field.
    """
    path = folder / MANIFEST_NAME
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path} is missing", hint=f"a tool's folder holds a {MANIFEST_NAME}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    try:
        # As JSON, because only there does pydantic's strict mode take lists for tuples and words for enumerations.
        manifest = Manifest.model_validate_json(json.dumps(content, default=str), strict=True)
    except ValidationError as error:
        wrong = "; ".join(_describe(problem["loc"], problem["msg"]) for problem in error.errors(include_url=False))
        raise ConfigurationError(f"{path}: {wrong}", hint="see docs/guide/write-a-tool.md for each field") from error
    expected = folder.resolve().name.replace("_", "-")
    if manifest.id != expected:
        raise ConfigurationError(
            f"{path}: id: {manifest.id!r} differs from the folder's name {expected!r}", hint="make them the same"
        )
    return manifest


def _describe(location: tuple[int | str, ...], message: str) -> str:
    field = ".".join(str(part) for part in location)
    return f"{field}: {message}" if field else message
