"""What every act of a person on incidents needs: who acts, when, in which transaction; and alerts moving with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from impetus.governance.principal import Principal
from impetus.model import Assessment, Envelope, IncidentAction, SubjectKind, derived_id
from impetus.situation.views import alert_envelope
from impetus.store import Transaction
from impetus.store.records import AlertRecord

ALERT_LIMIT = 500
"""Alerts that one incident may hold."""


@dataclass(frozen=True, slots=True)
class Act:
    """One person's act within one transaction."""

    principal: Principal
    person: str
    person_name: str
    now: datetime
    transaction: Transaction


async def move_to_incident(
    act: Act, record: AlertRecord, incident: str | None, action: IncidentAction, cause: str
) -> Envelope:
    """Put an alert into an incident, or take it out, and keep that in the alert's own history too."""
    tenant = record.tenant
    changed = await act.transaction.alerts.change(
        tenant,
        record.alert.id,
        expected_version=record.version,
        state=record.state,
        incident=incident,
        handled_by=act.person_name,
        updated=act.now,
    )
    await act.transaction.assessments.add(
        Assessment(
            id=derived_id(action.value, tenant, cause, record.alert.id),
            tenant=tenant,
            subject_kind=SubjectKind.ALERT,
            subject=record.alert.id,
            action=action.value,
            state_before=record.state.value,
            state_after=changed.state.value,
            version=changed.version,
            person=act.person,
            person_name=act.person_name,
            decided=act.now,
            alert=record.alert.id,
        )
    )
    return alert_envelope(changed)
