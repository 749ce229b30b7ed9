"""Logging in and out, and who is behind a session's secret."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from weakref import WeakValueDictionary

from impetus.governance import audit, second_factor, throttle
from impetus.governance.passkeys import Passkeys, Site
from impetus.governance.passwords import Passwords
from impetus.governance.principal import Principal, principal_of
from impetus.governance.sealing import Seal
from impetus.governance.second_factor import SecondFactorNeeded
from impetus.governance.settings import AccessSettings
from impetus.governance.throttle import ThrottleKind
from impetus.model import SYSTEM_TENANT, Clock, NotAuthenticated, Unavailable, User
from impetus.store import SessionRecord, Store, Transaction, UserCredentials

SECRET_BYTES: Final = 32
TOUCH_S: Final = 60.0
"""The last use of a session or a token is noted this often, not with each request."""

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


@dataclass(frozen=True, slots=True)
class LogIn:
    """A log-in that succeeded."""

    secret: str
    """Goes into the cookie and nowhere else; only its SHA-256 is kept."""
    csrf: str
    user: User
    expires: datetime


class Sessions:
    """Sessions of people."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        passwords: Passwords,
        passkeys: Passkeys,
        seal: Seal,
        settings: AccessSettings,
    ) -> None:
        self._store = store
        self._clock = clock
        self._passwords = passwords
        self._passkeys = passkeys
        self._seal = seal
        self._settings = settings
        self._turns: WeakValueDictionary[tuple[ThrottleKind, str], asyncio.Lock] = WeakValueDictionary()

    async def log_in(
        self, name: str, password: str, *, address: str, code: str = "", passkey: str = "", site: Site | None = None
    ) -> LogIn:
        """Begin a session; `address` is the network address that the attempt comes from, `code` of the second factor,
        or `passkey` what the browser said for one on the `site`.

        Raises `NotAuthenticated`, in the same words and after the same time whatever was wrong, `SecondFactorNeeded`
        after the right password of a person who has one, and `LogInThrottled`.
        """
        name = name.strip().casefold()
        keys = {ThrottleKind.ADDRESS: address[:100].replace("\0", "")}
        if NAME.fullmatch(name):
            keys[ThrottleKind.NAME] = name
        async with self._turn(keys):
            now = self._clock.now()
            async with self._store.view() as view:
                for kind, key in keys.items():
                    throttle.check(await view.throttles.find_in_installation(kind, key), now, self._settings.throttle)
                found = await view.users.find_by_name_in_installation(name) if ThrottleKind.NAME in keys else None
            right = await self._passwords.verify(found.password_hash if found else None, password)
            new_hash = None
            if right and found is not None and self._passwords.outdated(found.password_hash):
                new_hash = await self._passwords.hash(password)
            async with self._store.transaction() as transaction:
                user = await self._still_good(transaction, found) if right else None
                if user is not None:
                    asked, by = await self._second_factor(transaction, user, code, passkey, site, now)
                    if by is not None or not asked:
                        if new_hash is not None:
                            await transaction.users.set_password_hash(user.tenant, user.id, new_hash)
                        return await self.begin(transaction, user, address, now, by=by)
                # Whoever has the password and did not know that a code is asked for has not failed.
                if user is None or code.strip() or passkey:
                    await self._failed(transaction, keys, found, now)
        if user is None:
            raise NotAuthenticated("name or password is wrong", hint="Check both and try again.")
        said = "a code from your app is needed as well, or your passkey"
        if code.strip() or passkey:
            said = "the code or passkey is wrong, or was used already"
        raise SecondFactorNeeded(
            said,
            hint="Type name, password and the newest code of your app, or a recovery code, or use your passkey.",
        )

    async def log_in_with_passkey(self, passkey: str, site: Site, *, address: str) -> LogIn:
        """Begin a session with a passkey alone, which has verified the person itself.

        Raises `NotAuthenticated`, in the same words whatever was wrong, and `LogInThrottled`.
        """
        keys = {ThrottleKind.ADDRESS: address[:100].replace("\0", "")}
        async with self._turn(keys):
            now = self._clock.now()
            async with self._store.view() as view:
                for kind, key in keys.items():
                    throttle.check(await view.throttles.find_in_installation(kind, key), now, self._settings.throttle)
            async with self._store.transaction() as transaction:
                used = await self._passkeys.shown(transaction, passkey, site, alone=True)
                user = None if used is None else await active_user(transaction, used.tenant, used.user)
                if used is not None and user is not None:
                    await transaction.passkeys.note_use(used)
                    return await self.begin(transaction, user, address, now, by="passkey")
                await self._failed(transaction, keys, None, now)
        raise NotAuthenticated(
            "this passkey does not let you in alone",
            hint="Type name and password as well, or use one that asks for your finger, face or PIN.",
        )

    async def _second_factor(
        self, transaction: Transaction, user: User, code: str, passkey: str, site: Site | None, now: datetime
    ) -> tuple[bool, str | None]:
        """Whether the person is asked for one, and which was shown: `code`, `recovery-code` or `passkey`."""
        factor = await transaction.second_factors.find(user.tenant, user.id, to_change=True)
        by_code = factor is not None and factor.confirmed is not None
        if factor is not None and by_code and code.strip():
            used = second_factor.shown(factor, code, now, self._seal)
            if used is not None:
                await transaction.second_factors.put(used[0])
                return True, used[1]
        if passkey and site is not None:
            shown = await self._passkeys.shown(transaction, passkey, site, alone=False)
            if shown is not None and (shown.tenant, shown.user) == (user.tenant, user.id):
                await transaction.passkeys.note_use(shown)
                return True, "passkey"
        return by_code or bool(await transaction.passkeys.list(user.tenant, user.id)), None

    async def authenticate(self, secret: str, *, touch: bool = True) -> Principal:
        """Who is behind the secret of a session's cookie. Raises `NotAuthenticated`.

        Without `touch` this does not count as use, so that a screen that nobody sits at lets the session end.
        """
        now = self._clock.now()
        sha256 = secret_hash(secret)
        async with self._store.view() as view:
            found = await view.sessions.find_in_installation(sha256)
        refused = NotAuthenticated("there is no such session, or it has ended", hint="Log in again.")
        if found is None:
            raise refused
        session, user = found
        if now >= session.expires or now - session.used >= timedelta(seconds=self._settings.session.idle_s):
            raise refused
        if touch and abs((now - session.used).total_seconds()) >= TOUCH_S:
            # A full disk must not keep people from looking.
            with contextlib.suppress(Unavailable):
                async with self._store.transaction() as transaction:
                    await transaction.sessions.touch(session.tenant, sha256, now)
        missing = user.role in self._settings.second_factor_roles and not session.second_factor
        principal = principal_of(user, scopes=()) if missing else principal_of(user)
        return principal.model_copy(update={"session": sha256, "csrf": session.csrf, "second_factor_missing": missing})

    async def log_out(self, principal: Principal) -> None:
        """End the session that the principal came with."""
        if principal.session is None:
            return
        async with self._store.transaction() as transaction:
            if await transaction.sessions.revoke(principal.tenant, principal.session):
                await audit.append(
                    transaction,
                    tenant=principal.tenant,
                    time=self._clock.now(),
                    actor=principal.actor,
                    action="session.end",
                    subject=principal.actor,
                )

    async def forget_expired(self) -> int:
        """Remove sessions that have ended and failed log-ins that no longer count; how many. To be called now and
        then."""
        now = self._clock.now()
        async with self._store.transaction() as transaction:
            sessions = await transaction.sessions.forget_expired_in_installation(
                now, now - timedelta(seconds=self._settings.session.idle_s)
            )
            return sessions + await transaction.throttles.forget_in_installation(
                now - timedelta(seconds=self._settings.throttle.forget_s)
            )

    @asynccontextmanager
    async def _turn(self, keys: dict[ThrottleKind, str]) -> AsyncIterator[None]:
        # One attempt at a time for a name and for an address: or else a thousand at once would all be let through
        # before the first of them has failed. Addresses come first everywhere, so nobody waits in a circle.
        async with AsyncExitStack() as stack:
            for kind in (ThrottleKind.ADDRESS, ThrottleKind.NAME):
                if kind in keys:
                    lock = self._turns.setdefault((kind, keys[kind]), asyncio.Lock())
                    await stack.enter_async_context(lock)
            yield

    async def _still_good(self, transaction: Transaction, found: UserCredentials | None) -> User | None:
        """The user, if account and password are still what they were when the check began."""
        if found is None:
            return None
        now = await transaction.users.credentials(found.user.tenant, found.user.id)
        if now is None or now.password_hash != found.password_hash:
            return None
        return await active_user(transaction, found.user.tenant, found.user.id)

    async def _failed(
        self,
        transaction: Transaction,
        keys: dict[ThrottleKind, str],
        found: UserCredentials | None,
        now: datetime,
    ) -> None:
        waits = {}
        for kind, key in keys.items():
            record = await transaction.throttles.find_in_installation(kind, key)
            record = throttle.after_failure(record, kind, key, now, self._settings.throttle)
            await transaction.throttles.put_in_installation(record)
            waits[kind.value] = (record.blocked_until - now).total_seconds()
        # A name that nobody has is not written down: people type their password into the wrong field.
        await audit.append(
            transaction,
            tenant=found.user.tenant if found else SYSTEM_TENANT,
            time=now,
            actor="nobody",
            action="session.refuse",
            subject=f"user:{found.user.id}" if found else "user:unknown",
            detail={"address": keys[ThrottleKind.ADDRESS], "wait_s": waits},
        )

    async def begin(
        self, transaction: Transaction, user: User, address: str, now: datetime, *, by: str | None = None
    ) -> LogIn:
        """Begin the session of a person who has shown who they are; `by` says which second factor was shown:
        `code`, `recovery-code`, `passkey`, or `single-sign-on`, whose provider asks for it."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        session = SessionRecord(
            hash=secret_hash(secret),
            tenant=user.tenant,
            user=user.id,
            csrf=secrets.token_urlsafe(SECRET_BYTES),
            created=now,
            used=now,
            expires=now + timedelta(seconds=self._settings.session.longest_s),
            second_factor=by is not None,
        )
        await transaction.sessions.add(session)
        await transaction.throttles.remove_in_installation(ThrottleKind.NAME, user.name)
        await audit.append(
            transaction,
            tenant=user.tenant,
            time=now,
            actor=f"user:{user.id}",
            action="session.begin",
            subject=f"user:{user.id}",
            detail={"address": address} | ({"second_factor": by} if by else {}),
        )
        return LogIn(secret, session.csrf, user, session.expires)


def secret_hash(secret: str) -> str:
    """SHA-256 of a secret. Secrets are random and long, so that a quick hash without salt is enough."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


async def active_user(transaction: Transaction, tenant: str, id: str) -> User | None:
    """The user, if the account and its organisation are active."""
    user = await transaction.users.find(tenant, id)
    organisation = await transaction.organisations.find(tenant)
    if user is None or not user.active or organisation is None or not organisation.active:
        return None
    return user
