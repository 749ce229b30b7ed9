"""Evidence: what an alert points at."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.resource import Resource
from impetus.model import Permission

resource = Resource("/evidence", "evidence")

SAFE_MEDIA: dict[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
}
"""Beginnings of files that a browser may show; anything else is only ever downloaded."""


@resource.get("/{sha256}", Permission.EVIDENCE_READ, media_type="application/octet-stream")
async def read_evidence(
    caller: Caller, hub: Hub, sha256: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", max_length=64)]
) -> Response:
    """One piece of evidence by the SHA-256 of its content."""
    data = await hub.evidence.get(caller.tenant, sha256)
    media_type = next((kind for magic, kind in SAFE_MEDIA.items() if data.startswith(magic)), None)
    disposition = "inline" if media_type is not None else "attachment"
    return Response(
        data,
        media_type=media_type or "application/octet-stream",
        headers={"Content-Disposition": f'{disposition}; filename="{sha256}"'},
    )
