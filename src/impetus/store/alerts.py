"""Alerts of an organisation: the queue that people work through."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Double, Row, bindparam, func, select, true, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import Alert, AlertState, NotFound, Severity, to_microseconds
from impetus.store.database import changed_rows, insert_if_absent, one_at_a_time
from impetus.store.paging import bounded, read_cursor, write_cursor
from impetus.store.records import AlertArrival, AlertFilter, AlertOrder, AlertRecord, Harm, Page, VersionConflict
from impetus.store.tables import alert as table

OPEN_STATES: Final = (AlertState.NEW, AlertState.ACKNOWLEDGED, AlertState.ESCALATED)
"""States in which an alert still waits for somebody."""

IDS_A_QUERY = 500
"""Identifiers in one query, well under SQLite's limit of bound values."""

EVERY_ALERT: Final = AlertFilter()

RECORD_COLUMNS = (
    table.c.tenant,
    table.c.state,
    table.c.version,
    table.c.received,
    table.c.updated,
    table.c.incident,
    table.c.handled_by,
    table.c.harm,
    table.c.probability,
    table.c.holder,
    table.c.holder_name,
    table.c.held_since,
    table.c.repeat_of,
    table.c.repeats,
    table.c.content,
)


class AlertRepository:
    """Every method is about one organisation's alerts only."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, tenant: str, id: str) -> AlertRecord | None:
        """The alert, if this organisation has it."""
        found = await self.many(tenant, [id])
        return found.get(id)

    async def get(self, tenant: str, id: str) -> AlertRecord:
        """The alert. Raises `NotFound`, also when another organisation has it."""
        record = await self.find(tenant, id)
        if record is None:
            raise NotFound(f"there is no alert {id}", hint="It may belong to another organisation.")
        return record

    async def many(self, tenant: str, ids: Collection[str]) -> Mapping[str, AlertRecord]:
        """Those of the alerts that exist, by id."""
        distinct = list(dict.fromkeys(ids))
        found: dict[str, AlertRecord] = {}
        for begin in range(0, len(distinct), IDS_A_QUERY):
            some = distinct[begin : begin + IDS_A_QUERY]
            query = select(*RECORD_COLUMNS).where(table.c.tenant == tenant, table.c.id.in_(some))
            for row in await self._connection.execute(query):
                record = alert_record(row)
                found[record.alert.id] = record
        return found

    async def list(
        self,
        tenant: str,
        wanted: AlertFilter = EVERY_ALERT,
        *,
        order: AlertOrder = AlertOrder.HARM,
        limit: int = 100,
        after: str | None = None,
    ) -> Page[AlertRecord]:
        """A page of the queue; pass its `next` as `after` for the following one. Raises `InvalidInput`."""
        limit = bounded(limit)
        key: ColumnElement[Any] = table.c.harm if order is AlertOrder.HARM else table.c.received
        query = select(*RECORD_COLUMNS).where(table.c.tenant == tenant, *_conditions(wanted))
        if after is not None:
            value, id = read_cursor(order, after)
            # Bound as a plain number: the cursor holds microseconds, not a datetime.
            plain = bindparam("key", value, Double() if order is AlertOrder.HARM else BigInteger())
            query = query.where(tuple_(key, table.c.id) < tuple_(plain, id))
        query = query.order_by(key.desc(), table.c.id.desc()).limit(limit + 1)
        records = [alert_record(row) for row in await self._connection.execute(query)]
        following = None
        if len(records) > limit:
            last = records[limit - 1]
            last_key = last.harm if order is AlertOrder.HARM else to_microseconds(last.received)
            following = write_cursor(order, last_key, last.alert.id)
        return Page(tuple(records[:limit]), following)

    async def upsert(
        self,
        tenant: str,
        alerts: Sequence[Alert],
        *,
        received: datetime,
        harm: Harm,
        probability: Harm | None = None,
    ) -> Sequence[AlertArrival]:
        """Keep alerts that arrived; the answer has one entry for each, in order.

        An alert is kept once by its id. A greater revision replaces the content; what people decided stays, and so
        does the version. Any number of repetitions is harmless.
        """
        # Between looking what is known and writing, nobody else may write the same alert.
        await one_at_a_time(self._connection, f"alerts of {tenant}")
        known = dict(await self.many(tenant, [alert.id for alert in alerts]))
        before = dict(known)
        arrivals: list[AlertArrival] = []
        for alert in alerts:
            old = known.get(alert.id)
            if old is not None and alert.revision <= old.alert.revision:
                arrivals.append(AlertArrival(old, created=False, changed=False))
                continue
            if old is None:
                new = AlertRecord(
                    alert=alert,
                    tenant=tenant,
                    state=AlertState.NEW,
                    version=1,
                    received=received,
                    updated=received,
                    harm=harm(alert),
                    probability=None if probability is None else probability(alert),
                )
            else:
                new = old.model_copy(
                    update={
                        "alert": alert,
                        "updated": received,
                        "harm": harm(alert),
                        "probability": None if probability is None else probability(alert),
                    }
                )
            known[alert.id] = new
            arrivals.append(AlertArrival(new, created=old is None, changed=True))
        added = [_row(record) for id, record in known.items() if id not in before]
        if added:
            await self._connection.execute(insert_if_absent(self._connection, table), added)
        revised = [record for id, record in known.items() if id in before and record is not before[id]]
        if revised:
            await self._revise(revised)
        return arrivals

    async def _revise(self, records: Sequence[AlertRecord]) -> None:
        changing = ("severity", "status", "revision", "harm", "probability", "updated", "ended", "search", "content")
        statement = (
            update(table)
            .where(
                table.c.tenant == bindparam("key_tenant"),
                table.c.id == bindparam("key_id"),
                table.c.revision < bindparam("new_revision"),
            )
            .values({name: bindparam(f"new_{name}") for name in changing})
        )
        rows = [(record, _row(record)) for record in records]
        await self._connection.execute(
            statement,
            [
                {"key_tenant": record.tenant, "key_id": record.alert.id}
                | {f"new_{name}": row[name] for name in changing}
                for record, row in rows
            ],
        )

    async def change(
        self,
        tenant: str,
        id: str,
        *,
        expected_version: int,
        state: AlertState,
        incident: str | None,
        handled_by: str,
        updated: datetime,
    ) -> AlertRecord:
        """Write what a person decided; the version grows by one. `incident` is where the alert belongs afterwards.

        Raises `NotFound`, and `VersionConflict` when somebody else decided since `expected_version`.
        """
        statement = (
            update(table)
            .where(table.c.tenant == tenant, table.c.id == id, table.c.version == expected_version)
            .values(
                state=state.value,
                incident=incident,
                handled_by=handled_by,
                updated=updated,
                version=expected_version + 1,
            )
        )
        changed = await changed_rows(self._connection, statement)
        record = await self.get(tenant, id)
        if not changed:
            raise VersionConflict(
                f"{record.handled_by or 'somebody'} changed this alert first: it is {record.state.value} now",
                state=record.state.value,
                version=record.version,
                handled_by=record.handled_by,
            )
        return record

    async def place(
        self, tenant: str, ids: Sequence[str], incident: str, *, taken_from: str | None = None, updated: datetime
    ) -> Sequence[AlertRecord]:
        """Put alerts that belong to no incident (or to `taken_from`) into one; those that were put there.

        The version stays as it is, so that nobody's decision meets a conflict because the system sorted alerts; where
        a person was quicker, that stands.
        """
        for begin in range(0, len(ids), IDS_A_QUERY):
            belongs = table.c.incident.is_(None) if taken_from is None else table.c.incident == taken_from
            await self._connection.execute(
                update(table)
                .where(table.c.tenant == tenant, table.c.id.in_(ids[begin : begin + IDS_A_QUERY]), belongs)
                .values(incident=incident, updated=updated)
            )
        placed = await self.many(tenant, ids)
        return [record for record in placed.values() if record.incident == incident and record.updated == updated]

    async def states_with_evidence(self, tenant: str, sha256: str) -> Set[AlertState]:
        """How the alerts stand that point at a piece of evidence."""
        query = select(table.c.state).where(table.c.tenant == tenant, table.c.content.contains(sha256, autoescape=True))
        return {AlertState(row.state) for row in await self._connection.execute(query)}

    async def counts(self, tenant: str) -> Mapping[AlertState, int]:
        """How many alerts are in each state; every state is there. Repeats count as the one that they repeat."""
        query = (
            select(table.c.state, func.count())
            .where(table.c.tenant == tenant, table.c.repeat_of.is_(None))
            .group_by(table.c.state)
        )
        found = {AlertState(state): count for state, count in await self._connection.execute(query)}
        return {state: found.get(state, 0) for state in AlertState}

    async def open_counts_by_severity(self, tenant: str) -> Mapping[Severity, int]:
        """How many alerts wait for somebody, by severity; every severity is there. Repeats are not counted."""
        query = (
            select(table.c.severity, func.count())
            .where(
                table.c.tenant == tenant,
                table.c.repeat_of.is_(None),
                table.c.state.in_([state.value for state in OPEN_STATES]),
            )
            .group_by(table.c.severity)
        )
        found = {Severity(severity): count for severity, count in await self._connection.execute(query)}
        return {severity: found.get(severity, 0) for severity in Severity}

    async def open_detectors_by_source(self, tenant: str) -> Mapping[str, tuple[str, ...]]:
        """Which detectors have an alert on each source that is not over and was not dismissed; sources without one are
        left out."""
        query = (
            select(table.c.source, table.c.detector)
            .where(table.c.tenant == tenant, table.c.ended.is_(None), table.c.state != AlertState.DISMISSED.value)
            .distinct()
        )
        detectors: dict[str, tuple[str, ...]] = {}
        for source, detector in await self._connection.execute(query):
            detectors[source] = (*detectors.get(source, ()), detector)
        return detectors


def _conditions(wanted: AlertFilter) -> Sequence[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [true()]
    for column, values in (
        (table.c.state, wanted.states),
        (table.c.severity, wanted.severities),
        (table.c.status, wanted.statuses),
        (table.c.tool, wanted.tools),
        (table.c.source, wanted.sources),
    ):
        if values:
            conditions.append(column.in_([str(value) for value in values]))
    if wanted.incident is not None:
        conditions.append(table.c.incident == wanted.incident)
    if wanted.holder is not None:
        conditions.append(table.c.holder == wanted.holder)
    if wanted.repeat_of is not None:
        conditions.append(table.c.repeat_of == wanted.repeat_of)
    elif wanted.joined:
        conditions.append(table.c.repeat_of.is_(None))
    if wanted.since is not None:
        conditions.append(table.c.received >= wanted.since)
    if wanted.until is not None:
        conditions.append(table.c.received < wanted.until)
    if wanted.text:
        conditions.append(table.c.search.contains(wanted.text.casefold(), autoescape=True))
    return conditions


def alert_record(row: Row[*tuple[Any, ...]]) -> AlertRecord:
    """The record in a row that has the `RECORD_COLUMNS`."""
    return AlertRecord(
        alert=Alert.model_validate_json(row.content),
        tenant=row.tenant,
        state=AlertState(row.state),
        version=row.version,
        received=row.received,
        updated=row.updated,
        incident=row.incident,
        handled_by=row.handled_by,
        harm=row.harm,
        probability=row.probability,
        holder=row.holder,
        holder_name=row.holder_name,
        held_since=row.held_since,
        repeat_of=row.repeat_of,
        repeats=row.repeats,
    )


def _row(record: AlertRecord) -> dict[str, object]:
    alert = record.alert
    place = alert.place.name if alert.place is not None and alert.place.name else ""
    return {
        "tenant": record.tenant,
        "id": alert.id,
        "tool": alert.tool,
        "detector": alert.detector,
        "source": alert.source,
        "severity": alert.severity.value,
        "status": alert.status.value,
        "revision": alert.revision,
        "state": record.state.value,
        "version": record.version,
        "harm": record.harm,
        "probability": record.probability,
        "received": record.received,
        "updated": record.updated,
        "ended": alert.ended,
        "last_seen": alert.onset,
        "incident": record.incident,
        "handled_by": record.handled_by,
        "search": "\n".join((alert.headline, alert.source, place, alert.description)).casefold(),
        "content": alert.model_dump_json(),
    }
