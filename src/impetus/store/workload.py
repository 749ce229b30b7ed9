"""Who holds which alerts, and which alerts repeat another one: columns of the alerts' own rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import AlertState
from impetus.store.alerts import IDS_A_QUERY, OPEN_STATES, RECORD_COLUMNS, alert_record
from impetus.store.database import changed_rows, insert_or_replace, one_at_a_time
from impetus.store.records import AlertRecord
from impetus.store.tables import alert as table
from impetus.store.tables import held_cap as cap_table

HEAD_LIMIT: Final = 1_000
"""Alerts that one look for repeats considers, seen last first; what repeats none of them is shown by itself."""

_OPEN: Final = [state.value for state in OPEN_STATES]


@dataclass(frozen=True, slots=True)
class Load:
    """What one person holds."""

    person: str
    name: str
    count: int
    oldest: datetime | None
    """Since when the alert is held that is held longest."""


@dataclass(frozen=True, slots=True)
class Cap:
    """How many alerts a person may hold for now, because a supervisor said so."""

    person: str
    cap: int
    until: datetime
    set_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Head:
    """An open alert that others may repeat."""

    record: AlertRecord
    last_seen: datetime
    """Onset of the newest of it and its repeats."""


class WorkloadRepository:
    """Every method is about one organisation's alerts only, but for `holders_in_installation`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def one_at_a_time(self, tenant: str, person: str) -> None:
        """Until this transaction ends, nobody else changes how much this person holds."""
        await one_at_a_time(self._connection, f"held by {person} of {tenant}")

    async def caps(self, tenant: str, now: datetime) -> Mapping[str, Cap]:
        """Caps that a supervisor set and that hold now, by person."""
        query = select(cap_table).where(cap_table.c.tenant == tenant, cap_table.c.until > now)
        return {
            row.person: Cap(row.person, row.cap, row.until, row.set_by, row.reason)
            for row in await self._connection.execute(query)
        }

    async def set_cap(self, tenant: str, cap: Cap) -> None:
        """From now until `cap.until` this person may hold so many."""
        row = {
            "tenant": tenant,
            "person": cap.person,
            "cap": cap.cap,
            "until": cap.until,
            "set_by": cap.set_by,
            "reason": cap.reason,
        }
        await self._connection.execute(insert_or_replace(self._connection, cap_table).values(row))

    async def lift_cap(self, tenant: str, person: str) -> None:
        """The cap of the house holds for this person again."""
        await self._connection.execute(
            delete(cap_table).where(cap_table.c.tenant == tenant, cap_table.c.person == person)
        )

    async def hold(self, tenant: str, id: str, person: str, name: str, since: datetime) -> None:
        """From now on this person holds the alert. The caller checks and raises its version."""
        await self._set_holder(tenant, id, person, name, since)

    async def let_go(self, tenant: str, id: str) -> None:
        """From now on nobody holds the alert. The caller checks and raises its version."""
        await self._set_holder(tenant, id, None, None, None)

    async def _set_holder(
        self, tenant: str, id: str, person: str | None, name: str | None, since: datetime | None
    ) -> None:
        await self._connection.execute(
            update(table)
            .where(table.c.tenant == tenant, table.c.id == id)
            .values(holder=person, holder_name=name, held_since=since)
        )

    async def count(self, tenant: str, person: str) -> int:
        """How many alerts a person holds."""
        query = select(func.count()).where(table.c.tenant == tenant, table.c.holder == person)
        return int((await self._connection.execute(query)).scalar_one())

    async def held_by(self, tenant: str, person: str) -> Sequence[AlertRecord]:
        """All alerts that a person holds, worst first."""
        query = (
            select(*RECORD_COLUMNS)
            .where(table.c.tenant == tenant, table.c.holder == person)
            .order_by(table.c.harm.desc(), table.c.id.desc())
        )
        return [alert_record(row) for row in await self._connection.execute(query)]

    async def loads(self, tenant: str) -> Sequence[Load]:
        """What each person holds who holds something, most first."""
        query = (
            select(table.c.holder, func.max(table.c.holder_name), func.count(), func.min(table.c.held_since))
            .where(table.c.tenant == tenant, table.c.holder.is_not(None))
            .group_by(table.c.holder)
            .order_by(func.count().desc(), table.c.holder)
        )
        rows = (await self._connection.execute(query)).all()
        return [Load(person, name, count, oldest) for person, name, count, oldest in rows]

    async def waiting(self, tenant: str) -> tuple[int, datetime | None]:
        """How many alerts nobody has acknowledged, repeats left out, and when the oldest of them arrived."""
        query = select(func.count(), func.min(table.c.received)).where(
            table.c.tenant == tenant, table.c.repeat_of.is_(None), table.c.state == AlertState.NEW.value
        )
        count, oldest = (await self._connection.execute(query)).one()
        return int(count), oldest

    async def holders_in_installation(self) -> Sequence[tuple[str, str]]:
        """Tenant and person of everybody who holds something."""
        query = select(table.c.tenant, table.c.holder).where(table.c.holder.is_not(None)).distinct()
        return [(tenant, person) for tenant, person in (await self._connection.execute(query)).all()]

    async def heads(self, tenant: str, sources: Collection[str], since: datetime) -> Sequence[Head]:
        """Open alerts on these sources that repeat no other and were seen at `since` or later, seen last first."""
        found: list[Head] = []
        distinct = list(dict.fromkeys(sources))
        for begin in range(0, len(distinct), IDS_A_QUERY):
            query = (
                select(*RECORD_COLUMNS, table.c.last_seen)
                .where(
                    table.c.tenant == tenant,
                    table.c.source.in_(distinct[begin : begin + IDS_A_QUERY]),
                    table.c.repeat_of.is_(None),
                    table.c.last_seen >= since,
                    table.c.state.in_(_OPEN),
                )
                .order_by(table.c.last_seen.desc(), table.c.id)
                .limit(HEAD_LIMIT)
            )
            found += [Head(alert_record(row), row.last_seen) for row in await self._connection.execute(query)]
        return found

    async def join(self, tenant: str, repeats: Mapping[str, AlertRecord]) -> None:
        """These alerts repeat those: they go the way that those have gone. Keys are the repeats' ids."""
        if not repeats:
            return
        statement = (
            update(table)
            .where(table.c.tenant == tenant, table.c.id == bindparam("key_id"))
            .values(repeat_of=bindparam("head"), state=bindparam("new_state"), handled_by=bindparam("new_handled_by"))
        )
        await self._connection.execute(
            statement,
            [
                {
                    "key_id": id,
                    "head": head.alert.id,
                    "new_state": head.state.value,
                    "new_handled_by": head.handled_by,
                }
                for id, head in repeats.items()
            ],
        )

    async def set_free(self, tenant: str, ids: Iterable[str]) -> None:
        """These alerts repeat nothing any more."""
        for id in ids:
            await self._connection.execute(
                update(table).where(table.c.tenant == tenant, table.c.id == id).values(repeat_of=None)
            )

    async def seen_again(self, tenant: str, id: str, *, more: int, last_seen: datetime, updated: datetime) -> None:
        """So many more alerts repeat this one (fewer, if negative), the last of them noticed at `last_seen`."""
        await self._connection.execute(
            update(table)
            .where(table.c.tenant == tenant, table.c.id == id)
            .values(repeats=table.c.repeats + more, last_seen=last_seen, updated=updated)
        )

    async def follow(
        self, tenant: str, id: str, *, before: AlertState, after: AlertState, handled_by: str, updated: datetime
    ) -> int:
        """Repeats that stood as their alert did go the way it went; how many. Those that a person decided otherwise
        stay as they are."""
        if before is after:
            return 0
        statement = (
            update(table)
            .where(table.c.tenant == tenant, table.c.repeat_of == id, table.c.state == before.value)
            .values(state=after.value, handled_by=handled_by, updated=updated, version=table.c.version + 1)
        )
        return await changed_rows(self._connection, statement)
