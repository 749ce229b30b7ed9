"""What is past its time among alerts and evidence: found and removed in small steps, with a digest of what it was."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.store.database import changed_rows
from impetus.store.tables import alert, assessment, incident, tool_result


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
        digest = hashlib.sha256()
        for id, content in rows:
            digest.update(f"{id}\0{content}\0".encode())
        ids = [id for id, _ in rows]
        decisions = 0
        if ids:
            await self._connection.execute(delete(alert).where(alert.c.tenant == tenant, alert.c.id.in_(ids)))
            decisions = await changed_rows(
                self._connection,
                delete(assessment).where(assessment.c.tenant == tenant, assessment.c.subject.in_(ids)),
            )
        return Removed(ids, decisions, digest.hexdigest())

    async def evidence_in_use(self, tenant: str, sha256: str) -> bool:
        """Whether an alert, an incident or a result still points at a piece of evidence."""
        for table in (alert, incident, tool_result):
            query = select(table.c.id).where(table.c.tenant == tenant, table.c.content.contains(sha256)).limit(1)
            if (await self._connection.execute(query)).first() is not None:
                return True
        return False
