"""Protects: a person's request is answered within a case by the officer, completely, and erasing is proved and held."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from impetus.governance.cases import Cases
from impetus.governance.persons import Persons
from impetus.model import Conflict, InvalidInput, NotAllowed, NotFound
from impetus.model.case import CaseAction, CaseKind
from impetus.situation.tests.house import an_alert, opened_house

NAME = "Lina Østby"


async def test_search_copy_and_erasure(tmp_path: Path) -> None:
    async with opened_house(tmp_path) as house:
        cases = Cases(house.store, house.clock)
        persons = Persons(house.store, house.clock, cases)
        dora, sofia = house.person("dora"), house.person("sofia")
        ours = [
            an_alert(id="a1", headline=f"{NAME} called", description=f"said '{NAME.upper()}' twice: {NAME}\n\"x\""),
            an_alert(id="a2", headline="nobody"),
        ]
        await house.situation.alerts.ingest("municipality", ours)
        await house.situation.alerts.ingest("police", [an_alert(id="p1", headline=f"{NAME} is ours")])
        case = await cases.open(dora, CaseKind.SUBJECT_REQUEST, title="Access", reason="letter of 3 March")
        found = await persons.search(dora, case.id, NAME)
        assert dict(found.counts) == {"alert": 1}
        copy = await persons.export(dora, case.id, f" {NAME} ")
        assert [one["id"] for one in copy["alert"]] == ["a1"]
        hold = await cases.open(
            sofia, CaseKind.LEGAL_HOLD, title="Claim", reason="court", until=house.clock.now() + timedelta(days=9)
        )
        with pytest.raises(Conflict, match="legal hold"):
            await persons.erase(dora, case.id, NAME)
        await cases.act(dora, hold.id, CaseAction.CLOSE, text="settled", version=1)
        left = await persons.erase(dora, case.id, NAME)
        assert not left.counts
        async with house.store.view() as view:
            record = await view.alerts.get("municipality", "a1")
            theirs = await view.alerts.get("police", "p1")
            audited = (await view.audit.list("municipality", limit=100)).items
        assert record.alert.headline == "[removed] called"
        assert record.alert.description.casefold().count("østby") == 0
        assert '"x"' in record.alert.description, "the rest is as it was"
        assert NAME in theirs.alert.headline, "another organisation's is its own matter"
        assert all("stby" not in json.dumps(json.loads(one.detail), ensure_ascii=False) for one in audited)
        erased = next(one for one in audited if one.action == "subject-request.erase")
        assert len(json.loads(erased.detail)["sha256"]) == 64
        for name in ("sofia", "olivia", "ada"):
            with pytest.raises(NotAllowed):
                await persons.search(house.person(name), case.id, NAME)
        with pytest.raises(InvalidInput):
            await persons.search(dora, case.id, "abc")
        with pytest.raises(NotFound):
            await persons.search(dora, "no-such-case", NAME)
        await cases.act(dora, case.id, CaseAction.CLOSE, text="answered", version=1)
        with pytest.raises(Conflict, match="open request"):
            await persons.search(dora, case.id, NAME)
