"""How a source does: what the page shows of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from pydantic import JsonValue

from impetus.tools.cti.settings import Source
from impetus.tools.cti.sources import SourceState


@dataclass
class Health:
    """How a source does."""

    state: SourceState = field(default_factory=SourceState)
    next_s: float = 0.0
    failures: int = 0
    told: str = ""
    """The last published content, so that only news is published."""
    revision: int = 0
    read: datetime | None = None
    problem: str = ""
    set_aside: list[str] = field(default_factory=list)
    items: int = 0
    relevant: int = 0

    def failed(self, problem: str, now_s: float, every_s: float) -> None:
        """It could not be read: politely less and less often, up to an hour."""
        self.failures += 1
        self.problem = problem[:500]
        self.next_s = now_s + min(max(3_600.0, every_s), every_s * 2 ** min(self.failures, 8))

    def content(self, source: Source) -> dict[str, JsonValue]:
        """As the page shows it."""
        return {
            "kind": source.kind.value,
            "purpose": source.purpose,
            "legal_basis": source.legal_basis,
            "reliability": source.reliability.value,
            "state": "degraded" if self.problem else "ok" if self.read else "waiting",
            "problem": self.problem,
            "set_aside": list[JsonValue](self.set_aside[:20]),
            "read": self.read.isoformat() if self.read else None,
            "items": self.items,
            "relevant": self.relevant,
        }
