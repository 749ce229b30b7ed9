"""Evidence that one tool keeps for one organisation, and the list of it: what it may read again, and how much a day."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from pathlib import Path

from impetus.model import Clock, DataClass, EvidenceReference, NotFound, Unavailable
from impetus.sdk.emission import check_evidence
from impetus.sdk.manifest import Manifest
from impetus.store import EvidenceStore


class EvidenceKeeper:
    """Keeps evidence within what the manifest declares.

    The list is a file a day (`YYYY-MM-DD`), with a line `SHA256 BYTES` for each piece.
    """

    def __init__(self, manifest: Manifest, tenant: str, store: EvidenceStore, folder: Path, clock: Clock) -> None:
        self._manifest = manifest
        self._tenant = tenant
        self._store = store
        self._folder = folder
        self._clock = clock
        self._lock = asyncio.Lock()
        self._own: set[str] | None = None
        self._day: date | None = None
        self._day_bytes = 0

    async def keep(self, data: bytes, media_type: str, title: str, data_class: DataClass) -> EvidenceReference:
        """See `impetus.sdk.Context.keep_evidence`."""
        check_evidence(self._manifest, data, media_type, data_class)
        use = self._manifest.evidence
        async with self._lock:
            own = await self._known()
            today = self._clock.now().date()
            if today != self._day:
                self._day, self._day_bytes = today, await asyncio.to_thread(self._bytes_of, today)
            if use is not None and self._day_bytes + len(data) > use.daily_mb * 1_000_000:
                raise Unavailable(
                    f"{self._manifest.id}: the {use.daily_mb:g} MB of evidence for today are used up",
                    hint="keep less, or declare more under [evidence]",
                )
            sha256 = await self._store.put(self._tenant, data)
            if sha256 not in own:
                await asyncio.to_thread(self._add, today, sha256, len(data))
                own.add(sha256)
                self._day_bytes += len(data)
        return EvidenceReference(
            sha256=sha256, media_type=media_type, title=title, size_bytes=len(data), data_class=data_class
        )

    async def read(self, sha256: str) -> bytes:
        """See `impetus.sdk.Context.read_evidence`."""
        async with self._lock:
            own = await self._known()
        if sha256 not in own:
            raise NotFound(f"{self._manifest.id} kept no evidence {sha256[:64]!r}", hint="It reads only its own.")
        return await self._store.get(self._tenant, sha256)

    async def _known(self) -> set[str]:
        if self._own is None:
            self._own = await asyncio.to_thread(self._load)
        return self._own

    def _load(self) -> set[str]:
        """All that is on the list; days past the tool's retention are taken off it."""
        oldest = (self._clock.now() - timedelta(days=self._manifest.retention_days + 1)).date().isoformat()
        own: set[str] = set()
        for path in sorted(self._folder.glob("????-??-??")):
            if path.name < oldest:
                path.unlink(missing_ok=True)
            else:
                own.update(line.partition(" ")[0] for line in path.read_text("ascii", "replace").splitlines())
        return own

    def _bytes_of(self, day: date) -> int:
        try:
            lines = (self._folder / day.isoformat()).read_text("ascii", "replace").splitlines()
        except FileNotFoundError:
            return 0
        sizes = [line.partition(" ")[2] for line in lines]
        return sum(int(size) for size in sizes if size.isdecimal())

    def _add(self, day: date, sha256: str, size_bytes: int) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (self._folder / day.isoformat()).open("a", encoding="ascii") as file:
                file.write(f"{sha256} {size_bytes}\n")
        except OSError as error:
            raise Unavailable(
                f"the evidence cannot be listed: {error.strerror}", hint="make room on the disk"
            ) from error
