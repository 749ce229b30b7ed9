"""Protects the vocabulary: what is refused at the door, what survives the way over the wire unchanged."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from impetus import model
from impetus.model import (
    MESSAGES,
    Alert,
    Category,
    Envelope,
    ImpetusError,
    ManualClock,
    ModelReference,
    Observation,
    ObservationBatch,
    Place,
    Point,
    Polygon,
    derived_id,
    from_microseconds,
    new_id,
    to_microseconds,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
FIRST, LAST = datetime(1900, 1, 1), datetime(2200, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
moments = st.datetimes(min_value=FIRST, max_value=LAST, timezones=st.just(UTC))
finite = st.floats(allow_nan=False, allow_infinity=False)


def an_alert(**changes: object) -> Alert:
    fields: dict[str, object] = {
        "tool": "anomaly",
        "detector": "level",
        "source": "count-1",
        "headline": "People count unusually high",
        "category": Category.SAFETY,
        "confidence": 0.8,
        "onset": NOON,
        "sent": NOON,
        "model": ModelReference(name="seasonal", version="1"),
    }
    return Alert.model_validate({**fields, **changes})


def test_new_identifiers_sort_by_time_and_differ() -> None:
    identifiers = [new_id() for _ in range(2000)]
    assert len(set(identifiers)) == len(identifiers)
    assert [identifier[:13] for identifier in identifiers] == sorted(identifier[:13] for identifier in identifiers)
    assert {identifier[14] for identifier in identifiers} == {"7"}
    assert {identifier[19] for identifier in identifiers} <= set("89ab")


def test_derived_identifiers_depend_on_every_part() -> None:
    assert derived_id("a", "b") == derived_id("a", "b")
    assert derived_id("a", "b") != derived_id("ab", "")
    assert derived_id("a", "b") != derived_id("b", "a")


@given(moments)
def test_microseconds_keep_a_moment_exactly(moment: datetime) -> None:
    assert from_microseconds(to_microseconds(moment)) == moment


def test_times_without_offset_are_refused_and_others_become_utc() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        Observation(datastream="a", time=FIRST, value=1)
    local = datetime(2026, 1, 1, 13, tzinfo=timezone(timedelta(hours=1)))
    assert Observation(datastream="a", time=local, value=1).time.isoformat() == "2026-01-01T12:00:00+00:00"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(ValidationError):
        Observation(datastream="a", time=NOON, value=value)
    with pytest.raises(ValidationError):
        ObservationBatch(datastreams=("a",), index=(0,), time_us=(0,), value=(value,))


@given(st.lists(st.tuples(st.sampled_from(["a", "b.c", "d/e"]), moments, finite), max_size=30))
def test_columns_keep_readings_and_their_order(rows: list[tuple[str, datetime, float]]) -> None:
    readings = [Observation(datastream=name, time=moment, value=value) for name, moment, value in rows]
    if not readings:
        with pytest.raises(ValidationError):
            ObservationBatch.of(readings)
        return
    batch = ObservationBatch.of(readings)
    again = ObservationBatch.model_validate_json(batch.model_dump_json())
    assert list(again.observations()) == readings


def test_columns_of_different_length_and_wild_indices_are_refused() -> None:
    with pytest.raises(ValidationError, match="columns differ"):
        ObservationBatch(datastreams=("a",), index=(0, 0), time_us=(1,), value=(1.0,))
    with pytest.raises(ValidationError, match="points past"):
        ObservationBatch(datastreams=("a",), index=(1,), time_us=(1,), value=(1.0,))
    with pytest.raises(ValidationError):
        ObservationBatch(datastreams=("a",), index=(-1,), time_us=(1,), value=(1.0,))


@given(st.text(min_size=1, max_size=300))
def test_hostile_text_in_a_headline_survives_as_it_is_or_is_refused(text: str) -> None:
    try:
        alert = an_alert(headline=text)
    except ValidationError:
        assert not text.strip()
        return
    assert Alert.model_validate_json(alert.model_dump_json()).headline.strip() == text.strip()


@pytest.mark.parametrize("name", ["", " ", "a b", ".a", "a.", "a..b", "<script>", "a\n", "x" * 129])
def test_identifiers_are_plain(name: str) -> None:
    with pytest.raises(ValidationError):
        an_alert(source=name)


def test_unknown_fields_are_refused_so_that_a_misspelling_is_noticed() -> None:
    with pytest.raises(ValidationError, match="confidance"):
        an_alert(confidance=0.3)


def test_messages_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(an_alert(), "headline", "other")  # noqa: B010 - the point is to try it


def test_positions_lie_on_earth_and_rings_are_closed() -> None:
    with pytest.raises(ValidationError):
        Point(coordinates=(200, 10))
    with pytest.raises(ValidationError, match="not closed"):
        Polygon(coordinates=(((0, 0), (1, 0), (1, 1), (0, 1)),))
    square = Place(geometry=Polygon(coordinates=(((0, 0), (2, 0), (2, 2), (0, 2), (0, 0)),)))
    assert square.centre == (1, 1)


def test_an_envelope_carries_its_message_and_its_address() -> None:
    alert = an_alert()
    envelope = Envelope.wrap(alert, kind="alert", tenant="police", origin="anomaly", time=NOON, partition="count-1")
    assert (envelope.subject, envelope.kind, envelope.tenant) == ("police.alert.anomaly", "alert", "police")
    assert envelope.open(Alert) == alert
    with pytest.raises(ValidationError):
        envelope.open(ObservationBatch)


@pytest.mark.parametrize("kind", sorted(MESSAGES))
def test_every_message_has_a_json_schema(kind: str) -> None:
    schema = MESSAGES[kind].model_json_schema()
    assert schema["title"]
    assert json.loads(json.dumps(schema)) == schema


def test_everything_that_the_room_names_exists_and_errors_are_complete() -> None:
    assert all(hasattr(model, name) for name in model.__all__)
    errors = [value for value in vars(model).values() if isinstance(value, type) and issubclass(value, ImpetusError)]
    assert len({error.code for error in errors}) == len(errors)
    assert all(error.__doc__ and 400 <= error.status < 600 for error in errors)
    assert str(ImpetusError("no room", hint="free some")) == "no room (free some)"


def test_all_values_are_frozen() -> None:
    values = [value for value in vars(model).values() if isinstance(value, type) and issubclass(value, BaseModel)]
    assert values
    assert all(value.model_config.get("frozen") for value in values)


def test_a_manual_clock_can_be_set_back_without_turning_monotonic_time() -> None:
    clock = ManualClock(NOON)
    clock.advance(10)
    clock.advance(-60)
    assert clock.now() == NOON - timedelta(seconds=50)
    assert clock.monotonic_s() == 10
    with pytest.raises(ValueError, match="offset"):
        ManualClock(FIRST)
