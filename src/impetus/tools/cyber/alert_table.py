"""Alert tables (CSV with time, host, ip, signature, name) read row by row; also compressed with gzip or xz."""

from __future__ import annotations

import csv
import gzip
import io
import lzma
import math
import zlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from impetus.model import InvalidInput
from impetus.tools.cyber.episodes import SecurityAlert

COLUMNS = {
    "time": ("time", "timestamp", "@timestamp"),
    "host": ("host", "hostname", "agent"),
    "ip": ("ip", "address", "src_ip"),
    "signature": ("signature", "short", "signature_id", "rule"),
    "name": ("name", "title", "description", "message"),
}
"""Names that a column may have, the first of them ours."""
TEXT_LIMIT = 500
MOST_ALERTS = 20_000_000
LATEST_S = 253_402_300_799.0


def read_alerts(path: Path | str, skipped: Counter[str], stream: io.TextIOBase | None = None) -> list[SecurityAlert]:
    """The alerts of a table in the order of time; rows that cannot be used are counted by reason.

    Raises InvalidInput if the file cannot be read, or has no columns time and signature or name.
    """
    try:
        if stream is not None:
            found = list(_rows(stream, skipped))
        else:
            with _opened(Path(path)) as opened:
                found = list(_rows(opened, skipped))
    except (OSError, EOFError, lzma.LZMAError, zlib.error, csv.Error, UnicodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}", hint="give a CSV file in UTF-8") from error
    found.sort(key=lambda alert: alert.time_s)
    return found


def parse_time(text: str) -> float:
    """Seconds since 1970 of a number of seconds or an ISO 8601 time (UTC without a zone). Raises ValueError."""
    try:
        value = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text.strip())
        value = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(value) or not 0 <= value <= LATEST_S:
        raise ValueError(f"{text[:40]!r} is no time")
    return value


def plain_text(value: object) -> str:
    """What can be shown and kept: one line, without control characters and halves of surrogate pairs."""
    text = str(value)[:TEXT_LIMIT].encode("utf-8", "replace").decode()
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _opened(path: Path) -> io.TextIOBase:
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8", errors="replace", newline="")
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", errors="replace", newline="")
    return path.open(encoding="utf-8", errors="replace", newline="")


def _rows(stream: io.TextIOBase, skipped: Counter[str]) -> Iterator[SecurityAlert]:
    reader = csv.reader(line.replace("\0", "") for line in stream)
    header = [name.strip().lower().lstrip("\ufeff") for name in next(reader, [])]
    places = {
        column: next((header.index(name) for name in names if name in header), -1) for column, names in COLUMNS.items()
    }
    if places["time"] < 0 or max(places["signature"], places["name"]) < 0:
        raise InvalidInput("the table has no columns time and signature or name", hint="time,host,ip,signature,name")
    needed = max(places.values())

    def cell(row: list[str], column: str) -> str:
        return plain_text(row[places[column]]) if places[column] >= 0 else ""

    for count, row in enumerate(reader):
        if count >= MOST_ALERTS:
            skipped[f"beyond the first {MOST_ALERTS} alerts"] += 1
            continue
        if len(row) <= needed:
            if row:
                skipped["rows with too few cells"] += 1
            continue
        try:
            time_s = parse_time(row[places["time"]])
        except (ValueError, OverflowError):
            skipped["rows without a time"] += 1
            continue
        name = cell(row, "name")
        address = cell(row, "ip")
        signature = cell(row, "signature") or name
        if not signature:
            skipped["rows without a signature"] += 1
            continue
        yield SecurityAlert(time_s, cell(row, "host") or address, signature, name or signature, address)
