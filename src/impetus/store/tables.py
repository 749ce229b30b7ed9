"""The tables. Two groups with migrations of their own: what people decide on (`metadata`), and the readings
(`readings_metadata`), which with SQLite are a file of their own (docs/adr/0003).

Moments are whole microseconds since 1970-01-01 UTC on every database: exact, ordered, and the same everywhere.
Messages of the model are kept as their JSON beside the columns that queries need.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

from impetus.model import from_microseconds, to_microseconds

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

RowNumber = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column that is declared as plain INTEGER."""


class Moment(TypeDecorator[datetime]):
    """A UTC time as microseconds since 1970-01-01."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_microseconds(value)


def without_nul(text: str) -> str:
    """PostgreSQL keeps no NUL character in text; it is replaced on every database, so that all behave alike."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


class FreeText(TypeDecorator[str]):
    """Text that a person or the outside world wrote."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else without_nul(value)


metadata = MetaData(naming_convention=NAMING)
readings_metadata = MetaData(naming_convention=NAMING)

organisation = Table(
    "organisation",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", FreeText, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created", Moment, nullable=False),
)

user_account = Table(
    "user_account",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("tenant", String(64), ForeignKey("organisation.id"), nullable=False, index=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("full_name", FreeText, nullable=False),
    Column("role", String(64), nullable=False),
    Column("language", String(64), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created", Moment, nullable=False),
    Column("password_hash", Text, nullable=False),
)

session = Table(
    "session",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("tenant", String(64), ForeignKey("organisation.id"), nullable=False),
    Column("user", String(128), ForeignKey("user_account.id"), nullable=False, index=True),
    Column("csrf", String(64), nullable=False),
    Column("created", Moment, nullable=False),
    Column("used", Moment, nullable=False),
    Column("expires", Moment, nullable=False, index=True),
    Column("second_factor", Boolean, nullable=False),
)

second_factor = Table(
    "second_factor",
    metadata,
    Column("user", String(128), ForeignKey("user_account.id"), primary_key=True),
    Column("tenant", String(64), ForeignKey("organisation.id"), nullable=False, index=True),
    Column("secret", String(64), nullable=False),
    Column("begun", Moment, nullable=False),
    Column("confirmed", Moment, nullable=True),
    Column("last_step", BigInteger, nullable=False),
    Column("recovery", Text, nullable=False),
)

identity = Table(
    "identity",
    metadata,
    Column("issuer", String(300), primary_key=True),
    Column("subject", String(300), primary_key=True),
    Column("tenant", String(64), ForeignKey("organisation.id"), nullable=False, index=True),
    Column("user", String(128), ForeignKey("user_account.id"), nullable=False, unique=True),
)

token = Table(
    "token",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("tenant", String(64), ForeignKey("organisation.id"), nullable=False, index=True),
    Column("title", FreeText, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("user", String(128), ForeignKey("user_account.id"), nullable=True, index=True),
    Column("created", Moment, nullable=False),
    Column("created_by", FreeText, nullable=False),
    Column("expires", Moment, nullable=True),
    Column("revoked", Moment, nullable=True),
    Column("used", Moment, nullable=True),
)

throttle = Table(
    "throttle",
    metadata,
    Column("kind", String(64), primary_key=True),
    Column("key", String(300), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_failure", Moment, nullable=False, index=True),
    Column("blocked_until", Moment, nullable=False),
)

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

audit = Table(
    "audit",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("time_us", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("position", RowNumber, primary_key=True),
    Column("id", String(128), nullable=False, unique=True),
    Column("body", LargeBinary, nullable=False),
    # A position is never given twice, so that a late deletion cannot meet a new row.
    sqlite_autoincrement=True,
)

# --- Correlation (store/correlation.py) ---

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

# --- End of correlation ---

# --- response: procedures and their tasks (0003) ---

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

# --- Notification (store/notification.py, store/cap.py) ---

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

# --- End of notification ---

# --- Sharing (store/sharing.py) ---

sharing_agreement = Table(
    "sharing_agreement",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("giver", String(64), nullable=False),
    Column("receiver", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("until", Moment, nullable=False),
    Column("ended", Moment, nullable=True),
    Column("created", Moment, nullable=False),
    Column("content", Text, nullable=False),
    Index("ix_sharing_agreement_giver_ended", "giver", "ended"),
    Index("ix_sharing_agreement_receiver_ended", "receiver", "ended"),
)

incident_share = Table(
    "incident_share",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("giver", String(64), nullable=False),
    Column("incident", String(128), nullable=False),
    Column("receiver", String(64), nullable=False),
    Column("agreement", String(128), nullable=False),
    Column("part", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("since", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    Column("ended", Moment, nullable=True),
    Column("ending", String(16), nullable=True),
    Column("digest", String(64), nullable=False),
    Index("ix_incident_share_giver_incident", "giver", "incident"),
    Index("ix_incident_share_receiver_since_id", "receiver", "since", "id"),
    Index("ix_incident_share_agreement_ended", "agreement", "ended"),
)
"""That an incident of one organisation is open to another; never a copy of what is in it."""

incident_message = Table(
    "incident_message",
    metadata,
    Column("author", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("giver", String(64), nullable=False),
    Column("incident", String(128), nullable=False),
    Column("receiver", String(64), nullable=True),
    Column("sent", Moment, nullable=False),
    Column("content", Text, nullable=False),
    Index("ix_incident_message_giver_incident_sent", "giver", "incident", "sent"),
)

# --- End of sharing ---

# --- Dashboards and custody of evidence (store/dashboards.py, store/custody.py) ---

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

evidence_custody = Table(
    "evidence_custody",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("time", Moment, nullable=False),
    Column("content", Text, nullable=False),
    Index("ix_evidence_custody_tenant_sha256_time", "tenant", "sha256", "time"),
)

# --- End of dashboards and custody ---

# --- Hand-overs between shifts (store/handovers.py) ---

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

# --- End of hand-overs ---

# --- What tools publish and are asked for (store/results.py, store/requests.py) ---

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

# --- End of what tools publish and are asked for ---

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

# --- Governance (store/data_protection.py, store/governance_documents.py) ---

data_protection_record = Table(
    "data_protection_record",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("tool", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("content", FreeText, nullable=False),
)

governance_document = Table(
    "governance_document",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(128), primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("opened", Moment, nullable=False),
    Column("due", Moment, nullable=True),
    Column("content", FreeText, nullable=False),
    Index("ix_governance_document_tenant_kind_opened_id", "tenant", "kind", "opened", "id"),
)

# --- End of governance ---

series = Table(
    "series",
    readings_metadata,
    Column("number", RowNumber, primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("datastream", String(128), nullable=False),
    UniqueConstraint("tenant", "datastream"),
)
"""Gives each datastream that was ever read a small number, which stands in every reading instead of two texts."""

reading = Table(
    "reading",
    readings_metadata,
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("time_us", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Double, nullable=False),
    sqlite_with_rowid=False,
)

latest_reading = Table(
    "latest_reading",
    readings_metadata,
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("time_us", BigInteger, nullable=False),
    Column("value", Double, nullable=False),
)

expectation = Table(
    "expectation",
    readings_metadata,
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("time_us", BigInteger, primary_key=True, autoincrement=False),
    Column("low", Double, nullable=False),
    Column("middle", Double, nullable=False),
    Column("high", Double, nullable=False),
    Column("score", Double, nullable=False),
    sqlite_with_rowid=False,
)
