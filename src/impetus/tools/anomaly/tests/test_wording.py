"""What an operator reads."""

from __future__ import annotations

import pytest

from impetus.model import Category
from impetus.tools.anomaly.hours import FEATURES
from impetus.tools.anomaly.tests.streams import datastream
from impetus.tools.anomaly.wording import FEATURE_WORDS, category_of, level_headline, quantity, span


def test_every_feature_has_words() -> None:
    assert set(FEATURE_WORDS) == set(FEATURES)


@pytest.mark.parametrize(
    ("observed_property", "category"),
    [
        ("traffic-flow", Category.TRANSPORT),
        ("pm2-5", Category.ENV),
        ("air-quality", Category.ENV),
        ("sound-level", Category.SAFETY),
        ("people-count", Category.SAFETY),
        ("water-level", Category.INFRA),
        ("wind-speed", Category.MET),
        ("something-else", Category.OTHER),
    ],
)
def test_the_category_follows_from_what_is_observed(observed_property: str, category: Category) -> None:
    assert category_of(datastream(observed_property=observed_property)) is category


def test_headline_names_value_range_and_place() -> None:
    stream = datastream(observed_property="pm2-5", unit="ug/m3")
    headline = level_headline(stream, FEATURES.index("high"), 61.23, 8.0, 10.0, 14.5)
    assert headline == "PM2.5 unusually high at Torget North: 61.2 µg/m³ where 8–14.5 µg/m³ is usual"


def test_a_value_inside_the_usual_range_is_compared_with_its_middle() -> None:
    """Else it would read: 15 where 10-20 is usual."""
    headline = level_headline(datastream(), FEATURES.index("jump up"), 15.0, 5.0, 8.0, 20.0)
    assert headline == "People count rose suddenly at Torget North: 15 where about 8 is usual"


def test_numbers_have_the_digits_that_matter() -> None:
    assert quantity(0.000123, "1") == "0.000123"
    assert quantity(1e12, "1") == "1e+12"
    assert span(-5.0, 5.0, "Cel") == "-5 to 5 °C"
