"""Asking a person who is logged in for the password again: a stolen session must not be enough to take an account."""

from __future__ import annotations

import asyncio

from impetus.governance.passwords import Passwords
from impetus.governance.settings import ThrottleSettings
from impetus.governance.throttle import ThrottleKind, after_failure, check
from impetus.model import Clock, NotAllowed, User
from impetus.store import Store


class PasswordProof:
    """Guessing is slowed down as at log-in, and counts there too."""

    def __init__(self, store: Store, clock: Clock, passwords: Passwords, settings: ThrottleSettings) -> None:
        self._store = store
        self._clock = clock
        self._passwords = passwords
        self._settings = settings
        self._turn = asyncio.Lock()

    async def require(self, user: User, password: str) -> None:
        """Raises `NotAllowed` for a wrong password and `LogInThrottled` after too many."""
        # One at a time: or else a thousand at once would all be let through before the first of them has failed.
        async with self._turn:
            now = self._clock.now()
            async with self._store.view() as view:
                record = await view.throttles.find_in_installation(ThrottleKind.NAME, user.name)
                check(record, now, self._settings)
                credentials = await view.users.credentials(user.tenant, user.id)
            if await self._passwords.verify(credentials.password_hash if credentials else None, password):
                return
            async with self._store.transaction() as transaction:
                record = await transaction.throttles.find_in_installation(ThrottleKind.NAME, user.name)
                failed = after_failure(record, ThrottleKind.NAME, user.name, now, self._settings)
                await transaction.throttles.put_in_installation(failed)
        raise NotAllowed("the present password is wrong", hint="Type it again.")
