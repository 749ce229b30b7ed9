"""Protects what the routes answer when all is well."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from impetus.api.tests.conftest import Api
from impetus.api.tests.examples import WORKSHEET
from impetus.model import Alert, ObservationBatch, Permission, Severity
from impetus.situation.runtime import running
from impetus.situation.tests.house import a_datastream, an_alert, eventually


async def test_the_queue_is_ordered_filtered_and_paged(api: Api) -> None:
    alerts = [
        an_alert(severity=severity, confidence=confidence)
        for severity in (Severity.MINOR, Severity.SEVERE, Severity.EXTREME)
        for confidence in (0.2, 0.9)
    ]
    await api.house.situation.alerts.ingest("municipality", alerts)
    olivia = await api.person("olivia")
    seen, after = [], None
    while True:
        page = (await olivia.get("/alerts", params={"limit": 4} | ({"after": after} if after else {}))).json()
        seen += page["items"]
        after = page["next"]
        if after is None:
            break
    assert {one["id"] for one in seen} == {alert.id for alert in alerts}
    assert [one["harm"] for one in seen] == sorted((one["harm"] for one in seen), reverse=True)
    severe = (await olivia.get("/alerts?severity=Severe&severity=Minor")).json()["items"]
    assert {one["severity"] for one in severe} == {"Severe", "Minor"}
    by_time = (await olivia.get("/alerts?order=time&limit=1")).json()
    assert by_time["next"] is not None
    assert (await olivia.get(f"/alerts?after={by_time['next']}")).status_code == 422


async def test_a_machine_sends_an_alert_and_it_reaches_the_queue_once(api: Api) -> None:
    alert = an_alert(tool="camera-of-ours", detector="any")
    body = json.loads(alert.model_dump_json())
    async with await api.machine(Permission.ALERTS_WRITE) as machine:
        refused = await machine.post("/alerts", json=body)
        assert refused.status_code == 403
        assert "camera-of-ours" in refused.text
    dora = await api.person("dora")
    olivia = await api.person("olivia")
    assert (await olivia.get("/data-protection/camera-of-ours")).status_code == 404
    assert not (await dora.get("/data-protection/camera-of-ours")).json()["runs"]
    kept = await dora.put("/data-protection/camera-of-ours", json={"version": 0, "worksheet": WORKSHEET})
    assert kept.status_code == 200, kept.text
    decision = {"outcome": "approved", "reason": "seen", "version": 1, "until": "2028-01-01T00:00:00Z"}
    assert (await dora.post("/data-protection/camera-of-ours/decisions", json=decision)).status_code == 201
    async with (
        running(api.services.situation),
        await api.machine(Permission.ALERTS_WRITE, Permission.ALERTS_READ) as machine,
    ):
        for _ in range(2):
            answer = await machine.post("/alerts", json=body)
            assert answer.status_code == 202
            assert answer.json()["id"] == alert.id
        shown = await eventually(lambda: _items(machine, "/alerts"))
        assert len(shown) == 1
        assert Alert.model_validate({name: shown[0][name] for name in body}) == alert
        late = await machine.post("/alerts", json=body | {"id": "late", "sent": "2090-01-01T00:00:00Z"})
        assert late.status_code == 422
        withdrawn = {"outcome": "withdrawn", "reason": "a complaint", "version": 2}
        assert (await dora.post("/data-protection/camera-of-ours/decisions", json=withdrawn)).status_code == 201
        assert (await machine.post("/alerts", json=body | {"id": "after"})).status_code == 403


async def _items(client: object, path: str) -> list[dict[str, object]]:
    answer = await client.get(path)  # type: ignore[attr-defined]
    items: list[dict[str, object]] = answer.json()["items"]
    return items


async def test_readings_are_sent_kept_and_shown_in_columns(api: Api) -> None:
    ada = await api.person("ada")
    assert (await ada.post("/datastreams", json=a_datastream().model_dump(mode="json"))).status_code == 201
    now = api.house.clock.now()
    microseconds = int(now.timestamp()) * 1_000_000
    batch = ObservationBatch(
        datastreams=("traffic-1",), index=(0, 0), time_us=(microseconds - 2_000_000, microseconds), value=(1.5, 2.5)
    )
    async with (
        running(api.services.situation),
        await api.machine(Permission.OBSERVATIONS_WRITE, Permission.OBSERVATIONS_READ) as machine,
    ):
        answer = await machine.post("/observations", json=batch.model_dump())
        assert (answer.status_code, answer.json()) == (202, {"accepted": 2})
        one = {"datastream": "traffic-1", "time": (now + timedelta(seconds=1)).isoformat(), "value": 3.5}
        assert (await machine.post("/observations", json=one)).status_code == 202

        async def kept() -> object:
            columns = (await machine.get("/datastreams/traffic-1/observations")).json()
            return columns if len(columns["value"]) == 3 else None

        columns = await eventually(kept)
        assert columns["value"] == [1.5, 2.5, 3.5]
        assert columns["time"][0].endswith("+00:00")
        (sensor,) = (await machine.get("/datastreams")).json()["items"]
        assert sensor["latest"]["value"] == 3.5
        assert sensor["state"] == "ok"
        for wrong in (
            one | {"datastream": "unknown"},
            one | {"value": "NaN"},
            one | {"value": 1e9},
            one | {"time": "2090-01-01T00:00:00Z"},
            one | {"time": "1990-01-01T00:00:00Z"},
        ):
            assert (await machine.post("/observations", json=wrong)).status_code == 422, wrong
        span = await machine.get("/datastreams/traffic-1/observations?since=2026-01-02T00:00Z&until=2026-01-01T00:00Z")
        assert span.status_code == 422


async def test_a_senders_trace_is_noted_where_traces_are_made_and_nowhere_else(api: Api) -> None:
    """Headers that are too long to be one are passed over; none is needed, and nobody is refused for his."""
    ada = await api.person("ada")
    assert (await ada.post("/datastreams", json=a_datastream().model_dump(mode="json"))).status_code == 201
    noted: list[tuple[str, tuple[str, ...], str]] = []
    one = {"datastream": "traffic-1", "time": api.house.clock.now().isoformat(), "value": 3.5}
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with await api.machine(Permission.OBSERVATIONS_WRITE) as machine:
        assert (await machine.post("/observations", json=one, headers={"traceparent": parent})).status_code == 202
        api.services.note_sender = lambda tenant, sources, header: noted.append((tenant, tuple(sources), header))
        for headers in ({"traceparent": parent}, {"traceparent": parent * 2}, {}):
            assert (await machine.post("/observations", json=one, headers=headers)).status_code == 202
    assert noted == [("municipality", ("traffic-1",), parent)]


async def test_identifiers_may_hold_slashes(api: Api) -> None:
    id = "north/loop:7/speed"
    async with api.house.store.transaction() as transaction:
        await transaction.datastreams.put("municipality", [a_datastream(id=id)])
    alert = an_alert(id="a/b@c", source=id)
    await api.house.situation.alerts.ingest("municipality", [alert])
    olivia = await api.person("olivia")
    for path in (id, id.replace("/", "%2F")):
        assert (await olivia.get(f"/datastreams/{path}")).json()["id"] == id
        assert (await olivia.get(f"/datastreams/{path}/observations")).json()["value"] == []
        assert (await olivia.get(f"/datastreams/{path}/expectations")).json()["score"] == []
    assert (await olivia.get("/alerts/a%2Fb@c")).json()["id"] == "a/b@c"
    decided = await olivia.post("/alerts/a%2Fb@c/decisions", json={"action": "confirm", "version": 1})
    assert decided.status_code == 201


async def test_a_sensor_shows_what_is_open_on_it_until_it_is_over_or_dismissed(api: Api) -> None:
    async with api.house.store.transaction() as transaction:
        await transaction.datastreams.put("municipality", [a_datastream()])
    olivia = await api.person("olivia")

    async def state() -> str:
        return str((await olivia.get("/datastreams/traffic-1")).json()["state"])

    assert await state() == "unknown"
    level, silence = an_alert(), an_alert(detector="silence")
    await api.house.situation.alerts.ingest("municipality", [level, silence])
    assert await state() == "silent"
    over = silence.model_copy(update={"revision": 1, "ended": api.house.clock.now()})
    await api.house.situation.alerts.ingest("municipality", [over])
    assert await state() == "anomalous"
    await olivia.post(f"/alerts/{level.id}/decisions", json={"action": "confirm", "version": 1})
    assert await state() == "anomalous"
    await olivia.post(f"/alerts/{level.id}/decisions", json={"action": "reopen", "reason": "x", "version": 2})
    await olivia.post(f"/alerts/{level.id}/decisions", json={"action": "dismiss", "reason": "x", "version": 3})
    assert await state() == "unknown"


async def test_an_incident_goes_from_alert_to_review(api: Api) -> None:
    alert = an_alert()
    await api.house.situation.alerts.ingest("municipality", [alert])
    olivia = await api.person("olivia")
    incident = (await olivia.post("/incidents", json={"title": "Crash", "alerts": [alert.id]})).json()
    version = incident["version"]
    for action, reason in (("note", "on the way"), ("contain", ""), ("close", ""), ("review", "")):
        answer = await olivia.post(
            f"/incidents/{incident['id']}/decisions", json={"action": action, "reason": reason, "version": version}
        )
        assert answer.status_code == 201, answer.text
        version = answer.json()["incident"]["version"]
    room = (await olivia.get(f"/incidents/{incident['id']}")).json()
    assert room["incident"]["state"] == "reviewed"
    assert [one["action"] for one in room["actions"]] == ["reopen", "note"]
    assert [entry["decision"]["action"] for entry in room["timeline"] if entry["decision"]] == [
        "open",
        "note",
        "contain",
        "close",
        "review",
    ]
    (listed,) = (await olivia.get("/incidents?state=reviewed")).json()["items"]
    assert listed["alerts"] == [alert.id]
    decisions = (await olivia.get("/decisions", params={"subject": incident["id"]})).json()["items"]
    assert len(decisions) == 5


async def test_administrators_make_people_and_tokens(api: Api) -> None:
    ada = await api.person("ada")
    person = {"name": "nina", "full_name": "Nina New", "role": "operator", "password": "twelve long words"}
    made = await ada.post("/users", json=person)
    assert made.status_code == 201
    assert "password" not in made.text
    assert (await ada.post("/users", json=person)).status_code == 409
    assert (await ada.post("/users", json=person | {"name": "n2", "tenant": "police"})).status_code == 403
    assert (await ada.post("/users", json=person | {"name": "n3", "password": "short"})).status_code == 422
    shut = await ada.post(f"/users/{made.json()['id']}", json={"active": False})
    assert shut.json()["active"] is False
    token = (await ada.post("/tokens", json={"name": "sensor hub", "scopes": ["observations:write"]})).json()
    assert token["token"].startswith("imp_")
    async with api.client(headers={"Authorization": f"Bearer {token['token']}"}) as machine:
        assert (await machine.get("/session")).json()["machine"] == "sensor hub"
        assert (await ada.post(f"/tokens/{token['id']}/revoke")).status_code == 200
        assert (await machine.get("/session")).status_code == 401
    assert "hash" not in (await ada.get("/tokens")).text
    refused = await ada.post("/tokens", json={"title": "x", "scopes": ["alerts:decide"]})
    assert refused.status_code == 422
    assert (await ada.post("/organisations", json={"id": "fire", "name": "Fire service"})).status_code == 201
    assert len((await ada.get("/organisations")).json()["items"]) == 3
    verified = (await ada.post("/audit/verify")).json()
    assert verified["ok"]
    assert verified["checked"] >= 4
    newest = (await ada.get("/audit?limit=1")).json()
    assert newest["next"] is not None


async def test_the_status_tools_evidence_and_map(api: Api, tmp_path: Path) -> None:
    olivia = await api.person("olivia")
    assert (await olivia.get("/health")).json()["status"] == "ok"
    status = (await olivia.get("/status")).json()
    assert status["counts"]["alerts_open"] == 0
    (tool,) = (await olivia.get("/tools")).json()["items"]
    assert tool["error"] == "it does not import"
    assert (await olivia.get("/tools/broken")).status_code == 200
    assert (await olivia.get("/tools/nothing")).status_code == 404
    sha256 = await api.services.evidence.put("municipality", b"<script>alert(1)</script>")
    opened = await olivia.post(f"/evidence/{sha256}/openings", json={"reason": "a test"})
    evidence = await olivia.get(f"/evidence/{sha256}?opening={opened.json()['opening']['id']}")
    assert evidence.headers["content-type"] == "application/octet-stream"
    assert evidence.headers["content-disposition"].startswith("attachment")
    assert (await olivia.get("/map/base")).json()["type"] == "FeatureCollection"
    assert len((await olivia.get("/map/settings")).json()["centre"]) == 2


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
async def test_no_page_loads_anything_from_elsewhere(api: Api, path: str) -> None:
    async with api.client() as client:
        assert (await client.get(f"http://test{path}")).status_code == 404
        assert (await client.get("/openapi.json")).status_code == 200
