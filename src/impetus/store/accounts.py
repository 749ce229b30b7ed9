"""Organisations, their users, and what users and machines log in with.

Methods whose name ends in `_in_installation` look past one organisation; only logging in and administration of the
installation use them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from impetus.model import Conflict, NotFound, Permission, Role, Tenant, User
from impetus.store.database import changed_rows, insert_if_absent, insert_or_replace
from impetus.store.records import (
    IdentityRecord,
    PasskeyRecord,
    SecondFactorRecord,
    SessionRecord,
    ThrottleRecord,
    TokenRecord,
    UserCredentials,
)
from impetus.store.tables import identity as identity_table
from impetus.store.tables import organisation as organisation_table
from impetus.store.tables import passkey as passkey_table
from impetus.store.tables import second_factor as second_factor_table
from impetus.store.tables import session as session_table
from impetus.store.tables import throttle as throttle_table
from impetus.store.tables import token as token_table
from impetus.store.tables import user_account as user_table

ACTIVE_USER = user_table.join(
    organisation_table,
    and_(
        user_table.c.tenant == organisation_table.c.id,
        user_table.c.active.is_(True),
        organisation_table.c.active.is_(True),
    ),
)

PREFIXED_USER_COLUMNS = tuple(
    column.label(f"user_{column.name}") for column in user_table.columns if column.name != "password_hash"
)


class OrganisationRepository:
    """Organisations (tenants)."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, organisation: Tenant) -> None:
        """Keep a new organisation. Raises `Conflict` if the id is taken."""
        statement = insert_if_absent(self._connection, organisation_table).values(organisation.model_dump())
        if not await changed_rows(self._connection, statement):
            raise Conflict(f"there is an organisation {organisation.id!r} already", hint="Choose another id.")

    async def find(self, tenant: str) -> Tenant | None:
        """The organisation, if there is one."""
        result = await self._connection.execute(select(organisation_table).where(organisation_table.c.id == tenant))
        row = result.mappings().one_or_none()
        return None if row is None else Tenant(**row)

    async def get(self, tenant: str) -> Tenant:
        """The organisation. Raises `NotFound`."""
        organisation = await self.find(tenant)
        if organisation is None:
            raise NotFound(f"there is no organisation {tenant!r}")
        return organisation

    async def change(self, organisation: Tenant) -> None:
        """Replace name and activity. Raises `NotFound`."""
        statement = (
            update(organisation_table)
            .where(organisation_table.c.id == organisation.id)
            .values(name=organisation.name, active=organisation.active)
        )
        if not await changed_rows(self._connection, statement):
            raise NotFound(f"there is no organisation {organisation.id!r}")

    async def list_in_installation(self) -> Sequence[Tenant]:
        """All organisations, by id."""
        rows = await self._connection.execute(select(organisation_table).order_by(organisation_table.c.id))
        return [Tenant(**row) for row in rows.mappings()]


class UserRepository:
    """People with an account."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, user: User, password_hash: str) -> None:
        """Keep a new user. Raises `Conflict` if the name is taken and `NotFound` for an unknown organisation."""
        if await OrganisationRepository(self._connection).find(user.tenant) is None:
            raise NotFound(f"there is no organisation {user.tenant!r}", hint="Create the organisation first.")
        row = user.model_dump() | {"role": user.role.value, "password_hash": password_hash}
        if not await changed_rows(self._connection, insert_if_absent(self._connection, user_table).values(row)):
            raise Conflict(f"there is a user {user.name!r} already", hint="Choose another name.")

    async def find(self, tenant: str, id: str) -> User | None:
        """The user, if this organisation has it."""
        found = await self.credentials(tenant, id)
        return None if found is None else found.user

    async def get(self, tenant: str, id: str) -> User:
        """The user. Raises `NotFound`, also when it is of another organisation."""
        user = await self.find(tenant, id)
        if user is None:
            raise NotFound(f"there is no user {id}", hint="The account may belong to another organisation.")
        return user

    async def credentials(self, tenant: str, id: str) -> UserCredentials | None:
        """The user with the password's hash."""
        query = select(user_table).where(user_table.c.tenant == tenant, user_table.c.id == id)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else _credentials(row)

    async def list(self, tenant: str) -> Sequence[User]:
        """All users of the organisation, by name, those who may no longer log in too."""
        query = select(user_table).where(user_table.c.tenant == tenant).order_by(user_table.c.name)
        return [_credentials(row).user for row in (await self._connection.execute(query)).mappings()]

    async def change(self, user: User) -> None:
        """Replace full name, role, language and activity. Raises `NotFound`."""
        await self._update(
            user.tenant,
            user.id,
            full_name=user.full_name,
            role=user.role.value,
            language=user.language,
            active=user.active,
        )

    async def set_password_hash(self, tenant: str, id: str, password_hash: str) -> None:
        """Replace the password's hash. Raises `NotFound`."""
        await self._update(tenant, id, password_hash=password_hash)

    async def find_by_name_in_installation(self, name: str) -> UserCredentials | None:
        """The user with this log-in name, of whatever organisation."""
        row = (
            (await self._connection.execute(select(user_table).where(user_table.c.name == name)))
            .mappings()
            .one_or_none()
        )
        return None if row is None else _credentials(row)

    async def _update(self, tenant: str, id: str, **values: object) -> None:
        statement = update(user_table).where(user_table.c.tenant == tenant, user_table.c.id == id).values(**values)
        if not await changed_rows(self._connection, statement):
            raise NotFound(f"there is no user {id}", hint="The account may belong to another organisation.")


