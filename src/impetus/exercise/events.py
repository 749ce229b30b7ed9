"""Planted events: what goes wrong in the demo city, when, and on which sensors, so that tools can be judged by it.

The schedule follows from a seed and a start time alone; `Schedule` makes it as time goes on, as far as it is asked for.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from pydantic import Field

from impetus.exercise import signals
from impetus.exercise.city import Sensor
from impetus.model import Identifier, Line, UtcTime, Value

FIRST_EARLIEST_S, FIRST_LATEST_S = 15.0, 20.0
PAUSE_SHORTEST_S, PAUSE_LONGEST_S = 25.0, 65.0
LENGTH_SHORTEST_S, LENGTH_LONGEST_S = 75.0, 240.0
"""Between one and four minutes."""
RELEASE_SITES: Sequence[tuple[str, tuple[float, float]]] = (
    ("Harbour Promenade", (-255, -585)),
    ("Old Town", (-333, -318)),
    ("Riverside", (-120, -190)),
)


class EventKind(StrEnum):
    """What may be planted."""

    CROWD_SURGE = "crowd-surge"
    TRAFFIC_JAM = "traffic-jam"
    AIR_SPIKE = "air-spike"
    POWER_DROP = "power-drop"
    STUCK_SENSOR = "stuck-sensor"
    SILENT_SENSOR = "silent-sensor"
    IMPOSSIBLE_VALUE = "impossible-value"
    RELEASE = "release"


class PlantedEvent(Value):
    """The ground truth of one event."""

    id: Identifier
    kind: EventKind
    title: Line
    site: Line
    datastreams: tuple[Identifier, ...]
    start: UtcTime
    end: UtcTime
    onset_s: float = Field(gt=0)
    """Until the effect is whole; it fades as fast at the end."""
    strength: dict[Identifier, float]
    """By datastream: factor on counts and concentrations, decibels to add, or the impossible value itself."""

    def share(self, moment: datetime) -> float:
        """How much of the effect there is: 0 outside, 1 in the middle, smooth between."""
        since_s = (moment - self.start).total_seconds()
        left_s = (self.end - moment).total_seconds()
        if since_s < 0 or left_s < 0:
            return 0.0
        nearest = min(since_s, left_s, self.onset_s) / self.onset_s
        return nearest * nearest * (3 - 2 * nearest)


class Schedule:
    """All events from a start on, in the order of their starts."""

    def __init__(self, sensors: Mapping[str, Sensor], *, seed: int, start: datetime) -> None:
        self._sensors = sensors
        self._chance = random.Random(f"{seed} {start.isoformat()}")  # noqa: S311 (a reproducible exercise, no secret)
        self._sites: dict[str, list[Sensor]] = {}
        for sensor in sensors.values():
            self._sites.setdefault(sensor.site, []).append(sensor)
        self._next_start = start + timedelta(seconds=self._chance.uniform(FIRST_EARLIEST_S, FIRST_LATEST_S))
        self._bag: list[EventKind] = []
        self._busy_until: dict[str, datetime] = {}
        self._number = 0
        self.events: list[PlantedEvent] = []
        """What has been planned so far."""

    def plan(self, until: datetime) -> list[PlantedEvent]:
        """Plan on until all events that start before `until` are known; returns the new ones."""
        new: list[PlantedEvent] = []
        while self._next_start < until:
            event = self._invent(self._next_start)
            if event is not None:
                self.events.append(event)
                new.append(event)
            self._next_start += timedelta(seconds=self._chance.uniform(PAUSE_SHORTEST_S, PAUSE_LONGEST_S))
        return new

    def active(self, moment: datetime) -> list[PlantedEvent]:
        """Events under way at a moment for which was planned already."""
        return [event for event in reversed(self.events[-50:]) if event.start <= moment <= event.end]

    def _invent(self, start: datetime) -> PlantedEvent | None:
        # From a shuffled bag every kind comes up soon; the first event is one that people see at once.
        if not self._bag:
            self._bag = [*EventKind, EventKind.CROWD_SURGE, EventKind.TRAFFIC_JAM, EventKind.AIR_SPIKE]
            self._chance.shuffle(self._bag)
            if not self._number:
                self._bag.remove(EventKind.CROWD_SURGE)
                self._bag.append(EventKind.CROWD_SURGE)
        kind = self._bag.pop()
        end = start + timedelta(seconds=self._chance.uniform(LENGTH_SHORTEST_S, LENGTH_LONGEST_S))
        for _ in range(20):
            site, title, onset_s, strength = self._choose(kind, start)
            if strength and all(self._busy_until.get(id, start) <= start for id in strength):
                break
        else:
            return None
        self._number += 1
        for id in strength:
            self._busy_until[id] = end + timedelta(seconds=120)
        return PlantedEvent(
            id=f"event-{start:%Y%m%dT%H%M%S}-{self._number}",
            kind=kind,
            title=title,
            site=site,
            datastreams=tuple(strength),
            start=start,
            end=end,
            onset_s=onset_s,
            strength=strength,
        )

    def happening(
        self, id: str, kind: EventKind, site: str, start: datetime, end: datetime, strength: float = 1.0
    ) -> PlantedEvent | None:
        """One event at a chosen site, added to the plan; `strength` beside the usual one. None if nothing there would
        read it."""
        _, title, onset_s, effect = self._choose(kind, start, site)
        if not effect:
            return None
        event = PlantedEvent(
            id=id,
            kind=kind,
            title=title,
            site=site,
            datastreams=tuple(effect),
            start=start,
            end=end,
            onset_s=onset_s,
            strength={name: _stronger(kind, value, strength) for name, value in effect.items()},
        )
        self.events.append(event)
        return event

    def _choose(
        self, kind: EventKind, start: datetime, site: str | None = None
    ) -> tuple[str, str, float, dict[str, float]]:
        """Site, title, seconds of onset, strength by datastream; at `site`, or where chance has it."""
        if kind is EventKind.CROWD_SURGE:
            return self._crowd_surge(site)
        if kind is EventKind.TRAFFIC_JAM:
            return self._traffic_jam(site)
        if kind is EventKind.AIR_SPIKE:
            return self._air_spike(site)
        if kind is EventKind.RELEASE:
            return self._release(start, site)
        if kind is EventKind.POWER_DROP:
            sensor = self._one_of("power-load", site=site)
            return sensor.site, f"Power drops at {sensor.datastream.thing}", 3.0, {sensor.datastream.id: 0.12}
        if kind is EventKind.STUCK_SENSOR:
            # A count that stands still at zero at night is no fault: only signals that always move get stuck.
            sensor = self._one_of("sound-level", "traffic-speed", "wind-speed", "no2", "power-load", site=site)
            return sensor.site, f"{sensor.datastream.thing} is stuck", 0.001, {sensor.datastream.id: 0.0}
        if kind is EventKind.SILENT_SENSOR:
            sensor = self._one_of("sound-level", "people-count", "traffic-flow", "pm2-5", "water-level", site=site)
            return sensor.site, f"{sensor.datastream.thing} falls silent", 0.001, {sensor.datastream.id: 0.0}
        sensor = self._one_of("air-temperature", "water-level", "no2", "traffic-speed", "wind-speed", site=site)
        wrong = self._chance.choice([-999.0, 9_999.0, 65_535.0])
        return sensor.site, f"{sensor.datastream.thing} reads what cannot be", 0.001, {sensor.datastream.id: wrong}

    def _crowd_surge(self, site: str | None) -> tuple[str, str, float, dict[str, float]]:
        squares = ["Market Square", "City Hall Square", "Harbour Square", "Station Square", "Republic Square"]
        site = site or self._chance.choice([square for square in squares if square in self._sites])
        strength: dict[str, float] = {}
        for sensor in self._sites[site]:
            if sensor.property.id == "people-count":
                strength[sensor.datastream.id] = self._chance.uniform(1.9, 3.1)
            elif sensor.property.id == "sound-level":
                strength[sensor.datastream.id] = self._chance.uniform(14, 20)
        return site, f"Crowd surge at {site}", self._chance.uniform(12, 28), strength

    def _traffic_jam(self, site: str | None) -> tuple[str, str, float, dict[str, float]]:
        roads = sorted({sensor.site for sensor in self._sensors.values() if sensor.property.id == "traffic-speed"})
        site = site or self._chance.choice(roads)
        strength: dict[str, float] = {}
        for sensor in self._sites[site]:
            if sensor.property.id == "traffic-speed":
                strength[sensor.datastream.id] = self._chance.uniform(0.10, 0.25)
            elif sensor.property.id == "traffic-flow":
                strength[sensor.datastream.id] = self._chance.uniform(0.08, 0.3)
        return site, f"Traffic comes to a halt on {site}", self._chance.uniform(15, 35), strength

    def _air_spike(self, site: str | None) -> tuple[str, str, float, dict[str, float]]:
        source = self._one_of("pm2-5", site=site)
        peak = self._chance.uniform(6.0, 11.0)
        strength: dict[str, float] = {}
        for sensor in self._sensors.values():
            if sensor.property.id in ("pm2-5", "no2"):
                distance_m = math.dist(sensor.position, source.position)
                share = math.exp(-0.5 * (distance_m / 220) ** 2)
                if share > 0.25:
                    weight = 1.0 if sensor.property.id == "pm2-5" else 0.35
                    strength[sensor.datastream.id] = 1 + (peak - 1) * share * weight
        return source.site, f"Smoke near {source.site}", self._chance.uniform(15, 30), strength

    def _release(self, start: datetime, chosen: str | None) -> tuple[str, str, float, dict[str, float]]:
        """Bacteria sprayed on a square: a plume with Briggs' spreads for towns in neutral air, in the wind of then."""
        places = [place for place in RELEASE_SITES if chosen in (None, place[0])]
        site, (east, north) = self._chance.choice(places or RELEASE_SITES)
        # Strong enough that three samplers at least read five times their scatter: fewer tell no place.
        rate = self._chance.uniform(1e8, 3e8)
        wind_mps = self._mean("wind-speed", start)
        towards = math.radians(self._mean("wind-direction", start) + 180.0)
        strength: dict[str, float] = {}
        for sensor in self._sensors.values():
            if sensor.property.id != "bacteria-concentration":
                continue
            x, y = sensor.position[0] - east, sensor.position[1] - north
            along = x * math.sin(towards) + y * math.cos(towards)
            across = x * math.cos(towards) - y * math.sin(towards)
            if along <= 1:
                continue
            lateral = 0.16 * along / math.sqrt(1 + 4e-4 * along)
            vertical = 0.14 * along / math.sqrt(1 + 3e-4 * along)
            level = rate / (math.pi * max(wind_mps, 0.5) * lateral * vertical)
            excess = level * math.exp(-0.5 * (across / lateral) ** 2 - 0.5 * (3.0 / vertical) ** 2)
            if excess > 0.05 * sensor.size:
                strength[sensor.datastream.id] = 1 + excess / sensor.size
        return site, f"Bacteria are released at {site}", self._chance.uniform(5, 12), strength

    def _mean(self, property_id: str, moment: datetime) -> float:
        values = [signals.value(each, moment) for each in self._sensors.values() if each.property.id == property_id]
        return sum(values) / len(values)

    def _one_of(self, *properties: str, site: str | None = None) -> Sensor:
        fitting = [id for id, sensor in self._sensors.items() if sensor.property.id in properties]
        there = [id for id in fitting if site in (None, self._sensors[id].site)]
        return self._sensors[self._chance.choice(there or fitting)]


