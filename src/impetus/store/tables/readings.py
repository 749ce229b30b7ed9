"""The readings, in a file of their own with SQLite (docs/adr/0003)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, String, Table, UniqueConstraint

from impetus.store.tables.columns import RowNumber, readings_metadata

series = Table(
    "series",
    readings_metadata,
    Column("number", RowNumber, primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("datastream", String(128), nullable=False),
    UniqueConstraint("tenant", "datastream"),
)
"""Gives each datastream that was ever read a small number, which stands in every reading instead of two texts."""

reading = Table(
    "reading",
    readings_metadata,
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("time_us", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Double, nullable=False),
    sqlite_with_rowid=False,
)

latest_reading = Table(
    "latest_reading",
    readings_metadata,
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("time_us", BigInteger, nullable=False),
    Column("value", Double, nullable=False),
)

expectation = Table(
    "expectation",
    readings_metadata,
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("time_us", BigInteger, primary_key=True, autoincrement=False),
    Column("low", Double, nullable=False),
    Column("middle", Double, nullable=False),
    Column("high", Double, nullable=False),
    Column("score", Double, nullable=False),
    sqlite_with_rowid=False,
)
