"""How messages spread, as a network of groups: which source and language told an event first, and which told it after.

A node is a source in one language, an edge says that an event went from one to the other. Both are shown only where at
least five voices stand behind them (k-anonymity, Sweeney 2002): nobody's own part can be read from it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import JsonValue

from impetus.tools.social.events import ANONYMOUS
from impetus.tools.social.posts import Post

EVENTS = 500
"""Events whose spread is remembered."""


@dataclass
class _Group:
    first: datetime
    voices: set[str] = field(default_factory=set)


@dataclass
class Spread:
    """Groups that told each event, with their voices; in memory only."""

    events: dict[str, dict[str, _Group]] = field(default_factory=dict)

    def add(self, event: str, post: Post) -> None:
        """A post became part of an event."""
        groups = self.events.setdefault(event, {})
        group = groups.setdefault(f"{post.source} · {post.language}", _Group(post.time))
        group.first = min(group.first, post.time)
        group.voices.add(post.author)
        while len(self.events) > EVENTS:
            del self.events[next(iter(self.events))]

    def keep(self, events: Collection[str]) -> None:
        """Forget all other events."""
        for gone in [one for one in self.events if one not in events]:
            del self.events[gone]


def network(spreads: Collection[Spread], titles: Mapping[str, str]) -> dict[str, JsonValue]:
    """Nodes and edges for a drawing: each event, and the groups of enough voices that told it, in the order in which
    they did; what falls below five voices is left out.

    `titles` says what events are called.
    """
    nodes: dict[str, JsonValue] = {}
    edges: dict[tuple[str, str], JsonValue] = {}
    for spread in spreads:
        for event, groups in spread.events.items():
            told = sorted(
                ((group.first, name) for name, group in groups.items() if len(group.voices) >= ANONYMOUS),
            )
            if not told or event not in titles:
                continue
            nodes[event] = {"id": event, "name": titles[event], "group": "event"}
            before = event
            for _, name in told:
                id = f"group {name}"
                nodes[id] = {"id": id, "name": f"{name} ({_voices(spreads, name)})", "group": "source"}
                edges[before, id] = {"source": before, "target": id}
                before = id
    return {"nodes": list(nodes.values()), "edges": list(edges.values())}


def _voices(spreads: Collection[Spread], name: str) -> int:
    """Different voices of a group over all events; pseudonyms of different investigations are different voices."""
    return sum(
        len({voice for groups in spread.events.values() if name in groups for voice in groups[name].voices})
        for spread in spreads
    )
