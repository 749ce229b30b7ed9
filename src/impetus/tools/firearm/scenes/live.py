"""A rendered scene as a camera: the address `scene:SEED?armed_after_s=60&every_s=7200&a_minute=4&width=640&night=1`.

With `calls=FILE` somebody armed comes whenever a line `firearm` is added to that file: so a scenario decides when."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from impetus.model import InvalidInput
from impetus.tools.firearm.scenes.sequence import CameraScene, Incident

KNOWN = frozenset({"armed_after_s", "every_s", "a_minute", "width", "night"})
ARMED = "firearm"
LINE_LIMIT_BYTES = 10_000
"""So much is read of new calls at a time."""


def scene_of(address: str) -> CameraScene:
    """The scene of an address; raises `InvalidInput` where it is not written as it should be."""
    parts = urlsplit(address)
    try:
        given = parse_qs(parts.query)
        given.pop("calls", None)
        values = {name: float(value[0]) for name, value in given.items()}
        seed = int(parts.path)
    except ValueError as error:
        raise InvalidInput(f"{address} is no scene: {error}", hint="write it as in scene:3?armed_after_s=60") from error
    if parts.scheme != "scene" or seed < 0 or not set(values) <= KNOWN:
        raise InvalidInput(f"{address} is no scene", hint="write it as in scene:3?armed_after_s=60")
    width = int(values.get("width", 640))
    if not 160 <= width <= 1_920 or not 0 <= values.get("a_minute", 4.0) <= 60 or values.get("every_s", 7_200.0) < 60:
        raise InvalidInput(f"{address} asks for a scene that is not rendered", hint="160 to 1920 pixels, 60 a minute")
    return CameraScene(
        seed,
        width=width,
        height=width * 9 // 16,
        a_minute=values.get("a_minute", 4.0),
        incident=Incident(values.get("armed_after_s"), values.get("every_s", 7_200.0)),
        night=bool(values.get("night", 0.0)),
    )


class Calls:
    """The file named by `calls` in a scene's address, of which only what is added from now on counts."""

    def __init__(self, address: str) -> None:
        named = parse_qs(urlsplit(address).query).get("calls")
        self._file = Path(named[0]) if named else None
        self._read_to = self._size()

    def new(self) -> int:
        """How many armed people were called since the last look."""
        size = self._size()
        if self._file is None or size <= self._read_to:
            self._read_to = size  # it was begun anew
            return 0
        try:
            with self._file.open("rb") as file:
                file.seek(self._read_to)
                added = file.read(LINE_LIMIT_BYTES)
        except OSError:
            return 0
        whole = added[: added.rfind(b"\n") + 1]
        # What is no line after so much is passed over.
        self._read_to += len(whole) or (len(added) if len(added) == LINE_LIMIT_BYTES else 0)
        return sum(line.strip() == ARMED.encode() for line in whole.splitlines())

    def _size(self) -> int:
        try:
            return self._file.stat().st_size if self._file is not None else 0
        except OSError:
            return 0
