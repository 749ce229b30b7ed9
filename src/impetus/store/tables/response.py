"""Procedures as they were published, their runs and tasks."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text

from impetus.store.tables.columns import FreeText, Moment, metadata

procedure_version = Table(
    "procedure_version",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("procedure", String(64), primary_key=True),
    Column("hash", String(64), primary_key=True),
    Column("kept", Moment, nullable=False),
    Column("published", Moment, nullable=True),
    Column("published_by", FreeText, nullable=True),
    Column("content", LargeBinary, nullable=False),
)
"""Every text of a procedure that was published or ever started, by its SHA-256."""

procedure_run = Table(
    "procedure_run",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("incident", String(128), nullable=False),
    Column("procedure", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("handled_by", FreeText, nullable=True),
    Column("started", Moment, nullable=False),
    Column("wake", Moment, nullable=True),
    Column("content", Text, nullable=False),
    Column("engine_state", Text, nullable=False),
    Index("ix_procedure_run_tenant_incident", "tenant", "incident"),
    Index("ix_procedure_run_tenant_started_id", "tenant", "started", "id"),
    Index("ix_procedure_run_wake", "wake"),
)

task = Table(
    "task",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("run", String(128), nullable=False),
    Column("incident", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("claimed_by", String(128), nullable=True),
    Column("version", Integer, nullable=False),
    Column("handled_by", FreeText, nullable=True),
    Column("created", Moment, nullable=False),
    Column("watch", Moment, nullable=True),
    Column("content", Text, nullable=False),
    Index("ix_task_tenant_run", "tenant", "run"),
    Index("ix_task_tenant_state_created_id", "tenant", "state", "created", "id"),
    Index("ix_task_watch", "watch"),
)

procedure_event = Table(
    "procedure_event",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("run", String(128), nullable=False),
    Column("time", Moment, nullable=False),
    Column("content", Text, nullable=False),
    Index("ix_procedure_event_tenant_run_time", "tenant", "run", "time"),
)
