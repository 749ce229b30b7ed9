"""What people found of alerts, and the rules by which alerts are put together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import Identifier, Line, Slug, UtcTime, Value
from impetus.store.database import changed_rows, insert_if_absent, insert_or_replace
from impetus.store.records import VersionConflict
from impetus.store.tables import correlation_rules as rules_table
from impetus.store.tables import verdict as table

VERDICTS_REMEMBERED = 100_000
"""Newest verdicts that calibration is learnt from."""


class VerdictRecord(Value):
    """What people found of one alert, or of one incident candidate."""

    tenant: Slug
    alert: Identifier
    tool: Slug
    detector: Slug
    source: Identifier
    confidence: float
    """As the tool gave it."""
    probability: float | None
    """As it was shown."""
    correct: bool
    decided: UtcTime


class StoredRules(Value):
    """An organisation's rules as they were written."""

    tenant: Slug
    version: int
    updated: UtcTime
    updated_by: Line
    content: str
    """YAML."""


class VerdictRepository:
    """One verdict an alert: a new one takes the place of the old."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, tenant: str, alert: str) -> VerdictRecord | None:
        """What was found of an alert."""
        query = select(table).where(table.c.tenant == tenant, table.c.alert == alert)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _verdict(row)

    async def put(self, record: VerdictRecord) -> None:
        """Keep a verdict; one that was there is replaced."""
        await self._connection.execute(insert_or_replace(self._connection, table).values(**record.model_dump()))

    async def remove(self, tenant: str, alert: str) -> None:
        """Forget the verdict on an alert: the person took it back."""
        await self._connection.execute(delete(table).where(table.c.tenant == tenant, table.c.alert == alert))

    async def newest(
        self, tenant: str, *, tool: str | None = None, limit: int = VERDICTS_REMEMBERED
    ) -> Sequence[VerdictRecord]:
        """The newest verdicts, the oldest of them first."""
        query = select(table).where(table.c.tenant == tenant)
        if tool is not None:
            query = query.where(table.c.tool == tool)
        query = query.order_by(table.c.decided.desc(), table.c.alert.desc()).limit(limit)
        return [_verdict(row) for row in reversed((await self._connection.execute(query)).all())]


class RulesRepository:
    """One set of rules an organisation."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, tenant: str) -> StoredRules | None:
        """The rules, if the organisation wrote its own."""
        row = (await self._connection.execute(select(rules_table).where(rules_table.c.tenant == tenant))).one_or_none()
        if row is None:
            return None
        return StoredRules(
            tenant=row.tenant, version=row.version, updated=row.updated, updated_by=row.updated_by, content=row.content
        )

    async def put(
        self, tenant: str, content: str, *, expected_version: int, updated: datetime, updated_by: str
    ) -> StoredRules:
        """Replace the rules that have `expected_version` (0: there are none yet). Raises `VersionConflict`."""
        values = {"version": expected_version + 1, "updated": updated, "updated_by": updated_by, "content": content}
        if expected_version == 0:
            statement = insert_if_absent(self._connection, rules_table).values(tenant=tenant, **values)
            changed = await changed_rows(self._connection, statement)
        else:
            changed = await changed_rows(
                self._connection,
                update(rules_table)
                .where(rules_table.c.tenant == tenant, rules_table.c.version == expected_version)
                .values(**values),
            )
        now = await self.find(tenant)
        if not changed or now is None:
            raise VersionConflict(
                f"{now.updated_by if now else 'somebody'} changed the rules first",
                state="changed",
                version=now.version if now else 0,
                handled_by=now.updated_by if now else None,
            )
        return now


def _verdict(row: Row[*tuple[Any, ...]]) -> VerdictRecord:
    return VerdictRecord(
        tenant=row.tenant,
        alert=row.alert,
        tool=row.tool,
        detector=row.detector,
        source=row.source,
        confidence=row.confidence,
        probability=row.probability,
        correct=row.correct,
        decided=row.decided,
    )
