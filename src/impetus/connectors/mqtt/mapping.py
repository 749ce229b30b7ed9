"""How a city's own JSON payloads are read: topic pattern, paths into the document, times, units, scale."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator, model_validator

PathStep = str | int
Path = tuple[PathStep, ...]
"""Keys and list positions from the document's root to a value; empty is the root itself."""

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_STEP = re.compile(r"(?:^|\.)([^.\[\]$]+)|\[(\d{1,6})\]")


class TimeFormat(StrEnum):
    """How a payload writes its time."""

    ISO_8601 = "iso-8601"
    """`2026-11-21T08:00:00+01:00`: date, time and offset."""
    EPOCH_S = "epoch-s"
    """Seconds since 1970-01-01 UTC, fractions allowed."""
    EPOCH_MS = "epoch-ms"
    """Milliseconds since 1970-01-01 UTC."""


def parse_path(text: str) -> Path:
    """Read `$`, `$.a.b`, `a.b[0].c` into steps. Raises ValueError for anything else."""
    rest = text.removeprefix("$").removeprefix(".")
    steps: list[PathStep] = []
    position = 0
    while position < len(rest):
        match = _STEP.match(rest, position)
        if match is None or (match.group(0).startswith(".") and position == 0):
            raise ValueError(f"{text!r} is no path: write for example value, data.temperature or $.readings[0].value")
        steps.append(match.group(1) if match.group(1) is not None else int(match.group(2)))
        position = match.end()
    return tuple(steps)


def look_up(document: Any, path: Path) -> Any:
    """What stands at the path, or None where the document has nothing there."""
    for step in path:
        if isinstance(step, str):
            if not isinstance(document, dict):
                return None
            document = document.get(step)
        else:
            if not isinstance(document, list) or step >= len(document):
                return None
            document = document[step]
    return document


class JsonMapping(BaseModel):
    """How payloads on some topics are read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topic: Annotated[
        str,
        Field(
            title="Topic",
            description="Topic with placeholders for whole levels, such as `city/{datastream}/reading`; "
            "`+` and a last `#` fit anything.",
            min_length=1,
            max_length=500,
        ),
    ]
    datastream: Annotated[
        str,
        Field(
            title="Datastream",
            description="The datastream's identifier, made of the topic's placeholders: `{site}-{sensor}`.",
            min_length=1,
            max_length=300,
        ),
    ] = "{datastream}"
    datastream_path: Annotated[
        str | None,
        Field(
            title="Path of the datastream", description="Where the payload names the datastream, instead of the topic."
        ),
    ] = None
    identifiers: Annotated[
        tuple[str, ...],
        Field(
            title="Identifiers",
            description="Placeholders that stand for a person's device, badge or plate: the datastream and the dead "
            "letters carry a pseudonym in their place, and payloads that are refused are not kept.",
            max_length=10,
        ),
    ] = ()
    value: Annotated[
        str,
        Field(
            title="Path of the value", description="Where the number stands; `$` is the whole payload.", max_length=300
        ),
    ] = "value"
    time: Annotated[
        str | None, Field(title="Path of the time", description="Where the time stands; none: the payload has no time.")
    ] = "time"
    time_format: Annotated[TimeFormat, Field(title="Time format", description="How the payload writes its time.")] = (
        TimeFormat.ISO_8601
    )
    time_missing: Annotated[
        Literal["refuse", "arrival"],
        Field(
            title="Without time", description="`arrival` takes the time of arrival; `refuse` sets the payload aside."
        ),
    ] = "refuse"
    unit: Annotated[
        str | None,
        Field(title="Path of the unit", description="Where the payload names its unit; none: it does not."),
    ] = None
    constant_unit: Annotated[
        str | None,
        Field(title="Unit", description="The unit of all values on this topic, if the payload does not name it."),
    ] = None
    scale: Annotated[
        FiniteFloat | None,
        Field(
            title="Scale",
            description="Values are multiplied by this to come to the registered unit; units are then not compared.",
        ),
    ] = None
    numbers_as_text: Annotated[
        bool, Field(title="Numbers as text", description='Whether a value may be written as text, such as `"21.5"`.')
    ] = False

    @field_validator("topic")
    @classmethod
    def _topic_is_a_pattern(cls, value: str) -> str:
        levels = value.split("/")
        names: list[str] = []
        for number, level in enumerate(levels):
            placeholder = _PLACEHOLDER.fullmatch(level)
            if placeholder:
                names.append(placeholder.group(1))
            elif level == "#":
                if number != len(levels) - 1:
                    raise ValueError("# stands last in a topic")
            elif level != "+" and any(character in level for character in "{}+#\0"):
                raise ValueError(f"{level!r} is no topic level: a placeholder or + takes a whole level")
        if len(names) != len(set(names)):
            raise ValueError("a placeholder occurs twice")
        return value

    @field_validator("value", "time", "unit", "datastream_path")
    @classmethod
    def _is_a_path(cls, value: str | None) -> str | None:
        if value is not None:
            parse_path(value)
        return value

    @model_validator(mode="after")
    def _placeholders_exist(self) -> JsonMapping:
        known = set(_PLACEHOLDER.findall(self.topic))
        if strange := [name for name in self.identifiers if name not in known]:
            raise ValueError(f"identifiers names {strange[0]!r}, which the topic {self.topic!r} does not have")
        if self.identifiers and self.datastream_path is not None:
            raise ValueError("with identifiers the datastream is named by the topic, not by the payload")
        if self.datastream_path is None:
            for name in _PLACEHOLDER.findall(self.datastream):
                if name not in known:
                    raise ValueError(f"datastream uses {{{name}}}, which the topic {self.topic!r} does not have")
        return self

    @property
    def subscription(self) -> str:
        """The MQTT topic filter that covers the pattern."""
        return _PLACEHOLDER.sub("+", self.topic)


class CompiledMapping:
    """A mapping with its pattern and paths read once."""

    def __init__(self, mapping: JsonMapping) -> None:
        self.mapping = mapping
        self.value_path = parse_path(mapping.value)
        self.time_path = None if mapping.time is None else parse_path(mapping.time)
        self.unit_path = None if mapping.unit is None else parse_path(mapping.unit)
        self.datastream_path = None if mapping.datastream_path is None else parse_path(mapping.datastream_path)
        self._levels = mapping.topic.split("/")

    def match(self, topic: str) -> Mapping[str, str] | None:
        """The placeholders' values if the topic fits, else None."""
        levels = topic.split("/")
        if self._levels[-1] == "#":
            if len(levels) < len(self._levels) - 1:
                return None
        elif len(levels) != len(self._levels):
            return None
        found: dict[str, str] = {}
        # A pattern that ends in # is shorter than the topic, or longer by that one level: strict would be wrong.
        for pattern, level in zip(self._levels, levels, strict=False):
            if pattern == "#":
                break
            if pattern.startswith("{"):
                found[pattern[1:-1]] = level
            elif pattern not in ("+", level):
                return None
        return found

    def topic_of(self, placeholders: Mapping[str, str]) -> str:
        """The pattern with these values in it."""
        return _PLACEHOLDER.sub(lambda match: placeholders.get(match.group(1), ""), self.mapping.topic)

    def datastream_of(self, placeholders: Mapping[str, str]) -> str:
        """The datastream's identifier as the topic gives it."""
        return _PLACEHOLDER.sub(lambda match: placeholders.get(match.group(1), ""), self.mapping.datastream)
