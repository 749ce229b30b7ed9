"""The scenarios of exercises: those that are shipped, and those that an organisation writes for itself."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.body import json_body
from impetus.api.listing import Items, PathSlug, items_response, one
from impetus.api.resource import Resource
from impetus.api.services import Services
from impetus.exercise.checking import Checked, ScenarioText
from impetus.exercise.library import Library, Listed, Text
from impetus.governance import Principal
from impetus.governance.audit import append
from impetus.model import Permission, Slug

resource = Resource("/scenarios", "exercise")


class NewCheck(BaseModel):
    """A text to check."""

    model_config = ConfigDict(extra="forbid")

    base: Slug
    """The scenario whose data files it uses."""
    text: ScenarioText


class NewScenario(NewCheck):
    """A text to keep, under the `id` that stands in it."""

    known: Annotated[str, Field(max_length=64)] = ""
    """Hash of the text that was opened: one that somebody else changed meanwhile is not written over."""


@resource.get("", Permission.ALERTS_ASSIGN, Items[Listed])
async def list_scenarios(caller: Caller, hub: Hub) -> Response:
    """All scenarios that can be played, the organisation's own first."""
    return items_response(await asyncio.to_thread(_library(hub).list, caller.tenant))


@resource.post("/check", Permission.ALERTS_ASSIGN, Checked, body=NewCheck, status=200)
async def check_scenario(caller: Caller, hub: Hub, new: Annotated[NewCheck, Depends(json_body(NewCheck))]) -> Response:
    """Check a scenario: every problem with its line, and the timeline. Nothing is kept."""
    return one(await asyncio.to_thread(_library(hub).check, caller.tenant, new.base, new.text))


@resource.get("/{id}", Permission.ALERTS_ASSIGN, Text)
async def read_scenario(caller: Caller, hub: Hub, id: PathSlug) -> Response:
    """One scenario as it is written, and what a check finds in it."""
    return one(await asyncio.to_thread(_library(hub).get, caller.tenant, id))


@resource.post("", Permission.ALERTS_ASSIGN, Text, body=NewScenario)
async def save_scenario(
    caller: Caller, hub: Hub, new: Annotated[NewScenario, Depends(json_body(NewScenario))]
) -> Response:
    """Keep a scenario as the organisation's own: a new one, or in place of the one that was opened."""
    kept = await asyncio.to_thread(_library(hub).save, caller.tenant, new.base, new.text, new.known)
    await _audit(hub, caller, "scenario.save", kept.id, hash=kept.hash)
    return one(kept, status=201)


@resource.delete("/{id}", Permission.ALERTS_ASSIGN)
async def remove_scenario(caller: Caller, hub: Hub, id: PathSlug) -> Response:
    """Remove one of the organisation's own scenarios."""
    await asyncio.to_thread(_library(hub).remove, caller.tenant, id)
    await _audit(hub, caller, "scenario.remove", id)
    return Response(status_code=204)


def _library(hub: Services) -> Library:
    return Library(hub.home, list(hub.tools))


async def _audit(hub: Services, caller: Principal, action: str, id: str, **detail: str) -> None:
    async with hub.store.transaction() as transaction:
        await append(
            transaction,
            tenant=caller.tenant,
            time=hub.clock.now(),
            actor=caller.actor,
            action=action,
            subject=f"scenario:{id}",
            detail=dict(detail),
        )