class SessionRepository:
    """Log-ins under way."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, session: SessionRecord) -> None:
        """Keep a new session."""
        await self._connection.execute(insert(session_table).values(session.model_dump()))

    async def find_in_installation(self, sha256: str) -> tuple[SessionRecord, User] | None:
        """The session whose secret has this SHA-256 and its person, if account and organisation are active."""
        query = select(session_table, *PREFIXED_USER_COLUMNS).join(ACTIVE_USER, session_table.c.user == user_table.c.id)
        query = query.where(session_table.c.hash == sha256)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        if row is None:
            return None
        return SessionRecord(**{column.name: row[column.name] for column in session_table.columns}), _prefixed_user(row)

    async def touch(self, tenant: str, sha256: str, used: datetime) -> None:
        """Note that it was used; a session that is gone stays gone."""
        await self._connection.execute(
            update(session_table)
            .where(session_table.c.tenant == tenant, session_table.c.hash == sha256)
            .values(used=used)
        )

    async def note_second_factor(self, tenant: str, sha256: str) -> None:
        """Note that the person of this session has shown a second factor."""
        await self._connection.execute(
            update(session_table)
            .where(session_table.c.tenant == tenant, session_table.c.hash == sha256)
            .values(second_factor=True)
        )

    async def revoke(self, tenant: str, sha256: str) -> bool:
        """End one session; false if there was none."""
        statement = delete(session_table).where(session_table.c.tenant == tenant, session_table.c.hash == sha256)
        return await changed_rows(self._connection, statement) > 0

    async def revoke_user(self, tenant: str, user: str) -> int:
        """End all sessions of a user; how many there were."""
        statement = delete(session_table).where(session_table.c.tenant == tenant, session_table.c.user == user)
        return await changed_rows(self._connection, statement)

    async def revoke_others(self, tenant: str, user: str, sha256: str) -> int:
        """End all sessions of a user but this one; how many there were."""
        statement = delete(session_table).where(
            session_table.c.tenant == tenant, session_table.c.user == user, session_table.c.hash != sha256
        )
        return await changed_rows(self._connection, statement)

    async def revoke_tenant(self, tenant: str) -> int:
        """End all sessions of an organisation; how many there were."""
        return await changed_rows(self._connection, delete(session_table).where(session_table.c.tenant == tenant))

    async def forget_expired_in_installation(self, now: datetime, used_before: datetime) -> int:
        """Remove sessions past their end or unused since `used_before`; how many."""
        statement = delete(session_table).where(
            (session_table.c.expires <= now) | (session_table.c.used <= used_before)
        )
        return await changed_rows(self._connection, statement)


class SecondFactorRepository:
    """Second factors of people."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(self, record: SecondFactorRecord) -> None:
        """Keep the record in place of the person's former one."""
        row = record.model_dump() | {"recovery": json.dumps(record.recovery)}
        await self._connection.execute(insert_or_replace(self._connection, second_factor_table).values(row))

    async def find(self, tenant: str, user: str, *, to_change: bool = False) -> SecondFactorRecord | None:
        """What the person has, confirmed or not; `to_change` holds it for this transaction, so that two log-ins at
        once do not both use one code."""
        query = select(second_factor_table).where(
            second_factor_table.c.tenant == tenant, second_factor_table.c.user == user
        )
        if to_change:
            query = query.with_for_update()
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return (
            None if row is None else SecondFactorRecord(**dict(row) | {"recovery": tuple(json.loads(row["recovery"]))})
        )

    async def remove(self, tenant: str, user: str) -> bool:
        """Forget it; false if there was none."""
        statement = delete(second_factor_table).where(
            second_factor_table.c.tenant == tenant, second_factor_table.c.user == user
        )
        return await changed_rows(self._connection, statement) > 0

    async def list_in_installation(self) -> Sequence[SecondFactorRecord]:
        """All of all organisations, to seal them anew."""
        rows = (await self._connection.execute(select(second_factor_table).with_for_update())).mappings()
        return [SecondFactorRecord(**dict(row) | {"recovery": tuple(json.loads(row["recovery"]))}) for row in rows]

    async def holders(self, tenant: str) -> frozenset[str]:
        """The organisation's people who have a confirmed one."""
        query = select(second_factor_table.c.user).where(
            second_factor_table.c.tenant == tenant, second_factor_table.c.confirmed.is_not(None)
        )
        return frozenset((await self._connection.execute(query)).scalars())


