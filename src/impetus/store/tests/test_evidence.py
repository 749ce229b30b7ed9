"""Protects: evidence is what it was, is seen by its organisation only, and a name can never reach another file."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impetus.model import InvalidInput, NotFound, Unavailable
from impetus.store import EvidenceStore
from impetus.store.evidence import EvidenceAltered


@pytest.fixture
def evidence(tmp_path: Path) -> EvidenceStore:
    return EvidenceStore(tmp_path / "evidence", limit_bytes=1_000)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_evidence_comes_back_and_is_kept_once(evidence: EvidenceStore, tmp_path: Path) -> None:
    name = await evidence.put("police", b"picture")
    assert name == hashlib.sha256(b"picture").hexdigest()
    assert await evidence.put("police", b"picture") == name
    assert await evidence.get("police", name) == b"picture"
    assert len(files(tmp_path)) == 1
    assert await evidence.put("police", b"") == hashlib.sha256(b"").hexdigest()


async def test_another_organisation_does_not_have_it(evidence: EvidenceStore) -> None:
    name = await evidence.put("police", b"picture")
    with pytest.raises(NotFound):
        await evidence.get("fire", name)
    assert not await evidence.remove("fire", name)
    assert await evidence.remove("police", name)
    with pytest.raises(NotFound):
        await evidence.get("police", name)


async def test_too_much_is_refused_and_leaves_nothing(evidence: EvidenceStore, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="1001 bytes"):
        await evidence.put("police", b"x" * 1_001)
    assert files(tmp_path) == []


@pytest.mark.parametrize("change", [b"forged", b"", b"x" * 5_000])
async def test_tampering_is_noticed_and_mended_by_the_original(
    evidence: EvidenceStore, tmp_path: Path, change: bytes
) -> None:
    name = await evidence.put("police", b"picture")
    files(tmp_path)[0].write_bytes(change)
    with pytest.raises(EvidenceAltered):
        await evidence.get("police", name)
    await evidence.put("police", b"picture")
    assert await evidence.get("police", name) == b"picture"


NAMES = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        ["..", "../..", "/etc/passwd", "a" * 63, "A" * 64, "0" * 64 + "/..", "../" + "0" * 61, "0" * 64 + "\n"]
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tenant=NAMES, name=NAMES)
async def test_no_name_reaches_outside(evidence: EvidenceStore, tmp_path: Path, tenant: str, name: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    for who, what in ((tenant, name), ("police", name), (tenant, "0" * 64)):
        with pytest.raises(NotFound):
            await evidence.get(who, what)
    if tenant not in ("", "police"):
        try:
            await evidence.put(tenant, b"data")
        except NotFound:
            pass
        else:
            assert (tmp_path / "evidence" / tenant).is_dir()
    assert (tmp_path / "secret").read_bytes() == b"secret"


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "evidence").write_bytes(b"a file where the folder should be")
    with pytest.raises(Unavailable, match="cannot be stored"):
        await EvidenceStore(tmp_path / "evidence").put("police", b"picture")
