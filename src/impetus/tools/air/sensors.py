"""The registered sensors: where they stand, in metres of one plane, and how many people their counters count."""

from __future__ import annotations

from collections.abc import Iterable

from impetus.model import Datastream
from impetus.tools.air.plane import Plane

MOST_PEOPLE = 1e6


class Sensors:
    """What the register says of them."""

    def __init__(self) -> None:
        self.streams: dict[str, Datastream] = {}
        self.plane: Plane | None = None
        """Around the middle of the sensors that were known first; None while none has a place."""
        self._people: dict[str, float] = {}

    def know(self, streams: Iterable[Datastream]) -> None:
        """Take in what the register says now."""
        self.streams |= {stream.id: stream for stream in streams}
        places = [stream.place.centre for stream in self.streams.values() if stream.place is not None]
        if self.plane is None and places:
            count = len(places)
            self.plane = Plane(sum(place[0] for place in places) / count, sum(place[1] for place in places) / count)

    def count(self, counter: str, people: float) -> None:
        """A counter of people was read."""
        self._people[counter] = min(max(people, 0.0), MOST_PEOPLE)

    def position(self, sensor: str, plane: Plane | None = None) -> tuple[float, float] | None:
        """East and north in metres; None if its place is not known."""
        stream, plane = self.streams.get(sensor), plane or self.plane
        if stream is None or stream.place is None or plane is None:
            return None
        return plane.to_metres(*stream.place.centre)

    def positions(self, like: Datastream) -> dict[str, tuple[float, float]]:
        """Of all sensors that measure the same."""
        found = {}
        for stream in self.streams.values():
            position = self.position(stream.id)
            if stream.observed_property == like.observed_property and position is not None:
                found[stream.id] = position
        return found

    def counted(self, plane: Plane) -> dict[tuple[float, float], float]:
        """How many people are counted, by position."""
        found: dict[tuple[float, float], float] = {}
        for sensor, count in self._people.items():
            position = self.position(sensor, plane)
            if position is not None:
                found[position] = found.get(position, 0.0) + count
        return found
