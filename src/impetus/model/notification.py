"""Who is told of what, by which channel, and who follows when nobody acknowledges."""

from __future__ import annotations

from datetime import date, time
from enum import StrEnum
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from impetus.model.alert import Category, DataClass, Severity, Status, Urgency
from impetus.model.base import Identifier, Line, Slug, Text, UtcTime, Value
from impetus.model.incident import AlertState, IncidentState, SubjectKind

MINUTES_A_WEEK = 7 * 24 * 60


class Weekday(StrEnum):
    """Days of the week, ISO 8601's order."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


class Serves(StrEnum):
    """What a channel carries."""

    REAL = "real"
    EXERCISES = "exercises"
    BOTH = "both"


class Channel(Value):
    """A way to reach people, without its address: that is a secret and kept apart."""

    id: Slug
    title: Line
    serves: Serves = Serves.REAL
    gap_s: Annotated[float, Field(ge=0, le=3_600)] = 10.0
    """Between two messages at least; what comes meanwhile is sent together."""
    active: bool = True


class Member(Value):
    """A person, or a post that somebody holds, who can be on duty."""

    id: Slug
    name: Line
    user: Identifier | None = None
    """The person's account, if there is one."""
    channels: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=10)]


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is no time zone; write it like Europe/Oslo")
    return name


WallTime = Annotated[time, Field(description="Local wall-clock time, whole minutes.")]


class Shift(Value):
    """Who is on duty in a part of the week, by the wall clock of the roster's zone; it may run over midnight and over
    the end of the week, and lasts less than a week, or exactly one when it ends when it starts."""

    members: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=20)]
    start_day: Weekday
    start: WallTime
    end_day: Weekday
    end: WallTime
    week: Annotated[int, Field(ge=0, le=51)] = 0
    """In which week of the cycle it starts."""

    @model_validator(mode="after")
    def _plain_times(self) -> Self:
        for moment in (self.start, self.end):
            if moment.tzinfo is not None or moment.second or moment.microsecond:
                raise ValueError("a shift begins and ends at whole minutes of the wall clock, without an offset")
        return self

    @property
    def minutes(self) -> int:
        """Its length by the wall clock."""
        days = list(Weekday)
        start = days.index(self.start_day) * 1_440 + self.start.hour * 60 + self.start.minute
        end = days.index(self.end_day) * 1_440 + self.end.hour * 60 + self.end.minute
        return (end - start) % MINUTES_A_WEEK or MINUTES_A_WEEK


class RosterException(Value):
    """Between two moments other people are on duty than the pattern says, or nobody."""

    start: UtcTime
    end: UtcTime
    members: Annotated[tuple[Slug, ...], Field(max_length=20)] = ()
    reason: Annotated[str, StringConstraints(max_length=300)] = ""

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.end <= self.start:
            raise ValueError("an exception ends after it starts")
        return self


class Roster(Value):
    """Who is on duty when: a pattern that repeats every `cycle_weeks`, and exceptions to it."""

    id: Slug
    title: Line
    zone: Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_zone)]
    cycle_weeks: Annotated[int, Field(ge=1, le=52)] = 1
    first_week: date = date(2024, 1, 1)
    """A day of the week that counts as week 0 of the cycle."""
    members: Annotated[tuple[Member, ...], Field(max_length=200)] = ()
    shifts: Annotated[tuple[Shift, ...], Field(max_length=500)] = ()
    exceptions: Annotated[tuple[RosterException, ...], Field(max_length=500)] = ()

    @model_validator(mode="after")
    def _names_its_own(self) -> Self:
        known = {member.id for member in self.members}
        if len(known) != len(self.members):
            raise ValueError("two members have the same id")
        for on_duty in (*(shift.members for shift in self.shifts), *(one.members for one in self.exceptions)):
            unknown = set(on_duty) - known
            if unknown:
                raise ValueError(f"{', '.join(sorted(unknown))} is on duty but is no member of this roster")
        if any(shift.week >= self.cycle_weeks for shift in self.shifts):
            raise ValueError(f"a shift stands in a week that the cycle of {self.cycle_weeks} does not have")
        return self


class Detail(StrEnum):
    """How much a message tells."""

    MINIMAL = "minimal"
    """Severity, category and where to look; nothing of what was noticed."""
    HEADLINE = "headline"
    """The headline and the name of the place too."""
    FULL = "full"
    """The description and what to do too."""


