"""Readings and expectations in parts by time, on PostgreSQL. See `impetus.store.partitions`."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

DAY_US = 86_400 * 1_000_000


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    now_us = int(time.time() * 1e6)
    end = now_us - now_us % DAY_US + DAY_US
    for table in ("reading", "expectation"):
        before = f"{table}_before"
        op.execute(f"ALTER TABLE {table} RENAME TO {before}")
        op.execute(f"ALTER INDEX pk_{table} RENAME TO pk_{before}")
        op.execute(f"CREATE TABLE {table} (LIKE {before} INCLUDING DEFAULTS) PARTITION BY RANGE (time_us)")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY (series, time_us)")
        op.execute(f"CREATE TABLE {table}_rest PARTITION OF {table} DEFAULT")
        # What was there before is not copied: it is one part. Only what is said to be of later goes to the rest.
        moved = f"WITH moved AS (DELETE FROM {before} WHERE time_us >= {end} RETURNING *) "  # noqa: S608
        connection.execute(sa.text(f"{moved} INSERT INTO {table}_rest SELECT * FROM moved"))  # noqa: S608
        op.execute(f"ALTER TABLE {table} ATTACH PARTITION {before} FOR VALUES FROM (MINVALUE) TO ({end})")
