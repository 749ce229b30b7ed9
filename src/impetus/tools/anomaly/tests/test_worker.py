"""The live tool in a context in memory: what it alerts, what it keeps quiet about, and how it survives a restart."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from impetus.model import Alert, Category, Datastream, ObservationBatch, Severity, Urgency, to_microseconds
from impetus.sdk import LocalContext, load_tool
from impetus.tools.anomaly.arrays import Floats
from impetus.tools.anomaly.history import HISTORY_DAYS
from impetus.tools.anomaly.settings import AnomalySettings
from impetus.tools.anomaly.tests.streams import (
    DAY_READINGS,
    INTERVAL_S,
    batch,
    context,
    datastream,
    manifest,
    people,
)
from impetus.tools.anomaly.worker import AnomalyTool

WARM = 14 * DAY_READINGS + 12 * 4
"""History ends at noon of the 15th day, a Monday."""
LEARNT: dict[tuple[str, ...] | None, bytes] = {}
RECORDED = Path(__file__).parent / "recorded"


async def warm_tool(
    *streams: Datastream, values: dict[str, Floats] | None = None, **settings: object
) -> tuple[AnomalyTool, LocalContext]:
    """A tool that learnt two weeks from history; what it learnt is kept for the next test with the same history."""
    streams = streams or (datastream(),)
    key = None if values else tuple(stream.id for stream in streams)
    values = values or {stream.id: people(14.5, seed=number) for number, stream in enumerate(streams)}
    made = context(*streams, history=batch(values), readings=WARM)
    made.checkpoint = LEARNT.get(key)
    tool = AnomalyTool(made, AnomalySettings.model_validate(settings))
    await tool.start()
    assert made.alerts == []
    if key is not None and key not in LEARNT:
        await tool.stop()
        assert made.checkpoint is not None
        LEARNT[key] = made.checkpoint
    made.checkpoint = None
    return tool, made


async def live(tool: AnomalyTool, made: LocalContext, values: dict[str, Floats], *, first: int = WARM) -> None:
    """Readings one interval after another, with a tick after each."""
    for number in range(len(next(iter(values.values())))):
        now = {name: column[number : number + 1] for name, column in values.items()}
        await tool.observe(batch(now, first=first + number))
        await tool.tick()
        made.clock.advance(INTERVAL_S)


def crowd(readings: int = 16, *, start: int = 4, length: int = 4) -> Floats:
    """A usual noon with a crowd in it."""
    values = people(15.0, seed=0)[WARM : WARM + readings]
    values[start : start + length] += 350
    return values


def opened(made: LocalContext, detector: str) -> list[Alert]:
    return [alert for alert in made.alerts if alert.detector == detector and alert.revision == 0]


def test_the_manifest_and_the_code_agree() -> None:
    assert load_tool("anomaly").manifest == manifest()
    assert manifest().history_days == HISTORY_DAYS


async def test_a_crowd_is_one_alert_that_says_why_and_ends() -> None:
    """One event, one alert: opened with reasons, brought up to date, ended; never a second one."""
    tool, made = await warm_tool()
    await live(tool, made, {"torget-north": crowd()})
    alerts = [alert for alert in made.alerts if alert.detector == "level"]
    assert len({alert.id for alert in alerts}) == 1
    assert [alert.revision for alert in alerts] == list(range(len(alerts)))
    first, last = alerts[0], alerts[-1]
    assert first.headline.startswith("People count")
    assert re.search(r" at Torget North: \d{3} where [\d.]+–[\d.]+ is usual$", first.headline)
    assert first.category is Category.SAFETY
    assert first.urgency is Urgency.IMMEDIATE
    assert first.ended is None
    assert first.place == datastream().place
    assert first.model.name == "seasonal-baseline"
    assert [factor.name for factor in first.explanation][:3] == [
        "Observed against expected",
        "How unusual",
        "Since when",
    ]
    assert all(factor.observed for factor in first.explanation)
    assert 0.5 <= first.confidence < 1
    start_us = to_microseconds(made.clock.now()) - round(16 * INTERVAL_S * 1e6)
    assert to_microseconds(first.onset) == start_us + round(4 * INTERVAL_S * 1e6)
    assert last.ended is not None
    assert last.onset < last.ended
    assert last.urgency is Urgency.PAST


async def test_what_is_rarer_and_lasts_is_more_severe() -> None:
    tool, made = await warm_tool()
    await live(tool, made, {"torget-north": crowd(40, length=30)})
    level = [alert for alert in made.alerts if alert.detector == "level"]
    assert level[0].severity in (Severity.MINOR, Severity.MODERATE)
    assert max(("Minor", "Moderate", "Severe").index(alert.severity) for alert in level) >= 1


async def test_a_quiet_day_raises_nothing() -> None:
    """Ten sensors, one more day of the same rhythm."""
    streams = [datastream(f"counter-{number}") for number in range(10)]
    whole = {stream.id: people(15.5, seed=number) for number, stream in enumerate(streams)}
    tool, made = await warm_tool(*streams, values={name: column[:WARM] for name, column in whole.items()})
    await live(tool, made, {name: column[WARM:] for name, column in whole.items()})
    assert len(made.alerts) <= 1  # one false alert a day is what the setting bears


@pytest.mark.parametrize(("zone", "kept"), [("Europe/Oslo", True), ("UTC", False)])
async def test_rush_hours_keep_their_place_when_summer_time_begins(zone: str, kept: bool) -> None:
    """On 29 March the city's clocks go forward: its rush hours come an hour earlier in UTC, and are no surprise.

    Where the tool takes the city to live by UTC they are one, which shows that this test can fail.
    """
    by_local_time = people(31.0, seed=3)
    hour = round(3_600 / INTERVAL_S)
    change = 27 * DAY_READINGS + hour
    in_utc = np.concatenate((by_local_time[hour : change + hour], by_local_time[change + 2 * hour :]))
    stream = datastream()
    made = context(stream, history=batch({stream.id: in_utc[:change]}), readings=change)
    tool = AnomalyTool(made, AnomalySettings(time_zone=zone))
    await tool.start()
    monday_night = 29 * DAY_READINGS
    await live(tool, made, {stream.id: in_utc[change:monday_night]}, first=change)
    assert (not opened(made, "level")) == kept, [alert.headline for alert in made.alerts]


async def test_history_trains_and_raises_nothing_old() -> None:
    """A crowd of last week is learnt from; nobody is alarmed now."""
    values = people(14.5)
    values[10 * DAY_READINGS : 10 * DAY_READINGS + 4] += 400
    await warm_tool(values={"torget-north": values})


async def test_late_back_fill_raises_nothing() -> None:
    """Readings of yesterday that arrive today train only."""
    tool, made = await warm_tool()
    made.clock.advance(86_400)
    await tool.observe(batch({"torget-north": crowd()}, first=WARM))
    assert [alert for alert in made.alerts if alert.detector == "level"] == []


async def test_the_same_readings_again_raise_nothing_twice() -> None:
    """The bus delivers at least once."""
    tool, made = await warm_tool()
    values = crowd()
    await live(tool, made, {"torget-north": values})
    before = len(made.alerts)
    await tool.observe(batch({"torget-north": values}, first=WARM))
    assert len(made.alerts) == before


async def test_a_crash_in_the_middle_gives_the_same_alert_again() -> None:
    """State of the last checkpoint plus readings delivered again: the same id, so that it is kept once."""
    tool, made = await warm_tool()
    await tool.stop()
    saved = made.checkpoint
    values = crowd(8)
    await live(tool, made, {"torget-north": values})
    first = opened(made, "level")
    again = AnomalyTool(made, AnomalySettings())
    made.alerts.clear()
    made.checkpoint = saved
    made.clock.advance(-8 * INTERVAL_S)
    await again.start()
    await live(again, made, {"torget-north": values})
    assert [alert.id for alert in opened(made, "level")] == [alert.id for alert in first]


async def test_an_open_alert_survives_a_clean_restart() -> None:
    """It goes on with its id and its next revision."""
    tool, made = await warm_tool()
    values = crowd(20, length=6)
    await live(tool, made, {"torget-north": values[:7]})
    told = [alert for alert in made.alerts if alert.detector == "level"]
    await tool.stop()
    again = AnomalyTool(made, AnomalySettings())
    await again.start()
    await live(again, made, {"torget-north": values[7:]}, first=WARM + 7)
    level = [alert for alert in made.alerts if alert.detector == "level"]
    assert {alert.id for alert in level} == {told[0].id}
    assert level[-1].ended is not None
    assert [alert.revision for alert in level] == list(range(len(level)))


async def test_the_end_of_a_told_event_is_told_even_if_it_is_found_out_late() -> None:
    """The worker was down while the crowd went home: the alert must not stay open for ever."""
    tool, made = await warm_tool()
    values = crowd(20)
    await live(tool, made, {"torget-north": values[:6]})
    assert [alert for alert in made.alerts if alert.ended] == []
    await tool.stop()
    made.kept.append(batch({"torget-north": values[6:]}, first=WARM + 6))
    made.clock.advance(86_400)
    again = AnomalyTool(made, AnomalySettings())
    await again.start()
    assert [alert.ended is not None for alert in made.alerts][-1]
    assert len({alert.id for alert in made.alerts}) == 1


async def test_a_broken_checkpoint_is_replaced_by_history() -> None:
    made = context(datastream(), history=batch({"torget-north": people(14.5)}), readings=WARM)
    made.checkpoint = b"from another version"
    tool = AnomalyTool(made, AnomalySettings())
    await tool.start()
    await live(tool, made, {"torget-north": crowd()})
    assert len(opened(made, "level")) == 1


async def test_one_silent_sensor_is_told_with_its_last_reading_and_ends() -> None:
    streams = [datastream(f"counter-{number}") for number in range(6)]
    tool, made = await warm_tool(*streams)
    others = {stream.id: people(16.0, seed=number)[WARM : WARM + 40] for number, stream in enumerate(streams)}
    missing = {name: column for name, column in others.items() if name != "counter-0"}
    await live(tool, made, {name: column[:30] for name, column in missing.items()})
    told = opened(made, "silence")
    assert [alert.source for alert in told] == ["counter-0"]
    assert "no readings since" in told[0].headline
    assert told[0].category is Category.INFRA
    await live(tool, made, {name: column[30:] for name, column in others.items()}, first=WARM + 30)
    ended = [alert for alert in made.alerts if alert.detector == "silence" and alert.ended is not None]
    assert [(alert.id, alert.revision) for alert in ended] == [(told[0].id, 1)]


async def test_a_silent_network_is_one_alert_and_not_one_a_sensor() -> None:
    streams = [datastream(f"counter-{number}") for number in range(30)]
    values = {stream.id: people(2.0, seed=number) for number, stream in enumerate(streams)}
    made = context(*streams, history=batch(values), readings=2 * DAY_READINGS)
    tool = AnomalyTool(made, AnomalySettings())
    await tool.start()
    for _ in range(30):
        made.clock.advance(INTERVAL_S)
        await tool.tick()
    assert [(alert.source, alert.severity) for alert in made.alerts] == [("network", Severity.SEVERE)]
    assert made.alerts[0].headline.startswith("No sensor reports since")
    assert len(made.alerts[0].entities) == 30
    back = {stream.id: people(4.0, seed=number)[-2:] for number, stream in enumerate(streams)}
    await live(tool, made, back, first=2 * DAY_READINGS + 31)
    assert [alert.ended is not None for alert in made.alerts] == [False, True]


async def test_a_silence_that_was_told_is_not_told_again_after_a_restart() -> None:
    streams = [datastream(f"counter-{number}") for number in range(6)]
    tool, made = await warm_tool(*streams)
    missing = {stream.id: people(16.0, seed=n)[WARM : WARM + 20] for n, stream in enumerate(streams) if n}
    await live(tool, made, missing)
    await tool.stop()
    again = AnomalyTool(made, AnomalySettings())
    await again.start()
    await live(again, made, missing, first=WARM + 20)
    assert len([alert for alert in made.alerts if alert.detector == "silence"]) == 1


async def test_a_stuck_sensor_is_told_once_and_ends() -> None:
    tool, made = await warm_tool()
    values = people(16.0, seed=0)[WARM : WARM + 60]
    values[10:50] = 77.0
    await live(tool, made, {"torget-north": values})
    stuck = [alert for alert in made.alerts if alert.detector == "stuck"]
    assert [alert.revision for alert in stuck] == [0, 1]
    assert stuck[0].headline == "People count at Torget North is stuck at 77"
    assert stuck[0].ended is None
    assert stuck[1].ended is not None


async def test_impossible_values_are_told_once_and_teach_nothing() -> None:
    tool, made = await warm_tool(datastream(lowest=0.0, highest=10_000.0))
    values = people(15.0, seed=0)[WARM : WARM + 20]
    values[5:8] = -999.0
    await live(tool, made, {"torget-north": values})
    impossible = [alert for alert in made.alerts if alert.detector == "impossible"]
    assert [(alert.revision, alert.ended is not None) for alert in impossible] == [(0, False), (1, True)]
    assert impossible[0].headline == "People count at Torget North cannot be -999"
    assert opened(made, "level") == []


async def test_the_expected_band_is_published_at_a_bounded_rate() -> None:
    tool, made = await warm_tool(expectation_interval_s=INTERVAL_S * 4)
    await live(tool, made, {"torget-north": crowd(20, length=0)})
    bands = made.expectations
    assert len(bands) == 5
    assert all(band.low[0] <= band.middle[0] <= band.high[0] for band in bands)
    assert bands[0].datastreams == ("torget-north",)


async def test_the_band_stays_within_what_the_sensor_can_measure() -> None:
    tool, made = await warm_tool(datastream(lowest=0.0))
    await live(tool, made, {"torget-north": crowd(4, length=0)})
    assert all(low >= 0.0 for band in made.expectations for low in band.low)


@pytest.mark.parametrize("jump_s", [-7_200.0, -1e8])
async def test_a_wall_clock_that_jumps_back_floods_nobody(jump_s: float) -> None:
    """Readings seem to come from the future: they are set aside, and the status board says so."""
    tool, made = await warm_tool()
    made.clock.advance(jump_s)
    await live(tool, made, {"torget-north": crowd()})
    assert made.alerts == []
    assert made.degraded_text is not None
    assert "future" in made.degraded_text


@pytest.mark.parametrize("jump_s", [-7_200.0, 7_200.0])
async def test_when_this_machines_clock_is_set_wrong_sensors_are_watched_all_the_same(
    jump_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the sensors say of the time is as right as before: neither are they from the future nor is it history."""
    tool, made = await warm_tool(datastream(lowest=0.0, highest=10_000.0))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump_s)
    made.clock.advance(jump_s)
    values = people(15.0, seed=0)[WARM : WARM + 20]
    values[5:8] = -999.0
    await live(tool, made, {"torget-north": values})
    assert [alert.revision for alert in made.alerts if alert.detector == "impossible"] == [0, 1]
    assert made.degraded_text is None


