"""Backup and restore of an installation by one command each: one file, every part of it with its SHA-256.

In it are the store (whatever database it is on, as SQLite), the embedded bus, evidence, secrets, checkpoints, anchors
and settings. Not in it are logs, and what is a person's own: it must end when the person withdraws consent, and a
backup would keep it. The log on NATS JetStream has the servers' own backup.
"""

# A command of its own runs these, where nothing else waits.
# ruff: noqa: ASYNC240

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from impetus import __version__
from impetus.model import Clock, ConfigurationError, Conflict, InvalidInput
from impetus.settings import FILE_NAME, Settings
from impetus.store.transfer import Summed, checksums, transfer

MANIFEST = "backup.json"
STORE_FILE = "store.sqlite"
BUS_FILE = "bus.sqlite"
LEFT_OUT = {"logs", "own", "demo", "backup.json"}
"""Of the folder of all state; with all that belongs to databases, which are copied in their own way."""
MADE_FILE = "backups-made.json"
_BLOCK = 1024 * 1024
_LIMIT_BYTES = 1024**4
_MANIFEST_LIMIT_BYTES = 256 * 1024 * 1024


class Table(BaseModel):
    """How a table of the store was when it was backed up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int
    checksum: str


class Made(BaseModel):
    """A backup that was made of this installation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    made: AwareDatetime
    keep_until: AwareDatetime


