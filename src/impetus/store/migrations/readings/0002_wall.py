"""Row-level security on PostgreSQL: a second wall between organisations. See `impetus.store.wall`."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("ALTER TABLE series ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE series FORCE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY organisation_wall ON series USING "
        "(coalesce(current_setting('impetus.organisation', true), '') IN ('', tenant))"
    )
