"""Protects: procedures are carried out over the interface by the roles that they name, and by nobody else."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from impetus.api.tests.conftest import Api
from impetus.model import Permission, Role
from impetus.situation.tests.house import PASSWORD


async def colleague(api: Api, name: str, role: Role) -> httpx.AsyncClient:
    """One more person of the municipality."""
    await api.house.governance.accounts.create_user(
        api.house.person("ada"), "municipality", name=name, full_name=f"{name.title()} Example", role=role,
        password=PASSWORD,
    )  # fmt: skip
    return await api.person(name)


async def started(api: Api, procedure: str) -> tuple[str, str]:
    """An incident with a procedure; ids of both."""
    olivia = await api.person("olivia")
    incident = (await olivia.post("/incidents", json={"title": "Something happened"})).json()["id"]
    answer = await olivia.post(f"/incidents/{incident}/procedures", json={"procedure": procedure})
    assert answer.status_code == 201, answer.text
    return incident, answer.json()["id"]


def answers_for(task: dict[str, Any], **chosen: str) -> dict[str, Any]:
    """An answer to each question: the one that is chosen, or anything that fits."""
    found: dict[str, Any] = {}
    for field in task["fields"]:
        if field["id"] in chosen:
            found[field["id"]] = chosen[field["id"]]
        elif field["kind"] == "choice":
            found[field["id"]] = field["choices"][0]["value"]
        else:
            found[field["id"]] = 2 if field["kind"] == "number" else "as agreed"
    return found


async def test_three_roles_carry_a_procedure_to_its_end(api: Api) -> None:
    people = {
        "it-security": await colleague(api, "ivan", Role.IT_SECURITY),
        "data-protection-officer": await api.person("dora"),
        "administrator": await api.person("ada"),
    }
    incident, run = await started(api, "data-leak")
    took_part = set()
    room: dict[str, Any] = {}
    for _ in range(20):
        room = (await people["it-security"].get(f"/runs/{run}")).json()
        if room["run"]["state"] != "running":
            break
        task = next(task for task in room["tasks"] if task["state"] in ("open", "claimed"))
        role = task["roles"][0]
        client = people[role]
        took_part.add(role)
        for other, wrong in people.items():
            if other != role:
                refused = await wrong.post(f"/tasks/{task['id']}/claim", json={"version": task["version"]})
                assert refused.status_code == 403, refused.text
        claimed = await client.post(f"/tasks/{task['id']}/claim", json={"version": task["version"]})
        assert claimed.status_code == 200, claimed.text
        completion = {
            "version": claimed.json()["version"],
            "answers": answers_for(task, breach="yes", risk_level="high", stopped="yes"),
        }
        done = await client.post(f"/tasks/{task['id']}/complete", json=completion)
        assert done.status_code == 200, done.text
        assert done.json()["state"] == "done"
    assert room["run"]["state"] == "completed"
    assert room["run"]["outcome"] == "Documented"
    assert took_part == {"it-security", "data-protection-officer"}
    (draft,) = room["run"]["drafts"]
    assert draft["text"].startswith("We have to tell you")
    (of_incident,) = (await people["it-security"].get(f"/incidents/{incident}/procedures")).json()["items"]
    assert of_incident["run"]["id"] == run
    actions = [event["action"] for event in of_incident["events"]]
    assert actions[0] == "start"
    assert actions.count("claim") == actions.count("complete") == 6
    verified = (await people["administrator"].post("/audit/verify")).json()
    assert verified["ok"]


async def test_operator_supervisor_and_officer_carry_the_gunman_procedure(api: Api) -> None:
    """The whole procedure by three roles: operator, supervisor, data-protection officer."""
    people = {
        "operator": await api.person("olivia"),
        "supervisor": await api.person("sofia"),
        "data-protection-officer": await api.person("dora"),
    }
    _, run = await started(api, "gunman")
    took_part = set()
    updates = 0
    room: dict[str, Any] = {}
    for _ in range(30):
        room = (await people["operator"].get(f"/runs/{run}")).json()
        if room["run"]["state"] != "running":
            break
        task = next(task for task in room["tasks"] if task["state"] == "open")
        took_part.add(task["roles"][0])
        updates += task["step"] == "update"
        chosen = {"sighting": "weapon", "threat": "over" if updates > 1 else "goes_on"}
        done = await people[task["roles"][0]].post(
            f"/tasks/{task['id']}/complete", json={"version": 1, "answers": answers_for(task, **chosen)}
        )
        assert done.status_code == 200, done.text
    assert room["run"]["outcome"] == "Handed over and reviewed"
    assert took_part == set(people)
    assert updates == 2
    assert "RUN" in room["run"]["drafts"][0]["text"]


async def test_lists_show_what_one_has_and_may_take(api: Api) -> None:
    olivia, sofia, pia = await api.person("olivia"), await api.person("sofia"), await api.person("pia")
    incident, run = await started(api, "gunman")
    (task,) = (await olivia.get("/tasks")).json()["items"]
    assert (task["step"], task["run"], task["incident"]) == ("verify", run, incident)
    assert (await sofia.get("/tasks")).json()["items"] == []
    assert (await olivia.get("/tasks?scope=mine")).json()["items"] == []
    await olivia.post(f"/tasks/{task['id']}/claim", json={"version": 1})
    (mine,) = (await olivia.get("/tasks?scope=mine")).json()["items"]
    assert mine["claimed_by_name"] == "Olivia Example"
    assert len((await sofia.get("/tasks?scope=all")).json()["items"]) == 1
    assert (await pia.get("/tasks?scope=all")).json()["items"] == []
    for path in (f"/tasks/{task['id']}", f"/runs/{run}", f"/incidents/{incident}/procedures"):
        assert (await olivia.get(path)).status_code == 200, path
        assert (await pia.get(path)).status_code == 404, path
    for path, body in (
        (f"/tasks/{task['id']}/claim", {"version": 2}),
        (f"/tasks/{task['id']}/complete", {"version": 2}),
        (f"/runs/{run}/cancel", {"version": 1, "reason": "x"}),
        (f"/incidents/{incident}/procedures", {"procedure": "gunman"}),
    ):
        assert (await pia.post(path, json=body)).status_code == 404, path
    assert (await pia.get("/runs")).json()["items"] == []


async def test_a_procedure_is_shown_with_its_drawing_and_its_file(api: Api) -> None:
    olivia = await api.person("olivia")
    listed = (await olivia.get("/procedures")).json()["items"]
    assert len(listed) == 14
    detail = (await olivia.get("/procedures/gunman")).json()
    assert {step["kind"] for step in detail["steps"]} >= {"start", "task", "decision", "parallel", "automatic", "end"}
    assert all(len(flow["points"]) > 1 for flow in detail["flows"])
    file = await olivia.get("/procedures/gunman/file")
    assert file.content.startswith(b"<?xml")
    assert (await olivia.get(f"/procedures/gunman?definition={detail['hash']}")).status_code == 200
    assert (await olivia.get(f"/procedures/gunman?definition={'0' * 64}")).status_code == 404
    assert (await olivia.get("/procedures/nothing")).status_code == 404


async def test_own_texts_are_published_by_those_who_may(api: Api) -> None:
    olivia, sofia = await api.person("olivia"), await api.person("sofia")
    _, run = await started(api, "gunman")
    text = (await olivia.get("/procedures/gunman/file")).text
    edited = text.replace("Second pair of eyes", "Another pair of eyes")
    assert (await olivia.post("/procedures", json={"content": edited})).status_code == 403
    published = await sofia.post("/procedures", json={"content": edited})
    assert published.status_code == 201, published.text
    summary = next(one for one in (await olivia.get("/procedures")).json()["items"] if one["id"] == "gunman")
    assert summary["published_by"] == "Sofia Example"
    assert summary["hash"] == published.json()["hash"]
    # What is under way is drawn and goes on as it was.
    old = (await olivia.get(f"/runs/{run}")).json()["run"]["definition"]
    assert old != summary["hash"]
    drawn = (await olivia.get(f"/procedures/gunman?definition={old}")).json()
    assert "Second pair of eyes" in {step["name"] for step in drawn["steps"]}
    pia = await api.person("pia")
    theirs = next(one for one in (await pia.get("/procedures")).json()["items"] if one["id"] == "gunman")
    assert theirs["published_by"] is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not xml",
        "<a/>",
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    ],
)
async def test_what_is_no_procedure_is_refused(api: Api, content: str) -> None:
    sofia = await api.person("sofia")
    answer = await sofia.post("/procedures", json={"content": content})
    assert answer.status_code == 422
    assert answer.json()["hint"]


async def test_a_machine_reads_and_never_acts(api: Api) -> None:
    incident, run = await started(api, "gunman")
    machine = await api.machine(Permission.PROCEDURES_READ)
    async with machine:
        (task,) = (await machine.get("/tasks?scope=all")).json()["items"]
        assert (await machine.get(f"/runs/{run}")).status_code == 200
        assert (await machine.post(f"/tasks/{task['id']}/claim", json={"version": 1})).status_code == 403
        assert (
            await machine.post(f"/incidents/{incident}/procedures", json={"procedure": "data-leak"})
        ).status_code == 403
