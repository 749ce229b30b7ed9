"""Dashboards that an organisation or a person arranged, and who works with which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import Conflict
from impetus.model.dashboard import Dashboard
from impetus.store.database import changed_rows, insert_if_absent
from impetus.store.records import VersionConflict
from impetus.store.tables import dashboard as table
from impetus.store.tables import dashboard_assignment as assignments

ORGANISATION = ""
"""The owner of a dashboard that belongs to nobody in particular."""


@dataclass(frozen=True, slots=True)
class DashboardRecord:
    """A dashboard as it is kept."""

    name: str
    owner: str
    version: int
    updated: datetime
    updated_by: str
    dashboard: Dashboard | None
    """None if it was reset: then what lies beneath it holds."""


class DashboardRepository:
    """Dashboards of an organisation (`owner` is `ORGANISATION`) and of its people (`owner` is the person's id)."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, tenant: str, owner: str, name: str) -> DashboardRecord | None:
        """The dashboard, also if it was reset."""
        query = select(table).where(table.c.tenant == tenant, table.c.owner == owner, table.c.name == name)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _record(row)

    async def list(self, tenant: str, owner: str) -> Sequence[DashboardRecord]:
        """The dashboards of an owner by name, without those that were reset."""
        query = (
            select(table)
            .where(table.c.tenant == tenant, table.c.owner == owner, table.c.content.is_not(None))
            .order_by(table.c.name)
        )
        return [_record(row) for row in await self._connection.execute(query)]

    async def put(
        self,
        tenant: str,
        owner: str,
        name: str,
        dashboard: Dashboard | None,
        *,
        expected_version: int,
        updated: datetime,
        updated_by: str,
    ) -> DashboardRecord:
        """Keep a dashboard, or reset it with None; `expected_version` is 0 for one that never was.

        Raises `VersionConflict` when somebody else changed it first.
        """
        content = None if dashboard is None else dashboard.model_dump_json()
        values = {
            "version": expected_version + 1,
            "updated": updated,
            "updated_by": updated_by,
            "content": content,
        }
        if expected_version == 0:
            statement = insert_if_absent(self._connection, table).values(
                tenant=tenant, owner=owner, name=name, **values
            )
            rows = await changed_rows(self._connection, statement)
        else:
            rows = await changed_rows(
                self._connection,
                update(table)
                .where(
                    table.c.tenant == tenant,
                    table.c.owner == owner,
                    table.c.name == name,
                    table.c.version == expected_version,
                )
                .values(values),
            )
        now = await self.find(tenant, owner, name)
        if not rows or now is None:
            raise VersionConflict(
                f"{now.updated_by if now else 'somebody'} changed this dashboard first",
                state="reset" if now is None or now.dashboard is None else "arranged",
                version=0 if now is None else now.version,
                handled_by=None if now is None else now.updated_by,
            )
        return now

    async def assigned(self, tenant: str) -> Mapping[str, str]:
        """The dashboard's name by person, for those who were given one."""
        query = select(assignments.c.user, assignments.c.name).where(assignments.c.tenant == tenant)
        return {row.user: row.name for row in await self._connection.execute(query)}

    async def assigned_to(self, tenant: str, user: str) -> str | None:
        """The name of the dashboard that this person was given."""
        query = select(assignments.c.name).where(assignments.c.tenant == tenant, assignments.c.user == user)
        name: str | None = (await self._connection.execute(query)).scalar_one_or_none()
        return name

    async def assign(self, tenant: str, user: str, name: str | None, *, before: str | None) -> None:
        """Give a person a dashboard, or take it away with None. Raises `Conflict` if the person does not have `before`
        any more."""
        here = (assignments.c.tenant == tenant, assignments.c.user == user)
        if before is None:
            if name is None:
                rows = 1 if await self.assigned_to(tenant, user) is None else 0
            else:
                statement = insert_if_absent(self._connection, assignments).values(tenant=tenant, user=user, name=name)
                rows = await changed_rows(self._connection, statement)
        elif name is None:
            rows = await changed_rows(self._connection, delete(assignments).where(*here, assignments.c.name == before))
        else:
            change = update(assignments).where(*here, assignments.c.name == before).values(name=name)
            rows = await changed_rows(self._connection, change)
        if not rows:
            raise Conflict(
                "this person was given another dashboard in the meantime", hint="Look at the list of people again."
            )

    async def unassign_all(self, tenant: str, name: str) -> int:
        """Take a dashboard away from all who have it; how many had it."""
        return await changed_rows(
            self._connection, delete(assignments).where(assignments.c.tenant == tenant, assignments.c.name == name)
        )


def _record(row: Row[Any]) -> DashboardRecord:
    return DashboardRecord(
        name=row.name,
        owner=row.owner,
        version=row.version,
        updated=row.updated,
        updated_by=row.updated_by,
        dashboard=None if row.content is None else Dashboard.model_validate_json(row.content),
    )
