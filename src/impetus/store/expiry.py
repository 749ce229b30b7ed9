"""Alerts, incidents, handovers and evidence past their time: removed in small steps, with a digest of what it was."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import IncidentState
from impetus.store.database import changed_rows
from impetus.store.tables import (
    alert,
    assessment,
    cap_message,
    escalation,
    handover,
    incident,
    incident_message,
    incident_share,
    notification,
    procedure_event,
    procedure_run,
    task,
    tool_result,
)

RUNNING = (IncidentState.OPEN.value, IncidentState.CONTAINED.value)


@dataclass(frozen=True, slots=True)
class Removed:
    """What one step removed."""

    ids: Sequence[str]
    decisions: int
    """Decisions on these, which go with them; the audit log keeps that they were taken."""
    sha256: str
    """Over id and content of each, in the order of the ids: whoever has a copy can prove what it was."""


class ExpiryRepository:
    """Finds and removes what is past its time in one organisation."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def alert_tools(self, tenant: str) -> Sequence[str]:
        """Tools of which there are alerts."""
        query = select(alert.c.tool).where(alert.c.tenant == tenant).distinct().order_by(alert.c.tool)
        return list((await self._connection.execute(query)).scalars())

    async def remove_alerts(self, tenant: str, tool: str, before: datetime, limit: int) -> Removed:
        """Remove alerts of a tool that were seen last before, the oldest first.

        What belongs to an incident stays as long as the incident; what somebody holds stays until it is let go.
        """
        seen = func.coalesce(alert.c.last_seen, alert.c.received)
        query = (
            select(alert.c.id, alert.c.content)
            .where(
                alert.c.tenant == tenant,
                alert.c.tool == tool,
                seen < before,
                alert.c.incident.is_(None),
                alert.c.holder.is_(None),
            )
            .order_by(alert.c.received, alert.c.id)
            .limit(limit)
        )
        rows = sorted((row.id, row.content) for row in await self._connection.execute(query))
        ids = [id for id, _ in rows]
        decisions = 0
        if ids:
            await self._connection.execute(delete(alert).where(alert.c.tenant == tenant, alert.c.id.in_(ids)))
            decisions = await self._forget_what_was_said(tenant, "alert", ids)
        return Removed(ids, decisions, _digest(rows))

    async def remove_incidents(self, tenant: str, before: datetime, limit: int) -> Removed:
        """Remove incidents that are over and were changed last before, the oldest first, with all that is of them.

        That is their decisions, procedures, tasks, messages, shares, results, notifications and CAP messages. Their
        alerts stay, no longer held by an incident, until their own time is over.
        """
        query = (
            select(incident.c.id, incident.c.content)
            .where(incident.c.tenant == tenant, incident.c.state.not_in(RUNNING), incident.c.updated < before)
            .order_by(incident.c.updated, incident.c.id)
            .limit(limit)
        )
        rows = sorted((row.id, row.content) for row in await self._connection.execute(query))
        ids = [id for id, _ in rows]
        if not ids:
            return Removed((), 0, _digest(rows))
        runs = select(procedure_run.c.id).where(procedure_run.c.tenant == tenant, procedure_run.c.incident.in_(ids))
        for statement in (
            delete(procedure_event).where(procedure_event.c.tenant == tenant, procedure_event.c.run.in_(runs)),
            delete(task).where(task.c.tenant == tenant, task.c.incident.in_(ids)),
            delete(procedure_run).where(procedure_run.c.tenant == tenant, procedure_run.c.incident.in_(ids)),
            delete(incident_share).where(incident_share.c.giver == tenant, incident_share.c.incident.in_(ids)),
            delete(incident_message).where(incident_message.c.giver == tenant, incident_message.c.incident.in_(ids)),
            delete(tool_result).where(tool_result.c.tenant == tenant, tool_result.c.incident.in_(ids)),
            update(alert).where(alert.c.tenant == tenant, alert.c.incident.in_(ids)).values(incident=None),
            delete(incident).where(incident.c.tenant == tenant, incident.c.id.in_(ids)),
        ):
            await self._connection.execute(statement)
        decisions = await self._forget_what_was_said(tenant, "incident", ids)
        return Removed(ids, decisions, _digest(rows))

    async def remove_handovers(self, tenant: str, before: datetime, limit: int) -> Removed:
        """Remove handovers between shifts that were written before."""
        query = (
            select(handover.c.id, handover.c.content)
            .where(handover.c.tenant == tenant, handover.c.written < before)
            .order_by(handover.c.written, handover.c.id)
            .limit(limit)
        )
        rows = sorted((row.id, row.content) for row in await self._connection.execute(query))
        ids = [id for id, _ in rows]
        if ids:
            await self._connection.execute(delete(handover).where(handover.c.tenant == tenant, handover.c.id.in_(ids)))
        return Removed(ids, 0, _digest(rows))

    async def _forget_what_was_said(self, tenant: str, kind: str, ids: Sequence[str]) -> int:
        """Remove escalations, notifications, CAP messages and decisions about these; returns how many decisions."""
        of_these = (escalation.c.tenant == tenant, escalation.c.subject_kind == kind, escalation.c.subject.in_(ids))
        escalations = select(escalation.c.id).where(*of_these)
        for statement in (
            delete(notification).where(notification.c.tenant == tenant, notification.c.escalation.in_(escalations)),
            delete(escalation).where(*of_these),
            delete(cap_message).where(
                cap_message.c.tenant == tenant, cap_message.c.subject_kind == kind, cap_message.c.subject.in_(ids)
            ),
        ):
            await self._connection.execute(statement)
        about = (assessment.c.tenant == tenant, assessment.c.subject_kind == kind, assessment.c.subject.in_(ids))
        return await changed_rows(self._connection, delete(assessment).where(*about))

    async def evidence_in_use(self, tenant: str, sha256: str) -> bool:
        """Whether an alert, an incident or a result still points at a piece of evidence."""
        for table in (alert, incident, tool_result):
            query = select(table.c.id).where(table.c.tenant == tenant, table.c.content.contains(sha256)).limit(1)
            if (await self._connection.execute(query)).first() is not None:
                return True
        return False


def _digest(rows: Sequence[tuple[str, str]]) -> str:
    digest = hashlib.sha256()
    for id, content in rows:
        digest.update(f"{id}\0{content}\0".encode())
    return digest.hexdigest()
