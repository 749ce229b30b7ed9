"""Protects that what tools declare is read in the reader's language, and nothing else of it changes."""

from __future__ import annotations

import pytest

from impetus.sdk.panel import Column, Form, Kpi, Panel, Table
from impetus.sdk.tests.sample import SampleSettings
from impetus.ui import tool_texts
from impetus.ui.tool_texts import translated

PANEL = Panel(
    id="own",
    title="Newest",
    widgets=(
        Kpi(title="How many", source="/alerts", value="items", reduce="count"),
        Table(
            title="Newest",
            source="/alerts",
            columns=(Column(field="sent", title="Newest"),),
            empty="50 % of %(all)s",
        ),
        Form(title="Newest", model=SampleSettings, task="keep", submit="Newest"),
    ),
)


@pytest.fixture
def italian(monkeypatch: pytest.MonkeyPatch) -> None:
    class Words:
        def gettext(self, text: str) -> str:
            return {"Newest": "Più recenti"}.get(text, text)

    monkeypatch.setattr(tool_texts, "translations", lambda language: Words())


@pytest.mark.usefixtures("italian")
def test_titles_are_translated_and_paths_and_names_are_not() -> None:
    shown = translated(PANEL, "it")
    assert (shown.title, shown.id) == ("Più recenti", "own")
    figure, table, form = shown.widgets
    assert isinstance(figure, Kpi)
    assert isinstance(table, Table)
    assert isinstance(form, Form)
    assert (figure.title, figure.source, figure.value) == ("How many", "/alerts", "items")
    assert (table.columns[0].title, table.columns[0].field, table.empty) == (
        "Più recenti",
        "sent",
        "50 % of %(all)s",
    )
    assert (form.submit, form.task, form.model) == ("Più recenti", "keep", SampleSettings)
    assert PANEL.title == "Newest"
