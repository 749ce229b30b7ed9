"""What an operator reads: numbers, properties and reasons in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from impetus.model import Category, Datastream
from impetus.tools.anomaly.hours import FEATURES, HOUR_FEATURES

PROPERTY_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "pm1": "PM1",
        "pm2-5": "PM2.5",
        "pm10": "PM10",
        "no2": "NO2",
        "nox": "NOx",
        "o3": "Ozone",
        "co": "CO",
        "co2": "CO2",
    }
)
UNIT_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "1": "",
        "1/h": "per hour",
        "1/min": "per minute",
        "1/s": "per second",
        "ug/m3": "µg/m³",
        "Cel": "°C",
        "km/h": "km/h",
    }
)
CATEGORY_OF_WORD: Mapping[str, Category] = MappingProxyType(
    {
        **dict.fromkeys(
            ("traffic", "vehicle", "speed", "parking", "occupancy", "travel", "bicycle"), Category.TRANSPORT
        ),
        **dict.fromkeys(
            ("pm1", "pm2", "pm10", "no2", "nox", "o3", "co", "co2", "air", "particle", "gas"), Category.ENV
        ),
        **dict.fromkeys(("sound", "noise", "people", "crowd", "pedestrian", "visitor"), Category.SAFETY),
        **dict.fromkeys(("water", "energy", "power", "electricity", "battery", "voltage", "heat"), Category.INFRA),
        **dict.fromkeys(("temperature", "humidity", "wind", "rain", "pressure", "precipitation"), Category.MET),
    }
)
"""By the first word of the observed property that is known."""
FEATURE_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "jump up": "rose suddenly",
        "jump down": "fell suddenly",
        "high": "unusually high",
        "low": "unusually low",
        "high for long": "higher than usual for long",
        "low for long": "lower than usual for long",
        "scatters more": "scatters more than usual",
        "scatters less": "scatters less than usual",
        "changed upwards": "has been higher than usual for hours",
        "changed downwards": "has been lower than usual for hours",
        "odd course": "took a course that no earlier day had",
    }
)


def property_words(datastream: Datastream) -> str:
    """What is measured, as a sentence begins with it.

    >>> property_words(Datastream(id="a", name="A", thing="Mast 1", observed_property="people-count", unit="1"))
    'People count'
    """
    known = PROPERTY_WORDS.get(datastream.observed_property)
    return known or datastream.observed_property.replace("-", " ").capitalize()


def where(datastream: Datastream) -> str:
    """What people call the place of the sensor."""
    if datastream.place is not None and datastream.place.name is not None:
        return datastream.place.name
    return datastream.thing


def category_of(datastream: Datastream) -> Category:
    """The CAP category of what a datastream observes."""
    for word in datastream.observed_property.split("-"):
        if word in CATEGORY_OF_WORD:
            return CATEGORY_OF_WORD[word]
    return Category.OTHER


def number(value: float, width: float = 0.0) -> str:
    """A number with no more digits than matter; `width` is the range that it is compared with.

    >>> number(412.3), number(61.234, 8.0), number(0.01234), number(-0.0)
    ('412', '61.2', '0.0123', '0')
    """
    size = max(abs(value), 1e-12)
    digits = 2 - math.floor(math.log10(size))
    if width > 0:
        digits = max(digits, 1 - math.floor(math.log10(width))) if width < size else digits
    digits = min(max(digits, 0), 6)
    text = f"{value:.{digits}f}" if size < 1e9 else f"{value:.3g}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def quantity(value: float, unit: str, width: float = 0.0) -> str:
    """A number with its unit in words."""
    return f"{number(value, width)} {UNIT_WORDS.get(unit, unit)}".rstrip()


def span(low: float, high: float, unit: str) -> str:
    """A range with its unit.

    >>> span(120.0, 180.0, "1")
    '120–180'
    """
    width = high - low
    joint = "–" if low >= 0 else " to "
    return f"{number(low, width)}{joint}{number(high, width)} {UNIT_WORDS.get(unit, unit)}".rstrip()


def once_in(rarity: float) -> str:
    """How rare something is, in readings.

    >>> once_in(3.3), once_in(7.2)
    ('once in 2,000 readings', 'less than once in a million readings')
    """
    if rarity >= 6:
        return "less than once in a million readings"
    count = 10 ** max(rarity, 0.0)
    step = 10 ** math.floor(math.log10(count))
    return f"once in {round(count / step) * step:,.0f} readings"


def duration(seconds: float) -> str:
    """A span of time in its largest sensible unit.

    >>> duration(42), duration(600), duration(7300), duration(200000)
    ('42 s', '10 min', '2 h', '2 days')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 129_600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86_400:.0f} days"


def clock_time(moment: datetime) -> str:
    """Day and time of a moment, in the zone that it carries."""
    return moment.strftime("%d %b %H:%M")


def level_headline(datastream: Datastream, feature: int, value: float, low: float, middle: float, high: float) -> str:
    """One line on unusual readings: what, where, how much, and what is usual.

    >>> stream = Datastream(id="a", name="A", thing="Torget North", observed_property="people-count", unit="1")
    >>> level_headline(stream, FEATURES.index("high"), 412.0, 120.0, 150.0, 180.0)
    'People count unusually high at Torget North: 412 where 120–180 is usual'
    """
    if FEATURES[feature] in HOUR_FEATURES:
        now = f"{quantity(value, datastream.unit, high - low)} now, {span(low, high, datastream.unit)} is usual"
        return f"{property_words(datastream)} {FEATURE_WORDS[FEATURES[feature]]} at {where(datastream)}: {now}"[:300]
    inside = low <= value <= high
    usual = f"about {quantity(middle, datastream.unit)}" if inside else span(low, high, datastream.unit)
    observed = quantity(value, datastream.unit, high - low)
    words = FEATURE_WORDS[FEATURES[feature]]
    return f"{property_words(datastream)} {words} at {where(datastream)}: {observed} where {usual} is usual"[:300]
