"""What may come in: alerts and readings whose times and values can be real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import orjson

from impetus.model import Alert, Datastream, InvalidInput, ObservationBatch, from_microseconds, to_microseconds

SHOWN_READINGS = 100
"""Readings that one refusal repeats; the others are counted."""


@dataclass(frozen=True, slots=True)
class Window:
    """Times in [earliest, latest] are believed."""

    earliest: datetime
    latest: datetime

    @classmethod
    def around(cls, now: datetime, *, behind_days: float, ahead_s: float) -> Window:
        """From `behind_days` ago to `ahead_s` from now."""
        return cls(now - timedelta(days=behind_days), now + timedelta(seconds=ahead_s))


@dataclass(frozen=True, slots=True)
class Refused:
    """Readings of one datastream that cannot be real."""

    reason: str
    readings: int
    body: bytes
    """Some of them as JSON, for the dead letter."""


def check_alert(alert: Alert, window: Window) -> None:
    """Raises `InvalidInput` for an alert whose times cannot be real. A forecast may begin in the future."""
    for name, moment in (("sent", alert.sent), ("onset", alert.onset)):
        if moment < window.earliest:
            raise InvalidInput(
                f"The alert's '{name}' is {moment.isoformat()}, which is too long ago.",
                hint="Check the sender's clock.",
            )
    if alert.sent > window.latest:
        raise InvalidInput(
            f"The alert's 'sent' is {alert.sent.isoformat()}, which lies in the future.",
            hint="Check the sender's clock.",
        )
    if alert.ended is not None and alert.ended < alert.onset:
        raise InvalidInput("The alert ended before it began.", hint="Send an 'ended' at or after its 'onset'.")


def unknown_datastreams(batch: ObservationBatch, registered: Mapping[str, Datastream]) -> Sequence[str]:
    """The datastreams of a batch that nobody registered."""
    return [name for name in batch.datastreams if name not in registered]


def admit(
    batch: ObservationBatch, registered: Mapping[str, Datastream], window: Window
) -> tuple[ObservationBatch | None, Sequence[Refused]]:
    """The readings of a batch that may be kept, in order, and those that may not.

    Refused are times outside the window, and values outside the datastream's `lowest` to `highest` where it is
    registered with such bounds. None if nothing is left.
    """
    index = np.asarray(batch.index, dtype=np.int64)
    time_us = np.asarray(batch.time_us, dtype=np.int64)
    value = np.asarray(batch.value, dtype=np.float64)
    lowest = np.full(len(batch.datastreams), -np.inf)
    highest = np.full(len(batch.datastreams), np.inf)
    for number, name in enumerate(batch.datastreams):
        datastream = registered.get(name)
        if datastream is not None:
            lowest[number] = -np.inf if datastream.lowest is None else datastream.lowest
            highest[number] = np.inf if datastream.highest is None else datastream.highest
    early = time_us < to_microseconds(window.earliest)
    late = time_us > to_microseconds(window.latest)
    low = value < lowest[index]
    high = value > highest[index]
    bad = early | late | low | high
    if not bad.any():
        return (batch if len(batch) else None), ()
    refused: list[Refused] = []
    for mask, why in (
        (early, "too long ago; check the sensor's clock"),
        (late & ~early, "in the future; check the sensor's clock"),
        (low & ~(early | late), "lower than this datastream can read"),
        (high & ~(early | late), "higher than this datastream can read"),
    ):
        for number in np.unique(index[mask]).tolist():
            chosen = np.flatnonzero(mask & (index == number))
            refused.append(_refused(batch, batch.datastreams[number], chosen.tolist(), why))
    kept = np.flatnonzero(~bad)
    if not len(kept):
        return None, refused
    return (
        # The columns were checked when the batch was read, and a part of them needs no second check.
        ObservationBatch.model_construct(
            datastreams=batch.datastreams,
            index=tuple(index[kept].tolist()),
            time_us=tuple(time_us[kept].tolist()),
            value=tuple(value[kept].tolist()),
        ),
        refused,
    )


def _refused(batch: ObservationBatch, name: str, chosen: Sequence[int], why: str) -> Refused:
    first = chosen[0]
    rows = [[batch.time_us[position], batch.value[position]] for position in chosen[:SHOWN_READINGS]]
    reason = (
        f"datastream {name}: {len(chosen)} reading(s) {why}, the first {batch.value[first]!r} "
        f"at {_moment(batch.time_us[first])}"
    )
    return Refused(reason, len(chosen), orjson.dumps({"datastream": name, "time_us_value": rows}))


def _moment(time_us: int) -> str:
    try:
        return from_microseconds(time_us).isoformat(timespec="seconds")
    except OverflowError:
        return f"{time_us} us since 1970"
