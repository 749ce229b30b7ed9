"""What the gate sees of a post: words, pairs of words, negated words and runs of letters, as hashed counts.

Only hashes (FNV-1a, 32 bits, cut to BUCKETS) leave this module, so that no weights made from them hold any text. Words
that follow a negation count a second time as negated (Pang, Lee & Vaithyanathan 2002).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impetus.tools.social.compiled import compiled

Array = NDArray[Any]

BITS = 19
BUCKETS = 1 << BITS
"""The lower half is for words, the upper for letters."""
LETTERS = (2, 5)
"""Least and greatest length of a run of letters."""
NEGATED_WORDS = 4
"""How far a negation reaches."""
MOST_FEATURES = 1 << 14
"""Different features of one post; what a longer one has more is left out."""

NEGATIONS = (
    *[
        "not",
        "no",
        "never",
        "none",
        "nobody",
        "nothing",
        "neither",
        "nor",
        "cannot",
        "cant",
        "dont",
        "doesnt",
        "didnt",
        "isnt",
        "arent",
        "wasnt",
        "werent",
        "wont",
    ],
    *["wouldnt", "shouldnt", "couldnt", "aint", "havent", "hasnt", "hadnt", "without", "hardly", "barely"],
    *["non", "mai", "nessuno", "nessuna", "niente", "nulla", "neppure", "nemmeno", "neanche", "senza", "né"],
    *["ikke", "ikkje", "ingen", "inga", "ingenting", "aldri", "verken", "hverken", "uten", "utan", "neppe", "intet"],
)


@dataclass(frozen=True, slots=True)
class Features:
    """Hashed features of posts, as a sparse matrix by rows."""

    starts: NDArray[np.int64]
    """[posts + 1]"""
    buckets: NDArray[np.int32]
    values: NDArray[np.float32]
    """1 + ln(count), each half of a post of length 1."""


def features_of(texts: Sequence[str]) -> Features:
    """Features of readable texts."""
    signs, ends = _signs(texts)
    # A sign begins at most so many runs of letters and so many word features.
    room = np.minimum((np.diff(ends, prepend=0) + 2) * 7, MOST_FEATURES)
    total = int(room.sum()) + 1
    buckets, values = np.empty(total, dtype=np.int32), np.empty(total, dtype=np.float32)
    starts = np.zeros(len(texts) + 1, dtype=np.int64)
    _extract(signs, ends, _NEGATION_HASHES, starts, buckets, values)
    used = int(starts[-1])
    return Features(starts, buckets[:used].copy(), values[:used].copy())


def scores_of(texts: Sequence[str], weights: NDArray[np.int8], scales: NDArray[np.float32]) -> NDArray[np.float32]:
    """Products of the features with weights [BUCKETS, outputs] times scales [outputs]: [texts, outputs]."""
    signs, ends = _signs(texts)
    found = np.zeros((len(texts), weights.shape[1]), dtype=np.float32)
    _score(signs, ends, _NEGATION_HASHES, weights, found)
    return found * scales


def _signs(texts: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Code points of all texts one after another, and where each text ends."""
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64) if texts else np.zeros(0, dtype=np.int64)
    joined = "".join(texts).encode("utf-32-le", "replace")
    return np.frombuffer(joined, dtype=np.uint32), ends


_FNV, _PRIME = np.uint32(2166136261), np.uint32(16777619)
_HALF = np.uint32(BUCKETS // 2 - 1)
_NEGATED, _PAIR, _SHOUTED = np.uint32(0x9E3779B1), np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)
_NARROWEST, _WIDEST = LETTERS


@compiled
def _lower(sign: Any) -> Any:
    """Lower case of the letters that our languages use."""
    if 65 <= sign <= 90 or (0xC0 <= sign <= 0xDE and sign != 0xD7) or 0x410 <= sign <= 0x42F:
        return sign + 32
    return sign


@compiled
def _is_letter(sign: Any) -> Any:
    if sign < 128:
        return 48 <= sign <= 57 or 65 <= sign <= 90 or 97 <= sign <= 122
    return 0xAA <= sign < 0x2000 and sign != 0xD7 and sign != 0xF7 and sign not in (0xAB, 0xBB, 0xB7)


@compiled
def _mixed(hashed: Any) -> Any:
    """Spreads all bits to the lower ones (the finish of MurmurHash3)."""
    hashed = np.uint32(hashed ^ (hashed >> np.uint32(16)))
    hashed = np.uint32(hashed * np.uint32(0x85EBCA6B))
    return np.uint32(hashed ^ (hashed >> np.uint32(13)))


