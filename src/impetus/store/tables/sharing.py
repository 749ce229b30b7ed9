"""What one organisation opens to another."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, String, Table, Text

from impetus.store.tables.columns import Moment, metadata

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
