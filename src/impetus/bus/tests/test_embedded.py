"""What only the embedded bus does: its file, a full disk, processes that share it, waking, reading without scans."""

# The files looked at here are small and local.
# ruff: noqa: ASYNC240

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from impetus.bus import Bus, EmbeddedBus, EmbeddedSettings, open_bus
from impetus.bus.log_file import VERSION
from impetus.bus.membership import Member, Progress, create, renew
from impetus.bus.process_lock import ProcessLock
from impetus.bus.protocol import Start
from impetus.bus.reading import Selection
from impetus.bus.subjects import parse_patterns
from impetus.bus.tests.messages import START, by_partition, drain, fetch_number, ids, message, number_of
from impetus.bus.tests.process import BATCH, started
from impetus.bus.wakeup import Wakeup
from impetus.model import ConfigurationError, Envelope, ImpetusError, SystemClock, Unavailable

CLOCK = SystemClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bus.sqlite"


async def everything(bus: Bus) -> list[str]:
    """The ids of all messages, in order."""
    return [delivery.envelope.id async for delivery in bus.replay([">"], since=START - timedelta(days=1))]


class TestOpening:
    """Any file that is no message log of ours gives an error that says what to do, and is left as it is."""

    @pytest.mark.parametrize(
        "url", ["sqlite://relative/x", "sqlite:///", "kafka://host:9092", "postgresql://x/y", "://"]
    )
    def test_an_unknown_address_names_what_is_supported(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match="sqlite:///"):
            open_bus(url, CLOCK)

    def test_a_path_and_its_url_are_the_same_log(self, path: Path) -> None:
        for address in (path, str(path), f"sqlite://{path}"):
            bus = open_bus(address, CLOCK)
            assert isinstance(bus, EmbeddedBus)
            assert bus.path == path

    def test_the_file_is_for_its_owner_alone(self, path: Path) -> None:
        """It holds personal data."""
        open_bus(path, CLOCK)
        for file in path.parent.iterdir():
            assert file.stat().st_mode & 0o077 == 0, file.name

    def test_no_such_folder(self, path: Path) -> None:
        with pytest.raises(ConfigurationError, match="folder"):
            open_bus(path.parent / "nowhere" / "bus.sqlite", CLOCK)

    def test_a_file_that_is_no_database(self, path: Path) -> None:
        path.write_bytes(b"Dear diary, " * 1_000)
        with pytest.raises(ConfigurationError, match="no message log"):
            open_bus(path, CLOCK)
        assert path.read_bytes() == b"Dear diary, " * 1_000

    def test_a_database_of_somebody_else(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE alert (id TEXT)")
        with pytest.raises(ConfigurationError, match="no message log of impetus"):
            open_bus(path, CLOCK)
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("alert",)]

    def test_a_log_of_a_newer_version(self, path: Path) -> None:
        open_bus(path, CLOCK)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA user_version = {VERSION + 1}")
        with pytest.raises(ConfigurationError, match="newer"):
            open_bus(path, CLOCK)

    async def test_a_damaged_log(self, path: Path) -> None:
        """Damage is reported where it is met, in words, by publishing and by reading."""
        bus = open_bus(path, CLOCK)
        await bus.publish([message(number, size_bytes=2_000) for number in range(200)])
        await bus.close()
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xde\xad" * 40_000)
        with pytest.raises(ConfigurationError, match="damaged"):
            await _use(path)

    def test_partitions_that_are_not_possible(self, path: Path) -> None:
        with pytest.raises(ConfigurationError, match="1 to 62"):
            open_bus(path, CLOCK, EmbeddedSettings(partitions=63))

    async def test_the_number_of_partitions_stays_what_it_was(self, path: Path) -> None:
        """A change of the setting must not move sources to other partitions."""
        await open_bus(path, CLOCK, EmbeddedSettings(partitions=3)).close()
        bus = open_bus(path, CLOCK, EmbeddedSettings(partitions=16))
        assert isinstance(bus, EmbeddedBus)
        assert bus.slots == 3
        await bus.publish([message(number, partition=f"source-{number}") for number in range(20)])
        assert len(await drain(await bus.subscribe("reader", [">"]))) == 20
        await bus.close()

    def test_several_processes_may_make_the_log_at_once(self, path: Path) -> None:
        code = (
            "import sys; from impetus.bus import *; from impetus.model import *; open_bus(sys.argv[1], SystemClock())"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
        processes = [subprocess.Popen([sys.executable, "-c", code, str(path)], env=environment) for _ in range(4)]
        assert [process.wait() for process in processes] == [0] * 4


async def _use(path: Path) -> None:
    bus = open_bus(path, CLOCK)
    try:
        await bus.publish([message(number) for number in range(200)])
        await everything(bus)
    finally:
        await bus.close()


class TestFullDisk:
    """Where there is no room, publishing says so and appends nothing; when there is room again it goes on."""

    async def test_no_room_in_the_log(self, path: Path) -> None:
        settings = EmbeddedSettings(size_limit_bytes=2_000_000)
        bus = open_bus(path, CLOCK, settings)
        subscription = await bus.subscribe("reader", [">"])
        published: list[str] = []
        batch: list[Envelope] = []
        with pytest.raises(Unavailable, match="no room"):  # noqa: PT012 it happens at some batch
            while True:
                batch = [message(len(published) + part, size_bytes=30_000) for part in range(5)]
                await bus.publish(batch)
                published += [envelope.id for envelope in batch]
        assert len(published) >= 50
        assert await everything(bus) == published
        fetched = await fetch_number(subscription, 20)
        await subscription.acknowledge(fetched)
        assert await bus.forget([">"], before=START + timedelta(seconds=40)) == 40
        await bus.publish(batch)
        assert await everything(bus) == published[40:] + [envelope.id for envelope in batch]
        assert ids(fetched) == published[:20]
        await bus.close()

    async def test_one_that_does_not_fit_does_not_harm_those_beside_it(self, path: Path) -> None:
        """Publications that share a transaction fail each for itself."""
        bus = open_bus(path, CLOCK, EmbeddedSettings(size_limit_bytes=2_000_000))
        large = message(1, size_bytes=3_000_000)
        small = [message(number) for number in range(2, 22)]
        results = await asyncio.gather(
            *(bus.publish([envelope]) for envelope in [*small[:10], large, *small[10:]]), return_exceptions=True
        )
        assert [result for result in results if result is not None] == [results[10]]
        assert isinstance(results[10], Unavailable)
        assert await everything(bus) == [envelope.id for envelope in small]
        await bus.close()

    async def test_the_system_refuses_to_write(self, path: Path) -> None:
        """A limit of the operating system, met in the middle of a write, leaves the log whole."""
        code = (
            "import asyncio, resource, sys\n"
            "from impetus.bus import *\n"
            "from impetus.bus.tests.messages import message\n"
            "from impetus.model import *\n"
            "async def main():\n"
            "    bus = open_bus(sys.argv[1], SystemClock())\n"
            "    await bus.publish([message(0)])\n"
            "    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))\n"
            "    try:\n"
            "        await bus.publish([message(number, size_bytes=100_000) for number in range(1, 30)])\n"
            "    except Unavailable as error:\n"
            "        print(error.message)\n"
            "    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
            "    await bus.publish([message(100)])\n"
            "    await bus.close()\n"
            "asyncio.run(main())\n"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
        output = await asyncio.to_thread(
            subprocess.check_output, [sys.executable, "-c", code, str(path)], env=environment, text=True
        )
        assert str(path) in output
        bus = open_bus(path, CLOCK)
        numbers = [number_of(delivery) async for delivery in bus.replay([">"], since=START)]
        assert numbers == [0, 100]
        await bus.close()

    @pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="only root mounts a small disk")
    async def test_a_disk_that_is_really_full(self, tmp_path: Path) -> None:
        """On a file system of 4 MiB, with room made by removing another file."""
        disk = tmp_path / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
        if (await asyncio.to_thread(subprocess.run, mount, check=False, capture_output=True)).returncode:
            pytest.skip("mounting is not allowed here")
        try:
            other = disk / "other"
            other.write_bytes(bytes(2_000_000))
            bus = open_bus(disk / "bus.sqlite", CLOCK)
            published: list[str] = []
            with pytest.raises(Unavailable):  # noqa: PT012 it happens at some message
                while True:
                    envelope = message(len(published), size_bytes=20_000)
                    await bus.publish([envelope])
                    published.append(envelope.id)
            assert await everything(bus) == published
            other.unlink()
            last = message(10**6)
            await bus.publish([last])
            assert await everything(bus) == [*published, last.id]
            await bus.close()
        finally:
            await asyncio.to_thread(subprocess.run, ["umount", str(disk)], check=False)


class TestProcesses:
    """Processes that share the file."""

    async def test_a_killed_publisher_leaves_whole_batches(self, path: Path) -> None:
        """What one call publishes is there whole or not at all."""
        for _ in range(3):
            async with started("publish", str(path)) as publisher:
                await publisher.line()
                await publisher.kill()
        bus = open_bus(path, CLOCK)
        counts = {
            partition: len(numbers)
            for partition, numbers in by_partition(
                [delivery async for delivery in bus.replay([">"], since=START)]
            ).items()
        }
        assert len(counts) == BATCH
        assert len(set(counts.values())) == 1
        await bus.close()

    async def test_the_lease_of_a_killed_member_is_over_at_once(self, path: Path) -> None:
        """However long it was: a worker that is started again does not wait for its predecessor's lease."""
        bus = open_bus(path, CLOCK)
        await bus.publish([message(number) for number in range(3)])
        async with started("hoard", str(path)) as hoarder:
            await hoarder.line()
            await hoarder.line()
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("UPDATE member SET expires = expires + 500, lease_s = 1000")
                connection.commit()
            await hoarder.kill()
        subscription = await bus.subscribe("shared", [">"])
        assert [number_of(delivery) for delivery in await subscription.fetch(timeout_s=0)] == [0, 1, 2]
        await bus.close()

    async def test_a_lease_from_before_a_restart_of_the_machine_is_over(self, path: Path) -> None:
        """The monotonic clock begins anew: an end that lies further ahead than a lease is long cannot be meant."""
        bus = EmbeddedBus(path, CLOCK)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            create(connection, "reader", [">"], Start.EARLIEST, bus.slots)
            old = Member("reader", "a-old", 1, 5.0)
            new = Member("reader", "b-new", 2, 5.0)
            for me, now, slots in ((old, 90_000.0, 16), (new, 30.0, 16)):
                renewal = renew(connection, me, now=now, alive=lambda _: True, progress=Progress(), idle=(), forced=())
                assert renewal is not None
                assert len(renewal.slots) == slots
        await bus.close()

    async def test_a_lease_that_is_renewed_while_another_renewal_waits_holds(self, path: Path) -> None:
        """Under load a renewal waits for its turn: it must not judge newer leases by the time at which it was asked."""
        bus, other = open_bus(path, CLOCK), open_bus(path, CLOCK)
        await bus.subscribe("reader", [">"], lease_s=5)
        waiting_member = await other.subscribe("reader", [">"], lease_s=0.2)
        await asyncio.sleep(0.1)  # a renewal of the second is due
        lock = ProcessLock(path.with_name(path.name + "-lock"))
        with lock.writing():
            fetching = asyncio.create_task(waiting_member.fetch(timeout_s=0))
            await asyncio.sleep(0.1)
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.execute("UPDATE member SET expires = ? + lease_s WHERE lease_s = 5", (time.monotonic(),))
        await fetching
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT count(*) FROM member").fetchone() == (2,)
        lock.close()
        await bus.close()
        await other.close()

    async def test_writers_take_turns(self, path: Path) -> None:
        """A lock that another holds is waited for, and two buses of one process exclude each other too."""
        bus = open_bus(path, CLOCK)
        other = ProcessLock(path.with_name(path.name + "-lock"))
        with other.writing():
            waiting = asyncio.create_task(bus.publish([message(1)]))
            await asyncio.sleep(0.1)
            assert not waiting.done()
        await waiting
        assert isinstance(bus, EmbeddedBus)
        assert bus.alive(other.instance)
        other.close()
        assert not bus.alive(other.instance)
        await bus.close()

    async def test_a_log_that_another_process_keeps_locked_gives_an_error_and_nothing_is_written_later(
        self, path: Path
    ) -> None:
        """What `publish` gave up is never appended behind its caller's back."""
        bus = open_bus(path, CLOCK, EmbeddedSettings(wait_s=0.3))
        given_up, fine = message(1), message(2)
        lock = ProcessLock(path.with_name(path.name + "-lock"))
        with lock.writing(), pytest.raises(Unavailable, match="busy"):
            await bus.publish([given_up])
        lock.close()
        await bus.publish([fine])
        assert await everything(bus) == [fine.id]
        await bus.close()


class TestWriting:
    """Group commit and the bounds of what waits."""

    async def test_many_publishers_at_once(self, path: Path) -> None:
        bus = open_bus(path, CLOCK)
        sent = [message(number) for number in range(500)]
        await asyncio.gather(*(bus.publish([envelope]) for envelope in sent))
        assert await everything(bus) == [envelope.id for envelope in sent]
        await bus.close()

    async def test_a_publisher_that_is_cancelled_disturbs_nobody(self, path: Path) -> None:
        bus = open_bus(path, CLOCK)
        tasks = [asyncio.create_task(bus.publish([message(number, id=f"id-{number}")])) for number in range(50)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await bus.publish([message(99, id="last")])
        assert {f"id-{number}" for number in range(1, 50, 2)} | {"last"} <= set(await everything(bus))
        await bus.close()

    async def test_the_queue_is_bounded_and_waits(self, path: Path) -> None:
        """More publications than the queue holds wait for room; their order is kept."""
        bus = open_bus(path, CLOCK, EmbeddedSettings(queue_messages=5, queue_bytes=10_000))
        sent = [message(number, size_bytes=3_000) for number in range(60)]
        await asyncio.gather(*(bus.publish([envelope]) for envelope in sent))
        assert len(await everything(bus)) == 60
        await bus.close()

    async def test_a_consumer_that_gives_up_an_acknowledgement_can_go_on(self, path: Path) -> None:
        """Cancelled or not, what was written is known to the member, and its cursor moves on."""
        bus = open_bus(path, CLOCK)
        subscription = await bus.subscribe("reader", [">"])
        await bus.publish([message(number) for number in range(4)])
        deliveries = await fetch_number(subscription, 4)
        task = asyncio.create_task(subscription.acknowledge(deliveries[:2]))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await subscription.acknowledge(deliveries[2:])
        assert (await bus.consumers())[0].pending == 0
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT count(*) FROM acknowledged").fetchone() == (0,)
        await bus.close()

    async def test_every_field_of_an_envelope_is_kept(self, path: Path) -> None:
        """A field that is added to the envelope must be added to the log; the rest is constant."""
        kept = {"id", "source", "type", "subject", "time", "tenant", "partition", "data"}
        assert set(Envelope.model_fields) - kept == {"specversion", "datacontenttype"}

    async def test_without_power_safety_all_else_is_the_same(self, path: Path) -> None:
        bus = open_bus(path, CLOCK, replace(EmbeddedSettings(), power_safe=False))
        subscription = await bus.subscribe("reader", [">"])
        await bus.publish([message(1)])
        assert len(await drain(subscription)) == 1
        await bus.close()


class TestRetention:
    """Forgetting."""

    async def test_publishers_go_on_meanwhile_and_the_file_shrinks(self, path: Path) -> None:
        bus = open_bus(path, CLOCK)
        for start in range(0, 2_000, 500):
            await bus.publish([message(start + number, size_bytes=10_000) for number in range(500)])
        size_before = path.stat().st_size
        forgetting = asyncio.create_task(bus.forget(["police.>"], before=START + timedelta(seconds=1_990)))
        later = [message(5_000 + number) for number in range(50)]
        for envelope in later:
            await bus.publish([envelope])
        assert await forgetting == 1_990
        assert len(await everything(bus)) == 60
        await bus.close()
        assert path.stat().st_size < size_before / 2

    async def test_it_may_be_cancelled_at_any_moment(self, path: Path) -> None:
        """A thread that still searches when its caller gives up must not lose its connection: that ends the process."""
        bus = open_bus(path, CLOCK)
        for start in range(0, 4_000, 500):
            await bus.publish([message(start + number) for number in range(500)])
        for number in range(100):
            forgetting = asyncio.create_task(bus.forget(["police.>"], before=START - timedelta(seconds=1)))
            await asyncio.sleep(number * 1e-4)
            forgetting.cancel()
            await asyncio.gather(forgetting, return_exceptions=True)
        assert len(await everything(bus)) == 4_000
        await bus.close()

    async def test_what_is_forgotten_is_overwritten(self, path: Path) -> None:
        """Removed personal data is not left lying in free pages."""
        bus = open_bus(path, CLOCK)
        secret = message(1).model_copy(update={"data": b'{"name":"a-secret-name"}'})
        await bus.publish([secret])
        await bus.set_aside("police", "mqtt", "topic", b"another a-secret-name", "broken")
        assert await bus.forget(["police.>"], before=CLOCK.now() + timedelta(days=1)) == 2
        assert await bus.forget([">"], before=CLOCK.now() + timedelta(days=1)) == 0
        await bus.close()
        assert b"a-secret-name" not in path.read_bytes()

    async def test_dead_letters_are_bounded(self, path: Path) -> None:
        """A flood of malformed payloads cannot fill the disk."""
        bus = open_bus(path, CLOCK, EmbeddedSettings(dead_letters_per_tenant=30))
        for number in range(200):
            await bus.set_aside("police", "mqtt", "topic", b"x", f"{number}")
        letters = await bus.dead_letters("police", limit=1_000)
        assert [letter.reason for letter in letters] == [str(number) for number in range(199, 169, -1)]
        await bus.close()


class TestReading:
    """Cheap whatever else the log holds."""

    @pytest.mark.parametrize("patterns", [["*.alert.>"], ["police.alert.>", "*.incident.*"], ["fire.alert.air"]])
    async def test_a_consumer_of_some_kinds_never_looks_at_the_others(self, path: Path, patterns: list[str]) -> None:
        """The index on kinds answers: a million observations in between cost nothing."""
        await open_bus(path, CLOCK).close()
        selection = Selection(parse_patterns(patterns))
        parameters = selection._parameters | {"after": 0, "through": 9, "limit": 1, "slots": -1}
        with closing(sqlite3.connect(path)) as connection:
            plan = connection.execute(f"EXPLAIN QUERY PLAN {selection._page}", parameters).fetchall()
        details = [row[3] for row in plan]
        assert any(
            "USING INDEX message_kind" in detail or "COVERING INDEX message_kind" in detail for detail in details
        )
        assert not any(detail.startswith("SCAN message") or "TEMP B-TREE" in detail for detail in details), details

    async def test_the_cursor_moves_past_what_does_not_match(self, path: Path) -> None:
        """So that a consumer of rare messages starts again near the end of the log."""
        bus = open_bus(path, CLOCK)
        subscription = await bus.subscribe("reader", ["*.alert.>"], lease_s=0.1)
        await bus.publish([message(number, subject="police.observation.mqtt") for number in range(50)])
        await bus.publish([message(50)])
        await subscription.acknowledge(await fetch_number(subscription, 1))
        await subscription.fetch(timeout_s=0.1)
        await subscription.close()
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT min(cursor) FROM assignment").fetchone() == (51,)
        await bus.close()

    async def test_one_fetch_is_bounded_in_bytes(self, path: Path) -> None:
        """Hundred messages of 8 MB must not come at once."""
        bus = open_bus(path, CLOCK)
        for number in range(5):
            await bus.publish([message(number, size_bytes=5_000_000)])
        subscription = await bus.subscribe("reader", [">"])
        assert [len(await subscription.fetch()) for _ in range(4)] == [2, 2, 1, 0]
        await bus.close()

    async def test_new_subjects_of_a_durable_name_reach_all_its_members(self, path: Path) -> None:
        """A tool that learns to read another kind goes on where it was."""
        bus = open_bus(path, CLOCK)
        old = await bus.subscribe("reader", ["*.alert.>"])
        new = await bus.subscribe("reader", ["*.alert.>", "*.health.>"])
        for _ in range(3):
            await old.fetch(timeout_s=0)
            await new.fetch(timeout_s=0)
        sent = [
            message(number, subject=f"police.{kind}.x", partition=f"source-{number}")
            for number, kind in enumerate(["alert", "health"] * 20)
        ]
        await bus.publish(sent)
        found = await asyncio.gather(drain(old), drain(new))
        assert all(found)
        assert sorted(ids([*found[0], *found[1]])) == sorted(envelope.id for envelope in sent)
        await bus.close()


class TestWaking:
    """Readers learn of messages without burning the processor."""

    @pytest.mark.parametrize("watch", [True, False])
    async def test_a_change_wakes_with_and_without_inotify(self, tmp_path: Path, watch: bool) -> None:
        file = tmp_path / "lock"
        file.touch()
        version = 1
        wakeup = Wakeup(file, lambda: version, watch=watch)
        waiting = asyncio.create_task(wakeup.wait(wakeup.count, 100))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        if watch:
            file.write_bytes(b"\n")
        else:
            version = 2
        await asyncio.wait_for(waiting, 50)
        wakeup.close()

    async def test_a_change_before_the_wait_is_not_missed(self, tmp_path: Path) -> None:
        file = tmp_path / "lock"
        file.touch()
        wakeup = Wakeup(file, lambda: 1)
        seen = wakeup.count
        wakeup.notify()
        await asyncio.wait_for(wakeup.wait(seen, 100), 50)
        await wakeup.wait(wakeup.count, 0.01)
        wakeup.close()

    async def test_a_wake_up_that_a_killed_writer_owed_is_made_good(self, path: Path) -> None:
        """A message that was committed and never announced is found by polling."""
        bus = open_bus(path, CLOCK)
        await bus.publish([message(1)])
        subscription = await bus.subscribe("reader", [">"], start=Start.LATEST, lease_s=300)
        waiting = asyncio.create_task(subscription.fetch(timeout_s=100))
        await asyncio.sleep(0.05)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            columns = "tenant, kind, origin, source, type, partition, slot, time_us, size, body"
            connection.execute(f"INSERT INTO message (id, {columns}) SELECT 'unannounced', {columns} FROM message")
        assert ids(await asyncio.wait_for(waiting, 50)) == ["unannounced"]
        await bus.close()


async def test_errors_are_those_that_people_can_act_on(path: Path) -> None:
    """Every error of the bus has a hint."""
    bus = open_bus(path, CLOCK, EmbeddedSettings(wait_s=0.1))
    await bus.close()
    failures: list[ImpetusError] = []
    for call in (bus.position(), bus.publish([message(1)]), bus.dead_letters("police"), bus.consumers()):
        try:
            await call
        except ImpetusError as error:
            failures.append(error)
    assert len(failures) == 4
    assert all(failure.message and failure.hint for failure in failures)
