"""What was backed up is there again after a restore, whole, and nothing is written over."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from impetus.bus import open_bus
from impetus.bus.tests.messages import START, message, number_of
from impetus.model import ConfigurationError, Conflict, InvalidInput, ManualClock, Tenant, to_microseconds
from impetus.operations.backup import back_up, restore
from impetus.operations.doctor import CHECKS, Patient
from impetus.operations.tests.conftest import NOW
from impetus.settings import Settings
from impetus.store import EvidenceStore, open_store
from impetus.store.tests import samples
from impetus.store.transfer import checksums

SettingsOf = Callable[..., Settings]


async def filled(settings: Settings, clock: ManualClock) -> str:
    """Something of everything; the name of a piece of evidence."""
    store = await open_store(settings.store_url, clock)
    async with store.transaction() as transaction:
        await transaction.organisations.add(Tenant(id="police", name="Police", created=NOW))
        await transaction.alerts.upsert("police", [samples.alert()], received=NOW, harm=samples.harm)
    await store.readings.append("police", samples.readings("sensor-1", to_microseconds(NOW), [1.0, 2.0]))
    await store.close()
    bus = open_bus(settings.bus_url, clock)
    await bus.publish([message(7)])
    await bus.close()
    for name in ("secrets/key", "own/police/diary", "logs/hub.log", "state/anomaly/checkpoint"):
        path = settings.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return await EvidenceStore(settings.home / "evidence").put("police", b"picture")


async def test_everything_comes_back(tmp_path: Path, settings_of: SettingsOf, clock: ManualClock) -> None:
    """Store, readings, bus, evidence, secrets and checkpoints; a person's own things and logs do not."""
    before = settings_of("before")
    sha256 = await filled(before, clock)
    file = tmp_path / "city.tar.gz"
    manifest = await back_up(before, file, clock)
    assert file.stat().st_mode & 0o077 == 0
    after = settings_of("after")
    assert await restore(after, file, clock) == manifest
    assert await checksums(after.store_url) == await checksums(before.store_url)
    assert await EvidenceStore(after.home / "evidence").get("police", sha256) == b"picture"
    bus = open_bus(after.bus_url, clock)
    assert [number_of(delivery) async for delivery in bus.replay([">"], since=START)] == [7]
    await bus.close()
    assert (after.home / "secrets/key").read_text() == "secrets/key"
    assert (after.home / "state/anomaly/checkpoint").exists()
    assert not (after.home / "own").exists()
    assert not (after.home / "logs").exists()


async def test_a_backup_of_postgresql_is_restored_into_postgresql(
    tmp_path: Path, settings_of: SettingsOf, clock: ManualClock, fresh_database: str, postgresql_server: str
) -> None:
    """The store's database does not matter: the backup is the same."""
    before = settings_of("before", store=fresh_database)
    await filled(before, clock)
    await back_up(before, tmp_path / "city.tar.gz", clock)
    sums = await checksums(fresh_database)
    after = settings_of("after")
    await restore(after, tmp_path / "city.tar.gz", clock)
    assert await checksums(after.store_url) == sums


async def test_a_damaged_backup_is_refused(tmp_path: Path, settings_of: SettingsOf, clock: ManualClock) -> None:
    """Cut, changed, with a path that leads out of it, or no backup at all: nothing is put in its place."""
    before = settings_of("before")
    await filled(before, clock)
    whole = tmp_path / "city.tar.gz"
    await back_up(before, whole, clock)
    cut, foreign, outside, changed = (tmp_path / f"{number}.tar.gz" for number in range(4))
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    foreign.write_text("hello")
    with tarfile.open(outside, "w:gz") as archive:
        archive.add(tmp_path / "before/secrets/key", arcname="../key")
    with tarfile.open(whole) as old, tarfile.open(changed, "w:gz") as new:
        for member in old:
            content = old.extractfile(member)
            if member.name == "secrets/key":
                member.size, content = 3, (tmp_path / "three").open("wb+")
                content.write(b"key")
                content.seek(0)
            new.addfile(member, content)
    after = settings_of("after")
    for file in (cut, foreign, outside, changed):
        with pytest.raises(InvalidInput):
            await restore(after, file, clock)
        assert list(after.home.iterdir()) == []
    assert not (tmp_path / "key").exists()


async def test_nothing_is_written_over(tmp_path: Path, settings_of: SettingsOf, clock: ManualClock) -> None:
    """Neither an older backup nor an installation that is in use."""
    before = settings_of("before")
    await filled(before, clock)
    file = tmp_path / "city.tar.gz"
    await back_up(before, file, clock)
    with pytest.raises(ConfigurationError, match="already"):
        await back_up(before, file, clock)
    with pytest.raises(Conflict, match="not empty"):
        await restore(before, file, clock)


async def test_a_backup_past_its_time_is_not_restored_unawares(
    tmp_path: Path, settings_of: SettingsOf, clock: ManualClock
) -> None:
    """What was removed meanwhile would be back: the backup says until when it may be kept, and the doctor asks."""
    before = settings_of("before")
    await filled(before, clock)
    file = tmp_path / "city.tar.gz"
    manifest = await back_up(before, file, clock)
    assert manifest.keep_until is not None
    later = ManualClock(manifest.keep_until + timedelta(days=1))
    with pytest.raises(InvalidInput, match="was to be deleted"):
        await restore(settings_of("after"), file, later)
    await restore(settings_of("another"), file, later, past_its_time=True)
    findings = [one async for one in CHECKS["backup"](Patient(before, later))]
    assert any(f"{file} was to be deleted" in one.text for one in findings)
    file.unlink()
    assert not [one async for one in CHECKS["backup"](Patient(before, later)) if "deleted" in one.text]
