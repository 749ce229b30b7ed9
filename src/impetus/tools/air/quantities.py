"""Units of what air sensors report, turned into the unit of their kind: CFU/m3, 1/L, ACPLA, g/m3 or ppb.

A gas in ppb is turned into g/m3 only where its molar mass is known, at the air's temperature and pressure.
"""

from __future__ import annotations

from functools import lru_cache

import pint

from impetus.model import InvalidInput

STANDARD_UNITS = ("CFU/m3", "1/L", "ACPLA", "g/m3", "ppb")
"""Colony-forming units, particles, agent-containing particles per litre of air, mass of gas or dust, mixing ratio."""
GAS_CONSTANT = 8.314462618
LONGEST = 32

_SPELLINGS = {
    "cfu/m3": "CFU/m3",
    "cfu/m^3": "CFU/m3",
    "cfu/l": "CFU/L",
    "acpla": "ACPLA",
    "ug/m3": "ug/m3",
    "µg/m3": "ug/m3",
    "μg/m3": "ug/m3",
    "1/cm3": "1/cm3",
    "#/l": "1/L",
    "#/cm3": "1/cm3",
    "particles/l": "1/L",
}


@lru_cache(maxsize=1)
def _registry() -> pint.UnitRegistry[float]:
    registry: pint.UnitRegistry[float] = pint.UnitRegistry(cache_folder=None)
    registry.define("colony = [colony] = CFU")
    registry.define("ACPLA = 1 / liter")
    # pint 0.2x knows ppm; a ppb it may not.
    registry.define("part_per_billion = 1e-9 = ppb")
    return registry


@lru_cache(maxsize=256)
def _unit(text: str) -> pint.Unit:
    name = _SPELLINGS.get(text.strip().lower(), text.strip())
    if not name or len(name) > LONGEST or not all(character.isalnum() or character in "/^*. µμ-" for character in name):
        raise InvalidInput(
            f"there is no unit {text[:40]!r}", hint="write one as in CFU/m3, 1/L, ACPLA, ug/m3, ppb or ppm"
        )
    try:
        return _registry().parse_units(name.replace("m3", "m^3").replace("ft3", "ft^3"))
    except Exception as error:  # pint raises many kinds, of tokens too
        raise InvalidInput(
            f"there is no unit {text[:40]!r}", hint="write one as in CFU/m3, 1/L, ACPLA, ug/m3, ppb or ppm"
        ) from error


def standard(value: float, unit: str) -> tuple[float, str]:
    """A value in the standard unit of its kind. Raises InvalidInput if the unit is of no kind that air sensors have.

    >>> standard(2.0, "CFU/L")
    (2000.0, 'CFU/m3')
    """
    quantity = _registry().Quantity(value, _unit(unit))
    for name in STANDARD_UNITS:
        if unit.strip().lower() == "acpla" and name != "ACPLA":
            continue
        if quantity.check(_unit(name).dimensionality):
            return round(float(quantity.to(_unit(name)).magnitude), 12), name
    raise InvalidInput(f"{unit[:40]!r} is no unit of a concentration in air", hint="as in CFU/m3, 1/L, ug/m3 or ppb")


def convert(value: float, unit: str, target: str) -> float:
    """A value in another unit of its kind. Raises InvalidInput if they are not of one kind.

    >>> convert(1.0, "ppm", "ppb")
    1000.0
    """
    try:
        return round(float(_registry().Quantity(value, _unit(unit)).to(_unit(target)).magnitude), 12)
    except pint.DimensionalityError as error:
        raise InvalidInput(
            f"{unit[:40]!r} cannot be turned into {target[:40]!r}", hint="give a series in units of one kind"
        ) from error


def gas_gpm3(
    ppb: float, molar_mass_gpmol: float, *, temperature_k: float = 293.15, pressure_pa: float = 101_325.0
) -> float:
    """Mass of a gas in g/m3 from its mixing ratio, as an ideal gas.

    >>> round(gas_gpm3(1_000.0, 64.06), 6)
    0.002663
    """
    if molar_mass_gpmol <= 0 or temperature_k <= 0 or pressure_pa <= 0:
        raise InvalidInput("molar mass, temperature and pressure must be above 0")
    return ppb * 1e-9 * molar_mass_gpmol * pressure_pa / (GAS_CONSTANT * temperature_k)
