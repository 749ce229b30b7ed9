"""The live side: readings in, alerts and hazard zones out."""

from __future__ import annotations

import asyncio
import json
import math
from collections import deque
from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar

import numpy as np
from pydantic import BaseModel

from impetus.model import (
    Alert,
    Datastream,
    InvalidInput,
    Observation,
    ObservationBatch,
    Place,
    ToolRequest,
    ToolResult,
    derived_id,
    from_microseconds,
)
from impetus.sdk import Context, Tool
from impetus.tools.air.agents import TABLE, agent_of
from impetus.tools.air.alerts import device_alert, release_alert, release_id
from impetus.tools.air.arrays import Booleans, Floats
from impetus.tools.air.background import COVARIATES
from impetus.tools.air.bands import Sample, expectations
from impetus.tools.air.detection import Detection, Detector, Reading
from impetus.tools.air.devices import Devices
from impetus.tools.air.drivers import RawReading
from impetus.tools.air.episodes import SERIES_SAMPLES, Episode, Network, excess_of, levels_of, nearest_of, series_of
from impetus.tools.air.instruments import instruments_of
from impetus.tools.air.listening import listen
from impetus.tools.air.measured import RATE_UNITS, UNITS, WATCHED
from impetus.tools.air.open_space import open_cells, read_open_space
from impetus.tools.air.plane import Plane
from impetus.tools.air.quantities import convert
from impetus.tools.air.release import Box
from impetus.tools.air.sensors import Sensors
from impetus.tools.air.settings import AirSettings
from impetus.tools.air.spread import Terrain
from impetus.tools.air.wanted import DispersionWanted
from impetus.tools.air.whatif import what_if
from impetus.tools.air.winds import WindRecord
from impetus.tools.air.zones import Assessment, assess, document

COVARIATE_PROPERTIES: Mapping[str, str] = {
    "wind-speed": "wind_speed_mps",
    "relative-humidity": "humidity_percent",
    "rain-rate": "rain_mmph",
    "air-temperature": "temperature_c",
}
MOST_POSSIBLE = 1e9
"""No air sensor reads more, in any of the units: above it, the device is broken."""
HISTORY_DAYS = 5.0
CHECKPOINT_S = 60.0
ROUNDS_AT_ONCE = 40
HEALTH_S = 60.0


class AirTool(Tool[AirSettings]):
    """Watches the air of one organisation."""

    settings_type: ClassVar[type[AirSettings]] = AirSettings
    task_models: ClassVar[Mapping[str, type[BaseModel]]] = {"dispersion": DispersionWanted}

    def __init__(self, context: Context, settings: AirSettings) -> None:
        super().__init__(context, settings)
        self._sensors = Sensors()
        self._winds = WindRecord()
        self._covariates: dict[str, float] = {}
        self._networks: dict[str, Network] = {}
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
            if any(name not in self._sensors.streams for name in batch.datastreams):
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
        if sensor not in self._sensors.streams:
            await self._refresh()
        stream = self._sensors.streams.get(sensor)
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
        streams = [stream for stream in self._sensors.streams.values() if stream.observed_property in WATCHED]
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
        counted = self._sensors.counted(Plane(*position))
        minutes = self.settings.exposure_min
        await self.context.publish(
            await asyncio.to_thread(
                what_if, request, wanted, agent, position, weather, remarks, counted, now=now, exposure_min=minutes
            )
        )
        return f"the zone of {wanted.rate_gps:g} g/s of {agent.title} is drawn"

    # Readings

    async def _refresh(self) -> None:
        self._sensors.know(await self.context.datastreams())

    async def _take(self, batch: ObservationBatch) -> None:
        now_us = round(self.context.clock.now().timestamp() * 1e6)
        latest_us = now_us + round(self.settings.future_s * 1e6)
        order = sorted(range(len(batch)), key=lambda place: batch.time_us[place])
        for turn, place in enumerate(order):
            name = batch.datastreams[batch.index[place]]
            stream = self._sensors.streams.get(name)
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
            self._sensors.count(stream.id, value)
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
            network = self._networks[stream.observed_property] = Network(Detector(self._sensors.positions(stream)))
        number = math.floor(time_s / self.settings.sample_s)
        if network.bin is not None and number > network.bin:
            self._finish(network)
        if network.bin is None or number >= network.bin:
            network.bin = number if network.bin is None else max(network.bin, number)
        network.sums.setdefault(stream.id, []).append(value)

    def _finish(self, network: Network) -> None:
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

    def _detected(self, network: Network, detection: Detection, *, tell: bool) -> None:
        stream = self._sensors.streams[detection.sensors[0]]
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
            network.release = Episode(derived_id("air", "release", id), detection.onset_s, id, detection.time_s)

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
        stream = self._sensors.streams[sensor]
        return convert(1.0, UNITS[stream.observed_property], stream.unit)

    # Zones

    async def _update(self, name: str, network: Network, now_s: float) -> None:
        """Work out the source and the zone of a release that goes on; end one that is over."""
        episode = network.release
        if episode is None or self._sensors.plane is None:
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
        readings = excess_of(name, network, self._sensors, self._devices, self.settings, self._gas)
        now = self.context.clock.now()
        weather, remarks = self._winds.weather(now_s, Terrain(self.settings.terrain), now.hour)
        if weather is None:
            self._remark(f"no zone can be drawn: {remarks[0]}", now_s)
            return
        if not any(reading.value > 0 for reading in readings):
            return
        levels, agent, unit = levels_of(name, self.settings, self._gas)
        random = np.random.default_rng(episode.revision + 1)
        plane, space = self._sensors.plane, self._space

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
                people=self._sensors.counted(plane),
            )
            return found, {**content, **series_of(network, readings, self._sensors)}, place

        found, content, place = await asyncio.to_thread(work)
        episode.posterior = found.posterior
        episode.result = ToolResult.model_validate(
            {
                "id": episode.id,
                "revision": episode.revision,
                "tool": "air",
                "kind": "hazard-zone",
                "title": f"{agent} near {nearest_of(readings, self._sensors)}",
                "time": now,
                "place": place,
                "alert": episode.alert,
                "content": content,
            }
        )
        episode.revision += 1
        await self.context.publish(episode.result)

    async def _end(self, network: Network, episode: Episode) -> None:
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

    def _remark(self, text: str, now_s: float) -> None:
        self._remarks[text] = now_s
        if len(self._remarks) > 200:
            self._remarks = dict(sorted(self._remarks.items(), key=lambda entry: -entry[1])[:100])
