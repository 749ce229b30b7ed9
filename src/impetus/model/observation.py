"""What the city measures, in the words of OGC SensorThings: Thing, Datastream, ObservedProperty, Observation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import Field, FiniteFloat, model_validator

from impetus.model.base import Identifier, Line, Slug, UtcTime, Value
from impetus.model.place import Place

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
BATCH_LIMIT = 100_000
"""Readings that one batch may carry."""

MicrosecondsSinceEpoch = Annotated[int, Field(ge=-62_135_596_800_000_000, le=253_402_300_799_999_999)]


def to_microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970-01-01 UTC."""
    return (moment - EPOCH) // MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The inverse of `to_microseconds`."""
    return EPOCH + timedelta(microseconds=microseconds)


class Datastream(Value):
    """One property that one thing measures: the unit that tools watch and that a map shows."""

    id: Identifier
    name: Line
    thing: Line
    """What carries the sensor: a mast, a loop, a building."""
    observed_property: Slug
    """What is measured: `traffic-flow`, `sound-level`, `pm2-5`, `people-count`, ..."""
    unit: Annotated[str, Field(max_length=32)]
    """Unit symbol as UCUM or plain SI writes it (`1/h`, `dB`, `ug/m3`)."""
    place: Place | None = None
    interval_s: Annotated[float, Field(gt=0, le=86_400 * 31)] | None = None
    """Usual time between readings; silence is judged by it."""
    lowest: FiniteFloat | None = None
    highest: FiniteFloat | None = None
    """Values below `lowest` or above `highest` cannot be real."""


class Observation(Value):
    """One reading of one datastream."""

    datastream: Identifier
    time: UtcTime
    value: FiniteFloat


class ObservationBatch(Value):
    """Readings in columns: one message may carry thousands, of many datastreams.

    `index[i]` says which of `datastreams` reading i belongs to; `time_us[i]` is its phenomenon time in microseconds
    since 1970-01-01 UTC; `value[i]` its value in the unit of the datastream. The three columns have the same length.
    """

    datastreams: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=BATCH_LIMIT)]
    index: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=BATCH_LIMIT)]
    time_us: Annotated[tuple[MicrosecondsSinceEpoch, ...], Field(max_length=BATCH_LIMIT)]
    value: Annotated[tuple[FiniteFloat, ...], Field(max_length=BATCH_LIMIT)]

    @model_validator(mode="after")
    def _columns_match(self) -> Self:
        if not len(self.index) == len(self.time_us) == len(self.value):
            raise ValueError(
                "columns differ in length: "
                f"index {len(self.index)}, time_us {len(self.time_us)}, value {len(self.value)}"
            )
        if self.index and max(self.index) >= len(self.datastreams):
            raise ValueError(f"index {max(self.index)} points past the {len(self.datastreams)} datastreams")
        return self

    def __len__(self) -> int:
        return len(self.value)

    @classmethod
    def of(cls, observations: Iterable[Observation]) -> Self:
        """The columns of single readings, in the same order."""
        numbers: dict[str, int] = {}
        index: list[int] = []
        time_us: list[int] = []
        value: list[float] = []
        for observation in observations:
            index.append(numbers.setdefault(observation.datastream, len(numbers)))
            time_us.append(to_microseconds(observation.time))
            value.append(observation.value)
        return cls(datastreams=tuple(numbers), index=tuple(index), time_us=tuple(time_us), value=tuple(value))

    def observations(self) -> Sequence[Observation]:
        """The single readings, in order."""
        return [
            Observation(datastream=self.datastreams[number], time=from_microseconds(moment), value=value)
            for number, moment, value in zip(self.index, self.time_us, self.value, strict=True)
        ]


class ExpectationBatch(Value):
    """What a tool expected some datastreams to read, in columns; drawn as the band behind a series.

    `low`, `middle` and `high` are in the unit of the datastream; `score` is how unusual the reading was, 0 to 1.
    """

    datastreams: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=BATCH_LIMIT)]
    index: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=BATCH_LIMIT)]
    time_us: Annotated[tuple[MicrosecondsSinceEpoch, ...], Field(max_length=BATCH_LIMIT)]
    low: Annotated[tuple[FiniteFloat, ...], Field(max_length=BATCH_LIMIT)]
    middle: Annotated[tuple[FiniteFloat, ...], Field(max_length=BATCH_LIMIT)]
    high: Annotated[tuple[FiniteFloat, ...], Field(max_length=BATCH_LIMIT)]
    score: Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(max_length=BATCH_LIMIT)]

    @model_validator(mode="after")
    def _columns_match(self) -> Self:
        lengths = {len(column) for column in (self.index, self.time_us, self.low, self.middle, self.high, self.score)}
        if len(lengths) != 1:
            raise ValueError("columns differ in length")
        if self.index and max(self.index) >= len(self.datastreams):
            raise ValueError(f"index {max(self.index)} points past the {len(self.datastreams)} datastreams")
        return self

    def __len__(self) -> int:
        return len(self.middle)
