"""Sharing between organisations: agreements, incidents of others, and what people write in shared ones."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.body import json_body
from impetus.api.listing import Items, Paging, PathId, items_response, one
from impetus.api.resource import Resource
from impetus.api.routes.evidence import EvidenceQuery, Opening, OpeningReason, Sha256, content, opened
from impetus.governance.agreements import AgreementEnd, AgreementStep, NewAgreement
from impetus.model import (
    Agreement,
    AgreementState,
    IncidentMessage,
    PartAction,
    Permission,
    SharedIncident,
    SharedRoom,
    SharingTerms,
    Slug,
    Tenant,
)
from impetus.response.sharing import NewMessage, PartDecided, PartDecision, Preview, ShareState
from impetus.response.sharing.shares import part_actions

agreements = Resource("/agreements", "sharing")
shared_incidents = Resource("/shared-incidents", "sharing")
incident_parts = Resource("/incidents", "sharing")


class AgreementView(BaseModel):
    """An agreement and where it stands now."""

    agreement: Agreement
    state: AgreementState


class PreviewRequest(BaseModel):
    """Terms to try on the last week."""

    model_config = ConfigDict(extra="forbid")

    terms: SharingTerms
    receiver: Slug


class ApprovalRequest(BaseModel):
    """An approval of exactly the version that the person saw."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=1)]


class SharedRoomView(BaseModel):
    """A shared incident, and what may be decided now."""

    room: SharedRoom
    actions: list[PartAction]


class Partner(BaseModel):
    """An organisation that an agreement can be made with."""

    id: Slug
    name: str


def _view(agreement: Agreement, hub: Hub, *, status: int = 200) -> Response:
    return one(AgreementView(agreement=agreement, state=agreement.state(hub.clock.now())), status=status)


@agreements.get("", Permission.SHARING_READ, Items[AgreementView])
async def list_agreements(caller: Caller, hub: Hub, query: Annotated[Paging, Query()]) -> Response:
    """Agreements of the own organisation, newest first."""
    page = await hub.governance.agreements.list(caller, limit=query.limit, after=query.after)
    now = hub.clock.now()
    return items_response([AgreementView(agreement=item, state=item.state(now)) for item in page.items], page.next)


@agreements.post("", Permission.SHARING_DECIDE, AgreementView, body=NewAgreement)
async def propose_agreement(
    caller: Caller, hub: Hub, new: Annotated[NewAgreement, Depends(json_body(NewAgreement))]
) -> Response:
    """Propose an agreement. The own side approves it thereby; nothing crosses before the other side has too."""
    return _view(await hub.governance.agreements.propose(caller, new), hub, status=201)


@agreements.get("/partners", Permission.SHARING_READ, Items[Partner])
async def list_partners(caller: Caller, hub: Hub) -> Response:
    """Organisations that an agreement can be made with, by id."""
    found: list[Tenant] = list(await hub.governance.agreements.partners(caller))
    return items_response([Partner(id=partner.id, name=partner.name) for partner in found])


@agreements.post("/preview", Permission.SHARING_DECIDE, Preview, body=PreviewRequest, status=200)
async def preview_agreement(
    caller: Caller, hub: Hub, wanted: Annotated[PreviewRequest, Depends(json_body(PreviewRequest))]
) -> Response:
    """What of the own incidents of the last week would have crossed under these terms. Nothing is kept."""
    return one(await hub.shares.preview(caller, wanted.terms, wanted.receiver))


@agreements.post("/{id}/approve", Permission.SHARING_DECIDE, AgreementView, body=ApprovalRequest, status=200)
async def approve_agreement(
    caller: Caller, hub: Hub, id: PathId, approval: Annotated[ApprovalRequest, Depends(json_body(ApprovalRequest))]
) -> Response:
    """Approve what the other side proposed; from then on it is in force."""
    return _view(await hub.governance.agreements.approve(caller, id, approval.version), hub)


@agreements.post("/{id}/terms", Permission.SHARING_DECIDE, AgreementView, body=AgreementStep, status=200)
async def amend_agreement(
    caller: Caller, hub: Hub, id: PathId, step: Annotated[AgreementStep, Depends(json_body(AgreementStep))]
) -> Response:
    """Propose other terms for what is not yet in force; the other side's approval is void."""
    return _view(await hub.governance.agreements.amend(caller, id, step), hub)


