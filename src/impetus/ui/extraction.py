"""Finds every text of the pages that is to be translated, and brings the catalogues up to date with them.

`python -m impetus.ui.extraction` adds what is new to each catalogue (without a translation, which a test then asks
for) and drops what no page says any more.
"""

from __future__ import annotations

import io
import tomllib
from collections.abc import Iterator
from typing import IO

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import write_po

from impetus.sdk import load_tools
from impetus.ui.languages import DEFAULT_LANGUAGE, DOMAIN, LANGUAGES, catalogue, catalogue_path
from impetus.ui.rendering import FOLDER
from impetus.ui.tool_texts import texts_of

Keywords = dict[str, tuple[int, ...] | None]

SOURCES = (
    ("navigation.py", "python"),
    ("dashboards.py", "python"),
    ("report*.py", "python"),
    ("review*.py", "python"),
    ("exercise_pages.py", "python"),
    ("layouts/*.toml", "impetus.ui.extraction:layout_texts"),
    ("templates/**/*.html", "jinja2"),
    ("static/js/**/*.js", "javascript"),
)
NOISE = tuple(
    f'"{name}:'.encode()
    for name in (
        "Report-Msgid-Bugs-To",
        "POT-Creation-Date",
        "PO-Revision-Date",
        "Last-Translator",
        "Language-Team",
        "Generated-By",
    )
)
KEYWORDS: Keywords = {"_": None, "gettext": None, "ngettext": (1, 2), "t": None, "tn": (1, 2)}
OPTIONS = {"jinja2": {"trim_blocks": "true", "lstrip_blocks": "true"}, "javascript": {"parse_template_string": "true"}}


def layout_texts(file: IO[bytes], *_: object, **options: object) -> Iterator[tuple[int, str, str, list[str]]]:
    """What a role's layout says to people, as Babel's extraction methods give it."""
    layout = tomllib.load(file)
    for name in ("title", "summary"):
        if layout.get(name):
            yield 1, "_", layout[name], []


def texts() -> Iterator[tuple[str | tuple[str, ...], str]]:
    """Each text (or singular and plural) and the file that has it."""
    for pattern, method in SOURCES:
        for path in sorted(FOLDER.glob(pattern)):
            for _, message, _, _ in extract_from_file(method, path, keywords=KEYWORDS, options=OPTIONS.get(method)):
                yield message, str(path.relative_to(FOLDER))


def tool_texts() -> Iterator[tuple[str | tuple[str, ...], str]]:
    """The same of the tools that are shipped: what they declare, and what their modules say with the page's `t`.

    A tool whose modules bring their own `words.js` needs none of it there.
    """
    for id, tool in load_tools().items():
        if tool.folder is None or not (tool.package or "").startswith("impetus.tools."):
            continue
        for text in texts_of(tool):
            yield text, f"tools/{id}"
        folder = tool.folder / "static"
        if (folder / "words.js").exists():
            continue
        for path in sorted(folder.glob("**/*.js")):
            for _, message, _, _ in extract_from_file(
                "javascript", path, keywords=KEYWORDS, options=OPTIONS["javascript"]
            ):
                yield message, f"tools/{id}/{path.name}"


def template() -> Catalog:
    """A catalogue of all texts, without translations."""
    found = Catalog(domain=DOMAIN, charset="utf-8")
    for message, file in (*texts(), *tool_texts()):
        found.add(message, locations=[(file, 0)])
    return found


def main() -> None:
    """Bring the catalogues up to date."""
    for language in LANGUAGES:
        if language == DEFAULT_LANGUAGE:
            continue
        kept = catalogue(language)
        kept.update(template(), no_fuzzy_matching=True, update_creation_date=False)
        kept.obsolete.clear()
        path = catalogue_path(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(written(kept))


def written(catalogue: Catalog) -> bytes:
    """The catalogue as a file, without header lines that only differ from day to day."""
    content = io.BytesIO()
    write_po(content, catalogue, width=120, sort_output=True, include_lineno=False)
    return b"".join(line for line in content.getvalue().splitlines(keepends=True) if not line.startswith(NOISE))


if __name__ == "__main__":
    main()
