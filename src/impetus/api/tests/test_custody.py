"""Protects the chain of custody: evidence is handed out only to the person who said why, and only unaltered."""

from __future__ import annotations

from pathlib import Path

from impetus.api.tests.conftest import Api
from impetus.model import ManualClock, Permission
from impetus.situation.tests.house import HOSTILE

PICTURE = b"\x89PNG\r\n\x1a\n and so on"


async def test_opening_needs_a_reason_and_is_kept_with_it(api: Api) -> None:
    sha256 = await api.services.evidence.put("municipality", PICTURE)
    olivia, omar, dora = await api.person("olivia"), await api.person("omar"), await api.person("dora")
    assert (await olivia.get(f"/evidence/{sha256}")).status_code == 403
    for reason in ("", " a ", "x" * 2_001):
        assert (await olivia.post(f"/evidence/{sha256}/openings", json={"reason": reason})).status_code == 422
    opened = await olivia.post(f"/evidence/{sha256}/openings", json={"reason": HOSTILE})
    assert opened.status_code == 201, opened.text
    assert (opened.json()["media_type"], opened.json()["size_bytes"]) == ("image/png", len(PICTURE))
    opening = opened.json()["opening"]["id"]
    content = await olivia.get(f"/evidence/{sha256}?opening={opening}")
    assert content.content == PICTURE
    assert content.headers["cache-control"] == "no-store"
    # Another one's opening opens nothing, nor does it open anything else.
    assert (await omar.get(f"/evidence/{sha256}?opening={opening}")).status_code == 403
    other = await api.services.evidence.put("municipality", b"other")
    assert (await olivia.get(f"/evidence/{other}?opening={opening}")).status_code == 403
    (entry,) = (await omar.get(f"/evidence/{sha256}/custody")).json()["items"]
    assert (entry["kind"], entry["person_name"]) == ("opened", "Olivia Example")
    records = (await dora.get("/audit", params={"action": "evidence.open"})).json()["items"]
    assert [record["subject"] for record in records] == [f"evidence:{sha256}"]


async def test_altered_evidence_is_not_handed_out_and_the_chain_says_so(api: Api, tmp_path: Path) -> None:
    sha256 = await api.services.evidence.put("municipality", PICTURE)
    file = tmp_path / "evidence" / "municipality" / sha256[:2] / sha256
    olivia = await api.person("olivia")
    opened = await olivia.post(f"/evidence/{sha256}/openings", json={"reason": "looking"})
    file.write_bytes(b"forged")
    answers = [
        await olivia.get(f"/evidence/{sha256}?opening={opened.json()['opening']['id']}"),
        await olivia.post(f"/evidence/{sha256}/openings", json={"reason": "looking again"}),
    ]
    assert [answer.status_code for answer in answers] == [500, 500]
    assert all(b"forged" not in answer.content for answer in answers)
    file.unlink()
    assert (await olivia.post(f"/evidence/{sha256}/openings", json={"reason": "and again"})).status_code == 404
    chain = (await olivia.get(f"/evidence/{sha256}/custody")).json()["items"]
    assert [entry["kind"] for entry in chain] == ["opened", "altered", "altered", "missing"]


async def test_another_organisation_and_machines_open_nothing(api: Api) -> None:
    sha256 = await api.services.evidence.put("municipality", PICTURE)
    olivia, pia = await api.person("olivia"), await api.person("pia")
    assert (await olivia.post(f"/evidence/{sha256}/openings", json={"reason": "ours"})).status_code == 201
    assert (await pia.post(f"/evidence/{sha256}/openings", json={"reason": "theirs?"})).status_code == 404
    assert [entry["person_name"] for entry in (await pia.get(f"/evidence/{sha256}/custody")).json()["items"]] == [
        "Pia Example"
    ]
    incident = (await olivia.post("/incidents", json={"title": "one", "alerts": []})).json()["id"]
    theirs = await api.services.evidence.put("police", PICTURE)
    body = {"reason": "theirs", "incident": incident}
    assert (await pia.post(f"/evidence/{theirs}/openings", json=body)).status_code == 404
    async with await api.machine(Permission.EVIDENCE_READ) as machine:
        assert (await machine.post(f"/evidence/{sha256}/openings", json={"reason": "a robot"})).status_code == 403


async def test_an_opening_does_not_last(api: Api) -> None:
    custody = api.services.custody
    clock = ManualClock(api.services.clock.now())
    custody._clock = clock
    by = api.house.person("olivia")
    sha256 = await api.services.evidence.put("municipality", PICTURE)
    entry, _ = await custody.open(by, sha256, "a look")
    assert await custody.read(by, sha256, entry.id) == PICTURE
    clock.advance(660)
    olivia = await api.person("olivia")
    assert (await olivia.get(f"/evidence/{sha256}?opening={entry.id}")).status_code == 403
