"""Channels, rosters and chains of an organisation; escalations under way; the delivery log; CAP messages by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import Conflict, NotFound, to_microseconds
from impetus.model.notification import Escalation, Notification
from impetus.store.database import changed_rows, insert_if_absent, insert_or_replace
from impetus.store.paging import bounded, read_cursor, write_cursor
from impetus.store.records import Page
from impetus.store.tables import Moment, cap_message, escalation, notification
from impetus.store.tables import notification_plan as plan

CHANNEL: Final = "channel"
ROSTER: Final = "roster"
CHAIN: Final = "chain"


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """A channel, a roster or a chain as JSON, and who changed it last."""

    id: str
    version: int
    updated: datetime
    updated_by: str
    content: str
    service: str
    """The kind of a channel: the scheme of its address, which itself is not here."""


@dataclass(frozen=True, slots=True)
class CapRecord:
    """A CAP message that went out or came in."""

    direction: str
    sender: str
    identifier: str
    subject_kind: str
    subject: str
    number: int
    """1 for the first message about the subject, then one more each."""
    sent: datetime
    digest: str
    """Tells whether the content would still be the same."""
    content: str


class NotificationRepository:
    """Every method is about one organisation's, but those whose names say otherwise."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def plans(self, tenant: str, kind: str) -> Sequence[PlanRecord]:
        """All of one kind, by id."""
        query = select(plan).where(plan.c.tenant == tenant, plan.c.kind == kind).order_by(plan.c.id)
        return [_plan(row) for row in (await self._connection.execute(query)).mappings()]

    async def plan(self, tenant: str, kind: str, id: str) -> PlanRecord:
        """One of them. Raises `NotFound`."""
        query = select(plan).where(plan.c.tenant == tenant, plan.c.kind == kind, plan.c.id == id)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise NotFound(f"there is no {kind} {id}", hint="It may belong to another organisation.")
        return _plan(row)

    async def address(self, tenant: str, channel: str) -> str | None:
        """The secret address of a channel; None if there is no such channel. Only whoever sends asks for it."""
        query = select(plan.c.secret).where(plan.c.tenant == tenant, plan.c.kind == CHANNEL, plan.c.id == channel)
        return (await self._connection.execute(query)).scalar_one_or_none()

    async def put_plan(
        self,
        tenant: str,
        kind: str,
        id: str,
        content: str,
        *,
        version: int,
        time: datetime,
        by: str,
        secret: str | None,
    ) -> PlanRecord:
        """Keep one; `version` is the one that the person saw, 0 for a new one. No `secret` keeps the present one.

        Raises `Conflict` when somebody else was first.
        """
        row: dict[str, Any] = {
            "version": version + 1, "updated": time, "updated_by": by, "content": content,
        }  # fmt: skip
        if secret is not None:
            row["secret"] = secret
        if version == 0:
            statement = insert_if_absent(self._connection, plan).values(tenant=tenant, kind=kind, id=id, **row)
            rows = await changed_rows(self._connection, statement)
        else:
            here = (plan.c.tenant == tenant, plan.c.kind == kind, plan.c.id == id, plan.c.version == version)
            rows = await changed_rows(self._connection, update(plan).where(*here).values(row))
        if not rows:
            raise Conflict(
                f"somebody else made or changed the {kind} {id} first", hint="Look at it as it is now, then try again."
            )
        return await self.plan(tenant, kind, id)

    async def remove_plan(self, tenant: str, kind: str, id: str) -> None:
        """Forget one, its secret too. Raises `NotFound`."""
        statement = delete(plan).where(plan.c.tenant == tenant, plan.c.kind == kind, plan.c.id == id)
        if not await changed_rows(self._connection, statement):
            raise NotFound(f"there is no {kind} {id}", hint="It may belong to another organisation.")

    async def escalations_about(self, tenant: str, subjects: Sequence[str]) -> Mapping[tuple[str, str], Escalation]:
        """By subject and chain, the latest climb of each chain that ever climbed for these alerts or incidents."""
        query = select(escalation.c.content).where(escalation.c.tenant == tenant, escalation.c.subject.in_(subjects))
        latest: dict[tuple[str, str], Escalation] = {}
        for row in await self._connection.execute(query):
            found = Escalation.model_validate_json(row.content)
            key = (found.subject.id, found.chain)
            if key not in latest or latest[key].episode < found.episode:
                latest[key] = found
        return latest

    async def escalation(self, tenant: str, id: str) -> Escalation:
        """One. Raises `NotFound`."""
        query = select(escalation.c.content).where(escalation.c.tenant == tenant, escalation.c.id == id)
        content = (await self._connection.execute(query)).scalar_one_or_none()
        if content is None:
            raise NotFound(f"there is no escalation {id}", hint="It may belong to another organisation.")
        return Escalation.model_validate_json(content)

    async def put_escalation(self, one: Escalation) -> None:
        """Keep it as it is now."""
        await self._connection.execute(
            insert_or_replace(self._connection, escalation).values(
                tenant=one.tenant,
                id=one.id,
                chain=one.chain,
                subject_kind=one.subject.kind.value,
                subject=one.subject.id,
                state=one.state.value,
                started=one.started,
                due=one.due,
                content=one.model_dump_json(),
            )
        )

    async def due_escalations_in_installation(self, now: datetime, limit: int = 100) -> Sequence[Escalation]:
        """Those whose next step is to be taken, longest due first."""
        query = (
            select(escalation.c.content).where(escalation.c.due <= now).order_by(escalation.c.due).limit(limit)
        )  # fmt: skip
        return [Escalation.model_validate_json(row.content) for row in await self._connection.execute(query)]

    async def escalations(self, tenant: str, *, limit: int = 100, after: str | None = None) -> Page[Escalation]:
        """A page, started last first. Raises `InvalidInput`."""
        limit = bounded(limit)
        query = select(escalation.c.content).where(escalation.c.tenant == tenant)
        if after is not None:
            query = query.where(tuple_(escalation.c.started, escalation.c.id) < _after("started", after))
        query = query.order_by(escalation.c.started.desc(), escalation.c.id.desc()).limit(limit + 1)
        found = [Escalation.model_validate_json(row.content) for row in await self._connection.execute(query)]
        following = None
        if len(found) > limit:
            following = write_cursor("started", to_microseconds(found[limit - 1].started), found[limit - 1].id)
        return Page(tuple(found[:limit]), following)

    async def add_notifications(self, new: Sequence[Notification]) -> None:
        """Put them into the log; one that is there already is left alone."""
        if new:
            await self._connection.execute(
                insert_if_absent(self._connection, notification), [_notification_row(one) for one in new]
            )

    async def put_notification(self, one: Notification) -> None:
        """Keep it as it is now."""
        await self._connection.execute(
            insert_or_replace(self._connection, notification).values(_notification_row(one))
        )  # fmt: skip

    async def notification(self, tenant: str, id: str) -> Notification:
        """One. Raises `NotFound`."""
        query = select(notification.c.content).where(notification.c.tenant == tenant, notification.c.id == id)
        content = (await self._connection.execute(query)).scalar_one_or_none()
        if content is None:
            raise NotFound(f"there is no notification {id}", hint="It may belong to another organisation.")
        return Notification.model_validate_json(content)

    async def notifications_of(self, tenant: str, escalation_id: str) -> Sequence[Notification]:
        """All messages of one escalation."""
        query = select(notification.c.content).where(
            notification.c.tenant == tenant, notification.c.escalation == escalation_id
        )
        return [Notification.model_validate_json(row.content) for row in await self._connection.execute(query)]

    async def due_notifications_in_installation(self, now: datetime, limit: int = 1_000) -> Sequence[Notification]:
        """Messages that are to be sent now, longest due first."""
        query = select(notification.c.content).where(notification.c.due <= now)
        query = query.order_by(notification.c.due, notification.c.id).limit(limit)
        return [Notification.model_validate_json(row.content) for row in await self._connection.execute(query)]

    async def notifications(
        self, tenant: str, *, channel: str | None = None, limit: int = 100, after: str | None = None
    ) -> Page[Notification]:
        """A page of the delivery log, newest first. Raises `InvalidInput`."""
        limit = bounded(limit)
        query = select(notification.c.content).where(notification.c.tenant == tenant)
        if channel is not None:
            query = query.where(notification.c.channel == channel)
        if after is not None:
            query = query.where(tuple_(notification.c.created, notification.c.id) < _after("created", after))
        query = query.order_by(notification.c.created.desc(), notification.c.id.desc()).limit(limit + 1)
        found = [Notification.model_validate_json(row.content) for row in await self._connection.execute(query)]
        following = None
        if len(found) > limit:
            following = write_cursor("created", to_microseconds(found[limit - 1].created), found[limit - 1].id)
        return Page(tuple(found[:limit]), following)

    async def forget_notifications(self, tenant: str, before: datetime, *, rows: int = 1_000) -> int:
        """Remove up to so many messages that are settled and older; how many. Retention calls it until it gives 0."""
        old = (
            select(notification.c.id)
            .where(notification.c.tenant == tenant, notification.c.created < before, notification.c.due.is_(None))
            .order_by(notification.c.created, notification.c.id)
            .limit(rows)
        )
        statement = delete(notification).where(notification.c.tenant == tenant, notification.c.id.in_(old))
        return await changed_rows(self._connection, statement)

    async def last_tried(self, tenant: str, channel: str, count: int = 5) -> Sequence[Notification]:
        """The messages that were tried last through a channel, newest first."""
        query = (
            select(notification.c.content)
            .where(
                notification.c.tenant == tenant, notification.c.channel == channel, notification.c.tried.is_not(None)
            )
            .order_by(notification.c.tried.desc())
            .limit(count)
        )
        return [Notification.model_validate_json(row.content) for row in await self._connection.execute(query)]

    async def waiting(self, tenant: str) -> Mapping[str, int]:
        """How many messages wait, by channel."""
        query = (
            select(notification.c.channel, func.count().label("waiting"))
            .where(notification.c.tenant == tenant, notification.c.due.is_not(None))
            .group_by(notification.c.channel)
        )
        return {row.channel: row.waiting for row in await self._connection.execute(query)}


