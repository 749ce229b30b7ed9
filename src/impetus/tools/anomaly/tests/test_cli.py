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
