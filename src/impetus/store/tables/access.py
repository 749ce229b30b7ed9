"""Who may come in: organisations, accounts, sessions, second factors, tokens."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, String, Table, Text

from impetus.store.tables.columns import FreeText, Moment, metadata

organisation = Table(
    "organisation",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", FreeText, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created", Moment, nullable=False),
)

user_account = Table(
    "user_account",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("tenant", String(64), ForeignKey("organisation.id"), nullable=False, index=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("full_name", FreeText, nullable=False),
    Column("role", String(64), nullable=False),
    Column("language", String(64), nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created", Moment, nullable=False),
    Column("password_hash", Text, nullable=False),
)

session = Table(
    "session",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("tenant", String(64), ForeignKey("organisation.id"), nullable=False),
    Column("user", String(128), ForeignKey("user_account.id"), nullable=False, index=True),
    Column("csrf", String(64), nullable=False),
    Column("created", Moment, nullable=False),
    Column("used", Moment, nullable=False),
    Column("expires", Moment, nullable=False, index=True),
    Column("second_factor", Boolean, nullable=False),
)

second_factor = Table(
    "second_factor",
    metadata,
    Column("user", String(128), ForeignKey("user_account.id"), primary_key=True),
    Column("tenant", String(64), ForeignKey("organisation.id"), nullable=False, index=True),
    Column("secret", String(255), nullable=False),
    Column("begun", Moment, nullable=False),
    Column("confirmed", Moment, nullable=True),
    Column("last_step", BigInteger, nullable=False),
    Column("recovery", Text, nullable=False),
)

passkey = Table(
    "passkey",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("user", String(128), ForeignKey("user_account.id"), nullable=False, index=True),
    Column("tenant", String(64), ForeignKey("organisation.id"), nullable=False, index=True),
    Column("credential", Text, nullable=False),
    Column("public_key", Text, nullable=False),
    Column("uses", BigInteger, nullable=False),
    Column("site", String(253), nullable=False),
    Column("title", FreeText, nullable=False),
    Column("created", Moment, nullable=False),
    Column("used", Moment, nullable=True),
    Column("last_challenge", BigInteger, nullable=False),
)

identity = Table(
    "identity",
    metadata,
    Column("issuer", String(300), primary_key=True),
    Column("subject", String(300), primary_key=True),
    Column("tenant", String(64), ForeignKey("organisation.id"), nullable=False, index=True),
    Column("user", String(128), ForeignKey("user_account.id"), nullable=False, unique=True),
)

token = Table(
    "token",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("tenant", String(64), ForeignKey("organisation.id"), nullable=False, index=True),
    Column("title", FreeText, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("user", String(128), ForeignKey("user_account.id"), nullable=True, index=True),
    Column("created", Moment, nullable=False),
    Column("created_by", FreeText, nullable=False),
    Column("expires", Moment, nullable=True),
    Column("revoked", Moment, nullable=True),
    Column("used", Moment, nullable=True),
)

throttle = Table(
    "throttle",
    metadata,
    Column("kind", String(64), primary_key=True),
    Column("key", String(300), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_failure", Moment, nullable=False, index=True),
    Column("blocked_until", Moment, nullable=False),
)
