"""Protects that no route shows or changes anything of another organisation: each is walked, whatever is added later."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from impetus.api.access import Open
from impetus.api.app import RESOURCES
from impetus.api.resource import Declaration
from impetus.api.tests.conftest import Api
from impetus.api.tests.examples import body_for
from impetus.api.tests.test_sharing import SECRETS, agree, open_incident, received
from impetus.governance import MACHINE_PERMISSIONS, ROLE_PERMISSIONS, installation_principal
from impetus.model import (
    EvidenceReference,
    Observation,
    ObservationBatch,
    Role,
    SubjectKind,
    ToolRequest,
    ToolResult,
)
from impetus.model.notification import Escalation, EscalationState, Notification, NotificationRule, Subject
from impetus.situation.tests.house import PASSWORD, a_datastream
from impetus.store.notification import CHAIN, CHANNEL, ROSTER

OURS = "municipality"
MORE_SECRETS = (
    *("secretevidence", "secretnote", "secrethandover", "secretsensor", "secretletter", "secretnotice"),
    *("secretresult", "secretrequest", "secretcase", "58.14321", "4321.5"),
)
SKIPPED = ("/stream", "/session", "/openapi.json")
"""The stream has its own test; a session is ended by logging out."""
SEEN = ("audit", "audit_head", "incident_share", "outbox")
"""That something was looked at as agreed is written down on the giver's side, too."""


async def furnish(api: Api) -> str:
    """Something of every kind that an organisation can have, with secrets in it; the id of the incident."""
    clock, store = api.house.clock, api.house.store
    now = clock.now()
    olivia, sofia, ada = [await api.person(name) for name in ("olivia", "sofia", "ada")]
    sha256 = await api.services.evidence.put(OURS, b"secretevidence")
    evidence = EvidenceReference(sha256=sha256, media_type="image/png", title="secretevidence", size_bytes=1)
    incident, alert = await open_incident(api, evidence=(evidence,))
    made: list[httpx.Response] = [
        await olivia.post(f"/evidence/{sha256}/openings", json={"reason": "secretreason"}),
        await olivia.post(f"/incidents/{incident}/messages", json={"text": "secretnote", "kind": "note"}),
        await olivia.post(
            f"/incidents/{incident}/messages", json={"text": "secretnote", "kind": "note", "visibility": "shared"}
        ),
        await olivia.post(
            f"/alerts/{alert.id}/decisions", json={"action": "dismiss", "reason": "secretreason", "version": 2}
        ),
        await olivia.post("/handovers", json={"text": "secrethandover"}),
        await olivia.post(f"/incidents/{incident}/procedures", json={"procedure": "gunman"}),
        await ada.post("/tokens", json={"title": "secretnotice", "scopes": ["alerts:read"]}),
        await sofia.get(f"/incidents/{incident}/cap"),
        await olivia.post(
            "/cases",
            json={"kind": "checklist", "title": "secretcase", "reason": "secretcase", "detail": {"x": "secretcase"}},
        ),
    ]
    (task,) = (await olivia.get("/tasks")).json()["items"]
    made.append(await olivia.post(f"/tasks/{task['id']}/claim", json={"version": 1}))
    for answer in made:
        assert answer.status_code < 300, answer.text
    subject = Subject(
        kind=SubjectKind.ALERT,
        id=alert.id,
        version=1,
        state="new",
        severity=alert.severity,
        headline="secretnotice",
        began=now,
    )
    climb = Escalation(
        id="their-climb",
        tenant=OURS,
        chain="their-chain",
        subject=subject,
        state=EscalationState.CLIMBING,
        rule=NotificationRule(states=("new",)),
        started=now,
        due=now + timedelta(days=1),
    )
    message = Notification(
        id="their-message",
        tenant=OURS,
        channel="their-channel",
        subject_kind=SubjectKind.ALERT,
        title="secretnotice",
        body="secretnotice",
        created=now,
    )
    result = ToolResult(
        id="their-result", tool="broken", kind="zone", title="secretresult", time=now, content={"x": "secretresult"}
    )
    request = ToolRequest(id="their-request", tool="broken", task="plan", reason="secretrequest", asked=now)
    plans = (CHANNEL, "their-channel", '{"id": "their-channel", "title": "secretnotice"}'), (
        ROSTER, "their-roster", '{"id": "their-roster", "title": "secretnotice", "zone": "UTC"}'
    ), (
        CHAIN, "their-chain",
        '{"id": "their-chain", "title": "secretnotice", "rules": [{"states": ["new"]}],'
        ' "steps": [{"channels": ["their-channel"]}]}',
    )  # fmt: skip
    async with store.transaction() as transaction:
        await transaction.datastreams.put(OURS, [a_datastream(id="their-sensor", name="secretsensor")])
        for kind, id, content in plans:
            await transaction.notification.put_plan(
                OURS, kind, id, content, version=0, time=now, by="sofia", secret="json://secretnotice"
            )
        await transaction.notification.put_escalation(climb)
        await transaction.notification.add_notifications([message])
        await transaction.results.put(OURS, result, received=now, expires=now + timedelta(days=1))
        await transaction.requests.add(OURS, request, expires=now + timedelta(days=1))
    await store.readings.append(
        OURS, ObservationBatch.of([Observation(datastream="their-sensor", time=now, value=4_321.5)])
    )
    await api.house.bus.set_aside(OURS, "test", "secretletter", b"secretletter", "secretletter")
    await api.services.shares.refresh(OURS, incident)
    return incident


