"""Results that tools published: the newest revision of each, as many of a kind as its tool declares."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, delete, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import NotFound, ToolResult, to_microseconds
from impetus.store.database import changed_rows, insert_or_replace
from impetus.store.paging import bounded, read_cursor, write_cursor
from impetus.store.records import Page
from impetus.store.tables import alert as alert_table
from impetus.store.tables import tool_result as table

ORDER = "result"
PAGE_CHARACTERS = 4_000_000
"""A page ends early, rather than hold much more than this."""


class ResultRepository:
    """Every method is about one organisation's results only. `reader` is the account that looks: results of another
    person are not there for it; without it, results of any one person are left out."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, tenant: str, result: ToolResult, *, received: datetime, expires: datetime) -> bool:
        """Keep a result until it expires; false if one of the same or a greater revision is there: that one stays."""
        known = select(table.c.revision).where(
            table.c.tenant == tenant, table.c.tool == result.tool, table.c.id == result.id
        )
        revision = (await self._connection.execute(known.with_for_update())).scalar_one_or_none()
        if revision is not None and revision >= result.revision:
            return False
        row = {
            "tenant": tenant,
            "tool": result.tool,
            "id": result.id,
            "kind": result.kind,
            "revision": result.revision,
            "time": result.time,
            "received": received,
            "expires": expires,
            "ended": result.ended is not None,
            "incident": result.incident,
            "alert": result.alert,
            "person": result.person,
            "content": result.model_dump_json(),
        }
        await self._connection.execute(insert_or_replace(self._connection, table).values(row))
        return True

    async def get(self, tenant: str, tool: str, id: str, *, reader: str | None = None) -> ToolResult:
        """One result. Raises `NotFound`, also when it is another organisation's or another person's."""
        query = select(table.c.content).where(
            table.c.tenant == tenant, table.c.tool == tool, table.c.id == id, _readable(reader)
        )
        content = (await self._connection.execute(query)).scalar_one_or_none()
        if content is None:
            raise NotFound(f"{tool} has no result {id}", hint="It may have passed its retention time.")
        return ToolResult.model_validate_json(content)

    async def list(
        self,
        tenant: str,
        tool: str,
        *,
        kind: str | None = None,
        kinds: Collection[str] | None = None,
        incident: str | None = None,
        ended: bool | None = False,
        reader: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Page[ToolResult]:
        """A page of a tool's results, newest first: of one kind, or of some; those that still hold, that ended, or
        (None) all.

        Raises `InvalidInput` for a cursor that is not of this list.
        """
        query = select(table.c.content).where(table.c.tenant == tenant, table.c.tool == tool, _readable(reader))
        if kind is not None:
            query = query.where(table.c.kind == kind)
        if kinds is not None:
            query = query.where(table.c.kind.in_(kinds))
        if incident is not None:
            query = query.where(_about(tenant, incident))
        if ended is not None:
            query = query.where(table.c.ended.is_(ended))
        return await self._page(query, limit, after)

    async def arrivals(self, tenant: str, tool: str, ids: Collection[str]) -> Mapping[str, datetime]:
        """When the newest revision of each of these results of a tool arrived."""
        query = select(table.c.id, table.c.received).where(
            table.c.tenant == tenant, table.c.tool == tool, table.c.id.in_(list(ids))
        )
        return {row.id: row.received for row in await self._connection.execute(query)}

    async def of_incident(
        self,
        tenant: str,
        incident: str,
        kinds: Collection[tuple[str, str]],
        *,
        reader: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Page[ToolResult]:
        """A page of the results about an incident or an alert of it, newest first, of these kinds (tool, kind).

        Raises `InvalidInput` for a cursor that is not of this list.
        """
        query = select(table.c.content).where(
            table.c.tenant == tenant,
            _about(tenant, incident),
            tuple_(table.c.tool, table.c.kind).in_(list(kinds)),
            _readable(reader),
        )
        return await self._page(query, limit, after)

    async def _page(self, query: Select[str], limit: int, after: str | None) -> Page[ToolResult]:
        limit = bounded(limit)
        if after is not None:
            value, id = read_cursor(ORDER, after)
            key = bindparam("key", int(value), BigInteger())
            query = query.where(tuple_(table.c.time, table.c.id) < tuple_(key, id))
        query = query.order_by(table.c.time.desc(), table.c.id.desc()).limit(limit + 1)
        contents: Sequence[str] = (await self._connection.scalars(query)).all()
        taken = size = 0
        for content in contents[:limit]:
            size += len(content)
            if taken and size > PAGE_CHARACTERS:
                break
            taken += 1
        found = tuple(ToolResult.model_validate_json(content) for content in contents[:taken])
        following = None
        if len(contents) > taken:
            following = write_cursor(ORDER, to_microseconds(found[-1].time), found[-1].id)
        return Page(found, following)

    async def trim(self, tenant: str, tool: str, kind: str, keep: int) -> int:
        """Remove all but the newest of a kind; how many."""
        own = (table.c.tenant == tenant, table.c.tool == tool, table.c.kind == kind)
        oldest = (
            select(table.c.time, table.c.id)
            .where(*own)
            .order_by(table.c.time.desc(), table.c.id.desc())
            .offset(keep)
            .limit(1)
        )
        first = (await self._connection.execute(oldest)).one_or_none()
        if first is None:
            return 0
        key = bindparam("key", to_microseconds(first.time), BigInteger())
        statement = delete(table).where(*own, tuple_(table.c.time, table.c.id) <= tuple_(key, first.id))
        return await changed_rows(self._connection, statement)

    async def forget_expired_in_installation(self, now: datetime, *, held: Collection[str] = ()) -> int:
        """Remove what may not be kept any longer, but for organisations with a legal hold; how many."""
        over = delete(table).where(table.c.expires <= now, table.c.tenant.not_in(list(held)))
        return await changed_rows(self._connection, over)


def _about(tenant: str, incident: str) -> ColumnElement[bool]:
    """What speaks of the incident itself, or of an alert that belongs to it now."""
    alerts = select(alert_table.c.id).where(alert_table.c.tenant == tenant, alert_table.c.incident == incident)
    return or_(table.c.incident == incident, table.c.alert.in_(alerts))


def _readable(reader: str | None) -> ColumnElement[bool]:
    everybody = table.c.person.is_(None)
    return everybody if reader is None else or_(everybody, table.c.person == reader)
