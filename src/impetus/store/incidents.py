"""Incidents of an organisation, and the decisions on alerts and incidents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import Assessment, Incident, IncidentState, NotFound, to_microseconds
from impetus.store.database import changed_rows, insert_if_absent
from impetus.store.paging import bounded, read_cursor, write_cursor
from impetus.store.records import IncidentFilter, Page, VersionConflict
from impetus.store.tables import Moment
from impetus.store.tables import alert as alert_table
from impetus.store.tables import assessment as assessment_table
from impetus.store.tables import incident as table

EVERY_INCIDENT: Final = IncidentFilter()


class IncidentRepository:
    """Incidents. Which alerts belong to one is kept with the alerts (`AlertRepository.change(incident=...)`), so that
    the two can never contradict each other: `Incident.alerts` is filled in when read and ignored when written."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find(self, tenant: str, id: str) -> Incident | None:
        """The incident, if this organisation has it."""
        query = select(table.c.content).where(table.c.tenant == tenant, table.c.id == id)
        content = (await self._connection.execute(query)).scalar_one_or_none()
        if content is None:
            return None
        return (await self._with_alerts(tenant, [Incident.model_validate_json(content)]))[0]

    async def get(self, tenant: str, id: str) -> Incident:
        """The incident. Raises `NotFound`, also when another organisation has it."""
        incident = await self.find(tenant, id)
        if incident is None:
            raise NotFound(f"there is no incident {id}", hint="It may belong to another organisation.")
        return incident

    async def list(
        self, tenant: str, wanted: IncidentFilter = EVERY_INCIDENT, *, limit: int = 100, after: str | None = None
    ) -> Page[Incident]:
        """A page of incidents, opened last first. Raises `InvalidInput`."""
        limit = bounded(limit)
        query = select(table.c.content).where(table.c.tenant == tenant)
        if wanted.states:
            query = query.where(table.c.state.in_([state.value for state in wanted.states]))
        if wanted.text:
            query = query.where(table.c.search.contains(wanted.text.casefold(), autoescape=True))
        if after is not None:
            value, id = read_cursor("opened", after)
            query = query.where(tuple_(table.c.opened, table.c.id) < tuple_(_moment(value), id))
        query = query.order_by(table.c.opened.desc(), table.c.id.desc()).limit(limit + 1)
        incidents = [Incident.model_validate_json(row.content) for row in await self._connection.execute(query)]
        following = None
        if len(incidents) > limit:
            last = incidents[limit - 1]
            following = write_cursor("opened", to_microseconds(last.opened), last.id)
        return Page(tuple(await self._with_alerts(tenant, incidents[:limit])), following)

    async def add(self, incident: Incident, *, handled_by: str | None = None) -> bool:
        """Keep a new incident; false if its id is there already, which is then left alone."""
        row = _row(incident) | {"handled_by": handled_by}
        statement = insert_if_absent(self._connection, table).values(row)
        return await changed_rows(self._connection, statement) == 1

    async def change(self, incident: Incident, *, expected_version: int, handled_by: str) -> Incident:
        """Replace an incident that has `expected_version`; afterwards it has the next one, whatever `incident` says.

        Raises `NotFound`, and `VersionConflict` when somebody else changed it first.
        """
        changed = incident.model_copy(update={"version": expected_version + 1})
        statement = (
            update(table)
            .where(table.c.tenant == incident.tenant, table.c.id == incident.id, table.c.version == expected_version)
            .values(_row(changed) | {"handled_by": handled_by})
        )
        rows = await changed_rows(self._connection, statement)
        now = await self.get(incident.tenant, incident.id)
        if not rows:
            person = await self._handled_by(incident.tenant, incident.id)
            raise VersionConflict(
                f"{person or 'somebody'} changed this incident first: it is {now.state.value} now",
                state=now.state.value,
                version=now.version,
                handled_by=person,
            )
        return now

    async def merged_into(self, tenant: str, id: str) -> Sequence[Incident]:
        """The incidents that were merged into this one, opened first first."""
        query = (
            select(table.c.content)
            .where(table.c.tenant == tenant, table.c.merged_into == id)
            .order_by(table.c.opened, table.c.id)
        )
        return [Incident.model_validate_json(row.content) for row in await self._connection.execute(query)]

    async def refresh(self, incident: Incident) -> bool:
        """Write what the system itself says of an incident: the version stays, so that nobody's decision meets a
        conflict because of it. False if somebody decided since `incident.version`; then nothing is written."""
        statement = (
            update(table)
            .where(
                table.c.tenant == incident.tenant,
                table.c.id == incident.id,
                table.c.version == incident.version,
            )
            .values(_row(incident))
        )
        return await changed_rows(self._connection, statement) == 1

    async def counts(self, tenant: str) -> Mapping[IncidentState, int]:
        """How many incidents are in each state; every state is there."""
        query = select(table.c.state, func.count()).where(table.c.tenant == tenant).group_by(table.c.state)
        found = {IncidentState(state): count for state, count in await self._connection.execute(query)}
        return {state: found.get(state, 0) for state in IncidentState}

    async def _handled_by(self, tenant: str, id: str) -> str | None:
        query = select(table.c.handled_by).where(table.c.tenant == tenant, table.c.id == id)
        name: str | None = (await self._connection.execute(query)).scalar_one()
        return name

    async def _with_alerts(self, tenant: str, incidents: Sequence[Incident]) -> Sequence[Incident]:
        if not incidents:
            return incidents
        query = (
            select(alert_table.c.incident, alert_table.c.id)
            .where(alert_table.c.tenant == tenant, alert_table.c.incident.in_([incident.id for incident in incidents]))
            .order_by(alert_table.c.received, alert_table.c.id)
        )
        alerts: dict[str, list[str]] = {}
        for incident, alert in await self._connection.execute(query):
            alerts.setdefault(incident, []).append(alert)
        return [incident.model_copy(update={"alerts": tuple(alerts.get(incident.id, ()))}) for incident in incidents]


