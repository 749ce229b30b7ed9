"""Secrets that must be read again (those of authenticator apps) are kept sealed: a copy of the database tells none.

Sealed is Fernet (AES-128-CBC and HMAC-SHA256, https://github.com/fernet/spec) of the package `cryptography`. The keys
stand in a file or a setting, never in the database. The first key seals, all open: a new one is put in front, the hubs
are started again, which seals everything anew with it, and then the old one can be taken away.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from impetus.governance.settings import AccessSettings
from impetus.model import ConfigurationError, ImpetusError

FILE: Final = Path("secrets") / "access.keys"
"""In the folder of all state, where no setting names keys."""
FILE_LIMIT_BYTES: Final = 10_000
_SEALED: Final = "gAAAA"
"""How Fernet's tokens begin; a secret in base 32 has no small letter."""


class SealBroken(ImpetusError):
    """What was sealed cannot be opened: none of the keys fits, or it was changed, or it is too old."""

    code = "seal-broken"
    title = "A secret cannot be opened"
    status = 503


class Seal:
    """Seals and opens with the keys of this installation."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        """Keys as `Fernet.generate_key` makes them, the newest first; without any, one for this process alone.

        Raises `ConfigurationError` for what is no key.
        """
        try:
            fernets = [Fernet(key.encode()) for key in keys or (Fernet.generate_key().decode(),)]
        except (ValueError, UnicodeError) as error:
            raise ConfigurationError(
                "the keys of access are wrong: each is 32 bytes in base64",
                hint="make one with: impetus access new-key",
            ) from error
        self._newest = fernets[0]
        self._all = MultiFernet(fernets)

    def close(self, text: str, now: datetime | None = None) -> str:
        """The text, sealed with the newest key."""
        if now is None:
            return self._newest.encrypt(text.encode()).decode()
        return self._newest.encrypt_at_time(text.encode(), int(now.timestamp())).decode()

    def open(self, sealed: str) -> str:
        """The text; one that is not sealed yet is given back as it is. Raises `SealBroken`."""
        if not is_sealed(sealed):
            return sealed
        try:
            return self._all.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise SealBroken(
                "none of the keys of access opens the second factor that is kept here",
                hint="Give each hub the keys with which it was sealed (access.keys_file), or reset the second factor.",
            ) from error

    def open_young(self, sealed: str, longest_s: int, now: datetime) -> str:
        """The same of what was sealed at a time that is not long ago. Raises `SealBroken`."""
        try:
            return self._all.decrypt_at_time(sealed.encode(errors="replace"), longest_s, int(now.timestamp())).decode()
        except InvalidToken as error:
            raise SealBroken("this was made elsewhere, or too long ago", hint="Begin anew.") from error

    def renewed(self, sealed: str) -> str | None:
        """The same, sealed with the newest key; None if it is already. Raises `SealBroken`."""
        if is_sealed(sealed):
            with contextlib.suppress(InvalidToken):
                self._newest.decrypt(sealed.encode())
                return None
        return self.close(self.open(sealed))


def open_seal(settings: AccessSettings, home: Path) -> Seal:
    """The seal of an installation. Raises `ConfigurationError`."""
    return Seal(read_keys(settings.keys.get_secret_value(), settings.keys_file, home))


def is_sealed(text: str) -> bool:
    """Whether a kept secret is sealed, or as older versions kept it.

    >>> is_sealed("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), is_sealed(Seal().close("GEZDGNBV"))
    (False, True)
    """
    return text.startswith(_SEALED)


def new_key() -> str:
    """A key as the settings take it."""
    return Fernet.generate_key().decode()


def read_keys(given: str, file: Path | None, home: Path) -> Sequence[str]:
    """The keys of the settings, `given` with commas or in a file a line each; else those of the folder of all state,
    made at the first time. Raises `ConfigurationError`."""
    if given:
        return [key.strip() for key in given.split(",") if key.strip()]
    own = home / FILE
    if file is None and not own.exists():
        home.mkdir(parents=True, exist_ok=True)
        own.parent.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # two processes at once: the first one's counts
            _write(own, new_key())
    path = file or own
    try:
        if path.stat().st_size > FILE_LIMIT_BYTES:
            raise ConfigurationError(f"{path} is too large for a file of keys", hint="one key a line")
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the keys of access cannot be read from {path}", hint="mend access.keys_file or the file's permissions"
        ) from error
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not keys:
        raise ConfigurationError(f"{path} holds no key", hint="make one with: impetus access new-key")
    return keys


def _write(path: Path, key: str) -> None:
    """Whole or not at all, and only its owner may read it."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{key}\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(part, path)
    finally:
        part.unlink()
