"""A tool set to work: by a person, a rule, a procedure or another tool. A message, never an import."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, JsonValue

from impetus.model.base import Identifier, Line, Slug, Text, UtcTime, Value
from impetus.model.content import bounded_json
from impetus.model.place import Place

REQUEST_LIMIT_BYTES: Final = 64 * 1024
"""A request's content as JSON may be so long."""


class RequestOrigin(StrEnum):
    """Who asks."""

    PERSON = "person"
    RULE = "rule"
    PROCEDURE = "procedure"
    TOOL = "tool"


class RequestState(StrEnum):
    """What became of a request."""

    ASKED = "asked"
    DONE = "done"
    FAILED = "failed"


class ToolRequest(Value):
    """Asks a tool for something, for example the evacuation tool for a plan. Touches nobody: what comes of it is shown
    to people, who decide. The same `id` again is the same request."""

    id: Identifier
    """Derived from what asks for it (`derived_id`), so that the same request twice is one."""
    tool: Slug
    """Who is asked."""
    task: Slug
    """What for: one of the tasks that the tool's manifest declares."""
    reason: Line
    """Why: the title of the rule that asks, or what the person or the tool says."""
    origin: RequestOrigin = RequestOrigin.RULE
    content: Annotated[dict[str, JsonValue], bounded_json(REQUEST_LIMIT_BYTES)] = Field(default_factory=dict)
    """The particulars, in the tool's own words; at most 64 KB as JSON."""
    place: Place | None = None
    alert: Identifier | None = None
    incident: Identifier | None = None
    person: Identifier | None = None
    """Account of the person who asks; only where the task declares that it needs it."""
    asked: UtcTime


class RequestOutcome(Value):
    """What a tool made of a request."""

    id: Identifier
    """The request's."""
    tool: Slug
    task: Slug
    state: RequestState
    text: Text = ""
    """For whoever asked: what was done, or why it could not be done."""
    time: UtcTime
