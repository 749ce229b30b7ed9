"""The live tool on what is no single unusual reading: another unit, sensors of one place, hours; and its pictures."""

from __future__ import annotations

import numpy as np
import pytest

from impetus.model import Alert, Category, Datastream, Severity
from impetus.sdk import LocalContext
from impetus.tools.anomaly.arrays import Booleans, Floats, Integers
from impetus.tools.anomaly.day_memory import DayMemory
from impetus.tools.anomaly.hours import FEATURES, Hourly, HourWatch
from impetus.tools.anomaly.settings import AnomalySettings
from impetus.tools.anomaly.tests.streams import DAY_READINGS, INTERVAL_S, START_S, batch, context, datastream
from impetus.tools.anomaly.worker import AnomalyTool

DAYS = 20
WARM = DAYS * DAY_READINGS


def weather(*, seed: int, days: float = DAYS + 1) -> tuple[Floats, Floats]:
    """Temperature and humidity of one mast every quarter of an hour: when it is warmer than usual, it is drier."""
    random = np.random.default_rng(seed)
    count = round(days * DAY_READINGS)
    hour = np.arange(count) * INTERVAL_S / 3600 % 24
    air = np.zeros(count)
    for number in range(1, count):
        air[number] = 0.8 * air[number - 1] + random.normal(0.0, 0.6)
    noise = random.normal(0.0, 0.15, (2, count))
    temperature = 15.0 + 6.0 * np.exp(-(((hour - 15) / 4) ** 2)) + air + noise[0]
    humidity = 70.0 - 15.0 * np.exp(-(((hour - 15) / 4) ** 2)) - 3.0 * air + 3.0 * noise[1]
    return temperature, humidity


MAST = (
    datastream("temperature", observed_property="temperature", unit="Cel"),
    datastream("humidity", observed_property="humidity", unit="%"),
)


async def run(values: dict[str, Floats], *streams: Datastream, live: int) -> LocalContext:
    """Learn the first `WARM` readings, then take `live` more, one after another."""
    history = batch({name: column[:WARM] for name, column in values.items()})
    made = context(*streams, history=history, readings=WARM)
    tool = AnomalyTool(made, AnomalySettings())
    await tool.start()
    assert made.alerts == []
    for number in range(live):
        now = {name: column[WARM + number : WARM + number + 1] for name, column in values.items()}
        await tool.observe(batch(now, first=WARM + number))
        await tool.tick()
        made.clock.advance(INTERVAL_S)
    return made


def of(made: LocalContext, detector: str) -> list[Alert]:
    return [alert for alert in made.alerts if alert.detector == detector]


async def test_a_change_of_unit_is_recognised_and_said() -> None:
    """Degrees Fahrenheit from one reading to the next: one alert, which says so as soon as it is certain."""
    temperature, _ = weather(seed=1)
    temperature[WARM + 4 :] = 1.8 * temperature[WARM + 4 :] + 32.0
    made = await run({"temperature": temperature}, MAST[0], live=24)
    alerts = of(made, "level")
    assert len({alert.id for alert in alerts}) == 1
    last = alerts[-1]
    assert "unit had changed: degrees Celsius to Fahrenheit" in last.headline
    assert last.category is Category.INFRA
    assert last.severity is Severity.MINOR
    assert any(factor.name == "Change of unit" for factor in last.explanation)


async def test_only_a_temperature_is_said_to_have_been_converted_like_one() -> None:
    """Traffic that slows down as Fahrenheit would fall to Celsius is no broken sensor."""
    speed, _ = weather(seed=1)
    speed[WARM + 4 :] = 1.8 * speed[WARM + 4 :] + 32.0
    traffic = datastream("speed", observed_property="traffic-speed", unit="km/h")
    alerts = of(await run({"speed": speed}, traffic, live=24), "level")
    assert alerts
    assert not [alert.headline for alert in alerts if "unit had changed" in alert.headline]
    assert not [alert for alert in alerts for factor in alert.explanation if factor.name == "Change of unit"]


async def test_sensors_of_a_place_that_part_are_one_alert_that_names_them() -> None:
    """Warmer and more humid at once: each alone is within what is usual, together they never were."""
    temperature, humidity = weather(seed=2)
    part = slice(WARM + 8, WARM + 11)
    temperature[part] += 2.3
    humidity[part] += 6.9
    made = await run({"temperature": temperature, "humidity": humidity}, *MAST, live=40)
    assert of(made, "level") == []
    alerts = of(made, "place")
    assert len({alert.id for alert in alerts}) == 1
    assert set(alerts[0].entities) == {"temperature", "humidity"}
    assert "do not fit together" in alerts[0].headline
    assert alerts[-1].ended is not None


async def test_sensors_of_a_place_that_move_as_ever_raise_nothing() -> None:
    temperature, humidity = weather(seed=3)
    made = await run({"temperature": temperature, "humidity": humidity}, *MAST, live=90)
    assert made.alerts == []


class OneOddDay(HourWatch):
    """Finds a course odd from the fifth live reading to the twelfth, and nothing else."""

    def update(
        self, row: Integers, local_s: Floats, distance: Floats, spread: Floats, told: Booleans, days: DayMemory
    ) -> Hourly:
        if not len(row):
            return Hourly(row, np.zeros(0), row)
        number = round((float(local_s[0]) - START_S) / INTERVAL_S) - WARM
        odd = 6.0 if 4 <= number < 12 else 0.0
        self.rarities[row, -1] = odd
        ended = np.arange(1 if number % 4 == 0 else 0)
        return Hourly(ended, np.full(len(ended), odd), np.full(len(ended), len(FEATURES) - 1))


async def test_what_is_found_over_hours_is_one_alert_until_an_hour_is_as_usual(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("impetus.tools.anomaly.memory.HourWatch", OneOddDay)
    temperature, _ = weather(seed=4)
    made = await run({"temperature": temperature}, MAST[0], live=24)
    alerts = of(made, "level")
    assert len({alert.id for alert in alerts}) == 1
    assert "took a course that no earlier day had" in alerts[0].headline
    assert alerts[-1].ended is not None
    for alert in alerts:
        (reference,) = alert.evidence
        assert reference.media_type == "image/png"
        assert made.evidence[reference.sha256].startswith(b"\x89PNG")
