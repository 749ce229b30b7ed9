"""Which datastreams an organisation has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import Datastream, NotFound
from impetus.store.database import insert_or_replace
from impetus.store.paging import bounded
from impetus.store.records import Page
from impetus.store.tables import datastream as table


@lru_cache(maxsize=50_000)
def _parse(content: str) -> Datastream:
    """Descriptions are immutable and change hardly ever: parsed once, lists of 10,000 sensors stay quick."""
    return Datastream.model_validate_json(content)


class DatastreamRepository:
    """Every method is about one organisation's datastreams only."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, tenant: str, datastreams: Sequence[Datastream]) -> None:
        """Keep descriptions of datastreams; one that is known is replaced."""
        rows = {
            datastream.id: {"tenant": tenant, "id": datastream.id, "content": datastream.model_dump_json()}
            for datastream in datastreams
        }
        if rows:
            await self._connection.execute(insert_or_replace(self._connection, table), list(rows.values()))

    async def find(self, tenant: str, id: str) -> Datastream | None:
        """The datastream, if this organisation has it."""
        query = select(table.c.content).where(table.c.tenant == tenant, table.c.id == id)
        content = (await self._connection.execute(query)).scalar_one_or_none()
        return None if content is None else _parse(content)

    async def get(self, tenant: str, id: str) -> Datastream:
        """The datastream. Raises `NotFound`, also when another organisation has it."""
        datastream = await self.find(tenant, id)
        if datastream is None:
            raise NotFound(f"there is no datastream {id}", hint="It may belong to another organisation.")
        return datastream

    async def all(self, tenant: str) -> Mapping[str, Datastream]:
        """All datastreams of the organisation by id, in the order of their ids."""
        query = select(table.c.id, table.c.content).where(table.c.tenant == tenant).order_by(table.c.id)
        return {id: _parse(content) for id, content in await self._connection.execute(query)}

    async def list(self, tenant: str, *, limit: int = 100, after: str | None = None) -> Page[Datastream]:
        """A page of datastreams in the order of their ids; the cursor is the last id."""
        limit = bounded(limit)
        query = select(table.c.content).where(table.c.tenant == tenant)
        if after is not None:
            query = query.where(table.c.id > after.replace("\0", ""))
        query = query.order_by(table.c.id).limit(limit + 1)
        found = [_parse(row.content) for row in await self._connection.execute(query)]
        return Page(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None)

    async def count(self, tenant: str) -> int:
        """How many datastreams the organisation has."""
        query = select(func.count()).select_from(table).where(table.c.tenant == tenant)
        return int((await self._connection.execute(query)).scalar_one())
