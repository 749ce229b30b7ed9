"""Readings that cannot be right do not get onto the bus, and the reason names what to mend."""

from __future__ import annotations

import pytest

from impetus.connectors.mqtt.payload import Readings
from impetus.connectors.mqtt.refusals import SINGLE_LETTERS, WINDOW_S, Refusal, RefusalLimiter
from impetus.connectors.mqtt.tests.doubles import datastream, registered
from impetus.connectors.mqtt.validation import TimeWindow, same_unit, validate

WINDOW = TimeWindow(earliest_us=1_000, latest_us=2_000)
KNOWN = registered(datastream("sound-1", unit="dB", lowest=20, highest=130))


def test_good_readings_pass_unchanged() -> None:
    readings = Readings("sound-1", [1_000, 2_000], [50.0, 60.0], "dB")
    assert validate(readings, KNOWN, WINDOW) == (readings, [])


def test_a_value_that_cannot_be_real_passes_since_finding_it_is_a_tools_work() -> None:
    readings = Readings("sound-1", [1_500], [-999.0])
    assert validate(readings, KNOWN, WINDOW)[0] == readings


def test_a_foreign_unit_is_refused_naming_both() -> None:
    kept, refused = validate(Readings("sound-1", [1_500], [50.0], "Pa"), KNOWN, WINDOW)
    assert kept is None
    assert "'dB'" in refused[0].reason
    assert "'Pa'" in refused[0].reason


def test_an_unknown_datastream_is_refused_by_name_and_hostile_names_are_escaped() -> None:
    kept, refused = validate(Readings("<script>\n\x1b[2J", [1_500], [50.0]), KNOWN, WINDOW)
    assert kept is None
    assert refused[0].reason == r"unknown datastream '<script>\n\x1b[2J'; register it first"


def test_only_the_readings_outside_the_time_window_are_refused() -> None:
    readings = Readings("sound-1", [999, 1_500, 2_001, 10**18], [1.0, 2.0, 3.0, 4.0])
    kept, refused = validate(readings, KNOWN, WINDOW)
    assert kept is not None
    assert (kept.time_us, kept.value) == ([1_500], [2.0])
    assert len(refused) == 2
    assert "1 reading(s) before 1970-01-01T00:00:00+00:00" in refused[0].reason
    assert "2 reading(s) after" in refused[1].reason


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [("µg/m³", "ug/m3", True), ("dB ", "dB", True), ("db", "dB", False), ("m", "mm", False)],
)
def test_spellings_of_a_unit(first: str, second: str, same: bool) -> None:
    assert same_unit(first, second) is same


def test_a_sensor_that_is_broken_for_long_fills_no_list_but_is_counted() -> None:
    limiter = RefusalLimiter()
    single = [
        number
        for number in range(1_000)
        if limiter.admit(Refusal("city", "t", b"", f"reason {number}"), now_s=number * 0.01)
    ]
    assert len(single) == SINGLE_LETTERS
    assert limiter.summaries(now_s=10.0) == []
    (summary,) = limiter.summaries(now_s=WINDOW_S)
    assert "980 more payloads" in summary.reason
    assert "reason 999" in summary.reason
    assert limiter.admit(Refusal("city", "t", b"", "again"), now_s=WINDOW_S + 1)
