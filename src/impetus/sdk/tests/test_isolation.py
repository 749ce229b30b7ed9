"""Workers in real processes: what one tool does to itself does not touch the others, and a kill loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from impetus.sdk.tests.rig import Rig, open_rig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path) as rig:
        yield rig


@contextlib.asynccontextmanager
async def process(rig: Rig, tool: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker process that has told its first heartbeat; killed at the end if it still runs."""
    beats = rig.home / f"{tool}.beats"
    beats.unlink(missing_ok=True)
    with (rig.home / f"{tool}.log").open("ab") as log:
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "impetus.sdk.tests.worker_process", tool, str(rig.home), stdout=log, stderr=log
        )
    try:
        async with asyncio.timeout(60):
            while not beats.exists():
                assert running.returncode is None, (rig.home / f"{tool}.log").read_text()
                await asyncio.sleep(0.05)
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            running.kill()
        await running.wait()


async def alerts_of(rig: Rig, tool: str) -> list[str]:
    return [alert.headline for alert in await rig.alerts() if alert.tool == tool]


async def test_a_crash_and_a_hang_do_not_disturb_another_tool(rig: Rig) -> None:
    async with process(rig, "good") as good, process(rig, "crashing") as crashing, process(rig, "blocking") as blocking:
        for value in (101.0, 13.0, 102.0):
            await rig.observe(value)
        async with asyncio.timeout(30):
            assert await crashing.wait() == -signal.SIGABRT
        for value in (103.0, 104.0):
            await rig.observe(value)
        await rig.settled("good")
        assert await alerts_of(rig, "good") == ["101", "102", "103", "104"]
        assert good.returncode is None
        assert blocking.returncode is None
        # The hung one is seen by its silence.
        before = (rig.home / "blocking.beats").read_text()
        await asyncio.sleep(2.5)
        assert (rig.home / "blocking.beats").read_text() == before
        # Nobody acknowledged for them: what they did not handle waits for their next start.
        assert await rig.pending("crashing") > 0
        assert await rig.pending("blocking") > 0
        good.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await good.wait() == 0


async def test_a_message_that_kills_the_tool_each_time_is_set_aside(rig: Rig) -> None:
    for value in (101.0, 13.0, 102.0):
        await rig.observe(value)
    deaths = 0
    async with asyncio.timeout(100):
        while await rig.pending("crashing") != 0:
            async with process(rig, "crashing") as crashing:
                while crashing.returncode is None and await rig.pending("crashing") != 0:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                deaths += crashing.returncode is not None
    # Once with all three in hand, then three times with it alone.
    assert deaths == 4
    assert await alerts_of(rig, "crashing") == ["101", "102"]
    (letter,) = await rig.dead_letters()
    assert "died or hung 3 times" in letter.reason


async def test_no_alert_is_lost_or_doubled_when_the_worker_is_killed_at_random_moments(rig: Rig) -> None:
    random.seed(20_261_121)
    count = 0

    async def publish() -> None:
        nonlocal count
        for _ in range(60):
            batches = [rig.batch([float(count + 1_000 + number)]) for number in range(10)]
            count += 10
            await rig.publish("municipality", *batches)
            await asyncio.sleep(0.05)

    publishing = asyncio.create_task(publish())
    for _ in range(4):
        async with process(rig, "good"):
            await asyncio.sleep(random.random())
    await publishing
    async with process(rig, "good") as last:
        await rig.settled("good")
        last.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            await last.wait()
    assert await alerts_of(rig, "good") == [f"{value + 1_000:g}" for value in range(count)]
    assert await rig.dead_letters() == []
