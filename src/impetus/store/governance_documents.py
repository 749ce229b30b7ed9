"""What governance keeps of its cases, each as the JSON of its own model: holds, requests of people, checklists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import Conflict, NotFound
from impetus.store.database import changed_rows
from impetus.store.tables import governance_document as table

LIST_LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class GovernanceDocument:
    """One case; what it says is in `content`."""

    tenant: str
    id: str
    kind: str
    state: str
    version: int
    opened: datetime
    due: datetime | None
    content: str


class GovernanceDocumentRepository:
    """Cases of an organisation, by kind."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, tenant: str, kind: str, id: str) -> GovernanceDocument:
        """One case. Raises `NotFound`."""
        query = select(table).where(table.c.tenant == tenant, table.c.kind == kind, table.c.id == id)
        row = (await self._connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound(f"there is no such {kind}", hint="It may be another organisation's, or removed.")
        return GovernanceDocument(*row)

    async def list(self, tenant: str, kind: str, *, states: Sequence[str] = ()) -> Sequence[GovernanceDocument]:
        """The newest cases of a kind, newest first."""
        query = select(table).where(table.c.tenant == tenant, table.c.kind == kind)
        if states:
            query = query.where(table.c.state.in_(states))
        query = query.order_by(table.c.opened.desc(), table.c.id).limit(LIST_LIMIT)
        return [GovernanceDocument(*row) for row in await self._connection.execute(query)]

    async def add(self, document: GovernanceDocument) -> None:
        """Keep a new case."""
        await self._connection.execute(table.insert().values(_values(document)))

    async def change(self, document: GovernanceDocument) -> None:
        """Replace a case whose version is one less. Raises `Conflict`."""
        statement = table.update().where(
            table.c.tenant == document.tenant, table.c.id == document.id, table.c.version == document.version - 1
        )
        if not await changed_rows(self._connection, statement.values(_values(document))):
            raise Conflict("somebody changed this meanwhile", hint="Look at it again, then decide.")


def _values(document: GovernanceDocument) -> dict[str, object]:
    return {name: getattr(document, name) for name in GovernanceDocument.__slots__}
