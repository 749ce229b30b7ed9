"""Documents of an incident: all that is known of it, as one JSON document for other systems and for reports."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field
from starlette.responses import Response

from impetus import __version__
from impetus.api.access import Caller, Hub
from impetus.api.listing import PathId, part, plain
from impetus.api.resource import Resource
from impetus.governance.audit import append
from impetus.model import EvidenceReference, Identifier, Incident, Line, Permission, Slug, UtcTime
from impetus.model.custody import Custody
from impetus.situation.timeline import TimelineEntry
from impetus.situation.views import AlertView, alert_json

resource = Resource("/incidents", "incidents")

SCHEMA = "impetus.incident-export.v1"


class EvidenceExport(BaseModel):
    """A piece of evidence, the alert that points at it, and its chain of custody. The content is not part of it."""

    alert: Identifier
    evidence: EvidenceReference
    custody: list[Custody]


class IncidentExport(BaseModel):
    """An incident with all that its organisation knows of it and the person who asks may see."""

    schema_name: Annotated[Literal["impetus.incident-export.v1"], Field(alias="schema")]
    generated: UtcTime
    generated_by: Line
    generator: Line
    """Program and version."""
    tenant: Slug
    organisation: Line
    incident: Incident
    participants: list[Line]
    """Who decided or noted something, in order of their first decision."""
    alerts: list[AlertView]
    """Empty for those who may not read alerts."""
    timeline: list[TimelineEntry]
    """All that happened, in order."""
    evidence: list[EvidenceExport]
    """Empty for those who may not read evidence."""


@resource.get("/{id}/export", Permission.INCIDENTS_READ, IncidentExport)
async def export_incident(caller: Caller, hub: Hub, id: PathId) -> Response:
    """One incident as a document of its own, marked in the audit log."""
    room = await hub.situation.incidents.get(caller.tenant, id)
    alerts = room.alerts if Permission.ALERTS_READ in caller.permissions else ()
    references = [
        (record.alert.id, one)
        for record in (alerts if Permission.EVIDENCE_READ in caller.permissions else ())
        for one in record.alert.evidence
    ]
    async with hub.store.view() as view:
        organisation = await view.organisations.find(caller.tenant)
        chains = {one.sha256: await view.custody.chain(caller.tenant, one.sha256) for _, one in references}
    people = [entry.decision.person_name for entry in room.timeline if entry.decision is not None]
    now = hub.clock.now()
    async with hub.store.transaction() as transaction:
        await append(
            transaction,
            tenant=caller.tenant,
            time=now,
            actor=caller.actor,
            action="incident.export",
            subject=f"incident:{id}",
            detail={"version": room.incident.version, "alerts": len(alerts)},
        )
    return plain(
        {
            "schema": SCHEMA,
            "generated": now,
            "generated_by": caller.name,
            "generator": f"impetus {__version__}",
            "tenant": caller.tenant,
            "organisation": caller.tenant if organisation is None else organisation.name,
            "incident": part(room.incident),
            "participants": list(dict.fromkeys(people)),
            "alerts": [part(alert_json(record)) for record in alerts],
            "timeline": [part(entry) for entry in room.timeline],
            "evidence": [
                {"alert": alert, "evidence": part(one), "custody": [part(entry) for entry in chains[one.sha256]]}
                for alert, one in references
            ],
        }
    )
