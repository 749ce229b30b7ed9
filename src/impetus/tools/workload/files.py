"""Files of a person's signals: NumPy arrays, tables and columns of text, and the European Data Format (EDF).

EDF: Kemp et al., "A simple format for exchange of digitized polygraphic recordings", Electroencephalography and
Clinical Neurophysiology 82 (1992), 391-393. Everything is bounded, and what is malformed is refused with a reason.
"""

from __future__ import annotations

import csv
import io
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impetus.model import InvalidInput
from impetus.tools.workload.arrays import Floats

LIMIT_BYTES = 400_000_000
INTERVAL_NAMES = ("nn", "rr", "nni", "rri", "ibi", "nn_ms", "rr_ms", "nn_interval", "rr_interval", "interval")
SIGNAL_NAMES = ("ecg", "ekg", "ecg_mv", "ppg", "bvp", "signal", "value")
TIME_NAMES = ("time", "time_s", "timestamp", "seconds", "sample", "index", "")


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal of a file."""

    name: str
    values: Floats
    rate_hz: float | None
    """None where the file does not say."""
    unit: str = ""
    """As the file names it; empty where it does not."""


def read_intervals(path: Path) -> Floats:
    """RR intervals, shape (n,). Raises `InvalidInput`."""
    return _bounded(path, read_column(path, INTERVAL_NAMES))


def read_signal(path: Path, *, channel: str | None = None, wanted: Sequence[str] = SIGNAL_NAMES) -> Signal:
    """One signal of a file: of an EDF file the channel of that name, or the first whose name has a wanted word.

    Raises `InvalidInput`.
    """
    if path.suffix.lower() in (".edf", ".bdf"):
        signals = read_edf(path)
        names = [signal.name for signal in signals]
        for signal in signals:
            name = signal.name.lower()
            if name == channel.lower() if channel else any(word in name for word in wanted[:-2]):
                return signal
        raise InvalidInput(
            f"{path.name} has no channel {channel or ' or '.join(wanted[:2])!r}",
            hint=f"name one with --channel: {', '.join(names)[:300]}",
        )
    return Signal(path.stem, _bounded(path, read_column(path, (channel.lower(),) if channel else wanted)), None)


def _bounded(path: Path, values: Floats) -> Floats:
    if not len(values):
        raise InvalidInput(f"{path.name} holds no number", hint="give one number a line, or a column of them")
    return values


def read_column(path: Path, names: Sequence[str]) -> Floats:
    """The column of one of these names, or the only one beside a time, of a .npy, .csv or .txt file.

    What is no number is nan in the middle of a file. Raises `InvalidInput`.
    """
    data = _bytes(path)
    if path.suffix.lower() == ".npy":
        return _array(path, data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path.name} is no text", hint="give a .npy, .csv, .txt or .edf file") from error
    delimiter = next((mark for mark in (",", ";", "\t") if mark in text[:4_000]), " ")
    try:
        rows = [
            [cell.strip() for cell in (row if delimiter != " " else " ".join(row).split())]
            for row in csv.reader(io.StringIO(text), delimiter=delimiter)
            if row and any(cell.strip() for cell in row) and not row[0].lstrip().startswith("#")
        ]
    except csv.Error as error:
        raise InvalidInput(f"{path.name} is no table: {error}", hint="give one number a line") from error
    if not rows:
        return np.zeros(0)
    header = [cell.lower() for cell in rows[0]] if not any(math.isfinite(_number(cell)) for cell in rows[0]) else None
    if header is None and len(rows) == 1 and len(rows[0]) > 2:
        return np.array([_number(cell) for cell in rows[0]])
    place = _place(path, header, max(len(row) for row in rows[:50]), names)
    values = np.array([_number(row[place]) if place < len(row) else math.nan for row in rows[header is not None :]])
    if len(values) and not np.isfinite(values).any():
        raise InvalidInput(f"{path.name} holds no number", hint="give one number a line, or a column of them")
    return values


def _place(path: Path, header: Sequence[str] | None, width: int, names: Sequence[str]) -> int:
    if header is None:
        # Without names, a first column beside others is the time.
        return 0 if width == 1 else 1
    for name in names:
        if name in header:
            return header.index(name)
    others = [place for place, name in enumerate(header) if name not in TIME_NAMES]
    if len(others) != 1:
        raise InvalidInput(
            f"{path.name}: none of the columns {', '.join(header)[:200]!r} is {' or '.join(names[:3])!r}",
            hint="name the column so",
        )
    return others[0]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _array(path: Path, data: bytes) -> Floats:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            array = np.load(io.BytesIO(data), allow_pickle=False)
            values = np.asarray(array, dtype=np.float64)
    except Exception as error:  # numpy raises many kinds for what is no array
        raise InvalidInput(f"{path.name} is no array of numbers: {str(error)[:120]}", hint="save it anew") from error
    if values.ndim == 2 and 1 in values.shape:
        values = values.ravel()
    if values.ndim != 1:
        raise InvalidInput(f"{path.name} has the shape {values.shape}", hint="give one row of numbers")
    return values


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{path.name} cannot be read: {error.strerror}", hint="name a file") from error
    if len(data) > LIMIT_BYTES:
        raise InvalidInput(f"{path.name} holds more than {LIMIT_BYTES:,} bytes", hint="split it")
    return data


def read_edf(path: Path) -> list[Signal]:
    """All signals of an EDF or BDF file, in physical units. Raises `InvalidInput`."""
    data = _bytes(path)
    wide = data[:1] == b"\xff"
    try:
        count = int(data[252:256])
        records, record_s = int(data[236:244]), float(data[244:252])
        if not 1 <= count <= 512 or not math.isfinite(record_s) or record_s <= 0:
            raise ValueError("the header makes no sense")
        fields = data[256 : 256 * (count + 1)].decode("latin-1")
        if len(fields) < 256 * count:
            raise ValueError("the header ends early")

        def column(offset: int, width: int) -> list[str]:
            start = offset * count
            return [fields[start + width * place : start + width * (place + 1)].strip() for place in range(count)]

        names, units = column(0, 16), column(96, 8)
        low, high, digital_low, digital_high = (
            np.array([float(text) for text in column(offset, 8)]) for offset in (104, 112, 120, 128)
        )
        samples = [int(text) for text in column(216, 8)]
        if min(samples) < 1 or not np.isfinite([low, high]).all() or (digital_high <= digital_low).any():
            raise ValueError("the ranges make no sense")
    except (ValueError, IndexError) as error:
        raise InvalidInput(f"{path.name} is no EDF file: {error}", hint="export it again") from error
    size = 3 if wide else 2
    body = data[256 * (count + 1) :]
    whole = len(body) // (size * sum(samples))
    if whole < 1 or records == 0:
        raise InvalidInput(f"{path.name} holds no whole record", hint="export it again")
    records = whole if records < 0 else min(records, whole)
    raw = np.frombuffer(body[: records * size * sum(samples)], dtype=np.uint8).reshape(records, -1)
    signals, start = [], 0
    for place, number in enumerate(samples):
        digital = _integers(raw[:, start : start + size * number], size)
        start += size * number
        if names[place].endswith("Annotations"):
            continue
        gain = (high[place] - low[place]) / (digital_high[place] - digital_low[place])
        values = low[place] + gain * (digital - digital_low[place])
        signals.append(Signal(names[place], values, number / record_s, units[place]))
    return signals


def _integers(raw: np.ndarray[tuple[int, int], np.dtype[np.uint8]], size: int) -> Floats:
    """Little-endian signed integers of two or three bytes, shape (n,)."""
    parts = np.ascontiguousarray(raw).reshape(-1, size).astype(np.int64)
    total = sum((parts[:, byte] << (8 * byte)) for byte in range(size))
    return np.where(total >= 1 << (8 * size - 1), total - (1 << (8 * size)), total).astype(np.float64)
