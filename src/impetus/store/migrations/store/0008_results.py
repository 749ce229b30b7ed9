"""What tools publish beside alerts, and what they are asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "tool_result",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("tool", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("incident", sa.String(length=128), nullable=True),
        sa.Column("alert", sa.String(length=128), nullable=True),
        sa.Column("person", sa.String(length=128), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "tool", "id", name=op.f("pk_tool_result")),
    )
    op.create_index(
        "ix_tool_result_tenant_tool_kind_time_id",
        "tool_result",
        ["tenant", "tool", "kind", "time", "id"],
        unique=False,
    )
    op.create_index(
        "ix_tool_result_tenant_incident_time_id", "tool_result", ["tenant", "incident", "time", "id"], unique=False
    )
    op.create_index("ix_tool_result_tenant_alert", "tool_result", ["tenant", "alert"], unique=False)
    op.create_index("ix_tool_result_expires", "tool_result", ["expires"], unique=False)
    op.create_table(
        "tool_request",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("tool", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("task", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=False),
        sa.Column("asker", sa.String(length=128), nullable=True),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "tool", "id", name=op.f("pk_tool_request")),
    )
    op.create_index(
        "ix_tool_request_tenant_tool_asked_id", "tool_request", ["tenant", "tool", "asked", "id"], unique=False
    )
    op.create_index("ix_tool_request_expires", "tool_request", ["expires"], unique=False)
