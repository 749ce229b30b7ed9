"""Protects the status board: a part that falls silent is shown as stopped, whatever its clock says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from impetus.model import Health, HealthState, ManualClock
from impetus.situation.health import HealthBoard
from impetus.situation.runtime import publish_health, running
from impetus.situation.sensors import SensorState, sensor_state
from impetus.situation.tests.house import House, eventually

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_a_silent_part_is_shown_as_stopped_until_it_speaks_again() -> None:
    clock = ManualClock(NOW)
    board = HealthBoard(clock, 15.0)
    board.report(Health(part="worker-anomaly", state=HealthState.RUNNING, time=clock.now()))
    clock.advance(14)
    assert [part.state for part in board.board()] == [HealthState.RUNNING]
    clock.advance(2)
    (silent,) = board.fallen_silent()
    assert silent.state is HealthState.STOPPED
    assert "16 s" in silent.text
    board.report(Health(part="worker-anomaly", state=HealthState.RUNNING, time=clock.now()))
    assert not board.fallen_silent()


def test_a_clock_that_was_set_back_does_not_hide_a_part() -> None:
    clock = ManualClock(NOW)
    board = HealthBoard(clock, 15.0)
    board.report(Health(part="hub", state=HealthState.RUNNING, time=clock.now()))
    clock.advance(-3_600)
    board.report(Health(part="hub", state=HealthState.DEGRADED, text="slow", time=clock.now()))
    assert [part.state for part in board.board()] == [HealthState.DEGRADED]


def test_a_report_that_waited_counts_from_when_it_was_written() -> None:
    clock = ManualClock(NOW)
    board = HealthBoard(clock, 15.0)
    board.report(Health(part="hub", state=HealthState.RUNNING, time=NOW - timedelta(hours=1)))
    assert [part.state for part in board.board()] == [HealthState.STOPPED]


def test_restarts_that_the_supervisor_counted_are_not_forgotten_when_the_part_speaks_again() -> None:
    board = HealthBoard(ManualClock(NOW), 15.0)
    board.report(Health(part="worker-anomaly", state=HealthState.DEGRADED, time=NOW, restarts=2))
    board.report(Health(part="worker-anomaly", state=HealthState.RUNNING, time=NOW))
    assert [(part.state, part.restarts) for part in board.board()] == [(HealthState.RUNNING, 2)]


async def test_reports_reach_the_board_and_the_hub_reports_itself(house: House) -> None:
    before = Health(part="worker-anomaly", state=HealthState.RUNNING, time=house.clock.now())
    await publish_health(house.bus, before)
    async with running(house.situation):
        await eventually(lambda: house.situation.health.part("hub"))
        found = await eventually(lambda: house.situation.health.part("worker-anomaly"))
    assert found == before


def test_the_worst_of_what_is_open_on_a_sensor_is_shown() -> None:
    assert sensor_state(("level", "stuck"), has_reading=True) is SensorState.STUCK
    assert sensor_state(("shape",), has_reading=True) is SensorState.ANOMALOUS
    assert sensor_state((), has_reading=True) is SensorState.OK
