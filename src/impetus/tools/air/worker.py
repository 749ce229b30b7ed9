"""The live side: readings in, alerts and hazard zones out."""

from __future__ import annotations

import asyncio
import json
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from impetus.model import (
    Alert,
    Datastream,
    InvalidInput,
    Observation,
    ObservationBatch,
    Place,
    Status,
    ToolRequest,
    ToolResult,
    derived_id,
    from_microseconds,
)
from impetus.sdk import Context, Tool
from impetus.tools.air.agents import TABLE, Level, agent_of, dose_level
from impetus.tools.air.alerts import device_alert, release_alert, release_id
from impetus.tools.air.arrays import Booleans, Floats
from impetus.tools.air.background import COVARIATES
from impetus.tools.air.bands import Sample, chart_rows, expectations
from impetus.tools.air.detection import Detection, Detector, Reading
from impetus.tools.air.devices import Devices
from impetus.tools.air.drivers import RawReading
from impetus.tools.air.hazard import hazard_map
from impetus.tools.air.instruments import instruments_of
from impetus.tools.air.listening import listen
from impetus.tools.air.open_space import open_cells, read_open_space
from impetus.tools.air.plane import Plane
from impetus.tools.air.posterior import Posterior
from impetus.tools.air.quantities import convert, gas_gpm3
from impetus.tools.air.release import Box
from impetus.tools.air.settings import AirSettings
from impetus.tools.air.spread import Terrain
from impetus.tools.air.winds import WindRecord
from impetus.tools.air.zones import (
    SEARCH_M,
    Assessment,
    Excess,
    advice,
    assess,
    document,
    drawn_zones,
    place_of,
    point_samples,
    wind_of,
)

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
EXCESS_SAMPLES = 6
MOST_POSSIBLE = 1e9
"""No air sensor reads more, in any of the units: above it, the device is broken."""
MOST_PEOPLE = 1e6
HISTORY_DAYS = 5.0
CHECKPOINT_S = 60.0
ROUNDS_AT_ONCE = 40
SERIES_SAMPLES = 90
HEALTH_S = 60.0
HEAVY = (
    "the gas is heavier than air: near the source it hugs the ground and spreads to the sides, further than drawn",
)


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
    samples: dict[str, deque[Sample]] = field(default_factory=dict)
    """Sensor -> its latest samples."""
    noticed_s: dict[str, float] = field(default_factory=dict)
    """Sensor -> when it first read something of the release that goes on."""
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
        self._devices = Devices(instruments_of(settings.instruments_file))
        self._health_s = -math.inf
        self._lock = asyncio.Lock()
        self._bands: list[tuple[str, Sample]] = []
        self._space = read_open_space(settings.open_space_file) if settings.open_space_file else None
        self._gas = agent_of(settings.gas, settings.agents_file or TABLE)

    async def start(self) -> None:
        self._restore(await self.context.load_checkpoint())
        await self._refresh()
        since = self.context.clock.now() - timedelta(days=HISTORY_DAYS)
        async for batch in self.context.history(since):
            await self._take(batch)

    async def observe(self, batch: ObservationBatch) -> None:
        # Instruments of its own come beside the platform's readings.
        async with self._lock:
            if any(name not in self._streams for name in batch.datastreams):
                await self._refresh()
            await self._take(batch)
            await self._send()

    async def tick(self) -> None:
        now_s = self.context.clock.now().timestamp()
        async with self._lock:
            for network in self._networks.values():
                if network.bin is not None and now_s > (network.bin + 2) * self.settings.sample_s:
                    self._finish(network)
            await self._send()
        for name, network in self._networks.items():
            await self._update(name, network, now_s)
        await self._tell_health()
        recent = [text for text, seen_s in self._remarks.items() if now_s - seen_s < 120]
        await self.context.degraded("; ".join(sorted(recent)[:5]) or None)
        if self.context.clock.monotonic_s() - self._saved_s >= CHECKPOINT_S:
            self._saved_s = self.context.clock.monotonic_s()
            await self._save()

    async def stop(self) -> None:
        await self._send()
        await self._save()

    async def run(self) -> None:
        """Read the instruments that have an address of their own."""
        await listen(self._devices, self.context.clock, self._instrument)

    async def _instrument(self, sensor: str, reading: RawReading) -> None:
        """A reading that a driver brought, taken as one that the platform brought."""
        if sensor not in self._streams:
            await self._refresh()
        stream = self._streams.get(sensor)
        now = self.context.clock.now()
        if stream is None:
            self._remark(f"{sensor} is in the table of instruments, but is no registered datastream", now.timestamp())
            return
        raw = reading.value
        unit = reading.unit or self._devices.of(sensor).unit
        try:
            value = convert(raw, unit, stream.unit) if unit and unit != stream.unit else raw
        except InvalidInput as error:
            self._devices.driver(sensor, error.message)
            return
        await self.observe(ObservationBatch.of([Observation(datastream=sensor, time=reading.time or now, value=value)]))

    async def _tell_health(self) -> None:
        """Bring the list of devices up to date, when it changed and not more often than is read."""
        now = self.context.clock.now()
        if now.timestamp() - self._health_s < HEALTH_S:
            return
        self._health_s = now.timestamp()
        streams = [stream for stream in self._streams.values() if stream.observed_property in WATCHED]
        content = self._devices.document(streams, now)
        await self.context.publish(
            ToolResult(
                id=derived_id("air", "device-health", self.context.tenant),
                revision=round(now.timestamp()),
                tool="air",
                kind="device-health",
                title=f"{content['well']} of {content['total']} air sensors are well",
                time=now,
                content=content,
            )
        )

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
            hazard_map, samples, weather, Box.around(0, 0, SEARCH_M), levels, random, age_s=0.0
        )
        zones, curve, outline = drawn_zones(drawn, plane, self._counted(plane))
        await self.context.publish(
            ToolResult(
                id=derived_id(request.id, "what-if"),
                tool="air",
                kind="what-if",
                title=f"{agent.title}, {wanted.rate_gps:g} g/s",
                time=now,
                status=Status.EXERCISE,
                place=place_of(outline, plane) or request.place,
                alert=request.alert,
                incident=request.incident,
                request=request.id,
                content={
                    "agent": agent.title,
                    "unit": "g/m3",
                    "source_of_levels": agent.source,
                    "source": {"longitude": position[0], "latitude": position[1], "rate": wanted.rate_gps},
                    "wind": wind_of(weather),
                    "zones": zones,
                    "curve": curve,
                    "advice": advice(drawn),
                    "remarks": [*remarks, *(HEAVY if agent.heavy else ())],
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
                self._devices.read(name, now_us / 1e6, value, stream.unit, "its clock is ahead")
                continue
            self._newest_us[name] = time_us
            self._reading(stream, time_us / 1e6, value, now_us / 1e6)
            if turn % (ROUNDS_AT_ONCE * 50) == 0:
                await asyncio.sleep(0)

    def _reading(self, stream: Datastream, time_s: float, value: float, now_s: float) -> None:
        name = stream.observed_property
        if name == "wind-direction":
            self._winds.direction(stream.id, time_s, value)
        elif name == "solar-radiation":
            self._winds.radiation(stream.id, time_s, value)
        elif name == "people-count":
            self._people[stream.id] = min(max(value, 0.0), MOST_PEOPLE)
        elif name in COVARIATE_PROPERTIES:
            if name == "wind-speed":
                self._winds.speed(stream.id, time_s, value)
            self._covariates[COVARIATE_PROPERTIES[name]] = min(max(value, -1e4), 1e4)
        elif name in WATCHED:
            self._sample(stream, time_s, value, now_s)

    def _sample(self, stream: Datastream, time_s: float, value: float, now_s: float) -> None:
        raw = value
        instrument = self._devices.of(stream.id)
        saturated = stream.highest is not None and raw >= stream.highest
        value = instrument.calibrated(raw, from_microseconds(round(time_s * 1e6)))
        # Clean air read with a zero that is a little off is clean air.
        value = 0.0 if -instrument.limit <= value < 0 <= raw else value
        wrong = raw < (stream.lowest or 0.0) or value < 0
        try:
            value = convert(value, stream.unit, UNITS[stream.observed_property])
        except InvalidInput as error:
            self._remark(f"{stream.id}: {error.message}", now_s)
            self._devices.read(stream.id, time_s, raw, stream.unit, error.message)
            return
        wrong = wrong or value > MOST_POSSIBLE
        state = "reads what cannot be" if wrong else "is at the end of its range" if saturated else ""
        self._devices.read(stream.id, time_s, raw, stream.unit, state)
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
                kept = network.samples.setdefault(name, deque(maxlen=SERIES_SAMPLES))
                kept.append(Sample(time_s, value, *expected))
                self._bands.append((name, kept[-1]))
        fresh = self.context.clock.now().timestamp() - time_s <= self.settings.alert_age_s
        if not fresh:
            self._bands.clear()
        for detection in found:
            if fresh and not detection.learning:
                known_us = self._told_us.get(detection.sensors[0], 0) / 1e6
                self._detected(network, detection, tell=detection.time_s > known_us)
        if network.release is not None and network.detector.open_detections():
            network.release.latest_s = time_s

    def _detected(self, network: _Network, detection: Detection, *, tell: bool) -> None:
        stream = self._streams[detection.sensors[0]]
        id = release_id(stream, detection)
        known = self._alerts.get(id)
        revision = 0 if known is None else known.revision + 1
        alert = release_alert(stream, UNITS[stream.observed_property], detection, revision, self.context.clock.now())
        self._alerts[id] = alert
        if tell:
            self._outgoing.append(alert)
        for sensor in detection.sensors:
            network.noticed_s.setdefault(sensor, detection.onset_s)
        if network.release is None:
            network.release = _Episode(derived_id("air", "release", id), detection.onset_s, id, detection.time_s)

    def _device(self, stream: Datastream, time_s: float, value: float, wrong: bool, fresh: bool) -> None:
        """One alert when a sensor begins to read what cannot be, and its end when it does no more."""
        open_alert = self._faulty.get(stream.id)
        now = self.context.clock.now()
        if wrong and open_alert is None and fresh:
            onset = from_microseconds(round(time_s * 1e6))
            alert = device_alert(stream, value, onset, now)
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
        if self._bands:
            bands, self._bands = self._bands, []
            await self.context.emit_expectations(expectations(bands, self._factor))

    def _factor(self, sensor: str) -> float:
        """How much of a datastream's unit one of its kind is."""
        stream = self._streams[sensor]
        return convert(1.0, UNITS[stream.observed_property], stream.unit)

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
        plane, space = self._plane, self._space

        def allowed(box: Box) -> tuple[Floats, Floats, Booleans] | None:
            return open_cells(space, plane, box) if space is not None else None

        def work() -> tuple[Assessment, dict[str, object], Place | None]:
            found = assess(
                readings,
                weather,
                levels,
                random,
                now_s=now_s,
                onset_s=episode.onset_s,
                space=allowed,
                before=episode.posterior,
            )
            content, place = document(
                found,
                plane,
                random,
                agent=agent,
                unit=unit,
                rate_unit=RATE_UNITS[name],
                remarks=remarks,
                sensors=readings,
                people=self._counted(plane),
            )
            return found, {**content, **self._series(network, readings)}, place

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
        network.noticed_s.clear()
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
        for sensor, kept in network.samples.items():
            position = self._position(sensor)
            recent = [one for one in list(kept)[-EXCESS_SAMPLES:] if one.time_s >= onset_s - self.settings.sample_s]
            if position is None or not recent:
                continue
            instrument = self._devices.of(sensor)
            stream = self._streams[sensor]
            mean = sum(one.value - one.expected for one in recent) / len(recent)
            least = convert(instrument.least(counts_a_litre=name == PARTICLES), stream.unit, UNITS[name])
            limit = max(2 * recent[-1].sd / math.sqrt(len(recent)), least)
            value = mean if mean > limit else 0.0
            saturated = stream.highest is not None and recent[-1].value >= 0.98 * convert(
                stream.highest, stream.unit, UNITS[name]
            )
            if name == GAS:
                mass = self._gas.molar_mass_gpmol
                value, limit = gas_gpm3(value, mass), gas_gpm3(limit, mass)
            if name == PARTICLES:
                value, limit = 1_000 * value, 1_000 * limit
            height_m = self.settings.sensor_height_m if instrument.height_m is None else instrument.height_m
            found.append(
                Excess(
                    sensor,
                    *position,
                    height_m,
                    value,
                    limit,
                    saturated,
                    trusted=sensor in detected,
                    first_s=network.noticed_s.get(sensor),
                    error_s=self.settings.sample_s + instrument.sampling_s,
                )
            )
        return found

    def _series(self, network: _Network, readings: Sequence[Excess]) -> dict[str, JsonValue]:
        """The latest samples of the sensor that reads most, with the band of its background."""
        sensor = max(readings, key=lambda reading: reading.value).sensor
        stream = self._streams[sensor]
        return {
            "series": {
                "sensor": sensor,
                "unit": UNITS[stream.observed_property],
                "rows": chart_rows(network.samples[sensor]),
            }
        }

    def _levels(self, name: str) -> tuple[Sequence[Level], str, str]:
        """Levels in the unit of the zone, what the agent is called, and that unit."""
        if name == GAS:
            return self._gas.levels(self.settings.exposure_min), self._gas.title, "g/m3"
        if name == BACTERIA and self.settings.bacteria_doses_cfu is not None:
            minutes = self.settings.exposure_min
            doses = [
                dose_level(f"dose-{n}", f"{dose:g} CFU inhaled in {minutes:g} min", dose, exposure_s=60 * minutes)
                for n, dose in enumerate(self.settings.bacteria_doses_cfu, start=1)
            ]
            return doses, "Bacteria", "CFU/m3"
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

    def _position(self, sensor: str, plane: Plane | None = None) -> tuple[float, float] | None:
        stream, plane = self._streams.get(sensor), plane or self._plane
        if stream is None or stream.place is None or plane is None:
            return None
        return plane.to_metres(*stream.place.centre)

    def _counted(self, plane: Plane) -> dict[tuple[float, float], float]:
        found: dict[tuple[float, float], float] = {}
        for sensor, count in self._people.items():
            position = self._position(sensor, plane)
            if position is not None:
                found[position] = found.get(position, 0.0) + count
        return found

    def _nearest(self, readings: Sequence[Excess]) -> str:
        strongest = max(readings, key=lambda reading: reading.value)
        stream = self._streams[strongest.sensor]
        return (stream.place.name if stream.place and stream.place.name else stream.thing)[:120]

    def _remark(self, text: str, now_s: float) -> None:
        self._remarks[text] = now_s
        if len(self._remarks) > 200:
            self._remarks = dict(sorted(self._remarks.items(), key=lambda entry: -entry[1])[:100])
