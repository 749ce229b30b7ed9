"""Protects the ways to an instrument: lines, calibration, limits of detection, and what a device's state says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.model import ConfigurationError, Datastream, InvalidInput, ManualClock
from impetus.tools.air.devices import Devices
from impetus.tools.air.drivers import LineDriver, RawReading, ReplayDriver, driver_of, parse_line
from impetus.tools.air.instruments import Calibration, Instrument, read_instruments
from impetus.tools.air.listening import listen

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TABLE = """
["bacteria-1"]
address = "tcp://127.0.0.1:4001"
unit = "CFU/L"
limit = 30.0
sampling_s = 60
flow_lpm = 28.3
height_m = 18.0
[["bacteria-1".calibrations]]
time = 2026-01-10T09:00:00Z
zero = 0.002
span = 1.05
by = "certificate 17"
"""


async def some(driver: LineDriver | ReplayDriver, count: int) -> list[RawReading]:
    found: list[RawReading] = []
    async for reading in driver.readings():
        found.append(reading)
        if len(found) == count:
            break
    return found


async def test_lines_over_tcp_are_read_and_what_is_none_is_counted() -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"# hello\r\n12.5,CFU/L\r\nerror 17\n" + b"9" * 5_000 + b"\n3\nnan\n2026-03-02T12:00:00Z,7,ppb\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        driver = LineDriver(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        found = await asyncio.wait_for(some(driver, 3), 5)
    assert [(one.value, one.unit, one.time) for one in found] == [(12.5, "CFU/L", None), (3, "", None), (7, "ppb", NOW)]
    assert driver.refused >= 3


async def test_lines_over_a_serial_line_are_read() -> None:
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    try:
        reading = asyncio.create_task(some(LineDriver(f"serial://{name}?baud=19200"), 1))
        await asyncio.sleep(0.2)
        os.write(master, b"41,1/L\r\n")
        assert (await asyncio.wait_for(reading, 5))[0] == RawReading(41.0, "1/L")
    finally:
        os.close(master)
        os.close(slave)


async def test_a_file_is_replayed_from_now_on(tmp_path: Path) -> None:
    file = tmp_path / "old.csv"
    file.write_text("time,value,unit\n2020-01-01T00:00:00Z,5,CFU/m3\nsoon,1\n2020-01-01T00:00:00.1Z,6\n")
    clock = ManualClock(NOW)
    driver = driver_of(f"replay:{file}", clock)
    assert isinstance(driver, ReplayDriver)
    reading = asyncio.create_task(some(driver, 2))
    await asyncio.sleep(0.05)
    clock.advance(1.0)
    found = await asyncio.wait_for(reading, 5)
    assert [(one.value, one.time) for one in found] == [(5.0, NOW), (6.0, NOW + timedelta(seconds=0.1))]
    assert driver.refused == 1


async def test_an_instrument_that_is_away_is_said() -> None:
    async def never(_: str, __: RawReading) -> None:
        raise AssertionError("nothing can be read")

    devices = Devices({"a": Instrument(address="tcp://127.0.0.1:9")})
    listening = asyncio.create_task(listen(devices, ManualClock(NOW), never))
    stream = Datastream(id="a", name="a", thing="a", observed_property="bacteria-concentration", unit="CFU/m3")
    for _ in range(100):
        await asyncio.sleep(0.02)
        if "cannot be reached" in devices.state(stream, NOW):
            break
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening
    assert "cannot be reached" in devices.state(stream, NOW)


@pytest.mark.parametrize("address", ["", "udp://a:1", "tcp://a", "tcp://a:99999999", "serial://", "serial:///x?baud=7"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError):
        LineDriver(address)


@given(st.text(max_size=80))
def test_any_line_is_a_reading_or_refused(line: str) -> None:
    with contextlib.suppress(InvalidInput):
        assert parse_line(line).value == parse_line(line).value


def test_a_table_says_how_readings_become_true(tmp_path: Path) -> None:
    file = tmp_path / "instruments.toml"
    file.write_text(TABLE)
    instrument = read_instruments(file)["bacteria-1"]
    assert instrument.calibrated(1.002, NOW) == pytest.approx(1.05)
    assert instrument.calibrated(1.002, NOW - timedelta(days=300)) == 1.002
    assert not instrument.overdue(NOW)
    assert instrument.overdue(NOW + timedelta(days=400))
    # Less than three particles in 28.3 litres cannot be told from none.
    assert Instrument(flow_lpm=28.3, sampling_s=60).least(counts_a_litre=True) == pytest.approx(3 / 28.3)


@pytest.mark.parametrize("text", ["[", "[a]\nlimit = -1", "[a]\nodd = 1", "[[a.calibrations]]\nspan = 0"])
def test_a_table_that_is_wrong_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "instruments.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError):
        read_instruments(file)


def test_the_state_of_a_device_says_the_worst() -> None:
    log = (Calibration(time=NOW - timedelta(days=500)),)
    devices = Devices({"a": Instrument(calibrations=log)})
    stream = Datastream(
        id="a", name="A", thing="a", observed_property="bacteria-concentration", unit="CFU/m3", interval_s=10
    )
    assert devices.state(stream, NOW) == "no reading yet"
    devices.read("a", NOW.timestamp(), 5.0, "CFU/m3")
    assert devices.state(stream, NOW) == "calibration overdue"
    assert devices.state(stream, NOW + timedelta(minutes=5)) == "silent"
    devices.read("a", NOW.timestamp(), -5.0, "CFU/m3", "reads what cannot be")
    assert devices.state(stream, NOW) == "reads what cannot be"
    listed = devices.document([stream], NOW)
    assert (listed["well"], listed["total"]) == (0, 1)