class PasskeyRepository:
    """Passkeys of people."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: PasskeyRecord) -> None:
        """Keep a new one. Raises `Conflict` if it is somebody's already."""
        statement = insert_if_absent(self._connection, passkey_table).values(record.model_dump())
        if not await changed_rows(self._connection, statement):
            raise Conflict("this passkey is known already", hint="Use another key, or take the other one away first.")

    async def list(self, tenant: str, user: str) -> Sequence[PasskeyRecord]:
        """The person's, oldest first."""
        query = (
            select(passkey_table)
            .where(passkey_table.c.tenant == tenant, passkey_table.c.user == user)
            .order_by(passkey_table.c.created, passkey_table.c.id)
        )
        return [PasskeyRecord(**row) for row in (await self._connection.execute(query)).mappings()]

    async def find_in_installation(self, id: str, *, to_change: bool = False) -> PasskeyRecord | None:
        """A passkey of whatever organisation; `to_change` holds it for this transaction, so that of two log-ins at once
        with one answer one comes in."""
        query = select(passkey_table).where(passkey_table.c.id == id)
        if to_change:
            query = query.with_for_update()
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else PasskeyRecord(**row)

    async def note_use(self, record: PasskeyRecord) -> None:
        """Keep count, challenge and time of its last use."""
        await self._connection.execute(
            update(passkey_table)
            .where(passkey_table.c.tenant == record.tenant, passkey_table.c.id == record.id)
            .values(uses=record.uses, used=record.used, last_challenge=record.last_challenge)
        )

    async def remove(self, tenant: str, user: str, id: str) -> bool:
        """Forget one; false if the person has none such."""
        statement = delete(passkey_table).where(
            passkey_table.c.tenant == tenant, passkey_table.c.user == user, passkey_table.c.id == id
        )
        return await changed_rows(self._connection, statement) > 0

    async def remove_user(self, tenant: str, user: str) -> int:
        """Forget all of a person; how many."""
        statement = delete(passkey_table).where(passkey_table.c.tenant == tenant, passkey_table.c.user == user)
        return await changed_rows(self._connection, statement)

    async def holders(self, tenant: str) -> frozenset[str]:
        """The organisation's people who have one."""
        query = select(passkey_table.c.user).where(passkey_table.c.tenant == tenant)
        return frozenset((await self._connection.execute(query)).scalars())


