"""WordPiece as BERT uses it (Devlin et al. 2019; Wu et al. 2016), uncased: text in, numbers of pieces out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

CLASSIFY, SEPARATE, UNKNOWN = "[CLS]", "[SEP]", "[UNK]"
LONGEST_WORD = 100
"""A longer word is unknown as a whole."""
REMEMBERED_WORDS = 50_000


class WordPieces:
    """Cuts text into pieces of a vocabulary."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._vocabulary = vocabulary
        self._unknown = vocabulary[UNKNOWN]
        self._start, self._end = vocabulary[CLASSIFY], vocabulary[SEPARATE]
        # Posts repeat their words: most are looked up, not cut.
        self._pieces = lru_cache(maxsize=REMEMBERED_WORDS)(self._cut)

    @classmethod
    def read(cls, file: Path) -> WordPieces:
        """From `vocab.txt`: one piece a line. Raises `OSError`."""
        lines = file.read_text(encoding="utf-8").splitlines()
        return cls({piece: number for number, piece in enumerate(lines)})

    def encode(self, text: str, *, limit: int) -> list[int]:
        """Numbers of the pieces, at most `limit`, with the marks of beginning and end.

        >>> pieces = WordPieces({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "run": 3, "##ning": 4, "!": 5})
        >>> pieces.encode("Running!", limit=8)
        [1, 3, 4, 5, 2]
        >>> WordPieces({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "run": 3, "##ning": 4, "!": 5}).encode("Run!", limit=8)
        [1, 3, 5, 2]
        """
        numbers = [self._start]
        for word in _words(text):
            numbers.extend(self._pieces(word))
            if len(numbers) >= limit - 1:
                break
        return [*numbers[: limit - 1], self._end]

    def _cut(self, word: str) -> tuple[int, ...]:
        if len(word) > LONGEST_WORD:
            return (self._unknown,)
        numbers: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                number = self._vocabulary.get(word[start:end] if start == 0 else f"##{word[start:end]}")
                if number is not None:
                    numbers.append(number)
                    start = end
                    break
            else:
                return (self._unknown,)
        return tuple(numbers)


_WORD = re.compile(r"[^\W_\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+|[^\s]")


def _words(text: str) -> list[str]:
    """Lower-case words without accents; each other sign is a word of its own, so that an emoji beside a word does not
    make it unknown."""
    plain = text.lower()
    if not plain.isascii():
        plain = "".join(sign for sign in unicodedata.normalize("NFD", plain) if unicodedata.category(sign) != "Mn")
    return _WORD.findall(plain)
