"""Protects the chain of custody: evidence is handed out only to the person who said why, and only unaltered."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from impetus.api.tests.conftest import Api
from impetus.model import EvidenceReference, ManualClock, Permission
from impetus.situation.tests.house import HOSTILE, an_alert


def a_picture() -> bytes:
    """A picture with as much detail as a face has, and with metadata that say where and who."""
    picture = Image.effect_noise((320, 240), 90).convert("RGB")
    notes = PngInfo()
    notes.add_text("Comment", "Mario Rossi, Piazza Duomo")
    written = io.BytesIO()
    picture.save(written, "PNG", pnginfo=notes)
    return written.getvalue()


PICTURE = a_picture()


async def test_opening_needs_a_reason_and_is_kept_with_it(api: Api) -> None:
    sha256 = await api.services.evidence.put("municipality", PICTURE)
    olivia, omar, dora = await api.person("olivia"), await api.person("omar"), await api.person("dora")
    assert (await olivia.get(f"/evidence/{sha256}")).status_code == 403
    for reason in ("", " a ", "x" * 2_001):
        assert (await olivia.post(f"/evidence/{sha256}/openings", json={"reason": reason})).status_code == 422
    opened = await olivia.post(f"/evidence/{sha256}/openings", json={"reason": HOSTILE})
    assert opened.status_code == 201, opened.text
    assert opened.json()["media_type"] == "image/png"
    opening = opened.json()["opening"]["id"]
    content = await olivia.get(f"/evidence/{sha256}?opening={opening}")
    assert b"Rossi" not in content.content
    assert len(Image.open(io.BytesIO(content.content)).convert("RGB").getcolors(1_000) or ()) <= 24 * 18
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
    assert await custody.read(by, sha256, entry.id)
    clock.advance(660)
    olivia = await api.person("olivia")
    assert (await olivia.get(f"/evidence/{sha256}?opening={entry.id}")).status_code == 403


async def test_people_are_shown_once_a_person_confirmed_the_alert_to_those_entitled(api: Api) -> None:
    """An operator sees a mosaic; whoever is entitled sees more after a confirmation, and the log says so."""
    sha256 = await api.services.evidence.put("municipality", PICTURE)
    reference = EvidenceReference(sha256=sha256, media_type="image/png", title="a picture", size_bytes=len(PICTURE))
    alert = an_alert(evidence=(reference,))
    await api.house.situation.alerts.ingest("municipality", [alert])
    olivia, sofia, dora = await api.person("olivia"), await api.person("sofia"), await api.person("dora")
    body = {"reason": "who is it", "unmask": True}
    path = f"/evidence/{sha256}/openings"
    assert (await olivia.post(path, json=body)).status_code == 403
    assert (await sofia.post(path, json=body)).status_code == 403
    await olivia.post(f"/alerts/{alert.id}/decisions", json={"action": "confirm", "version": 1})
    assert (await olivia.post(path, json=body)).status_code == 403
    opened = await sofia.post(path, json=body)
    assert opened.status_code == 201, opened.text
    shown = await sofia.get(f"/evidence/{sha256}?opening={opened.json()['opening']['id']}")
    assert shown.content == PICTURE
    (record,) = (await dora.get("/audit", params={"action": "evidence.unmask"})).json()["items"]
    assert record["actor_name"] == "Sofia Example"
    glass = {"kind": "break-glass", "title": "Now", "reason": "a child", "subject": f"evidence:{sha256}"}
    assert (await olivia.post("/cases", json=glass)).status_code == 201
    assert (await olivia.post(path, json=body)).status_code == 201
    (review,) = (await dora.get("/cases?kind=break-glass")).json()["items"]
    assert review["state"] == "open"


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n broken",
        b"\x00\x00\x00\x18ftypmp42",
        b"GIF89a\x00\x00",
        b"%PDF-1.7\xff\xd8\xff",
        b"\xff\xd8\xff",
    ],
)
async def test_what_cannot_be_masked_is_not_shown(api: Api, data: bytes) -> None:
    sha256 = await api.services.evidence.put("municipality", data)
    olivia = await api.person("olivia")
    answer = await olivia.post(f"/evidence/{sha256}/openings", json={"reason": "looking"})
    assert answer.status_code == 403
    assert "masked" in answer.json()["detail"]
