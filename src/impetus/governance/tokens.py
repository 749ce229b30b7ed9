"""Tokens: long-lived keys with which machines, and persons' own programs, come."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from impetus.governance import audit
from impetus.governance.principal import Principal, principal_of
from impetus.governance.roles import MACHINE_PERMISSIONS
from impetus.governance.sessions import SECRET_BYTES, TOUCH_S, secret_hash
from impetus.model import (
    Clock,
    Conflict,
    InvalidInput,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Permission,
    Unavailable,
    new_id,
)
from impetus.store import Store, TokenRecord

PREFIX: Final = "imp_"
"""Lets scanners for leaked secrets recognise a token."""
LONGEST_OVERLAP: Final = timedelta(days=7)
"""How long a token that was rotated may go on beside the new one."""


class Tokens:
    """Makes tokens and knows who is behind one."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create_machine(
        self,
        by: Principal,
        title: str,
        scopes: Collection[Permission],
        *,
        tenant: str | None = None,
        expires: datetime | None = None,
    ) -> tuple[TokenRecord, str]:
        """A token of a machine of the own organisation, and its secret, which is shown this once.

        `tenant` is for the installation's command line. Raises `NotAllowed`, and `InvalidInput` for scopes that a
        machine cannot have: a machine never decides.
        """
        by.require(Permission.ADMINISTRATION)
        tenant = tenant or by.tenant
        if tenant != by.tenant and not by.installation:
            raise NotAllowed("a token is made within the own organisation only")
        refused = sorted(scope.value for scope in set(scopes) - MACHINE_PERMISSIONS)
        if refused:
            raise InvalidInput(
                f"a machine cannot have {', '.join(refused)}", hint="Decisions are a person's: use a personal token."
            )
        return await self._create(by, tenant, title, scopes, None, expires)

    async def create_personal(
        self,
        by: Principal,
        title: str,
        scopes: Collection[Permission] | None = None,
        *,
        expires: datetime | None = None,
    ) -> tuple[TokenRecord, str]:
        """A token of the person who asks, with all that the role grants or with `scopes`, and its secret.

        Raises `NotAllowed` for machines, and `InvalidInput` for scopes that the person does not have.
        """
        if by.user is None:
            raise NotAllowed("a personal token is made by the person", hint="Log in first.")
        wanted = by.permissions if scopes is None else frozenset(scopes)
        refused = sorted(scope.value for scope in wanted - by.permissions)
        if refused:
            raise InvalidInput(f"you do not have {', '.join(refused)} yourself")
        return await self._create(by, by.tenant, title, wanted, by.user.id, expires)

    async def list(self, by: Principal) -> Sequence[TokenRecord]:
        """The organisation's tokens for an administrator, one's own for anybody else; newest first."""
        async with self._store.view() as view:
            tokens = await view.tokens.list(by.tenant)
        if by.may(Permission.ADMINISTRATION):
            return tokens
        return [token for token in tokens if by.user is not None and token.user == by.user.id]

    async def revoke(self, by: Principal, id: str) -> TokenRecord:
        """End a token: an administrator any of the organisation, a person one's own. Raises `NotAllowed` and
        `NotFound`."""
        if id not in {token.id for token in await self.list(by)}:
            by.require(Permission.ADMINISTRATION)
        now = self._clock.now()
        async with self._store.transaction() as transaction:
            token = await transaction.tokens.revoke(by.tenant, id, now)
            await audit.append(
                transaction, tenant=by.tenant, time=now, actor=by.actor, action="token.revoke", subject=f"token:{id}"
            )
        return token

    async def rotate(
        self, by: Principal, id: str, *, tenant: str | None = None, overlap: timedelta = LONGEST_OVERLAP
    ) -> tuple[TokenRecord, str]:
        """A token like this one with a secret of its own, which is shown this once; the old one ends after `overlap`,
        so that its machine can be given the new one meanwhile.

        An administrator rotates a machine's, a person who is logged in one's own; no token itself, or else whoever
        found a lost one would go on with another after it was revoked. `tenant` is for the installation's command
        line. Raises `Conflict` for a token that has ended, `InvalidInput`, `NotAllowed` and `NotFound`.
        """
        if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
            raise InvalidInput(f"both are good for at most {LONGEST_OVERLAP.days} days", hint="Choose a shorter time.")
        tenant = tenant or by.tenant
        if tenant != by.tenant and not by.installation:
            raise NotAllowed("a token is made within the own organisation only")
        now = self._clock.now()
        async with self._store.transaction() as transaction:
            found = {token.id: token for token in await transaction.tokens.list(tenant)}.get(id)
            if found is None or found.user is None:
                by.require(Permission.ADMINISTRATION)
            elif by.user is None or found.user != by.user.id or by.token is not None:
                raise NotAllowed("a personal token is replaced by the person who is logged in, and by nobody else")
            if found is None:
                raise NotFound(f"there is no token {id}", hint="It may belong to another organisation.")
            if not found.good_at(now):
                raise Conflict("the token has ended", hint="Make a new one.")
            expires = None if found.expires is None else now + (found.expires - found.created)
            new, secret = self._new(by, found.tenant, found.title, found.scopes, found.user, expires)
            ends = now + overlap if found.expires is None else min(found.expires, now + overlap)
            await transaction.tokens.add(new)
            await transaction.tokens.end(found.tenant, id, ends)
            await audit.append(
                transaction,
                tenant=found.tenant,
                time=now,
                actor=by.actor,
                action="token.rotate",
                subject=f"token:{id}",
                detail={"new": new.id, "old_ends": ends.isoformat()},
            )
        return new, secret

    async def authenticate(self, secret: str, *, touch: bool = True) -> Principal:
        """Who is behind a token. Raises `NotAuthenticated`. Without `touch` this does not count as use."""
        refused = NotAuthenticated("there is no such token, or it has ended", hint="Ask for a new one.")
        if not secret.startswith(PREFIX):
            raise refused
        now = self._clock.now()
        async with self._store.view() as view:
            found = await view.tokens.find_in_installation(secret_hash(secret))
        if found is None:
            raise refused
        token, user = found
        if not token.good_at(now):
            raise refused
        if user is not None:
            principal = principal_of(user, scopes=token.scopes)
        else:
            permissions = frozenset(token.scopes) & MACHINE_PERMISSIONS
            principal = Principal(tenant=token.tenant, permissions=permissions, machine=token.title)
        if touch and (token.used is None or abs((now - token.used).total_seconds()) >= TOUCH_S):
            # A full disk must not keep anybody from looking.
            with contextlib.suppress(Unavailable):
                async with self._store.transaction() as transaction:
                    await transaction.tokens.touch(token.tenant, token.id, now)
        return principal.model_copy(update={"token": token.id})

    async def _create(
        self,
        by: Principal,
        tenant: str,
        title: str,
        scopes: Collection[Permission],
        user: str | None,
        expires: datetime | None,
    ) -> tuple[TokenRecord, str]:
        now = self._clock.now()
        if expires is not None and expires <= now:
            raise InvalidInput("the token would have ended already", hint="Give a time that is to come.")
        if not scopes:
            raise InvalidInput("a token that may do nothing is of no use", hint="Name at least one scope.")
        token, secret = self._new(by, tenant, title, scopes, user, expires)
        async with self._store.transaction() as transaction:
            await transaction.organisations.get(tenant)
            await transaction.tokens.add(token)
            await audit.append(
                transaction,
                tenant=tenant,
                time=now,
                actor=by.actor,
                action="token.create",
                subject=f"token:{token.id}",
                detail={"title": title, "scopes": [scope.value for scope in token.scopes], "user": user},
            )
        return token, secret

    def _new(
        self,
        by: Principal,
        tenant: str,
        title: str,
        scopes: Collection[Permission],
        user: str | None,
        expires: datetime | None,
    ) -> tuple[TokenRecord, str]:
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        token = TokenRecord(
            id=new_id(),
            hash=secret_hash(secret),
            tenant=tenant,
            title=title,
            scopes=tuple(sorted(set(scopes))),
            user=user,
            created=self._clock.now(),
            created_by=by.name,
            expires=expires,
        )
        return token, secret
