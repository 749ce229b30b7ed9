"""Keyed pseudonyms: what stands on the bus in place of an author, a device or a plate.

A pseudonym is BLAKE2b (RFC 7693) of the identifier, keyed with 32 random bytes that belong to one organisation and one
purpose. The same identifier gives the same pseudonym until the key is rotated, and another one for every other
organisation and purpose, so that nobody joins what was collected for different ends. No table of identifiers is kept:
a pseudonym can only be compared with an identifier that somebody already has, and only while its key is there. A key
that is destroyed makes all its pseudonyms anonymous for good.

Keys lie in `HOME/secrets/pseudonyms/TENANT/PURPOSE.json`, readable for their owner only. A file that cannot be read is
an error: nothing is passed on under a new key unseen, and nothing in the clear.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import os
import secrets
import unicodedata
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

from pydantic import Base64Bytes, Field, ValidationError

from impetus.model import Clock, ConfigurationError, Slug, UtcTime, Value

PREFIX: Final = "p-"
DIGEST_BYTES: Final = 16
ROTATED_AFTER: Final = timedelta(days=30)
KEPT: Final = timedelta(days=120)
"""Old keys are destroyed so long after they were made; then no comparison is possible any more."""


class PseudonymKey(Value):
    """One key of a purpose."""

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{4}$")]
    """Stands in the pseudonym, so that it is known which key made it."""
    key: Annotated[Base64Bytes, Field(min_length=32)]
    made: UtcTime


class _Keys(Value):
    keys: tuple[PseudonymKey, ...]
    """The newest first."""


class Pseudonyms:
    """The pseudonyms of one organisation and purpose."""

    def __init__(
        self,
        home: Path,
        tenant: Slug,
        purpose: Slug,
        clock: Clock,
        *,
        rotated_after: timedelta = ROTATED_AFTER,
        kept: timedelta = KEPT,
    ) -> None:
        """`purpose` is a short name such as `social` or `plates`."""
        self._file = home / "secrets" / "pseudonyms" / tenant / f"{purpose}.json"
        self._clock = clock
        self._rotated_after = rotated_after
        self._kept = kept
        self._person = f"{tenant}/{purpose}".encode()
        self._keys: tuple[PseudonymKey, ...] = ()

    def of(self, identifier: str) -> str:
        """The pseudonym of an identifier, `p-KEY-DIGEST`.

        Raises `impetus.model.ConfigurationError` when the key is lost or damaged: the caller passes nothing on.
        """
        return self._digest(self._current(), identifier)

    def matches(self, pseudonym: str, identifier: str) -> bool:
        """Whether a pseudonym stands for this identifier; false too when its key is destroyed."""
        self._current()
        key = next((key for key in self._keys if pseudonym.startswith(f"{PREFIX}{key.id}-")), None)
        return key is not None and hmac.compare_digest(self._digest(key, identifier), pseudonym)

    def _digest(self, key: PseudonymKey, identifier: str) -> str:
        plain = unicodedata.normalize("NFKC", identifier).strip().casefold().encode()
        person = hashlib.blake2b(self._person, digest_size=16).digest()
        digest = hashlib.blake2b(plain, digest_size=DIGEST_BYTES, key=key.key[:64], person=person).hexdigest()
        return f"{PREFIX}{key.id}-{digest}"

    def _current(self) -> PseudonymKey:
        now = self._clock.now()
        if not self._keys or not self._file.exists() or self._due(self._keys[0], now):
            self._keys = self._load(now)
        return self._keys[0]

    def _due(self, newest: PseudonymKey, now: datetime) -> bool:
        # With a clock that was set back the newest key is from the future: it goes on, and no key is made twice.
        return now - newest.made >= self._rotated_after

    def _load(self, now: datetime) -> tuple[PseudonymKey, ...]:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        mark = self._file.with_suffix(".made")
        with self._file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            keys: tuple[PseudonymKey, ...] = ()
            try:
                keys = _Keys.model_validate_json(self._file.read_bytes()).keys
            except FileNotFoundError:
                if mark.exists():
                    raise ConfigurationError(
                        f"the key of the pseudonyms is lost: {self._file} is gone",
                        hint=f"Restore it from a backup; or remove {mark.name} beside it to begin anew: no pseudonym "
                        "made so far can then be compared with anything.",
                    ) from None
            except (OSError, ValidationError, ValueError) as error:
                raise ConfigurationError(
                    f"the key of the pseudonyms in {self._file} cannot be read", hint="Restore it from a backup."
                ) from error
            wanted = tuple(key for key in keys if now - key.made < self._kept)
            if not wanted or self._due(wanted[0], now):
                taken = {key.id for key in keys}
                id = next(id for id in iter(lambda: secrets.token_hex(2), "") if id not in taken)
                # Base64Bytes takes what is encoded.
                made = {"id": id, "key": base64.b64encode(secrets.token_bytes(32)), "made": now}
                wanted = (PseudonymKey.model_validate(made), *wanted)
            if wanted != keys:
                self._write(_Keys(keys=wanted))
                mark.touch(mode=0o600)
            return wanted

    def _write(self, keys: _Keys) -> None:
        draft = self._file.with_suffix(f".{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(keys.model_dump_json())
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(self._file)
