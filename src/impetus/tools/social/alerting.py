"""The alert of an event that an analyst promoted: what was said and where, not in whose words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from impetus.model import (
    Alert,
    Category,
    Certainty,
    DataClass,
    Factor,
    ModelReference,
    Severity,
    ToolResult,
    Urgency,
    derived_id,
)
from impetus.tools.social.kinds import Kind

MODEL = ModelReference(name="social gate and sentence model", version="2")
DETECTORS: Mapping[Kind, str] = {
    Kind.INCITEMENT: "violence",
    Kind.WEAPON: "violence",
    Kind.CLAIM: "violence",
    Kind.EYEWITNESS: "emergency",
    Kind.GATHERING: "unrest",
    Kind.RUMOUR: "unrest",
    Kind.NONE: "unrest",
}
ACTIONS: Mapping[str, str] = {
    "violence": "Read the examples, compare with what cameras and patrols see there, and tell the police.",
    "emergency": "Compare with calls and sensors at the place; people are writing from there.",
    "unrest": "Watch the place and the topic; tell who answers for the venue.",
}
REASONS = 6


def alert_of(event: ToolResult, now: datetime) -> Alert:
    """The alert of a published event; the same event gives the same alert.

    Quoted text stays in the analyst's review: the alert counts, and says what kind of posts they are.
    """
    content: dict[str, Any] = dict(event.content)
    detector = DETECTORS[Kind(content["kind"])]
    reasons = [str(one) for one in content["reasons"]] or ["promoted by an analyst"]
    return Alert(
        id=derived_id("social-alert", event.id),
        tool="social",
        detector=detector,
        source=str(content["investigation"]),
        headline=f"Posts: {event.title}"[:300],
        description=(
            f"{content['posts']} posts by {content['voices']} voices since {str(content['first'])[:16]} UTC, "
            f"{content['copies']} of them copies; {content['trend']}. Reviewed by an analyst."
        ),
        instruction=ACTIONS[detector],
        category=Category.SECURITY if detector == "violence" else Category.SAFETY,
        urgency=Urgency.EXPECTED if detector != "emergency" else Urgency.IMMEDIATE,
        severity=Severity.MODERATE if detector == "unrest" else Severity.SEVERE,
        certainty=Certainty.POSSIBLE,
        confidence=max(0.01, float(content["confidence"])),
        onset=min(datetime.fromisoformat(str(content["first"])), now),
        sent=now,
        place=event.place,
        explanation=tuple(
            Factor(name=_scrubbed(reason)[:300], weight=round(1.0 / len(reasons), 3)) for reason in reasons[:REASONS]
        ),
        model=MODEL,
        data_classes=(DataClass.OPERATIONAL,),
    )


def _scrubbed(reason: str) -> str:
    """Without words of posts: those stay in the analyst's review."""
    return reason.partition(": ")[0] if reason.startswith(("words that weighed most", "words that burst")) else reason
