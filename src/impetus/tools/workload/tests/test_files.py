"""Protects the reading of people's files: each known shape, and whatever else somebody gives."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impetus.model import InvalidInput
from impetus.tools.workload.files import read_edf, read_intervals, read_signal
from impetus.tools.workload.tests.edf import edf


def test_an_edf_file_gives_its_channels_in_their_units(tmp_path: Path) -> None:
    file = tmp_path / "night.edf"
    file.write_bytes(edf({"EEG Fz": [0] * 8, "ECG II": [-32768, 0, 32767, 0] * 2}, rate=4, records=2))
    signal = read_signal(file)
    assert (signal.name, signal.rate_hz) == ("ECG II", 4.0)
    assert signal.values == pytest.approx(np.array([-1, 0, 1, 0] * 2), abs=1e-4)
    with pytest.raises(InvalidInput, match="EEG Fz"):
        read_signal(file, channel="Pz")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "800\n810\n790\n"),
        ("a.csv", "rr\n800\n810\n790\n"),
        ("a.csv", "time,RR_ms,quality\n1,800,1\n2,810,1\n3,790,1\n"),
        ("a.csv", "1.0;800\n2.0;810\n3.0;790\n"),
        ("a.txt", "# from a belt\n800\n810\n790"),
        ("a.csv", "800,810,790\n"),
        ("a.csv", "\ufefftime,value\n0,800\n1,810\n2,790\n"),
    ],
)
def test_intervals_are_read_in_the_shapes_that_devices_write(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_intervals(tmp_path / name).tolist() == [800, 810, 790]


@pytest.mark.parametrize("content", [b"", b"hello", b"a,b,c\n1,2,3\n", b"\xff\xfe\x00", b"rr\nx\ny\n"])
def test_what_holds_no_intervals_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(content)
    with pytest.raises(InvalidInput):
        read_intervals(file)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=600), st.sampled_from([".edf", ".bdf", ".npy", ".csv", ".txt"]))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    file = tmp_path / f"a{suffix}"
    file.write_bytes(content)
    with contextlib.suppress(InvalidInput):
        assert len(read_signal(file).values)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 500), st.binary(min_size=1, max_size=8))
def test_a_spoilt_edf_header_is_read_or_refused(tmp_path: Path, place: int, junk: bytes) -> None:
    whole = bytearray(edf({"ECG": [1, 2, 3, 4]}, rate=4, records=1))
    whole[place : place + len(junk)] = junk
    file = tmp_path / "a.edf"
    file.write_bytes(bytes(whole))
    with contextlib.suppress(InvalidInput):
        read_edf(file)


def test_an_array_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidInput):
        read_intervals(tmp_path / "a.npy")
