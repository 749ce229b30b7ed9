"""Protects: what is past its time goes, with proof; what is held, in use or in an incident stays."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import timedelta
from pathlib import Path

from impetus.governance.cases import Cases
from impetus.governance.expiry import Expiry
from impetus.model import EvidenceReference, ManualClock
from impetus.model.case import CaseAction, CaseKind
from impetus.sdk import load_tools
from impetus.situation.tests.house import an_alert, opened_house
from impetus.store import EvidenceStore


def reference(sha256: str) -> EvidenceReference:
    return EvidenceReference(sha256=sha256, media_type="image/png", title="a picture", size_bytes=1)


async def test_alerts_and_evidence_go_with_proof_and_a_hold_keeps_them(tmp_path: Path) -> None:
    async with opened_house(tmp_path) as house:
        evidence = EvidenceStore(tmp_path / "evidence")
        old_piece = await evidence.put("municipality", b"old")
        used_piece = await evidence.put("municipality", b"used")
        await evidence.put("municipality", b"of nobody, but young")
        theirs = await evidence.put("police", b"old")
        now = house.clock.now()
        long_ago = (now - timedelta(days=200)).timestamp()
        for tenant, sha256 in (("municipality", old_piece), ("municipality", used_piece), ("police", theirs)):
            os.utime(tmp_path / "evidence" / tenant / sha256[:2] / sha256, (long_ago, long_ago))
        alerts = [
            an_alert(id="loose", source="s1", evidence=(reference(old_piece),)),
            an_alert(id="in-a-room", source="s2", evidence=(reference(used_piece),)),
            an_alert(id="other", source="s3", tool="unknown-tool"),
        ]
        await house.situation.alerts.ingest("municipality", alerts)
        async with house.store.transaction() as transaction:
            await transaction.alerts.place("municipality", ["in-a-room"], "room-1", updated=now)
        cases = Cases(house.store, house.clock)
        hold = await cases.open(
            house.person("sofia"),
            CaseKind.LEGAL_HOLD,
            title="Claim",
            reason="court",
            until=now + timedelta(days=300),
        )
        later = ManualClock(now + timedelta(days=91))
        expiry = Expiry(house.store, evidence, later, load_tools())
        assert not await expiry.run("municipality"), "a hold is in force"
        await cases.act(house.person("dora"), hold.id, CaseAction.CLOSE, text="settled", version=1)
        gone = await expiry.run("municipality")
        assert dict(gone) == {"alerts": 1, "decisions": 0, "evidence": 2}
        async with house.store.view() as view:
            assert await view.alerts.find("municipality", "loose") is None
            assert await view.alerts.find("municipality", "in-a-room") is not None
            assert await view.alerts.find("municipality", "other") is not None, "kept for a year"
            records = (await view.audit.list("municipality", action="retention.purge")).items
        details = {record.subject: json.loads(record.detail) for record in records}
        content = alerts[0].model_dump_json()
        assert len(details["alerts:anomaly"]["sha256"]) == len(hashlib.sha256(content.encode()).hexdigest())
        assert old_piece in details["evidence"]["first"]
        assert used_piece not in details["evidence"]["first"]
        assert [sha256 for sha256, _ in await evidence.kept("police")] == [theirs]
        assert dict(await expiry.run("municipality")) == {"alerts": 0, "decisions": 0, "evidence": 0}