class NotificationRule(Value):
    """Which alerts or incidents a chain is for; an empty field does not restrict."""

    subject: SubjectKind = SubjectKind.ALERT
    lowest_severity: Severity = Severity.SEVERE
    """This one or worse; Unknown means any."""
    categories: Annotated[tuple[Category, ...], Field(max_length=12)] = ()
    """Of alerts; incidents have none of their own."""
    states: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=10)]
    """While it is in one of these, people are called; leaving them stops the climb."""
    tools: Annotated[tuple[Slug, ...], Field(max_length=50)] = ()
    detail: Detail = Detail.HEADLINE
    allowed: DataClass = DataClass.OPERATIONAL
    """Of anything more personal only the minimum is told."""

    @model_validator(mode="after")
    def _states_exist(self) -> Self:
        known = AlertState if self.subject is SubjectKind.ALERT else IncidentState
        unknown = set(self.states) - {state.value for state in known}
        if unknown:
            raise ValueError(f"{', '.join(sorted(unknown))}: no state of an {self.subject.value}")
        return self


class ChainStep(Value):
    """Whom to tell, and how long to wait for an acknowledgement before the next step."""

    rosters: Annotated[tuple[Slug, ...], Field(max_length=10)] = ()
    """Whoever is on duty there, each by the own channels."""
    channels: Annotated[tuple[Slug, ...], Field(max_length=10)] = ()
    """Told whoever is on duty."""
    wait_s: Annotated[float, Field(ge=10, le=86_400)] = 300.0

    @model_validator(mode="after")
    def _tells_somebody(self) -> Self:
        if not self.rosters and not self.channels:
            raise ValueError("a step names a roster or a channel")
        return self


class Chain(Value):
    """An escalation chain: for what, and who is told in which order until somebody acknowledges."""

    id: Slug
    title: Line
    active: bool = True
    rules: Annotated[tuple[NotificationRule, ...], Field(min_length=1, max_length=50)]
    steps: Annotated[tuple[ChainStep, ...], Field(min_length=1, max_length=20)]
    rounds: Annotated[int, Field(ge=1, le=10)] = 1
    """How often all steps are gone through while nobody acknowledges."""


class Subject(Value):
    """What people are told of: no more of an alert or an incident than a message may hold."""

    kind: SubjectKind
    id: Identifier
    version: int
    revision: int = 0
    state: Slug
    severity: Severity
    urgency: Urgency = Urgency.UNKNOWN
    category: Category | None = None
    status: Status = Status.ACTUAL
    tool: Slug | None = None
    headline: Line
    place: Line | None = None
    description: Text = ""
    instruction: Text = ""
    data_class: DataClass = DataClass.OPERATIONAL
    """The most personal one of it."""
    began: UtcTime


class EscalationState(StrEnum):
    """Where an escalation is."""

    CLIMBING = "climbing"
    ACKNOWLEDGED = "acknowledged"
    """A named person took it on."""
    OVER = "over"
    """What it was about is no longer so."""
    EXHAUSTED = "exhausted"
    """Everybody was told, nobody acknowledged."""


class Escalation(Value):
    """One climb of one chain about one alert or incident."""

    id: Identifier
    tenant: Slug
    chain: Slug
    subject: Subject
    matches: bool = True
    """Whether the chain's rules are for the subject as it was last heard of."""
    episode: Annotated[int, Field(ge=1)] = 1
    """How often this chain has climbed for this subject."""
    state: EscalationState
    step: Annotated[int, Field(ge=0)] = 0
    """Steps taken, over all rounds."""
    rule: NotificationRule
    started: UtcTime
    due: UtcTime | None = None
    """When the next step is taken."""
    ended: UtcTime | None = None
    ended_by: Line | None = None
    """Who acknowledged, or why it ended."""


class NotificationState(StrEnum):
    """What became of one message."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    """All attempts failed."""
    WITHHELD = "withheld"
    """It was never meant for this channel: an exercise, a channel that is gone."""
    STOPPED = "stopped"
    """It was no longer needed before it could be sent."""


class Notification(Value):
    """One message to one channel, and what became of it: a line of the delivery log."""

    id: Identifier
    tenant: Slug
    escalation: Identifier | None = None
    chain: Slug | None = None
    run: Identifier | None = None
    """The procedure that drafted it; a person approved every word of it, so that it is never joined with others."""
    step: int = 0
    channel: Slug
    recipient: Line | None = None
    """The member on duty for whom it is."""
    subject_kind: SubjectKind | Literal["test"]
    subject: Identifier | None = None
    status: Status = Status.ACTUAL
    title: Line
    body: Text
    state: NotificationState = NotificationState.WAITING
    attempts: Annotated[int, Field(ge=0)] = 0
    created: UtcTime
    due: UtcTime | None = None
    tried: UtcTime | None = None
    """When it was last tried."""
    outcome: Annotated[str, StringConstraints(max_length=400)] = ""
    """Why it was not sent, or how it was."""
    hung: bool = False
    """The channel did not answer at the last attempt."""
