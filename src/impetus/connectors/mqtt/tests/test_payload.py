"""Whatever bytes a sensor sends, a parser returns readings or raises PayloadRefused, and nothing else."""

from __future__ import annotations

import contextlib
import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.connectors.mqtt.mapping import CompiledMapping, JsonMapping, TimeFormat
from impetus.connectors.mqtt.payload import (
    Parsed,
    PayloadRefused,
    epoch_time,
    iso_time,
    number,
    parse_data_arrays,
    parse_mapped,
    parse_observation,
)
from impetus.model import ConfigurationError, to_microseconds

MEBIBYTE = 1024 * 1024
MOMENT = datetime(2026, 11, 21, 8, 0, 0, 250_000, tzinfo=UTC)
MOMENT_US = to_microseconds(MOMENT)
ARRIVAL_US = MOMENT_US + 1_000_000


def observation(payload: bytes) -> Parsed:
    return parse_observation(payload, "sound-1", arrival_us=ARRIVAL_US, max_bytes=MEBIBYTE)


def arrays(payload: bytes) -> Parsed:
    return parse_data_arrays(payload, arrival_us=ARRIVAL_US, max_bytes=MEBIBYTE)


def mapped(payload: bytes, arrived_on: str = "city/sound-1/reading", **settings: Any) -> Parsed:
    mapping = CompiledMapping(JsonMapping(**({"topic": "city/{datastream}/reading"} | settings)))
    placeholders = mapping.match(arrived_on)
    assert placeholders is not None
    return parse_mapped(payload, mapping, placeholders, arrival_us=ARRIVAL_US, max_bytes=MEBIBYTE)


def refusal(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(PayloadRefused) as caught:
        call(*arguments, **named)
    return caught.value.message


# --- SensorThings


def test_an_observation_is_read() -> None:
    parsed = observation(b'{"result": 61.5, "phenomenonTime": "2026-11-21T09:00:00.250+01:00", "parameters": {"a": 1}}')
    assert [(each.datastream, each.time_us, each.value) for each in parsed.readings] == [
        ("sound-1", [MOMENT_US], [61.5])
    ]


def test_an_observation_without_time_takes_the_time_of_arrival_as_the_standard_has_it() -> None:
    assert observation(b'{"result": 3}').readings[0].time_us == [ARRIVAL_US]


def test_an_interval_counts_at_its_end() -> None:
    payload = b'{"result": 3, "phenomenonTime": "2026-11-21T07:00:00Z/2026-11-21T08:00:00.250Z"}'
    assert observation(payload).readings[0].time_us == [MOMENT_US]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "empty"),
        (b"21.5", "JSON object"),
        (b"{", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b'{"value": 3}', "no result"),
        (b'{"result": "3"}', "text"),
        (b'{"result": true}', "true or false"),
        (b'{"result": null}', "null"),
        (b'{"result": [1]}', "array"),
        (b'{"result": NaN}', "no JSON"),
        (b'{"result": 1e999}', "no JSON"),
        (b'{"result": 1, "phenomenonTime": "2026-11-21T08:00:00"}', "no offset"),
        (b'{"result": 1, "phenomenonTime": "yesterday"}', "ISO 8601"),
        (b'{"result": 1, "phenomenonTime": "2026-11-21"}', "ISO 8601"),
        (b'{"result": 1, "phenomenonTime": 1795219200}', "ISO 8601"),
        (b'{"result": 1, "x": ' + b"[" * 40 + b"]" * 40 + b"}", "deeper than 32"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_a_broken_observation_is_refused_with_its_reason(payload: bytes, reason: str) -> None:
    assert reason in refusal(observation, payload)


def test_a_payload_of_ten_megabytes_is_refused_before_it_is_parsed() -> None:
    payload = b'{"result": 1, "x": "' + b"a" * 10_000_000 + b'"}'
    assert "10,000,022 bytes" in refusal(observation, payload)


def test_data_arrays_are_read_and_a_bad_row_does_not_spoil_the_others() -> None:
    document = [
        {
            "Datastream": {"@iot.id": "sound-1"},
            "components": ["phenomenonTime", "result", "parameters"],
            "dataArray": [
                ["2026-11-21T08:00:00.250Z", 61.5, {}],
                ["2026-11-21T08:00:05Z", None, {}],
                ["2026-11-21T08:00:05Z"],
                "row",
                ["2026-11-21T08:00:05.250Z", 62, {}],
            ],
        },
        {"Datastream": {"@iot.id": 7}, "components": ["result"], "dataArray": [[4.0]]},
    ]
    parsed = arrays(json.dumps(document).encode())
    first, second = parsed.readings
    assert (first.datastream, first.time_us, first.value) == ("sound-1", [MOMENT_US, MOMENT_US + 5_000_000], [61.5, 62])
    assert (second.datastream, second.time_us, second.value) == ("7", [ARRIVAL_US], [4.0])
    assert [part.reason.split(": ")[1] for part in parsed.refused] == [
        "the value is null",
        "the row is shorter than components",
        "a row of a data array is an array, not 'row'",
    ]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"[]", "JSON array"),
        (b"[1]", "JSON object"),
        (b'[{"components": ["result"], "dataArray": []}]', "names its datastream"),
        (b'[{"Datastream": {"@iot.id": true}, "components": ["result"], "dataArray": []}]', "names its datastream"),
        (b'[{"Datastream": {"@iot.id": "a"}, "components": ["time"], "dataArray": []}]', "no result"),
        (b'[{"Datastream": {"@iot.id": "a"}, "components": ["result"], "dataArray": {}}]', "no rows"),
    ],
)
def test_a_broken_data_array_is_refused_with_its_reason(payload: bytes, reason: str) -> None:
    assert reason in refusal(arrays, payload)