@compiled
def _found(
    signs: Array,
    start: Any,
    end: Any,
    negations: Array,
    table: Array,
    stamps: Array,
    stamp: int,
    counts: Array,
    keys: Array,
) -> tuple[int, int]:
    """Put the features of one post into `keys` and `counts`; how many there are."""
    size = len(table) - 1
    most = len(keys)
    number = 0
    before = np.uint32(0)
    negated = 0
    place = start
    # Twice over the post: words first, then letters.
    while place < end:
        sign = signs[place]
        if sign == 32:
            place += 1
            continue
        hashed = _FNV
        capitals = 0
        first = place
        if _is_letter(sign):
            while place < end and (_is_letter(signs[place]) or (signs[place] == 39 or signs[place] == 0x2019)):
                now = signs[place]
                if now != 39 and now != 0x2019:
                    lower = _lower(now)
                    if lower != now:
                        capitals += 1
                    hashed = np.uint32((hashed ^ np.uint32(lower)) * _PRIME)
                place += 1
        else:
            hashed = np.uint32((hashed ^ np.uint32(sign)) * _PRIME)
            place += 1
            if sign in (46, 33, 63, 44, 59, 58):
                negated = 0
        length = place - first
        for kind in range(4):
            if kind == 0:
                key = hashed
            elif kind == 1:
                key = np.uint32(hashed ^ np.uint32(before * _PAIR)) if before else np.uint32(0)
            elif kind == 2:
                key = np.uint32(hashed * _NEGATED) if negated > 0 else np.uint32(0)
            else:
                key = _SHOUTED if capitals == length and length >= 3 else np.uint32(0)
            if key == 0:
                continue
            key = np.uint32(_mixed(key) & _HALF)
            slot = np.uint32(key * np.uint32(2654435769)) & np.uint32(size)
            while stamps[slot] == stamp and keys[table[slot]] != key:
                slot = (slot + np.uint32(1)) & np.uint32(size)
            if stamps[slot] != stamp:
                if number >= most:
                    continue
                stamps[slot] = stamp
                table[slot] = number
                keys[number] = key
                counts[number] = 0
                number += 1
            counts[table[slot]] += 1
        before = hashed
        if negated > 0:
            negated -= 1
        for one in negations:
            if one == hashed:
                negated = NEGATED_WORDS
    words = number
    place = start
    while place < end:
        if signs[place] == 32:
            place += 1
            continue
        last = place
        while last < end and signs[last] != 32:
            last += 1
        for begin in range(place - 1, last):
            hashed = _FNV
            for width in range(1, _WIDEST + 1):
                where = begin + width - 1
                if where > last:
                    break
                sign = np.uint32(32) if where == place - 1 or where == last else np.uint32(_lower(signs[where]))
                hashed = np.uint32((hashed ^ sign) * _PRIME)
                if width < _NARROWEST:
                    continue
                key = np.uint32(_mixed(hashed) & _HALF) + _HALF + np.uint32(1)
                slot = np.uint32(key * np.uint32(2654435769)) & np.uint32(size)
                while stamps[slot] == stamp and keys[table[slot]] != key:
                    slot = (slot + np.uint32(1)) & np.uint32(size)
                if stamps[slot] != stamp:
                    if number >= most:
                        continue
                    stamps[slot] = stamp
                    table[slot] = number
                    keys[number] = key
                    counts[number] = 0
                    number += 1
                counts[table[slot]] += 1
        place = last
    return words, number


@compiled
def _lengths(counts: Array, words: int, number: int) -> tuple[Any, Any]:
    """One over the length of each half."""
    first = 0.0
    for place in range(words):
        first += (1.0 + np.log(counts[place])) ** 2
    second = 0.0
    for place in range(words, number):
        second += (1.0 + np.log(counts[place])) ** 2
    return 1.0 / np.sqrt(max(first, 1.0)), 1.0 / np.sqrt(max(second, 1.0))


@compiled
def _extract(signs: Array, ends: Array, negations: Array, starts: Array, buckets: Array, values: Array) -> None:
    table = np.zeros(MOST_FEATURES * 4, dtype=np.int32)
    stamps = np.zeros(MOST_FEATURES * 4, dtype=np.int32)
    counts = np.zeros(MOST_FEATURES, dtype=np.int32)
    keys = np.zeros(MOST_FEATURES, dtype=np.uint32)
    start = 0
    for post in range(len(ends)):
        words, number = _found(signs, start, ends[post], negations, table, stamps, post + 1, counts, keys)
        first, second = _lengths(counts, words, number)
        at = starts[post]
        for place in range(number):
            buckets[at + place] = keys[place]
            values[at + place] = (1.0 + np.log(counts[place])) * (first if place < words else second)
        starts[post + 1] = at + number
        start = ends[post]


@compiled
def _score(signs: Array, ends: Array, negations: Array, weights: Array, found: Array) -> None:
    table = np.zeros(MOST_FEATURES * 4, dtype=np.int32)
    stamps = np.zeros(MOST_FEATURES * 4, dtype=np.int32)
    counts = np.zeros(MOST_FEATURES, dtype=np.int32)
    keys = np.zeros(MOST_FEATURES, dtype=np.uint32)
    start = 0
    outputs = weights.shape[1]
    for post in range(len(ends)):
        words, number = _found(signs, start, ends[post], negations, table, stamps, post + 1, counts, keys)
        first, second = _lengths(counts, words, number)
        for place in range(number):
            value = (1.0 + np.log(counts[place])) * (first if place < words else second)
            key = keys[place]
            for output in range(outputs):
                found[post, output] += value * weights[key, output]
        start = ends[post]


def _hash_of(word: str) -> int:
    hashed = int(_FNV)
    for sign in word:
        hashed = ((hashed ^ ord(sign)) * int(_PRIME)) & 0xFFFFFFFF
    return hashed


_NEGATION_HASHES = np.array(sorted({_hash_of(word.replace("'", "")) for word in NEGATIONS}), dtype=np.uint32)
