"""Protects: the officer is shown unusual access, with who, when and how often, and nobody else is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from impetus.governance import audit
from impetus.governance.access_review import AccessReview, Pattern, unusual
from impetus.governance.cases import Cases
from impetus.model import NotAllowed, to_microseconds
from impetus.model.case import CaseKind
from impetus.situation.tests.house import opened_house
from impetus.store import AuditRecord

MORNING = datetime(2026, 11, 2, 9, tzinfo=UTC)


def act(sequence: int, time: datetime, action: str = "evidence.open", **detail: object) -> AuditRecord:
    subject = str(detail.pop("subject", f"evidence:{sequence}"))
    return AuditRecord(
        tenant="municipality",
        sequence=sequence,
        time_us=to_microseconds(time),
        actor="user:x",
        action=action,
        subject=subject,
        detail=json.dumps({"reason": "a reason that says why", "incident": "i", **detail}),
        previous="0" * 64,
        hash="0" * 64,
    )


def patterns(records: list[AuditRecord]) -> set[Pattern]:
    return {one.pattern for one in unusual(records, {"user:x": "X"})}


def test_each_pattern_is_found_and_ordinary_work_is_not() -> None:
    daily = [act(n, MORNING + timedelta(days=n // 4, hours=n % 4)) for n in range(60)]
    assert patterns(daily) == set()
    assert patterns([act(n, MORNING + timedelta(minutes=5 * n)) for n in range(10)]) == {Pattern.MANY}
    assert patterns([act(n, MORNING + timedelta(minutes=7 * n)) for n in range(9)]) == set()
    night = act(100, MORNING + timedelta(days=20, hours=17))
    assert patterns([*daily, night]) == {Pattern.HOUR}
    again = [act(n, MORNING + timedelta(days=n), subject="evidence:a", incident=None) for n in range(3)]
    assert patterns(again) == {Pattern.AGAIN}
    assert patterns([act(1, MORNING, reason="asdf")]) == {Pattern.REASON}
    assert patterns([act(1, MORNING, "break-glass.open")]) == {Pattern.EMERGENCY}
    altered = act(1, MORNING).model_copy(update={"detail": "no json"})
    assert patterns([altered]) == {Pattern.REASON}, "what cannot be read is asked about"


async def test_the_overview_is_the_officers_and_the_own_organisations(tmp_path: Path) -> None:
    async with opened_house(tmp_path) as house:
        review, cases = AccessReview(house.store, house.clock), Cases(house.store, house.clock)
        olivia = house.person("olivia")
        async with house.store.transaction() as transaction:
            for tenant, actor in (("municipality", olivia.actor), ("police", house.person("pia").actor)):
                await audit.append(
                    transaction,
                    tenant=tenant,
                    time=house.clock.now(),
                    actor=actor,
                    action="evidence.open",
                    subject="evidence:1",
                    detail={"reason": "a reason that says why"},
                )
        await cases.open(olivia, CaseKind.BREAK_GLASS, title="Fire", reason="no time", subject="evidence:1")
        await cases.open(olivia, CaseKind.SUBJECT_REQUEST, title="Access", reason="letter")
        found = await review.overview(house.person("dora"))
        assert found.accesses == {"Olivia Example": {"evidence.open": 1, "break-glass.open": 1}}
        assert [one.kind for one in found.waiting] == [CaseKind.BREAK_GLASS, CaseKind.SUBJECT_REQUEST]
        assert found.waiting[0].days_left == pytest.approx(3, abs=0.1)
        assert [one.pattern for one in found.unusual] == [Pattern.EMERGENCY]
        for name in ("olivia", "sofia", "ada"):
            with pytest.raises(NotAllowed):
                await review.overview(house.person(name))
