"""What a tool knows of the person who asks, by that person's consent; and what others share of theirs."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.body import json_body
from impetus.api.listing import Items, PathSlug, items_response, one
from impetus.api.resource import Resource
from impetus.model import Permission
from impetus.sdk import Consent, OwnEntry, OwnView
from impetus.situation.own import NewConsent, NewEntry, SharedDocument

resource = Resource("/tools/{tool}/own", "tools")


@resource.get("", Permission.TOOLS_ASK, OwnView)
async def read_own(caller: Caller, hub: Hub, tool: PathSlug) -> Response:
    """All that a tool has of the caller: the consent, what they said, what it worked out. Also the copy to take
    along."""
    return one(await hub.own.view(caller, tool), headers={"Cache-Control": "no-store"})


@resource.put("", Permission.TOOLS_ASK, Consent, body=NewConsent)
async def give_consent(
    caller: Caller, hub: Hub, tool: PathSlug, wanted: Annotated[NewConsent, Depends(json_body(NewConsent))]
) -> Response:
    """Consent to what a tool does with one's own data, for a shift; or renew or change that consent."""
    return one(await hub.own.consent(caller, tool, wanted))


@resource.delete("", Permission.TOOLS_ASK)
async def withdraw_consent(caller: Caller, hub: Hub, tool: PathSlug) -> Response:
    """Withdraw consent: everything that the tool has of the caller is gone from the disk when this answers."""
    await hub.own.withdraw(caller, tool)
    return Response(status_code=204)


@resource.post("/entries", Permission.TOOLS_ASK, OwnEntry, body=NewEntry)
async def say_to_tool(
    caller: Caller, hub: Hub, tool: PathSlug, entry: Annotated[NewEntry, Depends(json_body(NewEntry))]
) -> Response:
    """Tell a tool something for oneself, for example how much the work asks of one."""
    return one(await hub.own.say(caller, tool, entry), status=201)


@resource.get("/shared", Permission.RESULTS_READ, Items[SharedDocument])
async def list_shared(caller: Caller, hub: Hub, tool: PathSlug) -> Response:
    """What people share of their own with the caller's role. That somebody looked is written down."""
    return items_response(await hub.own.shared(caller, tool))
