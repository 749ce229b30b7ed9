"""What a reviewer sees of one item: why it is here, its evidence with the words that count marked, its grade."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np

from impetus.tools.cti.duplicates import Signature
from impetus.tools.cti.extraction import Extraction
from impetus.tools.cti.grading import Reliability, credibility
from impetus.tools.cti.indicators import NAMED_ONLY, Indicator, IndicatorType
from impetus.tools.cti.items import Item
from impetus.tools.cti.masking import masked
from impetus.tools.cti.relevance import Relevance
from impetus.tools.cti.settings import Source
from impetus.tools.cti.stix import Tlp
from impetus.tools.cti.techniques import technique_names
from impetus.tools.cti.warning_lists import warnings

AROUND = 220
PASSAGES = 6
INDICATORS, ENTITIES, NOTES = 300, 60, 50


class CaseState(StrEnum):
    """What became of an item."""

    AWAITING = "awaiting"
    KEPT = "kept"
    REJECTED = "rejected"
    PROMOTED = "promoted"
    FADED = "faded"
    """Nobody judged it until its relevance was gone."""
    ASIDE = "aside"
    """It concerns nothing watched."""


@dataclass(frozen=True, slots=True)
class _Mark:
    start: int
    end: int
    kind: str
    why: str


def case_content(
    item: Item,
    source: Source,
    *,
    tlp: Tlp,
    now: datetime,
    relevance: Relevance,
    extraction: Extraction,
    signature: Signature,
) -> dict[str, Any]:
    """The content of the result that shows an item; every text in it is masked."""
    text = item.whole
    return {
        "state": CaseState.AWAITING.value if relevance.relevant else CaseState.ASIDE.value,
        "item": item.id[:300],
        "url": item.url[:1_000],
        "published": item.published.isoformat() if item.published else None,
        "fetched": now.isoformat(),
        "kind": relevance.kind,
        "relevance": relevance.score,
        "first_relevance": relevance.score,
        "reasons": [masked(reason)[:300] for reason in relevance.reasons[:10]],
        "matches": [
            {
                "watch": one.item.name,
                "kind": one.item.kind.value,
                "way": one.way.value,
                "text": masked(one.text)[:100],
                "strength": round(one.strength, 3),
            }
            for one in sorted(relevance.matches, key=lambda each: -each.strength)[:30]
        ],
        "sources": [
            {"id": source.id, "title": source.title, "reliability": source.reliability.value, "url": item.url[:1_000]}
        ],
        "grade": source.reliability.value + credibility(source.reliability, 1).value,
        "tlp": tlp.value,
        "passages": _passages(text, relevance, extraction),
        "indicators": [
            {"type": one.type.value, "value": one.value[:500], "warnings": list(warnings(one))}
            for one in _distinct(extraction.indicators)
            if not (relevance.kind == "leak" and one.type is IndicatorType.EMAIL)
        ][:INDICATORS],
        "entities": [
            {"kind": one.kind.value, "name": one.name[:100]}
            for one in {(each.kind, each.name): each for each in extraction.entities}.values()
        ][:ENTITIES],
        "techniques": [
            {"technique": number, "name": technique_names().get(number, number), "score": round(score, 3)}
            for number, score in _best_scores(extraction).items()
        ][:30],
        "notes": [],
        "signature": base64.b64encode(signature.tobytes()).decode(),
    }


def add_source(content: dict[str, Any], source: Source, url: str) -> dict[str, Any] | None:
    """The same item, told by one more source; None if that source is known."""
    if any(one["id"] == source.id for one in content["sources"]):
        return None
    sources = [
        *content["sources"],
        {"id": source.id, "title": source.title, "reliability": source.reliability.value, "url": url[:1_000]},
    ][:20]
    best = min((Reliability(one["reliability"]) for one in sources), key=list(Reliability).index)
    return {**content, "sources": sources, "grade": best.value + credibility(best, len(sources)).value}


def signature_of(content: dict[str, Any]) -> Signature:
    """The MinHash signature that an item's content holds. Raises ValueError if it holds none."""
    return np.frombuffer(base64.b64decode(str(content["signature"])), dtype=np.uint64)


def observed(content: dict[str, Any]) -> list[Indicator]:
    """All that an item's content names."""
    return [Indicator(0, 0, IndicatorType(one["type"]), one["value"]) for one in content["indicators"]]


def indicators_of(content: dict[str, Any]) -> list[Indicator]:
    """The same, but for mere names and what warning lists speak against: that stays an observable with a note."""
    doubted = {one["value"] for one in content["indicators"] if one["warnings"]}
    return [one for one in observed(content) if one.type not in NAMED_ONLY and one.value not in doubted]


def _distinct(indicators: Sequence[Indicator]) -> list[Indicator]:
    return list({(one.type, one.value): one for one in indicators}.values())


def _best_scores(extraction: Extraction) -> dict[str, float]:
    best: dict[str, float] = {}
    for one in extraction.techniques:
        best[one.technique] = max(best.get(one.technique, 0.0), one.score)
    return dict(sorted(best.items(), key=lambda entry: -entry[1]))


def _passages(text: str, relevance: Relevance, extraction: Extraction) -> list[list[dict[str, str]]]:
    """The parts of the text that count, each as runs of text of which some are marked."""
    marks = [_Mark(one.start, one.end, "match", one.reason) for one in relevance.matches]
    anchors = sorted({one.start for one in marks}) or [0]
    marks += [_Mark(one.start, one.end, "threat", one.concept) for one in relevance.threats]
    marks += [_Mark(one.start, one.end, "indicator", one.type.value) for one in extraction.indicators]
    spans: list[tuple[int, int]] = []
    for anchor in anchors:
        begin, end = max(0, anchor - AROUND), min(len(text), anchor + 2 * AROUND)
        if spans and begin <= spans[-1][1]:
            spans[-1] = (spans[-1][0], min(end, spans[-1][0] + 6 * AROUND))
        elif len(spans) < PASSAGES:
            spans.append((begin, end))
    # Masked as a whole, before it is cut: a secret may begin in one run and end in the next.
    shown = masked(text)
    return [_runs(shown, begin, end, marks) for begin, end in spans]


def _runs(text: str, begin: int, end: int, marks: Sequence[_Mark]) -> list[dict[str, str]]:
    runs: list[dict[str, str]] = []
    position = begin
    order = {"match": 0, "indicator": 1, "threat": 2}
    taken: list[_Mark] = []
    for mark in sorted(marks, key=lambda one: (order[one.kind], one.start)):
        if begin <= mark.start < mark.end <= end and not any(
            one.start < mark.end and mark.start < one.end for one in taken
        ):
            taken.append(mark)
    for mark in sorted(taken, key=lambda one: one.start):
        if mark.start > position:
            runs.append({"text": text[position : mark.start]})
        runs.append({"text": text[mark.start : mark.end], "mark": mark.kind, "why": masked(mark.why)[:200]})
        position = mark.end
    if position < end:
        runs.append({"text": text[position:end]})
    return runs
