"""The audit log in parts by time, on PostgreSQL. See `impetus.store.partitions`."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

WIDTH_US = 28 * 86_400 * 1_000_000
WALL = "(coalesce(current_setting('impetus.organisation', true), '') IN ('', tenant))"


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    now_us = int(time.time() * 1e6)
    end = now_us - now_us % WIDTH_US + WIDTH_US
    op.execute("ALTER TABLE audit RENAME TO audit_before")
    op.execute("ALTER TABLE audit_before DROP CONSTRAINT pk_audit")
    op.execute("CREATE TABLE audit (LIKE audit_before INCLUDING DEFAULTS) PARTITION BY RANGE (time_us)")
    # A key of such a table holds the time, too. That no number is given twice, the head of each chain sees to: whoever
    # writes a record holds it.
    op.execute("ALTER TABLE audit ADD CONSTRAINT pk_audit PRIMARY KEY (tenant, sequence, time_us)")
    op.execute("CREATE TABLE audit_rest PARTITION OF audit DEFAULT")
    # Our own policy binds the owner as well; on nobody's behalf it shows all rows.
    moved = f"WITH moved AS (DELETE FROM audit_before WHERE time_us >= {end} RETURNING *) "  # noqa: S608
    connection.execute(sa.text(f"{moved} INSERT INTO audit_rest SELECT * FROM moved"))  # noqa: S608
    op.execute(f"ALTER TABLE audit ATTACH PARTITION audit_before FOR VALUES FROM (MINVALUE) TO ({end})")
    for table in ("audit", "audit_rest"):  # the part with what was before has it
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY organisation_wall ON {table} USING {WALL}")