def _stronger(kind: EventKind, value: float, strength: float) -> float:
    """An effect that is `strength` times the usual one; what is stuck, silent or impossible knows no more or less."""
    if kind in (EventKind.STUCK_SENSOR, EventKind.SILENT_SENSOR, EventKind.IMPOSSIBLE_VALUE):
        return value
    return 1 + (value - 1) * strength if value > 1 else value / max(strength, 1.0)


def reading(
    sensor: Sensor, moment: datetime, active: Sequence[PlantedEvent], usual: float | None = None
) -> float | None:
    """What the sensor sends at a moment while these events are under way; None if it sends nothing. `usual`: what it
    reads then without them, where that is known already."""
    id = sensor.datastream.id
    value = signals.value(sensor, moment) if usual is None else usual
    for event in active:
        if id not in event.strength:
            continue
        strength, share = event.strength[id], event.share(moment)
        if share <= 0:
            continue
        if event.kind is EventKind.SILENT_SENSOR:
            return None
        if event.kind is EventKind.STUCK_SENSOR:
            return signals.value(sensor, event.start)
        if event.kind is EventKind.IMPOSSIBLE_VALUE:
            # Two readings of three: a loose contact, not a clean failure.
            return strength if int(moment.timestamp()) % 3 else value
        if sensor.property.id == "sound-level":
            value += strength * share
        elif event.kind is EventKind.CROWD_SURGE:
            # At night a crowd is no multiple of nobody: part of it is people who come from elsewhere.
            value = value * (1 + (strength - 1) * share) + 0.55 * sensor.size * strength * share
        else:
            value *= 1 + (strength - 1) * share
    if any(id in event.strength and event.kind is not EventKind.IMPOSSIBLE_VALUE for event in active):
        value = sensor.rounded(value)
    return float(value)


class GroundTruth:
    """A JSON Lines file with one planted event a line, written when the event begins."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def add(self, events: Sequence[PlantedEvent]) -> None:
        """Append events."""
        if events:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as stream:
                stream.writelines(event.model_dump_json() + "\n" for event in events)

    def __iter__(self) -> Iterator[PlantedEvent]:
        if self._file.exists():
            with self._file.open(encoding="utf-8") as stream:
                for line in stream:
                    try:
                        yield PlantedEvent.model_validate(json.loads(line))
                    except ValueError:
                        continue  # the last line of a process that was killed may be cut

    def between(self, since: datetime, until: datetime) -> list[PlantedEvent]:
        """Events that were under way in [since, until)."""
        return [event for event in self if event.start < until and event.end >= since]
