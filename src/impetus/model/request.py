"""One tool set to work by what another noticed: a message, never an import."""

from __future__ import annotations

from impetus.model.base import Identifier, Line, Slug, UtcTime, Value
from impetus.model.place import Place


class ToolRequest(Value):
    """Asks a tool for something, for example the evacuation tool for a plan. Touches nobody: what comes of it is shown
    to people, who decide."""

    id: Identifier
    """Follows from rule, alert and state, so that the same request twice is one."""
    tool: Slug
    """Who is asked."""
    task: Slug
    """What for, in that tool's words."""
    reason: Line
    """Title of the rule that asks."""
    alert: Identifier
    incident: Identifier | None = None
    place: Place | None = None
    asked: UtcTime
