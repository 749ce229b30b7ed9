"""Alembic runs this; `impetus.store.migrations.migrate` has put what it needs into the attributes."""

from alembic import context

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    target_metadata=attributes["target_metadata"],
    version_table=attributes["version_table"],
)
context.run_migrations()
