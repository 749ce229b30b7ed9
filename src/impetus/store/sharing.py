"""Agreements between organisations, incidents that are shared under them, and what people write in those.

These rows belong to two organisations at once: every method takes the organisation that asks, as `tenant` or by the
part that it plays (`giver`, `receiver`, `author`), and finds only what it is a side of.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, bindparam, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import (
    Agreement,
    Assessment,
    Identifier,
    Line,
    NotFound,
    PartState,
    ShareEnding,
    Slug,
    Text,
    UtcTime,
    Value,
    Visibility,
    to_microseconds,
)
from impetus.store.database import changed_rows, insert_if_absent, insert_or_replace, one_at_a_time
from impetus.store.paging import bounded, read_cursor, write_cursor
from impetus.store.records import Page, VersionConflict
from impetus.store.tables import Moment
from impetus.store.tables import assessment as assessment_table
from impetus.store.tables import incident_message as message_table
from impetus.store.tables import incident_share as share_table
from impetus.store.tables import sharing_agreement as agreement_table

IDS_A_QUERY = 500
MESSAGE_LIMIT = 2_000
"""Newest messages of one incident that are shown."""


class ShareRecord(Value):
    """That an incident of one organisation is, or was, open to another."""

    id: Identifier
    giver: Slug
    incident: Identifier
    receiver: Slug
    agreement: Identifier
    part: PartState
    version: int
    since: UtcTime
    updated: UtcTime
    ended: UtcTime | None = None
    ending: ShareEnding | None = None
    digest: str = ""
    """SHA-256 of the view that was sent last: nothing is sent twice. Empty while nothing was."""


class StoredMessage(Value):
    """A message or a note, with who may read it."""

    id: Identifier
    giver: Slug
    incident: Identifier
    author: Slug
    receiver: Slug | None
    """The one receiver it was written to or by; None: all who share the incident."""
    person: Identifier
    person_name: Line
    sent: UtcTime
    text: Text
    kind: Literal["chat", "note"]
    visibility: Visibility


class SharingRepository:
    """What two organisations have together."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def one_at_a_time(self, giver: str) -> None:
        """Until this transaction ends, nobody else changes what this organisation shares."""
        await one_at_a_time(self._connection, f"sharing of {giver}")

    # --- Agreements ---

    async def add_agreement(self, agreement: Agreement) -> bool:
        """Keep a new agreement; false if its id is there already, which is then left alone."""
        statement = insert_if_absent(self._connection, agreement_table).values(_agreement_row(agreement))
        return await changed_rows(self._connection, statement) == 1

    async def find_agreement(self, tenant: str, id: str) -> Agreement | None:
        """The agreement, if this organisation is a side of it."""
        query = select(agreement_table.c.content).where(agreement_table.c.id == id, _side(tenant))
        content = (await self._connection.execute(query)).scalar_one_or_none()
        return None if content is None else Agreement.model_validate_json(content)

    async def get_agreement(self, tenant: str, id: str) -> Agreement:
        """The agreement. Raises `NotFound`, also for those who are not a side of it."""
        agreement = await self.find_agreement(tenant, id)
        if agreement is None:
            raise NotFound(f"there is no agreement {id}", hint="It may be between other organisations.")
        return agreement

    async def list_agreements(self, tenant: str, *, limit: int = 100, after: str | None = None) -> Page[Agreement]:
        """Agreements that this organisation is a side of, newest first. Raises `InvalidInput`."""
        limit = bounded(limit)
        created, id = agreement_table.c.created, agreement_table.c.id
        query = select(agreement_table.c.content).where(_side(tenant))
        if after is not None:
            value, last = read_cursor("agreement", after)
            query = query.where(tuple_(created, id) < tuple_(_moment(value), last))
        query = query.order_by(created.desc(), id.desc()).limit(limit + 1)
        found = [Agreement.model_validate_json(row.content) for row in await self._connection.execute(query)]
        following = None
        if len(found) > limit:
            following = write_cursor("agreement", to_microseconds(found[limit - 1].created), found[limit - 1].id)
        return Page(tuple(found[:limit]), following)

    async def agreements_of_giver(self, giver: str, now: datetime) -> Sequence[Agreement]:
        """Agreements under which this organisation may show something now, as far as the table knows."""
        query = select(agreement_table.c.content).where(
            agreement_table.c.giver == giver, agreement_table.c.ended.is_(None), agreement_table.c.until > now
        )
        return [Agreement.model_validate_json(row.content) for row in await self._connection.execute(query)]

    async def open_agreements_of(self, tenant: str) -> Sequence[Agreement]:
        """All that this organisation is a side of and that nobody has ended."""
        query = select(agreement_table.c.content).where(_side(tenant), agreement_table.c.ended.is_(None))
        return [Agreement.model_validate_json(row.content) for row in await self._connection.execute(query)]

    async def change_agreement(self, agreement: Agreement, *, expected_version: int) -> None:
        """Replace an agreement that has `expected_version`. Raises `VersionConflict`."""
        statement = (
            update(agreement_table)
            .where(
                agreement_table.c.id == agreement.id,
                agreement_table.c.giver == agreement.giver,
                agreement_table.c.receiver == agreement.receiver,
                agreement_table.c.version == expected_version,
            )
            .values(_agreement_row(agreement))
        )
        if not await changed_rows(self._connection, statement):
            now = await self.get_agreement(agreement.giver, agreement.id)
            raise VersionConflict(
                "somebody changed this agreement first", state="changed", version=now.version, handled_by=None
            )

    # --- Shared incidents ---

    async def find_share(self, tenant: str, id: str) -> ShareRecord | None:
        """The share, if this organisation is a side of it."""
        query = select(share_table).where(
            share_table.c.id == id, or_(share_table.c.giver == tenant, share_table.c.receiver == tenant)
        )
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _share(row)

    async def received_share(self, receiver: str, id: str) -> ShareRecord:
        """The share of another organisation's incident with this one. Raises `NotFound`."""
        found = await self.find_share(receiver, id)
        if found is None or found.receiver != receiver:
            raise NotFound(f"there is no shared incident {id}", hint="It may not be shared with your organisation.")
        return found

    async def shares_of_incident(self, giver: str, incident: str) -> Sequence[ShareRecord]:
        """With whom this incident is or was shared."""
        query = select(share_table).where(share_table.c.giver == giver, share_table.c.incident == incident)
        return [_share(row) for row in await self._connection.execute(query.order_by(share_table.c.since))]

    async def open_shares_of_agreement(self, giver: str, agreement: str) -> Sequence[ShareRecord]:
        """What this organisation is sharing under this agreement."""
        query = select(share_table).where(
            share_table.c.giver == giver, share_table.c.agreement == agreement, share_table.c.ended.is_(None)
        )
        return [_share(row) for row in await self._connection.execute(query)]

    async def open_shares_of_giver(self, giver: str) -> Sequence[ShareRecord]:
        """What this organisation is sharing."""
        query = select(share_table).where(share_table.c.giver == giver, share_table.c.ended.is_(None))
        return [_share(row) for row in await self._connection.execute(query)]

    async def overdue_in_installation(self, now: datetime) -> Sequence[ShareRecord]:
        """What is marked as shared though its agreement's time is over."""
        query = (
            select(share_table)
            .join(agreement_table, agreement_table.c.id == share_table.c.agreement)
            .where(share_table.c.ended.is_(None), agreement_table.c.until <= now)
        )
        return [_share(row) for row in await self._connection.execute(query)]

    async def list_received(self, receiver: str, *, limit: int = 100, after: str | None = None) -> Page[ShareRecord]:
        """What is or was shared with this organisation, newest first. Raises `InvalidInput`."""
        limit = bounded(limit)
        query = select(share_table).where(share_table.c.receiver == receiver)
        if after is not None:
            value, id = read_cursor("shared", after)
            query = query.where(tuple_(share_table.c.since, share_table.c.id) < tuple_(_moment(value), id))
        query = query.order_by(share_table.c.since.desc(), share_table.c.id.desc()).limit(limit + 1)
        found = [_share(row) for row in await self._connection.execute(query)]
        following = None
        if len(found) > limit:
            following = write_cursor("shared", to_microseconds(found[limit - 1].since), found[limit - 1].id)
        return Page(tuple(found[:limit]), following)

    async def put_share(self, share: ShareRecord) -> None:
        """Keep a share as it stands now."""
        row = {name: getattr(share, name) for name in ShareRecord.model_fields}
        row |= {"part": share.part.value, "ending": share.ending.value if share.ending else None}
        await self._connection.execute(insert_or_replace(self._connection, share_table).values(row))

    # --- Words ---

    async def add_message(self, message: StoredMessage) -> bool:
        """Keep a message; false if the author's organisation has one of this id already."""
        columns = ("id", "giver", "incident", "author", "receiver", "sent")
        row: dict[str, Any] = {name: getattr(message, name) for name in columns}
        row["content"] = message.model_dump_json()
        statement = insert_if_absent(self._connection, message_table).values(row)
        return await changed_rows(self._connection, statement) == 1

    async def find_message(self, author: str, id: str) -> StoredMessage | None:
        """A message that this organisation wrote."""
        query = select(message_table.c.content).where(message_table.c.author == author, message_table.c.id == id)
        content = (await self._connection.execute(query)).scalar_one_or_none()
        return None if content is None else StoredMessage.model_validate_json(content)

    async def messages(self, giver: str, incident: str) -> Sequence[StoredMessage]:
        """The newest messages and notes of one incident in order; who may read which is for the caller to decide."""
        query = (
            select(message_table.c.content)
            .where(message_table.c.giver == giver, message_table.c.incident == incident)
            .order_by(message_table.c.sent.desc(), message_table.c.id.desc())
            .limit(MESSAGE_LIMIT)
        )
        found = [StoredMessage.model_validate_json(row.content) for row in await self._connection.execute(query)]
        return found[::-1]

    async def decisions_on(self, tenant: str, subjects: Collection[str]) -> Sequence[Assessment]:
        """This organisation's decisions on several subjects, in the order of time."""
        found: list[Assessment] = []
        distinct = list(dict.fromkeys(subjects))
        for begin in range(0, len(distinct), IDS_A_QUERY):
            query = select(assessment_table.c.content).where(
                assessment_table.c.tenant == tenant,
                assessment_table.c.subject.in_(distinct[begin : begin + IDS_A_QUERY]),
            )
            rows = await self._connection.execute(query)
            found += [Assessment.model_validate_json(row.content) for row in rows]
        return sorted(found, key=lambda one: (one.decided, one.version, one.id))


def _side(tenant: str) -> Any:
    return or_(agreement_table.c.giver == tenant, agreement_table.c.receiver == tenant)


def _moment(microseconds: float) -> Any:
    return bindparam("key", int(microseconds), Moment.impl)


def _agreement_row(agreement: Agreement) -> Mapping[str, Any]:
    return {
        "id": agreement.id,
        "giver": agreement.giver,
        "receiver": agreement.receiver,
        "version": agreement.version,
        "until": agreement.terms.until,
        "ended": agreement.ending.time if agreement.ending is not None else None,
        "created": agreement.created,
        "content": agreement.model_dump_json(),
    }


def _share(row: Row[Any]) -> ShareRecord:
    return ShareRecord(**{name: getattr(row, name) for name in ShareRecord.model_fields})
