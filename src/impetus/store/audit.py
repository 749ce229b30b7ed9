"""The rows of the audit log. What they mean and how they are chained is `impetus.governance.audit`'s."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import to_microseconds
from impetus.store.database import insert_if_absent, insert_or_replace
from impetus.store.paging import bounded, read_cursor, write_cursor
from impetus.store.records import AuditHead, AuditRecord, Page
from impetus.store.tables import audit as table
from impetus.store.tables import audit_head as head_table


class AuditRepository:
    """One chain of records an organisation."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock_head(self, tenant: str) -> AuditHead:
        """The end of the chain, which nobody else can move until this transaction ends."""
        empty = AuditHead(tenant)
        statement = insert_if_absent(self._connection, head_table)
        await self._connection.execute(statement.values(tenant=tenant, sequence=empty.sequence, hash=empty.hash))
        # SQLite has one writer anyway and ignores FOR UPDATE.
        query = select(head_table).where(head_table.c.tenant == tenant).with_for_update()
        row = (await self._connection.execute(query)).one()
        return AuditHead(row.tenant, row.sequence, row.hash)

    async def insert(self, record: AuditRecord) -> None:
        """Write a record and move the end of the chain to it."""
        await self._connection.execute(insert(table).values(record.model_dump()))
        head = {"tenant": record.tenant, "sequence": record.sequence, "hash": record.hash}
        await self._connection.execute(insert_or_replace(self._connection, head_table).values(head))

    async def head(self, tenant: str) -> AuditHead:
        """The end of the chain."""
        query = select(head_table).where(head_table.c.tenant == tenant)
        row = (await self._connection.execute(query)).one_or_none()
        return AuditHead(tenant) if row is None else AuditHead(row.tenant, row.sequence, row.hash)

    async def tenants_in_installation(self) -> Sequence[str]:
        """All organisations that have records."""
        query = select(head_table.c.tenant).union(select(table.c.tenant)).order_by("tenant")
        return list((await self._connection.execute(query)).scalars())

    async def slice(self, tenant: str, *, after: int, limit: int) -> Sequence[AuditRecord]:
        """Records with a sequence greater than `after` in order, as they are stored: nothing is checked."""
        query = select(table).where(table.c.tenant == tenant, table.c.sequence > after)
        query = query.order_by(table.c.sequence).limit(limit)
        rows = await self._connection.execute(query)
        return [AuditRecord.model_construct(**row) for row in rows.mappings()]

    async def rows(self, tenant: str, *, after: int, limit: int) -> Sequence[Row[Any]]:
        """As `slice`, but as plain rows in the order of `AuditRecord`'s fields, for checking very many."""
        columns = [table.c[name] for name in AuditRecord.model_fields]
        query = select(*columns).where(table.c.tenant == tenant, table.c.sequence > after)
        return (await self._connection.execute(query.order_by(table.c.sequence).limit(limit))).all()

    async def since(self, tenant: str, since: datetime, *, limit: int) -> Sequence[AuditRecord]:
        """The newest `limit` records that are not older than that, newest first; nothing is checked."""
        query = select(table).where(table.c.tenant == tenant).order_by(table.c.sequence.desc()).limit(limit)
        rows = await self._connection.execute(query)
        begin = to_microseconds(since)
        return [record for row in rows.mappings() if (record := AuditRecord.model_construct(**row)).time_us >= begin]

    async def list(
        self,
        tenant: str,
        *,
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Page[AuditRecord]:
        """A page of records, newest first. Raises `InvalidInput`."""
        limit = bounded(limit)
        query = select(table).where(table.c.tenant == tenant)
        for column, wanted in ((table.c.actor, actor), (table.c.action, action), (table.c.subject, subject)):
            if wanted is not None:
                query = query.where(column == wanted.replace("\0", ""))
        if after is not None:
            sequence, _ = read_cursor("audit", after)
            query = query.where(table.c.sequence < int(sequence))
        query = query.order_by(table.c.sequence.desc()).limit(limit + 1)
        rows = await self._connection.execute(query)
        found = [AuditRecord.model_construct(**row) for row in rows.mappings()]
        following = None
        if len(found) > limit:
            following = write_cursor("audit", found[limit - 1].sequence, tenant)
        return Page(tuple(found[:limit]), following)