class Manifest(BaseModel):
    """What is in a backup."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    made: AwareDatetime
    keep_until: AwareDatetime | None = None
    """Then it is to be deleted: what was removed since lives on in it. None in backups of older versions."""
    files: dict[str, str]
    """SHA-256 of each file by its path."""
    tables: dict[str, Table]


_MADE = TypeAdapter(list[Made])


async def back_up(settings: Settings, target: Path, clock: Clock) -> Manifest:
    """Write a backup to `target`, a `.tar.gz` that only its owner may read; the installation may go on meanwhile.

    Raises `ConfigurationError` when the file is there already or cannot be written.
    """
    if target.exists():
        raise ConfigurationError(f"{target} is there already", hint="name a new file; backups are not written over")
    with tempfile.TemporaryDirectory(prefix="impetus-backup-", dir=_folder_of(target)) as name:
        folder = Path(name)
        tables = await _copy_store(settings, folder)
        bus = settings.home / BUS_FILE
        if settings.bus is None and bus.exists():
            await asyncio.to_thread(_copy_sqlite, bus, folder / BUS_FILE)
        now = clock.now()
        until = now + timedelta(days=settings.keeping.backups_days)
        manifest = await asyncio.to_thread(_pack, settings.home, folder, target, tables, now, until)
    made = [*backups_made(settings.home), Made(file=str(target.absolute()), made=now, keep_until=until)]
    there = [one for one in made if Path(one.file).exists()]
    settings.home.joinpath(MADE_FILE).write_text(_MADE.dump_json(there, indent=1).decode())
    return manifest


def backups_made(home: Path) -> Sequence[Made]:
    """Backups that were made of this installation and were there when the last one was made, the oldest first."""
    try:
        return _MADE.validate_json(home.joinpath(MADE_FILE).read_bytes())
    except (OSError, ValidationError):
        return []


async def restore(settings: Settings, source: Path, clock: Clock, *, past_its_time: bool = False) -> Manifest:
    """Bring back what a backup holds, into an installation that is empty and not running.

    Everything is checked before anything is put in its place. What is past its time by now goes as soon as the hub
    runs. Raises `InvalidInput` for a file that is no whole backup, or one that was to be deleted by now unless
    `past_its_time`, and `Conflict` when there is something already or when what was restored is not what was backed up.
    """
    home = settings.home
    home.mkdir(parents=True, exist_ok=True)
    there = [path.name for path in home.iterdir() if path.name not in (FILE_NAME, "logs")]
    if there:
        raise Conflict(
            f"{home} is not empty: it has {', '.join(sorted(there)[:5])}",
            hint="restore into an empty folder (IMPETUS_HOME); move what is there away first",
        )
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=home) as name:
        folder = Path(name)
        manifest = await asyncio.to_thread(_unpack, source, folder)
        if manifest.keep_until is not None and manifest.keep_until < clock.now() and not past_its_time:
            raise InvalidInput(
                f"{source} was to be deleted by {manifest.keep_until:%Y-%m-%d}: it holds what is past its time",
                hint="ask the data-protection officer; then give --past-its-time",
            )
        restored = f"sqlite:///{folder / STORE_FILE}"
        if settings.store is not None:
            await transfer(restored, settings.store)
            restored = settings.store
        await _check_tables(manifest, await checksums(restored))
        for path in sorted(folder.iterdir()):
            if settings.store is not None and path.name.startswith("store"):
                continue
            if path.name == FILE_NAME and (home / FILE_NAME).exists():
                continue  # the settings of this machine stay
            path.replace(home / path.name)
    return manifest


async def _copy_store(settings: Settings, folder: Path) -> Sequence[Summed]:
    copy = f"sqlite:///{folder / STORE_FILE}"
    if settings.store_url.startswith("sqlite"):
        source = Path(settings.store_url.removeprefix("sqlite:///"))
        if not source.exists():
            raise ConfigurationError(f"there is no store {source}", hint="nothing to back up; check IMPETUS_HOME")
        readings = source.with_name(f"{source.stem}-readings{source.suffix}")
        await asyncio.to_thread(_copy_sqlite, source, folder / STORE_FILE)
        if readings.exists():
            await asyncio.to_thread(_copy_sqlite, readings, folder / "store-readings.sqlite")
        found = await checksums(copy)
    else:
        found = await transfer(settings.store_url, copy)
    for extra in (*folder.glob("*-wal"), *folder.glob("*-shm")):
        extra.unlink(missing_ok=True)
    return found


def _copy_sqlite(source: Path, target: Path) -> None:
    """A copy as of one moment, while others write."""
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as reading,
        closing(sqlite3.connect(target)) as to,
    ):
        reading.backup(to)
    target.chmod(0o600)


def _wanted(home: Path) -> Sequence[Path]:
    """Files of the folder of all state that are copied as they are."""
    found = []
    for path in sorted(home.rglob("*")):
        parts = path.relative_to(home).parts
        database = any(part.startswith(("store", "bus.")) and ".sqlite" in part for part in parts)
        if parts[0] in LEFT_OUT or database or path.suffix == ".lock" or path.is_symlink():
            continue
        if path.is_file() and path.name != MADE_FILE:
            found.append(path)
    return found


def _pack(home: Path, folder: Path, target: Path, tables: Sequence[Summed], now: datetime, until: datetime) -> Manifest:
    files: dict[str, str] = {}
    temporary = target.with_name(target.name + ".part")
    descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as raw, tarfile.open(fileobj=raw, mode="w:gz", compresslevel=3) as archive:
            sources = [(path, path.name) for path in sorted(folder.iterdir())]
            sources += [(path, str(PurePosixPath(*path.relative_to(home).parts))) for path in _wanted(home)]
            for path, name in sources:
                content = path.open("rb")
                with content:
                    info = tarfile.TarInfo(name)
                    info.size, info.mode, info.mtime = os.fstat(content.fileno()).st_size, 0o600, int(now.timestamp())
                    reader = _Hashing(content, info.size)
                    archive.addfile(info, reader)
                files[name] = reader.digest
            manifest = Manifest(
                version=__version__,
                made=now,
                keep_until=until,
                files=files,
                tables={one.table: Table(rows=one.rows, checksum=one.checksum) for one in tables},
            )
            body = manifest.model_dump_json(indent=1).encode()
            info = tarfile.TarInfo(MANIFEST)
            info.size, info.mode, info.mtime = len(body), 0o600, int(now.timestamp())
            archive.addfile(info, io.BytesIO(body))
        temporary.replace(target)
    except OSError as error:
        raise ConfigurationError(f"the backup cannot be written: {error}", hint="name a folder with room") from error
    finally:
        temporary.unlink(missing_ok=True)
    return manifest


class _Hashing(io.RawIOBase):
    """Reads exactly so many bytes of a file that may grow meanwhile, and hashes them; a shorter one is filled up."""

    def __init__(self, file: io.BufferedReader, size: int) -> None:
        self._file = file
        self._left = size
        self._hash = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._file.read(wanted)
        data += b"\0" * (wanted - len(data))
        self._left -= wanted
        self._hash.update(data)
        return data

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


def _unpack(source: Path, folder: Path) -> Manifest:
    found: dict[str, str] = {}
    manifest: Manifest | None = None
    total = 0
    try:
        with tarfile.open(source, mode="r:gz") as archive:
            for member in archive:
                path = PurePosixPath(member.name)
                total += member.size
                if not member.isfile() or path.is_absolute() or ".." in path.parts or total > _LIMIT_BYTES:
                    raise InvalidInput(
                        f"{source} holds {member.name!r}, which no backup holds", hint="use another file"
                    )
                content = archive.extractfile(member)
                assert content is not None  # noqa: S101 it is a file
                if member.name == MANIFEST:
                    manifest = Manifest.model_validate_json(content.read(_MANIFEST_LIMIT_BYTES))
                    continue
                target = folder.joinpath(*path.parts)
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                digest = hashlib.sha256()
                descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    while block := content.read(_BLOCK):
                        digest.update(block)
                        file.write(block)
                found[member.name] = digest.hexdigest()
    except (OSError, EOFError, tarfile.TarError, ValidationError) as error:
        raise InvalidInput(f"{source} is no whole backup: {_first_line(error)}", hint="use another backup") from error
    if manifest is None or manifest.files != found:
        names = [] if manifest is None else sorted(set(manifest.files.items()) ^ set(found.items()))
        what = ", ".join(dict.fromkeys(name for name, _ in names[:5])) or "its list of contents"
        raise InvalidInput(f"{source} is damaged: {what}", hint="use another backup")
    return manifest


async def _check_tables(manifest: Manifest, found: Sequence[Summed]) -> None:
    now: dict[str, Any] = {one.table: Table(rows=one.rows, checksum=one.checksum) for one in found}
    for name, table in manifest.tables.items():
        if now.get(name) != table:
            raise Conflict(
                f"the table {name} is not what was backed up (version {manifest.version})",
                hint="restore with the version that made the backup, then update",
            )


def _folder_of(target: Path) -> Path:
    folder = target.absolute().parent
    if not folder.is_dir():
        raise ConfigurationError(f"there is no folder {folder}", hint="make it first")
    return folder


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
