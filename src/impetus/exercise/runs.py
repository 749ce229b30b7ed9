"""Where exercises are kept: below the home of the real operation, each in a folder that is a home of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from impetus.model import Conflict, NotFound

FOLDER: Final = "exercises"


@contextlib.contextmanager
def exclusively(folder: Path) -> Iterator[None]:
    """Only one exercise at a time: two would slow each other, and neither could be compared with anything.

    Raises `Conflict` if one is under way.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            who = file.read(40).strip()
            raise Conflict(
                "another exercise is under way" + (f" in process {who}" if who else ""),
                hint="wait for its end, or stop it",
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def new_run_folder(folder: Path, scenario: str, now: datetime) -> Path:
    """A fresh folder for one run."""
    base = f"{scenario}-{now:%Y%m%dT%H%M%S}"
    for number in range(100):
        run = folder / (base if not number else f"{base}-{number}")
        try:
            run.mkdir(parents=True, mode=0o700)
        except FileExistsError:
            continue
        return run
    raise Conflict(f"there are too many runs that began at {now:%H:%M:%S}", hint="wait a second")


def run_folder(folder: Path, name: str | None) -> Path:
    """The folder of a run: a path, a name below `folder`, or the newest. Raises `NotFound`."""
    if name is not None:
        for path in (Path(name), folder / Path(name).name):
            if (path / "exercise" / "journal.jsonl").is_file():
                return path
        raise NotFound(f"there is no exercise {name!r}", hint="name a folder that `impetus exercise run` made")
    found = sorted(folder.glob("*/exercise/journal.jsonl"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise NotFound("no exercise was run yet", hint="run one with `impetus exercise run protest`")
    return found[-1].parent.parent
