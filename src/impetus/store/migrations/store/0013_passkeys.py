"""Passkeys, and room for the sealed secrets of authenticator apps."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    with op.batch_alter_table("second_factor") as table:
        table.alter_column("secret", existing_type=sa.String(length=64), type_=sa.String(length=255))
    op.create_table(
        "passkey",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=128), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.Column("site", sa.String(length=253), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=True),
        sa.Column("last_challenge", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["user_account.id"], name=op.f("fk_passkey_user_user_account")),
        sa.ForeignKeyConstraint(["tenant"], ["organisation.id"], name=op.f("fk_passkey_tenant_organisation")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkey")),
    )
    op.create_index(op.f("ix_passkey_user"), "passkey", ["user"], unique=False)
    op.create_index(op.f("ix_passkey_tenant"), "passkey", ["tenant"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        op.execute('ALTER TABLE "passkey" ENABLE ROW LEVEL SECURITY')
        op.execute('ALTER TABLE "passkey" FORCE ROW LEVEL SECURITY')
        op.execute(
            'CREATE POLICY organisation_wall ON "passkey" USING '
            "(coalesce(current_setting('impetus.organisation', true), '') IN ('', tenant))"
        )
