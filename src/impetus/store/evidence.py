"""Evidence: pictures, recordings and documents, named by the SHA-256 of what they contain."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from impetus.model import ImpetusError, InvalidInput, NotFound, Unavailable

EVIDENCE_LIMIT_BYTES: Final = 64 * 1024 * 1024
SHA256 = re.compile(r"[0-9a-f]{64}")
TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class EvidenceAltered(ImpetusError):
    """A piece of evidence is no longer what it was when it was stored."""

    code = "evidence-altered"
    title = "The evidence was altered"
    status = 500


class EvidenceStore:
    """Blobs on disk, a folder an organisation, so that nobody learns whether another one has the same blob.

    Written whole or not at all, and checked against their name each time they are read.
    """

    def __init__(self, folder: Path, *, limit_bytes: int = EVIDENCE_LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes

    async def put(self, tenant: str, data: bytes) -> str:
        """Keep a blob; its SHA-256. It is on disk when this returns. Raises `InvalidInput` when it is too large and
        `Unavailable` when there is no room."""
        if len(data) > self._limit_bytes:
            raise InvalidInput(
                f"the evidence has {len(data)} bytes, more than the {self._limit_bytes} that are kept",
                hint="Send a shorter or smaller recording.",
            )
        return await asyncio.to_thread(self._write, tenant, data)

    async def get(self, tenant: str, sha256: str) -> bytes:
        """The blob. Raises `NotFound`, and `EvidenceAltered` when it is not what was stored."""
        return await asyncio.to_thread(self._read, tenant, sha256)

    async def kept(self, tenant: str) -> Sequence[tuple[str, datetime]]:
        """The SHA-256 of all blobs of an organisation with when each was stored, the oldest first."""

        def look() -> Sequence[tuple[str, datetime]]:
            if not TENANT.fullmatch(tenant):
                return []
            found = []
            for path in (self._folder / tenant).glob("??/*"):
                if SHA256.fullmatch(path.name):
                    with contextlib.suppress(FileNotFoundError):
                        found.append((path.name, datetime.fromtimestamp(path.stat().st_mtime, UTC)))
            return sorted(found, key=lambda one: one[1])

        return await asyncio.to_thread(look)

    async def remove(self, tenant: str, sha256: str) -> bool:
        """Remove the blob; false if there was none. Retention calls this."""

        def unlink() -> bool:
            try:
                self._path(tenant, sha256).unlink()
            except FileNotFoundError:
                return False
            return True

        return await asyncio.to_thread(unlink)

    def _path(self, tenant: str, sha256: str) -> Path:
        # Nothing but these two forms ever becomes part of a path.
        if not TENANT.fullmatch(tenant) or not SHA256.fullmatch(sha256):
            raise NotFound("there is no such evidence", hint="Evidence is named by the SHA-256 of its content.")
        return self._folder / tenant / sha256[:2] / sha256

    def _write(self, tenant: str, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._path(tenant, sha256)
        try:
            if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
                return sha256
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            temporary = Path(name)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise Unavailable(
                f"the evidence cannot be stored: {error.strerror}",
                hint="Free some space on the disk of the evidence folder, or mend its permissions.",
            ) from error
        return sha256

    def _read(self, tenant: str, sha256: str) -> bytes:
        path = self._path(tenant, sha256)
        try:
            with path.open("rb") as file:
                # One byte more than allowed tells a file that somebody made longer, without reading all of it.
                data = file.read(self._limit_bytes + 1)
        except FileNotFoundError:
            raise NotFound("there is no such evidence", hint="It may have passed its retention time.") from None
        except OSError as error:
            raise Unavailable(f"the evidence cannot be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise EvidenceAltered(
                f"the evidence {sha256} is no longer what was stored",
                hint="Somebody or something changed the file. Do not rely on it; restore it from a backup.",
            )
        return data
