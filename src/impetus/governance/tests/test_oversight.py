"""Protects: places where a detector does worse are found, haste is counted right, and cards are kept by version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.governance.oversight import Haste, OversightService, groups, haste, wilson
from impetus.model import Assessment, NotAllowed, NotFound, SubjectKind
from impetus.sdk import load_tools
from impetus.situation.tests.house import opened_house

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_a_place_that_differs_from_the_rest_is_told_and_a_small_one_is_not() -> None:
    verdicts = [("t", "d", "harbour", n < 4) for n in range(40)]
    verdicts += [("t", "d", "centre", n < 36) for n in range(40)]
    verdicts += [("t", "d", "park", False) for _ in range(3)]
    found = {one.group: one for one in groups(verdicts)}
    assert found["harbour"].differs
    assert found["centre"].differs
    assert not found["park"].differs, "three verdicts say nothing"
    assert (found["harbour"].verdicts, found["harbour"].true) == (40, 4)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_interval_holds_the_share(true: int, more: int) -> None:
    low, high = wilson(true, true + more)
    assert 0 <= low <= high <= 1
    if true + more:
        assert low - 1e-12 <= true / (true + more) <= high + 1e-12


def decision(subject: str, after_s: float, before: str, after: str, version: int) -> Assessment:
    return Assessment(
        tenant="municipality",
        subject_kind=SubjectKind.ALERT,
        subject=subject,
        action="confirm",
        state_before=before,
        state_after=after,
        version=version,
        person="x",
        person_name="X",
        decided=NOON + timedelta(seconds=after_s),
    )


def test_haste_counts_from_the_moment_that_somebody_took_the_alert() -> None:
    decisions = [
        decision("slow", 100, "new", "acknowledged", 2),
        decision("slow", 160, "acknowledged", "confirmed", 3),
        decision("quick", 100, "new", "acknowledged", 2),
        decision("quick", 104, "acknowledged", "confirmed", 3),
        decision("quick", 105, "confirmed", "escalated", 4),
        decision("at-once", 3, "new", "dismissed", 2),
        decision("unknown", 3, "new", "dismissed", 2),
    ]
    alerts = dict.fromkeys(("slow", "quick", "at-once"), (NOON, "t", "d"))
    assert haste(decisions, alerts) == [Haste("t", "d", settled=3, unread=2, accepted_unread=1)]
    assert haste([], {}) == []


async def test_cards_are_kept_once_a_version(tmp_path: Path) -> None:
    async with opened_house(tmp_path) as house:
        service = OversightService(house.store, house.clock, load_tools())
        await service.note_cards(["municipality"])
        await service.note_cards(["municipality"])
        dora = house.person("dora")
        found = await service.overview(dora)
        ids = [one.tool for one in found.cards]
        assert len(ids) == len(set(ids)) > 3
        assert all(one.current for one in found.cards)
        one = found.cards[0]
        shown = await service.card(dora, f"{one.tool}@{one.sha256}")
        assert "## Where it fails" in shown["text"]
        with pytest.raises(NotFound):
            await service.card(house.person("pia"), f"{one.tool}@{one.sha256}")
        machine = dora.model_copy(update={"permissions": frozenset()})
        with pytest.raises(NotAllowed):
            await service.overview(machine)
