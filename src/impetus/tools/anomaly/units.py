"""Recognises a stream that changed its unit: the same readings, multiplied and shifted as a known conversion does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impetus.tools.anomaly.arrays import Floats

NEEDED = 12
"""Readings in a row that have to fit."""
CLEAR_SPREADS = 6.0
"""Spreads that the readings must be away from what was expected before a change of unit is thought of."""
FIT = 0.1
"""Largest share of that distance that may be left after the conversion."""


TEMPERATURES = frozenset({"Cel", "[degF]", "K", "°C", "°F"})
"""Units of temperature, in UCUM and as people write them; so the others."""
SPEEDS = frozenset({"m/s", "km/h", "[mi_i]/h", "mph", "[kn_i]"})
LENGTHS = frozenset({"mm", "cm", "m", "km", "[in_i]", "[ft_i]", "ft", "[mi_i]"})
SHARES = frozenset({"%"})
ANY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Conversion:
    """`factor` times the old reading plus `shift` is the new one."""

    factor: float
    shift: float
    words: str
    units: frozenset[str]
    """Declared units of which it can be one; none named: of all but counts."""


CONVERSIONS = (
    Conversion(1.8, 32.0, "degrees Celsius to Fahrenheit", TEMPERATURES),
    Conversion(1 / 1.8, -32.0 / 1.8, "degrees Fahrenheit to Celsius", TEMPERATURES),
    Conversion(1.0, 273.15, "degrees Celsius to kelvin", TEMPERATURES),
    Conversion(1.0, -273.15, "kelvin to degrees Celsius", TEMPERATURES),
    Conversion(3.6, 0.0, "metres a second to kilometres an hour", SPEEDS),
    Conversion(1 / 3.6, 0.0, "kilometres an hour to metres a second", SPEEDS),
    Conversion(1.609344, 0.0, "miles to kilometres", SPEEDS | LENGTHS),
    Conversion(1 / 1.609344, 0.0, "kilometres to miles", SPEEDS | LENGTHS),
    Conversion(0.3048, 0.0, "feet to metres", LENGTHS),
    Conversion(1 / 0.3048, 0.0, "metres to feet", LENGTHS),
    Conversion(100.0, 0.0, "a share to per cent, or metres to centimetres", SHARES | LENGTHS),
    Conversion(0.01, 0.0, "per cent to a share, or centimetres to metres", SHARES | LENGTHS),
    Conversion(1000.0, 0.0, "a unit to its thousandth", ANY),
    Conversion(0.001, 0.0, "a unit to a thousand of it", ANY),
)
_UNITS = {known.words: known.units for known in CONVERSIONS}


def plausible(words: str, unit: str) -> bool:
    """Whether a stream whose readings are declared in `unit` can have been converted so. What is counted (`1`, `1/h`)
    has no unit that could change: three times as many people are a crowd. Of an unknown unit all is possible.

    >>> plausible("degrees Fahrenheit to Celsius", "Cel"), plausible("degrees Fahrenheit to Celsius", "km/h")
    (True, False)
    >>> plausible("miles to kilometres", "km/h"), plausible("metres to feet", "1"), plausible("metres to feet", "")
    (True, False, True)
    >>> plausible("a unit to its thousandth", "ug/m3"), plausible("a unit to its thousandth", "1/h")
    (True, False)
    """
    units = _UNITS.get(words, ANY)
    return not unit or (unit in units if units else unit.partition("/")[0] != "1")


def conversion(value: Floats, expected: Floats, spread: Floats) -> Conversion | None:
    """The conversion that explains the newest readings, if one does; arrays of the last `NEEDED` readings.

    A conversion has to leave a tenth of the distance at most, and no more than the usual deviations in the new unit.

    >>> expected, spread = np.linspace(15.0, 17.0, NEEDED), np.full(NEEDED, 0.4)
    >>> conversion(1.8 * expected + 32.5, expected, spread).words
    'degrees Celsius to Fahrenheit'
    >>> conversion(expected + 20.0, expected, spread) is None
    True
    """
    if len(value) < NEEDED:
        return None
    distance = np.abs(value - expected)
    if (distance < CLEAR_SPREADS * spread).any():
        return None
    best, least = None, np.inf
    for known in CONVERSIONS:
        left = np.abs(value - (known.factor * expected + known.shift))
        usual = known.factor * spread
        fits = (left <= 4.0 * usual).all() and left.mean() <= 2.0 * usual.mean()
        if fits and left.mean() <= FIT * distance.mean() and left.mean() < least:
            best, least = known, float(left.mean())
    return best
