"""Protects: only a data-protection officer lets a tool run, with a full worksheet, for a time, in one organisation."""

from __future__ import annotations

from datetime import timedelta

import pytest

from impetus.governance import Principal, installation_principal
from impetus.governance.data_protection import DataProtection, prefilled
from impetus.governance.principal import principal_of
from impetus.governance.public_register import PublicRegister
from impetus.governance.tests.conftest import PASSWORD, House
from impetus.model import Conflict, InvalidInput, NotAllowed, NotFound, Role
from impetus.model.data_protection import LegalBasis, Outcome, RecordState
from impetus.sdk.testing import approved_record
from impetus.sdk.tests import sample
from impetus.store.tests.conftest import NOW

TOOL = sample.installed(sample.RecordingTool)
MANIFEST = TOOL.usable()[1]
SHEET = approved_record(MANIFEST, "police", NOW).draft
YEAR = timedelta(days=365)


async def officer(house: House, tenant: str) -> Principal:
    name = f"officer-{tenant}"
    user = await house.governance.accounts.create_user(
        installation_principal(),
        tenant,
        name=name,
        full_name="An Officer",
        role=Role.DATA_PROTECTION_OFFICER,
        password=PASSWORD,
    )
    return principal_of(user)


@pytest.fixture
def register(house: House) -> DataProtection:
    return DataProtection(house.store, house.clock, {"sample": TOOL})


async def test_a_tool_goes_from_worksheet_to_approval_to_withdrawal(house: House, register: DataProtection) -> None:
    dpo = await officer(house, "police")
    (entry,) = await register.register(dpo)
    assert (entry.state, entry.record) == (RecordState.DRAFT, None)
    assert entry.worksheet.purposes == MANIFEST.purposes
    assert entry.obstacle is not None
    with pytest.raises(Conflict, match="no worksheet"):
        await register.decide(dpo, "sample", Outcome.APPROVED, reason="x", until=NOW + YEAR, version=0)
    await register.write(house.principal("admin-police"), "sample", prefilled(MANIFEST), 0)
    with pytest.raises(Conflict, match="lacks: responsible"):
        await register.decide(dpo, "sample", Outcome.APPROVED, reason="x", until=NOW + YEAR, version=1)
    await register.write(dpo, "sample", SHEET, 1)
    with pytest.raises(Conflict, match="changed"):
        await register.write(dpo, "sample", SHEET, 1)
    for until in (None, NOW, NOW + 4 * YEAR):
        with pytest.raises(InvalidInput, match="until"):
            await register.decide(dpo, "sample", Outcome.APPROVED, reason="x", until=until, version=2)
    with pytest.raises(InvalidInput, match="why"):
        await register.decide(dpo, "sample", Outcome.APPROVED, reason=" ", until=NOW + YEAR, version=2)
    approved = await register.decide(dpo, "sample", Outcome.APPROVED, reason="fine", until=NOW + YEAR, version=2)
    assert approved.obstacle is None
    # A new draft leaves what was approved in force until the officer decides again.
    other = SHEET.model_copy(update={"retention_days": 0})
    drafted = await register.write(dpo, "sample", other, 3)
    assert drafted.obstacle is None
    assert drafted.record is not None
    assert drafted.record.approved == SHEET
    gone = await register.decide(dpo, "sample", Outcome.WITHDRAWN, reason="a complaint", until=None, version=4)
    assert "a complaint" in (gone.obstacle or "")
    with pytest.raises(Conflict):
        await register.decide(dpo, "sample", Outcome.WITHDRAWN, reason="again", until=None, version=5)
    page = await house.governance.audit_records(dpo)
    assert [record.action for record in page.items][:2] == ["data-protection.withdrawn", "data-protection.write"]


async def test_nobody_else_approves_and_no_sheet_promises_more_than_the_manifest(
    house: House, register: DataProtection
) -> None:
    for name in ("admin-police", "anna"):
        with pytest.raises(NotAllowed):
            await register.decide(
                house.principal(name), "sample", Outcome.APPROVED, reason="x", until=NOW + YEAR, version=0
            )
    with pytest.raises(NotAllowed):
        await register.write(house.principal("anna"), "sample", SHEET, 0)
    dpo = await officer(house, "police")
    longer = SHEET.model_copy(update={"retention_days": MANIFEST.retention_days + 1})
    with pytest.raises(InvalidInput, match="manifest allows"):
        await register.write(dpo, "sample", longer, 0)
    with pytest.raises(InvalidInput, match="data_classes"):
        await register.write(dpo, "sample", SHEET.model_copy(update={"data_classes": ("public",)}), 0)
    assert "runs elsewhere" in (await register.entry(dpo, "other")).manifest.title
    with pytest.raises(NotFound):
        await register.decide(dpo, "other", Outcome.REFUSED, reason="no", until=None, version=0)
    bad = SHEET.model_copy(update={"purposes": ("face recognition of visitors",), "data_classes": ("personal",)})
    with pytest.raises(InvalidInput, match="forbidden practice"):
        await register.write(dpo, "other", bad, 0)
    with pytest.raises(NotAllowed, match="nothing is taken"):
        await register.require_approval("police", "other")


async def test_an_organisations_register_is_its_own_and_the_public_sees_what_is_approved(
    house: House, register: DataProtection
) -> None:
    police, fire = await officer(house, "police"), await officer(house, "fire")
    public = PublicRegister(house.store, house.clock, register)
    await register.write(police, "sample", SHEET.model_copy(update={"necessity": "secret draft"}), 0)
    assert (await register.entry(fire, "sample")).record is None
    assert not any(organisation["tools"] for organisation in await public.read())
    await register.write(police, "sample", SHEET, 1)
    await register.decide(police, "sample", Outcome.APPROVED, reason="internal words", until=NOW + YEAR, version=2)
    assert (await register.entry(fire, "sample")).obstacle is not None
    shown = {organisation["id"]: organisation["tools"] for organisation in await public.read()}
    assert not shown["fire"]
    (tool,) = shown["police"]
    assert tool["responsible"] == SHEET.responsible
    assert "An Officer" not in str(tool)
    assert "internal words" not in str(tool)
    await register.write(police, "sample", SHEET.model_copy(update={"necessity": "secret draft"}), 3)
    assert "secret draft" not in str(await public.read())
    house.clock.advance(YEAR.total_seconds() + 1)
    assert not any(organisation["tools"] for organisation in await public.read())


def test_what_the_manifest_says_is_filled_in_and_what_only_people_know_is_not() -> None:
    sheet = prefilled(MANIFEST)
    assert sheet.legal_basis is LegalBasis.NO_PERSONAL_DATA
    assert set(sheet.lacking()) == {"responsible", "contact", "necessity"}
    personal = MANIFEST.model_copy(update={"personal_data": True, "data_classes": ("sensitive",)})
    assert prefilled(personal).legal_basis is None
    assert "Special categories of data become known" in [risk.title for risk in prefilled(personal).risks]
