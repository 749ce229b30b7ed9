"""Protects the live side: nothing without an approved investigation and confirmed terms, one alert an event that an
analyst promoted, and no handle anywhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from impetus.model import InvalidInput, RequestOrigin, ToolRequest
from impetus.sdk import LocalContext, load_tool
from impetus.tools.social.investigations import concerns
from impetus.tools.social.judging import Judge
from impetus.tools.social.posts import RawPost
from impetus.tools.social.settings import SocialSettings
from impetus.tools.social.worker import SocialTool

CALLS = (
    "Everyone to Harbour Promenade tonight, bring bats and petrol bombs @first_voice, we smash it all",
    "Harbour Promenade tonight, bring knives. They deserve to bleed, no mercy. https://t.me/second_voice",
    "kill them all at Harbour Promenade, let's burn it down tonight",
)
HANDLES = ("first_voice", "second_voice", "angry_one", "angry_two", "angry_three", "quiet_one", "platform-77")


def settings(file: Path | None = None, **more: Any) -> dict[str, Any]:
    source = {
        "id": "chatter", "title": "Chatter", "kind": "file", "address": str(file or "nowhere"), "every_s": 1,
        "terms": "a test", "terms_confirmed_by": "An Administrator",
    }  # fmt: skip
    investigation = {
        "id": "festival", "title": "Festival", "purpose": "safety of the festival", "legal_basis": "a test",
        "until": "2026-03-20T00:00:00Z", "approver": "An Officer",
        "watching": {"places": ["Harbour Promenade"], "everything": True},
    }  # fmt: skip
    return {
        "sources": [source],
        "investigations": [investigation],
        "places": [{"name": "Harbour Promenade", "longitude": 12.9, "latitude": 44.9}],
        "second_stage": False,
        **more,
    }


def tool_with(tmp_path: Path, **more: Any) -> tuple[SocialTool, LocalContext]:
    _, manifest = load_tool("social").usable()
    context = LocalContext(manifest, own=tmp_path)
    return SocialTool(context, SocialSettings.model_validate_json(json.dumps(settings(**more)))), context


def ask(context: LocalContext, task: str, person: str | None = None, **content: Any) -> ToolRequest:
    return ToolRequest(
        id=f"{task}-{len(context.results)}-{person}", tool="social", task=task, reason="test",
        origin=RequestOrigin.PERSON, content=content, asked=context.clock.now(), person=person,
    )  # fmt: skip


async def given(tool: SocialTool, *posts: RawPost) -> None:
    tool._judge = tool._judge or Judge.load(second_stage=False)
    await tool.take([(tool.settings.sources[0], post) for post in posts])
    await tool.tick()


def calls(context: LocalContext) -> list[RawPost]:
    now = context.clock.now()
    names = ("angry_one", "angry_two", "angry_three")
    return [
        RawPost(f"platform-77-{n}", text, name, now + timedelta(minutes=n))
        for n, (text, name) in enumerate(zip(CALLS, names, strict=True))
    ]


async def awaiting(context: LocalContext) -> list[Any]:
    return [one for one in await context.published("event") if one.content["state"] == "awaiting"]


async def test_a_call_to_violence_becomes_one_alert_when_an_analyst_promotes_it(tmp_path: Path) -> None:
    tool, context = tool_with(tmp_path)
    await tool.start()
    await given(tool, *calls(context), RawPost("1", "Lovely evening at Harbour Promenade", "quiet_one"))
    # The gate alone may take the lovely evening for a gathering; it is not part of the call.
    (event,) = [one for one in await awaiting(context) if one.content["kind"] in ("incitement", "weapon")]
    assert event.content["posts"] == 3
    assert event.place is not None
    assert event.place.name == "Harbour Promenade"
    assert not context.alerts
    await tool.handle(ask(context, "promote", id=event.id))
    (alert,) = context.alerts
    assert alert.detector == "violence"
    assert alert.place is not None
    assert not any(word in alert.description for word in ("knives", "bats", "bleed"))
    with pytest.raises(InvalidInput):
        await tool.handle(ask(context, "not-relevant", id=event.id))
    await given(tool, RawPost("9", CALLS[0], "angry_four", context.clock.now() + timedelta(minutes=9)))
    assert len(context.alerts) == 1


async def test_no_handle_is_anywhere_on_disk_or_in_what_is_told(tmp_path: Path) -> None:
    tool, context = tool_with(tmp_path)
    await tool.start()
    await given(tool, *calls(context))
    (event,) = await awaiting(context)
    await tool.handle(ask(context, "promote", id=event.id))
    await tool.stop()
    written = all_bytes(tmp_path)
    told = [one.model_dump_json() for one in (*context.results, *context.alerts)]
    everything = written.decode("utf-8", "replace") + (context.checkpoint or b"").decode() + "".join(told)
    assert len(everything) > 1_000
    assert not [handle for handle in HANDLES if handle in everything]


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_a_post_deleted_where_it_came_from_is_removed(tmp_path: Path) -> None:
    tool, context = tool_with(tmp_path)
    await tool.start()
    posts = calls(context)
    await given(tool, *posts)
    assert await awaiting(context)
    await given(tool, *(RawPost(post.id, "", "", deleted=True) for post in posts))
    assert not await awaiting(context)
    (gone,) = await context.published("event")
    assert gone.content["state"] == "deleted"
    assert gone.content["examples"] == []


async def test_a_flood_of_copies_is_one_voice_each_and_one_event(tmp_path: Path) -> None:
    tool, context = tool_with(tmp_path)
    await tool.start()
    now = context.clock.now()
    await given(tool, *(RawPost(f"c{n}", f"{CALLS[0]} {'!' * (n % 3)}", "angry_one", now) for n in range(200)))
    (event,) = await awaiting(context)
    assert event.content["copies"] >= 190
    assert event.content["voices"] == "fewer than 5"
    assert event.content["confidence"] < 0.75


async def test_an_investigation_needs_a_second_person_ends_and_takes_its_posts_along(tmp_path: Path) -> None:
    tool, context = tool_with(tmp_path, investigations=[])
    await tool.start()
    await given(tool, *calls(context))
    assert not await context.published("event")
    wanted = {"title": "Harbour", "purpose": "safety of the harbour", "legal_basis": "a test law", "days": 1}
    with pytest.raises(InvalidInput):
        await tool.handle(ask(context, "open", "ada", **wanted, words="@some_person"))
    await tool.handle(ask(context, "open", "ada", **wanted, places="Harbour Promenade"))
    (draft,) = await context.published("investigation")
    assert draft.content["state"] == "draft"
    with pytest.raises(InvalidInput):
        await tool.handle(ask(context, "approve", "ada", id=draft.id))
    await tool.handle(ask(context, "approve", "bea", id=draft.id))
    await given(tool, *calls(context))
    assert await awaiting(context)
    context.clock.advance(86_460.0)
    await tool.tick()
    assert not await awaiting(context)
    assert all(not one.content["examples"] for one in await context.published("event"))


async def test_an_investigation_of_the_settings_that_was_closed_stays_closed_after_a_restart(tmp_path: Path) -> None:
    tool, context = tool_with(tmp_path)
    await tool.start()
    (known,) = await context.published("investigation")
    await tool.handle(ask(context, "close", id=known.id))
    again = SocialTool(context, SocialSettings.model_validate_json(json.dumps(settings())))
    await again.start()
    await given(again, *calls(context))
    assert not await awaiting(context)
    longer = settings()["investigations"]
    longer[0]["until"] = "2026-03-25T00:00:00Z"
    renewed = SocialTool(context, SocialSettings.model_validate_json(json.dumps(settings(investigations=longer))))
    await renewed.start()
    await given(renewed, *calls(context))
    assert await awaiting(context)


async def test_nothing_of_unrelated_posts_stays_when_their_hours_are_over_or_the_tool_stops(tmp_path: Path) -> None:
    tool, context = tool_with(tmp_path)
    await tool.start()
    await given(tool, RawPost("1", "Lovely evening at Harbour Promenade", "quiet_one", context.clock.now()))
    (stream,) = await context.published("stream")
    assert stream.content["posts"]
    context.clock.advance(3 * 3_600.0)
    await tool.tick()
    (stream,) = await context.published("stream")
    assert stream.content["posts"] == []
    await given(tool, RawPost("2", "Lovely morning at Harbour Promenade", "quiet_one", context.clock.now()))
    await tool.stop()
    (stream,) = await context.published("stream")
    assert stream.content["posts"] == []


async def test_terms_of_use_are_a_gate(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_text(
        "".join(json.dumps({"text": text, "author": "angry_one", "id": n}) + "\n" for n, text in enumerate(CALLS))
    )
    confirmed = settings(file)["sources"][0]
    tool, context = tool_with(tmp_path, sources=[{**confirmed, "terms_confirmed_by": ""}])
    await tool.start()
    await tool.tick()
    (source,) = await context.published("source")
    assert source.content["state"] == "not allowed"
    tool, context = tool_with(tmp_path, sources=[confirmed])
    await tool.start()
    running = asyncio.create_task(tool.run())
    try:
        await until(lambda: tool._health["chatter"].posts == 3)
        await until(lambda: bool(tool._changed))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await tool.tick()
    assert await awaiting(context)


async def until(reached: Callable[[], bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not reached():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def test_words_of_any_case_concern() -> None:
    watching = SocialSettings.model_validate_json(json.dumps(settings())).investigations[0].watching
    assert concerns(watching, "HARBOUR PROMENADE is full")
    assert not concerns(watching, "harbour")
