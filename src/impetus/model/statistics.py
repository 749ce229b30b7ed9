"""Figures about people that leave the organisation: what is asked for, and what was released in its place."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from impetus.model.base import Identifier, Line, UtcTime, Value

COUNTED: Final = frozenset(
    {
        "people-count",
        "crowd-count",
        "pedestrian-flow",
        "bicycle-flow",
        "passenger-flow",
        "traffic-flow",
        "vehicle-count",
        "device-count",
        "parking-occupancy",
    }
)
"""Observed properties in which one passing person changes one reading by at most one."""
STREAMS_LIMIT: Final = 50
CELLS_LIMIT: Final = 10_000


class CellWidth(StrEnum):
    """Time that one figure stands for."""

    HOUR = "hour"
    DAY = "day"

    @property
    def span(self) -> timedelta:
        """The same as a duration."""
        return timedelta(hours=1) if self is CellWidth.HOUR else timedelta(days=1)


class StatisticsRequest(Value):
    """Which figures shall leave the organisation."""

    title: Line
    recipient: Line
    """Who gets them: the public, a university, a transport company."""
    datastreams: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=STREAMS_LIMIT)]
    since: UtcTime
    until: UtcTime
    cell: CellWidth = CellWidth.HOUR
    epsilon: Annotated[float, Field(ge=0.01, le=1.0)] = 0.5
    """Privacy loss of this release; smaller protects more and is less exact."""
    passes: Annotated[int, Field(ge=1, le=100)] = 4
    """How many of the figures one person may have changed: to and fro past two counters makes four."""

    @model_validator(mode="after")
    def _cells_fit(self) -> Self:
        width = self.cell.span
        if self.until < self.since:
            raise ValueError("'until' lies before 'since'")
        for moment in (self.since, self.until):
            if (moment - datetime.min.replace(tzinfo=moment.tzinfo)) % width:
                raise ValueError(f"'since' and 'until' are whole {self.cell.value}s, in UTC")
        if len(set(self.datastreams)) != len(self.datastreams):
            raise ValueError("a datastream is named twice")
        if (self.until - self.since) // width * len(self.datastreams) > CELLS_LIMIT:
            raise ValueError(f"more than {CELLS_LIMIT} figures")
        return self

    @property
    def cells(self) -> int:
        """Figures of each datastream."""
        return (self.until - self.since) // self.cell.span


class StatisticsRelease(Value):
    """Figures that may leave the organisation: noise is in them, and those of too few people are left out."""

    id: Identifier
    request: StatisticsRequest
    released: UtcTime
    released_by: Line
    epsilon: float
    """Privacy loss that was booked."""
    noise_scale: float
    """Scale of the discrete Laplace noise in each figure."""
    floor: int
    """Figures below are left out."""
    figures: tuple[tuple[int | None, ...], ...]
    """One row a datastream, one figure a cell; None where it is below the floor or nothing was measured."""


class StatisticsLedger(Value):
    """What an organisation has spent of its privacy budget."""

    budget: float
    window_days: int
    spent: float
    """Over the window that ends now; what lies in the future (a clock was set back) counts as well."""

    @property
    def left(self) -> float:
        """What may still be spent now."""
        return max(0.0, self.budget - self.spent)
