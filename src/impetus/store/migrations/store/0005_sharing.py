"""Sharing between organisations: agreements, incidents that are shared under them, what people say in them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "sharing_agreement",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("giver", sa.String(length=64), nullable=False),
        sa.Column("receiver", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sharing_agreement")),
    )
    op.create_index("ix_sharing_agreement_giver_ended", "sharing_agreement", ["giver", "ended"], unique=False)
    op.create_index("ix_sharing_agreement_receiver_ended", "sharing_agreement", ["receiver", "ended"], unique=False)
    op.create_table(
        "incident_share",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("giver", sa.String(length=64), nullable=False),
        sa.Column("incident", sa.String(length=128), nullable=False),
        sa.Column("receiver", sa.String(length=64), nullable=False),
        sa.Column("agreement", sa.String(length=128), nullable=False),
        sa.Column("part", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.Column("ending", sa.String(length=16), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_share")),
    )
    op.create_index("ix_incident_share_giver_incident", "incident_share", ["giver", "incident"], unique=False)
    op.create_index("ix_incident_share_receiver_since_id", "incident_share", ["receiver", "since", "id"], unique=False)
    op.create_index("ix_incident_share_agreement_ended", "incident_share", ["agreement", "ended"], unique=False)
    op.create_table(
        "incident_message",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("giver", sa.String(length=64), nullable=False),
        sa.Column("incident", sa.String(length=128), nullable=False),
        sa.Column("author", sa.String(length=64), nullable=False),
        sa.Column("receiver", sa.String(length=64), nullable=True),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("author", "id", name=op.f("pk_incident_message")),
    )
    op.create_index(
        "ix_incident_message_giver_incident_sent", "incident_message", ["giver", "incident", "sent"], unique=False
    )
