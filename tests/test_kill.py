"""What was acknowledged survives kill -9 and pauses of any part, once: no alert or decision is lost, none is there
twice. With `test_control_rooms.py` this is the short form of `test_chaos.py` that runs each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import kill
from benchmarks.load import faulty_sensors, register, without_history
from tests.installation import running_demo


@pytest.mark.parametrize(
    ("kills", "readings_per_s", "seed"),
    [
        # Each part once, and then hub and worker are paused.
        pytest.param(3, 100, 1, marks=pytest.mark.timeout(1_200), id="short"),
        pytest.param(20, 300, 20_261_121, marks=[pytest.mark.slow, pytest.mark.timeout(1_800)], id="long"),
    ],
)
async def test_no_acknowledged_alert_or_decision_is_lost_or_doubled(
    tmp_path: Path, kills: int, readings_per_s: int, seed: int
) -> None:
    """Parts are killed at random moments while sensors send impossible readings and a person decides on the alerts."""
    home = tmp_path / "home"
    # Enough to go on sending while a busy machine takes minutes to recover.
    sensors = faulty_sensors(kills * 300 + 900)
    register(home, sensors)
    without_history(home)
    with running_demo(home, arguments=("--readings-per-second", str(readings_per_s)), tools=kill.TOOLS) as installation:
        outcome = await kill.run(
            installation, [sensor.id for sensor in sensors], kills=kills, seed=seed, paused=kill.PAUSED
        )
        assert not outcome.problems, installation.logs()
    assert {each.victim for each in outcome.kills} == set(kill.VICTIMS)
    assert outcome.readings > kills
    assert outcome.decisions == 2 * outcome.readings
