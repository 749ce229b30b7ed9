"""How many cameras connect at once, over all processes: two hundred that come back together take turns."""

from __future__ import annotations

import fcntl
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

TURNS = 8
LOOK_AGAIN_S = 0.1


class Turns:
    """So many turns, each the lock of a file in a folder that the processes share.

    The kernel gives a turn back when its process dies, however it dies; a counter would lose it.
    """

    def __init__(self, folder: Path, turns: int = TURNS) -> None:
        self._files = [folder / f"turn-{number}" for number in range(turns)]

    @contextmanager
    def taken(self, given_up: Callable[[], bool]) -> Iterator[bool]:
        """Wait for a turn and hold it; False where `given_up` said so first, and no turn is held then."""
        held = self._take()
        while held is None and not given_up():
            time.sleep(LOOK_AGAIN_S * random.uniform(0.5, 1.5))  # noqa: S311
            held = self._take()
        try:
            yield held is not None
        finally:
            if held is not None:
                os.close(held)

    def _take(self) -> int | None:
        for file in random.sample(self._files, len(self._files)):
            opened = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(opened)
            else:
                return opened
        return None
