"""The chains of custody: added to, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model.custody import Custody
from impetus.store.tables import evidence_custody as table

ENTRIES_LIMIT: Final = 1_000
"""Newest entries of one chain that are shown."""


class CustodyRepository:
    """Who opened which evidence of an organisation."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, tenant: str, entry: Custody) -> None:
        """Keep an entry."""
        await self._connection.execute(
            table.insert().values(
                tenant=tenant, id=entry.id, sha256=entry.sha256, time=entry.time, content=entry.model_dump_json()
            )
        )

    async def find(self, tenant: str, id: str) -> Custody | None:
        """One entry."""
        query = select(table.c.content).where(table.c.tenant == tenant, table.c.id == id)
        content = (await self._connection.execute(query)).scalar_one_or_none()
        return None if content is None else Custody.model_validate_json(content)

    async def chain(self, tenant: str, sha256: str) -> Sequence[Custody]:
        """All that happened to a piece of evidence, in order."""
        query = (
            select(table.c.content)
            .where(table.c.tenant == tenant, table.c.sha256 == sha256)
            .order_by(table.c.time.desc(), table.c.id.desc())
            .limit(ENTRIES_LIMIT)
        )
        return [Custody.model_validate_json(row.content) for row in await self._connection.execute(query)][::-1]
