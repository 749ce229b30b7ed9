"""What tools were asked for, and what became of it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Row, bindparam, delete, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import (
    Identifier,
    NotFound,
    RequestOutcome,
    RequestState,
    Text,
    ToolRequest,
    UtcTime,
    Value,
    to_microseconds,
)
from impetus.store.database import changed_rows, insert_if_absent
from impetus.store.paging import bounded, read_cursor, write_cursor
from impetus.store.records import Page
from impetus.store.tables import tool_request as table

ORDER = "request"


class RequestRecord(Value):
    """A request and where it stands."""

    request: ToolRequest
    state: RequestState
    text: Text = ""
    """What the tool says: what was done, or why it could not be done."""
    asker: Identifier | None = None
    """Account of the person who asked, if a person did."""
    updated: UtcTime


class RequestRepository:
    """Every method is about one organisation's requests only."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, tenant: str, request: ToolRequest, *, expires: datetime, asker: str | None = None) -> bool:
        """Keep a new request until it expires; false if its id is there already, which is then left alone."""
        row = {
            "tenant": tenant,
            "tool": request.tool,
            "id": request.id,
            "task": request.task,
            "state": RequestState.ASKED.value,
            "asked": request.asked,
            "asker": asker,
            "updated": request.asked,
            "expires": expires,
            "text": "",
            "content": request.model_dump_json(),
        }
        return await changed_rows(self._connection, insert_if_absent(self._connection, table).values(row)) == 1

    async def settle(self, tenant: str, outcome: RequestOutcome) -> bool:
        """Note what became of a request; false if it is not known, or nothing is new. What is done stays done."""
        statement = (
            update(table)
            .where(
                table.c.tenant == tenant,
                table.c.tool == outcome.tool,
                table.c.id == outcome.id,
                table.c.state != RequestState.DONE.value,
                or_(table.c.state != outcome.state.value, table.c.text != outcome.text),
            )
            .values(state=outcome.state.value, text=outcome.text, updated=outcome.time)
        )
        return await changed_rows(self._connection, statement) == 1

    async def find(self, tenant: str, tool: str, id: str) -> RequestRecord | None:
        """One request, if the organisation has it."""
        query = select(table).where(table.c.tenant == tenant, table.c.tool == tool, table.c.id == id)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _record(row)

    async def get(self, tenant: str, tool: str, id: str) -> RequestRecord:
        """One request. Raises `NotFound`, also when another organisation has it."""
        found = await self.find(tenant, tool, id)
        if found is None:
            raise NotFound(f"{tool} was not asked for {id}", hint="It may have passed its retention time.")
        return found

    async def list(
        self,
        tenant: str,
        tool: str,
        *,
        tasks: Collection[str],
        own_tasks: Collection[str] = (),
        asker: str | None = None,
        state: RequestState | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Page[RequestRecord]:
        """A page of requests, asked last first: for `tasks` those of everybody, for `own_tasks` those of `asker`.

        Raises `InvalidInput` for a cursor that is not of this list.
        """
        limit = bounded(limit)
        query = select(table).where(table.c.tenant == tenant, table.c.tool == tool)
        seen: ColumnElement[bool] = table.c.task.in_(tasks)
        if asker is not None:
            seen = or_(seen, table.c.task.in_(own_tasks) & (table.c.asker == asker))
        query = query.where(seen)
        if state is not None:
            query = query.where(table.c.state == state.value)
        if after is not None:
            value, id = read_cursor(ORDER, after)
            key = bindparam("key", int(value), BigInteger())
            query = query.where(tuple_(table.c.asked, table.c.id) < tuple_(key, id))
        query = query.order_by(table.c.asked.desc(), table.c.id.desc()).limit(limit + 1)
        found = [_record(row) for row in await self._connection.execute(query)]
        following = None
        if len(found) > limit:
            last = found[limit - 1].request
            following = write_cursor(ORDER, to_microseconds(last.asked), last.id)
        return Page(tuple(found[:limit]), following)

    async def forget_expired_in_installation(self, now: datetime, *, held: Collection[str] = ()) -> int:
        """Remove what may not be kept any longer, but for organisations with a legal hold; how many."""
        over = delete(table).where(table.c.expires <= now, table.c.tenant.not_in(list(held)))
        return await changed_rows(self._connection, over)


def _record(row: Row[*tuple[Any, ...]]) -> RequestRecord:
    return RequestRecord(
        request=ToolRequest.model_validate_json(row.content),
        state=RequestState(row.state),
        text=row.text,
        asker=row.asker,
        updated=row.updated,
    )
