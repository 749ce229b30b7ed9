"""Protects what a person consents to over the interface: theirs alone, shared only as they chose, and gone at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from impetus.api.tests.conftest import Api
from impetus.model import Permission
from impetus.sdk import OwnFolders, load_tool

HOME = "municipality"
PATH = "/tools/workload/own"
TLX = dict.fromkeys(("mental", "physical", "temporal", "performance", "effort", "frustration"), 55)


@pytest.fixture
def consenting(api: Api) -> Api:
    """The same with a tool that people consent to."""
    tools = dict(api.services.tools) | {"workload": load_tool("workload")}
    api.services.own._tools = tools
    return api


def all_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def own_files(home: Path) -> list[Path]:
    return all_files(home / "own")


async def test_consent_is_given_used_taken_along_and_withdrawn(consenting: Api, tmp_path: Path) -> None:
    olivia, omar = [await consenting.person(name) for name in ("olivia", "omar")]
    assert (await olivia.get(PATH)).json()["consent"] is None
    assert (await olivia.post(f"{PATH}/entries", json={"kind": "isa", "content": {"rating": 4}})).status_code == 404
    body: Mapping[str, Any] = {"hours": 8, "terms": {"device": "secretbelt"}}
    consent = await olivia.put(PATH, json=body)
    assert consent.status_code == 200
    assert (await olivia.post(f"{PATH}/entries", json={"kind": "isa", "content": {"rating": 4}})).status_code == 201
    assert (await olivia.post(f"{PATH}/entries", json={"kind": "tlx", "content": TLX})).status_code == 201
    view = (await olivia.get(PATH)).json()
    assert [entry["content"] for entry in view["entries"]] == [{"rating": 4}, TLX]
    assert (await omar.get(PATH)).json()["entries"] == []
    assert any(b"secretbelt" in path.read_bytes() for path in own_files(tmp_path))
    assert (await olivia.delete(PATH)).status_code == 204
    assert own_files(tmp_path) == []
    assert not any(b"secretbelt" in path.read_bytes() for path in all_files(tmp_path))
    assert (await olivia.get(PATH)).json()["consent"] is None
    assert (await olivia.delete(PATH)).status_code == 204
    async with consenting.house.store.view() as audit:
        page = await audit.audit.list(HOME)
    actions = [record.action for record in page.items]
    assert actions.count("own.consent") == actions.count("own.withdraw") == 1
    assert "secretbelt" not in str([record.detail for record in page.items])


@pytest.mark.parametrize(
    "wanted",
    [
        {"hours": 100},
        {"hours": 0},
        {"hours": 8, "terms": {"device": "x" * 101}},
        {"hours": 8, "terms": {"heart": True}},
    ],
)
async def test_a_consent_that_cannot_be_is_refused(consenting: Api, wanted: Mapping[str, Any]) -> None:
    olivia = await consenting.person("olivia")
    assert (await olivia.put(PATH, json=wanted)).status_code == 422
    assert (await olivia.get(PATH)).json()["consent"] is None


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "isa", "content": {"rating": 6}},
        {"kind": "isa", "content": {}},
        {"kind": "tlx", "content": TLX | {"mental": 101}},
        {"kind": "diary", "content": {}},
        {"kind": "isa", "content": {"rating": 3, "note": "x" * 10_000}},
    ],
)
async def test_an_entry_that_cannot_be_is_refused(consenting: Api, entry: Mapping[str, Any]) -> None:
    olivia = await consenting.person("olivia")
    await olivia.put(PATH, json={"hours": 1})
    assert (await olivia.post(f"{PATH}/entries", json=entry)).status_code == 422
    assert (await olivia.get(PATH)).json()["entries"] == []


async def test_only_a_supervisor_sees_only_what_is_shared(consenting: Api, tmp_path: Path) -> None:
    olivia, omar, sofia, pia = [await consenting.person(name) for name in ("olivia", "omar", "sofia", "pia")]
    for person, shared in ((olivia, True), (omar, False)):
        await person.put(PATH, json={"hours": 1, "shared": shared})
    folders = OwnFolders(tmp_path, "workload", HOME)
    for consent in await folders.consents():
        await folders.keep(consent, "shared", {"state": "normal"})
        await folders.keep(consent, "now", {"heart_bpm": 71})
    seen = (await sofia.get(f"{PATH}/shared")).json()["items"]
    assert [(one["name"], one["content"]) for one in seen] == [("Olivia Example", {"state": "normal"})]
    assert (await olivia.get(f"{PATH}/shared")).status_code == 403
    assert (await sofia.get(PATH)).json()["documents"] == {}
    assert (await pia.get(PATH)).json()["consent"] is None
    async with await consenting.machine(Permission.RESULTS_READ) as machine:
        assert (await machine.get(f"{PATH}/shared")).status_code == 403
        assert (await machine.get(PATH)).status_code == 403
    await olivia.put(PATH, json={"hours": 1, "shared": False})
    assert (await sofia.get(f"{PATH}/shared")).json()["items"] == []
