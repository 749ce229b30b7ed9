"""Protects that the whole of every page is there in each language."""

from __future__ import annotations

import re

import pytest

from impetus.ui.extraction import template
from impetus.ui.languages import LANGUAGES, catalogue, choose, script_messages
from impetus.ui.tests.conftest import Ui

OTHERS = [language for language in LANGUAGES if language != "en"]


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}|%\(\w+\)[a-z]", text))


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated_and_keeps_its_placeholders(language: str) -> None:
    translated = catalogue(language)
    for message in template():
        if not message.id:
            continue
        found = translated.get(message.id)
        assert found is not None, f"{language}: {message.id!r} is not in the catalogue; run impetus.ui.extraction"
        originals = [message.id] if isinstance(message.id, str) else list(message.id)
        forms = [found.string] if isinstance(found.string, str) else list(found.string or ())
        assert len(forms) == len(originals), message.id
        for form, original in zip(forms, originals, strict=True):
            assert form, f"{language}: {original!r} has no translation"
            assert placeholders(form) == placeholders(original), (language, original)


@pytest.mark.parametrize("language", OTHERS)
def test_the_catalogue_holds_nothing_that_no_page_says(language: str) -> None:
    said = {str(message.id) for message in template()}
    assert [message.id for message in catalogue(language) if message.id and str(message.id) not in said] == []


@pytest.mark.parametrize("language", OTHERS)
async def test_scripts_get_their_texts(ui: Ui, language: str) -> None:
    async with ui.browser() as browser:
        login = await browser.get("/login")
        static = re.search(r"/static/[0-9a-f]+", login.text)
        assert static
        answer = await browser.get(f"{static.group()}/messages/{language}.json")
    assert answer.json() == dict(script_messages(language))
    assert answer.json()["Reconnecting"]
    assert len(answer.json()["{n} new alert"]) == 2


@pytest.mark.parametrize(("language", "word"), [("it", "Incidenti"), ("nb", "Hendelser"), ("en", "Incidents")])
async def test_a_page_is_in_the_persons_language(ui: Ui, language: str, word: str) -> None:
    async with ui.person("olivia") as browser:
        await browser.post("/language", data={"language": language})
        assert word in (await browser.get("/incidents")).text


def test_an_unknown_language_becomes_english() -> None:
    assert choose("xx", None, accept="zz;q=1, *") == "en"
