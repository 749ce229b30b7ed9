"""A person's work: dashboards, hand-overs between shifts, how many alerts at a time."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from impetus.store.tables.columns import FreeText, Moment, metadata

dashboard = Table(
    "dashboard",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("owner", String(128), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("updated_by", FreeText, nullable=False),
    Column("content", Text, nullable=True),
)
"""`owner` is the person who arranged it, or empty for the organisation's. Without `content` it was reset; its version
goes on, so that a late change made on an older one is noticed."""

dashboard_assignment = Table(
    "dashboard_assignment",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("user", String(128), primary_key=True),
    Column("name", String(64), nullable=False),
)

handover = Table(
    "handover",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("author", String(128), nullable=False),
    Column("written", Moment, nullable=False),
    Column("content", Text, nullable=False),
    Index("ix_handover_tenant_written_id", "tenant", "written", "id"),
)

held_cap = Table(
    "held_cap",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("person", String(128), primary_key=True),
    Column("cap", Integer, nullable=False),
    Column("until", Moment, nullable=False),
    Column("set_by", String(128), nullable=False),
    Column("reason", FreeText, nullable=False),
)
"""How many alerts a person may hold for now, where a supervisor set it otherwise than the house."""
