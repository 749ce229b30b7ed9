"""What in a post a city must know: kinds of threat-relevant posts, and example sentences of each, written by us."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

FILE = Path(__file__).parent / "data" / "kinds.toml"
FILLED = 6
"""Ways in which the places of one frame are filled."""


class Kind(StrEnum):
    """A kind of post; `NONE` is everything else."""

    NONE = "none"
    INCITEMENT = "incitement"
    """Incitement or a call to violence."""
    WEAPON = "weapon"
    """A weapon is mentioned together with an intent."""
    GATHERING = "gathering"
    """A gathering is planned."""
    CLAIM = "claim"
    """Somebody claims an attack."""
    EYEWITNESS = "eyewitness"
    """Somebody sees an emergency."""
    RUMOUR = "rumour"
    """A rumour that may start a panic."""


KINDS: Sequence[Kind] = tuple(Kind)
TITLES = {
    Kind.NONE: "Other",
    Kind.INCITEMENT: "Call to violence",
    Kind.WEAPON: "Weapon with intent",
    Kind.GATHERING: "Planned gathering",
    Kind.CLAIM: "Claim of an attack",
    Kind.EYEWITNESS: "Eyewitness of an emergency",
    Kind.RUMOUR: "Rumour or panic",
}


@dataclass(frozen=True, slots=True)
class Example:
    """One example sentence."""

    text: str
    kind: Kind
    language: str
    frame: str
    """Kind, language and number of the frame: examples of one frame belong on one side of a split."""


def examples(*, filled: int = FILLED, seed: int = 0) -> list[Example]:
    """Example sentences, the same ones for the same seed."""
    with FILE.open("rb") as stream:
        content = tomllib.load(stream)
    chosen = random.Random(seed)  # noqa: S311 - not a secret
    found = []
    for language, table in content.items():
        for kind in KINDS:
            for number, frame in enumerate(table[kind.value]):
                texts = {
                    frame.format(p=chosen.choice(table["p"]), t=chosen.choice(table["t"]), w=chosen.choice(table["w"]))
                    for _ in range(filled)
                }
                found += [Example(text, kind, language, f"{language}-{kind}-{number}") for text in sorted(texts)]
    return found
