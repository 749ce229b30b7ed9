"""Correlation: verdicts that calibration learns from, a city's rules, and the probability of alerts."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("alert", sa.Column("probability", sa.Double(), nullable=True))
    op.create_table(
        "verdict",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("alert", sa.String(length=128), nullable=False),
        sa.Column("tool", sa.String(length=64), nullable=False),
        sa.Column("detector", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=128), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("correct", sa.Boolean(), nullable=False),
        sa.Column("decided", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "alert", name=op.f("pk_verdict")),
    )
    op.create_index("ix_verdict_tenant_tool_decided", "verdict", ["tenant", "tool", "decided"], unique=False)
    op.create_table(
        "correlation_rules",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_correlation_rules")),
    )
