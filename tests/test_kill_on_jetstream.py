"""The same on the bus on NATS JetStream: what was acknowledged survives kill -9 of any part, the server's too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks import kill
from benchmarks.load import faulty_sensors, register, without_history
from tests.installation import running_demo
from tests.servers import NatsServer

KILLS = 3


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server that the test may kill."""
    server = NatsServer(tmp_path / "nats")
    server.start()
    yield server
    server.stop()


@pytest.mark.slow
@pytest.mark.timeout(1_800)
async def test_no_acknowledged_alert_or_decision_is_lost_or_doubled(tmp_path: Path, own_server: NatsServer) -> None:
    """Parts and the NATS server are killed while sensors send impossible readings and a person decides."""
    home = tmp_path / "home"
    sensors = faulty_sensors(KILLS * 300)
    register(home, sensors)
    without_history(home)
    environment = {"IMPETUS_BUS": own_server.url}
    with running_demo(
        home, arguments=("--readings-per-second", "100"), environment=environment, tools=kill.TOOLS
    ) as installation:

        async def break_the_server() -> None:
            await asyncio.sleep(6)
            own_server.kill()
            await asyncio.sleep(1)
            own_server.start()

        breaking = asyncio.create_task(break_the_server())
        try:
            outcome = await kill.run(installation, [sensor.id for sensor in sensors], kills=KILLS, seed=1)
        finally:
            breaking.cancel()
            with suppress(asyncio.CancelledError):
                await breaking
        assert not outcome.problems, installation.logs()
        assert not (home / "bus.sqlite").exists()
    assert outcome.decisions == 2 * outcome.readings
