"""A read-only TAXII 2.1 server (OASIS Standard, 2021) of what tools publish as STIX: an API root each organisation."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.listing import PathId, PathSlug
from impetus.api.resource import PREFIX, Resource
from impetus.api.services import Services
from impetus.model import InvalidInput, NotFound, Permission
from impetus.response.sharing.intelligence import AddedObject, Collection, SharedIntelligence

MEDIA_TYPE = "application/taxii+json;version=2.1"
STIX_MEDIA_TYPE = "application/stix+json;version=2.1"
CONTENT_LIMIT_BYTES = 10_000_000

resource = Resource("/taxii2", "taxii")


class ObjectQuery(BaseModel):
    """Which objects (TAXII 2.1, section 3.4)."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    added_after: Annotated[AwareDatetime | None, Field(description="Only those added after this moment.")] = None
    limit: Annotated[int, Field(ge=1, description="Objects on one page.")] = 100
    next: Annotated[str | None, Field(max_length=20, description="The `next` of the page before.")] = None
    ids: Annotated[str | None, Field(alias="match[id]", max_length=4_000)] = None
    types: Annotated[str | None, Field(alias="match[type]", max_length=1_000)] = None
    versions: Annotated[str | None, Field(alias="match[version]", max_length=200)] = None
    spec_versions: Annotated[str | None, Field(alias="match[spec_version]", max_length=100)] = None


# An identifier may hold slashes, so the longer addresses come first.


@resource.get("/", Permission.RESULTS_READ, media_type=MEDIA_TYPE)
async def discover(caller: Caller, hub: Hub, request: Request) -> Response:
    """Discovery: the API roots that the caller may read, one for each organisation; the own one is the default."""
    givers = await _intelligence(hub).givers(caller)
    base = str(request.base_url).rstrip("/") + f"{PREFIX}/taxii2"
    roots = [f"{base}/{giver}/" for giver in givers]
    return _answer(
        {
            "title": "impetus",
            "description": "Threat intelligence that people promoted",
            "default": roots[0],
            "api_roots": roots,
        }
    )


@resource.get("/{giver}/collections/{id}/objects/{stix_object}/", Permission.RESULTS_READ, media_type=MEDIA_TYPE)
async def read_object(caller: Caller, hub: Hub, giver: PathSlug, id: PathId, stix_object: PathId) -> Response:
    """One object of a collection."""
    found = [one for one in await _intelligence(hub).objects(caller, giver, id) if one.content["id"] == stix_object]
    if not found:
        raise NotFound(f"there is no object {stix_object}", hint="Its marking may not let it go to you.")
    return _answer({"objects": [dict(found[0].content)]}, found)


@resource.get("/{giver}/collections/{id}/objects/", Permission.RESULTS_READ, media_type=MEDIA_TYPE)
async def list_objects(
    caller: Caller, hub: Hub, giver: PathSlug, id: PathId, query: Annotated[ObjectQuery, Query()]
) -> Response:
    """STIX objects of a collection, oldest first, as far as their markings let them go to the caller."""
    page, following = _page(await _intelligence(hub).objects(caller, giver, id), query)
    content = {"objects": [dict(one.content) for one in page]} if page else {}
    return _answer({**content, **following}, page)


@resource.get("/{giver}/collections/{id}/manifest/", Permission.RESULTS_READ, media_type=MEDIA_TYPE)
async def list_manifest(
    caller: Caller, hub: Hub, giver: PathSlug, id: PathId, query: Annotated[ObjectQuery, Query()]
) -> Response:
    """What is in a collection, without the objects themselves."""
    page, following = _page(await _intelligence(hub).objects(caller, giver, id), query)
    entries = [
        {
            "id": one.content["id"],
            "date_added": _moment(one),
            "version": _version(one),
            "media_type": STIX_MEDIA_TYPE,
        }
        for one in page
    ]
    return _answer({**({"objects": entries} if entries else {}), **following}, page)


@resource.get("/{giver}/collections/{id}/", Permission.RESULTS_READ, media_type=MEDIA_TYPE)
async def read_collection(caller: Caller, hub: Hub, giver: PathSlug, id: PathId) -> Response:
    """One collection."""
    return _answer(_described(await _intelligence(hub).collection(caller, giver, id)))


@resource.get("/{giver}/collections/", Permission.RESULTS_READ, media_type=MEDIA_TYPE)
async def list_collections(caller: Caller, hub: Hub, giver: PathSlug) -> Response:
    """The collections of an organisation."""
    return _answer({"collections": [_described(one) for one in await _intelligence(hub).collections(caller, giver)]})


@resource.get("/{giver}/", Permission.RESULTS_READ, media_type=MEDIA_TYPE)
async def read_root(caller: Caller, hub: Hub, giver: PathSlug) -> Response:
    """One organisation's API root."""
    names = await _intelligence(hub).givers(caller)
    if giver not in names:
        raise NotFound(f"there is no API root {giver}", hint="It needs an agreement on intelligence.")
    return _answer({"title": names[giver], "versions": [MEDIA_TYPE], "max_content_length": CONTENT_LIMIT_BYTES})


def _intelligence(hub: Services) -> SharedIntelligence:
    return SharedIntelligence(hub.store, hub.clock, hub.tools)


def _page(found: Any, query: ObjectQuery) -> tuple[list[AddedObject], dict[str, Any]]:
    chosen = [
        one
        for one in found
        if (query.added_after is None or one.added > query.added_after)
        and _matches(query.ids, str(one.content["id"]))
        and _matches(query.types, str(one.content.get("type")))
        and _matches(query.spec_versions, str(one.content.get("spec_version", "2.1")))
        and (query.versions in (None, "last", "first", "all") or _matches(query.versions, _version(one)))
    ]
    if query.next is not None and not query.next.isdecimal():
        raise InvalidInput("'next' is not of this list", hint="Pass the 'next' of the page before.")
    start = int(query.next or 0)
    limit = min(query.limit, 1_000)
    more = start + limit < len(chosen)
    following: dict[str, Any] = {"more": True, "next": str(start + limit)} if more else {}
    return chosen[start : start + limit], following


def _matches(wanted: str | None, value: str) -> bool:
    return wanted is None or value in wanted.split(",")


def _described(one: Collection) -> dict[str, Any]:
    return {
        "id": one.id,
        "title": one.title,
        "description": one.description,
        "can_read": True,
        "can_write": False,
        "media_types": [STIX_MEDIA_TYPE],
    }


def _version(one: AddedObject) -> str:
    return str(one.content.get("modified") or one.content.get("created") or _moment(one))


def _moment(one: AddedObject) -> str:
    return one.added.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _answer(content: dict[str, Any], page: list[AddedObject] | None = None) -> Response:
    headers = {}
    if page:
        headers = {"X-TAXII-Date-Added-First": _moment(page[0]), "X-TAXII-Date-Added-Last": _moment(page[-1])}
    return Response(orjson.dumps(content), media_type=MEDIA_TYPE, headers=headers)
