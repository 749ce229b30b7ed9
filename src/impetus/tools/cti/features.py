"""What a classifier sees of a sentence: stems of its words, and the letters that they are made of, as hashed counts.

Only hashes (CRC-32) leave this module, so that no weights made from them hold any text.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable

_REPLACED = (
    (re.compile(r"\b(?:https?|hxxps?)://\S+"), " urltoken "),
    (re.compile(r"\b[0-9a-fA-F]{32,64}\b"), " hashtoken "),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), " iptoken "),
    (re.compile(r"\b(?:HKLM|HKCU|HKU|HKEY_\w+)\b", re.IGNORECASE), " registrykey "),
    (re.compile(r"\bCVE-\d+-\d+\b", re.IGNORECASE), " cvetoken "),
)
_WORD = re.compile(r"[a-z0-9_]+(?:[.\-][a-z0-9_]+)*|[%\\$]")
_PARTS = re.compile(r"[.\-_]")
_ENDINGS = ("ing", "ed", "es", "s", "ion")
LETTERS = (3, 5)
LONGEST_WORD = 60

Counts = Counter[int]


def word_counts(text: str) -> Counts:
    """How often each stem occurs, by its hash."""
    return Counter(_hash("w", word) for word in _stems(_prepared(text)))


def letter_counts(text: str) -> Counts:
    """How often each run of three to five letters within a word occurs, by its hash."""
    counts: Counts = Counter()
    for word, times in Counter(_prepared(text).split()).items():
        padded = f" {word[:LONGEST_WORD]} "
        for length in range(LETTERS[0], LETTERS[1] + 1):
            if len(padded) <= length:
                counts[_hash("c", padded)] += times
                break
            for start in range(len(padded) - length + 1):
                counts[_hash("c", padded[start : start + length])] += times
    return counts


def _prepared(text: str) -> str:
    for pattern, replacement in _REPLACED:
        text = pattern.sub(replacement, text)
    return text.lower()


def _stems(text: str) -> Iterable[str]:
    for word in _WORD.findall(text):
        yield _stem(word)
        parts = _PARTS.split(word)
        if len(parts) > 1:
            yield from (_stem(part) for part in parts if part)


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def _hash(kind: str, text: str) -> int:
    return zlib.crc32(f"{kind}{text}".encode())
