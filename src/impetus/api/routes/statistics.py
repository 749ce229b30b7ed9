"""Figures about people that leave the organisation: released with noise, booked against a budget, open to all."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel
from starlette.responses import Response

from impetus.api.access import Caller, Hub, Open
from impetus.api.body import json_body
from impetus.api.listing import Items, one, plain
from impetus.api.resource import Resource
from impetus.model import Permission
from impetus.model.statistics import StatisticsLedger, StatisticsRelease, StatisticsRequest

resource = Resource("/statistics", "statistics")
public = Resource("/public-statistics", "statistics")


class Releases(BaseModel):
    """Releases, newest first, and the ledger."""

    items: list[StatisticsRelease]
    ledger: StatisticsLedger


class PublicReleases(BaseModel):
    """What an organisation released."""

    id: str
    name: str
    releases: list[StatisticsRelease]


@resource.get("/releases", Permission.DATA_PROTECTION_READ, Releases)
async def list_statistics(caller: Caller, hub: Hub) -> Response:
    """What was released, and what is left of the privacy budget."""
    ledger = await hub.statistics.ledger(caller)
    releases = [release.model_dump(mode="json") for release in await hub.statistics.releases(caller)]
    return plain({"items": releases, "ledger": {**ledger.model_dump(), "left": ledger.left}})


@resource.post("/releases", Permission.STATISTICS_RELEASE, StatisticsRelease, body=StatisticsRequest)
async def release_statistics(
    caller: Caller, hub: Hub, wanted: Annotated[StatisticsRequest, Depends(json_body(StatisticsRequest))]
) -> Response:
    """Release figures with noise; the loss is booked. The same figures asked for again are the same release."""
    return one(await hub.statistics.release(caller, wanted), status=201)


@public.get("", Open.PUBLIC, Items[PublicReleases])
async def read_public_statistics(hub: Hub) -> Response:
    """All figures that were released: for anybody, without logging in."""
    return plain({"items": await hub.public_register.statistics(), "next": None})
