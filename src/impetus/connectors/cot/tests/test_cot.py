"""Protects that field units are told what was confirmed and report back, over real sockets, come what may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impetus.bus import Bus, open_bus
from impetus.connectors.cot.connector import PSEUDONYMS_FOR, CotConnector
from impetus.connectors.cot.event import EVENT_LIMIT_BYTES, CotEvent, read_event, write_event
from impetus.connectors.cot.framing import EventSplitter
from impetus.connectors.cot.mapping import ShownAlert, alert_event, incident_event, report_alert
from impetus.connectors.cot.settings import CotSettings
from impetus.model import (
    Alert,
    AlertState,
    Envelope,
    Incident,
    IncidentState,
    InvalidInput,
    ObservationBatch,
    Place,
    Point,
    Severity,
    Status,
    SystemClock,
)
from impetus.sdk.pseudonyms import Pseudonyms

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def an_event(**changes: Any) -> CotEvent:
    return CotEvent(
        **{
            "uid": "ANDROID-1",
            "type": "a-f-G-U-C",
            "time": NOON,
            "start": NOON,
            "stale": NOON + timedelta(minutes=5),
            "latitude": 58.1,
            "longitude": 8.0,
            **changes,
        }
    )


def shown(**changes: Any) -> ShownAlert:
    return ShownAlert(
        **{
            "id": "a1",
            "headline": "Smoke at the station",
            "severity": Severity.SEVERE,
            "status": Status.ACTUAL,
            "onset": NOON,
            "updated": NOON,
            "state": AlertState.CONFIRMED,
            "place": Place(geometry=Point(coordinates=(8.0, 58.1)), name="Station"),
            **changes,
        }
    )


text = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn")), max_size=30)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001
    lambda time: time.replace(tzinfo=UTC, microsecond=time.microsecond // 1000 * 1000)
)
events = st.builds(
    an_event,
    uid=st.text(st.sampled_from("abcXYZ-09. é"), min_size=1),
    type=st.sampled_from(["a-f-G-U-C", "b-m-p-s-m", "b-a-o-tbl"]),
    time=moments,
    latitude=st.floats(-90, 90),
    longitude=st.floats(-180, 180),
    accuracy_m=st.floats(0, 1e6),
    callsign=text,
    remarks=text,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(events, max_size=4), st.data())
def test_events_survive_the_wire_however_it_is_cut(sent: list[CotEvent], data: st.DataObject) -> None:
    stream = b'<?xml version="1.0"?>\n'.join([b"", *(write_event(event) for event in sent)])
    splitter = EventSplitter()
    got: list[bytes] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        got += splitter.feed(stream[:size])
        stream = stream[size:]
    assert [read_event(piece) for piece in got] == sent
    assert splitter.discarded == 0


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200))
def test_noise_between_events_costs_only_itself(noise: bytes) -> None:
    splitter = EventSplitter()
    got = splitter.feed(noise + write_event(an_event()) + b"<event cut off " + write_event(an_event(uid="next")))
    assert [read_event(piece).uid for piece in got[-2:]] == ["ANDROID-1", "next"]


def test_an_event_without_end_does_not_fill_the_memory() -> None:
    splitter = EventSplitter()
    for _ in range(100):
        splitter.feed(b"<event " + b"x" * 10_000)
    assert splitter.discarded
    assert splitter.feed(b"</event>" + write_event(an_event()))[-1] == write_event(an_event())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<event/>",
        b"<event><point/></event>",
        b'<!DOCTYPE event [<!ENTITY a "b">]><event>&a;</event>',
        write_event(an_event()).replace(b'lat="58.1"', b'lat="91"'),
        write_event(an_event()).replace(b'lat="58.1"', b'lat="NaN"'),
        write_event(an_event()).replace(b'version="2.0"', b'version="1.0"'),
        write_event(an_event()).replace(b'uid="ANDROID-1"', b""),
        write_event(an_event()).replace(b'type="a-f-G-U-C"', b'type="a; DROP"'),
        write_event(an_event()).replace(b"2026-11-21T12:00:00.000Z", b"now"),
        write_event(an_event()).replace(b"<detail />", b"<detail>" + b"<a/>" * 1_000 + b"</detail>"),
        b"<event>" + b"x" * EVENT_LIMIT_BYTES + b"</event>",
    ],
)
def test_what_is_no_event_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_event(content)


def test_field_units_are_told_what_people_confirmed_and_nothing_personal() -> None:
    event = alert_event(shown(), CotSettings())
    assert event is not None
    assert (event.type, event.qos, event.opex, event.remarks) == ("b-l", "7-r-g", "o", "Station")
    exercise = alert_event(shown(status=Status.EXERCISE), CotSettings())
    assert exercise is not None
    assert exercise.opex == "e"
    assert exercise.callsign.startswith("EXERCISE ")
    for changes in (
        {"state": AlertState.NEW},
        {"severity": Severity.MINOR},
        {"place": None},
        {"status": Status.DRAFT},
    ):
        assert alert_event(shown(**changes), CotSettings()) is None, changes
    removal = alert_event(shown(state=AlertState.DISMISSED), CotSettings())
    assert removal is not None
    assert removal.link == event.uid
    assert read_event(write_event(removal)) == removal


def test_an_incident_vanishes_from_their_maps_when_it_is_closed() -> None:
    incident = Incident(
        tenant="municipality", title="Fire", state=IncidentState.OPEN, severity=Severity.EXTREME, opened=NOON,
        updated=NOON, place=Place(geometry=Point(coordinates=(8.0, 58.1))),
    )  # fmt: skip
    event = incident_event(incident, CotSettings(), Status.ACTUAL)
    assert event is not None
    assert event.type == "a-u-X-i-o"
    closed = incident.model_copy(update={"state": IncidentState.CLOSED, "version": 2})
    removal = incident_event(closed, CotSettings(), Status.ACTUAL)
    assert removal is not None
    assert removal.link == event.uid


def test_an_emergency_in_the_field_becomes_an_alert_and_ends_as_one() -> None:
    alert = report_alert(an_event(type="b-a-o-tbl", callsign="Unit 7", opex="e-nordic"), "police", 1, "p-1")
    assert (alert.severity, alert.status, alert.detector) == (Severity.SEVERE, Status.EXERCISE, "emergency")
    over = report_alert(an_event(type="b-a-o-can", callsign="Unit 7"), "police", 2, "p-1")
    assert over.id == alert.id
    assert over.ended == NOON


async def real(_: Incident) -> Status:
    return Status.ACTUAL


class TakServer:
    """A server that speaks the framing: keeps what it gets, and can send, hang up and go away."""

    def __init__(self) -> None:
        self.received: list[CotEvent] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self.server is not None
        self.server.close()
        for writer in self.writers:
            writer.close()
        self.writers.clear()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        splitter = EventSplitter()
        while data := await reader.read(1_000):
            self.received += [read_event(piece) for piece in splitter.feed(data)]


@pytest.fixture
async def server() -> AsyncIterator[TakServer]:
    server = TakServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    bus = open_bus(tmp_path / "bus.sqlite", SystemClock())
    yield bus
    await bus.close()


async def until(condition: Any, seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- what it looks at sets no event
            await asyncio.sleep(0.02)


async def test_to_the_server_and_back_also_after_it_was_gone(server: TakServer, bus: Bus, tmp_path: Path) -> None:
    clock = SystemClock()
    now = clock.now()
    connector = CotConnector(
        CotSettings(port=server.port, units={"UNIT-7": "unit-7"}, retry_first_s=0.05, retry_longest_s=0.1),
        bus,
        clock,
        real,
        named(tmp_path),
    )
    works = (connector.client.run, connector.publish, connector.show)
    tasks = [asyncio.create_task(work()) for work in works]
    try:
        await until(lambda: server.writers)

        async def tell(id: str) -> None:
            view = shown(id=id, updated=now)
            await bus.publish(
                [Envelope.wrap(view, kind="alert-view", tenant="municipality", origin="anomaly", time=now)]
            )

        await asyncio.sleep(0.3)  # its durable consumer begins with what comes from now on
        await tell("one")
        await until(lambda: len(server.received) == 1)

        await server.stop()
        await until(lambda: connector.client.trouble)
        assert connector.health().state.value == "degraded"
        await tell("two")
        await server.start()
        await until(lambda: [event.uid for event in server.received][-1:] == ["impetus.alert.two"])
        await until(lambda: not connector.client.trouble)

        mark = an_event(uid="mark-1", type="b-m-p-s-m", time=now, start=now, remarks="Road is blocked")
        for event in (an_event(uid="UNIT-7", time=now), an_event(uid="STRANGER", time=now), mark, mark):
            server.writers[-1].write(write_event(event))
        server.writers[-1].write(b"<event>this is not one</event>")
        got: list[Envelope] = []
        async with asyncio.timeout(15):
            async for delivery in bus.tail(("municipality.*.cot",), after=0):
                got.append(delivery.envelope)
                if len(got) == 2:
                    break
        positions, report = got
        assert positions.open(ObservationBatch).datastreams == ("cot:unit-7:latitude", "cot:unit-7:longitude")
        assert "Road is blocked" in report.open(Alert).description
        await until(lambda: connector.refused == 1 and connector.handled >= 5)
        assert connector.unnamed == 1
        assert [letter.origin for letter in await bus.dead_letters("municipality")] == ["connector-cot"]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def named(home: Path) -> Pseudonyms:
    return Pseudonyms(home, "municipality", PSEUDONYMS_FOR, SystemClock())


async def test_a_device_in_the_field_has_a_pseudonym_and_without_its_key_nothing_goes_on(
    bus: Bus, tmp_path: Path
) -> None:
    connector = CotConnector(CotSettings(), bus, SystemClock(), real, named(tmp_path))
    publishing = asyncio.create_task(connector.publish())
    try:
        device = "ANDROID-359881234567890"
        connector.receive(an_event(uid=device, type="b-m-p-s-m", callsign=" "))
        await until(lambda: connector.handled == 1)
        (delivery,) = [
            one async for one in bus.replay(("municipality.alert.cot",), since=datetime(2020, 1, 1, tzinfo=UTC))
        ]
        text = delivery.envelope.model_dump_json()
        assert device not in text
        alert = delivery.envelope.open(Alert)
        pseudonym = alert.source.removeprefix("cot:")
        assert named(tmp_path).matches(pseudonym, device)
        assert pseudonym in alert.headline, "nobody gave the device a name"
        for file in (tmp_path / "secrets" / "pseudonyms" / "municipality").glob("*.json"):
            file.unlink()
        connector.receive(an_event(uid="ANDROID-2", type="b-m-p-s-m", remarks="a new one"))
        await until(lambda: connector.handled == 2)
        (letter,) = await bus.dead_letters("municipality")
        assert "key of the pseudonyms is lost" in letter.reason
        assert "ANDROID" not in repr(letter)
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)


async def test_a_flood_from_the_field_is_set_aside_not_let_in(bus: Bus, tmp_path: Path) -> None:
    connector = CotConnector(CotSettings(events_per_minute=5), bus, SystemClock(), real, named(tmp_path))
    for number in range(20):
        connector.receive(an_event(uid=f"m{number}", type="b-m-p-s-m"))
    assert connector.refused == 15
