"""Intelligence crosses over TAXII to organisations with an agreement on it, as far as markings go, and to no other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from impetus.api.tests.conftest import Api
from impetus.api.tests.test_sharing import agree
from impetus.model import Permission, ToolResult, new_id
from impetus.sdk import load_tool

GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
AMBER = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"


def indicator(name: str, marking: str) -> dict[str, Any]:
    return {"type": "indicator", "id": f"indicator--{name}", "name": name, "object_marking_refs": [marking]}


async def promote(api: Api, tlp: str, *objects: dict[str, Any]) -> None:
    now = api.house.clock.now()
    result = ToolResult.model_validate(
        {
            "id": new_id(), "tool": "cti", "kind": "intelligence", "title": "Leak", "time": now,
            "content": {"tlp": tlp, "objects": list(objects)},
        }
    )  # fmt: skip
    async with api.house.store.transaction() as transaction:
        await transaction.results.put("municipality", result, received=now, expires=now + timedelta(days=1))


async def seen(client: Any, root: str = "municipality") -> set[str] | int:
    """Names of the objects that a client gets, or the status if it gets none."""
    listed = await client.get(f"/taxii2/{root}/collections/")
    if listed.status_code != 200:
        return int(listed.status_code)
    names: set[str] = set()
    for collection in listed.json()["collections"]:
        answer = await client.get(f"/taxii2/{root}/collections/{collection['id']}/objects/")
        assert answer.headers["content-type"] == "application/taxii+json;version=2.1", answer.text
        names |= {one.get("name", one["id"]) for one in answer.json().get("objects", [])}
    return names


async def test_only_what_agreement_and_marking_allow_crosses(api: Api) -> None:
    api.services.tools = {"cti": load_tool("cti")}
    await promote(
        api, "green", indicator("green", GREEN), indicator("amber-inside", AMBER), {"type": "x", "id": "x--1"}
    )
    await promote(api, "amber", indicator("amber", AMBER))
    police = await api.machine(Permission.RESULTS_READ, tenant="police")
    city = await api.machine(Permission.RESULTS_READ)
    assert await seen(city) >= {"green", "amber-inside", "amber"}  # type: ignore[operator]
    assert await seen(police) == 404

    other = await agree(api, groups=["headline"])
    assert await seen(police) == 404, "an agreement on incidents is none on intelligence"
    agreement = await agree(api, groups=["intelligence"])
    assert await seen(police) == {"green"}
    roots = (await police.get("/taxii2/")).json()["api_roots"]
    assert [root.rsplit("/", 2)[1] for root in roots] == ["police", "municipality"]

    paul = await api.person("paul")
    for id in (agreement, other):
        await paul.post(f"/agreements/{id}/end", json={"reason": "over"})
    assert await seen(police) == 404


async def test_pages_and_filters(api: Api) -> None:
    api.services.tools = {"cti": load_tool("cti")}
    await promote(api, "green", *(indicator(f"n{number}", GREEN) for number in range(5)))
    city = await api.machine(Permission.RESULTS_READ)
    collection = (await city.get("/taxii2/municipality/collections/")).json()["collections"][0]["id"]
    base = f"/taxii2/municipality/collections/{collection}"
    first = (await city.get(f"{base}/objects/?limit=2")).json()
    assert (len(first["objects"]), first["more"]) == (2, True)
    last = (await city.get(f"{base}/objects/?limit=4&next={first['next']}")).json()
    assert (len(last["objects"]), last.get("more")) == (3, None)
    assert len((await city.get(f"{base}/manifest/")).json()["objects"]) == 5
    assert (await city.get(f"{base}/objects/?match[type]=malware")).json() == {}
    assert (await city.get(f"{base}/objects/indicator--n1/")).json()["objects"][0]["name"] == "n1"
    later = (api.house.clock.now() + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    assert (await city.get(f"{base}/objects/?added_after={later}")).json() == {}