async def test_readings_of_unregistered_sensors_are_watched_too() -> None:
    made = context()
    tool = AnomalyTool(made, AnomalySettings())
    await tool.start()
    await live(tool, made, {"unknown:1": np.r_[people(2)[:150], 9_000.0]}, first=0)
    assert [alert.source for alert in opened(made, "level")] == ["unknown:1"]


async def test_recorded_readings_of_four_sensors() -> None:
    """A payload as the bus carries it: an hour of four kinds of sensors at a minute, one of them with an outlier."""
    payload = (RECORDED / "hour-of-four-sensors.json").read_bytes()
    readings = ObservationBatch.model_validate_json(payload)
    made = context(*(datastream(name, unit="dB", interval_s=60.0) for name in readings.datastreams))
    tool = AnomalyTool(made, AnomalySettings())
    await tool.start()
    made.clock.advance(3_600.0)
    await tool.observe(readings)
    assert {alert.source for alert in opened(made, "level")} == {"sound-7"}
    assert len(made.expectations) == 1


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "", "../etc/passwd"])
def test_a_wrong_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        AnomalySettings(time_zone=zone)


Change = Callable[[Floats], Floats]


@pytest.mark.parametrize(
    "change", [lambda values: values * 0 + 1e308, lambda values: values * 0 - 1e308, lambda values: values * 1e-300]
)
async def test_absurd_numbers_harm_nothing(change: Change) -> None:
    """Numbers at the ends of what a float holds give no error and no message that cannot be written."""
    tool, made = await warm_tool()
    values = people(15.0, seed=0)[WARM : WARM + 20]
    values[3:8] = change(values[3:8])
    await live(tool, made, {"torget-north": values})
    assert all(alert.model_dump_json() for alert in made.alerts)


@pytest.mark.parametrize("zone", ["America/Adak", "Pacific/Kiritimati"])
async def test_a_clock_at_the_first_or_last_day_of_all_stops_nothing(zone: str) -> None:
    """Times of the years 1 and 9999 have no local time in half of the zones; the tool goes on, and starts again."""
    for time_us in (-62_135_596_800_000_000, 253_402_300_799_999_999):
        made = context(datastream(), readings=0)
        settings = AnomalySettings(time_zone=zone)
        tool = AnomalyTool(made, settings)
        await tool.start()
        await tool.observe(ObservationBatch(datastreams=("people",), index=(0,), time_us=(time_us,), value=(1.0,)))
        for _ in range(4):
            made.clock.advance(86_400.0)
            await tool.tick()
        await tool.stop()
        await AnomalyTool(made, settings).start()
        assert opened(made, "silence")
