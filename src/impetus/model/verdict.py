"""What people found of a tool's alert, as the tool gets it: without anybody's name."""

from __future__ import annotations

from impetus.model.base import Identifier, Slug, UtcTime, Value
from impetus.model.incident import AlertState, ReasonClass


class Verdict(Value):
    """A person confirmed or dismissed an alert, or took that back. The newest one of an alert counts."""

    alert: Identifier
    tool: Slug
    detector: Slug
    source: Identifier
    """What the alert was noticed on, for example a datastream."""
    state: AlertState
    """Confirmed, dismissed, or something else: then an earlier verdict was taken back."""
    reason: ReasonClass | None = None
    """Why it was dismissed, where the person said so in one of these classes."""
    decided: UtcTime

    @property
    def correct(self) -> bool | None:
        """Whether the alert was right; None if nobody says so (any more)."""
        return {AlertState.CONFIRMED: True, AlertState.DISMISSED: False}.get(self.state)
