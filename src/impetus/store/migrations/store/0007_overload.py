"""Who holds which alert, repeats joined to one row, incidents merged by hand, hand-overs between shifts."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("alert", sa.Column("holder", sa.String(length=128), nullable=True))
    op.add_column("alert", sa.Column("holder_name", sa.Text(), nullable=True))
    op.add_column("alert", sa.Column("held_since", sa.BigInteger(), nullable=True))
    op.add_column("alert", sa.Column("repeat_of", sa.String(length=128), nullable=True))
    op.add_column("alert", sa.Column("repeats", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("alert", sa.Column("last_seen", sa.BigInteger(), nullable=True))
    op.create_index("ix_alert_tenant_holder", "alert", ["tenant", "holder"], unique=False)
    op.create_index("ix_alert_tenant_repeat_of_harm_id", "alert", ["tenant", "repeat_of", "harm", "id"], unique=False)
    op.create_index("ix_alert_tenant_repeat_of_state", "alert", ["tenant", "repeat_of", "state"], unique=False)
    op.create_index(
        "ix_alert_tenant_source_repeat_of_last_seen",
        "alert",
        ["tenant", "source", "repeat_of", "last_seen"],
        unique=False,
    )
    op.add_column("incident", sa.Column("merged_into", sa.String(length=128), nullable=True))
    op.create_index("ix_incident_tenant_merged_into", "incident", ["tenant", "merged_into"], unique=False)
    op.create_table(
        "handover",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("author", sa.String(length=128), nullable=False),
        sa.Column("written", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_handover")),
    )
    op.create_index("ix_handover_tenant_written_id", "handover", ["tenant", "written", "id"], unique=False)
