"""Cuts the stream of a TAK server into events: they follow each other with nothing between that could be relied on."""

from __future__ import annotations

import re
from typing import Final

from impetus.connectors.cot.event import EVENT_LIMIT_BYTES

_BEGIN: Final = re.compile(rb"<event[\s>]")
_END: Final = b"</event>"


class EventSplitter:
    """Takes bytes as they come, gives whole events; never holds more than one event may be long."""

    def __init__(self) -> None:
        self._buffer = b""
        self.discarded = 0
        """Pieces that were no whole event: cut off, or too long."""

    def feed(self, data: bytes) -> list[bytes]:
        """The events that these bytes complete."""
        found = []
        self._buffer += data
        while (end := self._buffer.find(_END)) >= 0:
            piece, self._buffer = self._buffer[: end + len(_END)], self._buffer[end + len(_END) :]
            begins = [match.start() for match in _BEGIN.finditer(piece)]
            # One that began and never ended is followed by the next one's beginning.
            self.discarded += max(0, len(begins) - 1) if begins else 1
            if begins:
                found.append(piece[begins[-1] :])
        if len(self._buffer) > EVENT_LIMIT_BYTES:
            self.discarded += 1
            # What follows the lost piece can begin no later than here.
            later = _BEGIN.search(self._buffer, len(self._buffer) - EVENT_LIMIT_BYTES // 2)
            self._buffer = self._buffer[later.start() :] if later else self._buffer[-len(_END) :]
        return found
