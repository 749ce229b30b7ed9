"""Planted events come when they are announced, do what they say, and can be looked up as ground truth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from impetus.exercise import signals
from impetus.exercise.city import Sensor, sensors
from impetus.exercise.events import EventKind, GroundTruth, PlantedEvent, Schedule, reading

START = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)


def planned(hours: float = 6.0, seed: int = 1) -> list[PlantedEvent]:
    return Schedule(sensors(), seed=seed, start=START).plan(START + timedelta(hours=hours))


def event(kind: EventKind) -> PlantedEvent:
    return next(each for each in planned() if each.kind is kind)


def during(found: PlantedEvent, share: float = 0.5) -> datetime:
    return found.start + share * (found.end - found.start)


def affected(found: PlantedEvent, property_id: str | None = None) -> Sensor:
    return next(sensors()[id] for id in found.datastreams if property_id in (None, sensors()[id].property.id))


@pytest.mark.parametrize("seed", range(5))
def test_the_first_event_comes_soon_and_then_one_every_half_minute_to_a_minute(seed: int) -> None:
    events = planned(seed=seed)
    assert 15 <= (events[0].start - START).total_seconds() <= 20
    assert events[0].kind is EventKind.CROWD_SURGE
    pauses = [(after.start - before.start).total_seconds() for before, after in pairwise(events)]
    assert 30 <= sum(pauses) / len(pauses) <= 60
    assert all(60 <= (each.end - each.start).total_seconds() <= 240 for each in events)
    assert {each.kind for each in events} == set(EventKind)


def test_several_events_are_under_way_at_once_but_never_two_on_one_sensor() -> None:
    events = planned()
    assert any(after.start < before.end for before, after in pairwise(events))
    for number, one in enumerate(events):
        for other in events[number + 1 :]:
            if set(one.datastreams) & set(other.datastreams):
                assert other.start > one.end


def test_the_same_seed_and_start_plant_the_same_events_however_the_time_is_cut() -> None:
    in_steps = Schedule(sensors(), seed=1, start=START)
    for minute in range(1, 361):
        in_steps.plan(START + timedelta(minutes=minute))
    assert in_steps.events == planned()
    assert planned(seed=2) != planned()


def test_an_effect_sets_in_and_fades_smoothly() -> None:
    found = event(EventKind.TRAFFIC_JAM)
    assert found.share(found.start - timedelta(seconds=1)) == 0
    assert found.share(found.start) == 0
    assert 0 < found.share(found.start + timedelta(seconds=found.onset_s / 2)) < 1
    assert found.share(during(found)) == 1
    assert found.share(found.end + timedelta(seconds=1)) == 0


def test_a_crowd_is_counted_and_heard() -> None:
    found = event(EventKind.CROWD_SURGE)
    people, sound = affected(found, "people-count"), affected(found, "sound-level")
    moment = during(found)
    crowd = reading(people, moment, [found])
    assert crowd is not None
    assert crowd > 1.8 * signals.value(people, moment)
    assert crowd == round(crowd)
    noise = reading(sound, moment, [found])
    assert noise is not None
    assert noise >= signals.value(sound, moment) + 13


def test_a_jam_stops_traffic_and_a_fire_is_smelt_near_it() -> None:
    jam, smoke = event(EventKind.TRAFFIC_JAM), event(EventKind.AIR_SPIKE)
    flow = affected(jam, "traffic-flow")
    jammed = reading(flow, during(jam), [jam])
    assert jammed is not None
    assert jammed < 0.5 * signals.value(flow, during(jam))
    dust = next(sensors()[id] for id in smoke.datastreams if smoke.strength[id] > 5)
    smoky = reading(dust, during(smoke), [smoke])
    assert smoky is not None
    assert smoky > 4 * signals.value(dust, during(smoke))


def test_sensors_fail_in_three_ways() -> None:
    silent, stuck, wrong = (
        event(EventKind.SILENT_SENSOR),
        event(EventKind.STUCK_SENSOR),
        event(EventKind.IMPOSSIBLE_VALUE),
    )
    assert reading(affected(silent), during(silent), [silent]) is None
    values = {reading(affected(stuck), during(stuck, share), [stuck]) for share in (0.1, 0.3, 0.5, 0.9)}
    assert len(values) == 1
    sensor = affected(wrong)
    found = [reading(sensor, during(wrong) + timedelta(seconds=second), [wrong]) for second in range(3)]
    impossible = [
        value for value in found if value is not None and not sensor.property.lowest <= value <= sensor.highest()
    ]
    assert len(impossible) == 2


def test_outside_events_a_reading_is_the_signal_itself() -> None:
    for sensor in list(sensors().values())[::7]:
        assert reading(sensor, START, []) == signals.value(sensor, START)
    found = event(EventKind.SILENT_SENSOR)
    after = found.end + timedelta(seconds=1)
    assert reading(affected(found), after, [found]) == signals.value(affected(found), after)


def test_the_ground_truth_can_be_asked_and_survives_a_line_that_was_cut(tmp_path: Path) -> None:
    truth = GroundTruth(tmp_path / "state" / "events.jsonl")
    assert list(truth) == []
    events = planned(0.5)
    truth.add(events[:3])
    truth.add(events[3:])
    with (tmp_path / "state" / "events.jsonl").open("a") as stream:
        stream.write('{"id": "cut')
    assert list(truth) == events
    middle = during(events[2])
    assert truth.between(middle, middle + timedelta(seconds=1)) == [
        each for each in events if each.start <= middle <= each.end
    ]
