"""Written rules by which an item is promoted without a person: who set them up, and what must hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from impetus.model import Line, Slug, Value
from impetus.tools.cti.grading import Reliability
from impetus.tools.cti.indicators import NAMED_ONLY, IndicatorType


class PromotionRule(Value):
    """All of it must hold. Without any rule, only people promote."""

    title: Line
    """Who decided on it and why, as it stands in what is promoted: `CISO, 3 March 2026: hashes of the CSIRT`."""
    sources: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=50)]
    """Sources by whose reporting it may happen."""
    types: Annotated[tuple[IndicatorType, ...], Field(min_length=1, max_length=20)]
    """Types of indicators that are promoted; all others of the item stay observables."""
    reliability: Reliability = Reliability.B
    """The best of the item's sources is at least as reliable, in the Admiralty code."""
    told_by: Annotated[int, Field(ge=1, le=20)] = 1
    """So many sources told it."""
    relevance: Annotated[float, Field(ge=0, le=1)] = 0.5
    """The item is at least so relevant."""

    def holds(self, content: Mapping[str, Any]) -> bool:
        """Whether an item with this content is promoted by it."""
        told = {one["id"] for one in content["sources"]}
        best = min((Reliability(one["reliability"]) for one in content["sources"]), key=list(Reliability).index)
        wanted = set(self.types) - NAMED_ONLY
        return (
            bool(told & set(self.sources))
            and len(told) >= self.told_by
            and list(Reliability).index(best) <= list(Reliability).index(self.reliability)
            and float(content["relevance"]) >= self.relevance
            and any(IndicatorType(one["type"]) in wanted and not one["warnings"] for one in content["indicators"])
        )
