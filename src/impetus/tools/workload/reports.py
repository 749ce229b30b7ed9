"""What a person says of their own load: Instantaneous Self-Assessment and NASA-TLX.

ISA: Tattersall and Foord, "An experimental evaluation of instantaneous self-assessment as a measure of workload",
Ergonomics 39 (1996), 740-748. NASA-TLX: Hart and Staveland (1988), unweighted as "Raw TLX".
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Scale = Annotated[int, Field(ge=0, le=100)]


class Rating(BaseModel):
    """Instantaneous Self-Assessment: one number, by one key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rating: Annotated[int, Field(title="Load", ge=1, le=5)]
    """1 under-used, 2 relaxed, 3 comfortable, 4 high, 5 too much."""


class TaskLoad(BaseModel):
    """NASA Task Load Index: six scales from 0 to 100."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mental: Annotated[Scale, Field(title="Mental demand")]
    physical: Annotated[Scale, Field(title="Physical demand")]
    temporal: Annotated[Scale, Field(title="Temporal demand")]
    performance: Annotated[Scale, Field(title="Performance")]
    """0 perfect, 100 failure."""
    effort: Annotated[Scale, Field(title="Effort")]
    frustration: Annotated[Scale, Field(title="Frustration")]

    @property
    def raw(self) -> float:
        """The mean of the six scales, 0 to 100."""
        scales = (self.mental, self.physical, self.temporal, self.performance, self.effort, self.frustration)
        return sum(scales) / len(scales)


class Terms(BaseModel):
    """What a person consents to, beside the time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    device: Annotated[str, Field(title="Device", max_length=100)] = ""
    """Name of the device that is worn, as the source names it; empty: none, ratings and the console only."""
    console: Annotated[bool, Field(title="Use the console's traffic")] = True
    """Whether what one holds and decides may be part of the estimate."""
    keep_baseline: Annotated[bool, Field(title="Keep what is usual for me")] = True
    """Whether what is usual for the person is kept for the next shift."""