# --- mapped JSON


def test_a_mapping_finds_value_time_and_unit() -> None:
    payload = b'{"data": [{"v": 61.5}], "when": 1795248000250, "uom": "dB"}'
    parsed = mapped(payload, value="$.data[0].v", time="when", time_format=TimeFormat.EPOCH_MS, unit="uom")
    assert parsed.readings[0].unit == "dB"
    assert parsed.readings[0].value == [61.5]
    assert parsed.readings[0].time_us == [1_795_248_000_250_000]


def test_a_bare_number_can_be_a_payload() -> None:
    parsed = mapped(b" 61.5 ", value="$", time=None, time_missing="arrival", constant_unit="dB")
    assert (parsed.readings[0].value, parsed.readings[0].time_us) == ([61.5], [ARRIVAL_US])


def test_a_scale_replaces_the_unit() -> None:
    payload = b'{"value": 0.0615, "time": "2026-11-21T08:00:00.250Z", "unit": "kdB"}'
    readings = mapped(payload, unit="unit", scale=1000.0).readings[0]
    assert readings.value == [pytest.approx(61.5)]
    assert readings.unit is None


def test_a_datastream_is_made_of_placeholders_or_read_from_the_payload() -> None:
    payload = b'{"value": 1, "time": "2026-11-21T08:00:00Z", "id": "pm-7"}'
    joined = mapped(payload, "a/north/b/7", topic="a/{site}/b/{sensor}", datastream="{site}-{sensor}")
    assert joined.readings[0].datastream == "north-7"
    assert mapped(payload, "x/y", topic="x/#", datastream_path="id").readings[0].datastream == "pm-7"


@pytest.mark.parametrize(
    ("payload", "settings", "reason"),
    [
        (b'{"time": "2026-11-21T08:00:00Z"}', {}, "no value stands at value"),
        (b'{"value": 1}', {}, "no time stands at time"),
        (b'{"value": "1", "time": "2026-11-21T08:00:00Z"}', {}, "numbers_as_text"),
        (b'{"value": "1_0", "time": "2026-11-21T08:00:00Z"}', {"numbers_as_text": True}, "no number"),
        (b'{"value": "inf", "time": "2026-11-21T08:00:00Z"}', {"numbers_as_text": True}, "no number"),
        (b'{"value": "1e999", "time": "2026-11-21T08:00:00Z"}', {"numbers_as_text": True}, "not finite"),
        (b'{"value": 1, "time": 1e300}', {"time_format": TimeFormat.EPOCH_S}, "outside the years"),
        (b'{"value": 1e308, "time": "2026-11-21T08:00:00Z"}', {"scale": 1e3}, "not finite"),
        (b'{"value": 1, "time": "2026-11-21T08:00:00Z", "unit": 4}', {"unit": "unit"}, "no text"),
        (b'{"value": 1, "time": "2026-11-21T08:00:00Z"}', {"datastream_path": "id"}, "no datastream stands at id"),
    ],
)
def test_a_payload_that_does_not_fit_its_mapping_is_refused(payload: bytes, settings: Any, reason: str) -> None:
    assert reason in refusal(mapped, payload, **settings)


