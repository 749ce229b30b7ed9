"""The live side: readings in, alerts and hazard zones out."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from impetus.model import (
    Alert,
    Category,
    Certainty,
    Datastream,
    Factor,
    InvalidInput,
    ModelReference,
    ObservationBatch,
    Place,
    Severity,
    Status,
    ToolRequest,
    ToolResult,
    Urgency,
    derived_id,
    from_microseconds,
)
from impetus.sdk import Context, Tool
from impetus.tools.air.agents import TABLE, Level, agent_of
from impetus.tools.air.background import COVARIATES
from impetus.tools.air.detection import ACTIONS, Confirmation, Detection, Detector, Reading
from impetus.tools.air.hazard import hazard_map
from impetus.tools.air.plane import Plane
from impetus.tools.air.posterior import Posterior
from impetus.tools.air.quantities import convert, gas_gpm3
from impetus.tools.air.release import Box
from impetus.tools.air.settings import AirSettings
from impetus.tools.air.spread import Terrain
from impetus.tools.air.winds import WindRecord
from impetus.tools.air.zones import Assessment, Excess, assess, document, point_samples, zone_polygons

BACTERIA, PARTICLES, GAS = "bacteria-concentration", "fluorescent-particles", "gas-concentration"
WATCHED = (BACTERIA, PARTICLES, GAS)
UNITS: Mapping[str, str] = {BACTERIA: "CFU/m3", PARTICLES: "1/L", GAS: "ppb"}
RATE_UNITS: Mapping[str, str] = {BACTERIA: "CFU/s", PARTICLES: "1e3/s", GAS: "g/s"}
COVARIATE_PROPERTIES: Mapping[str, str] = {
    "wind-speed": "wind_speed_mps",
    "relative-humidity": "humidity_percent",
    "rain-rate": "rain_mmph",
    "air-temperature": "temperature_c",
}
MODEL = ModelReference(name="air step test", version="1")
EXCESS_SAMPLES = 6
MOST_POSSIBLE = 1e9
"""No air sensor reads more, in any of the units: above it, the device is broken."""
MOST_PEOPLE = 1e6
HISTORY_DAYS = 5.0
CHECKPOINT_S = 60.0
ROUNDS_AT_ONCE = 40
SENSOR_HEIGHT_M = 3.0
CONFIDENCE: Mapping[Confirmation, float] = {
    Confirmation.NONE: 0.5,
    Confirmation.SECOND_SAMPLE: 0.75,
    Confirmation.SECOND_SENSOR: 0.9,
}


class DispersionWanted(BaseModel):
    """A release to draw; rules that ask give the place only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent: Annotated[str, Field(title="Agent", max_length=64)] = "chlorine"
    rate_gps: Annotated[float, Field(title="Release rate in g/s", gt=0, le=1e6)] = 100.0
    longitude: Annotated[float | None, Field(title="Longitude", ge=-180, le=180)] = None
    latitude: Annotated[float | None, Field(title="Latitude", ge=-90, le=90)] = None


@dataclass
class _Network:
    """The sensors of one kind of measurement."""

    detector: Detector
    sums: dict[str, list[float]] = field(default_factory=dict)
    bin: int | None = None
    excess: dict[str, list[tuple[float, float, float]]] = field(default_factory=dict)
    """Sensor -> (time, excess, scatter) of its latest samples."""
    release: _Episode | None = None


@dataclass
class _Episode:
    """A release that goes on."""

    id: str
    onset_s: float
    alert: str
    latest_s: float
    revision: int = 0
    updated_s: float = -math.inf
    posterior: Posterior | None = None
    result: ToolResult | None = None


