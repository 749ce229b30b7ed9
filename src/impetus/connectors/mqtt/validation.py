"""Readings against the registered datastreams: known, in the right unit, at a believable time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from impetus.connectors.mqtt.payload import Readings, RefusedPart, shown
from impetus.model import Datastream, from_microseconds

_UNIT_SPELLINGS = str.maketrans({"µ": "u", "μ": "u", "³": "3", "²": "2", "\u00a0": " "})


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Times between these are believed; in microseconds since 1970-01-01 UTC."""

    earliest_us: int
    latest_us: int


def same_unit(first: str, second: str) -> bool:
    """Whether two unit texts mean the same, letting `µg/m³` stand for `ug/m3`."""
    return first.strip().translate(_UNIT_SPELLINGS) == second.strip().translate(_UNIT_SPELLINGS)


def is_known(readings: Readings, registered: Mapping[str, Datastream]) -> bool:
    """Whether the datastream is registered."""
    return readings.datastream in registered


def validate(
    readings: Readings, registered: Mapping[str, Datastream], window: TimeWindow
) -> tuple[Readings | None, list[RefusedPart]]:
    """What of the readings may go on, and what is set aside with its reason."""
    datastream = registered.get(readings.datastream)
    if datastream is None:
        reason = f"unknown datastream {shown(readings.datastream, 150)}; register it first"
        return None, [RefusedPart(reason, _body(readings, range(len(readings.value))))]
    if readings.unit is not None and not same_unit(readings.unit, datastream.unit):
        reason = (
            f"datastream {datastream.id} is registered in {shown(datastream.unit)} but the payload is in "
            f"{shown(readings.unit)}; mend one of them or give its mapping a scale"
        )
        return None, [RefusedPart(reason, _body(readings, range(len(readings.value))))]
    if window.earliest_us <= min(readings.time_us) and max(readings.time_us) <= window.latest_us:
        return readings, []
    return _in_window(readings, window)


def _in_window(readings: Readings, window: TimeWindow) -> tuple[Readings | None, list[RefusedPart]]:
    kept = Readings(readings.datastream, [], [], readings.unit)
    early: list[int] = []
    late: list[int] = []
    for position, (time_us, value) in enumerate(zip(readings.time_us, readings.value, strict=True)):
        if time_us < window.earliest_us:
            early.append(position)
        elif time_us > window.latest_us:
            late.append(position)
        else:
            kept.time_us.append(time_us)
            kept.value.append(value)
    refused = []
    for positions, word, bound_us in ((early, "before", window.earliest_us), (late, "after", window.latest_us)):
        if positions:
            reason = (
                f"datastream {readings.datastream}: {len(positions)} reading(s) {word} {_moment(bound_us)}, "
                f"the first at {_moment(readings.time_us[positions[0]])}; check the sensor's clock"
            )
            refused.append(RefusedPart(reason, _body(readings, positions)))
    return (kept if kept.value else None), refused


def _moment(time_us: int) -> str:
    try:
        return from_microseconds(time_us).isoformat(timespec="seconds")
    except OverflowError:
        return f"{time_us} us since 1970"


def _body(readings: Readings, positions: range | list[int]) -> bytes:
    """The refused readings as JSON, the first thousand of them."""
    rows = [[readings.time_us[position], readings.value[position]] for position in positions[:1000]]
    return orjson.dumps({"datastream": readings.datastream, "unit": readings.unit, "time_us_value": rows})
