"""The practitioners' guides and their checklists, read from the files that the documentation is made of."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markupsafe import Markup

from impetus.model import NotFound

FOLDER: Final = Path(__file__).parent / "guides"
VOLUMES: Final = ("operations", "ethics", "cybersecurity")


@dataclass(frozen=True, slots=True)
class Checklist:
    """The checklist of one chapter, in each language."""

    id: str
    volume: str
    title: Mapping[str, str]
    items: Sequence[Mapping[str, str]]

    def titled(self, language: str) -> str:
        """The title in a language, English where there is none."""
        return self.title.get(language, self.title["en"])

    def texts(self, language: str) -> Sequence[str]:
        """The items in a language."""
        return [item.get(language, item["en"]) for item in self.items]


@lru_cache
def checklists() -> Mapping[str, Checklist]:
    """All checklists by id, in the order of the chapters."""
    found = {}
    for volume in VOLUMES:
        content = tomllib.loads((FOLDER / f"{volume}.toml").read_text(encoding="utf-8"))
        for one in content["checklist"]:
            found[one["id"]] = Checklist(one["id"], volume, one["title"], tuple(one["items"]))
    return found


def checklist(id: str) -> Checklist:
    """One checklist. Raises `NotFound`."""
    try:
        return checklists()[id]
    except KeyError:
        raise NotFound(f"there is no checklist {id!r}", hint="They stand at the end of each chapter.") from None


@lru_cache
def volume_html(volume: str) -> Markup:
    """A volume as HTML; markup of its own in the text stays text. Raises `NotFound`."""
    if volume not in VOLUMES:
        raise NotFound(f"there is no guide {volume!r}", hint=f"There are: {', '.join(VOLUMES)}.")
    text = (FOLDER / f"{volume}.md").read_text(encoding="utf-8")
    return Markup(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))  # noqa: S704
