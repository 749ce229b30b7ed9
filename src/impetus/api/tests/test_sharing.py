"""Protects that organisations see of each other exactly what they agreed on, from the database to the wire."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from impetus.api.broadcast import TOPIC_PERMISSION
from impetus.api.tests.conftest import Api
from impetus.api.tests.test_stream import Listener, logged_in, served
from impetus.governance import ROLE_PERMISSIONS, installation_principal
from impetus.model import Category, DataClass, EvidenceReference, Factor, Permission, Place, Point, Role, Severity
from impetus.situation.tests.house import an_alert, eventually

SECRETS = (
    "secretheadline",
    "secretdescription",
    "secretsource",
    "secretfactor",
    "secretplace",
    "secretreason",
    "Olivia",
)
REFUSALS = ("400", "403", "404", "409", "422")
ALL_GROUPS = [
    "headline",
    "description",
    "explanation",
    "sources",
    "evidence",
    "personal-evidence",
    "decisions",
    "people",
    "conversation",
]


def secret_alert(**changes: Any) -> Any:
    """An alert whose every text can be found again."""
    return an_alert(
        **{
            "headline": "secretheadline",
            "description": "secretdescription",
            "source": "secretsource",
            "severity": Severity.SEVERE,
            "explanation": (Factor(name="secretfactor", weight=0.5),),
            "place": Place(geometry=Point(coordinates=(8.01234, 58.14321)), name="secretplace"),
            **changes,
        }
    )


def terms(api: Api, **changes: Any) -> dict[str, Any]:
    until = api.house.clock.now() + timedelta(days=30)
    return {
        "purpose": "mutual aid",
        "categories": ["Transport"],
        "until": until.isoformat(),
        "groups": [],
        "alerts": True,
        **changes,
    }


async def agree(api: Api, **changes: Any) -> str:
    """An agreement in force: the municipality gives, the police receive."""
    sofia, paul = await api.person("sofia"), await api.person("paul")
    new = {"giver": "municipality", "receiver": "police", "terms": terms(api, **changes)}
    proposed = await sofia.post("/agreements", json=new)
    assert proposed.status_code == 201, proposed.text
    assert proposed.json()["state"] == "proposed"
    id = proposed.json()["agreement"]["id"]
    approved = await paul.post(f"/agreements/{id}/approve", json={"version": 1})
    assert approved.json()["state"] == "active", approved.text
    return str(id)


async def open_incident(api: Api, **changes: Any) -> tuple[str, Any]:
    """An incident of the municipality on an alert with secrets, and what is shared brought up to date."""
    alert = secret_alert(**changes)
    await api.house.situation.alerts.ingest("municipality", [alert])
    olivia = await api.person("olivia")
    made = await olivia.post("/incidents", json={"title": "secretheadline", "alerts": [alert.id]})
    assert made.status_code == 201, made.text
    id = str(made.json()["id"])
    await api.services.shares.refresh("municipality", id)
    return id, alert


async def received(api: Api) -> list[dict[str, Any]]:
    pia = await api.person("pia")
    items: list[dict[str, Any]] = (await pia.get("/shared-incidents")).json()["items"]
    return items


async def test_nothing_crosses_before_both_sides_have_approved(api: Api) -> None:
    sofia, paul, olivia = await api.person("sofia"), await api.person("paul"), await api.person("olivia")
    new = {"giver": "municipality", "receiver": "police", "terms": terms(api)}
    id = (await sofia.post("/agreements", json=new)).json()["agreement"]["id"]
    await open_incident(api)
    assert await received(api) == []
    assert (await sofia.post(f"/agreements/{id}/approve", json={"version": 1})).status_code == 409
    assert (await olivia.post(f"/agreements/{id}/approve", json={"version": 1})).status_code == 403
    changed = await sofia.post(f"/agreements/{id}/terms", json={"version": 1, "terms": terms(api, groups=["people"])})
    assert changed.status_code == 200
    # Nobody approves terms that they have not seen.
    assert (await paul.post(f"/agreements/{id}/approve", json={"version": 1})).status_code == 409
    assert (await paul.post(f"/agreements/{id}/approve", json={"version": 2})).json()["state"] == "active"
    await api.services.shares.refresh_all("municipality")
    assert len(await received(api)) == 1


async def test_a_shared_incident_shows_what_is_agreed_on_and_nothing_else(api: Api) -> None:
    await agree(api)
    incident, alert = await open_incident(api)
    pia = await api.person("pia")
    (shared,) = await received(api)
    answer = await pia.get(f"/shared-incidents/{shared['id']}")
    assert (shared["giver_name"], shared["state"], shared["severity"]) == ("Municipality", "open", "Severe")
    assert shared["title"] is None
    assert shared["shared"] is True
    for secret in (*SECRETS, incident, alert.id, "8.01"):
        assert secret not in answer.text, secret
    assert answer.json()["room"]["alerts"][0]["category"] == "Transport"


async def test_everything_agreed_on_is_shown_and_place_is_rounded(api: Api) -> None:
    await agree(api, groups=ALL_GROUPS, place="coarse")
    await open_incident(api)
    pia = await api.person("pia")
    (shared,) = await received(api)
    answer = await pia.get(f"/shared-incidents/{shared['id']}")
    for secret in ("secretheadline", "secretdescription", "secretsource", "secretfactor", "Olivia"):
        assert secret in answer.text, secret
    assert shared["place"]["geometry"]["coordinates"] == [8.01, 58.14]
    assert "secretplace" not in answer.text


async def test_ending_closes_the_view_at_once_and_what_they_decided_stays_theirs(api: Api) -> None:
    agreement = await agree(api, groups=ALL_GROUPS)
    incident, _ = await open_incident(api)
    pia, paul, olivia = await api.person("pia"), await api.person("paul"), await api.person("olivia")
    (shared,) = await received(api)
    id = shared["id"]
    decided = await pia.post(
        f"/shared-incidents/{id}/decisions",
        json={"action": "engage", "reason": "two cars on the way", "version": shared["version"]},
    )
    assert decided.status_code == 201, decided.text
    assert decided.json()["incident"]["part"] == "engaged"
    await pia.post(f"/incidents/{id}/messages", json={"text": "our own thoughts", "kind": "note"})
    await olivia.post(f"/incidents/{incident}/messages", json={"text": "bring a ladder"})
    assert "bring a ladder" in (await pia.get(f"/incidents/{id}/messages")).text
    joint = (await olivia.get(f"/incidents/{incident}/share")).json()
    assert (joint["shares"][0]["part"], joint["timeline"][0]["text"]) == ("engaged", "two cars on the way")
    assert joint["timeline"][0]["person_name"] == "Pia Example"
    assert "our own thoughts" not in (await olivia.get(f"/incidents/{incident}/messages")).text

    ended = await paul.post(f"/agreements/{agreement}/end", json={"reason": "no longer needed"})
    assert ended.json()["state"] == "ended"
    room = await pia.get(f"/shared-incidents/{id}")
    for secret in (*SECRETS, "bring a ladder"):
        assert secret not in room.text + (await pia.get(f"/incidents/{id}/messages")).text, secret
    gone = room.json()["room"]["incident"]
    assert (gone["ending"], gone["state"]) == ("agreement-ended", None)
    assert [entry["text"] for entry in room.json()["room"]["timeline"]] == ["two cars on the way", "our own thoughts"]
    late = await pia.post(
        f"/shared-incidents/{id}/decisions", json={"action": "stand-down", "version": gone["version"]}
    )
    assert late.status_code == 409
    assert (await olivia.post(f"/incidents/{incident}/messages", json={"text": "anybody?"})).status_code == 409
    (share,) = (await olivia.get(f"/incidents/{incident}/share")).json()["shares"]
    assert share["ending"] == "agreement-ended"


async def test_an_organisation_shut_out_in_mid_incident_is_plain_on_both_sides(api: Api) -> None:
    agreement = await agree(api, groups=ALL_GROUPS)
    incident, _ = await open_incident(api)
    pia, olivia, sofia = await api.person("pia"), await api.person("olivia"), await api.person("sofia")
    (shared,) = await received(api)
    await pia.post(
        f"/shared-incidents/{shared['id']}/decisions", json={"action": "engage", "version": shared["version"]}
    )
    accounts, by = api.house.governance.accounts, installation_principal()
    await accounts.set_organisation_active(by, "police", False)
    assert (await pia.get("/shared-incidents")).status_code == 401
    (share,) = (await olivia.get(f"/incidents/{incident}/share")).json()["shares"]
    assert (share["ending"], share["part"]) == ("shut-out", "engaged")
    assert (await olivia.get(f"/incidents/{incident}")).json()["incident"]["state"] == "open"
    ended = (await sofia.get(f"/agreements/{agreement}")).json()
    assert (ended["state"], ended["agreement"]["ending"]["reason"]) == ("ended", "The organisation was shut out.")
    new = {"giver": "municipality", "receiver": "police", "terms": terms(api)}
    assert (await sofia.post("/agreements", json=new)).status_code == 409
    # Let in again, they find what they decided, and nothing of the others.
    await accounts.set_organisation_active(by, "police", True)
    del api.clients["pia"]
    pia = await api.person("pia")
    room = await pia.get(f"/shared-incidents/{shared['id']}")
    assert room.json()["room"]["incident"]["ending"] == "shut-out"
    assert [entry["action"] for entry in room.json()["room"]["timeline"]] == ["engage"]
    await api.services.shares.refresh_all("municipality")
    assert (await pia.get(f"/shared-incidents/{shared['id']}")).json()["room"]["incident"]["state"] is None


async def test_the_giver_shut_out_closes_what_it_gave(api: Api) -> None:
    await agree(api, groups=ALL_GROUPS)
    await open_incident(api)
    await api.house.governance.accounts.set_organisation_active(installation_principal(), "municipality", False)
    pia = await api.person("pia")
    (shared,) = await received(api)
    assert (shared["ending"], shared["title"]) == ("shut-out", None)
    assert "secret" not in (await pia.get(f"/shared-incidents/{shared['id']}")).text


async def test_an_agreement_that_runs_out_closes_the_view_by_itself(api: Api) -> None:
    until = api.house.clock.now() + timedelta(seconds=1.5)
    await agree(api, groups=ALL_GROUPS, until=until.isoformat())
    await open_incident(api)
    (shared,) = await received(api)
    assert shared["title"] == "secretheadline"

    async def over() -> bool:
        return (await received(api))[0]["title"] is None

    await eventually(over)
    assert await api.services.shares.sweep() == 1
    assert await api.services.shares.sweep() == 0
    assert (await received(api))[0]["ending"] == "agreement-expired"


async def test_what_is_no_longer_covered_is_taken_back(api: Api) -> None:
    await agree(api, from_severity="Severe")
    incident, alert = await open_incident(api)
    assert (await received(api))[0]["ended"] is None
    milder = alert.model_copy(update={"revision": 1, "category": Category.HEALTH})
    await api.house.situation.alerts.ingest("municipality", [milder])
    # Before anybody was told: a look asks afresh.
    assert (await received(api))[0]["ending"] == "not-covered"
    await api.services.shares.refresh("municipality", incident)
    assert (await received(api))[0]["ending"] == "not-covered"


async def shared_evidence(api: Api) -> tuple[str, str, str]:
    """An incident of the municipality with evidence, one piece of it about a person: its id, and theirs."""
    plain = await api.services.evidence.put("municipality", b"plain")
    personal = await api.services.evidence.put("municipality", b"face")
    incident, _ = await open_incident(
        api,
        evidence=(
            EvidenceReference(sha256=plain, media_type="image/png", title="plain", size_bytes=1),
            EvidenceReference(
                sha256=personal, media_type="image/png", title="a face", size_bytes=1, data_class=DataClass.PERSONAL
            ),
        ),
    )
    return incident, plain, personal


async def test_evidence_is_opened_only_as_agreed_and_both_sides_know_who_saw_what_and_why(api: Api) -> None:
    agreement = await agree(api, groups=["evidence", "people"])
    incident, plain, personal = await shared_evidence(api)
    pia, ada, paul, olivia = [await api.person(name) for name in ("pia", "ada", "paul", "olivia")]
    (shared,) = await received(api)
    path = f"/shared-incidents/{shared['id']}/evidence"
    room = await pia.get(f"/shared-incidents/{shared['id']}")
    assert plain in room.text
    assert personal not in room.text
    # Nobody looks at it without saying why, and a reason opens nothing that does not cross.
    assert (await pia.get(f"{path}/{plain}")).status_code == 403
    assert (await pia.post(f"{path}/{plain}/openings", json={})).status_code == 422
    assert (await pia.post(f"{path}/{personal}/openings", json={"reason": "curious"})).status_code == 404
    assert (await pia.post(f"/evidence/{plain}/openings", json={"reason": "by the back door"})).status_code == 404
    opened = await pia.post(f"{path}/{plain}/openings", json={"reason": "is it the same van?"})
    assert opened.status_code == 201, opened.text
    opening = opened.json()["opening"]
    content = await pia.get(f"{path}/{plain}?opening={opening['id']}")
    assert (content.status_code, content.content) == (200, b"plain")
    assert (await pia.get(f"{path}/{personal}?opening={opening['id']}")).status_code == 404
    assert (await olivia.get(f"/evidence/{plain}?opening={opening['id']}")).status_code == 403
    # Both chains of custody and both audit logs tell it, each in its own organisation's terms.
    theirs = (await pia.get(f"/evidence/{plain}/custody")).json()["items"]
    assert [(one["kind"], one["person_name"], one["organisation"]) for one in theirs] == [
        ("missing", "Pia Example", None),
        ("opened", "Pia Example", None),
    ]
    assert theirs[1]["incident"] == shared["id"]
    (ours,) = (await olivia.get(f"/evidence/{plain}/custody")).json()["items"]
    assert (ours["kind"], ours["organisation"], ours["person_name"]) == ("opened", "police", "Pia Example")
    assert (ours["reason"], ours["incident"], ours["person"]) == ("is it the same van?", incident, None)
    export = (await olivia.get(f"/incidents/{incident}/export")).json()
    assert "is it the same van?" in str(export["evidence"])
    log = (await paul.get("/audit")).json()["items"]
    assert [one["action"] for one in log[:3]] == ["evidence.open", "evidence.missing", "shared-incident.open"]
    (seen,) = (await ada.get("/audit", params={"action": "evidence.open"})).json()["items"]
    assert (seen["actor"], seen["subject"]) == ("organisation:police", f"evidence:{plain}")
    assert "Pia Example" in str(seen)
    # An opening is worth nothing once the agreement is ended.
    await paul.post(f"/agreements/{agreement}/end", json={})
    assert (await pia.get(f"{path}/{plain}?opening={opening['id']}")).status_code == 404


async def test_whoever_opens_evidence_of_others_is_named_only_where_names_cross(api: Api) -> None:
    await agree(api, groups=["evidence"])
    _, plain, _ = await shared_evidence(api)
    pia, ada, olivia = [await api.person(name) for name in ("pia", "ada", "olivia")]
    (shared,) = await received(api)
    path = f"/shared-incidents/{shared['id']}/evidence/{plain}/openings"
    assert (await pia.post(path, json={"reason": "to compare"})).status_code == 201
    custody = await olivia.get(f"/evidence/{plain}/custody")
    (entry,) = custody.json()["items"]
    assert (entry["organisation"], entry["person_name"], entry["reason"]) == ("police", None, "to compare")
    assert "Pia" not in custody.text + (await ada.get("/audit")).text
    async with await api.machine(Permission.EVIDENCE_READ, tenant="police") as machine:
        assert (await machine.post(path, json={"reason": "a robot"})).status_code == 403


async def test_altered_evidence_of_others_is_not_handed_out_and_both_chains_say_so(api: Api, tmp_path: Path) -> None:
    await agree(api, groups=["evidence"])
    _, plain, _ = await shared_evidence(api)
    pia, olivia = await api.person("pia"), await api.person("olivia")
    (shared,) = await received(api)
    path = f"/shared-incidents/{shared['id']}/evidence/{plain}"
    opened = await pia.post(f"{path}/openings", json={"reason": "looking"})
    (tmp_path / "evidence" / "municipality" / plain[:2] / plain).write_bytes(b"forged")
    answers = [
        await pia.get(f"{path}?opening={opened.json()['opening']['id']}"),
        await pia.post(f"{path}/openings", json={"reason": "looking again"}),
    ]
    assert [answer.status_code for answer in answers] == [500, 500]
    assert all(b"forged" not in answer.content for answer in answers)
    for client in (pia, olivia):
        chain = (await client.get(f"/evidence/{plain}/custody")).json()["items"]
        assert [entry["kind"] for entry in chain] == ["opened", "altered", "altered"]


async def test_two_receivers_do_not_read_each_other(api: Api) -> None:
    await agree(api, groups=["conversation"])
    accounts, by = api.house.governance.accounts, installation_principal()
    await accounts.create_organisation(by, "fire", "Fire service")
    await accounts.create_user(
        by,
        "fire",
        name="frida",
        full_name="Frida Example",
        role=Role.SUPERVISOR,
        password="correct horse battery staple",
    )
    sofia, frida = await api.person("sofia"), await api.person("frida")
    new = {"giver": "municipality", "receiver": "fire", "terms": terms(api, groups=["conversation"])}
    id = (await sofia.post("/agreements", json=new)).json()["agreement"]["id"]
    assert (await frida.post(f"/agreements/{id}/approve", json={"version": 1})).status_code == 200
    incident, _ = await open_incident(api)
    pia, olivia = await api.person("pia"), await api.person("olivia")
    (ours,) = await received(api)
    (fires,) = (await frida.get("/shared-incidents")).json()["items"]
    await pia.post(f"/incidents/{ours['id']}/messages", json={"text": "from the police"})
    await olivia.post(f"/incidents/{incident}/messages", json={"text": "to the fire service", "to": "fire"})
    await olivia.post(f"/incidents/{incident}/messages", json={"text": "to everybody"})
    await olivia.post(f"/incidents/{incident}/messages", json={"text": "to ourselves", "kind": "note"})

    async def read(client: httpx.AsyncClient, id: str) -> list[str]:
        return [one["text"] for one in (await client.get(f"/incidents/{id}/messages")).json()["items"]]

    assert await read(frida, fires["id"]) == ["to the fire service", "to everybody"]
    assert await read(pia, ours["id"]) == ["from the police", "to everybody"]
    assert await read(olivia, incident) == [
        "from the police",
        "to the fire service",
        "to everybody",
        "to ourselves",
    ]
    (from_police,) = [
        one
        for one in (await olivia.get(f"/incidents/{incident}/messages")).json()["items"]
        if one["author"] == "police"
    ]
    assert from_police["person_name"] is None
    for path in (f"/shared-incidents/{ours['id']}", f"/incidents/{ours['id']}/messages"):
        assert (await frida.get(path)).status_code == 404


async def test_a_preview_shows_the_own_last_week_and_keeps_nothing(api: Api) -> None:
    await open_incident(api)
    sofia, ada, olivia = await api.person("sofia"), await api.person("ada"), await api.person("olivia")
    wanted = {"terms": terms(api, groups=["headline"]), "receiver": "police"}
    shown = (await sofia.post("/agreements/preview", json=wanted)).json()
    assert (shown["incidents"], shown["crossing"]) == (1, 1)
    assert shown["examples"][0]["incident"]["title"] == "secretheadline"
    assert "secretdescription" not in str(shown)
    # An administrator does not read incidents: the numbers must do.
    assert (await ada.post("/agreements/preview", json=wanted)).json()["examples"] == []
    assert (await olivia.post("/agreements/preview", json=wanted)).status_code == 403
    assert (await sofia.get("/agreements")).json()["items"] == []


async def test_no_stream_topic_carries_anything_of_another_organisation(api: Api) -> None:
    await agree(api)
    async with served(api) as address, logged_in(address, "olivia") as olivia, logged_in(address, "pia") as pia:
        # Every topic that an operator may listen to.
        topics = [topic for topic, needed in TOPIC_PERMISSION.items() if needed in ROLE_PERMISSIONS[Role.OPERATOR]]
        listener = Listener(pia, f"topics={','.join(topics)}")
        await eventually(lambda: api.services.broadcaster.clients == 1)
        alert = secret_alert()
        await api.house.situation.alerts.ingest("municipality", [alert])
        await olivia.post(f"/alerts/{alert.id}/decisions", json={"action": "confirm", "version": 1})
        (event,) = await listener.heard("shared-incident", 1)
        assert event.data["giver_name"] == "Municipality"
        (incident,) = (await olivia.get("/incidents")).json()["items"]
        await olivia.post(
            f"/incidents/{incident['id']}/messages",
            json={"text": "secretreason", "kind": "note", "visibility": "shared"},
        )
        await olivia.post(
            f"/incidents/{incident['id']}/decisions",
            json={"action": "contain", "reason": "secretreason", "version": incident["version"]},
        )
        run = await olivia.post(f"/incidents/{incident['id']}/procedures", json={"procedure": "gunman"})
        assert run.status_code == 201
        assert (await olivia.post("/handovers", json={"text": "secretreason"})).status_code == 201
        await listener.heard("shared-incident", 2)
        wire = str([one.data for one in listener.events if one.name != "health"])
        for text in (*SECRETS, alert.id, incident["id"], "58.14321"):
            assert text not in wire, text
        await listener.close()


async def test_confirmed_here_it_appears_there_within_a_moment_as_agreed(api: Api) -> None:
    agreement = await agree(api, groups=["headline", "decisions", "conversation"], place="coarse")
    async with (
        served(api) as address,
        logged_in(address, "olivia") as olivia,
        logged_in(address, "pia") as pia,
        logged_in(address, "paul") as paul,
    ):
        ours, theirs = Listener(olivia, "topics=incidents"), Listener(pia, "topics=incidents")
        await eventually(lambda: api.services.broadcaster.clients == 2)
        alert = secret_alert()
        await api.house.situation.alerts.ingest("municipality", [alert])
        begun = time.monotonic()
        confirmed = await olivia.post(f"/alerts/{alert.id}/decisions", json={"action": "confirm", "version": 1})
        assert confirmed.status_code == 201
        (event,) = await theirs.heard("shared-incident", 1)
        print(f"shown after {time.monotonic() - begun:.3f} s")
        shared = event.data
        assert (shared["shared"], shared["giver_name"], shared["title"]) == (True, "Municipality", "secretheadline")
        assert shared["place"]["geometry"]["coordinates"] == [8.01, 58.14]
        assert shared["summary"] is None
        room = (await pia.get(f"/shared-incidents/{shared['id']}")).json()["room"]
        assert "Olivia" not in str(room)
        # The other side answers, and both sides talk.
        await pia.post(
            f"/shared-incidents/{shared['id']}/decisions", json={"action": "engage", "version": shared["version"]}
        )
        share = (await eventually(lambda: [one for one in ours.of("incident-share") if one.data["part"] == "engaged"]))[
            0
        ]
        await olivia.post(f"/incidents/{share.data['incident']}/messages", json={"text": "at the north door"})
        (message,) = await theirs.heard("incident-message", 1)
        assert (message.data["text"], message.data["person_name"]) == ("at the north door", None)
        # Whoever was away gets what happened meanwhile, and nothing of it once the agreement is ended.
        again = Listener(pia, f"topics=incidents&after={(event.id or 1) - 1}")
        await again.heard("incident-message", 1)
        await again.close()
        seen = len(theirs.of("shared-incident"))
        await paul.post(f"/agreements/{agreement}/end", json={})
        await eventually(lambda: len(theirs.of("shared-incident")) > seen)
        over = theirs.of("shared-incident")[-1].data
        assert (over["ending"], over["title"]) == ("agreement-ended", None)
        again = Listener(pia, f"topics=incidents&after={(event.id or 1) - 1}")
        await again.heard("shared-incident", 1)
        await asyncio.sleep(0)
        assert "secretheadline" not in str(again.events)
        assert "north door" not in str(again.events)
        for listener in (again, ours, theirs):
            await listener.close()


async def test_a_machine_neither_agrees_nor_decides_nor_writes(api: Api) -> None:
    await agree(api, groups=ALL_GROUPS)
    incident, _ = await open_incident(api)
    async with await api.machine(Permission.INCIDENTS_READ, Permission.SHARING_READ) as machine:
        assert (await machine.get("/agreements")).status_code == 200
        assert (await machine.get(f"/incidents/{incident}/share")).status_code == 200
        assert (await machine.post(f"/incidents/{incident}/messages", json={"text": "x"})).status_code == 403
