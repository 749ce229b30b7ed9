"""The data-protection register: one entry for each tool of an organisation."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import Conflict
from impetus.model.data_protection import DataProtectionRecord
from impetus.store.database import changed_rows, insert_if_absent
from impetus.store.tables import data_protection_record as table


class DataProtectionRepository:
    """Entries of the register, as the model's JSON."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, tenant: str, tool: str) -> DataProtectionRecord | None:
        """The entry of a tool."""
        query = select(table.c.content).where(table.c.tenant == tenant, table.c.tool == tool)
        content = (await self._connection.execute(query)).scalar_one_or_none()
        return None if content is None else DataProtectionRecord.model_validate_json(content)

    async def list(self, tenant: str) -> Sequence[DataProtectionRecord]:
        """All entries of an organisation, by tool."""
        query = select(table.c.content).where(table.c.tenant == tenant).order_by(table.c.tool)
        return [DataProtectionRecord.model_validate_json(row.content) for row in await self._connection.execute(query)]

    async def of_tool_in_installation(self, tool: str) -> Sequence[DataProtectionRecord]:
        """The entries of one tool at all organisations: for its worker."""
        query = select(table.c.content).where(table.c.tool == tool).order_by(table.c.tenant)
        return [DataProtectionRecord.model_validate_json(row.content) for row in await self._connection.execute(query)]

    async def put(self, record: DataProtectionRecord) -> None:
        """Keep an entry whose version is one more than the kept one's, or 1. Raises `Conflict`."""
        values = {
            "tenant": record.tenant,
            "tool": record.tool,
            "version": record.version,
            "content": record.model_dump_json(),
        }
        if record.version == 1:
            changed = await changed_rows(self._connection, insert_if_absent(self._connection, table).values(values))
        else:
            statement = table.update().where(
                table.c.tenant == record.tenant, table.c.tool == record.tool, table.c.version == record.version - 1
            )
            changed = await changed_rows(self._connection, statement.values(values))
        if not changed:
            raise Conflict("somebody changed this entry meanwhile", hint="Look at it again, then decide.")
