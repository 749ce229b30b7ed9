"""What the tables have in common: two groups of them, and kinds of columns."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, MetaData, Text, TypeDecorator

from impetus.model import from_microseconds, to_microseconds

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)

readings_metadata = MetaData(naming_convention=NAMING)

RowNumber = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column that is declared as plain INTEGER."""


class Moment(TypeDecorator[datetime]):
    """A UTC time as microseconds since 1970-01-01."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_microseconds(value)


def without_nul(text: str) -> str:
    """PostgreSQL keeps no NUL character in text; it is replaced on every database, so that all behave alike."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


class FreeText(TypeDecorator[str]):
    """Text that a person or the outside world wrote."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else without_nul(value)
