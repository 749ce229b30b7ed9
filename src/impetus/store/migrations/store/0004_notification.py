"""Notification: channels, rosters and chains; what climbs; what was sent; CAP messages that went out and came in."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "notification_plan",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "kind", "id", name=op.f("pk_notification_plan")),
    )
    op.create_table(
        "escalation",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.Column("subject_kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_escalation")),
    )
    op.create_index("ix_escalation_due", "escalation", ["due"], unique=False)
    op.create_index("ix_escalation_tenant_subject", "escalation", ["tenant", "subject"], unique=False)
    op.create_index("ix_escalation_tenant_started_id", "escalation", ["tenant", "started", "id"], unique=False)
    op.create_table(
        "notification",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("escalation", sa.String(length=128), nullable=True),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=True),
        sa.Column("tried", sa.BigInteger(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_notification")),
    )
    op.create_index("ix_notification_due", "notification", ["due"], unique=False)
    op.create_index("ix_notification_tenant_escalation", "notification", ["tenant", "escalation"], unique=False)
    op.create_index("ix_notification_tenant_created_id", "notification", ["tenant", "created", "id"], unique=False)
    op.create_index(
        "ix_notification_tenant_channel_tried", "notification", ["tenant", "channel", "tried"], unique=False
    )
    op.create_table(
        "cap_message",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("sender", sa.String(length=300), nullable=False),
        sa.Column("identifier", sa.String(length=300), nullable=False),
        sa.Column("subject_kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "direction", "sender", "identifier", name=op.f("pk_cap_message")),
    )
    op.create_index(
        "ix_cap_message_tenant_direction_subject_number",
        "cap_message",
        ["tenant", "direction", "subject", "number"],
        unique=False,
    )
