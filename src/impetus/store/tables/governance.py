"""What was done and why it was allowed: the audit trail, custody of evidence, documents of data protection."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from impetus.store.tables.columns import FreeText, Moment, metadata

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
