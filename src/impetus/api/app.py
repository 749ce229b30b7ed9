"""The HTTP interface as one application."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from impetus import __version__
from impetus.api.access import Open
from impetus.api.exit import ExitFilter
from impetus.api.problem import JsonResponse, add_error_handlers
from impetus.api.resource import PREFIX, Resource, add_resources, check_declared
from impetus.api.routes import (
    alerts,
    audit,
    cap,
    correlation,
    dashboards,
    data_protection,
    datastreams,
    evidence,
    exercise,
    incident_documents,
    incidents,
    notifications,
    organisations,
    oversight,
    own,
    passkeys,
    procedures,
    scenarios,
    second_factor,
    session,
    sharing,
    shift,
    statistics,
    stream,
    system,
    taxii,
    tokens,
    tool_results,
    users,
)
from impetus.api.routes import map as city_map
from impetus.api.services import Services
from impetus.api.transport import Transport
from impetus.connectors.cap import SIZE_LIMIT_BYTES as CAP_LIMIT_BYTES

RESOURCES = (
    system.health,
    session.resource,
    passkeys.resource,
    second_factor.resource,
    cap.of_alert,
    alerts.resource,
    alerts.decisions,
    shift.resource,
    shift.handovers,
    # Its addresses begin like those of the incidents and are longer, so they come first.
    sharing.incident_parts,
    procedures.of_incident,
    incident_documents.resource,
    tool_results.of_incident,
    cap.of_incident,
    incidents.resource,
    cap.resource,
    procedures.resource,
    procedures.runs,
    procedures.tasks,
    sharing.agreements,
    sharing.shared_incidents,
    notifications.channels,
    notifications.rosters,
    notifications.chains,
    notifications.resource,
    datastreams.resource,
    datastreams.observations,
    tool_results.results,
    tool_results.requests,
    own.resource,
    exercise.resource,
    scenarios.resource,
    taxii.resource,
    correlation.of_tool,
    correlation.resource,
    system.tools,
    system.status,
    system.dead_letters,
    audit.resource,
    data_protection.register,
    oversight.persons,
    data_protection.cases,
    data_protection.public,
    oversight.oversight,
    oversight.access,
    statistics.resource,
    statistics.public,
    users.resource,
    tokens.resource,
    organisations.resource,
    evidence.resource,
    dashboards.resource,
    city_map.resource,
    stream.resource,
)


def create_api(services: Services, **options: Any) -> FastAPI:
    """The application with all routes of the API; pages may be added to it.

    The background tasks are not its business: enclose it in `impetus.api.running(services)`. `options` go to FastAPI.
    Raises `ConfigurationError` if a route does not declare who may call it.
    """
    app = FastAPI(
        title="impetus",
        version=__version__,
        summary="Keeps a city's public spaces safe without giving up its citizens' rights.",
        # The pages of FastAPI load their scripts from elsewhere; the description itself is a route of ours below.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        **options,
    )
    app.state.services = services
    description = Resource("/openapi.json", "system")

    @description.get("", Open.PUBLIC)
    async def read_openapi() -> JsonResponse:
        """This description (OpenAPI)."""
        return JsonResponse(app.openapi())

    add_resources(app, (*RESOURCES, description))
    add_error_handlers(app)
    app.add_middleware(ExitFilter)
    app.add_middleware(
        Transport,
        limit_bytes=services.settings.body_limit_bytes,
        limits={
            f"{PREFIX}/observations": services.settings.observations_limit_bytes,
            f"{PREFIX}/cap": CAP_LIMIT_BYTES,
        },
    )
    check_declared(app.routes)
    return app
