"""Notification: channels, rosters, escalation chains."""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Filled in by its owner."""
