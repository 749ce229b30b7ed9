"""Protects: what a tool says while the bus is away waits on the disk, bounded, the severest longest."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impetus.model import Envelope, Health, HealthState, Severity, SystemClock, Unavailable
from impetus.sdk import outgoing
from impetus.sdk.outgoing import Outgoing
from impetus.sdk.spool import FILE_NAME, Spool, rank_of
from impetus.situation.tests.house import an_alert

CLOCK = SystemClock()


def alert(severity: Severity, number: int = 0) -> Envelope:
    message = an_alert(severity=severity, headline=f"alert {number}")
    return Envelope.wrap(message, kind="alert", tenant="city", origin="sample", time=CLOCK.now())


def news() -> Envelope:
    health = Health(part="sample", state=HealthState.RUNNING, time=CLOCK.now())
    return Envelope.wrap(health, kind="health", tenant="city", origin="sample", time=CLOCK.now())


class Wire:
    """A bus that is away when the test says so."""

    def __init__(self) -> None:
        self.away = True
        self.got: list[str] = []

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable("the servers do not answer")
        self.got += [one.id for one in envelopes]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(outgoing, "PENDING_LIMIT", 10)


def office(wire: Wire, spool: Spool | None, said: list[str | None]) -> Outgoing:
    return Outgoing(wire, said.append, spool)  # type: ignore[arg-type]  # only publish is used


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def test_the_severest_stay_longest(tmp_path: Path) -> None:
    kept = [alert(severity, number) for number in range(3) for severity in Severity] + [news()]
    size = max(len(one.data) for one in kept)
    spool = Spool(tmp_path, limit_bytes=6 * size)
    for one in kept:
        assert spool.keep([one])
    _, left = spool.first(100)
    assert spool.dropped == len(kept) - len(left)
    assert [rank_of(one) for one in left].count(5) == 3
    assert min(rank_of(one) for one in left) >= 4
    spool.close()


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from(list(Severity)), max_size=8), st.integers(1, 6))
def test_never_more_than_its_share_and_nothing_lost_uncounted(
    tmp_path_factory: pytest.TempPathFactory, severities: list[Severity], room: int
) -> None:
    messages = [alert(severity, number) for number, severity in enumerate(severities)]
    limit = room * 1_000
    spool = Spool(tmp_path_factory.mktemp("spool"), limit_bytes=limit)
    for one in messages:
        assert spool.keep([one])
    _, left = spool.first(1_000)
    assert sum(len(one.data) for one in left) <= limit
    assert len(left) + spool.dropped == len(messages)
    # What is left is in the order in which it came, and nothing that was dropped is severer than what is left.
    ids = [one.id for one in messages]
    assert [ids.index(one.id) for one in left] == sorted(ids.index(one.id) for one in left)
    kept = {one.id for one in left}
    gone = [rank_of(one) for one in messages if one.id not in kept]
    assert max(gone, default=0) <= min((rank_of(one) for one in left), default=9)
    spool.close()


async def test_what_is_said_while_the_bus_is_away_arrives_in_order(tmp_path: Path) -> None:
    wire, said = Wire(), list[str | None]()
    spool = Spool(tmp_path)
    out = office(wire, spool, said)
    messages = [alert(Severity.SEVERE, number) for number in range(45)]
    running = asyncio.create_task(out.run())
    for one in messages[:30]:
        await asyncio.wait_for(out.add([one]), 60)  # a tool with sources of its own does not have to stop
        await asyncio.sleep(0)
    await until(lambda: spool.waiting)
    for one in messages[30:]:
        await asyncio.wait_for(out.add([one]), 60)
    await until(lambda: said and "wait on this machine's disk" in str(said[-1]))
    wire.away = False
    await out.flush()
    assert list(dict.fromkeys(wire.got)) == [one.id for one in messages]
    assert said[-1] is None
    assert spool.waiting == 0
    running.cancel()
    spool.close()


async def test_a_process_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    wire, said = Wire(), list[str | None]()
    first = Spool(tmp_path)
    out = office(wire, first, said)
    messages = [alert(Severity.MINOR, number) for number in range(5)]
    await out.add(messages)
    flushing = asyncio.create_task(out.flush())
    await until(lambda: first.waiting == 5)
    flushing.cancel()
    # Nothing is closed: as after kill -9.
    wire.away = False
    again = office(wire, Spool(tmp_path), said)
    running = asyncio.create_task(again.run())
    await until(lambda: len(wire.got) == 5)
    assert wire.got == [one.id for one in messages]
    running.cancel()
    first.close()


async def test_dropping_is_said_until_the_process_ends(tmp_path: Path) -> None:
    wire, said = Wire(), list[str | None]()
    one = alert(Severity.MINOR)
    spool = Spool(tmp_path, limit_bytes=2 * len(one.data))
    out = office(wire, spool, said)
    await out.add([alert(Severity.MINOR, number) for number in range(5)])
    flushing = asyncio.create_task(out.flush())
    await until(lambda: said)
    wire.away = False
    await flushing
    assert str(said[-1]).startswith("3 of the least severity were dropped")


async def test_without_room_on_the_disk_memory_serves(tmp_path: Path) -> None:
    wire, said = Wire(), list[str | None]()
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(Exception, match="unable to open"):
        Spool(tmp_path)
    (tmp_path / FILE_NAME).rmdir()
    spool = Spool(tmp_path / "file")
    (tmp_path / "file").write_text("no folder")
    out = office(wire, spool, said)
    await out.add([alert(Severity.MINOR)])
    flushing = asyncio.create_task(out.flush())
    await until(lambda: said)
    assert "1 wait" in str(said[-1])
    wire.away = False
    await flushing
    assert len(wire.got) == 1


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="only root mounts a small disk")
async def test_on_a_disk_that_is_really_full_nothing_ends_and_nothing_is_lost(tmp_path: Path) -> None:
    """The bus is back while there is no room even to remove what was published: it is said, and goes on with room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if (await asyncio.to_thread(subprocess.run, mount, check=False, capture_output=True)).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        wire, said = Wire(), list[str | None]()
        spool = Spool(disk)
        messages = [alert(Severity.SEVERE, number) for number in range(20)]
        assert spool.keep(messages)
        with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(4_096)):
                pass
        wire.away = False
        out = office(wire, spool, said)
        running = asyncio.create_task(out.run())
        await until(lambda: said and "this machine's disk" in str(said[-1]))
        assert not running.done()
        (disk / "filler").unlink()
        await until(lambda: not spool.waiting)
        assert list(dict.fromkeys(wire.got)) == [one.id for one in messages]
        running.cancel()
        spool.close()
    finally:
        await asyncio.to_thread(subprocess.run, ["umount", str(disk)], check=False)


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 500, b"SQLite format 3\x00" + b"\xff" * 5_000])
def test_a_broken_file_keeps_no_tool_from_starting_and_is_kept(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(damage)
    spool = Spool(tmp_path)
    assert spool.waiting == 0
    assert spool.keep([alert(Severity.SEVERE)])
    assert spool.waiting == 1
    spool.close()
    aside = [path.read_bytes() for path in tmp_path.glob(f"{FILE_NAME}.broken-*")]
    assert aside == ([damage] if damage else [])