@agreements.post("/{id}/end", Permission.SHARING_DECIDE, AgreementView, body=AgreementEnd, status=200)
async def end_agreement(
    caller: Caller, hub: Hub, id: PathId, end: Annotated[AgreementEnd, Depends(json_body(AgreementEnd))]
) -> Response:
    """End an agreement at once. What was shared under it is closed to the other side when this answers."""
    return _view(await hub.governance.agreements.end(caller, id, end.reason), hub)


@agreements.get("/{id}", Permission.SHARING_READ, AgreementView)
async def read_agreement(caller: Caller, hub: Hub, id: PathId) -> Response:
    """One agreement of the own organisation."""
    return _view(await hub.governance.agreements.get(caller, id), hub)


@shared_incidents.get("", Permission.INCIDENTS_READ, Items[SharedIncident])
async def list_shared_incidents(caller: Caller, hub: Hub, query: Annotated[Paging, Query()]) -> Response:
    """Incidents of other organisations that are or were shared with the own one, newest first."""
    page = await hub.shares.received(caller, limit=query.limit, after=query.after)
    return items_response(page.items, page.next)


@shared_incidents.post("/{id}/evidence/{sha256}/openings", Permission.EVIDENCE_READ, Opening, body=OpeningReason)
async def open_shared_evidence(
    caller: Caller,
    hub: Hub,
    id: PathId,
    sha256: Sha256,
    wanted: Annotated[OpeningReason, Depends(json_body(OpeningReason))],
) -> Response:
    """Open a piece of evidence of a shared incident, if the agreement lets it cross: the content is checked against its
    hash; the reason is kept in the chains of custody and the audit logs of both sides."""
    return opened(*await hub.shared_evidence.open(caller, id, sha256, wanted.reason))


@shared_incidents.get("/{id}/evidence/{sha256}", Permission.EVIDENCE_READ, media_type="application/octet-stream")
async def read_shared_evidence(
    caller: Caller, hub: Hub, id: PathId, sha256: Sha256, query: Annotated[EvidenceQuery, Query()]
) -> Response:
    """The content of a piece of evidence of a shared incident that the caller opened within the last ten minutes, if it
    still crosses."""
    return content(sha256, await hub.shared_evidence.read(caller, id, sha256, query.opening))


@shared_incidents.post("/{id}/decisions", Permission.INCIDENTS_DECIDE, PartDecided, body=PartDecision)
async def decide_on_shared_incident(
    caller: Caller, hub: Hub, id: PathId, decision: Annotated[PartDecision, Depends(json_body(PartDecision))]
) -> Response:
    """Say what the own organisation does about a shared incident, as the person who asks."""
    return one(await hub.shares.decide(caller, id, decision), status=201)


@shared_incidents.get("/{id}", Permission.INCIDENTS_READ, SharedRoomView)
async def read_shared_incident(caller: Caller, hub: Hub, id: PathId) -> Response:
    """One shared incident as far as the agreement lets it be seen, with the joint timeline. Opening it is in both
    audit logs."""
    room = await hub.shares.room(caller, id)
    actions = part_actions(room.incident.part) if room.incident.ended is None else []
    return one(SharedRoomView(room=room, actions=list(actions)))


@incident_parts.get("/{id}/share", Permission.INCIDENTS_READ, ShareState)
async def read_share(caller: Caller, hub: Hub, id: PathId) -> Response:
    """With whom an own incident is or was shared, and what they decided."""
    return one(await hub.shares.state(caller, id))


@incident_parts.get("/{id}/messages", Permission.INCIDENTS_READ, Items[IncidentMessage])
async def list_messages(caller: Caller, hub: Hub, id: PathId) -> Response:
    """Chat and notes of an own or a shared incident that the own organisation may read, in order of time."""
    return items_response(await hub.shares.conversation.messages(caller, id))


@incident_parts.post("/{id}/messages", Permission.INCIDENTS_DECIDE, IncidentMessage, body=NewMessage)
async def post_message(
    caller: Caller, hub: Hub, id: PathId, message: Annotated[NewMessage, Depends(json_body(NewMessage))]
) -> Response:
    """Write a chat message, or a note marked `ours` or `shared`, into an own or a shared incident."""
    return one(await hub.shares.conversation.post(caller, id, message), status=201)
