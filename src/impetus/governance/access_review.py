"""Who looked at what: the audit log of the last weeks as a data-protection officer needs it, and what is unusual in it.

Patterns are simple and can be explained to the person concerned: many openings within an hour, openings at hours at
which the person never worked before, the same evidence again and again without an incident, reasons that say nothing,
emergency access. None is an accusation; each is a question to ask.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from impetus.governance.cases import OPEN_STATES
from impetus.governance.principal import Principal
from impetus.model import Clock, Permission, from_microseconds
from impetus.model.case import Case, CaseKind
from impetus.store import AuditRecord, Store

ACCESS: Final = (
    "evidence.open",
    "evidence.unmask",
    "shared-incident.open",
    "incident.export",
    "re-identification.compare",
    "break-glass.open",
    "subject-request.search",
    "subject-request.export",
    "subject-request.erase",
    "statistics.release",
)
"""What the log calls acts that show personal data, or let figures about people out."""
OPENINGS: Final = ("evidence.open", "evidence.unmask", "shared-incident.open")
REVIEWED: Final = (CaseKind.BREAK_GLASS, CaseKind.SUBJECT_REQUEST, CaseKind.APPEAL, CaseKind.LEGAL_HOLD)
SPAN: Final = timedelta(days=30)
RECORDS_LIMIT: Final = 50_000
MANY_AN_HOUR: Final = 10
KNOWN_ACTS: Final = 50
"""Before a person has done so much, no hour is unusual."""
SAME_AGAIN: Final = 3
SHORT_REASON: Final = 8


class Pattern(StrEnum):
    """What is unusual."""

    MANY = "many"
    HOUR = "hour"
    AGAIN = "again"
    REASON = "reason"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True)
class Unusual:
    """One question to ask somebody."""

    pattern: Pattern
    actor: str
    name: str
    count: int
    first: datetime
    last: datetime
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A case that somebody has to answer."""

    id: str
    kind: CaseKind
    title: str
    due: datetime | None
    days_left: float | None


@dataclass(frozen=True, slots=True)
class AccessOverview:
    """What an officer looks through."""

    since: datetime
    accesses: Mapping[str, Mapping[str, int]]
    """How often each person did what, by the person's name."""
    unusual: Sequence[Unusual]
    waiting: Sequence[Waiting]
    """Soonest due first."""


class AccessReview:
    """The officer's view of the own organisation's audit log."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def overview(self, by: Principal) -> AccessOverview:
        """The last 30 days. Raises `NotAllowed`."""
        by.require(Permission.DATA_PROTECTION_DECIDE)
        now = self._clock.now()
        since = now - SPAN
        async with self._store.view() as view:
            records = await view.audit.since(by.tenant, since, limit=RECORDS_LIMIT)
            names = {f"user:{user.id}": user.full_name for user in await view.users.list(by.tenant)}
            waiting = []
            for kind in REVIEWED:
                open_ones = await view.governance_documents.list(by.tenant, kind.value, states=OPEN_STATES)
                waiting += [Case.model_validate_json(document.content) for document in open_ones]
        counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for record in records:
            if record.action in ACCESS:
                counted[names.get(record.actor, record.actor)][record.action] += 1
        return AccessOverview(
            since=since,
            accesses={name: dict(counts) for name, counts in sorted(counted.items())},
            unusual=unusual(records, names),
            waiting=sorted(
                (
                    Waiting(
                        case.id,
                        case.kind,
                        case.title,
                        case.due,
                        (case.due - now).total_seconds() / 86_400 if case.due else None,
                    )
                    for case in waiting
                ),
                key=lambda one: (one.due is None, one.due or now),
            ),
        )


def unusual(records: Iterable[AuditRecord], names: Mapping[str, str]) -> Sequence[Unusual]:
    """What is unusual in records (in any order), newest first."""
    of_actor: defaultdict[str, list[AuditRecord]] = defaultdict(list)
    for record in sorted(records, key=lambda one: one.sequence):
        if record.actor.startswith("user:"):
            of_actor[record.actor].append(record)
    found: list[Unusual] = []
    for actor, acts in of_actor.items():
        name = names.get(actor, actor)
        openings = [record for record in acts if record.action in OPENINGS]
        found += _many(actor, name, openings)
        found += _hours(actor, name, acts)
        found += _again(actor, name, openings)
        empty = [record for record in openings if len(str(_detail(record).get("reason", "")).strip()) < SHORT_REASON]
        if empty:
            found.append(_unusual(Pattern.REASON, actor, name, empty))
        found += [
            _unusual(Pattern.EMERGENCY, actor, name, [record], str(_detail(record).get("subject", "")))
            for record in acts
            if record.action == "break-glass.open"
        ]
    return sorted(found, key=lambda one: one.last, reverse=True)


def _many(actor: str, name: str, openings: Sequence[AuditRecord]) -> Iterable[Unusual]:
    """The fullest hour, if it is full enough."""
    best: Sequence[AuditRecord] = ()
    begin = 0
    for end, record in enumerate(openings):
        while record.time_us - openings[begin].time_us > 3_600_000_000:
            begin += 1
        if end - begin + 1 > len(best):
            best = openings[begin : end + 1]
    if len(best) >= MANY_AN_HOUR:
        yield _unusual(Pattern.MANY, actor, name, best)


def _hours(actor: str, name: str, acts: Sequence[AuditRecord]) -> Iterable[Unusual]:
    """Openings at an hour of the day (UTC) at which the person had done nothing before, nor within an hour of it."""
    worked: Counter[int] = Counter()
    odd = []
    for number, record in enumerate(acts):
        hour = from_microseconds(record.time_us).hour
        near = worked[(hour - 1) % 24] + worked[hour] + worked[(hour + 1) % 24]
        if number >= KNOWN_ACTS and not near and record.action in OPENINGS:
            odd.append(record)
        else:
            worked[hour] += 1
    if odd:
        yield _unusual(Pattern.HOUR, actor, name, odd)


def _again(actor: str, name: str, openings: Sequence[AuditRecord]) -> Iterable[Unusual]:
    of_subject: defaultdict[str, list[AuditRecord]] = defaultdict(list)
    for record in openings:
        if not _detail(record).get("incident"):
            of_subject[record.subject].append(record)
    for subject, some in of_subject.items():
        if len(some) >= SAME_AGAIN:
            yield _unusual(Pattern.AGAIN, actor, name, some, subject)


def _unusual(pattern: Pattern, actor: str, name: str, some: Sequence[AuditRecord], subject: str = "") -> Unusual:
    first, last = from_microseconds(some[0].time_us), from_microseconds(some[-1].time_us)
    return Unusual(pattern, actor, name, len(some), first, last, subject)


def _detail(record: AuditRecord) -> Mapping[str, Any]:
    try:
        detail = json.loads(record.detail)
    except ValueError:
        return {}
    return detail if isinstance(detail, dict) else {}
