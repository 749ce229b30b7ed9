"""Passwords: what they must be, and hashes that are costly to guess from (argon2id, RFC 9106)."""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from impetus.governance.settings import PasswordSettings
from impetus.model import InvalidInput

LONGEST: Final = 512
"""Characters; more is not a password but an attempt to keep the machine busy."""
FEWEST_DIFFERENT: Final = 5
AT_ONCE: Final = 2
"""Hashes computed side by side: each takes 64 MiB and all of a core."""


class Passwords:
    """Makes and checks hashes, in threads, a few at a time."""

    def __init__(self, settings: PasswordSettings) -> None:
        self._settings = settings
        self._hasher = PasswordHasher(
            time_cost=settings.passes, memory_cost=settings.memory_kib, parallelism=1, type=Type.ID
        )
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._nobody: str | None = None

    def check_rules(self, password: str, *, name: str, full_name: str = "") -> None:
        """Raises `InvalidInput` saying which rule a new password breaks."""
        if len(password) > LONGEST:
            raise InvalidInput(f"the password is longer than {LONGEST} characters", hint="Choose a shorter one.")
        plain = _normal(password)
        if len(plain) < self._settings.shortest:
            raise InvalidInput(
                f"the password is shorter than {self._settings.shortest} characters",
                hint="A few words in a row are easy to remember and hard to guess.",
            )
        folded = plain.casefold()
        own = [name.casefold(), full_name.casefold(), full_name.casefold().replace(" ", "")]
        if any(word and (word in folded or folded in word) for word in own):
            raise InvalidInput(
                "the password contains the person's name", hint="Choose one that has nothing to do with it."
            )
        if len(set(folded)) < FEWEST_DIFFERENT:
            raise InvalidInput("the password repeats a few characters", hint="Use more different characters.")

    async def hash(self, password: str) -> str:
        """A new hash with a salt of its own. Raises `InvalidInput` for what is no text."""
        plain = _normal(password)
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, plain)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is the one. With no hash it takes as long and is false, so that the time that an answer
        takes does not tell whether somebody exists."""
        if self._nobody is None:
            self._nobody = await self.hash(secrets.token_urlsafe())
        try:
            plain = _normal(password) if len(password) <= LONGEST else ""
        except InvalidInput:
            plain = ""
        async with self._turn:
            fits = await asyncio.to_thread(self._fits, password_hash or self._nobody, plain)
        return fits and password_hash is not None and bool(plain)

    def outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with other settings: then it is made anew when the person next logs in."""
        try:
            return self._hasher.check_needs_rehash(password_hash)
        except InvalidHashError:
            return True

    def _fits(self, password_hash: str, plain: str) -> bool:
        try:
            return self._hasher.verify(password_hash, plain)
        except (VerificationError, InvalidHashError):
            return False


def _normal(password: str) -> str:
    """One form for the same characters, however the keyboard makes them (Unicode NFKC, as NIST SP 800-63B says)."""
    plain = unicodedata.normalize("NFKC", password)
    try:
        plain.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("the password is not text", hint="Type it anew.") from error
    return plain
