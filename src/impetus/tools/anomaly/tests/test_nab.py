"""The method on the labelled files of the Numenta Anomaly Benchmark, where they are present beside the repository."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from impetus.tools.anomaly.cli import score_rows
from impetus.tools.anomaly.readings_file import read_rows

NAB = Path(__file__).resolve().parents[5].parent / "shared" / "data" / "nab"
present = pytest.mark.skipif(not NAB.is_dir(), reason=f"needs the benchmark's files in {NAB}")


@present
@pytest.mark.parametrize(
    "name",
    ["realTraffic/speed_t4013.csv", "realTraffic/TravelTime_387.csv", "artificialWithAnomaly/art_daily_jumpsup.csv"],
)
def test_a_labelled_anomaly_is_reported_in_its_window(name: str) -> None:
    """Real traffic, with the parameter set that all files share."""
    with (NAB / "data" / name).open(encoding="utf-8", newline="") as lines:
        scores = [(row.timestamp, score) for row, score, _ in score_rows(read_rows(lines, name))]
    windows = json.loads((NAB / "windows.json").read_text())[name]
    reported = [timestamp for timestamp, score in scores if score >= 0.5]
    assert any(first[:19] <= timestamp <= last[:19] for first, last in windows for timestamp in reported)


@present
def test_every_row_of_every_file_can_be_read() -> None:
    files = sorted((NAB / "data").rglob("*.csv"))
    assert files
    for file in files:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(read_rows(lines, file.name))
        with file.open(encoding="utf-8", newline="") as lines:
            assert len(rows) == sum(1 for _ in csv.reader(lines)) - 1
