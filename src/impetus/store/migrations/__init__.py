"""The tables' history: Alembic revisions for the two groups of tables, run in code when a store is opened."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text

from impetus.model import ConfigurationError
from impetus.store.database import Database
from impetus.store.tables import metadata, readings_metadata

ADVISORY_LOCK: Final = 0x696D706574757300
"""PostgreSQL: whoever holds it may change tables."""


@dataclass(frozen=True, slots=True)
class Group:
    """Tables that have their revisions in common."""

    name: str
    metadata: MetaData

    @property
    def version_table(self) -> str:
        """Where Alembic notes the revision that the database has."""
        return f"{self.name}_revision"


STORE: Final = Group("store", metadata)
READINGS: Final = Group("readings", readings_metadata)


async def migrate(database: Database, group: Group, *, revision: str = "head") -> None:
    """Bring the tables of a group up to date, or to an earlier `revision`, as tests of updates want them. All or
    nothing; any number of processes may do it at once.

    Raises `ConfigurationError` when a newer version of impetus wrote the tables.
    """
    config = _config(group)
    script = await asyncio.to_thread(ScriptDirectory.from_config, config)
    wanted = await asyncio.to_thread(_wanted, script, revision)
    # A dozen processes open a store at once, and almost always there is nothing to do: then nobody waits for the
    # others, nor for who is writing.
    async with database.read(across=True) as connection:
        if await connection.run_sync(_heads, group) == wanted:
            return
    async with database.write() as connection:
        await connection.run_sync(_migrate, group, config, script, revision)


def _config(group: Group) -> Config:
    config = Config()
    folder = Path(__file__).parent
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("version_locations", str(folder / group.name).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config


def _wanted(script: ScriptDirectory, revision: str) -> tuple[str, ...]:
    return tuple(one.revision for one in script.get_revisions(revision))


def _heads(connection: Connection, group: Group) -> tuple[str, ...]:
    return MigrationContext.configure(connection, opts={"version_table": group.version_table}).get_current_heads()


def _migrate(connection: Connection, group: Group, config: Config, script: ScriptDirectory, revision: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ADVISORY_LOCK})
    known = {revision.revision for revision in script.walk_revisions()}
    found = _heads(connection, group)
    unknown = [revision for revision in found if revision not in known]
    if unknown:
        raise ConfigurationError(
            f"a newer version of impetus wrote this store (its {group.name} tables have revision {unknown[0]})",
            hint="Run that version or a later one, or restore the backup that was made before the update.",
        )

    config.attributes.update(connection=connection, target_metadata=group.metadata, version_table=group.version_table)
    command.upgrade(config, revision)
