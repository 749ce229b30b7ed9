"""Listens to instruments that have an address of their own, for as long as the tool runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from impetus.model import Clock
from impetus.tools.air.devices import Devices
from impetus.tools.air.drivers import RawReading, ReplayDriver, driver_of

RETRY_S, LONGEST_RETRY_S = 2.0, 60.0
Take = Callable[[str, RawReading], Awaitable[None]]


async def listen(devices: Devices, clock: Clock, take: Take) -> None:
    """Read all instruments with an address until cancelled; returns at once when there is none.

    One that cannot be reached is tried again after a growing pause, and its state says so.
    """
    addressed = {name: one.address for name, one in devices.instruments.items() if one.address}
    await asyncio.gather(*(_one(sensor, address, devices, clock, take) for sensor, address in addressed.items()))


async def _one(sensor: str, address: str, devices: Devices, clock: Clock, take: Take) -> None:
    driver = driver_of(address, clock)
    pause_s = RETRY_S
    while True:
        try:
            async for reading in driver.readings():
                pause_s = RETRY_S
                devices.driver(sensor, f"{driver.refused} lines were no readings" if driver.refused else "")
                await take(sensor, reading)
            if isinstance(driver, ReplayDriver):
                return
            devices.driver(sensor, "the line was closed")
        except (OSError, TimeoutError) as error:
            devices.driver(sensor, f"cannot be reached ({type(error).__name__})")
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_RETRY_S)
