"""Praise and complaint counted by word lists, for languages with little or no training data that may be used.

Features are the same in every language, so that a model of them learnt in one serves the other.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).parent / "data" / "polarity.toml"
REACH = 3
"""Words after a negation that it turns round."""
FEATURES = 9
_TOKEN = re.compile(r"[^\W\d_]+|[:;=xX]-?[)dDpP(/\\]+|[!?…]|\.\.\.+|[\u2600-\u27bf\U0001f300-\U0001faff]|<3")
_GLAD = re.compile(r"[:;=xX]-?[)dDpP]+|<3|[😀-😎😍-😝🤗🤣🥰🎉👍❤♥💕💖👏💪🙏☺]")
_SAD = re.compile(r"[:;=]-?[(/\\]+|[😏-😖😞-😢😡-😭😠😤💔👎🤬🤮🙄😒]")


@dataclass(frozen=True, slots=True)
class _Words:
    whole: frozenset[str]
    beginnings: tuple[str, ...]

    def __contains__(self, word: str) -> bool:
        return word in self.whole or word.startswith(self.beginnings)

    @classmethod
    def of(cls, written: str) -> _Words:
        words = written.split()
        return cls(
            frozenset(word for word in words if not word.endswith("*")),
            tuple(word[:-1] for word in words if word.endswith("*")),
        )


@cache
def _lists(language: str) -> Mapping[str, _Words]:
    with FILE.open("rb") as stream:
        content = tomllib.load(stream)[language]
    return {name: _Words.of(written) for name, written in content.items()}


def polarity_features(text: str, language: str) -> NDArray[np.float32]:
    """[FEATURES]: praise and complaint (damped counts, negation turned round), balance, glad and sad signs, marks.

    `language` is `it` or `no`.

    >>> praise, complaint = polarity_features("Ikke bra, men en flott avslutning", "no")[:2]
    >>> bool(praise > 0 and complaint > 0)
    True
    """
    lists = _lists(language)
    good = bad = 0.0
    glad = sad = exclaimed = asked = 0
    turned = 0
    strength = 1.0
    tokens = _TOKEN.findall(text)
    for piece in tokens:
        if piece in "!?…" or piece.startswith("..."):
            exclaimed += piece == "!"
            asked += piece == "?"
            turned = 0
            continue
        if _GLAD.match(piece):
            glad += 1
            continue
        if _SAD.match(piece):
            sad += 1
            continue
        word = piece.lower()
        if word in lists["negation"]:
            turned = REACH
            continue
        praised, complained = word in lists["positive"], word in lists["negative"]
        if praised != complained:
            if praised == (turned > 0):
                bad += strength
            else:
                good += strength
        strength = 1.5 if word in lists["strengthening"] else 1.0
        turned = max(0, turned - 1)
    balance = (good - bad) / (1.0 + good + bad)
    length = np.log1p(len(tokens)) / 3.0
    return np.array(
        [
            np.log1p(good),
            np.log1p(bad),
            balance,
            np.log1p(glad),
            np.log1p(sad),
            np.log1p(exclaimed),
            np.log1p(asked),
            length,
            float(good + bad + glad + sad == 0),
        ],
        dtype=np.float32,
    )
