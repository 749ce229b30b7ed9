"""What a tool worked out, beside alerts: a plan, a hazard zone, an attack graph, a list to go through."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, JsonValue

from impetus.model.alert import EvidenceReference, Status
from impetus.model.base import Identifier, Line, Slug, UtcTime, Value
from impetus.model.content import bounded_json
from impetus.model.place import Place
from impetus.model.request import RequestState

RESULT_LIMIT_BYTES: Final = 256 * 1024
"""A result's content as JSON may be so long; what is longer belongs into evidence."""


class ToolResult(Value):
    """A document of a kind that its tool declares. Shown to people and given to tools that declare it as an input.

    The same `id` with a greater `revision` takes the place of the one before.
    """

    id: Identifier
    """Derived from what it is about (`derived_id`), so that working it out again brings it up to date."""
    revision: Annotated[int, Field(ge=0, le=2**53)] = 0
    tool: Slug
    kind: Slug
    """One of the kinds that the tool's manifest declares."""
    title: Line
    time: UtcTime
    """What moment it speaks of; lists show the newest first."""
    ended: UtcTime | None = None
    """Since when it no longer holds, if so; lists leave it out unless they are asked for it."""
    status: Status = Status.ACTUAL
    place: Place | None = None
    alert: Identifier | None = None
    incident: Identifier | None = None
    request: Identifier | None = None
    """The request that it answers."""
    person: Identifier | None = None
    """Account of the only person who may read it; None: everybody whom its kind is for."""
    evidence: Annotated[tuple[EvidenceReference, ...], Field(max_length=50)] = ()
    content: Annotated[dict[str, JsonValue], bounded_json(RESULT_LIMIT_BYTES)] = Field(default_factory=dict)
    """The document, in the tool's own words; at most 256 KB as JSON."""


class ToolNotice(Value):
    """Says that a result or a request changed; what it says now is asked of the interface, which checks who asks."""

    id: Identifier
    tool: Slug
    kind: Slug
    """The kind of the result, or the task of the request."""
    revision: int | None = None
    """Of a result."""
    state: RequestState | None = None
    """Of a request."""
    time: UtcTime
