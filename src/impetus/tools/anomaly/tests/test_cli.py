"""`impetus anomaly detect`: files good and bad, and what a shell sees of them."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from impetus.model import InvalidInput
from impetus.tools.anomaly.cli import app
from impetus.tools.anomaly.readings_file import read_rows
from impetus.tools.anomaly.tests.streams import DAY_READINGS, people

runner = CliRunner()
HEADER = "timestamp,value\n"


def lines_of(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    start = np.datetime64("2026-03-02T00:00:00")
    return HEADER + "".join(f"{start + np.timedelta64(900 * n, 's')},{v}\n" for n, v in enumerate(values))


def detect(text: str, tmp_path: Path) -> list[dict[str, object]]:
    file = tmp_path / "file.csv"
    file.write_text(text)
    result = runner.invoke(app, ["detect", str(file)])
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_line_for_a_row_and_the_event_alerts(tmp_path: Path) -> None:
    values = people(8)
    values[7 * DAY_READINGS + 50 : 7 * DAY_READINGS + 56] += 300
    results = detect(lines_of(values), tmp_path)
    assert len(results) == len(values)
    assert all(set(result) == {"timestamp", "value", "score", "alert"} for result in results)
    assert all(0.0 <= float(str(result["score"])) <= 1.0 for result in results)
    assert results[0]["timestamp"] == "2026-03-02T00:00:00"
    alerts = [number for number, result in enumerate(results) if result["alert"]]
    assert any(7 * DAY_READINGS + 50 <= number < 7 * DAY_READINGS + 56 for number in alerts)


def test_the_first_lines_are_the_same_in_a_longer_file(tmp_path: Path) -> None:
    """Causality as a user can check it, length of the file and its extremes included."""
    values = people(3)
    short = detect(lines_of(values[: 2 * DAY_READINGS]), tmp_path)
    values[2 * DAY_READINGS :] *= 1000
    assert detect(lines_of(values), tmp_path)[: 2 * DAY_READINGS] == short


def test_standard_input_is_read_as_well() -> None:
    result = runner.invoke(app, ["detect", "-"], input=HEADER + "2026-03-02 00:00:00,1\n")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"timestamp": "2026-03-02 00:00:00", "value": 1.0, "score": 0.0, "alert": False}


def test_rows_that_cannot_be_scored_have_a_line_and_a_note(tmp_path: Path) -> None:
    rows = [
        "2026-03-02 00:00:00,1",
        "2026-03-02 00:00:00,2",
        "2026-03-01 00:00:00,3",
        "2026-03-02 00:05:00,NaN",
        "2026-03-02 00:10:00,",
        "2026-03-02 00:15:00,inf",
        "2026-03-02 00:20:00,1e300",
        "2026-03-02 00:25:00,4",
    ]
    results = detect(HEADER + "\n".join(rows), tmp_path)
    assert [str(result.get("note", ""))[:9] for result in results] == [
        "",
        "same time",
        "older tha",
        "no value",
        "no value",
        "no value",
        "too large",
        "",
    ]
    assert [result["score"] for result in results] == [0.0] * 8
    assert results[3]["value"] is None


def test_offsets_and_daylight_saving_are_no_disorder(tmp_path: Path) -> None:
    """Local time goes back an hour in autumn; with its offset written, time goes on."""
    rows = ["2026-10-25T02:30:00+02:00,1", "2026-10-25T02:00:00+01:00,2", "2026-10-25T02:30:00+01:00,3"]
    assert all("note" not in result for result in detect(HEADER + "\n".join(rows), tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("time,reading\n1,2\n", "names no columns timestamp and value"),
        (HEADER + "2026-03-02 00:00:00,abc\n", "line 2: 'abc' is no number"),
        (HEADER + "2026-03-02 00:00:00,1\nyesterday,1\n", "line 3: 'yesterday' is no time"),
        (HEADER + "2026-03-02 00:00:00\n", "line 2 has 1 of 2 fields"),
    ],
)
def test_a_wrong_file_gives_one_line_and_exit_2(text: str, message: str, tmp_path: Path) -> None:
    """And no half result before it."""
    file = tmp_path / "wrong.csv"
    file.write_text(text)
    result = runner.invoke(app, ["detect", str(file)])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_cannot_be_read_gives_one_line_and_exit_2(name: str, tmp_path: Path) -> None:
    result = runner.invoke(app, ["detect", str(tmp_path / name)])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def test_bytes_that_are_no_text_give_one_line_and_exit_2(tmp_path: Path) -> None:
    file = tmp_path / "bytes.csv"
    file.write_bytes(HEADER.encode() + b"2026-03-02,\xff\xfe\n")
    result = runner.invoke(app, ["detect", str(file)])
    assert result.exit_code == 2
    assert "UTF-8" in result.stderr


@given(text=st.text(max_size=200))
def test_any_text_gives_rows_or_a_clear_error(text: str) -> None:
    """The parser meets whatever people upload."""
    with contextlib.suppress(InvalidInput):
        rows = list(read_rows((HEADER + text).splitlines(keepends=True), "file"))
        assert all(math.isfinite(row.time_s) for row in rows)


def test_three_values_are_three_quiet_lines(tmp_path: Path) -> None:
    """Too few to know anything by, and no error."""
    assert [line["score"] for line in detect(lines_of(np.array([1.0, 5.0, 900.0])), tmp_path)] == [0.0, 0.0, 0.0]


def test_a_constant_series_is_quiet_and_its_first_other_value_is_told(tmp_path: Path) -> None:
    """No spread at all is no division by nought, and no stuck sensor as long as nothing else was ever read."""
    values = np.full(1_000, 7.0)
    values[900] = 8.0
    results = detect(lines_of(values), tmp_path)
    assert all(line["score"] == 0.0 for line in results[:900])
    assert results[900]["alert"]


def test_a_long_gap_is_no_event(tmp_path: Path) -> None:
    """A week without a row: what comes after is judged by its hour, as before."""
    lines = lines_of(people(20)).splitlines(keepends=True)
    results = detect("".join(lines[: 1 + 9 * DAY_READINGS] + lines[1 + 16 * DAY_READINGS :]), tmp_path)
    after = results[9 * DAY_READINGS : 10 * DAY_READINGS]
    assert len(results) == 13 * DAY_READINGS
    assert sum(bool(line["alert"]) for line in after) <= 1


def test_irregular_times_are_scored(tmp_path: Path) -> None:
    """Rows that come as they like, seconds to an hour apart."""
    random = np.random.default_rng(4)
    moments = np.cumsum(random.integers(1, 3_600, 600))
    start = np.datetime64("2026-03-02T00:00:00")
    rows = "".join(f"{start + np.timedelta64(int(s), 's')},{random.normal(20.0):.3f}\n" for s in moments)
    results = detect(HEADER + rows, tmp_path)
    assert len(results) == 600
    assert all("note" not in line for line in results)
    assert sum(bool(line["alert"]) for line in results) <= 3


def test_a_thermometer_set_to_fahrenheit_is_said(tmp_path: Path) -> None:
    """1.8 x + 32 is recognised on the file, with the row where it is certain."""
    random = np.random.default_rng(2)
    hours = np.arange(0, 10 * 24, 0.25)
    values = 15.0 + 4.0 * np.sin(hours / 24 * 2 * np.pi) + random.normal(0, 0.3, len(hours))
    values[800:] = 1.8 * values[800:] + 32.0
    noted = [number for number, line in enumerate(detect(lines_of(values), tmp_path)) if "Fahrenheit" in str(line)]
    assert noted
    assert 800 <= noted[0] < 830


def test_a_stuck_value_is_said(tmp_path: Path) -> None:
    values = np.random.default_rng(3).normal(20.0, 1.0, 600)
    values[400:500] = values[400]
    assert any("stuck" in str(line.get("note", "")) for line in detect(lines_of(values), tmp_path)[400:500])
