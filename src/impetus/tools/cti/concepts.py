"""What a text speaks of, by terms in three languages: threats, and kinds of assets."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True, order=True)
class Mention:
    """A concept at one place of the text."""

    start: int
    end: int
    concept: str


@dataclass(frozen=True, slots=True)
class _Lexicon:
    pattern: re.Pattern[str]
    exact: Mapping[str, str]
    """Term in lower case -> concept."""
    beginnings: tuple[tuple[str, str], ...]
    """The same for terms whose endings vary, the longest first."""


@cache
def threat_kinds() -> Mapping[str, str]:
    """Threat concept -> kind of item (`leak`, `vulnerability`, `phishing`, `attack`)."""
    return {name: str(table["kind"]) for name, table in _content()["threat"].items()}


def find_threats(text: str) -> list[Mention]:
    """Where a text speaks of leaks, ransomware, exploits ..."""
    return _find("threat", text)


def find_assets(text: str) -> list[Mention]:
    """Where a text speaks of cameras, traffic lights, hospitals ..."""
    return _find("asset", text)


def _find(group: str, text: str) -> list[Mention]:
    lexicon = _lexicon(group)
    found = []
    for match in lexicon.pattern.finditer(text):
        word = re.sub(r"\s+", " ", match.group().lower())
        concept = lexicon.exact.get(word)
        if concept is None:
            concept = next((concept for start, concept in lexicon.beginnings if word.startswith(start)), None)
        if concept is not None:
            found.append(Mention(match.start(), match.end(), concept))
    return found


@cache
def _content() -> Mapping[str, Mapping[str, Mapping[str, object]]]:
    return tomllib.loads(files("impetus.tools.cti").joinpath("data/concepts.toml").read_text(encoding="utf-8"))


@cache
def _lexicon(group: str) -> _Lexicon:
    exact: dict[str, str] = {}
    beginnings: list[tuple[str, str]] = []
    patterns = []
    for concept, table in _content()[group].items():
        terms = table["terms"]
        assert isinstance(terms, list)  # noqa: S101 (our own file)
        for term in terms:
            written = re.escape(term.rstrip("*")).replace(r"\ ", r"\s+")
            if term.endswith("*"):
                beginnings.append((term[:-1], concept))
                patterns.append(written + r"[\w-]{0,20}")
            else:
                exact[term] = concept
                patterns.append(written)
    patterns.sort(key=len, reverse=True)
    beginnings.sort(key=lambda entry: -len(entry[0]))
    pattern = re.compile(r"(?<![\w@.])(?:" + "|".join(patterns) + r")(?!\w)", re.IGNORECASE)
    return _Lexicon(pattern, exact, tuple(beginnings))
