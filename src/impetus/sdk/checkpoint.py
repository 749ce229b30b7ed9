"""A tool's checkpoint: one file that is either the old one or the new one, never half of each."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from impetus.model import Unavailable

CHECKPOINT_LIMIT_BYTES = 256 * 1024 * 1024


class CheckpointFile:
    """Keeps the last bytes that were saved, across a crash at any moment."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def save(self, data: bytes) -> None:
        """Replace the content; on disk when this returns. Raises `impetus.model.Unavailable` if that fails."""
        if len(data) > CHECKPOINT_LIMIT_BYTES:
            raise Unavailable(
                f"a checkpoint of {len(data)} bytes is too large",
                hint=f"a tool may keep {CHECKPOINT_LIMIT_BYTES} bytes; keep less",
            )
        try:
            await asyncio.to_thread(self._write, bytes(data))
        except OSError as error:
            raise Unavailable(
                f"the checkpoint {self._path} cannot be written: {error.strerror}", hint="make room on the disk"
            ) from error

    async def load(self) -> bytes | None:
        """What was saved last; None if nothing was. Raises `impetus.model.Unavailable` if it cannot be read."""
        try:
            return await asyncio.to_thread(self._path.read_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"the checkpoint {self._path} cannot be read: {error.strerror}") from error

    def _write(self, data: bytes) -> None:
        folder = self._path.parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # the new name itself
        finally:
            os.close(descriptor)
