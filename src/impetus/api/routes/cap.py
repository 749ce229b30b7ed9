"""CAP 1.2 in and out, for other houses' systems."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.listing import PathId, plain
from impetus.api.resource import Resource
from impetus.api.routes.alerts import Accepted
from impetus.connectors.cap import MEDIA_TYPE
from impetus.model import Permission

of_alert = Resource("/alerts", "alerts")
of_incident = Resource("/incidents", "incidents")
resource = Resource("/cap", "cap")

_XML = frozenset({MEDIA_TYPE, "application/xml", "text/xml"})


@of_alert.get("/{id}/cap", Permission.ALERTS_READ, media_type=MEDIA_TYPE)
async def read_alert_as_cap(caller: Caller, hub: Hub, id: PathId) -> Response:
    """The alert as a CAP 1.2 message. The first one is an Alert; when the alert has changed since the last one, an
    Update that names those before; a Cancel when it was dismissed. Reasons and evidence stay here."""
    return _xml(await hub.cap.alert(caller.tenant, id))


@of_incident.get("/{id}/cap", Permission.INCIDENTS_READ, media_type=MEDIA_TYPE)
async def read_incident_as_cap(caller: Caller, hub: Hub, id: PathId) -> Response:
    """The incident as a CAP 1.2 message; a Cancel once it is closed."""
    return _xml(await hub.cap.incident(caller.tenant, id))


@resource.post("", Permission.ALERTS_WRITE, Accepted, status=202)
async def send_cap(caller: Caller, hub: Hub, request: Request) -> Response:
    """Send one CAP 1.2 message (application/cap+xml); it becomes an alert in the queue, and its updates bring that
    alert up to date. What is wrong is named field by field. Sending it again is harmless."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _XML:
        raise HTTPException(415, f"The body must be CAP and say so: Content-Type: {MEDIA_TYPE}.")
    id = await hub.cap.take_in(caller, await request.body(), hub.situation.alerts.check)
    return plain({"id": id}, status=202)


def _xml(content: bytes) -> Response:
    return Response(content, media_type=MEDIA_TYPE)
