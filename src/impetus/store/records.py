"""What the repositories take and give: records around the messages of the model, filters, pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from pydantic import FiniteFloat

from impetus.model import (
    Alert,
    AlertState,
    Conflict,
    Identifier,
    IncidentState,
    Line,
    Permission,
    Severity,
    Slug,
    Status,
    User,
    UtcTime,
    Value,
)

ItemType = TypeVar("ItemType")

Harm = Callable[[Alert], float]
"""Weighs an alert for the order of the queue; greater is more urgent."""


class AlertRecord(Value):
    """An alert as one organisation keeps it: what the tool said, and what people made of it."""

    alert: Alert
    tenant: Slug
    state: AlertState
    version: int
    """Starts at 1 and grows with every decision; a new revision of the content leaves it alone."""
    received: UtcTime
    updated: UtcTime
    """When the content or the state changed last."""
    incident: Identifier | None = None
    handled_by: Line | None = None
    """Name of the person who decided last."""
    harm: FiniteFloat
    probability: FiniteFloat | None = None
    """Calibrated: how likely the alert is true, by what people found of this detector and source before."""
    holder: Identifier | None = None
    """The person who works on it."""
    holder_name: Line | None = None
    held_since: UtcTime | None = None
    repeat_of: Identifier | None = None
    """The alert that this one repeats: that one stands for both in the queue."""
    repeats: int = 0
    """How many alerts repeat this one."""


class VersionConflict(Conflict):
    """The thing has another version than the caller saw; carries where it stands now."""

    def __init__(self, message: str, *, state: str, version: int, handled_by: str | None) -> None:
        super().__init__(message, hint="Look at its present state, then decide again.")
        self.state = state
        self.version = version
        self.handled_by = handled_by


@dataclass(frozen=True, slots=True)
class AlertArrival:
    """What became of one alert that was stored."""

    record: AlertRecord
    created: bool
    """It was not known before."""
    changed: bool
    """It was not known before, or this is a greater revision; false means there is nothing to tell anyone."""


class AlertOrder(StrEnum):
    """Orders of the queue; the first item is what to look at first."""

    HARM = "harm"
    """Greatest harm first."""
    TIME = "time"
    """Received last first."""


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts to list; an empty field does not restrict."""

    states: tuple[AlertState, ...] = ()
    severities: tuple[Severity, ...] = ()
    statuses: tuple[Status, ...] = ()
    tools: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    incident: str | None = None
    since: datetime | None = None
    """Received at this time or later."""
    until: datetime | None = None
    """Received before this time."""
    text: str = ""
    """Stands, in any case, in the headline, the description, the source or the place's name."""
    holder: str | None = None
    """Held by this person."""
    repeat_of: str | None = None
    """Repeats of this alert."""
    joined: bool = False
    """Leave out alerts that repeat another one."""


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents to list; an empty field does not restrict."""

    states: tuple[IncidentState, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[ItemType]):
    """Some items of a list, and where the next page begins."""

    items: tuple[ItemType, ...]
    next: str | None = None
    """Opaque cursor for `after`; None on the last page."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The newest reading of a datastream."""

    time: datetime
    value: float


@dataclass(frozen=True, slots=True)
class ReadingColumns:
    """Readings of one datastream in time order, one entry a reading or a bucket of readings.

    `value` is the mean of a bucket and `low`, `high` its least and greatest; `count` says of how many readings. With
    no down-sampling all three are the reading itself. `time_us` (microseconds since 1970-01-01 UTC) is the first
    reading's time in the bucket.
    """

    time_us: tuple[int, ...] = ()
    value: tuple[float, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    count: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ExpectationColumns:
    """Expectations of one datastream in time order; in a bucket `low` is the least, `high` and `score` the greatest,
    `middle` the mean."""

    time_us: tuple[int, ...] = ()
    low: tuple[float, ...] = ()
    middle: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    score: tuple[float, ...] = ()


class UserCredentials(Value):
    """A user and the hash that the password is checked against."""

    user: User
    password_hash: str


class SessionRecord(Value):
    """A log-in that is under way. Of its secret only the SHA-256 is kept."""

    hash: str
    """SHA-256 of the session's secret, hexadecimal."""
    tenant: Slug
    user: Identifier
    csrf: str
    """Must come back in a header with every change."""
    created: UtcTime
    used: UtcTime
    expires: UtcTime
    """Absolute end, whatever is done."""
    second_factor: bool = False
    """The person showed a second factor, here or where the organisation's single sign-on asked for it."""


class SecondFactorRecord(Value):
    """A person's second factor: time-based codes (RFC 6238) from an app, and codes for the day when it is lost."""

    user: Identifier
    tenant: Slug
    secret: str
    """Shared with the app, in base 32; sealed (`impetus.governance.sealing`) but for rows of old versions."""
    begun: UtcTime
    confirmed: UtcTime | None = None
    """When the person first showed a code; before that it is not asked for."""
    last_step: int = 0
    """Number of the last time step whose code was used: none is taken twice."""
    recovery: tuple[str, ...] = ()
    """SHA-256 of the recovery codes that were not used yet."""


class PasskeyRecord(Value):
    """A passkey of a person (Web Authentication): a key of which we know only the public half."""

    id: str
    """SHA-256 of what the authenticator calls it."""
    user: Identifier
    tenant: Slug
    credential: str
    """What the authenticator calls it, base64url."""
    public_key: str
    """COSE key, base64url."""
    uses: int = 0
    """The authenticator's own count; one that goes back is a copy."""
    site: str
    """Host name that it is good for."""
    title: Line
    """What the person calls it."""
    created: UtcTime
    used: UtcTime | None = None
    last_challenge: int = 0
    """When the last challenge that it answered was made, in microseconds since 1970: no older one counts any more."""


class IdentityRecord(Value):
    """Which account a person of the single sign-on has."""

    issuer: str
    subject: str
    """What the provider calls the person; it never gives it to somebody else."""
    tenant: Slug
    user: Identifier


class TokenRecord(Value):
    """A long-lived key of a machine or a person. Of its secret only the SHA-256 is kept."""

    id: Identifier
    hash: str
    tenant: Slug
    title: Line
    """What it is for, or which machine has it."""
    scopes: tuple[Permission, ...]
    user: Identifier | None = None
    """The person whose token it is; None for a machine's."""
    created: UtcTime
    created_by: Line
    expires: UtcTime | None = None
    revoked: UtcTime | None = None
    used: UtcTime | None = None

    def good_at(self, now: datetime) -> bool:
        """Whether it still opens anything."""
        return self.revoked is None and (self.expires is None or now < self.expires)


class ThrottleRecord(Value):
    """How often logging in failed for one name or one address."""

    kind: Slug
    """`name` or `address`."""
    key: str
    failures: int
    last_failure: UtcTime
    blocked_until: UtcTime


class AuditRecord(Value):
    """One link of an organisation's audit chain; `governance.audit` computes and checks the hashes."""

    tenant: str
    sequence: int
    """1 for the organisation's first record, then without gaps."""
    time_us: int
    actor: str
    action: str
    subject: str
    detail: str
    """A JSON object in canonical form, kept as text because the hash is over exactly these characters."""
    previous: str
    """`hash` of the record before it; zeros for the first."""
    hash: str


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The end of an organisation's audit chain, kept apart, so that a chain cut off at its end is noticed."""

    tenant: str
    sequence: int = 0
    hash: str = field(default="0" * 64)
