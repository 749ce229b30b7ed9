"""What the tool's page shows, as documents: the state of all streams, their places, and one stream looked into."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from impetus.model import Datastream, ToolResult, derived_id
from impetus.tools.anomaly.alerts import TOOL
from impetus.tools.anomaly.arrays import Floats
from impetus.tools.anomaly.day_memory import DAY_S, DayMemory
from impetus.tools.anomaly.hours import FEATURES
from impetus.tools.anomaly.past_events import LEAST_RARITY, PastEvents
from impetus.tools.anomaly.surroundings import NeighbourState
from impetus.tools.anomaly.verdicts import VerdictMemory

STREAMS_A_DOCUMENT = 500
MOST_SHOWN = 2_000
"""Streams with a state other than quiet that one document lists."""
HEAT_STREAMS, HEAT_HOURS = 40, 48
BARS = tuple(round(3.0 + 0.1 * step, 1) for step in range(61))
"""Bars that past alerts are counted for, in powers of ten."""
MAINTENANCE = ("silence", "stuck", "impossible", "apart", "unit")


class StreamNamed(BaseModel):
    """A stream, as a row of a table names it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(title="Stream", min_length=1, max_length=200)]


class ThresholdWanted(BaseModel):
    """How many false alerts a day are borne over all streams; none: as it is set up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    false_alerts_a_day: Annotated[float | None, Field(title="False alerts a day", gt=0, le=1_000)] = None


@dataclass(frozen=True, slots=True)
class StreamNow:
    """A stream that is not as usual: what it is (`level`, `apart`, `silence`, ...), since when, how rare."""

    row: int
    state: str
    since_s: float
    rarity: float
    text: str


@dataclass(frozen=True, slots=True)
class Threshold:
    """The bar that holds now, and what it means."""

    false_alerts_a_day: float
    rarity: float
    readings_a_day: float
    weak_share: float


def overview(
    tenant: str,
    now: datetime,
    revision: int,
    names: Sequence[str],
    states: Sequence[StreamNow],
    threshold: Threshold,
    past: PastEvents,
    verdicts: VerdictMemory,
) -> ToolResult:
    """The state of all streams, in one document."""
    shown = sorted(states, key=lambda state: -state.rarity)[:MOST_SHOWN]
    strengths = past.strengths(threshold.weak_share)
    begins = np.array([event.begin_s for event in past], dtype=np.float64)
    span_days = (now.timestamp() - float(begins.min())) / DAY_S if len(begins) else 0.0
    maintenance: list[JsonValue] = [
        {"id": names[state.row], "what": state.state, "since": _text_of(state.since_s), "text": state.text[:200]}
        for state in states
        if state.state in MAINTENANCE
    ]
    found: list[JsonValue] = [
        {
            "id": stream,
            "confirmed": one.confirmed,
            "dismissed": one.dismissed,
            "shift": round(one.shift, 2),
            "times": round(10.0**one.shift, 2),
        }
        for stream, one in sorted(verdicts.all().items(), key=lambda pair: -abs(pair[1].shift))
    ]
    content: dict[str, JsonValue] = {
        "watched": len(names),
        "states": [[state.row, state.state, round(state.rarity, 1)] for state in shown],
        "threshold": {
            "false_alerts_a_day": threshold.false_alerts_a_day,
            "rarity": round(threshold.rarity, 3),
            "readings_a_day": round(threshold.readings_a_day, 1),
        },
        "past": {
            "days": round(min(max(span_days, 0.0), 31.0), 2),
            "bars": list(BARS),
            "alerts": [int(np.count_nonzero(strengths >= bar)) for bar in BARS],
        },
        "heat": _heat(now, names, past),
        "maintenance": maintenance[:300],
        "verdicts": found[:200],
    }
    return ToolResult(
        id=derived_id(TOOL, tenant, "overview"),
        revision=revision,
        tool=TOOL,
        kind="overview",
        title=f"{len(names)} streams, {len(states)} not as usual",
        time=now,
        content=content,
    )


def _heat(now: datetime, names: Sequence[str], past: PastEvents) -> dict[str, JsonValue]:
    """Rarity by stream and hour: the streams with the rarest events of the last two days."""
    first_s = now.timestamp() - HEAT_HOURS * 3_600.0
    cells: dict[int, dict[int, float]] = {}
    for event in past:
        if event.end_s < first_s or event.row >= len(names):
            continue
        begin = max(int((event.begin_s - first_s) // 3_600.0), 0)
        for hour in range(begin, min(int((event.end_s - first_s) // 3_600.0) + 1, HEAT_HOURS)):
            row = cells.setdefault(event.row, {})
            row[hour] = max(row.get(hour, 0.0), event.rarest[0])
    rows = sorted(cells, key=lambda row: -sum(rarity - LEAST_RARITY + 0.1 for rarity in cells[row].values()))
    return {
        "since": _text_of(first_s),
        "streams": [names[row] for row in rows[:HEAT_STREAMS]],
        "cells": [
            [hour, place, round(rarity, 1)]
            for place, row in enumerate(rows[:HEAT_STREAMS])
            for hour, rarity in sorted(cells[row].items())
        ],
    }


def stream_documents(
    tenant: str, now: datetime, revision: int, names: Sequence[str], registered: Mapping[int, Datastream]
) -> Iterable[ToolResult]:
    """Names and places of all streams, five hundred a document; the place in the list is the number of the row."""
    for first in range(0, len(names), STREAMS_A_DOCUMENT):
        ids = names[first : first + STREAMS_A_DOCUMENT]
        places: list[JsonValue] = []
        for row in range(first, first + len(ids)):
            datastream = registered.get(row)
            if datastream is None or datastream.place is None:
                places.append(None)
            else:
                places.append([round(degree, 5) for degree in datastream.place.centre])
        titles: list[JsonValue] = [
            registered[row].name[:60] if row in registered else "" for row in range(first, first + len(ids))
        ]
        yield ToolResult(
            id=derived_id(TOOL, tenant, "streams", str(first)),
            revision=revision,
            tool=TOOL,
            kind="streams",
            title=f"Streams {first + 1} to {first + len(ids)}",
            time=now,
            content={"first": first, "ids": list(ids), "names": titles, "places": places},
        )


def stream_document(
    tenant: str,
    now: datetime,
    revision: int,
    request: str,
    datastream: Datastream,
    row: int,
    rarities: Floats,
    neighbours: NeighbourState,
    days: DayMemory,
    verdicts: VerdictMemory,
    zone: tzinfo,
) -> ToolResult:
    """One stream looked into; `rarities` are those of its newest reading, in the order of `FEATURES`."""
    local = now.astimezone(zone)
    offset = local.utcoffset() or timedelta(0)
    today = math.floor((now.timestamp() + offset.total_seconds()) / DAY_S)
    found = verdicts.found(datastream.id)
    content: dict[str, JsonValue] = {
        "id": datastream.id,
        "name": datastream.name,
        "unit": datastream.unit,
        "contributions": [
            {"what": name, "rarity": round(float(rarity), 2)} for name, rarity in zip(FEATURES, rarities, strict=True)
        ],
        "neighbours": neighbours.words,
        "today": {"day": _date_of(today), "hours": _hours(days.hours(row, today))},
        "like": [
            {"day": _date_of(day.day), "hours": _hours(day.hours), "distance": _number(day.distance)}
            for day in days.like(row, today)
        ],
        "verdicts": {"confirmed": found.confirmed, "dismissed": found.dismissed, "shift": round(found.shift, 2)},
    }
    return ToolResult(
        id=derived_id(TOOL, tenant, "stream", datastream.id),
        revision=revision,
        tool=TOOL,
        kind="stream",
        title=datastream.name,
        time=now,
        request=request,
        content=content,
    )


def _hours(values: Floats) -> list[JsonValue]:
    return [_number(float(value)) for value in values]


def _number(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _date_of(day: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=min(max(day, -700_000), 2_900_000))).date().isoformat()


def _text_of(seconds: float) -> str:
    named = min(max(seconds, -62_000_000_000.0), 253_000_000_000.0)
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=round(named))).isoformat()
