"""Protects: a person who works in two organisations with different purposes takes nothing from one into the other."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from impetus.governance import principal_of
from impetus.governance.cases import Cases
from impetus.governance.comparisons import Comparisons
from impetus.governance.data_protection import DataProtection
from impetus.model import Conflict, DataClass, NotAllowed, NotFound, Role
from impetus.model.case import CaseAction, CaseKind
from impetus.model.data_protection import LegalBasis, Outcome, Risk, Worksheet
from impetus.sdk.pseudonyms import Pseudonyms
from impetus.situation.tests.house import PASSWORD, an_alert, opened_house

SHEET = Worksheet(
    purposes=("alerting the control room",),
    legal_basis=LegalBasis.PUBLIC_TASK,
    legal_reference="Ordinance 4",
    data_classes=(DataClass.PERSONAL,),
    persons="passers-by",
    sources=("a camera",),
    retention_days=30,
    necessity="calls come late",
    proportionality="few pictures",
    risks=(Risk(title="A false alert", likelihood=2, severity=2, measure="a person decides"),),
    responsible="Head of the control room",
    contact="privacy@example.org",
)


async def test_what_one_organisation_allows_opens_nothing_in_the_other(tmp_path: Path) -> None:
    async with opened_house(tmp_path) as house:
        accounts, clock = house.governance.accounts, house.clock
        # The same human being: a supervisor here, an officer of data protection there; two names to log in with.
        here = house.person("sofia")
        there = principal_of(
            await accounts.create_user(
                house.person("paul"),
                "police",
                name="sofia-police",
                full_name="Sofia Example",
                role=Role.DATA_PROTECTION_OFFICER,
                password=PASSWORD,
            )
        )
        register = DataProtection(house.store, clock, {})
        await register.write(there, "camera", SHEET, 0)
        until = clock.now() + timedelta(days=30)
        await register.decide(there, "camera", Outcome.APPROVED, reason="seen", until=until, version=1)
        await register.require_approval("police", "camera")
        with pytest.raises(NotAllowed, match="nothing is taken"):
            await register.require_approval("municipality", "camera")
        with pytest.raises(NotAllowed):
            await register.decide(here, "camera", Outcome.APPROVED, reason="I may there", until=until, version=1)

        pseudonym = Pseudonyms(tmp_path, "municipality", "mqtt", clock).of("badge-12")
        assert not Pseudonyms(tmp_path, "police", "mqtt", clock).matches(pseudonym, "badge-12")
        cases = Cases(house.store, clock)
        comparisons = Comparisons(house.store, clock, tmp_path, cases)
        case = await cases.open(
            here, CaseKind.RE_IDENTIFICATION, title="Badge", reason="order 7", subject="pseudonyms:mqtt"
        )
        # Her other account is no second person: it is of another organisation.
        with pytest.raises(NotFound):
            await cases.act(there, case.id, CaseAction.AGREE, text="I agree", version=1)
        with pytest.raises(Conflict):
            await comparisons.compare(here, case.id, pseudonym, "badge-12")

        await house.situation.alerts.ingest("municipality", [an_alert(id="a1")])
        async with house.store.view() as view:
            with pytest.raises(NotFound):
                await view.alerts.get(there.tenant, "a1")
