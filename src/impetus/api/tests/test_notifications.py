"""Protects notification and CAP over HTTP: who may, what is shown to whom, and that no address ever goes out."""

from __future__ import annotations

from typing import Any

from impetus.api.tests.conftest import Api
from impetus.connectors.cap import read_cap
from impetus.model import Alert, Permission, Status
from impetus.situation.tests.house import an_alert

ADDRESS = "json://me:top-secret-word@127.0.0.1:9/hook"
CHANNEL: dict[str, Any] = {"channel": {"id": "hook", "title": "Hook"}, "address": ADDRESS}
ROSTER: dict[str, Any] = {
    "roster": {
        "id": "duty",
        "title": "Duty",
        "zone": "Europe/Oslo",
        "members": [{"id": "kari", "name": "Kari Nordmann", "channels": ["hook"]}],
        "shifts": [{"members": ["kari"], "start_day": "monday", "start": "08:00", "end_day": "monday", "end": "08:00"}],
    }
}
CHAIN: dict[str, Any] = {
    "chain": {"id": "fire", "title": "Fire", "rules": [{"states": ["new"]}], "steps": [{"rosters": ["duty"]}]}
}


async def test_a_supervisor_sets_up_and_everyone_sees_who_is_on_duty(api: Api) -> None:
    sofia, olivia, pia = await api.person("sofia"), await api.person("olivia"), await api.person("pia")
    for path, body in (("/channels", CHANNEL), ("/rosters", ROSTER), ("/escalations", CHAIN)):
        assert (await olivia.post(path, json=body)).status_code == 403, path
        answer = await sofia.post(path, json=body)
        assert answer.status_code == 201, answer.text
        assert (await sofia.post(path, json=body)).status_code == 409, path
        items = (await olivia.get(path)).json()["items"]
        assert (len(items), items[0]["version"], items[0]["updated_by"]) == (1, 1, "Sofia Example")
        assert (await pia.get(path)).json()["items"] == []
        assert "top-secret-word" not in answer.text + str(items)
    (roster,) = (await olivia.get("/rosters")).json()["items"]
    assert roster["on_duty"][0]["name"] == "Kari Nordmann"
    (channel,) = (await olivia.get("/channels")).json()["items"]
    assert (channel["service"], channel["health"]["state"]) == ("json", "starting")
    parts = {part["part"] for part in (await olivia.get("/status")).json()["parts"]}
    assert "channel-hook" in parts
    assert "channel-hook" not in str((await pia.get("/status")).json())

    assert (await sofia.post("/channels/hook/test")).status_code == 202
    ada = await api.person("ada")
    alert = an_alert(severity="Severe")
    await api.services.notification.handle([], lambda _, __: None)
    await api.house.situation.alerts.ingest("municipality", [alert])
    (message,) = (await ada.get("/notifications")).json()["items"]
    assert message["title"].startswith("TEST")
    assert (await pia.get("/notifications")).json()["items"] == []
    assert (await sofia.delete("/channels/hook")).status_code == 409
    for path in ("/escalations/fire", "/rosters/duty", "/channels/hook"):
        assert (await sofia.delete(path)).status_code == 204, path
    assert (await pia.post("/escalations/climbs/none/acknowledge")).status_code == 404
    await api.services.notification.close()


async def test_a_roster_that_cannot_be_is_refused_with_what_is_wrong(api: Api) -> None:
    sofia = await api.person("sofia")
    answer = await sofia.post("/rosters", json=ROSTER)
    assert answer.status_code == 422
    assert "no channel hook" in answer.json()["detail"]
    wrong = {"roster": {**ROSTER["roster"], "zone": "Europe/Atlantis"}}
    assert "Europe/Atlantis" in (await sofia.post("/rosters", json=wrong)).text
    local = {**CHANNEL, "address": "syslog://localhost"}
    assert "this machine" in (await sofia.post("/channels", json=local)).text


