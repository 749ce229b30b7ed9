"""Which tracks are to be compared with one: the newest of its neighbourhood, and those that carry one of its names."""

from __future__ import annotations

import math
from collections.abc import Iterator

from impetus.situation.correlation.groups import Track
from impetus.situation.correlation.signal import Where

Cell = tuple[int, int]

TRACKS_A_CELL = 64
"""Newest tracks of one cell that are compared."""

TRACKS_AN_ENTITY = 64


class TrackIndex:
    """Tracks by square of the Mercator plane and by name."""

    def __init__(self, side_m: float) -> None:
        """`side_m`: of the squares, metres on that plane."""
        self._side_m = side_m
        self._in_cell: dict[Cell, dict[int, Track]] = {}
        self._of_entity: dict[str, dict[int, Track]] = {}

    def cell(self, where: Where) -> Cell:
        """The square of a place."""
        return (math.floor(where.x / self._side_m), math.floor(where.y / self._side_m))

    def near(self, cell: Cell, reach: int = 1) -> Iterator[Track]:
        """Tracks of the square and of those around it, so many in each direction."""
        across, up = cell
        for i in range(-reach, reach + 1):
            for j in range(-reach, reach + 1):
                yield from (self._in_cell.get((across + i, up + j)) or {}).values()

    def named(self, entity: str) -> Iterator[Track]:
        """Tracks that carry the name."""
        return iter((self._of_entity.get(entity) or {}).values())

    def add(self, track: Track) -> None:
        """The oldest of a full square, or of a name that many carry, is compared no more."""
        if track.cell is not None:
            _remember(self._in_cell.setdefault(track.cell, {}), track, TRACKS_A_CELL)
        for entity in track.entities:
            _remember(self._of_entity.setdefault(entity, {}), track, TRACKS_AN_ENTITY)

    def remove(self, track: Track) -> None:
        """It is compared no more; one that is not in is no error."""
        if track.cell is not None and (there := self._in_cell.get(track.cell)) is not None:
            there.pop(track.number, None)
            if not there:
                del self._in_cell[track.cell]
        for entity in track.entities:
            if (carriers := self._of_entity.get(entity)) is not None:
                carriers.pop(track.number, None)
                if not carriers:
                    del self._of_entity[entity]


def _remember(tracks: dict[int, Track], track: Track, limit: int) -> None:
    tracks[track.number] = track
    if len(tracks) > limit:
        del tracks[next(iter(tracks))]
