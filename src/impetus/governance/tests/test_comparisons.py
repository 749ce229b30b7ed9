"""Protects: a pseudonym is compared with a name only by two people, for a reason, within an hour, and on record."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from impetus.governance import principal_of
from impetus.governance.cases import Cases
from impetus.governance.comparisons import Comparisons
from impetus.model import ConfigurationError, Conflict, InvalidInput, ManualClock, NotAllowed, NotFound, Role
from impetus.model.case import CaseAction, CaseKind
from impetus.sdk.pseudonyms import Pseudonyms
from impetus.situation.tests.house import PASSWORD, House, opened_house

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


async def agreed(house: House, clock: ManualClock, subject: str = "pseudonyms:mqtt") -> tuple[Cases, str]:
    cases = Cases(house.store, clock)
    case = await cases.open(
        house.person("sofia"), CaseKind.RE_IDENTIFICATION, title="Badge 12", reason="court order 7/26", subject=subject
    )
    return cases, case.id


async def test_two_people_compare_within_an_hour(tmp_path: Path) -> None:
    async with opened_house(tmp_path) as house:
        accounts, ada = house.governance.accounts, house.person("ada")
        second, stranger = [
            principal_of(
                await accounts.create_user(
                    ada, "municipality", name=name, full_name=name.title(), role=Role.SUPERVISOR, password=PASSWORD
                )
            )
            for name in ("silvia", "stefano")
        ]
        clock = ManualClock(NOW)
        sofia = house.person("sofia")
        cases, id = await agreed(house, clock)
        comparisons = Comparisons(house.store, clock, tmp_path, cases)
        pseudonym = Pseudonyms(tmp_path, "municipality", "mqtt", clock).of("badge-12")
        with pytest.raises(Conflict, match="nobody has agreed"):
            await comparisons.compare(sofia, id, pseudonym, "badge-12")
        with pytest.raises(NotAllowed):
            await cases.act(sofia, id, CaseAction.AGREE, text="I agree with myself", version=1)
        await cases.act(second, id, CaseAction.AGREE, text="seen the order", version=1)
        assert await comparisons.compare(sofia, id, pseudonym, "BADGE-12 ")
        assert not await comparisons.compare(second, id, pseudonym, "badge-13")
        with pytest.raises(NotAllowed, match="the two people"):
            await comparisons.compare(stranger, id, pseudonym, "badge-12")
        for name in ("olivia", "dora", "ada"):
            with pytest.raises(NotAllowed):
                await comparisons.compare(house.person(name), id, pseudonym, "badge-12")
        with pytest.raises(InvalidInput):
            await comparisons.compare(sofia, id, "everything", "badge-12")
        async with house.store.view() as view:
            records = (await view.audit.list("municipality", action="re-identification.compare")).items
        assert len(records) == 2
        assert all("badge-1" not in record.model_dump_json() for record in records)
        key = tmp_path / "secrets/pseudonyms/municipality/mqtt.json"
        kept = key.read_bytes()
        key.unlink()
        with pytest.raises(ConfigurationError, match="lost"):
            await comparisons.compare(sofia, id, pseudonym, "badge-12")
        key.write_bytes(kept)
        clock.advance(-7_200)
        with pytest.raises(Conflict, match="over"):
            await comparisons.compare(sofia, id, pseudonym, "badge-12")
        clock.advance(3 * 3_600)
        with pytest.raises(Conflict, match="over"):
            await comparisons.compare(sofia, id, pseudonym, "badge-12")


async def test_a_case_of_another_kind_or_organisation_opens_nothing(tmp_path: Path) -> None:
    async with opened_house(tmp_path) as house:
        clock = ManualClock(NOW)
        cases = Cases(house.store, clock)
        comparisons = Comparisons(house.store, clock, tmp_path, cases)
        other = await cases.open(
            house.person("sofia"), CaseKind.SUBJECT_REQUEST, title="x", reason="x", subject="pseudonyms:mqtt"
        )
        with pytest.raises(Conflict, match="something else"):
            await comparisons.compare(house.person("sofia"), other.id, "p-0000-" + "0" * 32, "x")
        _, id = await agreed(house, clock, subject="in words")
        with pytest.raises(InvalidInput, match="whose key"):
            await comparisons.compare(house.person("sofia"), id, "p-0000-" + "0" * 32, "x")
        with pytest.raises((NotAllowed, NotFound)):
            await comparisons.compare(house.person("pia"), id, "p-0000-" + "0" * 32, "x")
