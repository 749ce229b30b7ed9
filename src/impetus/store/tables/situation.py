"""What is known: alerts, incidents, what people made of them, and which datastreams there are."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Double, Index, Integer, String, Table, Text

from impetus.store.tables.columns import FreeText, Moment, metadata

alert = Table(
    "alert",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("tool", String(64), nullable=False),
    Column("detector", String(64), nullable=False),
    Column("source", String(128), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("harm", Double, nullable=False),
    Column("probability", Double, nullable=True),
    Column("received", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("ended", Moment, nullable=True),
    Column("incident", String(128), nullable=True),
    Column("handled_by", FreeText, nullable=True),
    Column("search", FreeText, nullable=False),
    Column("content", Text, nullable=False),
    # The overload guard (store/workload.py): who holds it, which alert it repeats, how many repeat it, until when.
    Column("holder", String(128), nullable=True),
    Column("holder_name", FreeText, nullable=True),
    Column("held_since", Moment, nullable=True),
    Column("repeat_of", String(128), nullable=True),
    Column("repeats", Integer, nullable=False, server_default="0"),
    Column("last_seen", Moment, nullable=True),
    Index("ix_alert_tenant_holder", "tenant", "holder"),
    Index("ix_alert_tenant_repeat_of_harm_id", "tenant", "repeat_of", "harm", "id"),
    Index("ix_alert_tenant_repeat_of_state", "tenant", "repeat_of", "state"),
    Index("ix_alert_tenant_source_repeat_of_last_seen", "tenant", "source", "repeat_of", "last_seen"),
    Index("ix_alert_tenant_harm_id", "tenant", "harm", "id"),
    Index("ix_alert_tenant_received_id", "tenant", "received", "id"),
    Index("ix_alert_tenant_state_harm_id", "tenant", "state", "harm", "id"),
    Index("ix_alert_tenant_state_received_id", "tenant", "state", "received", "id"),
    Index("ix_alert_tenant_incident", "tenant", "incident"),
    Index("ix_alert_tenant_source", "tenant", "source"),
    Index("ix_alert_tenant_ended_source", "tenant", "ended", "source"),
)

incident = Table(
    "incident",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("handled_by", FreeText, nullable=True),
    Column("opened", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("search", FreeText, nullable=False),
    Column("content", Text, nullable=False),
    Column("merged_into", String(128), nullable=True),
    Index("ix_incident_tenant_opened_id", "tenant", "opened", "id"),
    Index("ix_incident_tenant_merged_into", "tenant", "merged_into"),
)

assessment = Table(
    "assessment",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("subject_kind", String(16), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("decided", Moment, nullable=False),
    Column("content", Text, nullable=False),
    Index("ix_assessment_tenant_subject_decided", "tenant", "subject", "decided"),
    Index("ix_assessment_tenant_decided_id", "tenant", "decided", "id"),
)

datastream = Table(
    "datastream",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("content", Text, nullable=False),
)

verdict = Table(
    "verdict",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("alert", String(128), primary_key=True),
    Column("tool", String(64), nullable=False),
    Column("detector", String(64), nullable=False),
    Column("source", String(128), nullable=False),
    Column("confidence", Double, nullable=False),
    Column("probability", Double, nullable=True),
    Column("correct", Boolean, nullable=False),
    Column("decided", Moment, nullable=False),
    Index("ix_verdict_tenant_tool_decided", "tenant", "tool", "decided"),
)
"""What people found of each alert they settled: calibration is learnt from it, and drawn from it."""

correlation_rules = Table(
    "correlation_rules",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("updated_by", FreeText, nullable=False),
    Column("content", Text, nullable=False),
)
