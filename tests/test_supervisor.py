"""Protects the promise that a part which dies or hangs is started again, and that no orphan stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import pytest

from impetus.launching import HEARTBEAT_VARIABLE, Child
from impetus.supervisor import Heartbeat, Part, Supervisor, describe_exit

CHILD = """
import os, sys, time
from pathlib import Path
behaviour, folder = sys.argv[1], Path(sys.argv[2])
pipe = int(os.environ["IMPETUS_HEARTBEAT_FD"])
with (folder / f"{behaviour}.started").open("a") as started:
    print(os.getpid(), file=started)
print("hello from", behaviour, flush=True)
os.write(pipe, b".")
if behaviour == "crash":
    sys.exit(3)
if behaviour == "busy":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
while True:
    time.sleep(0.05)
    worked = time.process_time()
    while behaviour == "busy" and time.process_time() < worked + 0.6:
        pass
    if behaviour != "hang":
        try:
            os.write(pipe, b".")
        except OSError:
            sys.exit(0)
"""


class CommandLauncher:
    """Starts each process as a command: programs that behave as the tests want."""

    def __init__(self, *command: str) -> None:
        self._command = command

    async def launch(
        self, arguments: Sequence[str], environment: Mapping[str, str], *, output: int, heartbeat: int
    ) -> Child:
        return await asyncio.create_subprocess_exec(
            *self._command,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**environment, HEARTBEAT_VARIABLE: str(heartbeat)},
            pass_fds=(heartbeat,),
            start_new_session=True,
        )


def starts(folder: Path, behaviour: str) -> list[int]:
    path = folder / f"{behaviour}.started"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


async def until(condition: Callable[[], object], *, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def supervised(
    folder: Path, *behaviours: str, hang_s: float = 5.0
) -> AsyncIterator[tuple[Supervisor, list[str]]]:
    reports: list[str] = []

    async def report(name: str, text: str, restarts: int) -> None:
        reports.append(f"{name}: {text} [{restarts}]")

    supervisor = Supervisor(
        [Part(name, (name, str(folder)), hang_s=hang_s) for name in behaviours],
        environment=dict(os.environ),
        logs=folder / "logs",
        report=report,
        launcher=CommandLauncher(sys.executable, "-c", CHILD),
        back_off_s=0.05,
        back_off_limit_s=0.1,
        stop_s=2.0,
    )
    task = asyncio.create_task(supervisor.run())
    try:
        yield supervisor, reports
    finally:
        supervisor.stop()
        await task


async def test_a_part_that_crashes_is_started_again_and_the_other_is_left_alone(tmp_path: Path) -> None:
    async with supervised(tmp_path, "crash", "well") as (_, reports):
        await until(lambda: len(starts(tmp_path, "crash")) >= 3)
        assert len(starts(tmp_path, "well")) == 1
    assert "crash: ended with exit status 3; starting again in 0.1 s [1]" in reports
    assert "hello from crash" in (tmp_path / "logs" / "crash.log").read_text()


async def test_a_part_whose_loop_hangs_is_killed_and_started_again(tmp_path: Path) -> None:
    async with supervised(tmp_path, "hang", hang_s=0.5) as (_, reports):
        await until(lambda: len(starts(tmp_path, "hang")) >= 2)
        first = starts(tmp_path, "hang")[0]
        assert not is_alive(first)
    assert any("did not answer" in report for report in reports)


async def test_a_machine_that_was_paused_is_no_reason_to_kill(tmp_path: Path) -> None:
    """Where the supervisor was kept waiting as long as its part, the part has had no chance to answer."""
    async with supervised(tmp_path, "well", hang_s=2.0) as (supervisor, reports):
        await until(lambda: len(starts(tmp_path, "well")) == 1)
        await asyncio.sleep(0.6)
        process = supervisor.process_ids()["well"]
        os.kill(process, signal.SIGSTOP)
        time.sleep(4.0)  # noqa: ASYNC251 the supervisor stands still too
        os.kill(process, signal.SIGCONT)
        await asyncio.sleep(1.0)
        assert supervisor.process_ids()["well"] == process, reports


async def test_a_part_that_has_to_wait_for_a_processor_is_not_taken_for_one_that_hangs(tmp_path: Path) -> None:
    """It answers after each 0.6 s of work, for which it needs several seconds beside nine others."""
    others = "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nwhile True: pass"
    rivals = [await asyncio.create_subprocess_exec(sys.executable, "-c", others) for _ in range(9)]
    try:
        async with supervised(tmp_path, "busy", hang_s=2.0) as (supervisor, reports):
            await until(lambda: len(starts(tmp_path, "busy")) == 1, seconds=60.0)
            process = supervisor.process_ids()["busy"]
            await asyncio.sleep(10.0)
            assert supervisor.process_ids()["busy"] == process, reports
    finally:
        for rival in rivals:
            rival.kill()
            await rival.wait()


async def test_a_killed_part_comes_back_and_all_end_with_the_supervisor(tmp_path: Path) -> None:
    async with supervised(tmp_path, "well") as (supervisor, reports):
        await until(lambda: len(starts(tmp_path, "well")) == 1)
        os.kill(supervisor.process_ids()["well"], signal.SIGKILL)
        await until(lambda: len(starts(tmp_path, "well")) == 2)
        assert reports[0].startswith("well: was ended by SIGKILL")
    assert not any(is_alive(process_id) for process_id in starts(tmp_path, "well"))


async def test_a_command_that_does_not_exist_is_reported_and_tried_again(tmp_path: Path) -> None:
    reports: list[str] = []

    async def report(name: str, text: str, restarts: int) -> None:
        reports.append(text)

    supervisor = Supervisor(
        [Part("absent", ())],
        environment={},
        logs=tmp_path,
        report=report,
        launcher=CommandLauncher(str(tmp_path / "absent")),
        back_off_s=0.01,
    )
    task = asyncio.create_task(supervisor.run())
    await until(lambda: len(reports) >= 2)
    supervisor.stop()
    await task
    assert "could not be started" in reports[0]


async def test_an_orphan_ends_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    monkeypatch.setenv(HEARTBEAT_VARIABLE, str(write_end))
    ended: list[int] = []
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: ended.append(1))
    try:
        heartbeat = Heartbeat.from_environment()
        heartbeat.beat()
        assert os.read(read_end, 10) == b"."
        os.close(read_end)
        heartbeat.beat()
        await until(lambda: ended)
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
        os.close(write_end)


def test_without_a_supervisor_a_heartbeat_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HEARTBEAT_VARIABLE, raising=False)
    Heartbeat.from_environment().beat()


def test_an_exit_is_said_in_words() -> None:
    assert describe_exit(0) == "ended with exit status 0"
    assert describe_exit(-9) == "was ended by SIGKILL"


async def test_a_part_that_is_held_stays_down_and_disturbs_no_other_until_it_is_let_go(tmp_path: Path) -> None:
    async with supervised(tmp_path, "well", "other") as (supervisor, reports):
        await until(lambda: starts(tmp_path, "well") and starts(tmp_path, "other"))
        [first] = starts(tmp_path, "well")
        supervisor.hold({"well"})
        await until(lambda: not is_alive(first))
        await until(lambda: any("the controller of the exercise" in report for report in reports))
        assert "well" not in supervisor.process_ids()
        assert len(starts(tmp_path, "other")) == 1
        supervisor.hold(())
        await until(lambda: len(starts(tmp_path, "well")) == 2)
