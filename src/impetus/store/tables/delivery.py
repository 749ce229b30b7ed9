"""Plans of who is told, what went out, and warnings under their public names."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from impetus.store.tables.columns import FreeText, Moment, metadata

notification_plan = Table(
    "notification_plan",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("updated_by", FreeText, nullable=False),
    Column("content", Text, nullable=False),
    Column("secret", FreeText, nullable=True),
)
"""Channels, rosters and escalation chains. `secret` is a channel's address with its passwords; it never goes out."""

escalation = Table(
    "escalation",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("chain", String(64), nullable=False),
    Column("subject_kind", String(16), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("started", Moment, nullable=False),
    Column("due", Moment, nullable=True),
    Column("content", Text, nullable=False),
    Index("ix_escalation_due", "due"),
    Index("ix_escalation_tenant_subject", "tenant", "subject"),
    Index("ix_escalation_tenant_started_id", "tenant", "started", "id"),
)

notification = Table(
    "notification",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("escalation", String(128), nullable=True),
    Column("channel", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created", Moment, nullable=False),
    Column("due", Moment, nullable=True),
    Column("tried", Moment, nullable=True),
    Column("content", Text, nullable=False),
    Index("ix_notification_due", "due"),
    Index("ix_notification_tenant_escalation", "tenant", "escalation"),
    Index("ix_notification_tenant_created_id", "tenant", "created", "id"),
    Index("ix_notification_tenant_channel_tried", "tenant", "channel", "tried"),
)

cap_message = Table(
    "cap_message",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("direction", String(8), primary_key=True),
    Column("sender", String(300), primary_key=True),
    Column("identifier", String(300), primary_key=True),
    Column("subject_kind", String(16), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("number", Integer, nullable=False),
    Column("sent", Moment, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("content", Text, nullable=False),
    Index("ix_cap_message_tenant_direction_subject_number", "tenant", "direction", "subject", "number"),
)
"""CAP messages by the name that the outside knows them by, so that an Update or a Cancel finds what it is about."""
