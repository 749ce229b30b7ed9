"""What happened in an incident, in order: its alerts arriving, and every decision on it and on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from impetus.model import Assessment, Identifier, IncidentAction, Line, Severity, SubjectKind, UtcTime, Value
from impetus.store.records import AlertRecord


class EntryKind(StrEnum):
    """What an entry of a timeline is."""

    ONSET = "onset"
    """What an alert noticed began."""
    ALERT = "alert"
    """An alert arrived."""
    DECISION = "decision"


class TimelineEntry(Value):
    """One thing that happened."""

    time: UtcTime
    kind: EntryKind
    alert: Identifier | None = None
    headline: Line | None = None
    """Of the alert."""
    severity: Severity | None = None
    """Of the alert."""
    decision: Assessment | None = None


def timeline(alerts: Iterable[AlertRecord], decisions: Iterable[Assessment]) -> Sequence[TimelineEntry]:
    """Entries in the order of time; at the same moment alerts come before decisions, decisions by their version."""
    records = {record.alert.id: record for record in alerts}
    entries: list[TimelineEntry] = []
    for record in records.values():
        alert = record.alert
        for moment, kind in ((alert.onset, EntryKind.ONSET), (record.received, EntryKind.ALERT)):
            entries.append(
                TimelineEntry(time=moment, kind=kind, alert=alert.id, headline=alert.headline, severity=alert.severity)
            )
    for decision in decisions:
        about_alert = decision.subject_kind is SubjectKind.ALERT
        if about_alert and decision.action in (IncidentAction.JOIN, IncidentAction.SEPARATE):
            # The incident's own decision says the same.
            continue
        id = decision.subject if about_alert else decision.alert
        known = records.get(id) if id is not None else None
        entries.append(
            TimelineEntry(
                time=decision.decided,
                kind=EntryKind.DECISION,
                alert=id,
                headline=known.alert.headline if known is not None else None,
                severity=known.alert.severity if known is not None else None,
                decision=decision,
            )
        )
    return sorted(entries, key=_order)


def _order(entry: TimelineEntry) -> tuple[object, ...]:
    rank = (EntryKind.ONSET, EntryKind.ALERT, EntryKind.DECISION).index(entry.kind)
    return (entry.time, rank, entry.decision.version if entry.decision is not None else 0)
