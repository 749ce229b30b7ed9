"""The scenarios that an organisation can play: those that are shipped, and its own, each a folder below the home."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from impetus.exercise.checking import TEXT_LIMIT, Checked, check, read
from impetus.exercise.scenario import FILE, OWN, SHIPPED, shipped
from impetus.model import Conflict, InvalidInput, NotFound, Slug, Value

MOST: Final = 100
"""Scenarios of one organisation."""
READABLE_BYTES: Final = 1_000_000


class Origin(StrEnum):
    """Where a scenario comes from."""

    SHIPPED = "shipped"
    OWN = "own"


class Listed(Value):
    """One scenario as a list shows it."""

    id: Slug
    title: str
    minutes: float
    origin: Origin
    valid: bool


class Text(Value):
    """A scenario as it is written."""

    id: Slug
    origin: Origin
    text: str
    hash: str
    """SHA-256 of the text: it is saved only over the text that was read."""
    files: tuple[str, ...]
    """Beside the text."""
    checked: Checked


class Library:
    """The scenarios at one home. A text is at most 200,000 characters."""

    def __init__(self, home: Path, tools: Sequence[str]) -> None:
        """`tools` are those that are installed."""
        self._folder = home / OWN
        self._tools = tools

    def list(self, tenant: str) -> Sequence[Listed]:
        """All that an organisation can play, its own first."""
        own = sorted(path.parent.name for path in (self._folder / tenant).glob(f"*/{FILE}"))
        found = []
        for id in (*own, *(name for name in shipped() if name not in own)):
            one = self.get(tenant, id)
            found.append(
                Listed(
                    id=id,
                    title=one.checked.title or id,
                    minutes=one.checked.minutes,
                    origin=one.origin,
                    valid=one.checked.valid,
                )
            )
        return found

    def get(self, tenant: str, id: str) -> Text:
        """One scenario. Raises `NotFound`, also for one of another organisation."""
        folder, origin = self._find(tenant, id)
        content = (folder / FILE).read_bytes()[:READABLE_BYTES]
        text = content.decode(errors="replace")
        return Text(
            id=id,
            origin=origin,
            text=text,
            hash=_hash(text),
            files=tuple(sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != FILE))[:200],
            checked=check(text, folder, self._tools),
        )

    def check(self, tenant: str, base: str, text: str) -> Checked:
        """Check a text that uses the data files of the scenario `base`. Raises `NotFound`."""
        return check(text, self._find(tenant, base)[0], self._tools)

    def save(self, tenant: str, base: str, text: str, known: str) -> Text:
        """Keep a text under the `id` that stands in it: as a new scenario with the data files of `base`, or in place of
        the organisation's own, if its text still has the hash `known`.

        Raises:
            InvalidInput: it is not valid, or too long.
            Conflict: it has the name of a shipped one, somebody else changed it, or there are too many.
            NotFound: there is no scenario `base`.
        """
        if len(text) > TEXT_LIMIT:
            raise InvalidInput(f"the text is longer than {TEXT_LIMIT:,} characters", hint="put data into files")
        source, _ = self._find(tenant, base)
        scenario, checked = read(text, source, self._tools)
        if scenario is None:
            first = checked.problems[0]
            where = f"line {first.line}: " if first.line is not None else ""
            raise InvalidInput(f"{where}{first.text}", hint="check it, and mend what is named")
        if scenario.id in shipped():
            raise Conflict(f"the scenario {scenario.id!r} is shipped and stays as it is", hint="write another id")
        target = self._folder / tenant / scenario.id
        if (target / FILE).is_file():
            if scenario.id != base or _hash((target / FILE).read_text(encoding="utf-8", errors="replace")) != known:
                raise Conflict(
                    f"there is a scenario {scenario.id!r} that is not the one that was opened",
                    hint="open it anew, or write another id",
                )
        elif len(self.list(tenant)) >= MOST + len(shipped()):
            raise Conflict(f"there are {MOST} scenarios", hint="remove one first")
        else:
            self._copy(source, target)
        draft = target / f".{FILE}.{os.getpid()}"
        draft.write_text(text, encoding="utf-8")
        draft.replace(target / FILE)
        return self.get(tenant, scenario.id)

    def remove(self, tenant: str, id: str) -> None:
        """Remove one of the organisation's own. Raises `NotFound` and, for a shipped one, `Conflict`."""
        folder, origin = self._find(tenant, id)
        if origin is Origin.SHIPPED:
            raise Conflict(f"the scenario {id!r} is shipped and stays", hint="remove one of your own")
        shutil.rmtree(folder)

    def folder(self, tenant: str, id: str) -> Path:
        """Where a scenario lies. Raises `NotFound`."""
        return self._find(tenant, id)[0]

    def _find(self, tenant: str, id: str) -> tuple[Path, Origin]:
        if id == Path(id).name:
            for folder, origin in ((self._folder / tenant / id, Origin.OWN), (SHIPPED / id, Origin.SHIPPED)):
                if (folder / FILE).is_file():
                    return folder, origin
        raise NotFound(f"there is no scenario {id!r}", hint="take one of the list")

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        """The data files of a scenario; nothing is left of it where that fails."""
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.rmtree(draft, ignore_errors=True)
        try:
            shutil.copytree(source, draft, ignore=shutil.ignore_patterns(FILE, "__pycache__", ".*"))
            draft.replace(target)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise Conflict(f"the scenario cannot be kept: {error.strerror}", hint="try again") from error


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
