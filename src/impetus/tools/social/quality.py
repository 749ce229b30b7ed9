"""How many of the events that analysts judged mattered, per week and language: precision at their budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import JsonValue

UNKNOWN = "und"
WEEKS = 2_000
"""Cells that are kept: years of weeks in a few languages."""


@dataclass
class Quality:
    """Counts of judged events, kept in the tool's checkpoint; no text and no name is in it."""

    cells: dict[str, list[int]] = field(default_factory=dict)
    """By `week|language`: how many were relevant, and how many were not."""

    def judged(self, now: datetime, languages: Sequence[str], *, relevant: bool) -> None:
        """An analyst judged an event."""
        for language in languages or (UNKNOWN,):
            self._cell(now, language)[0 if relevant else 1] += 1

    def taken_back(self, now: datetime, languages: Sequence[str]) -> None:
        """A promoted event was found to be none by those who followed its alert."""
        for language in languages or (UNKNOWN,):
            cell = self._cell(now, language)
            cell[1] += 1
            cell[0] = max(0, cell[0] - 1)

    def rows(self) -> list[JsonValue]:
        """A row for each week and language, the oldest first."""
        rows: list[JsonValue] = []
        for key, (relevant, other) in sorted(self.cells.items()):
            week, _, language = key.partition("|")
            judged = relevant + other
            precision = round(relevant / judged, 3) if judged else None
            rows.append(
                {"week": week, "language": language, "judged": judged, "relevant": relevant, "precision": precision}
            )
        return rows

    def weeks(self) -> list[JsonValue]:
        """Precision of each week over all languages, the oldest first."""
        totals: dict[str, list[int]] = {}
        for key, (relevant, other) in sorted(self.cells.items()):
            total = totals.setdefault(key.partition("|")[0], [0, 0])
            total[0] += relevant
            total[1] += other
        return [
            {"week": week, "precision": round(relevant / (relevant + other), 3)}
            for week, (relevant, other) in totals.items()
            if relevant + other
        ]

    @classmethod
    def restored(cls, kept: Mapping[str, Any]) -> Quality:
        """From what a checkpoint holds. Raises `ValueError`, `TypeError` or `KeyError` if it is something else."""
        return cls({str(key): [int(cell["relevant"]), int(cell["not"])] for key, cell in kept.items()})

    def kept(self) -> dict[str, dict[str, int]]:
        """What a checkpoint holds."""
        return {key: {"relevant": relevant, "not": other} for key, (relevant, other) in self.cells.items()}

    def _cell(self, now: datetime, language: str) -> list[int]:
        cell = self.cells.setdefault(f"{now:%G-W%V}|{language}", [0, 0])
        while len(self.cells) > WEEKS:
            del self.cells[min(self.cells)]
        return cell
