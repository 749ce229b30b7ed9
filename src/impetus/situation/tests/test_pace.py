"""Protects people's decisions from waiting behind a storm of alerts."""

from __future__ import annotations

import asyncio
import time

from impetus.situation.pace import Pace


async def test_others_get_their_turn_during_long_work() -> None:
    """While work of many steps runs, another task is served between the steps and not only after the last one."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    pace = Pace()
    for _ in range(20):
        until_s = time.perf_counter() + 0.002
        while time.perf_counter() < until_s:
            pass
        await pace.pause()
    task.cancel()
    assert turns >= 5


async def test_short_work_is_not_held_up() -> None:
    """Steps that take next to nothing go on without giving way each time."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await asyncio.sleep(0)
    turns = 0
    pace = Pace()
    for _ in range(50):
        await pace.pause()
    task.cancel()
    assert turns == 0
