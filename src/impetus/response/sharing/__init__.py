"""Incidents that several organisations work on: one incident, several views."""

from impetus.response.sharing.conversation import Conversation, NewMessage
from impetus.response.sharing.loans import SharedEvidence
from impetus.response.sharing.shares import (
    DURABLE,
    SUBJECTS,
    PartDecided,
    PartDecision,
    Preview,
    Shares,
    ShareState,
)

__all__ = [
    "DURABLE",
    "SUBJECTS",
    "Conversation",
    "NewMessage",
    "PartDecided",
    "PartDecision",
    "Preview",
    "ShareState",
    "SharedEvidence",
    "Shares",
]