class CapRepository:
    """CAP messages by the names that the outside knows them by."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, tenant: str, direction: str, sender: str, identifier: str) -> CapRecord | None:
        """The message of that name, if it went out or came in."""
        query = select(cap_message).where(
            cap_message.c.tenant == tenant,
            cap_message.c.direction == direction,
            cap_message.c.sender == sender,
            cap_message.c.identifier == identifier,
        )
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else _cap(row)

    async def about(self, tenant: str, direction: str, subject: str) -> Sequence[CapRecord]:
        """All messages about an alert or an incident, in order."""
        query = (
            select(cap_message)
            .where(
                cap_message.c.tenant == tenant,
                cap_message.c.direction == direction,
                cap_message.c.subject == subject,
            )
            .order_by(cap_message.c.number)
        )
        return [_cap(row) for row in (await self._connection.execute(query)).mappings()]

    async def add(self, tenant: str, record: CapRecord) -> bool:
        """Keep a message; false if there is one of this name already."""
        statement = insert_if_absent(self._connection, cap_message).values(
            tenant=tenant,
            direction=record.direction,
            sender=record.sender,
            identifier=record.identifier,
            subject_kind=record.subject_kind,
            subject=record.subject,
            number=record.number,
            sent=record.sent,
            digest=record.digest,
            content=record.content,
        )
        return await changed_rows(self._connection, statement) == 1


def _after(order: str, cursor: str) -> Any:
    value, id = read_cursor(order, cursor)
    return tuple_(bindparam("key", int(value), Moment.impl), id)


def _plan(row: Any) -> PlanRecord:
    secret = row["secret"]
    return PlanRecord(
        id=row["id"],
        version=row["version"],
        updated=row["updated"],
        updated_by=row["updated_by"],
        content=row["content"],
        service=secret.partition("://")[0].lower() if secret else "",
    )


def _cap(row: Any) -> CapRecord:
    return CapRecord(**{name: value for name, value in row.items() if name != "tenant"})


def _notification_row(one: Notification) -> dict[str, Any]:
    return {
        "tenant": one.tenant,
        "id": one.id,
        "escalation": one.escalation,
        "channel": one.channel,
        "state": one.state.value,
        "created": one.created,
        "due": one.due,
        "tried": one.tried,
        "content": one.model_dump_json(),
    }
