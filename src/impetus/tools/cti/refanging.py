"""Undoes defanging (`hxxp`, `[.]`, `(dot)` ...) while every character keeps its place in the original text."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

_DEFANGED = re.compile(
    r"""
      (?P<scheme>(?<![A-Za-z0-9])(?:h(?:xx|XX|\*\*|\+\+|__|tt)ps?|fxp|meow)[ \t]?[\[\({]?[ \t]?:[ \t]?[\]\)}]?
        [ \t]?[\[\({]?[ \t]?(?://|\\\\)[ \t]?[\]\)}]?(?=[ \t]?[^\s/]))
    | (?P<mark>[\[\({][ \t]?://[ \t]?[\]\)}])
    | (?P<dot>(?<=[\w\]\)])\s{0,2}
        (?:[\[\({]\s?(?:\.|,|[Dd][Oo][Tt]|[Pp][Uu][Nn][Tt][Oo])\s?[\]\)}]|[\[\({]\s?\.(?=\s?\w)|(?<=\S)\.\s?[\]\)}](?=\w)|\\\.)
        \s{0,2}(?=\w))
    | (?P<at>(?<=[\w])[ \t]{0,2}(?:[\[\({][ \t]?(?:@|[Aa][Tt])[ \t]?[\]\)}]|[ ]@[ ])[ \t]{0,2}(?=\w))
    | (?P<colon>(?<=\w)[ \t]?[\[\({]:[\]\)}][ \t]?(?=[\w/]))
    | (?P<slash>(?<=\w)\[/\](?=\w?))
    """,
    re.VERBOSE,
)
_WRAPPED_HASH = re.compile(r"(?<![0-9A-Za-z])([0-9a-fA-F]{8,120})(-?\r?\n[ \t]*)([0-9a-fA-F]{4,120})(?![0-9A-Za-z])")
_WRAPPED_ADDRESS = re.compile(
    r"(?P<before>(?:://|www\.)[^\s<>\"']{20,}[/\-_=&?%.])(?P<wrap>\r?\n)(?=[^\s<>\"']*[0-9/._=&%-])"
)
_HASH_LENGTHS = frozenset({32, 40, 56, 64, 96, 128})


@dataclass(frozen=True, slots=True)
class Refanged:
    """A text without its defanging, and where each part of it stood."""

    text: str
    original: str
    _starts: tuple[int, ...]
    """Where a piece begins in `text`, rising."""
    _origins: tuple[tuple[int, int, bool], ...]
    """Of each piece: where it begins and ends in `original`, and whether it was replaced."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span of `original` from which `text[start:end]` came."""
        return self._place(start, False), self._place(end - 1, True)

    def changed(self, start: int, end: int) -> bool:
        """Whether anything between was defanged or wrapped: nobody writes that of what is harmless."""
        first, last = bisect_right(self._starts, start) - 1, bisect_right(self._starts, end - 1) - 1
        return any(self._origins[number][2] for number in range(first, last + 1))

    def _place(self, position: int, is_end: bool) -> int:
        number = bisect_right(self._starts, position) - 1
        begin, end, replaced = self._origins[number]
        if replaced:
            return end if is_end else begin
        return begin + position - self._starts[number] + (1 if is_end else 0)


def refang(text: str) -> Refanged:
    """The text without its defanging, and without line breaks inside hashes and addresses.

    >>> refang("see hxxps://evil[.]example/a").text
    'see https://evil.example/a'
    """
    changes = [(match.start(), match.end(), _replacement(match)) for match in _DEFANGED.finditer(text)]
    changes += _unwrapped(text)
    changes.sort()
    pieces: list[str] = []
    starts: list[int] = []
    origins: list[tuple[int, int, bool]] = []
    length = position = 0

    def add(piece: str, begin: int, end: int, replaced: bool) -> None:
        nonlocal length
        if piece:
            pieces.append(piece)
            starts.append(length)
            origins.append((begin, end, replaced))
            length += len(piece)

    for begin, end, replacement in changes:
        if begin < position:
            continue
        add(text[position:begin], position, begin, False)
        if replacement:
            add(replacement, begin, end, True)
        position = end
    add(text[position:], position, len(text), False)
    return Refanged("".join(pieces), text, tuple(starts), tuple(origins))


def _replacement(match: re.Match[str]) -> str:
    kind = match.lastgroup or ""
    if kind == "scheme":
        written = match.group().lower()
        if written.startswith("f"):
            return "ftp://"
        return "https://" if written[4:6].strip().startswith("s") or "ps" in written[:6] else "http://"
    return {"mark": "://", "dot": ".", "at": "@", "colon": ":", "slash": "/"}[kind]


def _unwrapped(text: str) -> list[tuple[int, int, str]]:
    """Line breaks within a hash (the parts make up a whole one, neither does alone) or an address."""
    found = []
    for match in _WRAPPED_HASH.finditer(text):
        first, last = len(match.group(1)), len(match.group(3))
        if first + last in _HASH_LENGTHS and first not in _HASH_LENGTHS and last not in _HASH_LENGTHS:
            found.append((match.start(2), match.end(2), ""))
    for match in _WRAPPED_ADDRESS.finditer(text):
        line_start = text.rfind("\n", 0, match.start()) + 1
        if match.start("wrap") - line_start >= 60:
            found.append((match.start("wrap"), match.end("wrap"), ""))
    return found
