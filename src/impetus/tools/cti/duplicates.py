"""Near-duplicates among items: the same report told by several sources.

MinHash (Broder, *On the resemblance and containment of documents*, 1997) over shingles of four words, with
locality-sensitive hashing: items that share a band are compared by their signatures.
"""

from __future__ import annotations

import re
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

PERMUTATIONS, BANDS = 96, 24
SHINGLE_WORDS = 4
SAME = 0.7
"""Estimated Jaccard similarity from which two items tell the same."""
KEPT = 20_000
_PRIME = np.uint64((1 << 61) - 1)
_RANDOM = np.random.default_rng(20260301)
_MULTIPLIERS = _RANDOM.integers(1, 1 << 31, PERMUTATIONS, dtype=np.uint64)
_SHIFTS = _RANDOM.integers(0, 1 << 31, PERMUTATIONS, dtype=np.uint64)

Signature = NDArray[np.uint64]


def signature(text: str) -> Signature:
    """The MinHash signature of a text; of a text without words, the largest values."""
    words = re.findall(r"\w+", text.lower())[:50_000]
    count = max(1, len(words) - SHINGLE_WORDS + 1)
    shingles = {zlib.crc32(" ".join(words[n : n + SHINGLE_WORDS]).encode()) for n in range(count)} if words else set()
    smallest = np.full(PERMUTATIONS, np.iinfo(np.uint64).max, dtype=np.uint64)
    hashes = np.fromiter(shingles, dtype=np.uint64, count=len(shingles))
    for begin in range(0, len(hashes), 4_096):
        part = hashes[begin : begin + 4_096]
        values = (part[:, None] * _MULTIPLIERS + _SHIFTS) % _PRIME
        smallest = np.minimum(smallest, values.min(axis=0))
    return smallest


def similarity(one: Signature, other: Signature) -> float:
    """Estimated Jaccard similarity of two texts, 0 to 1."""
    return float(np.mean(one == other))


@dataclass
class DuplicateIndex:
    """The signatures of the items seen last."""

    _signatures: OrderedDict[str, Signature] = field(default_factory=OrderedDict)
    _bands: dict[tuple[int, bytes], set[str]] = field(default_factory=dict)

    def find(self, signed: Signature) -> str | None:
        """The item that tells the same, if one of those seen does."""
        candidates = {id for key in _keys(signed) for id in self._bands.get(key, ())}
        rated = [(similarity(signed, self._signatures[id]), id) for id in candidates]
        best = max(rated, default=(0.0, ""))
        return best[1] if best[0] >= SAME else None

    def add(self, id: str, signed: Signature) -> None:
        """Remember an item; the oldest is forgotten when there are too many."""
        if id in self._signatures:
            return
        self._signatures[id] = signed
        for key in _keys(signed):
            self._bands.setdefault(key, set()).add(id)
        if len(self._signatures) > KEPT:
            oldest, gone = self._signatures.popitem(last=False)
            for key in _keys(gone):
                self._bands[key].discard(oldest)
                if not self._bands[key]:
                    del self._bands[key]

    def __len__(self) -> int:
        return len(self._signatures)


def _keys(signed: Signature) -> list[tuple[int, bytes]]:
    rows = PERMUTATIONS // BANDS
    return [(band, signed[band * rows : (band + 1) * rows].tobytes()) for band in range(BANDS)]
