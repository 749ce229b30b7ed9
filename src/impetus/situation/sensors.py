"""How a sensor is doing, as the map shows it."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


class SensorState(StrEnum):
    """State of a datastream; of several the first in this order is shown."""

    SILENT = "silent"
    STUCK = "stuck"
    ANOMALOUS = "anomalous"
    OK = "ok"
    UNKNOWN = "unknown"
    """Nothing was ever read."""


def sensor_state(detectors: Collection[str], *, has_reading: bool) -> SensorState:
    """The state that follows from the detectors that have something open on the datastream.

    >>> sensor_state({"level", "silence"}, has_reading=True).value
    'silent'
    >>> sensor_state((), has_reading=False).value
    'unknown'
    """
    if "silence" in detectors:
        return SensorState.SILENT
    if "stuck" in detectors:
        return SensorState.STUCK
    if detectors:
        return SensorState.ANOMALOUS
    return SensorState.OK if has_reading else SensorState.UNKNOWN
