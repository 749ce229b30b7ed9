"""A tool's card: the README.md in its folder, for those who decide whether to use it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

CARD_NAME = "README.md"
CARD_HEADINGS = (
    "What it does",
    "Data and training",
    "Measured performance",
    "Where it fails",
    "Intended use",
    "Excluded use",
)
"""Sections of the second level (`## ...`) that each card has, with text in them."""

_HEADING = re.compile(r"^##[ \t]+(.+?)[ \t#]*$", re.MULTILINE)


def check_card(folder: Path) -> Sequence[str]:
    """What the card in a tool's folder lacks, one sentence for each; empty if it is complete."""
    path = folder / CARD_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return [f"{path} cannot be read: {error}"]
    parts = _HEADING.split(_without_code(text))
    sections = dict(zip((heading.lower() for heading in parts[1::2]), parts[2::2], strict=True))
    lacking: list[str] = []
    for heading in CARD_HEADINGS:
        body = sections.get(heading.lower())
        if body is None:
            lacking.append(f"{path} has no section '## {heading}'")
        elif not re.sub(r"^#+.*$", "", body, flags=re.MULTILINE).strip():
            lacking.append(f"{path}: section '{heading}' is empty")
    return lacking


def _without_code(text: str) -> str:
    """The text with code blocks reduced to a word, so that a comment in code is not taken for a heading."""
    return re.sub(r"^```.*?^```", "(code)", text, flags=re.MULTILINE | re.DOTALL)
