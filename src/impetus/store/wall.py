"""The second wall between organisations, on PostgreSQL: row-level security.

The first wall is in every query, which names its organisation. Should one forget to, the database itself shows and
changes rows of the organisation only on whose behalf a request is carried out. Work that is on nobody's behalf (the
situation, relays, retention) and what an agreement lets cross has no such wall. SQLite has none of this.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

SETTING: Final = "impetus.organisation"
"""PostgreSQL's setting that the policies look at; empty or absent: no wall."""
POLICY: Final = "organisation_wall"
SIDES: Final = ("tenant", "author", "giver", "receiver")
"""Columns that name an organisation: a row is shown to each that it names."""

_behind: ContextVar[str | None] = ContextVar("organisation_wall", default=None)


@contextmanager
def within(tenant: str | None) -> Iterator[None]:
    """What this task does meanwhile is on behalf of this organisation; None: of nobody in particular."""
    before = _behind.set(tenant)
    try:
        yield
    finally:
        _behind.reset(before)


async def raise_wall(connection: AsyncConnection) -> None:
    """Let this transaction see the rows of the organisation only on whose behalf the task works."""
    tenant = _behind.get()
    if tenant:
        await connection.execute(text("SELECT set_config(:name, :tenant, true)"), {"name": SETTING, "tenant": tenant})


def sides_of(table: Table) -> tuple[str, ...]:
    """The columns of a table that name an organisation; none: the table has no wall."""
    return tuple(name for name in SIDES if name in table.c)
