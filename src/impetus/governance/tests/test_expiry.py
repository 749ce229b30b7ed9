"""Protects: what is past its time goes, with proof; what is held, in use or in an incident stays."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import timedelta
from pathlib import Path

from impetus.governance.cases import Cases
from impetus.governance.expiry import Expiry
from impetus.model import EvidenceReference, IncidentAction, ManualClock
from impetus.model.case import CaseAction, CaseKind
from impetus.sdk import load_tools
from impetus.situation.decisions import IncidentDecision, NewIncident
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
        assert {name: count for name, count in gone.items() if count} == {"alerts": 1, "evidence": 2}
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
        assert not any((await expiry.run("municipality")).values())


async def test_incidents_and_handovers_go_with_all_that_is_of_them(tmp_path: Path) -> None:
    """After five years nothing of an incident that is over is left but that it went; one that runs stays."""
    async with opened_house(tmp_path) as house:
        olivia, now = house.person("olivia"), house.clock.now()
        await house.situation.alerts.ingest("municipality", [an_alert(id="a1", source="s1"), an_alert(id="a2")])
        over = await house.situation.incidents.create(olivia, NewIncident(id="over", title="Over", alerts=("a1",)))
        await house.situation.incidents.create(olivia, NewIncident(id="runs", title="Runs", alerts=("a2",)))
        closing = IncidentDecision(
            id="closing", action=IncidentAction.CLOSE, version=over.version, reason="it ended by itself"
        )
        await house.situation.incidents.decide(olivia, "over", closing)
        evidence = EvidenceStore(tmp_path / "evidence")
        early = Expiry(house.store, evidence, ManualClock(now + timedelta(days=1_824)), load_tools())
        assert not (await early.run("municipality"))["incidents"]
        late = Expiry(house.store, evidence, ManualClock(now + timedelta(days=1_826)), load_tools())
        gone = await late.run("municipality")
        assert (gone["incidents"], gone["alerts"]) == (1, 1), "the alert goes once no incident holds it"
        assert gone["decisions"] >= 2
        async with house.store.view() as view:
            assert await view.incidents.find("municipality", "over") is None
            assert await view.incidents.find("municipality", "runs") is not None
            assert await view.alerts.find("municipality", "a2") is not None
            kept = [record.subject for record in (await view.audit.list("municipality")).items]
        assert "incidents" in kept
        assert not any((await late.run("municipality")).values())
