"""A checkpoint is the old one or the new one, whatever happens while it is saved."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from impetus.model import Unavailable
from impetus.sdk import checkpoint
from impetus.sdk.checkpoint import CheckpointFile
from impetus.sdk.suspect import Suspect

SAVES_FOR_EVER = """
import asyncio, sys
from pathlib import Path
from impetus.sdk.checkpoint import CheckpointFile

async def main():
    file = CheckpointFile(Path(sys.argv[1]))
    number = 0
    while True:
        await file.save(bytes([number % 256]) * 200_000)
        number += 1
        if number == 3:
            print("saving", flush=True)

asyncio.run(main())
"""


async def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    file = CheckpointFile(tmp_path / "tool" / "tenant" / "checkpoint")
    assert await file.load() is None
    await file.save(b"one")
    await file.save(b"")
    assert await file.load() == b""


async def test_a_kill_while_saving_leaves_one_whole_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SAVES_FOR_EVER, str(path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"saving\n"
    await asyncio.sleep(0.037)
    process.kill()
    await process.wait()
    data = await CheckpointFile(path).load()
    assert data is not None
    assert len(data) == 200_000
    assert len(set(data)) == 1


async def test_a_folder_that_cannot_be_written_is_an_error_with_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be written"):
        await CheckpointFile(tmp_path / "file" / "checkpoint").save(b"x")
    with pytest.raises(Unavailable, match="cannot be read"):
        await CheckpointFile(tmp_path).load()


async def test_a_checkpoint_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "CHECKPOINT_LIMIT_BYTES", 10)
    with pytest.raises(Unavailable, match="too large"):
        await CheckpointFile(tmp_path / "checkpoint").save(b"x" * 11)


def test_a_message_is_suspected_only_when_the_process_died_over_it(tmp_path: Path) -> None:
    path = tmp_path / "suspect"

    def dies_over(id: str) -> None:
        """What a process leaves behind that was killed with this message in hand."""
        held = Suspect(path)
        with held.holding(id):
            kept = path.read_bytes()
        held.close()
        path.write_bytes(kept)

    first = Suspect(path)
    with first.holding("a" * 128):
        pass
    first.close()
    dies_over("b")

    second = Suspect(path)
    assert (second.deaths("a" * 128), second.deaths("b")) == (0, 1)
    second.close()
    dies_over("b")

    third = Suspect(path)
    assert third.deaths("b") == 2
    with third.holding("b"):
        pass
    third.forget()
    assert third.deaths("b") == 0
    third.close()

    path.write_bytes(os.urandom(300))
    Suspect(path).close()
