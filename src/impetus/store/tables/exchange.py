"""What goes out to the bus, what tools publish and what they are asked for."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, String, Table, Text

from impetus.store.tables.columns import FreeText, Moment, RowNumber, metadata

outbox = Table(
    "outbox",
    metadata,
    Column("position", RowNumber, primary_key=True),
    Column("id", String(128), nullable=False, unique=True),
    Column("body", LargeBinary, nullable=False),
    # A position is never given twice, so that a late deletion cannot meet a new row.
    sqlite_autoincrement=True,
)

tool_result = Table(
    "tool_result",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("tool", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("time", Moment, nullable=False),
    Column("received", Moment, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("expires", Moment, nullable=False),
    Column("incident", String(128), nullable=True),
    Column("alert", String(128), nullable=True),
    Column("person", String(128), nullable=True),
    Column("content", Text, nullable=False),
    Index("ix_tool_result_tenant_tool_kind_time_id", "tenant", "tool", "kind", "time", "id"),
    Index("ix_tool_result_tenant_incident_time_id", "tenant", "incident", "time", "id"),
    Index("ix_tool_result_tenant_alert", "tenant", "alert"),
    Index("ix_tool_result_expires", "expires"),
)

tool_request = Table(
    "tool_request",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("tool", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("task", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked", Moment, nullable=False),
    Column("asker", String(128), nullable=True),
    Column("updated", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    Column("text", FreeText, nullable=False),
    Column("content", Text, nullable=False),
    Index("ix_tool_request_tenant_tool_asked_id", "tenant", "tool", "asked", "id"),
    Index("ix_tool_request_expires", "expires"),
)
"""`asker` is the account of the person who asked, if a person did."""
