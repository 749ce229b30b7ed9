"""Protects the routes of the shift: who may read the board, what a full pair of hands is answered, what is whose."""

from __future__ import annotations

from impetus.api.tests.conftest import Api
from impetus.api.tests.test_stream import Listener, logged_in, served
from impetus.model import new_id
from impetus.situation.tests.house import an_alert, eventually

HOME = "municipality"


async def test_the_queue_is_joined_and_an_alert_goes_from_hand_to_hand(api: Api) -> None:
    await api.house.situation.alerts.ingest(HOME, [an_alert() for _ in range(5)])
    olivia, omar, sofia = [await api.person(name) for name in ("olivia", "omar", "sofia")]
    (row,) = (await olivia.get("/alerts?joined=true")).json()["items"]
    assert row["repeats"] == 4
    assert len((await olivia.get("/alerts")).json()["items"]) == 5
    repeats = (await olivia.get("/alerts", params={"repeat_of": row["id"]})).json()["items"]
    assert {one["repeat_of"] for one in repeats} == {row["id"]}
    path = f"/alerts/{row['id']}/decisions"
    taken = (await olivia.post(path, json={"action": "acknowledge", "version": 1})).json()["alert"]
    mine = (await olivia.get("/alerts", params={"holder": taken["holder"]})).json()["items"]
    assert [one["id"] for one in mine] == [row["id"]]
    people = {one["name"]: one["id"] for one in (await olivia.get("/shift/colleagues")).json()["items"]}
    assert set(people) == {"Olivia Example", "Omar Example", "Sofia Example"}
    refused = await omar.post(path, json={"action": "release", "version": 2})
    assert refused.status_code == 403
    given = await sofia.post(path, json={"action": "assign", "version": 2, "person": people["Omar Example"]})
    assert given.json()["alert"]["holder_name"] == "Omar Example"
    board = (await sofia.get("/shift/board")).json()
    assert [one["held"] for one in board["people"]] == [1, 0, 0]
    assert (await olivia.get("/shift/board")).status_code == 403


async def test_full_hands_are_answered_with_a_problem_of_its_own(api: Api) -> None:
    alerts = [an_alert(source=new_id()) for _ in range(11)]
    await api.house.situation.alerts.ingest(HOME, alerts)
    olivia = await api.person("olivia")
    for alert in alerts[:10]:
        answer = await olivia.post(f"/alerts/{alert.id}/decisions", json={"action": "acknowledge", "version": 1})
        assert answer.status_code == 201
    answer = await olivia.post(f"/alerts/{alerts[10].id}/decisions", json={"action": "acknowledge", "version": 1})
    assert answer.status_code == 409
    problem = answer.json()
    assert problem["type"] == "urn:impetus:problem:at-capacity"
    assert "current" not in problem


async def test_a_hand_over_is_the_own_organisations(api: Api) -> None:
    olivia, omar, pia, dora = [await api.person(name) for name in ("olivia", "omar", "pia", "dora")]
    summary = (await olivia.get("/shift/summary")).json()
    assert summary["held_count"] == 0
    body = {"id": "the-night", "text": "quiet"}
    for _ in range(2):
        assert (await olivia.post("/handovers", json=body)).status_code == 201
    assert [one["id"] for one in (await omar.get("/handovers")).json()["items"]] == ["the-night"]
    assert (await omar.get("/handovers?state=accepted")).json()["items"] == []
    accept = {"action": "accept", "version": 1}
    assert (await pia.get("/handovers")).json()["items"] == []
    assert (await pia.get("/handovers/the-night")).status_code == 404
    assert (await pia.post("/handovers/the-night/decisions", json=accept)).status_code == 404
    assert (await dora.get("/handovers/the-night")).status_code == 403
    assert (await olivia.post("/handovers/the-night/decisions", json=accept)).status_code == 403
    accepted = await omar.post("/handovers/the-night/decisions", json=accept)
    assert (accepted.status_code, accepted.json()["state"]) == (201, "accepted")


async def test_a_hand_over_is_on_every_screen_of_those_who_work_and_on_nobody_elses(api: Api) -> None:
    async with (
        served(api) as address,
        logged_in(address, "olivia") as olivia,
        logged_in(address, "omar") as omar,
        logged_in(address, "pia") as pia,
        logged_in(address, "ada") as ada,
    ):
        refused = await ada.get("/stream?topics=shift")
        assert refused.status_code == 403
        here, there = Listener(omar, "topics=shift"), Listener(pia, "topics=shift,alerts")
        await eventually(lambda: api.services.broadcaster.clients == 2)
        assert (await olivia.post("/handovers", json={"id": "the-night", "text": "quiet"})).status_code == 201
        (written,) = await here.heard("handover", 1)
        assert (written.data["id"], written.data["state"], written.data["text"]) == ("the-night", "written", "quiet")
        await omar.post("/handovers/the-night/decisions", json={"action": "accept", "version": 1})
        accepted = (await here.heard("handover", 2))[-1]
        assert (accepted.data["state"], accepted.data["successor_name"]) == ("accepted", "Omar Example")
        await api.house.situation.alerts.ingest("police", [an_alert()])
        await there.heard("alert", 1)
        assert there.of("handover") == []
        for listener in (here, there):
            await listener.close()


async def test_a_supervisor_sets_caps_for_a_while_and_the_queue_follows(api: Api) -> None:
    alerts = [an_alert(source=new_id()) for _ in range(4)]
    await api.house.situation.alerts.ingest(HOME, alerts)
    olivia, sofia, pia = [await api.person(name) for name in ("olivia", "sofia", "pia")]
    assert (await olivia.post("/shift/caps", json={"cap": 2, "reason": "mine"})).status_code == 403
    board = await sofia.post("/shift/caps", json={"cap": 2, "hours": 1, "reason": "the team is overloaded"})
    assert board.status_code == 201
    caps = {one["name"]: (one["cap"], one["cap_until"] is not None) for one in board.json()["people"]}
    assert caps["Olivia Example"] == caps["Omar Example"] == (2, True)
    assert caps["Sofia Example"][1] is False
    answers = [
        (await olivia.post(f"/alerts/{alert.id}/decisions", json={"action": "acknowledge", "version": 1})).status_code
        for alert in alerts[:3]
    ]
    assert answers == [201, 201, 409]
    theirs = (await pia.get("/session")).json()
    assert (
        await sofia.post("/shift/caps", json={"people": [theirs["user"]["id"]], "cap": 1, "reason": "not mine"})
    ).status_code == 404
    lifted = (await sofia.post("/shift/caps", json={"reason": "all is well"})).json()
    assert {one["cap_until"] for one in lifted["people"]} == {None}
    path = f"/alerts/{alerts[2].id}/decisions"
    assert (await olivia.post(path, json={"action": "acknowledge", "version": 1})).status_code == 201
    await sofia.post("/shift/caps", json={"cap": 1, "hours": 1e-7, "reason": "for a third of a millisecond"})
    assert {one["cap_until"] for one in (await sofia.get("/shift/board")).json()["people"]} == {None}