class AssessmentRepository:
    """Decisions: added once, never changed."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, assessment: Assessment) -> bool:
        """Keep a decision; false if this id is there already, which is then left alone."""
        statement = insert_if_absent(self._connection, assessment_table).values(
            tenant=assessment.tenant,
            id=assessment.id,
            subject_kind=assessment.subject_kind.value,
            subject=assessment.subject,
            decided=assessment.decided,
            content=assessment.model_dump_json(),
        )
        return await changed_rows(self._connection, statement) == 1

    async def find(self, tenant: str, id: str) -> Assessment | None:
        """The decision with this id, if there is one: then it was replayed."""
        query = select(assessment_table.c.content).where(
            assessment_table.c.tenant == tenant, assessment_table.c.id == id
        )
        content = (await self._connection.execute(query)).scalar_one_or_none()
        return None if content is None else Assessment.model_validate_json(content)

    async def history(self, tenant: str, subject: str) -> Sequence[Assessment]:
        """All decisions on one alert or incident, in the order in which they were made."""
        query = select(assessment_table.c.content).where(
            assessment_table.c.tenant == tenant, assessment_table.c.subject == subject
        )
        found = [Assessment.model_validate_json(row.content) for row in await self._connection.execute(query)]
        # Versions, not times, tell the order: a clock may jump.
        return sorted(found, key=lambda assessment: (assessment.version, assessment.decided, assessment.id))

    async def list(
        self,
        tenant: str,
        *,
        subject: str | None = None,
        since: datetime | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Page[Assessment]:
        """A page of decisions, newest first. Raises `InvalidInput`."""
        limit = bounded(limit)
        decided, id = assessment_table.c.decided, assessment_table.c.id
        query = select(assessment_table.c.content).where(assessment_table.c.tenant == tenant)
        if subject is not None:
            query = query.where(assessment_table.c.subject == subject)
        if since is not None:
            query = query.where(decided >= since)
        if after is not None:
            value, last_id = read_cursor("decided", after)
            query = query.where(tuple_(decided, id) < tuple_(_moment(value), last_id))
        query = query.order_by(decided.desc(), id.desc()).limit(limit + 1)
        found = [Assessment.model_validate_json(row.content) for row in await self._connection.execute(query)]
        following = None
        if len(found) > limit:
            last = found[limit - 1]
            following = write_cursor("decided", to_microseconds(last.decided), last.id)
        return Page(tuple(found[:limit]), following)


def _moment(microseconds: float) -> Any:
    return bindparam("key", int(microseconds), Moment.impl)


def _row(incident: Incident) -> dict[str, object]:
    return {
        "tenant": incident.tenant,
        "id": incident.id,
        "state": incident.state.value,
        "version": incident.version,
        "opened": incident.opened,
        "updated": incident.updated,
        "merged_into": incident.merged_into,
        "search": f"{incident.title}\n{incident.summary}".casefold(),
        "content": incident.model_copy(update={"alerts": ()}).model_dump_json(),
    }
