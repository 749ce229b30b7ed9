"""Protects: no unmasked face and nothing expired leaves by an evidence address, whoever asks with whatever opening."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from PIL import Image

from impetus.api.tests.conftest import Api
from impetus.api.tests.test_custody import PICTURE
from impetus.governance.expiry import Expiry
from impetus.model import EvidenceReference, ManualClock, Permission
from impetus.situation.tests.house import an_alert

MOST_COLOURS = 24 * 24
"""A mosaic of 24 blocks along the longer side has no more; the picture itself has tens of thousands."""


def unmasked(answer: httpx.Response) -> bool:
    """Whether an answer holds a picture with more detail than the mosaic."""
    if answer.status_code != 200:
        return False
    try:
        picture = Image.open(io.BytesIO(answer.content)).convert("RGB")
    except OSError:
        return PICTURE[:64] in answer.content
    return len(picture.getcolors(1_000_000) or [None] * (MOST_COLOURS + 1)) > MOST_COLOURS


@pytest.mark.timeout(300)
async def test_no_way_of_asking_shows_a_face_before_a_person_confirmed(api: Api) -> None:
    sha256 = await api.services.evidence.put("municipality", PICTURE)
    piece = EvidenceReference(sha256=sha256, media_type="image/png", title="west gate", size_bytes=len(PICTURE))
    await api.house.situation.alerts.ingest("municipality", [an_alert(id="a1", evidence=(piece,))])
    people = {name: await api.person(name) for name in ("olivia", "omar", "sofia", "ada", "dora", "pia", "paul")}
    machine = await api.machine(Permission.EVIDENCE_READ, Permission.ALERTS_READ)
    callers: Mapping[str, httpx.AsyncClient] = {**people, "machine": machine, "nobody": api.client()}
    openings: dict[str, str] = {"none": "", "invented": "0" * 32, "hostile": "x'; --"}
    tried = 0
    for name, client in callers.items():
        for unmask in (False, True):
            body = {"reason": "to look at it", "unmask": unmask}
            answer = await client.post(f"/evidence/{sha256}/openings", json=body)
            if answer.status_code == 201:
                assert not unmask, f"{name} may not unmask an alert that nobody confirmed"
                openings[name] = answer.json()["opening"]["id"]
            else:
                assert answer.status_code in (401, 403, 404), answer.text
    for name, client in callers.items():
        for owner, opening in openings.items():
            for suffix in (f"?opening={opening}", f"?opening={opening}&unmask=true", f"/?opening={opening}"):
                answer = await client.get(f"/evidence/{sha256}{suffix}")
                tried += 1
                assert not unmasked(answer), (name, owner, suffix)
                if answer.status_code == 200:
                    assert name == owner
                    assert answer.headers["cache-control"] == "no-store"
    assert tried >= 100
    for client in (machine, callers["nobody"]):
        await client.aclose()


async def test_what_is_expired_is_nowhere_any_more(api: Api, tmp_path: Path) -> None:
    sha256 = await api.services.evidence.put("municipality", PICTURE)
    piece = EvidenceReference(sha256=sha256, media_type="image/png", title="west gate", size_bytes=len(PICTURE))
    headline = "An expired headline"
    await api.house.situation.alerts.ingest("municipality", [an_alert(id="a1", headline=headline, evidence=(piece,))])
    olivia = await api.person("olivia")
    opened = await olivia.post(f"/evidence/{sha256}/openings", json={"reason": "to look at it"})
    opening = opened.json()["opening"]["id"]
    file = tmp_path / "evidence" / "municipality" / sha256[:2] / sha256
    os.utime(file, (0, 0))
    later = ManualClock(api.house.clock.now() + timedelta(days=400))
    gone = await Expiry(api.house.store, api.services.evidence, later, {}).run("municipality")
    assert (gone["alerts"], gone["evidence"]) == (1, 1)
    assert not file.exists()
    for path in ("/alerts/a1", "/alerts/a1/cap", f"/evidence/{sha256}?opening={opening}"):
        assert (await olivia.get(path)).status_code == 404, path
    for path in ("/alerts?limit=1000", "/decisions", "/map/alerts", "/incidents"):
        assert headline not in (await olivia.get(path)).text
    again = await olivia.post(f"/evidence/{sha256}/openings", json={"reason": "to look at it again"})
    assert again.status_code == 404
