"""Protects that what goes out keeps to CAP 1.2, comes back the same, and that hostile messages are refused plainly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from defusedxml import ElementTree
from hypothesis import given, settings
from hypothesis import strategies as st

from impetus.connectors.cap import (
    CapMessage,
    Heading,
    MessageType,
    Reference,
    alert_to_cap,
    cap_to_alert,
    incident_to_cap,
    read_cap,
    write_cap,
)
from impetus.connectors.cap.message import Area, Circle, Info, NamedValue, Resource, ResponseType, Scope
from impetus.connectors.cap.reading import problems_of
from impetus.model import (
    Alert,
    Category,
    Certainty,
    Incident,
    IncidentState,
    InvalidInput,
    LineString,
    ModelReference,
    Place,
    Point,
    Polygon,
    Severity,
    Status,
    Urgency,
)
from impetus.model.scrubbing import scrub

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HEADING = Heading("one", "municipality@city.example", "Municipality", NOON, MessageType.ALERT)

text = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn")), max_size=40).map(str.strip)
short = text.filter(bool)
name = st.text(st.sampled_from("abcXYZ019.:@-_/"), min_size=1, max_size=30)
moments = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(lambda t: t.replace(tzinfo=UTC, microsecond=0))  # noqa: DTZ001
longitudes = st.floats(-180, 180)
latitudes = st.floats(-90, 90)
positions = st.tuples(longitudes, latitudes)
rings = st.lists(positions, min_size=3, max_size=8).map(lambda ring: (*ring, ring[0]))
named = st.builds(NamedValue, name=short, value=text)
areas = st.builds(
    Area,
    description=short,
    polygons=st.lists(rings, max_size=2).map(tuple),
    circles=st.lists(st.builds(Circle, centre=positions, radius_km=st.floats(0, 1_000)), max_size=2).map(tuple),
    geocodes=st.lists(named, max_size=2).map(tuple),
    altitude_ft=st.none() | st.floats(-1_000, 60_000),
    ceiling_ft=st.none() | st.floats(-1_000, 60_000),
)
infos = st.builds(
    Info,
    language=st.sampled_from(["en", "en-US", "it", "nb-NO"]),
    categories=st.lists(st.sampled_from(Category), min_size=1, max_size=3).map(tuple),
    event=short,
    response_types=st.lists(st.sampled_from(ResponseType), max_size=2).map(tuple),
    urgency=st.sampled_from(Urgency),
    severity=st.sampled_from(Severity),
    certainty=st.sampled_from(Certainty),
    audience=text,
    event_codes=st.lists(named, max_size=1).map(tuple),
    effective=st.none() | moments,
    onset=st.none() | moments,
    expires=st.none() | moments,
    sender_name=text,
    headline=text,
    description=text,
    instruction=text,
    web=st.sampled_from(["", "https://city.example/x"]),
    contact=text,
    parameters=st.lists(named, max_size=2).map(tuple),
    resources=st.lists(
        st.builds(Resource, description=short, media_type=st.just("image/png"), size_bytes=st.none() | st.integers(0)),
        max_size=1,
    ).map(tuple),
    areas=st.lists(areas, max_size=2).map(tuple),
)
references = st.lists(st.builds(Reference, sender=name, identifier=name, sent=moments), min_size=1, max_size=3)
messages = st.builds(
    CapMessage,
    identifier=name,
    sender=name,
    sent=moments,
    status=st.sampled_from(Status),
    type=st.sampled_from(MessageType),
    source=text,
    scope=st.sampled_from(Scope),
    restriction=short,
    addresses=st.lists(name, min_size=1, max_size=2).map(tuple),
    codes=st.lists(short, max_size=2).map(tuple),
    note=text,
    references=references.map(tuple),
    incidents=st.lists(name, max_size=2).map(tuple),
    infos=st.lists(infos, max_size=2).map(tuple),
)


def an_alert(**changes: Any) -> Alert:
    return Alert(
        **{
            "tool": "anomaly",
            "detector": "level",
            "source": "traffic-1",
            "headline": "Traffic is unusually high",
            "category": Category.TRANSPORT,
            "severity": Severity.MODERATE,
            "confidence": 0.8,
            "onset": NOON,
            "sent": NOON,
            "model": ModelReference(name="robust-baseline", version="1.0"),
            **changes,
        }
    )


@settings(max_examples=40, deadline=None)
@given(messages)
def test_a_message_goes_out_by_the_standard_and_comes_back_the_same(message: CapMessage) -> None:
    content = write_cap(message)
    assert problems_of(ElementTree.fromstring(content)) == []
    assert read_cap(content) == (message, ())


points = st.builds(Point, coordinates=positions)
polygons = st.builds(Polygon, coordinates=st.tuples(rings))
places = st.none() | st.builds(Place, geometry=points | polygons, name=st.none() | short)
alerts = st.builds(
    an_alert,
    headline=short,
    category=st.sampled_from(Category),
    urgency=st.sampled_from(Urgency),
    severity=st.sampled_from(Severity),
    certainty=st.sampled_from(Certainty),
    status=st.sampled_from(Status),
    confidence=st.floats(0, 1),
    onset=moments,
    instruction=text,
    place=places,
)


@settings(max_examples=40, deadline=None)
@given(alerts)
def test_an_alert_survives_the_way_through_another_house(alert: Alert) -> None:
    message, unknown = read_cap(write_cap(alert_to_cap(alert, HEADING)))
    back = cap_to_alert(message, id=alert.id, unknown=unknown)
    kept = {
        "id", "category", "urgency", "severity", "certainty", "status", "confidence", "onset", "sent", "instruction",
    }  # fmt: skip
    assert back.model_dump(include=kept) == alert.model_dump(include=kept)
    # What looks like a telephone number or a plate does not leave the house.
    assert back.headline == " ".join(scrub(alert.headline).split())
    assert (back.place is None) == (alert.place is None)
    if alert.place is not None and back.place is not None:
        assert back.place.geometry == alert.place.geometry
    assert back.tool == "cap"


@pytest.mark.parametrize("status", Status)
def test_an_exercise_stays_an_exercise(status: Status) -> None:
    alert = an_alert(status=status)
    message, _ = read_cap(write_cap(alert_to_cap(alert, HEADING)))
    assert message.status is status
    assert cap_to_alert(message, id="x").status is status


def test_updates_and_cancellations_name_what_came_before() -> None:
    earlier = Reference(sender=HEADING.sender, identifier="one", sent=NOON)
    heading = Heading("two", HEADING.sender, "Municipality", NOON, MessageType.CANCEL, references=(earlier,))
    message, _ = read_cap(write_cap(alert_to_cap(an_alert(), heading)))
    assert message.references == (earlier,)
    cancelled = cap_to_alert(message, id="x", revision=1)
    assert cancelled.ended == NOON
    assert cancelled.urgency is Urgency.PAST
    with pytest.raises(ValueError, match="references must name"):
        alert_to_cap(an_alert(), Heading("two", "s", "S", NOON, MessageType.UPDATE))


def test_every_kind_of_place_goes_out() -> None:
    line = LineString(coordinates=((8.0, 58.0), (8.1, 58.0)))
    ring = ((8.0, 58.0), (8.1, 58.0), (8.1, 58.1), (8.0, 58.0))
    hole = ((8.05, 58.01), (8.06, 58.01), (8.06, 58.02), (8.05, 58.01))
    for geometry in (line, Polygon(coordinates=(ring, hole))):
        content = write_cap(alert_to_cap(an_alert(place=Place(geometry=geometry, name="Quay")), HEADING))
        message, _ = read_cap(content)
        assert len(message.infos[0].areas[0].polygons) == 1
    huge = tuple((8 + index / 20_000, 58.0) for index in range(9_999))
    content = write_cap(alert_to_cap(an_alert(place=Place(geometry=Polygon(coordinates=((*huge, huge[0]),)))), HEADING))
    assert len(read_cap(content)[0].infos[0].areas[0].polygons[0]) == 10_000


def test_an_incident_goes_out_with_the_categories_of_its_alerts() -> None:
    incident = Incident(
        tenant="municipality",
        title="Smoke at the station & <more>",
        state=IncidentState.CLOSED,
        severity=Severity.SEVERE,
        opened=NOON,
        updated=NOON + timedelta(minutes=5),
    )
    message = incident_to_cap(
        incident, HEADING, status=Status.EXERCISE, categories=[Category.FIRE, Category.FIRE, Category.CBRNE]
    )
    back, _ = read_cap(write_cap(message))
    assert back == message
    assert back.status is Status.EXERCISE
    assert back.infos[0].categories == (Category.FIRE, Category.CBRNE)
    assert back.infos[0].urgency is Urgency.PAST
    assert incident_to_cap(incident, HEADING, status=Status.ACTUAL, categories=()).infos[0].categories == (
        Category.OTHER,
    )


def a_message(**changes: str) -> str:
    fields = {
        "identifier": "A-1",
        "sender": "weather@office.example",
        "sent": "2026-11-21T13:00:00+01:00",
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Public",
        "category": "Met",
        "polygon": "58,8 58,9 59,9 58,8",
        "more": "",
        **changes,
    }
    return """<?xml version="1.0"?><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
    <identifier>{identifier}</identifier><sender>{sender}</sender><sent>{sent}</sent><status>{status}</status>
    <msgType>{msgType}</msgType><scope>{scope}</scope>
    <info><category>{category}</category><event>Storm</event><urgency>Expected</urgency><severity>Severe</severity>
    <certainty>Likely</certainty><expires>2026-11-21T18:00:00+01:00</expires>
    <area><areaDesc>The coast</areaDesc><polygon>{polygon}</polygon></area>{more}</info></alert>""".format(**fields)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "Real"}, "status"),
        ({"msgType": "Warning"}, "msgType"),
        ({"category": "Weather"}, "category"),
        ({"sent": "yesterday"}, "sent"),
        ({"sent": "2026-11-21T13:00:00Z"}, "sent"),
        ({"sender": "two words"}, "sender"),
        ({"scope": "Restricted"}, "restriction"),
        ({"scope": "Private"}, "addresses"),
        ({"msgType": "Update"}, "references"),
        ({"polygon": "58,8 58,9 59,9 58,7"}, "not closed"),
        ({"polygon": "58,8 nonsense 59,9 58,8"}, "polygons"),
        ({"polygon": "98,8 58,9 59,9 98,8"}, "polygons"),
        ({"polygon": "58,8"}, "polygons"),
    ],
)
def test_a_field_that_does_not_fit_is_named(changes: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read_cap(a_message(**changes).encode())


BOMB = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><alert>&b;</alert>'
STEALING = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><alert>&x;</alert>'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"{}",
        b"<alert",
        b"<alert/>",
        b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.1"/>',
        b'<?xml version="1.0" encoding="no-such"?><alert/>',
        BOMB.encode(),
        STEALING.encode(),
        b"<a>" * 100_000,
        b"<a>" * 500 + b"</a>" * 500,
        b"<a>" + b"<b/>" * 30_000 + b"</a>",
        b" " * 2_000_000,
    ],
)
def test_what_is_no_message_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_cap(content)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_noise_is_refused_and_nothing_worse(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_cap(content)


def test_what_the_standard_does_not_know_is_kept_for_people_to_read() -> None:
    more = "<mystery>42 <b>sheep</b></mystery><parameter><valueName>wind</valueName><value>30 m/s</value></parameter>"
    # An unknown part and, behind the area, one that is out of its place.
    with pytest.raises(InvalidInput, match="parameter"):
        read_cap(a_message(more=more).encode())
    message, unknown = read_cap(a_message(more="<mystery>42 <b>sheep</b></mystery>").encode())
    assert unknown == ("info/mystery: 42 sheep",)
    alert = cap_to_alert(message, id="x", unknown=unknown)
    assert "42 sheep" in alert.description
    assert "Expires: 2026-11-21T17:00:00+00:00" in alert.description
    assert alert.headline == "Storm"
    assert alert.confidence == 0.7
    assert alert.source == "cap:weather@office-example"


def test_a_message_cannot_pass_for_a_tool_of_the_house() -> None:
    parameters = (NamedValue(name="impetus:tool", value="firearm"), NamedValue(name="impetus:confidence", value="7"))
    info = Info(
        categories=(Category.SECURITY,),
        event="x",
        urgency=Urgency.UNKNOWN,
        severity=Severity.EXTREME,
        certainty=Certainty.UNKNOWN,
        parameters=parameters,
        areas=(Area(description="here", circles=(Circle(centre=(8.0, 89.9), radius_km=500.0),)),),
    )
    message = CapMessage(
        identifier="1", sender="s", sent=NOON, status=Status.ACTUAL, type=MessageType.ALERT, scope=Scope.PUBLIC,
        infos=(info,),
    )  # fmt: skip
    alert = cap_to_alert(message, id="x")
    assert (alert.tool, alert.confidence) == ("cap", 0.5)
    assert alert.place is not None
