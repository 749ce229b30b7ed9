"""A city's rules of correlation: data that people edit, checked before they go live."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from impetus.model import AlertState, Category, InvalidInput, Line, Severity, Slug, Value

WIDEST_TIE_M = 5_000.0
LONGEST_TIE_MINUTES = 24 * 60.0

SEVERITY_RANK = {
    Severity.UNKNOWN: 0,
    Severity.MINOR: 1,
    Severity.MODERATE: 2,
    Severity.SEVERE: 3,
    Severity.EXTREME: 4,
}


class Selector(Value):
    """Which alerts a rule is about. A field that is left out does not restrict."""

    tools: Annotated[tuple[Slug, ...], Field(max_length=100)] = ()
    detectors: Annotated[tuple[Slug, ...], Field(max_length=100)] = ()
    categories: tuple[Category, ...] = ()
    severity_from: Severity | None = None
    """At least this severe; used by trust effects and requests."""

    @property
    def everything(self) -> bool:
        """Whether it restricts nothing."""
        return not (self.tools or self.detectors or self.categories)

    def selects(self, tool: str, detector: str, category: str, severity: str | None = None) -> bool:
        """Whether an alert with these properties is meant."""
        return (
            (not self.tools or tool in self.tools)
            and (not self.detectors or detector in self.detectors)
            and (not self.categories or category in self.categories)
            and (
                self.severity_from is None
                or severity is None
                or SEVERITY_RANK[Severity(severity)] >= SEVERITY_RANK[self.severity_from]
            )
        )


class Tie(Value):
    """Alerts of two kinds that are near in place and time, or name the same thing, are probably about one happening."""

    title: Line
    one: Selector = Selector()
    other: Selector = Selector()
    distance_m: Annotated[float, Field(gt=0, le=WIDEST_TIE_M)] | None = 400.0
    """Farther apart they are not tied; None: place does not count, only a shared entity does."""
    minutes: Annotated[float, Field(gt=0, le=LONGEST_TIE_MINUTES)] = 20.0
    """Further apart in time they are not tied."""
    shared_entity: bool = True
    """Whether naming the same host, venue or sensor ties them wherever they are."""
    weight: Annotated[float, Field(ge=-6, le=6)] = 0.0
    """Log-odds added: 0 lets chance alone decide, +2 ties much sooner, -2 much later."""

    @model_validator(mode="after")
    def _ties_by_something(self) -> Self:
        if self.distance_m is None and not self.shared_entity:
            raise ValueError("without distance_m and without shared_entity nothing can tie the two; give one of them")
        return self


class TrustScope(StrEnum):
    """Which of the selected alerts lose trust."""

    ENTITY = "entity"
    """Those whose source or entities the cause names."""
    PLACE = "place"
    """Those within `distance_m` of the cause."""
    ALL = "all"


class TrustEffect(Value):
    """An alert that lowers the trust in other sources: an intrusion on the camera network makes cameras doubtful."""

    title: Line
    cause: Selector
    lowers: Selector
    scope: TrustScope = TrustScope.ENTITY
    distance_m: Annotated[float, Field(gt=0, le=WIDEST_TIE_M)] = 500.0
    minutes: Annotated[float, Field(gt=0, le=7 * 24 * 60)] = 240.0
    """For how long after the cause."""
    factor: Annotated[float, Field(ge=0, le=1)] = 0.3
    """What is left of the trust if the cause is certain; a doubtful cause lowers it less."""

    @model_validator(mode="after")
    def _cause_is_selected(self) -> Self:
        if self.cause.everything:
            raise ValueError("cause: any alert at all would lower trust; name tools, detectors or categories")
        return self


class RequestRule(Value):
    """An alert that sets a tool to work: a confirmed gunman or plume asks the evacuation tool for a plan."""

    title: Line
    when: Selector
    states: Annotated[tuple[AlertState, ...], Field(min_length=1)] = (AlertState.CONFIRMED,)
    """The alert reaches one of these."""
    probability_from: Annotated[float, Field(ge=0, le=1)] = 0.0
    tool: Slug
    """Who is asked."""
    task: Slug
    """What for, in that tool's words."""

    @model_validator(mode="after")
    def _when_is_selected(self) -> Self:
        if self.when.everything:
            raise ValueError("when: any alert at all would make a request; name tools, detectors or categories")
        return self


class RuleSet(Value):
    """All rules of one organisation."""

    ties: Annotated[tuple[Tie, ...], Field(max_length=200)] = ()
    trust: Annotated[tuple[TrustEffect, ...], Field(max_length=100)] = ()
    requests: Annotated[tuple[RequestRule, ...], Field(max_length=100)] = ()
    repeat_minutes: Annotated[float, Field(gt=0, le=24 * 60)] = 15.0
    """An alert of the same detector on the same source within this time is a repeat of the one before."""
    candidate_from: Annotated[float, Field(ge=0, le=1)] = 0.2
    """A group of alerts becomes an incident candidate from this probability on."""

    @model_validator(mode="after")
    def _titles_are_distinct(self) -> Self:
        for rules in (self.ties, self.trust, self.requests):
            titles = [rule.title for rule in rules]
            twice = next((title for title in titles if titles.count(title) > 1), None)
            if twice is not None:
                raise ValueError(f"two rules have the title {twice!r}; reasons could not tell them apart")
        return self


def read_rules(text: str) -> RuleSet:
    """Rules written as YAML or JSON. Raises `InvalidInput`, which names each field that is wrong."""
    if len(text) > TEXT_LIMIT:
        raise InvalidInput(f"The rules have more than {TEXT_LIMIT} characters.", hint="Shorten them.")
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            # A few lines of references to references can stand for more than memory holds.
            raise InvalidInput("The rules use YAML references (*name).", hint="Write out what is meant.")
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # of a date that does not exist, too
        raise InvalidInput(
            f"The rules are not YAML: {str(error).splitlines()[0]}", hint="See the guide on correlation for the form."
        ) from error
    try:
        return RuleSet.model_validate(content if content is not None else {})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'rules'}: {problem['msg']}"
            for problem in error.errors(include_url=False)[:10]
        )
        raise InvalidInput(f"The rules are not valid: {wrong}.", hint="Mend these fields.") from error


def write_rules(rules: RuleSet) -> str:
    """The rules as YAML that `read_rules` reads; what has its default value is left out."""
    content = rules.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100) if content else "{}\n"


def default_rules() -> RuleSet:
    """The rules that an organisation has before it writes its own."""
    return read_rules(default_text())


def default_text() -> str:
    """The same as they were written, with their comments."""
    return (Path(__file__).parent / "default_rules.yaml").read_text(encoding="utf-8")


TEXT_LIMIT = 200_000