def test_numbers_as_text_are_read_where_the_mapping_says_so() -> None:
    payload = b'{"value": " -1.5e2 ", "time": "2026-11-21T08:00:00Z"}'
    assert mapped(payload, numbers_as_text=True).readings[0].value == [-150.0]


# --- whatever comes

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["2026-11-21T08:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "1/2", "/"]),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["result", "phenomenonTime", "Datastream", "@iot.id", "components", "dataArray", "value", "time", "a"]
            ),
            children,
            max_size=6,
        )
    ),
    max_leaves=15,
)
ARRAYS = st.lists(
    st.fixed_dictionaries(
        {
            "Datastream": st.fixed_dictionaries({"@iot.id": JSON}) | JSON,
            "components": st.permutations(["phenomenonTime", "result"]) | JSON,
            "dataArray": st.lists(st.lists(JSON, max_size=3) | JSON, max_size=4) | JSON,
        }
    ),
    max_size=3,
)


def payloads(documents: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    return st.binary(max_size=200) | documents.map(lambda document: json.dumps(document).encode())


def check(parsed: Parsed) -> None:
    for readings in parsed.readings:
        assert readings.datastream
        assert len(readings.time_us) == len(readings.value) > 0
        assert all(isinstance(time_us, int) for time_us in readings.time_us)
        assert all(type(value) is float for value in readings.value)
        assert all(math.isfinite(value) for value in readings.value)
    assert all(part.reason for part in parsed.refused)


@given(payloads(JSON | st.fixed_dictionaries({"result": JSON, "phenomenonTime": JSON})))
def test_any_observation_is_read_or_refused(payload: bytes) -> None:
    with contextlib.suppress(PayloadRefused):
        check(observation(payload))


@given(payloads(JSON | ARRAYS))
def test_any_data_array_is_read_or_refused(payload: bytes) -> None:
    with contextlib.suppress(PayloadRefused):
        check(arrays(payload))


@given(
    payloads(JSON | st.fixed_dictionaries({"value": JSON, "time": JSON, "unit": JSON})),
    st.sampled_from(TimeFormat),
    st.booleans(),
    st.none() | st.floats(-1e300, 1e300),
    st.none() | st.sampled_from(["$", "a", "value", "$.a[0]", "unit"]),
)
def test_any_mapped_payload_is_read_or_refused(
    payload: bytes, time_format: TimeFormat, as_text: bool, scale: float | None, path: str | None
) -> None:
    with contextlib.suppress(PayloadRefused):
        parsed = mapped(
            payload,
            time_format=time_format,
            numbers_as_text=as_text,
            scale=scale,
            unit="unit",
            time_missing="arrival",
            datastream_path=path,
        )
        check(parsed)


@given(st.text() | JSON)
def test_any_time_is_read_or_refused(value: Any) -> None:
    for parse in (iso_time, lambda moment: epoch_time(moment, 1_000), lambda moment: epoch_time(moment, 1_000_000)):
        with contextlib.suppress(PayloadRefused):
            assert isinstance(parse(value), int)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_that_is_written_is_read_back(moment: datetime) -> None:
    assert iso_time(moment.isoformat()) == to_microseconds(moment)


@given(st.integers() | st.floats())
def test_any_number_is_finite_or_refused(value: float) -> None:
    with contextlib.suppress(PayloadRefused):
        assert math.isfinite(number(value))


def test_the_error_is_one_that_the_whole_house_knows() -> None:
    assert PayloadRefused("x").status == 422
    assert not issubclass(PayloadRefused, ConfigurationError)