async def test_an_alert_goes_out_as_cap_once_as_alert_then_as_update_then_as_cancel(api: Api) -> None:
    olivia, pia = await api.person("olivia"), await api.person("pia")
    alert = an_alert(status=Status.EXERCISE)
    await api.house.situation.alerts.ingest("municipality", [alert])
    path = f"/alerts/{alert.id}/cap"
    first = await olivia.get(path)
    assert first.headers["content-type"].startswith("application/cap+xml")
    message, _ = read_cap(first.content)
    assert (message.type, message.status, message.sender) == (
        "Alert", "Exercise", "municipality@impetus.invalid",
    )  # fmt: skip
    assert (await olivia.get(path)).content == first.content
    assert (await pia.get(path)).status_code == 404
    await api.house.situation.alerts.ingest(
        "municipality", [alert.model_copy(update={"revision": 1, "headline": "It is worse"})]
    )
    update, _ = read_cap((await olivia.get(path)).content)
    assert (update.type, update.references[0].identifier) == ("Update", message.identifier)
    body = {"action": "dismiss", "reason": "false", "version": 1}
    assert (await olivia.post(f"/alerts/{alert.id}/decisions", json=body)).status_code == 201
    cancel, _ = read_cap((await olivia.get(path)).content)
    assert (cancel.type, len(cancel.references)) == ("Cancel", 2)


async def test_an_incident_goes_out_as_cap(api: Api) -> None:
    olivia = await api.person("olivia")
    alert = an_alert(status=Status.EXERCISE)
    await api.house.situation.alerts.ingest("municipality", [alert])
    made = (await olivia.post("/incidents", json={"title": "Fire <here>", "alerts": [alert.id]})).json()
    answer = await olivia.get(f"/incidents/{made['id']}/cap")
    assert answer.status_code == 200, answer.text
    message, _ = read_cap(answer.content)
    assert (message.status, message.infos[0].headline, message.incidents) == ("Exercise", "Fire <here>", (made["id"],))


def cap(identifier: str, type: str, more: str = "", info: str | None = None) -> bytes:
    if info is None:
        info = (
            "<info><category>Met</category><event>Storm</event><urgency>Expected</urgency>"
            "<severity>Severe</severity><certainty>Likely</certainty></info>"
        )
    sent = "2026-11-20T12:00:00-00:00"
    return (
        f'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>{identifier}</identifier>'
        f"<sender>met@office.example</sender><sent>{sent}</sent><status>Actual</status>"
        f"<msgType>{type}</msgType><scope>Public</scope>{more}{info}</alert>"
    ).encode()


async def test_messages_of_another_house_become_one_alert_that_they_update_and_end(api: Api) -> None:
    headers = {"Content-Type": "application/cap+xml"}
    async with await api.machine(Permission.ALERTS_WRITE) as machine:
        first = await machine.post("/cap", content=cap("one", "Alert"), headers=headers)
        assert first.status_code == 202, first.text
        id = first.json()["id"]
        assert (await machine.post("/cap", content=cap("one", "Alert"), headers=headers)).json()["id"] == id
        earlier = "<references>met@office.example,one,2026-11-20T12:00:00-00:00</references>"
        update = await machine.post("/cap", content=cap("two", "Update", earlier), headers=headers)
        assert update.json()["id"] == id
        stranger = cap("three", "Cancel", earlier).replace(b"<sender>met", b"<sender>someone")
        other = await machine.post("/cap", content=stranger, headers=headers)
        assert other.json().get("id") != id
        lost = "<references>met@office.example,lost,2026-11-20T12:00:00-00:00</references>"
        refused = await machine.post("/cap", content=cap("four", "Cancel", lost, info=""), headers=headers)
        assert refused.status_code == 422
        assert (await machine.post("/cap", content=cap("five", "Ack", earlier), headers=headers)).status_code == 422
        assert (await machine.post("/cap", content=b"<x/>", headers=headers)).status_code == 422
        assert (await machine.post("/cap", json={})).status_code == 415
        assert (await machine.post("/cap", content=b"x" * 2_000_000, headers=headers)).status_code == 413
    async with api.house.store.view() as view:
        sent = [envelope.open(Alert) for _, envelope in await view.outbox.waiting_in_installation()]
    about = [alert for alert in sent if alert.id == id]
    assert [alert.revision for alert in about] == [0, 1]
    assert about[0].tool == "cap"
