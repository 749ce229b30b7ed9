"""A release that goes on, and what is known of it at a moment: what sensors read beyond their background."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from impetus.model import ToolResult
from impetus.tools.air.agents import Agent, Level, dose_level
from impetus.tools.air.bands import Sample, chart_rows
from impetus.tools.air.detection import Detector
from impetus.tools.air.devices import Devices
from impetus.tools.air.measured import BACTERIA, GAS, PARTICLES, UNITS
from impetus.tools.air.posterior import Posterior
from impetus.tools.air.quantities import convert, gas_gpm3
from impetus.tools.air.sensors import Sensors
from impetus.tools.air.settings import AirSettings
from impetus.tools.air.zones import Excess

EXCESS_SAMPLES = 6
SERIES_SAMPLES = 90


@dataclass
class Episode:
    """A release that goes on."""

    id: str
    onset_s: float
    alert: str
    latest_s: float
    revision: int = 0
    updated_s: float = -math.inf
    posterior: Posterior | None = None
    result: ToolResult | None = None


@dataclass
class Network:
    """The sensors of one kind of measurement."""

    detector: Detector
    sums: dict[str, list[float]] = field(default_factory=dict)
    bin: int | None = None
    samples: dict[str, deque[Sample]] = field(default_factory=dict)
    """Sensor -> its latest samples."""
    noticed_s: dict[str, float] = field(default_factory=dict)
    """Sensor -> when it first read something of the release that goes on."""
    release: Episode | None = None


def excess_of(
    name: str, network: Network, sensors: Sensors, devices: Devices, settings: AirSettings, gas: Agent
) -> list[Excess]:
    """What each sensor read beyond its background, on the average of its latest samples since the onset."""
    onset_s = network.release.onset_s if network.release else 0.0
    found = []
    detected = {sensor for one in network.detector.open_detections() for sensor in one.sensors}
    for sensor, kept in network.samples.items():
        position = sensors.position(sensor)
        recent = [one for one in list(kept)[-EXCESS_SAMPLES:] if one.time_s >= onset_s - settings.sample_s]
        if position is None or not recent:
            continue
        instrument = devices.of(sensor)
        stream = sensors.streams[sensor]
        mean = sum(one.value - one.expected for one in recent) / len(recent)
        least = convert(instrument.least(counts_a_litre=name == PARTICLES), stream.unit, UNITS[name])
        limit = max(2 * recent[-1].sd / math.sqrt(len(recent)), least)
        value = mean if mean > limit else 0.0
        saturated = stream.highest is not None and recent[-1].value >= 0.98 * convert(
            stream.highest, stream.unit, UNITS[name]
        )
        if name == GAS:
            mass = gas.molar_mass_gpmol
            value, limit = gas_gpm3(value, mass), gas_gpm3(limit, mass)
        if name == PARTICLES:
            value, limit = 1_000 * value, 1_000 * limit
        height_m = settings.sensor_height_m if instrument.height_m is None else instrument.height_m
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
                error_s=settings.sample_s + instrument.sampling_s,
            )
        )
    return found


def series_of(network: Network, readings: Sequence[Excess], sensors: Sensors) -> dict[str, JsonValue]:
    """The latest samples of the sensor that reads most, with the band of its background."""
    sensor = max(readings, key=lambda reading: reading.value).sensor
    stream = sensors.streams[sensor]
    return {
        "series": {
            "sensor": sensor,
            "unit": UNITS[stream.observed_property],
            "rows": chart_rows(network.samples[sensor]),
        }
    }


def levels_of(name: str, settings: AirSettings, gas: Agent) -> tuple[Sequence[Level], str, str]:
    """Levels in the unit of the zone, what the agent is called, and that unit."""
    if name == GAS:
        return gas.levels(settings.exposure_min), gas.title, "g/m3"
    if name == BACTERIA and settings.bacteria_doses_cfu is not None:
        minutes = settings.exposure_min
        doses = [
            dose_level(f"dose-{n}", f"{dose:g} CFU inhaled in {minutes:g} min", dose, exposure_s=60 * minutes)
            for n, dose in enumerate(settings.bacteria_doses_cfu, start=1)
        ]
        return doses, "Bacteria", "CFU/m3"
    own = settings.bacteria_cfupm3 if name == BACTERIA else tuple(1e3 * v for v in settings.particles_pl)
    unit = "CFU/m3" if name == BACTERIA else "1/m3"
    title = "Bacteria" if name == BACTERIA else "Fluorescent particles"
    levels = [Level(f"level-{n}", f"{value:g} {unit}", value) for n, value in enumerate(own, start=1)]
    return levels, title, unit


def nearest_of(readings: Sequence[Excess], sensors: Sensors) -> str:
    """What the place of the sensor that reads most is called."""
    strongest = max(readings, key=lambda reading: reading.value)
    stream = sensors.streams[strongest.sensor]
    return (stream.place.name if stream.place and stream.place.name else stream.thing)[:120]
