"""Protects: what needs two people is never one person's, cases end in time, and stay within the organisation."""

from __future__ import annotations

from datetime import timedelta

import pytest

from impetus.governance import Principal, installation_principal
from impetus.governance.cases import Cases, holds_of
from impetus.governance.principal import principal_of
from impetus.governance.tests.conftest import PASSWORD, House
from impetus.model import Conflict, InvalidInput, NotAllowed, NotFound, Role
from impetus.model.case import CaseAction, CaseKind, CaseState
from impetus.store.tests.conftest import NOW


@pytest.fixture
def cases(house: House) -> Cases:
    return Cases(house.store, house.clock)


async def person(house: House, name: str, role: Role, tenant: str = "police") -> Principal:
    user = await house.governance.accounts.create_user(
        installation_principal(), tenant, name=name, full_name=name.title(), role=role, password=PASSWORD
    )
    return principal_of(user)


async def test_a_comparison_needs_a_second_person_and_ends_after_an_hour(house: House, cases: Cases) -> None:
    ana, sam = await person(house, "ana", Role.ANALYST), await person(house, "sam", Role.SUPERVISOR)
    case = await cases.open(ana, CaseKind.RE_IDENTIFICATION, title="Who is it", reason="a threat to a school")
    with pytest.raises(NotAllowed, match="somebody else"):
        await cases.act(ana, case.id, CaseAction.AGREE, text="me too", version=1)
    with pytest.raises(NotAllowed):
        await cases.open(house.principal("anna"), CaseKind.RE_IDENTIFICATION, title="x", reason="curious")
    with pytest.raises(NotFound):
        await cases.act(house.principal("anna"), case.id, CaseAction.AGREE, text="me", version=1)
    agreed = await cases.act(sam, case.id, CaseAction.AGREE, text="imminent", version=1)
    assert (agreed.state, agreed.due) == (CaseState.AGREED, NOW + timedelta(hours=1))
    late = await cases.open(ana, CaseKind.RE_IDENTIFICATION, title="Who", reason="again")
    house.clock.advance(25 * 3_600)
    with pytest.raises(Conflict, match="in time"):
        await cases.act(sam, late.id, CaseAction.AGREE, text="too late", version=1)


async def test_a_hold_has_an_end_and_is_released_by_somebody_else(house: House, cases: Cases) -> None:
    admin, sam = house.principal("admin-police"), await person(house, "sam", Role.SUPERVISOR)
    with pytest.raises(InvalidInput, match="until"):
        await cases.open(admin, CaseKind.LEGAL_HOLD, title="Court", reason="order 12/26")
    hold = await cases.open(
        admin, CaseKind.LEGAL_HOLD, title="Court", reason="order 12/26", subject="all", until=NOW + timedelta(days=9)
    )
    async with house.store.view() as view:
        assert [one.id for one in await holds_of(view, "police", NOW)] == [hold.id]
        assert not await holds_of(view, "fire", NOW)
        assert not await holds_of(view, "police", NOW + timedelta(days=10))
    with pytest.raises(NotAllowed):
        await cases.act(admin, hold.id, CaseAction.CLOSE, text="over", version=1)
    await cases.act(sam, hold.id, CaseAction.CLOSE, text="over", version=1)
    async with house.store.view() as view:
        assert not await holds_of(view, "police", NOW)
    with pytest.raises(Conflict):
        await cases.act(sam, hold.id, CaseAction.NOTE, text="more", version=2)


async def test_breaking_glass_is_reviewed_by_the_officer_and_opens_one_thing_for_an_hour(
    house: House, cases: Cases
) -> None:
    anna, dpo = house.principal("anna"), await person(house, "dora", Role.DATA_PROTECTION_OFFICER)
    case = await cases.open(anna, CaseKind.BREAK_GLASS, title="Now", reason="a child", subject="evidence:aa")
    assert await cases.broke_glass(anna, "evidence:aa")
    assert not await cases.broke_glass(anna, "evidence:bb")
    assert not await cases.broke_glass(dpo, "evidence:aa")
    with pytest.raises(NotAllowed):
        await cases.act(anna, case.id, CaseAction.CLOSE, text="I was right", version=1)
    house.clock.advance(3_601)
    assert not await cases.broke_glass(anna, "evidence:aa")
    assert [one.id for one in await cases.list(dpo, CaseKind.BREAK_GLASS)] == [case.id]
    assert not await cases.list(await person(house, "sam", Role.SUPERVISOR), CaseKind.BREAK_GLASS)
    await cases.act(dpo, case.id, CaseAction.CLOSE, text="justified", version=1)


async def test_a_case_is_within_its_organisation_and_changes_once(house: House, cases: Cases) -> None:
    anna, bo = house.principal("anna"), house.principal("bo")
    case = await cases.open(anna, CaseKind.CHECKLIST, title="Hand-over", reason="a drill", detail={"done": []})
    for act in (
        cases.get(bo, case.id),
        cases.act(bo, case.id, CaseAction.NOTE, version=1),
    ):
        with pytest.raises(NotFound):
            await act
    assert not await cases.list(bo, CaseKind.CHECKLIST)
    with pytest.raises(NotFound):
        await cases.act(anna, case.id, CaseAction.ASSIGN, assignee=bo.user.id if bo.user else "", version=1)
    ticked = await cases.act(anna, case.id, CaseAction.NOTE, detail={"done": ["one"]}, version=1)
    assert ticked.detail == {"done": ["one"]}
    with pytest.raises(Conflict):
        await cases.act(anna, case.id, CaseAction.NOTE, detail={}, version=1)
    signed = await cases.act(anna, case.id, CaseAction.CLOSE, text="signed", version=2)
    assert signed.state is CaseState.CLOSED
    house.clock.advance(1)
    appeal = await cases.open(anna, CaseKind.APPEAL, title="Wrong", reason="it was a toy", subject="alert:1")
    with pytest.raises(InvalidInput, match="stands"):
        await cases.act(house.principal("admin-police"), appeal.id, CaseAction.NOTE, detail={"x": 1}, version=1)
