"""What tools publish beside alerts, and what people ask tools for."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Query
from pydantic import Field
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.body import json_body
from impetus.api.listing import Items, Paging, PathId, PathSlug, items_response, one
from impetus.api.resource import Resource
from impetus.model import Identifier, Permission, RequestState, Slug, ToolResult
from impetus.situation.asking import NewRequest, RequestView, request_view

results = Resource("/tools/{tool}/results", "tools")
requests = Resource("/tools/{tool}/requests", "tools")
of_incident = Resource("/incidents", "tools")


class Holding(StrEnum):
    """Whether results still hold."""

    CURRENT = "current"
    ENDED = "ended"
    ALL = "all"


class ResultQuery(Paging):
    """Which results to list."""

    kind: Annotated[Slug | None, Field(description="One of the kinds that the tool's manifest declares.")] = None
    incident: Annotated[Identifier | None, Field(description="Only those about this incident.")] = None
    holding: Annotated[Holding, Field(description="Those that still hold, those that ended, or all.")] = Holding.CURRENT


class RequestQuery(Paging):
    """Which requests to list."""

    task: Annotated[Slug | None, Field(description="One of the tasks that the tool's manifest declares.")] = None
    state: RequestState | None = None


ENDED = {Holding.CURRENT: False, Holding.ENDED: True, Holding.ALL: None}


@results.get("", Permission.RESULTS_READ, Items[ToolResult])
async def list_results(caller: Caller, hub: Hub, tool: PathSlug, query: Annotated[ResultQuery, Query()]) -> Response:
    """What a tool published, newest first: of the kinds that are for the caller's role. A page that would be too large
    ends early."""
    page = await hub.results.list(
        caller,
        tool,
        kind=query.kind,
        incident=query.incident,
        ended=ENDED[query.holding],
        limit=query.limit,
        after=query.after,
    )
    return items_response(page.items, page.next)


@results.get("/{id}", Permission.RESULTS_READ, ToolResult)
async def read_result(caller: Caller, hub: Hub, tool: PathSlug, id: PathId) -> Response:
    """One result, its newest revision."""
    return one(await hub.results.get(caller, tool, id))


@of_incident.get("/{id}/results", Permission.RESULTS_READ, Items[ToolResult])
async def list_incident_results(caller: Caller, hub: Hub, id: PathId, query: Annotated[Paging, Query()]) -> Response:
    """What all tools published about an incident, newest first: of the kinds that are for the caller's role."""
    page = await hub.results.of_incident(caller, id, limit=query.limit, after=query.after)
    return items_response(page.items, page.next)


@requests.get("", Permission.RESULTS_READ, Items[RequestView])
async def list_requests(caller: Caller, hub: Hub, tool: PathSlug, query: Annotated[RequestQuery, Query()]) -> Response:
    """What a tool was asked for, asked last first: of the tasks that the caller's role may ask for; of tasks about
    people's own data only what the caller asked."""
    page = await hub.requests.list(
        caller, tool, task=query.task, state=query.state, limit=query.limit, after=query.after
    )
    return items_response([request_view(record) for record in page.items], page.next)


@requests.post("", Permission.TOOLS_ASK, RequestView, body=NewRequest, status=202)
async def ask_tool(
    caller: Caller, hub: Hub, tool: PathSlug, wanted: Annotated[NewRequest, Depends(json_body(NewRequest))]
) -> Response:
    """Ask a tool for one of its tasks. It is on disk when this answers, and done later: see its `state`, or follow the
    event stream's topic `results`."""
    return one(request_view(await hub.requests.ask(caller, tool, wanted)), status=202)


@requests.get("/{id}", Permission.RESULTS_READ, RequestView)
async def read_request(caller: Caller, hub: Hub, tool: PathSlug, id: PathId) -> Response:
    """One request: asked, done or failed, and what the tool says."""
    return one(request_view(await hub.requests.get(caller, tool, id)))
