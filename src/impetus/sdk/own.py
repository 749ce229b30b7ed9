"""What a tool knows of one person, for that person alone: a folder a person, opened by consent and gone with it.

None of it goes on the bus or into the store: messages and backups would keep what a person took back. The hub opens and
removes the folder, and writes what the person says; the tool's worker reads that and writes its documents. When the
person withdraws, the folder is removed at once, whether the worker runs or not, and what the worker still writes finds
no folder.

    own/TOOL/TENANT/PERSON/CONSENT/consent.json
                                   entries/000001.json ...   what the person says
                                   documents/NAME.json       what the tool says
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, TypeVar, TypeVarTuple

from pydantic import Field, JsonValue, ValidationError

from impetus.model import Conflict, Identifier, InvalidInput, Line, NotFound, Slug, Unavailable, UtcTime, Value, new_id
from impetus.model.content import bounded_json

ENTRY_LIMIT_BYTES: Final = 8 * 1024
DOCUMENT_LIMIT_BYTES: Final = 1024 * 1024
MOST_ENTRIES: Final = 5_000
SHARED: Final = "shared"
"""The document that those may read with whom the person shares."""

Answer = TypeVar("Answer")
Arguments = TypeVarTuple("Arguments")

_NAME = re.compile(r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")
_CONSENT = re.compile(r"^[A-Za-z0-9._-]{1,128}$")


class Consent(Value):
    """A person's consent that a tool processes data about them, until a moment, on terms of the tool's own words."""

    id: Identifier
    person: Identifier
    name: Line
    given: UtcTime
    """When it was given first; it may have been renewed since."""
    until: UtcTime
    """The tool does nothing with it from then on; what there is stays for the person until it is withdrawn or
    forgotten."""
    shared: bool = False
    """Whether the document `shared` may be read by the roles that the manifest names."""
    terms: Annotated[dict[str, JsonValue], bounded_json(ENTRY_LIMIT_BYTES)] = Field(default_factory=dict)


class OwnEntry(Value):
    """What a person says to a tool for themselves, for example a rating."""

    number: Annotated[int, Field(ge=1)]
    kind: Slug
    time: UtcTime
    content: Annotated[dict[str, JsonValue], bounded_json(ENTRY_LIMIT_BYTES)] = Field(default_factory=dict)


class OwnDocument(Value):
    """What a tool wrote down for a person."""

    content: Annotated[dict[str, JsonValue], bounded_json(DOCUMENT_LIMIT_BYTES)] = Field(default_factory=dict)


class OwnView(Value):
    """All that a tool has of a person: what the person sees, and takes along."""

    consent: Consent | None = None
    """None: the person gave none, and there is nothing."""
    entries: tuple[OwnEntry, ...] = ()
    documents: dict[str, dict[str, JsonValue]] = Field(default_factory=dict)


class OwnFolders:
    """The folders of one tool for one organisation. Methods raise `impetus.model.Unavailable` if the disk fails."""

    def __init__(self, home: Path, tool: str, tenant: str) -> None:
        """`home` is the folder of all state of the installation."""
        self._folder = home / "own" / _safe(tool) / _safe(tenant)

    # By the person, through the hub

    async def open(
        self, person: str, name: str, *, now: datetime, until: datetime, shared: bool, terms: dict[str, JsonValue]
    ) -> Consent:
        """Give consent, or renew it: then what there is stays. Raises `InvalidInput`."""
        return await self._disk(self._open, person, name, now, until, shared, terms)

    async def view(self, person: str) -> OwnView:
        """All that there is; empty if there is no consent."""
        return await self._disk(self._view, person)

    async def say(self, person: str, kind: str, content: dict[str, JsonValue], *, now: datetime) -> OwnEntry:
        """Keep what the person says. Raises `NotFound`, and `Conflict` if it is too much or the consent is over."""
        return await self._disk(self._say, person, kind, content, now)

    async def withdraw(self, person: str) -> bool:
        """Remove everything, at once and from the disk; whether there was something."""
        return await self._disk(self._withdraw, person)

    # By the tool

    async def consents(self) -> Sequence[Consent]:
        """All consents, those that are over too."""
        return await self._disk(self._consents)

    async def entries(self, consent: Consent, *, after: int = 0) -> Sequence[OwnEntry]:
        """What the person said since the entry of that number. Raises `NotFound` if the consent was withdrawn."""
        return await self._disk(self._entries, self._of(consent), after)

    async def keep(self, consent: Consent, name: str, content: dict[str, JsonValue], *, durable: bool = True) -> None:
        """Write a document, in place of the one of that name; on disk when this returns if it is to be durable.

        Raises `NotFound` if the consent was withdrawn, and `InvalidInput` if it is too large.
        """
        await self._disk(self._keep, self._of(consent), _safe(name), content, durable)

    async def read(self, consent: Consent, name: str) -> dict[str, JsonValue] | None:
        """A document; None if it was never written, or cannot be read."""
        return await self._disk(self._read, self._of(consent) / "documents" / f"{_safe(name)}.json")

    async def forget(self, *, before: datetime) -> int:
        """Remove what belongs to consents that were over before then; how many."""
        old = [one for one in await self.consents() if one.until < before]
        for one in old:
            await self.withdraw(one.person)
        return len(old)

    # On the disk

    def _of(self, consent: Consent) -> Path:
        return self._home_of(consent.person) / consent.id

    def _home_of(self, person: str) -> Path:
        # An identifier may hold what a file's name may not.
        return self._folder / hashlib.sha256(person.encode()).hexdigest()[:32]

    def _current(self, person: str) -> tuple[Path, Consent]:
        home = self._home_of(person)
        folders = sorted(home.iterdir()) if home.is_dir() else []
        for folder in folders:
            consent = _consent(folder)
            if consent is not None and consent.person == person:
                return folder, consent
        raise NotFound("There is nothing of you here: you gave no consent.", hint="Give it first, if you want to.")

    def _open(
        self, person: str, name: str, now: datetime, until: datetime, shared: bool, terms: dict[str, JsonValue]
    ) -> Consent:
        try:
            folder, known = self._current(person)
            consent = Consent(
                id=known.id, person=person, name=name, given=known.given, until=until, shared=shared, terms=terms
            )
        except NotFound:
            consent = Consent(id=new_id(), person=person, name=name, given=now, until=until, shared=shared, terms=terms)
            folder = self._of(consent)
            for inner in ("entries", "documents"):
                (folder / inner).mkdir(parents=True, mode=0o700)
        if not consent.shared:
            (folder / "documents" / f"{SHARED}.json").unlink(missing_ok=True)
        _write(folder / "consent.json", consent.model_dump_json().encode())
        return consent

    def _view(self, person: str) -> OwnView:
        try:
            folder, consent = self._current(person)
        except NotFound:
            return OwnView()
        documents: dict[str, dict[str, JsonValue]] = {}
        for path in sorted((folder / "documents").glob("*.json")):
            content = self._read(path)
            if content is not None:
                documents[path.stem] = content
        return OwnView(consent=consent, entries=tuple(self._entries(folder, 0)), documents=documents)

    def _say(self, person: str, kind: str, content: dict[str, JsonValue], now: datetime) -> OwnEntry:
        folder, consent = self._current(person)
        if now >= consent.until:
            raise Conflict("Your consent is over.", hint="Give it anew for this shift.")
        numbers = [int(path.stem) for path in (folder / "entries").glob("*.json") if path.stem.isdecimal()]
        if len(numbers) >= MOST_ENTRIES:
            raise Conflict(f"There are {MOST_ENTRIES} entries already.", hint="Withdraw your consent to begin anew.")
        entry = OwnEntry(number=max(numbers, default=0) + 1, kind=kind, time=now, content=content)
        _write(folder / "entries" / f"{entry.number:06d}.json", entry.model_dump_json().encode())
        return entry

    def _entries(self, folder: Path, after: int) -> list[OwnEntry]:
        if not folder.is_dir():
            raise NotFound("the consent was withdrawn")
        found = []
        for path in sorted((folder / "entries").glob("*.json")):
            if path.stem.isdecimal() and int(path.stem) > after:
                try:
                    found.append(OwnEntry.model_validate_json(_bytes(path, 2 * ENTRY_LIMIT_BYTES)))
                except (ValidationError, FileNotFoundError):
                    continue
        return found

    def _keep(self, folder: Path, name: str, content: dict[str, JsonValue], durable: bool) -> None:
        try:
            data = OwnDocument(content=content).model_dump_json().encode()
        except ValidationError as error:
            raise InvalidInput(f"the document {name} is too large or no JSON", hint="keep less of it") from error
        try:
            # Never makes the folder: when the person withdrew a moment ago, there is none, and nothing is written.
            _write(folder / "documents" / f"{name}.json", data, durable=durable)
        except FileNotFoundError as error:
            raise NotFound("the consent was withdrawn") from error

    def _read(self, path: Path) -> dict[str, JsonValue] | None:
        try:
            return OwnDocument.model_validate_json(_bytes(path, 2 * DOCUMENT_LIMIT_BYTES)).content
        except (FileNotFoundError, NotADirectoryError, ValidationError):
            return None

    def _consents(self) -> list[Consent]:
        if not self._folder.is_dir():
            return []
        found = (_consent(folder) for folder in sorted(self._folder.glob("*/*")))
        return [consent for consent in found if consent is not None]

    def _withdraw(self, person: str) -> bool:
        home = self._home_of(person)
        if not home.exists():
            return False
        # First out of everybody's sight, in one step: a worker that writes at this moment finds no folder.
        gone = self._folder / f".gone-{new_id()}"
        home.rename(gone)
        shutil.rmtree(gone)
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return True

    async def _disk(self, work: Callable[[*Arguments], Answer], *arguments: *Arguments) -> Answer:
        try:
            return await asyncio.to_thread(work, *arguments)
        except OSError as error:
            raise Unavailable(
                f"a person's own folder cannot be used: {error.strerror}", hint="see whether the disk is full"
            ) from error


def _consent(folder: Path) -> Consent | None:
    if not _CONSENT.match(folder.name) or folder.parent.name.startswith("."):
        return None
    try:
        consent = Consent.model_validate_json(_bytes(folder / "consent.json", 2 * ENTRY_LIMIT_BYTES))
    except (OSError, ValidationError):
        return None
    return consent if consent.id == folder.name else None


def _bytes(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        return file.read(limit)


def _write(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace a file as a whole; on disk when this returns, if durable."""
    fresh = path.with_suffix(f".{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    fresh.replace(path)


def _safe(name: str) -> str:
    if not _NAME.match(name):
        raise InvalidInput(f"{name[:64]!r} cannot be the name of a folder")
    return name
