"""What is kept of a person, found by words that the person names: for the rights of access and erasure.

No table joins records to people, and none is made here: the texts of one organisation are searched for a word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Text, cast, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.store.tables import (
    alert,
    assessment,
    handover,
    incident,
    notification,
    procedure_event,
    task,
    tool_request,
    tool_result,
)

SEARCHED: Final = {
    "alert": alert,
    "incident": incident,
    "assessment": assessment,
    "handover": handover,
    "task": task,
    "procedure_event": procedure_event,
    "notification": notification,
    "tool_result": tool_result,
    "tool_request": tool_request,
}
"""Tables with texts that people or the outside world wrote; their `content` is JSON."""
EDITED: Final = ("alert", "incident", "handover", "tool_result", "tool_request", "notification")
"""Those of them in which a person's words may be taken out. Decisions are kept as they were made."""
FOUND_LIMIT: Final = 2_000
"""Rows of one table that a search gives."""


@dataclass(frozen=True, slots=True)
class Mention:
    """One row in which a word occurs."""

    table: str
    id: str
    content: str


class PersonRepository:
    """Searches the texts of an organisation, and takes words out of them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def mentions(self, tenant: str, word: str) -> Sequence[Mention]:
        """Rows whose content has the word, whatever its case (of ASCII letters), `FOUND_LIMIT` a table at most."""
        found = []
        for name, table in SEARCHED.items():
            content = cast(table.c.content, Text)
            query = (
                select(table.c.id, content.label("content"))
                .where(table.c.tenant == tenant, content.icontains(word, autoescape=True))
                .order_by(table.c.id)
                .limit(FOUND_LIMIT)
            )
            found += [Mention(name, row.id, row.content) for row in await self._connection.execute(query)]
        return found

    async def rewrite(
        self, tenant: str, mentions: Sequence[Mention], change: Callable[[str], str]
    ) -> Mapping[str, int]:
        """Change the content of rows, and what searches look through; how many rows, by table."""
        changed: dict[str, int] = {}
        for mention in mentions:
            if mention.table not in EDITED:
                continue
            table = SEARCHED[mention.table]
            here = (table.c.tenant == tenant, table.c.id == mention.id)
            values: dict[str, object] = {"content": change(mention.content)}
            if "search" in table.c:
                searched = (await self._connection.execute(select(table.c.search).where(*here))).scalar_one()
                values["search"] = change(searched)
            await self._connection.execute(update(table).where(*here).values(values))
            changed[mention.table] = changed.get(mention.table, 0) + 1
        return changed
