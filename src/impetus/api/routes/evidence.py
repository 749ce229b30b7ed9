"""Evidence: what an alert points at. Opening it asks for a reason, and who opened it stays known."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.body import json_body
from impetus.api.listing import Items, items_response, plain
from impetus.api.resource import Resource
from impetus.governance.custody import OPENING_LASTS
from impetus.model import Identifier, Permission, UtcTime
from impetus.model.custody import Custody

resource = Resource("/evidence", "evidence")

SAFE_MEDIA: dict[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
}
"""Beginnings of files that a browser may show; anything else is only ever downloaded."""

Sha256 = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", max_length=64, description="SHA-256 of the content.")]


class EvidenceQuery(BaseModel):
    """What was opened."""

    model_config = ConfigDict(extra="forbid")

    opening: Annotated[str | None, Field(max_length=128, description="`opening.id` of the caller's own opening.")] = (
        None
    )


class OpeningReason(BaseModel):
    """Why evidence is opened."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, StringConstraints(min_length=3, max_length=2_000, strip_whitespace=True)]


class NewOpening(OpeningReason):
    """Why own evidence is opened, and where."""

    incident: Identifier | None = None
    """The incident in whose room it is opened."""
    unmask: bool = False
    """Show the people in it: for those entitled, once its alert is confirmed, or after breaking the glass."""


class Opening(BaseModel):
    """Evidence was opened and found to be what it was."""

    opening: Custody
    expires: UtcTime
    """Until then the content can be fetched with this opening."""
    media_type: str
    """What the content is, told from the content itself."""
    size_bytes: int


@resource.post("/{sha256}/openings", Permission.EVIDENCE_READ, Opening, body=NewOpening)
async def open_evidence(
    caller: Caller, hub: Hub, sha256: Sha256, wanted: Annotated[NewOpening, Depends(json_body(NewOpening))]
) -> Response:
    """Open a piece of evidence: the content is checked against its hash; the reason is kept in its chain of custody
    and in the audit log."""
    return opened(*await hub.custody.open(caller, sha256, wanted.reason, wanted.incident, unmask=wanted.unmask))


@resource.get("/{sha256}/custody", Permission.EVIDENCE_READ, Items[Custody])
async def read_custody(caller: Caller, hub: Hub, sha256: Sha256) -> Response:
    """The chain of custody: who opened this evidence, when and why, in order."""
    return items_response(await hub.custody.chain(caller, sha256))


@resource.get("/{sha256}", Permission.EVIDENCE_READ, media_type="application/octet-stream")
async def read_evidence(caller: Caller, hub: Hub, sha256: Sha256, query: Annotated[EvidenceQuery, Query()]) -> Response:
    """The content of a piece of evidence that the caller opened within the last ten minutes."""
    return content(sha256, await hub.custody.read(caller, sha256, query.opening))


def opened(entry: Custody, data: bytes) -> Response:
    """Tells of an opening."""
    return plain(
        {
            "opening": entry.model_dump(mode="json"),
            "expires": entry.time + OPENING_LASTS,
            "media_type": _media_type(data),
            "size_bytes": len(data),
        },
        status=201,
    )


def content(sha256: str, data: bytes) -> Response:
    """Hands evidence out: shown only if it is a picture, and never kept by a browser."""
    media_type = _media_type(data)
    disposition = "attachment" if media_type == "application/octet-stream" else "inline"
    return Response(
        data,
        media_type=media_type,
        headers={"Content-Disposition": f'{disposition}; filename="{sha256}"', "Cache-Control": "no-store"},
    )


def _media_type(data: bytes) -> str:
    return next((kind for magic, kind in SAFE_MEDIA.items() if data.startswith(magic)), "application/octet-stream")
