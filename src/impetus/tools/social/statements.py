"""Training sentences about groups of people, made from `data/statements.toml`.

A model that learnt hatred from posts alone takes the name of a group for the sign of it. Balanced sentences, in which
every group stands in hateful and in harmless words alike, take that away (Dixon et al. 2018, "Measuring and mitigating
unintended bias in text classification").
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parent / "data" / "statements.toml"


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence that is hateful or not."""

    text: str
    hateful: bool
    language: str
    frame: str
    """Sentences of one frame say the same of different groups: they belong on one side of a split."""


def statements() -> Sequence[Statement]:
    """All sentences, each group in each of its language's frames once; what is about no group as often as one frame."""
    with FILE.open("rb") as stream:
        content = tomllib.load(stream)
    found: list[Statement] = []
    for language, table in content.items():
        for group in table["groups"]:
            for kind in ("hateful", "harmless"):
                found += [
                    Statement(_capital(frame.format(g=group)), kind == "hateful", language, f"{language} {frame}")
                    for frame in table[kind]
                ]
        for text in table["others"]:
            one = Statement(_capital(text), False, language, f"{language} {text}")
            found.extend(one for _ in range(len(table["groups"]) // 3))
    return found


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
