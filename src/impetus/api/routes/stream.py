"""The live stream: server-sent events with resume."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Header, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from impetus.api.access import Caller, Hub, Open, still_welcome
from impetus.api.broadcast import TOPIC_PERMISSION, Client, Topic, frames
from impetus.api.resource import Resource
from impetus.api.services import Services
from impetus.governance.principal import Principal
from impetus.model import InvalidInput

resource = Resource("/stream", "stream")

LAST_SEQUENCE = 2**63 - 1


class StreamQuery(BaseModel):
    """What to listen to, and from where on."""

    model_config = ConfigDict(extra="forbid")

    topics: Annotated[
        str,
        Field(
            max_length=200,
            description="`alerts`, `incidents`, `readings`, `health`, `tasks`, `sharing`, `results`, `shift`: which.",
        ),
    ] = "alerts,incidents"
    after: Annotated[
        int | None,
        Field(ge=0, le=LAST_SEQUENCE, description="Begin after this sequence; the header Last-Event-ID goes before."),
    ] = None
    last_event_id: Annotated[
        int | None, Field(ge=0, le=LAST_SEQUENCE, description="The same, for clients that cannot set a header.")
    ] = None


@resource.get("", Open.AUTHENTICATED, media_type="text/event-stream")
async def stream(
    caller: Caller,
    hub: Hub,
    request: Request,
    query: Annotated[StreamQuery, Query()],
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> Response:
    """Events as they happen: `alert`, `incident`, `assessment`, `shared-incident` (another organisation's, as far as
    it is shared), `incident-share`, `incident-message`, `task`, `procedure`, `readings`, `health`, `agreement`,
    `handover`, `result` and `request` (that a tool published something or did what it was asked for, not what it says),
    and `reset` when the client has missed something and must load the present state. Each topic needs the
    permission to read what it tells of."""
    topics = _topics(query.topics)
    for topic in topics:
        caller.require(TOPIC_PERMISSION[topic])
    client = hub.broadcaster.attach(caller.tenant, topics, _after(last_event_id, query))
    return StreamingResponse(
        _serve(hub, request, caller, client),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _topics(text: str) -> frozenset[Topic]:
    try:
        topics = frozenset(Topic(word.strip()) for word in text.split(",") if word.strip())
    except ValueError:
        topics = frozenset()
    if not topics:
        raise InvalidInput(
            "'topics' names something else.", hint=f"Topics: {', '.join(topic.value for topic in Topic)}."
        )
    return topics


def _after(last_event_id: str | None, query: StreamQuery) -> int | None:
    # What a proxy or an old page sends there may be anything; then the client is told to reload.
    if last_event_id:
        return int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() else LAST_SEQUENCE
    return query.after if query.last_event_id is None else query.last_event_id


async def _serve(hub: Services, request: Request, caller: Principal, client: Client) -> AsyncIterator[bytes]:
    settings = hub.settings.stream
    needed = [TOPIC_PERMISSION[topic] for topic in client.topics]
    loop = asyncio.get_running_loop()
    checked_s = loop.time()
    try:
        async for piece in frames(
            client, lambda: hub.broadcaster.position, settings.ping_interval_s, settings.check_interval_s
        ):
            if piece:
                yield piece
            if loop.time() - checked_s >= settings.check_interval_s:
                checked_s = loop.time()
                if not await still_welcome(request, caller, needed):
                    return
    finally:
        hub.broadcaster.detach(client)
