"""The tables. Two groups with migrations of their own: what people decide on (`metadata`), and the readings
(`readings_metadata`), which with SQLite are a file of their own (docs/adr/0003).

Moments are whole microseconds since 1970-01-01 UTC on every database: exact, ordered, and the same everywhere.
Messages of the model are kept as their JSON beside the columns that queries need.
"""

from __future__ import annotations

from impetus.store.tables.access import (
    identity,
    organisation,
    passkey,
    second_factor,
    session,
    throttle,
    token,
    user_account,
)
from impetus.store.tables.columns import FreeText, Moment, RowNumber, metadata, readings_metadata, without_nul
from impetus.store.tables.delivery import cap_message, escalation, notification, notification_plan
from impetus.store.tables.exchange import outbox, tool_request, tool_result
from impetus.store.tables.governance import (
    audit,
    audit_head,
    data_protection_record,
    evidence_custody,
    governance_document,
)
from impetus.store.tables.readings import expectation, latest_reading, reading, series
from impetus.store.tables.response import procedure_event, procedure_run, procedure_version, task
from impetus.store.tables.sharing import incident_message, incident_share, sharing_agreement
from impetus.store.tables.situation import alert, assessment, correlation_rules, datastream, incident, verdict
from impetus.store.tables.workplace import dashboard, dashboard_assignment, handover, held_cap

__all__ = [
    "FreeText",
    "Moment",
    "RowNumber",
    "alert",
    "assessment",
    "audit",
    "audit_head",
    "cap_message",
    "correlation_rules",
    "dashboard",
    "dashboard_assignment",
    "data_protection_record",
    "datastream",
    "escalation",
    "evidence_custody",
    "expectation",
    "governance_document",
    "handover",
    "held_cap",
    "identity",
    "incident",
    "incident_message",
    "incident_share",
    "latest_reading",
    "metadata",
    "notification",
    "notification_plan",
    "organisation",
    "outbox",
    "passkey",
    "procedure_event",
    "procedure_run",
    "procedure_version",
    "reading",
    "readings_metadata",
    "second_factor",
    "series",
    "session",
    "sharing_agreement",
    "task",
    "throttle",
    "token",
    "tool_request",
    "tool_result",
    "user_account",
    "verdict",
    "without_nul",
]
