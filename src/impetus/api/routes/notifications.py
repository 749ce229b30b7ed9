"""Who is told: channels, duty rosters, escalation chains, climbs under way, and the delivery log."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.body import json_body
from impetus.api.listing import Items, Paging, PathId, PathSlug, items_response, one
from impetus.api.resource import Resource
from impetus.governance import Principal
from impetus.model import Health, Line, Permission, Slug, UtcTime
from impetus.model.notification import Chain, Channel, Escalation, Member, Notification, Roster
from impetus.response.plans import Kept, chains_of, channels_of, rosters_of
from impetus.response.rosters import next_change, on_duty

channels = Resource("/channels", "notification")
rosters = Resource("/rosters", "notification")
chains = Resource("/escalations", "notification")
resource = Resource("/notifications", "notification")

Version = Annotated[int, Field(ge=0, le=2**31 - 1, description="The version that you saw; 0 makes a new one.")]


class Entry(BaseModel):
    """Who changed it last."""

    version: int
    updated: UtcTime
    updated_by: Line


class ChannelEntry(Entry):
    """A channel and how it is doing. Its address is a secret and never shown."""

    channel: Channel
    service: str = Field(description="The kind of service: the scheme of the address.")
    health: Health | None


class RosterEntry(Entry):
    """A roster and who is on duty."""

    roster: Roster
    on_duty: list[Member]
    next_change: UtcTime | None


class ChainEntry(Entry):
    """A chain."""

    chain: Chain


class NewChannel(BaseModel):
    """A channel as it is to be."""

    model_config = ConfigDict(extra="forbid")

    channel: Channel
    version: Version = 0
    address: Annotated[
        str | None,
        Field(min_length=4, max_length=2_000, description="As Apprise writes it; none keeps the present one."),
    ] = None


class NewRoster(BaseModel):
    """A roster as it is to be."""

    model_config = ConfigDict(extra="forbid")

    roster: Roster
    version: Version = 0


class NewChain(BaseModel):
    """A chain as it is to be."""

    model_config = ConfigDict(extra="forbid")

    chain: Chain
    version: Version = 0


class RosterQuery(BaseModel):
    """At which moment."""

    model_config = ConfigDict(extra="forbid")

    at: Annotated[AwareDatetime | None, Field(description="Who is on duty then; now if it is not given.")] = None


class LogQuery(Paging):
    """Which part of the delivery log."""

    channel: Annotated[Slug | None, Field(description="Only messages of this channel.")] = None


@channels.get("", Permission.NOTIFICATIONS_READ, Items[ChannelEntry])
async def list_channels(caller: Caller, hub: Hub) -> Response:
    """The channels of the organisation, by id, and how each is doing."""
    async with hub.store.view() as view:
        found = await channels_of(view, caller.tenant)
    health = await hub.notification.health(caller.tenant)
    entries = []
    for kept, state in zip(found, health, strict=False):
        entries.append(ChannelEntry(channel=kept.plan, service=kept.service, health=state, **_entry(kept)))
    return items_response(entries)


@channels.post("", Permission.NOTIFICATIONS_MANAGE, ChannelEntry, body=NewChannel)
async def put_channel(caller: Caller, hub: Hub, new: Annotated[NewChannel, Depends(json_body(NewChannel))]) -> Response:
    """Make or change a channel."""
    kept = await hub.notification.plans.put_channel(caller, new.channel, version=new.version, address=new.address)
    return one(ChannelEntry(channel=kept.plan, service=kept.service, health=None, **_entry(kept)), status=201)


@channels.post("/{id}/test", Permission.NOTIFICATIONS_MANAGE, Notification, status=202)
async def test_channel(caller: Caller, hub: Hub, id: PathSlug) -> Response:
    """Send a test message through a channel; the delivery log says what became of it."""
    return one(await hub.notification.test_channel(caller, id), status=202)


@channels.delete("/{id}", Permission.NOTIFICATIONS_MANAGE)
async def remove_channel(caller: Caller, hub: Hub, id: PathSlug) -> Response:
    """Remove a channel and its address."""
    await hub.notification.plans.remove(caller, "channel", id)
    return Response(status_code=204)


@rosters.get("", Permission.NOTIFICATIONS_READ, Items[RosterEntry])
async def list_rosters(caller: Caller, hub: Hub, query: Annotated[RosterQuery, Query()]) -> Response:
    """The duty rosters, by id, and who is on duty."""
    moment = query.at or hub.clock.now()
    async with hub.store.view() as view:
        found = await rosters_of(view, caller.tenant)
    return items_response(
        RosterEntry(
            roster=kept.plan,
            on_duty=list(on_duty(kept.plan, moment)),
            next_change=next_change(kept.plan, moment),
            **_entry(kept),
        )
        for kept in found
    )


@rosters.post("", Permission.NOTIFICATIONS_MANAGE, RosterEntry, body=NewRoster)
async def put_roster(caller: Caller, hub: Hub, new: Annotated[NewRoster, Depends(json_body(NewRoster))]) -> Response:
    """Make or change a roster."""
    kept = await hub.notification.plans.put_roster(caller, new.roster, version=new.version)
    now = hub.clock.now()
    return one(
        RosterEntry(
            roster=kept.plan, on_duty=list(on_duty(kept.plan, now)), next_change=next_change(kept.plan, now),
            **_entry(kept),
        ),
        status=201,
    )  # fmt: skip


@rosters.delete("/{id}", Permission.NOTIFICATIONS_MANAGE)
async def remove_roster(caller: Caller, hub: Hub, id: PathSlug) -> Response:
    """Remove a roster that no chain uses."""
    await hub.notification.plans.remove(caller, "roster", id)
    return Response(status_code=204)


@chains.get("", Permission.NOTIFICATIONS_READ, Items[ChainEntry])
async def list_chains(caller: Caller, hub: Hub) -> Response:
    """The escalation chains, by id."""
    async with hub.store.view() as view:
        found = await chains_of(view, caller.tenant)
    return items_response(ChainEntry(chain=kept.plan, **_entry(kept)) for kept in found)


@chains.post("", Permission.NOTIFICATIONS_MANAGE, ChainEntry, body=NewChain)
async def put_chain(caller: Caller, hub: Hub, new: Annotated[NewChain, Depends(json_body(NewChain))]) -> Response:
    """Make or change an escalation chain."""
    kept = await hub.notification.plans.put_chain(caller, new.chain, version=new.version)
    return one(ChainEntry(chain=kept.plan, **_entry(kept)), status=201)


@chains.get("/climbs", Permission.NOTIFICATIONS_READ, Items[Escalation])
async def list_climbs(caller: Caller, hub: Hub, query: Annotated[Paging, Query()]) -> Response:
    """Escalations under way and past ones, begun last first. What they are about is told to those who may read
    alerts."""
    async with hub.store.view() as view:
        page = await view.notification.escalations(caller.tenant, limit=query.limit, after=query.after)
    told = page.items if caller.may(Permission.ALERTS_READ) else [_untold_climb(found) for found in page.items]
    return items_response(told, page.next)


@chains.post("/climbs/{id}/acknowledge", Permission.ALERTS_DECIDE, Escalation)
async def acknowledge_climb(caller: Caller, hub: Hub, id: PathId) -> Response:
    """Take it on, as the person who asks: nobody further is called."""
    return one(await hub.notification.acknowledge(caller, id), status=201)


@chains.delete("/{id}", Permission.NOTIFICATIONS_MANAGE)
async def remove_chain(caller: Caller, hub: Hub, id: PathSlug) -> Response:
    """Remove a chain; its climbs under way end."""
    await hub.notification.plans.remove(caller, "chain", id)
    return Response(status_code=204)


@resource.get("", Permission.NOTIFICATIONS_READ, Items[Notification])
async def list_notifications(caller: Caller, hub: Hub, query: Annotated[LogQuery, Query()]) -> Response:
    """The delivery log, newest first: each message, to whom, by which channel, and what became of it. The text is
    shown to those who may read alerts."""
    async with hub.store.view() as view:
        page = await view.notification.notifications(
            caller.tenant, channel=query.channel, limit=query.limit, after=query.after
        )
    return items_response((_told(found, caller) for found in page.items), page.next)


def _entry(kept: Kept[Any]) -> dict[str, Any]:
    return {"version": kept.version, "updated": kept.updated, "updated_by": kept.updated_by}


def _told(message: Notification, caller: Principal) -> Notification:
    if caller.may(Permission.ALERTS_READ) or message.subject_kind == "test":
        return message
    return message.model_copy(update={"title": "not shown", "body": ""})


def _untold_climb(found: Escalation) -> Escalation:
    subject = found.subject.model_copy(
        update={"headline": "not shown", "description": "", "instruction": "", "place": None}
    )  # fmt: skip
    return found.model_copy(update={"subject": subject})
