"""Protects what a person consents to: theirs alone, gone from the disk at once, and never brought back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from impetus.model import Conflict, InvalidInput, NotFound
from impetus.sdk.own import OwnFolders
from impetus.sdk.testing import START

LATER = START + timedelta(hours=8)


async def _open(folders: OwnFolders, person: str = "mira", *, shared: bool = False) -> None:
    await folders.open(person, person.title(), now=START, until=LATER, shared=shared, terms={})


def _on_disk(home: Path, text: str) -> bool:
    return any(text.encode() in path.read_bytes() for path in _files(home))


def _spoil(file: Path) -> None:
    file.write_bytes(b"\xff not json")


def _files(home: Path, pattern: str = "*") -> list[Path]:
    return [path for path in home.rglob(pattern) if path.is_file()]


async def test_withdrawing_leaves_nothing_on_the_disk_and_nothing_is_written_afterwards(tmp_path: Path) -> None:
    folders = OwnFolders(tmp_path, "workload", "municipality")
    await _open(folders)
    (consent,) = await folders.consents()
    await folders.keep(consent, "now", {"load": "secretload"})
    await folders.say("mira", "isa", {"rating": "secretrating"}, now=START)
    assert _on_disk(tmp_path, "secretload")
    assert _on_disk(tmp_path, "secretrating")
    assert await folders.withdraw("mira")
    assert _files(tmp_path) == []
    with pytest.raises(NotFound):
        await folders.keep(consent, "now", {"load": "secretload"})
    await _open(folders)
    # A consent that is given anew is another one: what the tool still knew of the first has no way into it.
    with pytest.raises(NotFound):
        await folders.keep(consent, "now", {"load": "secretload"})
    assert not _on_disk(tmp_path, "secretload")
    assert not await OwnFolders(tmp_path, "workload", "police").withdraw("mira")


async def test_one_persons_folder_is_not_anothers(tmp_path: Path) -> None:
    folders = OwnFolders(tmp_path, "workload", "municipality")
    await _open(folders, "mira")
    await _open(folders, "city/mira")
    await folders.say("mira", "isa", {"rating": 4}, now=START)
    assert len((await folders.view("mira")).entries) == 1
    assert (await folders.view("city/mira")).entries == ()
    assert (await folders.view("jonas")).consent is None
    assert len(_files(tmp_path, "consent.json")) == 2


async def test_renewing_keeps_what_there_is_and_ending_to_share_takes_the_shared_back(tmp_path: Path) -> None:
    folders = OwnFolders(tmp_path, "workload", "municipality")
    await _open(folders, shared=True)
    (first,) = await folders.consents()
    await folders.keep(first, "shared", {"state": "normal"})
    await folders.keep(first, "baseline", {"seconds": 300})
    await _open(folders, shared=False)
    (second,) = await folders.consents()
    assert second.id == first.id
    assert await folders.read(second, "shared") is None
    assert await folders.read(second, "baseline") == {"seconds": 300}


async def test_what_is_over_takes_no_entries_and_is_forgotten_in_time(tmp_path: Path) -> None:
    folders = OwnFolders(tmp_path, "workload", "municipality")
    await _open(folders)
    with pytest.raises(Conflict):
        await folders.say("mira", "isa", {"rating": 4}, now=LATER)
    assert await folders.forget(before=LATER) == 0
    assert await folders.forget(before=LATER + timedelta(seconds=1)) == 1
    assert await folders.consents() == []


async def test_what_is_too_large_or_spoilt_is_refused_or_left_aside(tmp_path: Path) -> None:
    folders = OwnFolders(tmp_path, "workload", "municipality")
    await _open(folders)
    (consent,) = await folders.consents()
    with pytest.raises(InvalidInput):
        await folders.keep(consent, "now", {"load": "x" * 2_000_000})
    with pytest.raises(InvalidInput):
        await folders.keep(consent, "../now", {})
    await folders.keep(consent, "now", {"load": 1})
    (document,) = _files(tmp_path, "now.json")
    _spoil(document)
    assert await folders.read(consent, "now") is None
    (file,) = _files(tmp_path, "consent.json")
    _spoil(file)
    assert await folders.consents() == []
    # Even what cannot be read can be withdrawn.
    assert await folders.withdraw("mira")
    assert _files(tmp_path) == []
