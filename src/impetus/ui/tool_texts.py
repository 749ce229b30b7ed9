"""What tools declare for people to read - titles, columns, explanations - in the reader's language.

The texts of the tools that are shipped stand in the catalogues of the pages; another tool's stay as it wrote them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from pydantic import BaseModel

from impetus.sdk import InstalledTool
from impetus.sdk.panel import Form, load_panels
from impetus.ui.languages import translations

SHOWN = frozenset({"title", "summary", "empty", "text", "submit", "description"})
"""Fields of panels, widgets and manifests that people read."""
LISTED = frozenset({"purposes"})
"""The same, of several texts."""

Declared = TypeVar("Declared", bound=BaseModel)


def word(text: str, language: str) -> str:
    """A tool's text in a language, or as the tool wrote it."""
    return translations(language).gettext(text) if text else text


def translated(declared: Declared, language: str) -> Declared:
    """The same panel, widget or manifest with its texts in a language."""
    changed: dict[str, object] = {}
    for name in type(declared).model_fields:
        value = getattr(declared, name)
        if isinstance(value, str) and name in SHOWN:
            changed[name] = word(str(value), language)
        elif isinstance(value, BaseModel):
            changed[name] = translated(value, language)
        elif isinstance(value, tuple):
            listed = name in LISTED
            changed[name] = tuple(
                translated(one, language) if isinstance(one, BaseModel) else word(one, language) if listed else one
                for one in value
            )
    return declared.model_copy(update=changed)


def texts_of(tool: InstalledTool) -> Iterator[str]:
    """Every text that a tool declares in its manifest and its panels."""
    if tool.manifest is not None:
        yield from _texts(tool.manifest)
    for panel in load_panels(tool):
        yield from _texts(panel)


def _texts(declared: BaseModel) -> Iterator[str]:
    for name in type(declared).model_fields:
        value = getattr(declared, name)
        if isinstance(value, str) and name in SHOWN and value:
            yield value
        elif isinstance(value, BaseModel):
            yield from _texts(value)
        elif isinstance(value, tuple):
            for one in value:
                if isinstance(one, BaseModel):
                    yield from _texts(one)
                elif name in LISTED:
                    yield one
    if isinstance(declared, Form):
        for field in declared.fields():
            yield from (text for text in (field.title, field.description) if text)