def rows(database: Path) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """All that is kept of the municipality, by table."""
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {}
        for name in names:
            columns = [column["name"] for column in connection.execute(f"PRAGMA table_info({name})")]
            side = next((one for one in ("tenant", "author", "giver") if one in columns), None)
            if side is not None and name not in SEEN:
                query = f"SELECT * FROM {name} WHERE {side} = ?"
                found[name] = sorted((dict(row) for row in connection.execute(query, (OURS,))), key=repr)
    return found


def names(kept: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """An identifier of each kind of thing among these rows."""
    everybodys = ("procedure_version", "session", "sharing_agreement")
    found: dict[str, None] = {}
    for table, some in kept.items():
        for key in ("id", "sha256"):
            if table not in everybodys and some and key in some[0]:
                found[str(some[0][key])] = None
    return list(found)


def routes() -> Iterator[Declaration]:
    for resource in RESOURCES:
        for one in resource.declarations:
            if not one.path.endswith(SKIPPED) and one.access is not Open.PUBLIC:
                yield one


class Stranger:
    """People and a machine of the police: for each route one who may call it."""

    def __init__(self, clients: Mapping[Role, httpx.AsyncClient], machine: httpx.AsyncClient) -> None:
        self._clients = clients
        self._machine = machine

    def may(self, route: Declaration) -> httpx.AsyncClient:
        if isinstance(route.access, Open):
            return next(iter(self._clients.values()))
        for role, client in self._clients.items():
            if route.access in ROLE_PERMISSIONS[role]:
                return client
        assert route.access in MACHINE_PERMISSIONS, f"nobody may {route.access.value}"
        return self._machine

    async def ask(self, route: Declaration, strangers: Sequence[str]) -> AsyncIterator[tuple[str, str]]:
        """What is asked, and what comes back over the wire, with each identifier wherever one fits."""
        named = "{" in route.path
        models = route.body if isinstance(route.body, tuple) else (route.body,)
        client = self.may(route)
        for stranger in strangers if named or route.body else [""]:
            path = route.path
            for name in ("{id}", "{step}", "{tool}", "{sha256}"):
                sha256 = stranger if len(stranger) == 64 else "a" * 64
                path = path.replace(name, sha256 if name == "{sha256}" else stranger)
            path = path.replace("{giver}", "municipality").replace("{stix_object}", stranger)
            assert "{" not in path, f"no value for a part of {path}"
            if route.method == "DELETE":
                path += "?version=1"
            for model in models:
                body = body_for(model, stranger) if model is not None else None
                answer = await client.request(route.method, f"http://test{path}", json=body)
                yield f"{route.method} {path} {body}", f"{answer.status_code} {answer.text}"


@pytest.fixture
async def stranger(api: Api) -> AsyncIterator[Stranger]:
    accounts, by = api.house.governance.accounts, installation_principal()
    clients = {Role.OPERATOR: await api.person("pia"), Role.ADMINISTRATOR: await api.person("paul")}
    for role in Role:
        if role not in clients:
            name = f"police-{role.value}"
            await accounts.create_user(by, "police", name=name, full_name="Somebody", role=role, password=PASSWORD)
            clients[role] = await api.person(name)
    async with AsyncExitStack() as stack:
        machine = await stack.enter_async_context(await api.machine(*MACHINE_PERMISSIONS, tenant="police"))
        yield Stranger(clients, machine)


def test_every_body_gets_past_the_form() -> None:
    """Else the walk would only find out that forms are checked."""
    models = {one.body for one in routes() if isinstance(one.body, type) and issubclass(one.body, BaseModel)}
    without = {model.__name__ for model in models if body_for(model, "an-id") is None}
    # Their parts must fit each other; nothing in them names what another organisation has.
    assert without <= {"NewChain", "NewRoster"}


# More than a thousand requests: on a busy machine they take longer than the two minutes that any other test gets.
@pytest.mark.timeout(600)
async def test_no_route_shows_or_changes_anything_of_another_organisation(
    api: Api, stranger: Stranger, tmp_path: Path
) -> None:
    incident = await furnish(api)
    theirs = names(rows(tmp_path / "store.sqlite"))
    assert len(theirs) >= 17
    look = [route for route in routes() if route.method == "GET"]
    change = [route for route in routes() if route.method != "GET"]
    asked = 0

    async def walk(some: Sequence[Declaration], asking: Sequence[str], forbidden: Sequence[str]) -> None:
        nonlocal asked
        before = rows(tmp_path / "store.sqlite")
        for route in some:
            async for what, wire in stranger.ask(route, asking):
                asked += 1
                for text in (*SECRETS, *MORE_SECRETS, *forbidden):
                    assert text in what or text not in wire, (what, text)
        assert rows(tmp_path / "store.sqlite") == before

    # Not even an identifier comes back, but the one that was asked for, and who signed what both sides agreed on.
    forbidden = [name for name in theirs if name != api.house.users["sofia"].id]
    await walk(look, theirs, forbidden)
    agreement = await agree(api)
    await api.services.shares.refresh(OURS, incident)
    (share,) = await received(api)
    await walk(look, [*theirs, share["id"]], forbidden)
    # What they write may hold identifiers that they know already; secrets it may not.
    await walk(change, [*theirs, share["id"]], ())
    paul = await api.person("paul")
    assert (await paul.post(f"/agreements/{agreement}/end", json={})).status_code == 200
    await walk(change, [incident, share["id"]], ())
    await walk([route for route in look if "{" not in route.path], [], ())
    assert asked > 1_500
