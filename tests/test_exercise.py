"""Protects the real operation from exercises: an exercise lives in a home of its own, and leaves nothing elsewhere."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from impetus import cli, demo
from impetus.demo import playing
from impetus.exercise.desk import Desk, Phase, State
from impetus.exercise.reviewing import Reviewed
from impetus.exercise.runs import exclusively
from impetus.model import ConfigurationError, Conflict, NotFound, SystemClock
from impetus.settings import Settings
from impetus.store import open_store


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The home of a real operation, with something in it and settings of its own in the environment."""
    home = tmp_path / "real"
    home.mkdir()

    async def fill() -> None:
        store = await open_store(f"sqlite:///{home / 'store.sqlite'}", SystemClock())
        await store.close()

    asyncio.run(fill())
    (home / "secrets").mkdir()
    (home / "secrets" / "token").write_text("secret")
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("IMPETUS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("IMPETUS_HOME", str(home))
    monkeypatch.setenv("IMPETUS_STORE", f"sqlite:///{home / 'store.sqlite'}")
    monkeypatch.setenv("IMPETUS_BUS", f"sqlite:///{home / 'bus.sqlite'}")
    yield home
    for name in set(os.environ) - set(before):
        del os.environ[name]


def fingerprint(home: Path) -> Mapping[str, str]:
    """What is in a home, but for its folder of exercises."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.relative_to(home).parts[0] != "exercises"
    }


async def test_an_exercise_takes_nothing_of_the_real_operation_but_the_program(
    real: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Settings] = []

    async def played(settings: Settings, console: Console, **_: Any) -> None:
        seen.append(settings)
        now = datetime(2026, 9, 12, 15, tzinfo=UTC)
        state = {"run": "r", "scenario": "blackout", "title": "t", "time": now, "length_s": 1, "speed": 1}
        for phase in (Phase.RUNNING, Phase.ENDED):
            Desk(settings.home).say(State.model_validate({**state, "phase": phase, "paused": False}))
            await asyncio.sleep(0.5)

    monkeypatch.setattr(playing, "play", played)
    before = fingerprint(real)
    done = await demo.run_exercise("blackout", console=Console(quiet=True))
    assert fingerprint(real) == before
    [settings] = seen
    assert done.folder.parent == real / "exercises"
    assert settings.home == done.folder
    assert settings.store_url == f"sqlite:///{done.folder / 'store.sqlite'}"
    assert settings.bus_url == f"sqlite:///{done.folder / 'bus.sqlite'}"
    assert settings.exercise.title == "A blackout in the middle"
    assert settings.exercise.unattended
    assert settings.exercise.clock is not None
    assert settings.exercise.clock.is_relative_to(done.folder)
    # No way out of the house that the real operation has: no other connector, no channel, no address.
    assert settings.connectors == ("mqtt",)
    assert all(connection.kind == "embedded" for connection in settings.mqtt.connections)


async def test_an_exercise_is_refused_in_the_home_of_the_real_operation_and_beside_another(real: Path) -> None:
    console = Console(quiet=True)
    with pytest.raises(ConfigurationError, match="home of the real operation"):
        await demo.run_exercise("blackout", folder=real, console=console)
    with exclusively(real / "exercises"), pytest.raises(Conflict, match="another exercise is under way"):
        await demo.run_exercise("blackout", console=console)
    with pytest.raises(NotFound, match="no tool 'telepathy'"):
        await demo.run_exercise("blackout", tools=("telepathy",), console=console)
    with pytest.raises(NotFound, match="no scenario"):
        await demo.run_exercise("nothing", console=console)


def command(home: Path, *words: str, wait_s: float = 600) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "impetus.cli", "exercise", *words],
        capture_output=True,
        text=True,
        timeout=wait_s,
        env={**os.environ, "IMPETUS_HOME": str(home)},
        check=False,
    )


def test_the_command_line_tells_what_is_wrong_on_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["impetus", "exercise", "validate", "nothing"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("impetus: there is no scenario 'nothing'")
    assert told.count("\n") == 1
    monkeypatch.setattr(sys, "argv", ["impetus", "exercise", "validate", "protest"])
    with pytest.raises(SystemExit) as well:
        cli.main()
    assert well.value.code == 0
    assert "valid: 30 minutes" in capsys.readouterr().out


async def test_a_report_of_nothing_is_told(real: Path) -> None:
    with pytest.raises(NotFound, match="no exercise was run yet"):
        await demo.report(None)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_whole_exercise_finds_what_was_planted_and_leaves_the_real_operation_alone(real: Path) -> None:
    before = fingerprint(real)
    answer = command(real, "run", "blackout", "--speed", "20", "--tool", "anomaly", "--tool", "air", wait_s=800)
    assert answer.returncode == 0, answer.stderr
    assert fingerprint(real) == before
    [run] = (real / "exercises").glob("blackout-*")
    told = Reviewed.model_validate_json((run / "report" / "review.json").read_text())
    outcomes = {truth.id: truth.outcome.value for truth in told.review.truths}
    assert set(outcomes.values()) == {"found"}, answer.stderr
    assert (run / "report" / "report.pdf").read_bytes().startswith(b"%PDF")
    marked = json.loads((run / "report" / "review.json").read_text())
    assert marked["review"]["title"] == "A blackout in the middle"


@pytest.mark.slow
def test_a_stop_in_the_middle_is_told_and_a_new_run_may_begin(tmp_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "impetus.cli", "exercise", "run", "blackout", "--tool", "cyber"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "IMPETUS_HOME": str(tmp_path)},
    )
    assert running.stderr is not None
    for line in running.stderr:
        if re.search("Starting the hub", line):
            break
    deadline_s = time.monotonic() + 240
    while not list(tmp_path.glob("exercises/*/exercise/state.json")):  # its director is at work
        assert running.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    rest = running.stderr.read()
    assert running.wait(120) == 2, rest
    assert "ended before it was played to its end" in rest
    with exclusively(tmp_path / "exercises"):
        pass  # nothing holds it any more
