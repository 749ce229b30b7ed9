"""Topic patterns and paths mean what the guide says, and a wrong mapping is refused when settings are read."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from impetus.connectors.mqtt.mapping import CompiledMapping, JsonMapping, look_up, parse_path
from impetus.connectors.mqtt.payload import PayloadRefused
from impetus.connectors.mqtt.routing import Router
from impetus.connectors.mqtt.settings import EmbeddedListener
from impetus.model import ConfigurationError


@pytest.mark.parametrize(
    ("pattern", "topic", "found"),
    [
        ("city/{datastream}/reading", "city/a-1/reading", {"datastream": "a-1"}),
        ("city/{datastream}/reading", "city/a-1/reading/x", None),
        ("city/{datastream}/reading", "town/a-1/reading", None),
        ("city/+/{sensor}", "city/x/7", {"sensor": "7"}),
        ("city/#", "city/x/7", {}),
        ("city/#", "city", {}),
        ("city/#", "town/x", None),
        ("{site}/#", "north/a/b", {"site": "north"}),
    ],
)
def test_a_pattern_fits_a_topic(pattern: str, topic: str, found: Any) -> None:
    assert CompiledMapping(JsonMapping(topic=pattern, datastream_path="id")).match(topic) == found


@pytest.mark.parametrize(
    "wrong",
    [
        {"topic": "a/#/b"},
        {"topic": "a/x{datastream}"},
        {"topic": "a/{datastream}/{datastream}"},
        {"topic": "a/{sensor}"},
        {"topic": "a/{datastream}", "value": "a..b"},
        {"topic": "a/{datastream}", "value": "a[x]"},
        {"topic": "a/{datastream}", "scale": float("nan")},
        {"topic": "a/{datastream}", "vlaue": "b"},
        {"topic": "a/{datastream}", "identifiers": ["plate"]},
        {"topic": "a/{plate}", "identifiers": ["plate"], "datastream_path": "id"},
    ],
)
def test_a_wrong_mapping_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        JsonMapping(**wrong)


def test_paths_lead_into_documents() -> None:
    document = {"a": [{"b": 1}, {"b": {"c d": 2}}]}
    assert parse_path("$") == ()
    assert look_up(document, parse_path("$.a[0].b")) == 1
    assert look_up(document, parse_path("a[1].b.c d")) == 2
    assert look_up(document, parse_path("a[7].b")) is None
    assert look_up(document, parse_path("a.b")) is None


@given(st.text(max_size=40))
def test_any_path_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse_path(text)


@given(st.text(max_size=60))
def test_any_topic_is_routed_or_refused(topic: str) -> None:
    router = Router(EmbeddedListener(mappings=(JsonMapping(topic="city/{datastream}"),)), max_payload_bytes=1_000)
    with contextlib.suppress(PayloadRefused):
        router.parse(topic, b'{"value": 1, "time": "2026-11-21T08:00:00Z", "result": 2}', arrival_us=0)


def test_sensorthings_topics_come_before_mappings_and_can_be_turned_off() -> None:
    mapping = JsonMapping(topic="v1.1/#", datastream="mapped", time=None, time_missing="arrival")
    on = Router(EmbeddedListener(mappings=(mapping,)), max_payload_bytes=1_000)
    off = Router(EmbeddedListener(mappings=(mapping,), sensorthings=False), max_payload_bytes=1_000)
    payload = b'{"value": 1, "result": 2}'
    for topic in ("v1.1/Datastreams(a-1)/Observations", "v1.1/Datastreams('a-1')/Observations"):
        assert on.parse(topic, payload, arrival_us=0).readings[0].datastream == "a-1"
        assert off.parse(topic, payload, arrival_us=0).readings[0].datastream == "mapped"
    assert on.subscriptions() == ["v1.1/+/Observations", "v1.1/CreateObservations", "v1.1/#"]


def test_a_topic_that_nothing_fits_is_refused_by_name() -> None:
    router = Router(EmbeddedListener(), max_payload_bytes=1_000)
    with pytest.raises(PayloadRefused, match="no mapping fits the topic 'elsewhere/x'"):
        router.parse("elsewhere/x", b"{}", arrival_us=0)


def test_an_identifier_in_a_topic_is_a_pseudonym_in_the_datastream_and_in_the_dead_letter() -> None:
    mapping = JsonMapping(topic="gates/{gate}/{badge}", datastream="{gate}:{badge}", identifiers=("badge",))
    settings = EmbeddedListener(anonymous=True, sensorthings=False, mappings=(mapping,))
    router = Router(settings, max_payload_bytes=1_000, pseudonym_of=lambda raw: f"p-{len(raw)}")
    payload = b'{"value": 1, "time": "2026-11-21T08:00:00Z"}'
    parsed = router.parse("gates/north/ROSSI-1234", payload, arrival_us=0)
    assert [one.datastream for one in parsed.readings] == ["north:p-10"]
    assert router.shown("gates/north/ROSSI-1234") == ("gates/north/p-10", False)
    assert router.shown("elsewhere/ROSSI-1234") == ("elsewhere/ROSSI-1234", True)


def test_without_a_key_a_topic_with_identifiers_is_refused_and_nothing_of_it_is_kept() -> None:
    def lost(identifier: str) -> str:
        raise ConfigurationError("the key of the pseudonyms is lost")

    mapping = JsonMapping(topic="gates/{gate}/{badge}", datastream="{gate}", identifiers=("badge",))
    settings = EmbeddedListener(anonymous=True, sensorthings=False, mappings=(mapping,))
    for pseudonym_of in (lost, None):
        router = Router(settings, max_payload_bytes=1_000, pseudonym_of=pseudonym_of)
        with pytest.raises(PayloadRefused, match="not taken"):
            router.parse("gates/north/ROSSI-1234", b"1", arrival_us=0)
        assert router.shown("gates/north/ROSSI-1234") == ("gates/{gate}/{badge}", False)
