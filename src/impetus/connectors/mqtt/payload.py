"""Payloads into readings: pure functions that raise `PayloadRefused` and nothing else, whatever the bytes are.

Sources: OGC SensorThings API Part 1 (18-088), sections 14.2 (MQTT create) and 12.3 (data array extension).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from impetus.connectors.mqtt.mapping import CompiledMapping, TimeFormat, look_up
from impetus.model import InvalidInput

DEPTH_LIMIT = 32
"""How deep arrays and objects may be nested."""
PART_LIMIT = 100_000
"""Readings that one payload may carry."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?")


class PayloadRefused(InvalidInput):
    """The payload, or a part of it, cannot be read; the message says why."""

    code = "payload-refused"
    title = "The payload cannot be read"


@dataclass(slots=True)
class Readings:
    """Readings of one datastream, in columns: microseconds since 1970-01-01 UTC, and values."""

    datastream: str
    time_us: list[int]
    value: list[float]
    unit: str | None = None
    """Unit that the payload or its mapping names; None: none named, or already scaled to the registered one."""


@dataclass(frozen=True, slots=True)
class RefusedPart:
    """A part of a payload that could not be used, while the rest could."""

    reason: str
    body: bytes


@dataclass(slots=True)
class Parsed:
    """What a payload held."""

    readings: list[Readings] = field(default_factory=list)
    refused: list[RefusedPart] = field(default_factory=list)


def shown(value: object, limit: int = 60) -> str:
    """A foreign value as it may stand in a message: quoted, escaped and short."""
    text = ascii(value) if isinstance(value, str | bytes) else ascii(str(value)[: limit * 2])
    return text if len(text) <= limit else text[: limit - 3] + "..."


def load(payload: bytes, *, max_bytes: int) -> Any:
    """The JSON document in a payload, bounded in size and depth.

    Raises PayloadRefused.
    """
    if len(payload) > max_bytes:
        raise PayloadRefused(f"the payload has {len(payload):,} bytes; the limit is {max_bytes:,}")
    if not payload.strip():
        raise PayloadRefused("the payload is empty")
    try:
        document = orjson.loads(payload)
    except (ValueError, RecursionError) as error:
        raise PayloadRefused(f"the payload is no JSON: {error}") from error
    # A document of few brackets cannot be deep; only the others are walked, level by level, never recursively.
    if payload.count(b"{") + payload.count(b"[") > DEPTH_LIMIT:
        _check_depth(document)
    return document


def parse_observation(payload: bytes, datastream: str, *, arrival_us: int, max_bytes: int) -> Parsed:
    """A SensorThings Observation: `{"result": 21.5, "phenomenonTime": "2026-11-21T08:00:00Z"}`.

    Without phenomenonTime the time of arrival is taken, as the standard has it. Raises PayloadRefused.
    """
    document = load(payload, max_bytes=max_bytes)
    if not isinstance(document, dict):
        raise PayloadRefused("an Observation is a JSON object with a result")
    if "result" not in document:
        raise PayloadRefused("the Observation has no result")
    value = number(document["result"])
    moment = document.get("phenomenonTime")
    time_us = arrival_us if moment is None else iso_time(moment)
    return Parsed([Readings(datastream, [time_us], [value])])


def parse_data_arrays(payload: bytes, *, arrival_us: int, max_bytes: int) -> Parsed:
    """SensorThings' data array extension: many readings of many datastreams in one payload.

    `[{"Datastream": {"@iot.id": ID}, "components": ["phenomenonTime", "result"], "dataArray": [[time, value], ...]}]`.
    A row that cannot be read is set aside by itself; the other rows count. Raises PayloadRefused.
    """
    document = load(payload, max_bytes=max_bytes)
    if isinstance(document, dict):
        document = [document]
    if not isinstance(document, list) or not document:
        raise PayloadRefused("CreateObservations carries a JSON array of data arrays")
    parsed = Parsed()
    times: dict[object, int] = {}
    rows = 0
    for entry in document:
        datastream, time_column, result_column, array = _data_array(entry)
        rows += len(array)
        if rows > PART_LIMIT:
            raise PayloadRefused(f"the payload carries more than {PART_LIMIT:,} readings; send several payloads")
        readings = Readings(datastream, [], [])
        for row in array:
            try:
                if not isinstance(row, list):
                    raise PayloadRefused(f"a row of a data array is an array, not {shown(row)}")
                value = number(row[result_column])
                if time_column is None:
                    time_us = arrival_us
                else:
                    moment = row[time_column]
                    known = times.get(moment) if isinstance(moment, str) else None
                    if known is None:
                        known = iso_time(moment)
                        times[moment] = known
                    time_us = known
            except (PayloadRefused, IndexError) as error:
                reason = error.message if isinstance(error, PayloadRefused) else "the row is shorter than components"
                parsed.refused.append(RefusedPart(f"datastream {shown(datastream)}: {reason}", orjson.dumps(row)))
                continue
            readings.time_us.append(time_us)
            readings.value.append(value)
        if readings.value:
            parsed.readings.append(readings)
    return parsed


