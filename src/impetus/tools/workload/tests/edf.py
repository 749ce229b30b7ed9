"""Files of the European Data Format for the tests."""

from __future__ import annotations

import struct


def edf(signals: dict[str, list[int]], *, rate: int, records: int) -> bytes:
    """A file as the format's specification of 1992 has it."""
    count = len(signals)
    header = f"{'0':<8}{'X X X X':<80}{'Startdate X':<80}01.01.2601.00.00{256 * (count + 1):<8}{'':<44}"
    header += f"{records:<8}{1:<8}{count:<4}"
    header += "".join(f"{name:<16}" for name in signals) + " " * 80 * count
    for text in ("mV", "-1", "1", "-32768", "32767"):
        header += f"{text:<8}" * count
    header += " " * 80 * count + f"{rate:<8}" * count + " " * 32 * count
    body = b""
    for record in range(records):
        for values in signals.values():
            body += struct.pack(f"<{rate}h", *values[record * rate : (record + 1) * rate])
    return header.encode("latin-1") + body