class AirTool(Tool[AirSettings]):
    """Watches the air of one organisation."""

    settings_type: ClassVar[type[AirSettings]] = AirSettings
    task_models: ClassVar[Mapping[str, type[BaseModel]]] = {"dispersion": DispersionWanted}

    def __init__(self, context: Context, settings: AirSettings) -> None:
        super().__init__(context, settings)
        self._streams: dict[str, Datastream] = {}
        self._plane: Plane | None = None
        self._winds = WindRecord()
        self._covariates: dict[str, float] = {}
        self._people: dict[str, float] = {}
        self._networks: dict[str, _Network] = {}
        self._newest_us: dict[str, int] = {}
        self._told_us: dict[str, int] = {}
        """What the instance before had seen: learnt from again, and told no more."""
        self._saved_s = context.clock.monotonic_s()
        self._alerts: dict[str, Alert] = {}
        self._faulty: dict[str, Alert] = {}
        self._outgoing: list[Alert] = []
        self._remarks: dict[str, float] = {}
        self._random = np.random.default_rng(1)
        self._gas = agent_of(settings.gas, settings.agents_file or TABLE)

    async def start(self) -> None:
        self._restore(await self.context.load_checkpoint())
        await self._refresh()
        since = self.context.clock.now() - timedelta(days=HISTORY_DAYS)
        async for batch in self.context.history(since):
            await self._take(batch)

    async def observe(self, batch: ObservationBatch) -> None:
        if any(name not in self._streams for name in batch.datastreams):
            await self._refresh()
        await self._take(batch)
        await self._send()

    async def tick(self) -> None:
        now_s = self.context.clock.now().timestamp()
        for network in self._networks.values():
            if network.bin is not None and now_s > (network.bin + 2) * self.settings.sample_s:
                self._finish(network)
        await self._send()
        for name, network in self._networks.items():
            await self._update(name, network, now_s)
        recent = [text for text, seen_s in self._remarks.items() if now_s - seen_s < 120]
        await self.context.degraded("; ".join(sorted(recent)[:5]) or None)
        if self.context.clock.monotonic_s() - self._saved_s >= CHECKPOINT_S:
            self._saved_s = self.context.clock.monotonic_s()
            await self._save()

    async def stop(self) -> None:
        await self._send()
        await self._save()

    async def _save(self) -> None:
        seen = {**self._told_us, **self._newest_us}
        await self.context.save_checkpoint(json.dumps({"newest_us": seen}).encode())

    def _restore(self, checkpoint: bytes | None) -> None:
        """What was seen before. A checkpoint that cannot be read is none: the same readings give the same alerts."""
        try:
            newest = json.loads(checkpoint or b"{}").get("newest_us", {})
            self._told_us = {str(name): int(time_us) for name, time_us in newest.items()}
        except (ValueError, AttributeError, TypeError):
            self.context.log.warning("air.checkpoint_unreadable")

    async def handle(self, request: ToolRequest) -> str:
        wanted = DispersionWanted.model_validate(request.content)
        agent = agent_of(wanted.agent, self.settings.agents_file or TABLE)
        if wanted.longitude is not None and wanted.latitude is not None:
            position = (wanted.longitude, wanted.latitude)
        elif request.place is not None:
            position = request.place.centre
        else:
            raise InvalidInput("the request names no place", hint="give longitude and latitude")
        now = self.context.clock.now()
        weather, remarks = self._winds.weather(now.timestamp(), Terrain(self.settings.terrain), now.hour)
        if weather is None:
            raise InvalidInput(remarks[0], hint="a plume cannot be drawn")
        plane = Plane(*position)
        random = np.random.default_rng(1)
        samples = point_samples(0.0, 0.0, wanted.rate_gps, weather, random)
        levels = agent.levels(self.settings.exposure_min)
        drawn = await asyncio.to_thread(
            hazard_map, samples, weather, Box.around(0, 0, 3_000.0), levels, random, age_s=0.0
        )
        zones: list[JsonValue] = []
        for lead, lead_s in enumerate(drawn.leads_s):
            for number, level in enumerate(levels):
                shape = zone_polygons(drawn, lead, number, 0.5)
                rings: list[JsonValue] = [
                    [[list(plane.to_degrees(x, y)) for x, y in part.exterior.coords]] for part in shape.geoms
                ]
                zones.append(
                    {
                        "lead_s": lead_s,
                        "level": level.id,
                        "title": level.title,
                        "probability": 0.5,
                        "area_m2": round(shape.area),
                        "geometry": {"type": "MultiPolygon", "coordinates": rings},
                    }
                )
        await self.context.publish(
            ToolResult(
                id=derived_id(request.id, "what-if"),
                tool="air",
                kind="what-if",
                title=f"{agent.title}, {wanted.rate_gps:g} g/s",
                time=now,
                status=Status.EXERCISE,
                place=request.place,
                alert=request.alert,
                incident=request.incident,
                request=request.id,
                content={
                    "agent": agent.title,
                    "source_of_levels": agent.source,
                    "zones": zones,
                    "remarks": list(remarks),
                },
            )
        )
        return f"the zone of {wanted.rate_gps:g} g/s of {agent.title} is drawn"

    # Readings

    async def _refresh(self) -> None:
        for stream in await self.context.datastreams():
            self._streams[stream.id] = stream
        places = [stream.place.centre for stream in self._streams.values() if stream.place is not None]
        if self._plane is None and places:
            count = len(places)
            self._plane = Plane(sum(place[0] for place in places) / count, sum(place[1] for place in places) / count)

    async def _take(self, batch: ObservationBatch) -> None:
        now_us = round(self.context.clock.now().timestamp() * 1e6)
        latest_us = now_us + round(self.settings.future_s * 1e6)
        order = sorted(range(len(batch)), key=lambda place: batch.time_us[place])
        for turn, place in enumerate(order):
            name = batch.datastreams[batch.index[place]]
            stream = self._streams.get(name)
            time_us, value = batch.time_us[place], batch.value[place]
            if stream is None or time_us <= self._newest_us.get(name, -(2**62)):
                continue
            if time_us > latest_us:
                self._remark(f"readings of {name} are from the future: its clock is wrong", now_us / 1e6)
                continue
            self._newest_us[name] = time_us
            self._reading(stream, time_us / 1e6, value, now_us / 1e6)
            if turn % (ROUNDS_AT_ONCE * 50) == 0:
                await asyncio.sleep(0)

    def _reading(self, stream: Datastream, time_s: float, value: float, now_s: float) -> None:
        name = stream.observed_property
        if name == "wind-direction":
            self._winds.direction(stream.id, time_s, value)
        elif name == "people-count":
            self._people[stream.id] = min(max(value, 0.0), MOST_PEOPLE)
        elif name in COVARIATE_PROPERTIES:
            if name == "wind-speed":
                self._winds.speed(stream.id, time_s, value)
            self._covariates[COVARIATE_PROPERTIES[name]] = min(max(value, -1e4), 1e4)
        elif name in WATCHED:
            self._sample(stream, time_s, value, now_s)

    def _sample(self, stream: Datastream, time_s: float, value: float, now_s: float) -> None:
        try:
            value = convert(value, stream.unit, UNITS[stream.observed_property])
        except InvalidInput as error:
            self._remark(f"{stream.id}: {error.message}", now_s)
            return
        lowest = max(stream.lowest or 0.0, 0.0)
        wrong = value < lowest or value > MOST_POSSIBLE
        saturated = stream.highest is not None and value >= stream.highest
        fresh = now_s - time_s <= self.settings.alert_age_s
        self._device(stream, time_s, value, wrong, fresh)
        if wrong:
            return
        if saturated:
            self._remark(f"{stream.id} is at the end of its range: it reads at least so much", now_s)
        network = self._networks.get(stream.observed_property)
        if network is None:
            network = self._networks[stream.observed_property] = _Network(Detector(self._positions(stream)))
        number = math.floor(time_s / self.settings.sample_s)
        if network.bin is not None and number > network.bin:
            self._finish(network)
        if network.bin is None or number >= network.bin:
            network.bin = number if network.bin is None else max(network.bin, number)
        network.sums.setdefault(stream.id, []).append(value)

    def _finish(self, network: _Network) -> None:
        """Test the samples of a bin that is over."""
        if network.bin is None or not network.sums:
            return
        time_s = (network.bin + 0.5) * self.settings.sample_s
        covariates = tuple(self._covariates.get(name, math.nan) for name in COVARIATES)
        samples = {name: sum(values) / len(values) for name, values in network.sums.items()}
        network.sums, network.bin = {}, None
        readings = [Reading(name, time_s, value, covariates) for name, value in samples.items()]
        found = list(network.detector.observe(readings))
        for name, value in samples.items():
            expected = network.detector.last_expected.get(name)
            if expected is not None:
                kept = network.excess.setdefault(name, [])
                kept.append((time_s, value - expected[0], expected[1]))
                del kept[:-EXCESS_SAMPLES]
        fresh = self.context.clock.now().timestamp() - time_s <= self.settings.alert_age_s
        for detection in found:
            if fresh and not detection.learning:
                known_us = self._told_us.get(detection.sensors[0], 0) / 1e6
                self._detected(network, detection, tell=detection.time_s > known_us)
        if network.release is not None and network.detector.open_detections():
            network.release.latest_s = time_s

    def _detected(self, network: _Network, detection: Detection, *, tell: bool) -> None:
        stream = self._streams[detection.sensors[0]]
        onset = from_microseconds(round(detection.onset_s * 1e6))
        id = derived_id("air", stream.id, onset.isoformat())
        unit = UNITS[stream.observed_property]
        known = self._alerts.get(id)
        alert = Alert(
            id=id,
            revision=0 if known is None else known.revision + 1,
            tool="air",
            detector="release",
            source=stream.id,
            headline=f"{stream.name}: {detection.value:.3g} {unit} where {detection.expected:.3g} is usual",
            description=(
                f"A step of {detection.height_sd:.1f} times the scatter of the background"
                + (f", with {len(detection.sensors) - 1} neighbours." if len(detection.sensors) > 1 else ".")
            ),
            instruction=ACTIONS[detection.confirmation].capitalize() + ".",
            category=Category.CBRNE,
            urgency=Urgency.IMMEDIATE if detection.confirmation is not Confirmation.NONE else Urgency.EXPECTED,
            severity=Severity.SEVERE if detection.confirmation is not Confirmation.NONE else Severity.MODERATE,
            certainty=Certainty.LIKELY if detection.confirmation is not Confirmation.NONE else Certainty.POSSIBLE,
            confidence=CONFIDENCE[detection.confirmation],
            onset=onset,
            sent=self.context.clock.now(),
            place=stream.place,
            explanation=(
                Factor(
                    name="Step above background",
                    weight=min(1.0, detection.evidence / 12.0),
                    observed=f"{detection.value:.3g} {unit}",
                    expected=f"{detection.expected:.3g} ± {detection.sd:.2g} {unit}",
                    text=f"{detection.evidence:.1f} standard errors",
                ),
                Factor(
                    name="Confirmation", weight=CONFIDENCE[detection.confirmation], text=detection.confirmation.value
                ),
            ),
            entities=tuple(detection.sensors[1:100]),
            model=MODEL,
        )
        self._alerts[id] = alert
        if tell:
            self._outgoing.append(alert)
        if network.release is None:
            network.release = _Episode(derived_id("air", "release", id), detection.onset_s, id, detection.time_s)

    def _device(self, stream: Datastream, time_s: float, value: float, wrong: bool, fresh: bool) -> None:
        """One alert when a sensor begins to read what cannot be, and its end when it does no more."""
        open_alert = self._faulty.get(stream.id)
        now = self.context.clock.now()
        if wrong and open_alert is None and fresh:
            onset = from_microseconds(round(time_s * 1e6))
            alert = Alert(
                id=derived_id("air", "device", stream.id, onset.isoformat()),
                tool="air",
                detector="device",
                source=stream.id,
                headline=f"{stream.name} reads {value:.3g}, which cannot be",
                instruction="Check the instrument; its readings are left out.",
                category=Category.INFRA,
                urgency=Urgency.FUTURE,
                severity=Severity.MINOR,
                certainty=Certainty.OBSERVED,
                confidence=0.95,
                onset=onset,
                sent=now,
                place=stream.place,
                model=MODEL,
            )
            self._faulty[stream.id] = alert
            if round(time_s * 1e6) > self._told_us.get(stream.id, 0):
                self._outgoing.append(alert)
        elif not wrong and open_alert is not None:
            del self._faulty[stream.id]
            ended = max(open_alert.onset, from_microseconds(round(time_s * 1e6)))
            if round(time_s * 1e6) <= self._told_us.get(stream.id, 0):
                return
            self._outgoing.append(open_alert.model_copy(update={"revision": 1, "sent": now, "ended": ended}))

    async def _send(self) -> None:
        while self._outgoing:
            await self.context.emit(self._outgoing[0])
            self._outgoing.pop(0)

    # Zones

    async def _update(self, name: str, network: _Network, now_s: float) -> None:
        """Work out the source and the zone of a release that goes on; end one that is over."""
        episode = network.release
        if episode is None or self._plane is None:
            return
        if now_s - episode.latest_s > self.settings.end_s:
            await self._end(network, episode)
            return
        if now_s - episode.updated_s < self.settings.update_s:
            return
        episode.updated_s = now_s
        if episode.revision == 0:
            # An instance before this one may have drawn it already.
            for kept in await self.context.published("hazard-zone"):
                if kept.id == episode.id:
                    episode.revision = kept.revision + 1
        readings = self._excess(name, network)
        now = self.context.clock.now()
        weather, remarks = self._winds.weather(now_s, Terrain(self.settings.terrain), now.hour)
        if weather is None:
            self._remark(f"no zone can be drawn: {remarks[0]}", now_s)
            return
        if not any(reading.value > 0 for reading in readings):
            return
        levels, agent, unit = self._levels(name)
        random = np.random.default_rng(episode.revision + 1)
        age_s = max(now_s - episode.onset_s, self.settings.sample_s)

        def work() -> tuple[Assessment, dict[str, object], Place | None]:
            found = assess(readings, weather, levels, random, age_s=age_s, before=episode.posterior)
            content, place = document(
                found,
                self._plane or Plane(0, 0),
                random,
                agent=agent,
                unit=unit,
                rate_unit=RATE_UNITS[name],
                remarks=remarks,
                sensors=readings,
                people=self._counted(),
            )
            return found, dict(content), place

        found, content, place = await asyncio.to_thread(work)
        episode.posterior = found.posterior
        episode.result = ToolResult.model_validate(
            {
                "id": episode.id,
                "revision": episode.revision,
                "tool": "air",
                "kind": "hazard-zone",
                "title": f"{agent} near {self._nearest(readings)}",
                "time": now,
                "place": place,
                "alert": episode.alert,
                "content": content,
            }
        )
        episode.revision += 1
        await self.context.publish(episode.result)

    async def _end(self, network: _Network, episode: _Episode) -> None:
        network.release = None
        now = self.context.clock.now()
        if episode.result is not None:
            update = {"revision": episode.revision, "ended": now, "time": now}
            await self.context.publish(episode.result.model_copy(update=update))
        alert = self._alerts.get(episode.alert)
        if alert is not None:
            ended = max(alert.onset, from_microseconds(round(episode.latest_s * 1e6)))
            update = {"revision": alert.revision + 1, "sent": now, "ended": ended}
            self._alerts[alert.id] = alert.model_copy(update=update)
            await self.context.emit(self._alerts[alert.id])

    def _excess(self, name: str, network: _Network) -> list[Excess]:
        """What each sensor read beyond its background, on the average of its latest samples since the onset."""
        onset_s = network.release.onset_s if network.release else 0.0
        found = []
        detected = {name for one in network.detector.open_detections() for name in one.sensors}
        for sensor, kept in network.excess.items():
            position = self._position(sensor)
            recent = [entry for entry in kept if entry[0] >= onset_s - self.settings.sample_s]
            if position is None or not recent:
                continue
            mean = sum(entry[1] for entry in recent) / len(recent)
            scatter = 2 * recent[-1][2] / math.sqrt(len(recent))
            value, limit = (mean if mean > scatter else 0.0), scatter
            highest = self._streams[sensor].highest
            saturated = highest is not None and recent[-1][1] >= 0.98 * highest
            if name == GAS:
                mass = self._gas.molar_mass_gpmol
                value, limit = gas_gpm3(value, mass), gas_gpm3(limit, mass)
            if name == PARTICLES:
                value, limit = 1_000 * value, 1_000 * limit
            trusted = sensor in detected
            found.append(Excess(sensor, *position, SENSOR_HEIGHT_M, value, limit, saturated, trusted))
        return found

    def _levels(self, name: str) -> tuple[Sequence[Level], str, str]:
        """Levels in the unit of the zone, what the agent is called, and that unit."""
        if name == GAS:
            return self._gas.levels(self.settings.exposure_min), self._gas.title, "g/m3"
        own = self.settings.bacteria_cfupm3 if name == BACTERIA else tuple(1e3 * v for v in self.settings.particles_pl)
        unit = "CFU/m3" if name == BACTERIA else "1/m3"
        title = "Bacteria" if name == BACTERIA else "Fluorescent particles"
        levels = [Level(f"level-{n}", f"{value:g} {unit}", value) for n, value in enumerate(own, start=1)]
        return levels, title, unit

    def _positions(self, like: Datastream) -> dict[str, tuple[float, float]]:
        found = {}
        for stream in self._streams.values():
            position = self._position(stream.id)
            if stream.observed_property == like.observed_property and position is not None:
                found[stream.id] = position
        return found

    def _position(self, sensor: str) -> tuple[float, float] | None:
        stream = self._streams.get(sensor)
        if stream is None or stream.place is None or self._plane is None:
            return None
        return self._plane.to_metres(*stream.place.centre)

    def _counted(self) -> dict[tuple[float, float], float]:
        found = {}
        for sensor, count in self._people.items():
            position = self._position(sensor)
            if position is not None:
                found[position] = count
        return found

    def _nearest(self, readings: Sequence[Excess]) -> str:
        strongest = max(readings, key=lambda reading: reading.value)
        stream = self._streams[strongest.sensor]
        return (stream.place.name if stream.place and stream.place.name else stream.thing)[:120]

    def _remark(self, text: str, now_s: float) -> None:
        self._remarks[text] = now_s
        if len(self._remarks) > 200:
            self._remarks = dict(sorted(self._remarks.items(), key=lambda entry: -entry[1])[:100])
