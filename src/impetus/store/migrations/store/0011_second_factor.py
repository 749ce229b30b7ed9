"""Second factors, and the accounts of people who come by single sign-on."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("session", sa.Column("second_factor", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "second_factor",
        sa.Column("user", sa.String(length=128), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("begun", sa.BigInteger(), nullable=False),
        sa.Column("confirmed", sa.BigInteger(), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("recovery", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["user_account.id"], name=op.f("fk_second_factor_user_user_account")),
        sa.ForeignKeyConstraint(["tenant"], ["organisation.id"], name=op.f("fk_second_factor_tenant_organisation")),
        sa.PrimaryKeyConstraint("user", name=op.f("pk_second_factor")),
    )
    op.create_index(op.f("ix_second_factor_tenant"), "second_factor", ["tenant"], unique=False)
    op.create_table(
        "identity",
        sa.Column("issuer", sa.String(length=300), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["organisation.id"], name=op.f("fk_identity_tenant_organisation")),
        sa.ForeignKeyConstraint(["user"], ["user_account.id"], name=op.f("fk_identity_user_user_account")),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_identity")),
        sa.UniqueConstraint("user", name=op.f("uq_identity_user")),
    )
    op.create_index(op.f("ix_identity_tenant"), "identity", ["tenant"], unique=False)
