"""Protects: no raw identifier of a person leaves by any exit for those who have no part in the investigation.

Hundreds of texts, made of identifiers in many forms and of what hides them, go in as alerts and come out (or not) by
the interface, the live stream's frames, CAP, notifications, error messages, dead letters and the log.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from impetus.api.exit import _scrub_events
from impetus.api.problem import problem_body
from impetus.api.tests.conftest import Api
from impetus.app import _scrubbed
from impetus.model import Permission, Role
from impetus.model.scrubbing import scrub
from impetus.model.tests.test_scrubbing import RAW
from impetus.situation.tests.house import an_alert

HIDING = ("", "\u200b", "\u2060", "\u00ad", "\u202e")
AROUND = ("", "Seen: ", "<b>", "\n", "(", '"', "'; --", "{{", "%00", "→ ")


@st.composite
def hostile(draw: st.DrawFn) -> tuple[str, str]:
    """An identifier, and a text that has it, hidden or not."""
    raw = draw(st.sampled_from(RAW))
    place = draw(st.integers(1, len(raw) - 1))
    hidden = raw[:place] + draw(st.sampled_from(HIDING)) + raw[place:]
    before, after = draw(st.sampled_from(AROUND)), draw(st.sampled_from(AROUND))
    return raw, f"{before} {hidden} {after} near the station"


def uncovered(text: str) -> str:
    """The text, and the text with its escapes undone, both without the letters that hide."""
    plain = text.translate({ord(letter): None for letter in HIDING[1:]})
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # escapes that are none
        return f"{plain}\n{plain.encode().decode('unicode_escape', 'replace')}"


def leaks(raw: str, text: str) -> bool:
    return raw in uncovered(text)


@given(hostile())
@settings(max_examples=200, deadline=None)
def test_pure_exits_let_no_identifier_out(case: tuple[str, str]) -> None:
    raw, text = case
    event = {"headline": text, "nested": {"description": [text]}}
    frame = b"id: 1\nevent: alert\ndata: " + json.dumps(event).encode() + b"\n\n"
    exits = {
        "stream": _scrub_events(frame).decode(),
        "error": problem_body("x", "x", 400, text, hint=text).decode(),
        "log": str(_scrubbed(None, "info", {"event": text, "error": ValueError(text), "more": {"a": text}})),
        "notification": scrub(text),
    }
    for name, shown in exits.items():
        assert not leaks(raw, shown), (name, shown)


def two_hundred() -> Iterator[tuple[str, str]]:
    """200 texts, the same at every run: each identifier with each way of hiding it."""
    for number in range(200):
        raw = RAW[number % len(RAW)]
        place = 1 + number % (len(raw) - 1)
        hiding, around = HIDING[number % len(HIDING)], AROUND[number % len(AROUND)]
        yield raw, f"{around} {raw[:place]}{hiding}{raw[place:]} near the station {number}"


async def test_200_hostile_alerts_are_scrubbed_for_all_who_do_not_investigate(api: Api) -> None:
    cases = list(two_hundred())
    alerts = [an_alert(id=f"a{n}", headline=text, description=text) for n, (_, text) in enumerate(cases)]
    await api.house.situation.alerts.ingest("municipality", alerts)
    accounts, ada = api.house.governance.accounts, api.house.person("ada")
    await accounts.create_user(
        ada, "municipality", name="greta", full_name="Greta", role=Role.PLANNER, password="correct horse battery staple"
    )
    planner, olivia = await api.person("greta"), await api.person("olivia")
    machine = await api.machine(Permission.ALERTS_READ, Permission.INCIDENTS_READ, Permission.DEAD_LETTERS_READ)
    for n, (_, text) in enumerate(cases[:30]):
        await olivia.post("/incidents", json={"title": text[:200], "summary": text, "alerts": [f"a{n}"]})
        await api.house.bus.set_aside("municipality", "test", "a letter", text.encode(), text)
    administrator = await api.person("ada")
    for client in (planner, machine):
        page = (await client.get("/alerts?limit=1000")).text
        rooms = (await client.get("/incidents?limit=1000")).text
        for n, (raw, _) in enumerate(cases):
            one = (await client.get(f"/alerts/a{n}")).text
            xml = (await client.get(f"/alerts/a{n}/cap")).text if n < 30 else ""
            for shown in (page, rooms, one, xml):
                assert not leaks(raw, shown), (n, raw)
    letters = (await administrator.get("/dead-letters?limit=1000")).text
    for raw, _ in cases[:30]:
        assert not leaks(raw, letters), raw
    # And the filter is what does it: whoever investigates reads what was written.
    seen = (await olivia.get("/alerts/a0")).json()
    assert cases[0][0] in seen.get("alert", seen)["headline"]
    await machine.aclose()


def test_the_log_of_the_program_is_scrubbed(capsys: pytest.CaptureFixture[str]) -> None:
    from impetus.app import configure_logging

    before = structlog.get_config()
    try:
        configure_logging()
        structlog.get_logger("a test").warning(
            "refused", text="call +39 347 123 4567", error=ValueError("m.rossi@example.it")
        )
        try:
            raise ValueError("Mario Rossi was here")
        except ValueError as error:
            structlog.get_logger("a test").error("failed", exc_info=error)
        written = capsys.readouterr().err
    finally:
        structlog.configure(**before)
    assert "refused" in written
    for raw in ("347 123", "rossi@", "Rossi"):
        assert raw not in written, written
