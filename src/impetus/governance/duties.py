"""What the EU's AI Act (Regulation (EU) 2024/1689) asks of those who use a system, by its risk class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from impetus.sdk import AiActClass

_ALL: Final = ("art-4-literacy",)
_HIGH: Final = (
    "art-26-1-instructions",
    "art-26-2-oversight",
    "art-26-4-input-data",
    "art-26-5-monitoring",
    "art-26-6-logs",
    "art-26-7-workers",
    "art-27-impact-assessment",
    "art-49-registration",
    "art-86-explanation",
)
DUTIES: Final[Mapping[AiActClass, Sequence[str]]] = MappingProxyType(
    {
        AiActClass.NO_AI: (),
        AiActClass.MINIMAL: _ALL,
        AiActClass.LIMITED: (*_ALL, "art-50-transparency"),
        AiActClass.HIGH: (*_ALL, *_HIGH),
    }
)
"""Articles that bind the organisation that uses a system (the deployer), by class; the pages say each in words."""


def duties_of(ai_act_class: AiActClass) -> Sequence[str]:
    """The duties of the deployer."""
    return DUTIES[ai_act_class]
