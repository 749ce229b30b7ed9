"""Sentences of a report, with where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

LONGEST = 1_200
"""Characters; a longer run without an end, such as a table, is cut."""
_END = re.compile(r"(?<=[.!?])[\"”’)\]]*\s+(?=[\"“‘(\[]?[A-Z0-9ÀÈÉÌÒÙÆØÅ])|\n\s*\n|\n\s*(?=[-*•▪‣·]|\d{1,2}[.)]\s)")
_END_OR_LINE = re.compile(_END.pattern + r"|\s*\n\s*")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|Mr|Ms|Dr|No|Inc|Ltd|Fig|ca|approx|bl\.a|f\.eks|ecc|es)\.)$")


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Spans of the sentences of a text, none empty.

    >>> text = "It uses cmd.exe. Then it sleeps, e.g. for an hour."
    >>> [text[start:end] for start, end in sentences(text)]
    ['It uses cmd.exe.', 'Then it sleeps, e.g. for an hour.']
    """
    begin = 0
    for match in (_END if _is_wrapped(text) else _END_OR_LINE).finditer(text):
        if _ABBREVIATION.search(text, max(begin, match.start() - 8), match.start()):
            continue
        yield from _cut(text, begin, match.start())
        begin = match.end()
    yield from _cut(text, begin, len(text))


def _is_wrapped(text: str) -> bool:
    """Whether lines were broken to a width, so that a line's end means nothing; else a line is a unit by itself."""
    lines = text[:200_000].split("\n")
    followed = [len(line) for line, after in pairwise(lines) if line.strip() and after.strip()]
    if not followed:
        return False
    width = max(followed)
    full = sum(length >= 0.7 * width for length in followed)
    unfinished = sum(
        not line.rstrip().endswith((".", "!", "?", ":"))
        for line, after in pairwise(lines)
        if line.strip() and after.strip()
    )
    return width <= 200 and full >= 0.6 * len(followed) and unfinished >= 0.5 * len(followed)


def _cut(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    while begin < end and text[begin].isspace():
        begin += 1
    while end > begin and text[end - 1].isspace():
        end -= 1
    while end - begin > LONGEST:
        cut = text.rfind(" ", begin + LONGEST // 2, begin + LONGEST)
        cut = cut if cut > 0 else begin + LONGEST
        yield begin, cut
        begin = cut + 1
    if end > begin:
        yield begin, end
