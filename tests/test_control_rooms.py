"""Two control rooms joined by one line, with real servers: each works on while the line is cut and says what does not,
and when it is mended nothing that was shared meanwhile is lost or comes twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from impetus.api.app import create_api
from impetus.api.degraded import Lack
from impetus.api.tests.conftest import Api, services_of
from impetus.api.tests.test_stream import Listener, logged_in, served, some_alerts
from impetus.bus import JetStreamSettings, open_bus
from impetus.model import Alert
from impetus.situation.tests.house import eventually, opened_house
from impetus.ui import mount_ui
from tests.line import Line, line_to
from tests.servers import NatsServer, free_port

LIMIT_S = 120.0


@dataclass
class Rooms:
    """The servers of the two rooms, and the line between them."""

    centre: NatsServer
    harbour: NatsServer
    line: Line


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    """The centre keeps the log; the harbour's server is a leaf node of the centre's."""
    port = free_port()
    with ExitStack() as stack:
        centre = NatsServer(
            tmp_path / "centre",
            name="centre",
            domain="centre",
            more=f'leafnodes {{ listen: "127.0.0.1:{port}" }}',
        )
        stack.callback(centre.stop)
        centre.start()
        line = stack.enter_context(line_to(port))
        remote = f'{{ url: "nats://127.0.0.1:{line.port}" }}'
        harbour = NatsServer(
            tmp_path / "harbour",
            name="harbour",
            domain="harbour",
            more=f"leafnodes {{ remotes: [{remote}], reconnect: 1 }}",
        )
        stack.callback(harbour.stop)
        harbour.start()
        yield Rooms(centre, harbour, line)


@asynccontextmanager
async def hub(folder: Path, server: NatsServer) -> AsyncIterator[tuple[Api, str]]:
    """The hub of a room, which reads the centre's log through the room's own server; and its address."""
    settings = JetStreamSettings(domain="centre")
    async with opened_house(folder, opened=partial(open_bus, server.url, jetstream=settings)) as house:
        services = services_of(house, folder)
        api = Api(house, services, create_api(services))
        mount_ui(api.app, services)
        async with served(api) as address:
            yield api, address


async def limitations(person: httpx.AsyncClient) -> Mapping[str, str]:
    """What the status says that does not work, and its words."""
    answer = await person.get("/status", timeout=60)
    assert answer.status_code == 200, answer.text
    return {one["lack"]: one["text"] for one in answer.json()["limitations"]}


async def board(person: httpx.AsyncClient, address: str) -> str:
    """The part of the page that says how everything is, as a person's screen shows it."""
    there = f"{address.removesuffix('/api/v1')}/parts/status"
    answer = await person.get(there, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.text


async def works(address: str, person: httpx.AsyncClient) -> bool:
    """Whether the log answers, as status and screen have it: a slow machine may take long for it now and then."""
    mark = f'data-lack="{Lack.LOG_AWAY}"'
    return Lack.LOG_AWAY not in await limitations(person) and mark not in await board(person, address)


async def says_which_line(address: str, person: httpx.AsyncClient) -> bool:
    """Whether status and screen say that the log does not answer, and over which line it is read."""
    words = (await limitations(person)).get(Lack.LOG_AWAY, "")
    screen = await board(person, address)
    mark = f'data-lack="{Lack.LOG_AWAY}"'
    return "the domain centre" in words and mark in screen and "the domain centre" in screen


async def agree(sofia: httpx.AsyncClient, paul: httpx.AsyncClient, until: str) -> None:
    """The municipality gives, the police receive: an agreement in force."""
    terms = {
        "purpose": "mutual aid",
        "categories": ["Transport"],
        "until": until,
        "groups": ["headline", "decisions", "people"],
        "alerts": True,
    }
    new = {"giver": "municipality", "receiver": "police", "terms": terms}
    proposed = await sofia.post("/agreements", json=new)
    assert proposed.status_code == 201, proposed.text
    approved = await paul.post(f"/agreements/{proposed.json()['agreement']['id']}/approve", json={"version": 1})
    assert approved.json()["state"] == "active", approved.text


async def open_incident(api: Api, olivia: httpx.AsyncClient, alert: Alert) -> None:
    """An incident of the municipality, which the agreement covers."""
    await api.house.situation.alerts.ingest("municipality", [alert])
    made = await olivia.post("/incidents", json={"title": alert.headline[:8], "alerts": [alert.id]})
    assert made.status_code == 201, made.text


async def received(pia: httpx.AsyncClient) -> Sequence[Mapping[str, Any]]:
    """What the police have on their list."""
    items: Sequence[Mapping[str, Any]] = (await pia.get("/shared-incidents", timeout=60)).json()["items"]
    return items


async def test_what_is_shared_while_the_line_is_cut_comes_over_once_when_it_is_mended(
    tmp_path: Path, rooms: Rooms
) -> None:
    """The database answers in both rooms, as one with a copy in each does: what is cut is what carries the news."""
    alerts = some_alerts(4)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        centre, at_centre = await enter(hub(tmp_path / "city", rooms.centre))
        harbour, at_harbour = await enter(hub(tmp_path / "city", rooms.harbour))
        olivia, sofia = await enter(logged_in(at_centre, "olivia")), await enter(logged_in(at_centre, "sofia"))
        pia, paul = await enter(logged_in(at_harbour, "pia")), await enter(logged_in(at_harbour, "paul"))
        await agree(sofia, paul, (centre.house.clock.now() + timedelta(days=30)).isoformat())
        theirs, ours = Listener(pia, "topics=incidents"), Listener(olivia, "topics=incidents")
        stack.push_async_callback(theirs.close)
        stack.push_async_callback(ours.close)
        await open_incident(centre, olivia, alerts[0])
        await eventually(lambda: theirs.of("shared-incident"), seconds=LIMIT_S)
        await eventually(partial(works, at_harbour, pia), seconds=LIMIT_S)

        rooms.line.cut()

        await eventually(partial(says_which_line, at_harbour, pia), seconds=LIMIT_S)
        await eventually(partial(works, at_centre, olivia), seconds=LIMIT_S)

        # The centre shares on; what the harbour's hub was to do of that the centre's takes over.
        for alert in alerts[1:]:
            await open_incident(centre, olivia, alert)

        async def all_there() -> bool:
            return len(await received(pia)) == len(alerts)

        await eventually(all_there, seconds=LIMIT_S)
        # A decision in the room that is cut off reaches the others at once: it is taken in the database.
        first = (await received(pia))[0]
        decided = await pia.post(
            f"/shared-incidents/{first['id']}/decisions",
            json={"action": "engage", "reason": "two cars on the way", "version": first["version"]},
            timeout=60,
        )
        assert decided.status_code == 201, decided.text
        await eventually(
            lambda: [one for one in ours.of("incident-share") if one.data["part"] == "engaged"], seconds=LIMIT_S
        )
        assert len({one.data["id"] for one in theirs.of("shared-incident")}) == 1

        rooms.line.mend()

        async def up_to_date() -> bool:
            heard = {one.data["id"]: one.data["version"] for one in theirs.of("shared-incident")}
            return heard == {one["id"]: one["version"] for one in await received(pia)}

        await eventually(up_to_date, seconds=LIMIT_S)

        await eventually(partial(works, at_harbour, pia), seconds=LIMIT_S)

        # Nothing is lost, and nothing came twice: on the screens, on the list, in the history, in the log.
        assert not theirs.of("reset")
        for listener in (theirs, ours):
            numbers = [one.id for one in listener.events if one.id is not None]
            assert numbers == sorted(set(numbers))
        shown = [(one.data["id"], one.data["version"]) for one in theirs.of("shared-incident")]
        assert len(shown) == len(set(shown))
        assert len(await received(pia)) == len(alerts)
        room = (await pia.get(f"/shared-incidents/{first['id']}")).json()["room"]
        assert [entry["text"] for entry in room["timeline"]].count("two cars on the way") == 1
        for api in (centre, harbour):
            for tenant in ("municipality", "police"):
                assert await api.house.bus.dead_letters(tenant) == []
