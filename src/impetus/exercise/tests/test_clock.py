"""Protects the clock of an exercise: one time in all processes, at any speed, that never goes back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from impetus.exercise.clock import ExerciseClock, WallPacedClock, clock_of
from impetus.model import ConfigurationError, SystemClock, sleep

START = datetime(2026, 9, 12, 14, 30, tzinfo=UTC)


def test_it_stands_still_until_it_is_let_go_and_goes_on_without_a_jump(tmp_path: Path) -> None:
    clock = ExerciseClock.create(tmp_path / "clock", START, 0.0)
    assert clock.now() == START
    time.sleep(0.02)
    assert clock.now() == START
    clock.set_speed(60)
    time.sleep(0.05)
    moving = clock.now()
    assert (moving - START).total_seconds() >= 60 * 0.05
    clock.set_speed(0)
    paused = clock.now()
    assert paused >= moving
    clock.set_speed(1)
    assert 0 <= (clock.now() - paused).total_seconds() < 5
    assert clock.monotonic_s() == pytest.approx((clock.now() - START).total_seconds(), abs=5)


def test_it_goes_no_further_than_it_is_allowed(tmp_path: Path) -> None:
    """Whoever directs an exercise and is kept waiting finds time where it may be at most; it goes on from there."""
    clock = ExerciseClock.create(tmp_path / "clock", START, 60.0)
    clock.allow(0.3)
    time.sleep(0.05)
    held = clock.now()
    time.sleep(0.05)
    assert clock.now() == held
    clock.set_speed(30)
    assert clock.now() == held, "another speed does not let it go"
    clock.allow(1.0)
    time.sleep(0.1)
    assert clock.now() == held + timedelta(seconds=1), "it goes on without a jump"


def test_another_process_shows_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    ExerciseClock.create(path, START, 0.0)
    script = (
        "import sys; from pathlib import Path; from impetus.exercise.clock import ExerciseClock;"
        "clock = ExerciseClock(Path(sys.argv[1])); print(clock.now().isoformat(), clock.speed)"
    )
    told = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert told.stdout.split() == [START.isoformat(), "0.0"]


async def test_a_span_is_waited_for_in_exercise_time(tmp_path: Path) -> None:
    clock = ExerciseClock.create(tmp_path / "clock", START, 60.0)
    began_s = clock.monotonic_s()
    await asyncio.wait_for(sleep(clock, 6.0), 30)
    assert clock.monotonic_s() - began_s >= 6.0
    clock.set_speed(0)
    waiting = asyncio.create_task(sleep(clock, 1.0))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    clock.set_speed(60)
    await asyncio.wait_for(waiting, 30)


def test_only_the_time_of_day_is_the_exercises_for_pages_and_sockets(tmp_path: Path) -> None:
    path = tmp_path / "clock"
    ExerciseClock.create(path, START, 0.0)
    hybrid = clock_of(path)
    assert isinstance(hybrid, WallPacedClock)
    before_s = hybrid.monotonic_s()
    time.sleep(0.01)
    assert hybrid.monotonic_s() > before_s
    assert hybrid.now() == START
    assert isinstance(clock_of(None), SystemClock)
    assert isinstance(clock_of(path, paced=True), ExerciseClock)


@pytest.mark.parametrize("speed", [-1.0, 61.0, float("nan")])
def test_a_speed_that_cannot_be_is_refused(tmp_path: Path, speed: float) -> None:
    clock = ExerciseClock.create(tmp_path / "clock", START)
    with pytest.raises(ConfigurationError, match="0 to 60"):
        clock.set_speed(speed)


def test_a_missing_or_broken_clock_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        ExerciseClock(tmp_path / "none")
    (tmp_path / "short").write_bytes(b"x")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        ExerciseClock(tmp_path / "short")
