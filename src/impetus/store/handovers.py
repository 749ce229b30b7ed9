"""Hand-overs between shifts."""

from __future__ import annotations

from sqlalchemy import BigInteger, bindparam, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import Handover, HandoverState, NotFound, to_microseconds
from impetus.store.database import changed_rows, insert_if_absent
from impetus.store.paging import bounded, read_cursor, write_cursor
from impetus.store.records import Page, VersionConflict
from impetus.store.tables import handover as table

ORDER = "written"


class HandoverRepository:
    """Every method is about one organisation's hand-overs only."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, tenant: str, id: str) -> Handover | None:
        """The hand-over, if this organisation has it."""
        query = select(table.c.content).where(table.c.tenant == tenant, table.c.id == id)
        content = (await self._connection.execute(query)).scalar_one_or_none()
        return None if content is None else Handover.model_validate_json(content)

    async def get(self, tenant: str, id: str) -> Handover:
        """The hand-over. Raises `NotFound`, also when another organisation has it."""
        found = await self.find(tenant, id)
        if found is None:
            raise NotFound(f"there is no hand-over {id}", hint="It may belong to another organisation.")
        return found

    async def list(
        self, tenant: str, *, state: HandoverState | None = None, limit: int = 100, after: str | None = None
    ) -> Page[Handover]:
        """A page of hand-overs, written last first. Raises `InvalidInput`."""
        limit = bounded(limit)
        query = select(table.c.content).where(table.c.tenant == tenant)
        if state is not None:
            query = query.where(table.c.state == state.value)
        if after is not None:
            value, id = read_cursor(ORDER, after)
            key = bindparam("key", int(value), BigInteger())
            query = query.where(tuple_(table.c.written, table.c.id) < tuple_(key, id))
        query = query.order_by(table.c.written.desc(), table.c.id.desc()).limit(limit + 1)
        found = [Handover.model_validate_json(row.content) for row in await self._connection.execute(query)]
        following = None
        if len(found) > limit:
            last = found[limit - 1]
            following = write_cursor(ORDER, to_microseconds(last.written), last.id)
        return Page(tuple(found[:limit]), following)

    async def add(self, tenant: str, handover: Handover) -> bool:
        """Keep a new hand-over; false if its id is there already, which is then left alone."""
        row = {
            "tenant": tenant,
            "id": handover.id,
            "state": handover.state.value,
            "version": handover.version,
            "author": handover.author,
            "written": handover.written,
            "content": handover.model_dump_json(),
        }
        return await changed_rows(self._connection, insert_if_absent(self._connection, table).values(row)) == 1

    async def change(self, tenant: str, handover: Handover, *, expected_version: int) -> Handover:
        """Replace a hand-over that has `expected_version`; afterwards it has the next one.

        Raises `NotFound`, and `VersionConflict` when somebody else changed it first.
        """
        changed = handover.model_copy(update={"version": expected_version + 1})
        statement = (
            update(table)
            .where(
                table.c.tenant == tenant,
                table.c.id == handover.id,
                table.c.version == expected_version,
            )
            .values(state=changed.state.value, version=changed.version, content=changed.model_dump_json())
        )
        if await changed_rows(self._connection, statement):
            return changed
        now = await self.get(tenant, handover.id)
        person = now.successor_name if now.state is HandoverState.ACCEPTED else now.author_name
        raise VersionConflict(
            f"{person} changed this hand-over first: it is {now.state.value} now",
            state=now.state.value,
            version=now.version,
            handled_by=person,
        )
