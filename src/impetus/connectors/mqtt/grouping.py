"""Readings grouped into envelopes: one for each organisation and partition, so that order per datastream holds."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import datetime

from impetus.connectors.mqtt.payload import Readings
from impetus.model import Envelope, ObservationBatch

ORIGIN = "mqtt"
READINGS_PER_ENVELOPE = 50_000


class _Columns:
    __slots__ = ("index", "numbers", "time_us", "value")

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.index: list[int] = []
        self.time_us: list[int] = []
        self.value: list[float] = []


class Grouping:
    """Collects readings and hands them out as envelopes."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._columns: dict[tuple[str, int], _Columns] = {}
        self._full: list[tuple[tuple[str, int], _Columns]] = []
        self._bucket_of: dict[str, int] = {}
        self.count = 0
        """Readings collected since the last `take`."""

    def add(self, tenant: str, readings: Readings) -> None:
        """Collect readings, which keep their order."""
        bucket = self._bucket_of.get(readings.datastream)
        if bucket is None:
            # The same in every process and at every start, unlike Python's own hash.
            bucket = zlib.crc32(readings.datastream.encode()) % self._partitions
            self._bucket_of[readings.datastream] = bucket
        key = (tenant, bucket)
        columns = self._columns.get(key)
        if columns is None:
            columns = self._columns[key] = _Columns()
        number = columns.numbers.setdefault(readings.datastream, len(columns.numbers))
        if len(readings.value) == 1:
            columns.index.append(number)
        else:
            columns.index.extend([number] * len(readings.value))
        columns.time_us.extend(readings.time_us)
        columns.value.extend(readings.value)
        self.count += len(readings.value)
        if len(columns.value) >= READINGS_PER_ENVELOPE:
            self._full.append((key, self._columns.pop(key)))

    def take(self, now: Callable[[], datetime]) -> list[Envelope]:
        """Envelopes with everything collected, each of one partition."""
        envelopes = []
        for (tenant, bucket), columns in [*self._full, *self._columns.items()]:
            batch = ObservationBatch(
                datastreams=tuple(columns.numbers),
                index=tuple(columns.index),
                time_us=tuple(columns.time_us),
                value=tuple(columns.value),
            )
            envelopes.append(
                Envelope.wrap(
                    batch, kind="observation", tenant=tenant, origin=ORIGIN, time=now(), partition=f"{ORIGIN}-{bucket}"
                )
            )
        self._columns.clear()
        self._full.clear()
        self.count = 0
        return envelopes
