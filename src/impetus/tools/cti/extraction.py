"""All that is read out of one report."""

from __future__ import annotations

from dataclasses import dataclass

from impetus.tools.cti.entities import Entity, find_entities
from impetus.tools.cti.indicators import Indicator, find_indicators
from impetus.tools.cti.techniques import Technique, load_classifier

TEXT_LIMIT = 5_000_000
"""Characters; what is longer is read so far."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a text holds, each with where it stands."""

    indicators: tuple[Indicator, ...]
    entities: tuple[Entity, ...]
    techniques: tuple[Technique, ...]


def extract(text: str, *, minimum: float = 0.5) -> Extraction:
    """Indicators (file names and packages too), names, and techniques whose score is not below `minimum`."""
    text = text[:TEXT_LIMIT]
    return Extraction(
        indicators=tuple(find_indicators(text, named=True)),
        entities=tuple(find_entities(text)),
        techniques=tuple(load_classifier().find(text, minimum=minimum)),
    )
