"""A part that died is back without importing the program again, and what it is forked from may die without it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from impetus.launching import Child, ForkLauncher
from tests.installation import running_demo


async def launched(
    launcher: ForkLauncher, folder: Path, *arguments: str, environment: dict[str, str] | None = None
) -> tuple[Child, Path, int]:
    """The process, the file that it writes to, and the end of its pipe."""
    output = folder / f"{time.monotonic_ns()}.log"
    read_end, write_end = os.pipe()
    try:
        with output.open("wb") as file:
            child = await launcher.launch(
                arguments, {**os.environ, **(environment or {})}, output=file.fileno(), heartbeat=write_end
            )
    finally:
        os.close(write_end)
    return child, output, read_end


async def test_what_a_process_writes_and_how_it_ends_is_known(tmp_path: Path) -> None:
    launcher = ForkLauncher()
    child, output, pipe = await launched(launcher, tmp_path, "version")
    assert await child.wait() == 0 == child.returncode
    assert output.read_text().strip() == "0.1.0"
    assert os.read(pipe, 1) == b""  # the child held the other end, and no process does any more
    os.close(pipe)
    child, output, pipe = await launched(launcher, tmp_path, "nonsense")
    assert await child.wait() == 2
    assert "No such command" in output.read_text()
    with pytest.raises(ProcessLookupError):
        child.kill()
    os.close(pipe)


async def test_a_process_has_its_own_environment_and_session_and_beats(tmp_path: Path) -> None:
    """What is asked of it is as small a part as there is: a connector that waits for its database."""
    absent = {"IMPETUS_HOME": str(tmp_path / "home"), "IMPETUS_STORE": "postgresql://nobody@127.0.0.1:1/nothing"}
    child, output, pipe = await launched(ForkLauncher(), tmp_path, "connector", "mqtt", environment=absent)
    try:
        assert await asyncio.to_thread(os.read, pipe, 1) == b"."
        assert os.getsid(child.pid) == child.pid
        assert _command_line(child.pid).endswith("connector mqtt")
        child.terminate()
        async with asyncio.timeout(10):
            assert await child.wait() in (0, -signal.SIGTERM)
        assert "waiting for the database" in output.read_text()
    finally:
        os.close(pipe)


async def test_one_that_is_killed_says_so(tmp_path: Path) -> None:
    absent = {"IMPETUS_HOME": str(tmp_path / "home"), "IMPETUS_STORE": "postgresql://nobody@127.0.0.1:1/nothing"}
    child, _, pipe = await launched(ForkLauncher(), tmp_path, "connector", "mqtt", environment=absent)
    child.kill()
    assert await child.wait() == -signal.SIGKILL
    os.close(pipe)


def test_parts_live_on_without_what_they_were_forked_from_and_start_again(tmp_path: Path) -> None:
    """Killed as the kernel does it where memory runs out; the hub afterwards, whose successor needs another."""
    with running_demo(tmp_path / "home", tools=()) as installation:
        parts = installation.children()
        assert {"hub", "connector mqtt"} <= set(parts)
        origin = _parent(parts["hub"])
        assert origin == _parent(parts["connector mqtt"]) != installation.process.pid
        os.kill(origin, signal.SIGKILL)
        time.sleep(1.5)  # a part whose supervisor is gone would have ended at its next beat, after a second
        with installation.client() as client:
            assert client.get("/api/v1/status").status_code == 200
        assert all(Path(f"/proc/{process}").exists() for process in parts.values())
        os.kill(parts["hub"], signal.SIGKILL)
        deadline = time.monotonic() + 60
        while (hub := installation.children().get("hub")) is None or not _answers(installation.url):
            assert time.monotonic() < deadline, installation.logs()
            time.sleep(0.1)
        assert _parent(hub) not in (origin, installation.process.pid)
        assert Path(f"/proc/{parts['connector mqtt']}").exists()


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def _command_line(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_bytes().decode().replace("\0", " ").strip()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/v1/health", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
