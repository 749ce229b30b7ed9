"""The languages of the pages: gettext catalogues read once, and which of them a person sees."""

from __future__ import annotations

import gettext
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

DOMAIN = "impetus"
LOCALE_FOLDER = Path(__file__).parent / "locale"
LANGUAGES: Mapping[str, str] = MappingProxyType({"en": "English", "it": "Italiano", "nb": "Norsk bokmål"})
"""Code and own name of each language. English is the language of the messages in the source."""
DEFAULT_LANGUAGE = "en"


def catalogue_path(language: str) -> Path:
    """Where the translations into a language lie."""
    return LOCALE_FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.po"


@cache
def catalogue(language: str) -> Catalog:
    """The catalogue of a language; empty for English."""
    path = catalogue_path(language)
    if not path.exists():
        return Catalog(locale=language, domain=DOMAIN)
    with path.open("rb") as file:
        return read_po(file, locale=language, domain=DOMAIN)


@cache
def translations(language: str) -> gettext.NullTranslations:
    """What Jinja asks for the texts of a page."""
    if language not in LANGUAGES or language == DEFAULT_LANGUAGE:
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@cache
def script_messages(language: str) -> Mapping[str, str | list[str]]:
    """Translations for the scripts: a text by its English text, or [singular, plural] by the English singular."""
    messages: dict[str, str | list[str]] = {}
    for message in catalogue(language):
        if not message.id or not message.string:
            continue
        if isinstance(message.id, str):
            messages[message.id] = str(message.string)
        else:
            messages[message.id[0]] = [str(form) for form in message.string]
    return MappingProxyType(messages)


def choose(*wishes: str | None, accept: str = "") -> str:
    """The first wish that is a language of ours, then the browser's `Accept-Language`, then English.

    >>> choose(None, "it")
    'it'
    >>> choose(None, accept="no, en;q=0.5")
    'nb'
    """
    for wish in (*wishes, *(part.split(";")[0].strip() for part in accept.split(","))):
        code = (wish or "").lower().split("-")[0]
        code = "nb" if code in ("no", "nn") else code
        if code in LANGUAGES:
            return code
    return DEFAULT_LANGUAGE
