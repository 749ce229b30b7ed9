"""What a signature speaks of: ATT&CK technique, phase of the kill chain, and how much it says, by its words."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

TABLE = Path(__file__).with_name("techniques.toml")
UNKNOWN_PHASE = "unknown"
TECHNIQUE = re.compile(r"\bT\d{4}(?:\.\d{3})?\b")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a signature speaks of."""

    technique: str
    phase: str
    weight: float


@lru_cache(maxsize=1)
def _table() -> tuple[tuple[str, ...], float, tuple[tuple[re.Pattern[str], Kind], ...]]:
    content = tomllib.loads(TABLE.read_text("utf-8"))
    kinds = tuple(
        (re.compile(entry["pattern"], re.IGNORECASE), Kind(entry["technique"], entry["phase"], entry["weight"]))
        for entry in content["kinds"]
    )
    return tuple(content["phases"]), float(content["unknown"]), kinds


def phases() -> tuple[str, ...]:
    """The phases of the kill chain, in order; `unknown` is the last."""
    return _table()[0]


@lru_cache(maxsize=8_192)
def kind_of(words: str) -> Kind:
    """What the words of a signature speak of.

    >>> kind_of("ET SCAN Possible Nmap User-Agent Observed").phase
    'reconnaissance'
    """
    _, unknown, kinds = _table()
    named = TECHNIQUE.search(words)
    for pattern, kind in kinds:
        if pattern.search(words):
            return Kind(named[0], kind.phase, kind.weight) if named else kind
    return Kind(named[0] if named else "", UNKNOWN_PHASE, unknown)