class IdentityRepository:
    """Which account a person of the single sign-on has."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, record: IdentityRecord) -> None:
        """Keep it. Raises `Conflict` when the identity, or the account, has another one already."""
        statement = insert_if_absent(self._connection, identity_table).values(record.model_dump())
        if not await changed_rows(self._connection, statement):
            raise Conflict("this person or this account is joined to another one already")

    async def find_in_installation(self, issuer: str, subject: str) -> IdentityRecord | None:
        """The account of a person, of whatever organisation."""
        query = select(identity_table).where(identity_table.c.issuer == issuer, identity_table.c.subject == subject)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else IdentityRecord(**row)


class TokenRepository:
    """Long-lived keys of machines and persons."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, token: TokenRecord) -> None:
        """Keep a new token. Raises `Conflict` if its id is taken."""
        row = token.model_dump() | {"scopes": json.dumps([scope.value for scope in token.scopes])}
        try:
            async with self._connection.begin_nested():
                await self._connection.execute(insert(token_table).values(row))
        except IntegrityError as error:
            raise Conflict(f"the token {token.id} cannot be kept: its id is taken or its user is unknown") from error

    async def list(self, tenant: str) -> Sequence[TokenRecord]:
        """All tokens of the organisation, newest first, revoked ones too."""
        query = select(token_table).where(token_table.c.tenant == tenant)
        query = query.order_by(token_table.c.created.desc(), token_table.c.id)
        return [_token(row) for row in (await self._connection.execute(query)).mappings()]

    async def find_in_installation(self, sha256: str) -> tuple[TokenRecord, User | None] | None:
        """The token whose secret has this SHA-256, and its person if it is a personal one; only if the organisation
        is active and, for a personal one, the account is."""
        query = (
            select(token_table, *PREFIXED_USER_COLUMNS)
            .join(organisation_table, token_table.c.tenant == organisation_table.c.id)
            .outerjoin(user_table, and_(token_table.c.user == user_table.c.id, user_table.c.active.is_(True)))
            .where(token_table.c.hash == sha256, organisation_table.c.active.is_(True))
        )
        row = (await self._connection.execute(query)).mappings().one_or_none()
        if row is None or (row["user"] is not None and row["user_id"] is None):
            return None
        token = _token({column.name: row[column.name] for column in token_table.columns})
        return token, None if row["user"] is None else _prefixed_user(row)

    async def touch(self, tenant: str, id: str, used: datetime) -> None:
        """Note that it was used."""
        await self._connection.execute(
            update(token_table).where(token_table.c.tenant == tenant, token_table.c.id == id).values(used=used)
        )

    async def revoke(self, tenant: str, id: str, revoked: datetime) -> TokenRecord:
        """End a token; one that has ended keeps its first time. Raises `NotFound`."""
        mine = (token_table.c.tenant == tenant) & (token_table.c.id == id)
        await self._connection.execute(
            update(token_table).where(mine, token_table.c.revoked.is_(None)).values(revoked=revoked)
        )
        row = (await self._connection.execute(select(token_table).where(mine))).mappings().one_or_none()
        if row is None:
            raise NotFound(f"there is no token {id}", hint="It may belong to another organisation.")
        return _token(row)

    async def end(self, tenant: str, id: str, expires: datetime) -> None:
        """Let a token end at this time."""
        await self._connection.execute(
            update(token_table).where(token_table.c.tenant == tenant, token_table.c.id == id).values(expires=expires)
        )

    async def revoke_user(self, tenant: str, user: str, revoked: datetime) -> int:
        """End all personal tokens of a user; how many were still good."""
        statement = (
            update(token_table)
            .where(token_table.c.tenant == tenant, token_table.c.user == user, token_table.c.revoked.is_(None))
            .values(revoked=revoked)
        )
        return await changed_rows(self._connection, statement)


class ThrottleRepository:
    """Failed log-ins by name and by address; they belong to no organisation, since nobody is known yet."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def find_in_installation(self, kind: str, key: str) -> ThrottleRecord | None:
        """How logging in failed for this name or address so far."""
        query = select(throttle_table).where(throttle_table.c.kind == kind, throttle_table.c.key == key)
        row = (await self._connection.execute(query)).mappings().one_or_none()
        return None if row is None else ThrottleRecord(**row)

    async def put_in_installation(self, record: ThrottleRecord) -> None:
        """Keep the record in place of the one with the same kind and key."""
        statement = insert_or_replace(self._connection, throttle_table).values(record.model_dump())
        await self._connection.execute(statement)

    async def remove_in_installation(self, kind: str, key: str) -> None:
        """Forget what failed for this name or address."""
        await self._connection.execute(
            delete(throttle_table).where(throttle_table.c.kind == kind, throttle_table.c.key == key)
        )

    async def forget_in_installation(self, before: datetime) -> int:
        """Remove records whose last failure is older; how many."""
        statement = delete(throttle_table).where(
            throttle_table.c.last_failure < before, throttle_table.c.blocked_until < before
        )
        return await changed_rows(self._connection, statement)


def _prefixed_user(row: RowMapping) -> User:
    values = {name.removeprefix("user_"): value for name, value in row.items() if name.startswith("user_")}
    return User(**values | {"role": Role(row["user_role"])})


def _credentials(row: RowMapping) -> UserCredentials:
    values = dict(row)
    password_hash = values.pop("password_hash")
    return UserCredentials(user=User(**values | {"role": Role(row["role"])}), password_hash=password_hash)


def _token(row: RowMapping | Mapping[str, Any]) -> TokenRecord:
    scopes = tuple(Permission(scope) for scope in json.loads(row["scopes"]))
    return TokenRecord(**dict(row) | {"scopes": scopes})
