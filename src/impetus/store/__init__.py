"""What is kept: alerts, incidents, decisions, accounts, audit, readings and evidence, on SQLite or PostgreSQL."""

from impetus.store.alerts import OPEN_STATES
from impetus.store.bucket import open_evidence
from impetus.store.evidence import EvidenceStore
from impetus.store.outbox import OutboxRelay
from impetus.store.records import (
    AlertArrival,
    AlertFilter,
    AlertOrder,
    AlertRecord,
    AuditHead,
    AuditRecord,
    ExpectationColumns,
    IdentityRecord,
    IncidentFilter,
    Page,
    PasskeyRecord,
    Reading,
    ReadingColumns,
    SecondFactorRecord,
    SessionRecord,
    ThrottleRecord,
    TokenRecord,
    UserCredentials,
    VersionConflict,
)
from impetus.store.store import Store, Transaction, open_store
from impetus.store.wall import within

__all__ = [
    "OPEN_STATES",
    "AlertArrival",
    "AlertFilter",
    "AlertOrder",
    "AlertRecord",
    "AuditHead",
    "AuditRecord",
    "EvidenceStore",
    "ExpectationColumns",
    "IdentityRecord",
    "IncidentFilter",
    "OutboxRelay",
    "Page",
    "PasskeyRecord",
    "Reading",
    "ReadingColumns",
    "SecondFactorRecord",
    "SessionRecord",
    "Store",
    "ThrottleRecord",
    "TokenRecord",
    "Transaction",
    "UserCredentials",
    "VersionConflict",
    "open_evidence",
    "open_store",
    "within",
]