def parse_mapped(
    payload: bytes, mapping: CompiledMapping, placeholders: Mapping[str, str], *, arrival_us: int, max_bytes: int
) -> Parsed:
    """A city's own JSON, read as its mapping says. Raises PayloadRefused."""
    settings = mapping.mapping
    document = load(payload, max_bytes=max_bytes)
    if mapping.datastream_path is not None:
        datastream = look_up(document, mapping.datastream_path)
        if isinstance(datastream, int) and not isinstance(datastream, bool):
            datastream = str(datastream)
        if not isinstance(datastream, str) or not datastream:
            raise PayloadRefused(f"no datastream stands at {settings.datastream_path}")
    else:
        datastream = mapping.datastream_of(placeholders)
    found = look_up(document, mapping.value_path)
    if found is None:
        raise PayloadRefused(f"no value stands at {settings.value}")
    value = number(found, text_allowed=settings.numbers_as_text)
    moment = None if mapping.time_path is None else look_up(document, mapping.time_path)
    if moment is None:
        if settings.time_missing == "refuse":
            raise PayloadRefused(f"no time stands at {settings.time or 'any path (the mapping names none)'}")
        time_us = arrival_us
    elif settings.time_format is TimeFormat.ISO_8601:
        time_us = iso_time(moment)
    else:
        time_us = epoch_time(moment, 1_000_000 if settings.time_format is TimeFormat.EPOCH_S else 1_000)
    unit = settings.constant_unit
    if mapping.unit_path is not None:
        named = look_up(document, mapping.unit_path)
        if named is not None and not isinstance(named, str):
            raise PayloadRefused(f"the unit at {settings.unit} is no text: {shown(named)}")
        unit = named if named is not None else unit
    if settings.scale is not None:
        value *= settings.scale
        unit = None
        if not math.isfinite(value):
            raise PayloadRefused("the scaled value is not finite")
    return Parsed([Readings(datastream, [time_us], [value], unit)])


def number(value: object, *, text_allowed: bool = False) -> float:
    """A finite number. Raises PayloadRefused for everything else, truth values and numbers in quotes included."""
    if type(value) is float:
        result = value
    elif type(value) is int:
        try:
            result = float(value)
        except OverflowError as error:
            raise PayloadRefused("the value is too large") from error
    elif isinstance(value, str) and text_allowed:
        text = value.strip()
        if len(text) > 64 or not _NUMBER.fullmatch(text):
            raise PayloadRefused(f"the value {shown(value)} is no number")
        result = float(text)
    elif isinstance(value, str):
        raise PayloadRefused(f"the value {shown(value)} is text, not a number; a mapping may allow numbers_as_text")
    elif isinstance(value, bool):
        raise PayloadRefused("the value is true or false, not a number")
    elif value is None:
        raise PayloadRefused("the value is null")
    else:
        raise PayloadRefused("the value is an array or an object, not a number")
    if not math.isfinite(result):
        raise PayloadRefused("the value is not finite")
    return result


def iso_time(value: object) -> int:
    """Microseconds since 1970-01-01 UTC of an ISO 8601 date and time with offset; of an interval, its end.

    Raises PayloadRefused.
    """
    if not isinstance(value, str):
        raise PayloadRefused(f"the time {shown(value)} is no ISO 8601 text")
    text = value
    if "/" in text:
        text = text.rpartition("/")[2]
    # Shorter texts, week dates and bare dates would be read by fromisoformat but are ambiguous between senders.
    if not 16 <= len(text) <= 40 or text[10] not in "Tt ":
        raise PayloadRefused(f"the time {shown(value)} is no ISO 8601 date and time")
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise PayloadRefused(f"the time {shown(value)} has no offset from UTC; write for example ...T08:00:00Z")
        return (moment - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError) as error:
        raise PayloadRefused(f"the time {shown(value)} is no ISO 8601 date and time") from error


def epoch_time(value: object, microseconds: int) -> int:
    """Microseconds since 1970-01-01 UTC of a count of units of `microseconds` each. Raises PayloadRefused."""
    count = number(value)
    if abs(count) * microseconds > 2.5e17:
        raise PayloadRefused(f"the time {shown(value)} lies outside the years that exist; is it in milliseconds?")
    return round(count * microseconds)


def _data_array(entry: object) -> tuple[str, int | None, int, list[Any]]:
    """Datastream, column of phenomenonTime, column of result, rows."""
    if not isinstance(entry, dict):
        raise PayloadRefused("a data array is a JSON object with Datastream, components and dataArray")
    reference = entry.get("Datastream")
    datastream = reference.get("@iot.id") if isinstance(reference, dict) else None
    if isinstance(datastream, int) and not isinstance(datastream, bool):
        datastream = str(datastream)
    if not isinstance(datastream, str) or not datastream:
        raise PayloadRefused('a data array names its datastream: {"Datastream": {"@iot.id": ...}}')
    components = entry.get("components")
    if not isinstance(components, list) or "result" not in components:
        raise PayloadRefused(f"the data array of {shown(datastream)} has no result among its components")
    array = entry.get("dataArray")
    if not isinstance(array, list):
        raise PayloadRefused(f"the data array of {shown(datastream)} has no rows in dataArray")
    time_column = components.index("phenomenonTime") if "phenomenonTime" in components else None
    return datastream, time_column, components.index("result"), array


def _check_depth(document: Any) -> None:
    level = [document]
    for _ in range(DEPTH_LIMIT):
        deeper: list[Any] = []
        for item in level:
            children = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
            deeper.extend(child for child in children if isinstance(child, dict | list))
        if not deeper:
            return
        level = deeper
    raise PayloadRefused(f"the JSON is nested deeper than {DEPTH_LIMIT} levels")
