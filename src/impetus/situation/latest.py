"""The newest reading of every datastream, in memory, and what changed since the screens were last told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from impetus.model import ObservationBatch

Reading = tuple[int, float]
"""(microseconds since 1970-01-01 UTC, value)"""


class LatestReadings:
    """By tenant and datastream. A reading older than the one known changes nothing."""

    def __init__(self) -> None:
        self._latest: dict[str, dict[str, Reading]] = {}
        self._changed: dict[str, dict[str, tuple[int, float]]] = {}

    def load(self, tenant: str, readings: Iterable[tuple[str, int, float]]) -> None:
        """Take over what the store knows, as (datastream, microseconds, value), without announcing it."""
        known = self._latest.setdefault(tenant, {})
        for datastream, time_us, value in readings:
            if datastream not in known or known[datastream][0] < time_us:
                known[datastream] = (time_us, value)

    def add(self, tenant: str, batch: ObservationBatch) -> None:
        """Take in new readings."""
        known = self._latest.setdefault(tenant, {})
        changed = self._changed.setdefault(tenant, {})
        names = batch.datastreams
        for number, time_us, value in zip(batch.index, batch.time_us, batch.value, strict=True):
            datastream = names[number]
            before = known.get(datastream)
            if before is None or before[0] <= time_us:
                known[datastream] = (time_us, value)
                changed[datastream] = (time_us // 1_000, value)

    def of(self, tenant: str) -> Mapping[str, Reading]:
        """The newest reading of each datastream of a tenant that has any."""
        return self._latest.get(tenant, {})

    def take_changes(self) -> Mapping[str, Mapping[str, tuple[int, float]]]:
        """By tenant and datastream (milliseconds, value): what is new since the last call."""
        changed, self._changed = self._changed, {}
        return changed
