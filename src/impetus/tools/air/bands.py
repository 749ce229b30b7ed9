"""Samples with what was expected of them: the band behind a series, and the rows of a chart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from impetus.model import ExpectationBatch, from_microseconds

BAND_SD = 3.0
"""Half the width of the band, in standard deviations of the background."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample with what was expected of it, in the unit of its kind."""

    time_s: float
    value: float
    expected: float
    sd: float

    @property
    def low(self) -> float:
        """Lower edge of the band; a concentration is not below 0."""
        return max(self.expected - BAND_SD * self.sd, 0.0)

    @property
    def high(self) -> float:
        """Upper edge of the band."""
        return self.expected + BAND_SD * self.sd


def expectations(samples: Sequence[tuple[str, Sample]], factor: Callable[[str], float]) -> ExpectationBatch:
    """Samples of datastreams as a message; `factor` turns the unit of their kind into that of a datastream."""
    names = list(dict.fromkeys(name for name, _ in samples))
    place = {name: number for number, name in enumerate(names)}
    scale = [factor(name) for name, _ in samples]
    return ExpectationBatch(
        datastreams=tuple(names),
        index=tuple(place[name] for name, _ in samples),
        time_us=tuple(round(sample.time_s * 1e6) for _, sample in samples),
        low=tuple(each * sample.low for each, (_, sample) in zip(scale, samples, strict=True)),
        middle=tuple(each * sample.expected for each, (_, sample) in zip(scale, samples, strict=True)),
        high=tuple(each * sample.high for each, (_, sample) in zip(scale, samples, strict=True)),
        score=tuple(
            min(max((sample.value - sample.expected) / max(sample.sd, 1e-9) / 10.0, 0.0), 1.0) for _, sample in samples
        ),
    )


def chart_rows(samples: Iterable[Sample]) -> list[JsonValue]:
    """Rows of a chart: time, value, what was expected, and the band."""
    return [
        {
            "time": from_microseconds(round(one.time_s * 1e6)).isoformat(),
            "value": round(one.value, 3),
            "expected": round(one.expected, 3),
            "low": round(one.low, 3),
            "high": round(one.high, 3),
        }
        for one in samples
    ]
