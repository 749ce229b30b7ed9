"""What tools publish as STIX, for the own organisation and for those that have an agreement on it.

Denied by default: another organisation sees a collection only while an agreement in force names the field group
`intelligence`, and in it only what its marking lets cross: TLP:CLEAR and TLP:GREEN (TLP 2.0, FIRST). Asked afresh every
time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from impetus.governance import Principal, sharing
from impetus.model import Clock, FieldGroup, NotFound, Permission, ToolResult, derived_id
from impetus.response.sharing.facts import Organisations
from impetus.sdk import InstalledTool
from impetus.store import Store

CROSSING: Final = frozenset({"clear", "green"})
"""Labels with which something may go to another organisation."""
CROSSING_MARKINGS: Final = frozenset(
    {
        "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
        "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    }
)
"""The same as STIX marking definitions."""
PAGE, MOST = 500, 20_000


@dataclass(frozen=True, slots=True)
class Collection:
    """The STIX objects of one kind of results of one organisation."""

    id: str
    giver: str
    tool: str
    kind: str
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class AddedObject:
    """A STIX object and when it was added."""

    added: datetime
    content: Mapping[str, Any]


class SharedIntelligence:
    """Collections and what is in them, as one caller may see them."""

    def __init__(self, store: Store, clock: Clock, tools: Mapping[str, InstalledTool]) -> None:
        self._store = store
        self._clock = clock
        self._tools = tools

    async def givers(self, by: Principal) -> Mapping[str, str]:
        """Organisations whose collections the caller may read, with their names; the own one first."""
        by.require(Permission.RESULTS_READ)
        async with self._store.view(across=True) as view:
            organisations = await Organisations.read(view)
            now = self._clock.now()
            allowed = [by.tenant] + [
                one.giver
                for one in await view.sharing.open_agreements_of(by.tenant)
                if one.receiver == by.tenant
                and FieldGroup.INTELLIGENCE in one.terms.groups
                and sharing.in_force(one, now, organisations.active)
            ]
            return {giver: organisations.name(giver) for giver in dict.fromkeys(allowed)}

    async def collections(self, by: Principal, giver: str) -> Sequence[Collection]:
        """The collections of one organisation. Raises `NotFound` if the caller may read none of it."""
        if giver not in await self.givers(by):
            raise NotFound(f"there is no collection of {giver}", hint="It needs an agreement on intelligence.")
        return [
            Collection(
                id=derived_id("taxii-collection", giver, tool.manifest.id, kind.id),
                giver=giver,
                tool=tool.manifest.id,
                kind=kind.id,
                title=f"{tool.manifest.title}: {kind.title}",
                description=kind.description,
            )
            for tool in self._tools.values()
            if tool.manifest is not None
            for kind in tool.manifest.results
            if kind.stix and (giver != by.tenant or by.user is None or by.user.role in tool.manifest.readers(kind))
        ]

    async def collection(self, by: Principal, giver: str, id: str) -> Collection:
        """One collection. Raises `NotFound`."""
        found = next((one for one in await self.collections(by, giver) if one.id == id), None)
        if found is None:
            raise NotFound(f"there is no collection {id}", hint="Ask for the list of collections.")
        return found

    async def objects(self, by: Principal, giver: str, id: str) -> Sequence[AddedObject]:
        """What is in a collection, in the order in which it was added, each object once. Raises `NotFound`."""
        collection = await self.collection(by, giver, id)
        results: list[ToolResult] = []
        after: str | None = None
        async with self._store.view(across=True) as view:
            while len(results) < MOST:
                page = await view.results.list(giver, collection.tool, kind=collection.kind, limit=PAGE, after=after)
                results += page.items
                after = page.next
                if after is None:
                    break
        found: dict[str, AddedObject] = {}
        for result in reversed(results):
            for content in _objects_of(result, crossing=giver != by.tenant):
                found.setdefault(str(content["id"]), AddedObject(result.time, content))
        return list(found.values())


def _objects_of(result: ToolResult, *, crossing: bool) -> Sequence[Mapping[str, Any]]:
    objects = result.content.get("objects")
    if not isinstance(objects, list) or (crossing and result.content.get("tlp") not in CROSSING):
        return ()
    return [
        one
        for one in objects
        if isinstance(one, dict) and isinstance(one.get("id"), str) and (not crossing or _may_cross(one))
    ]


def _may_cross(content: Mapping[str, Any]) -> bool:
    if content.get("type") == "marking-definition":
        return True
    markings = content.get("object_marking_refs")
    return isinstance(markings, list) and bool(markings) and set(map(str, markings)) <= CROSSING_MARKINGS
