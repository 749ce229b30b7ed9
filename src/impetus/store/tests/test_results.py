"""Protects: what tools publish and are asked for is kept once, within its bounds, and is nobody else's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from impetus.model import (
    InvalidInput,
    NotFound,
    RequestOrigin,
    RequestOutcome,
    RequestState,
    ToolRequest,
    ToolResult,
)
from impetus.store import Store, results
from impetus.store.tests.conftest import NOW
from impetus.store.tests.samples import alert, harm, incident, later

EXPIRES = NOW + timedelta(days=30)


def result(id: str = "zone-1", **changes: Any) -> ToolResult:
    return ToolResult(**{"id": id, "tool": "air", "kind": "zone", "title": "Zone", "time": NOW, **changes})


def request(id: str = "request-1", **changes: Any) -> ToolRequest:
    return ToolRequest(
        **{"id": id, "tool": "air", "task": "plan", "reason": "a test", "asked": NOW, **changes},
    )


async def put(store: Store, *published: ToolResult, tenant: str = "police") -> list[bool]:
    async with store.transaction() as transaction:
        return [await transaction.results.put(tenant, one, received=NOW, expires=EXPIRES) for one in published]


async def test_a_greater_revision_takes_the_place_of_the_one_before(store: Store) -> None:
    hostile = {"text": "a\0b</script>", "deep": [[[{}]]]}
    assert await put(store, result(), result(revision=2, content=hostile), result(revision=1), result(revision=2)) == [
        True,
        True,
        False,
        False,
    ]
    async with store.view() as view:
        kept = await view.results.get("police", "air", "zone-1")
        assert (kept.revision, kept.content) == (2, hostile)


async def test_when_a_result_arrived_is_known_to_its_organisation_only(store: Store) -> None:
    await put(store, result(), result("zone-2"))
    async with store.view() as view:
        assert await view.results.arrivals("police", "air", ["zone-1", "nothing"]) == {"zone-1": NOW}
        assert await view.results.arrivals("fire", "air", ["zone-1"]) == {}


async def test_nobody_finds_another_organisations_results(store: Store) -> None:
    await put(store, result(incident="incident-1"))
    async with store.view() as view:
        with pytest.raises(NotFound):
            await view.results.get("fire", "air", "zone-1")
        with pytest.raises(NotFound):
            await view.results.get("police", "social", "zone-1")
        assert (await view.results.list("fire", "air")).items == ()
        assert (await view.results.of_incident("fire", "incident-1", [("air", "zone")])).items == ()
        assert len((await view.results.of_incident("police", "incident-1", [("air", "zone")])).items) == 1
        assert (await view.results.of_incident("police", "incident-1", [("air", "plan")])).items == ()
        assert (await view.results.of_incident("police", "incident-1", [])).items == ()


async def test_results_about_an_alert_are_about_the_incident_that_it_belongs_to(store: Store) -> None:
    async with store.transaction() as transaction:
        sent = alert()
        await transaction.alerts.upsert("police", [sent], received=NOW, harm=harm)
        await transaction.incidents.add(incident(id="incident-1"), handled_by=None)
    await put(store, result(alert=sent.id), result("apart", alert="another"))
    kinds = [("air", "zone")]
    async with store.view() as view:
        assert not (await view.results.of_incident("police", "incident-1", kinds)).items
    async with store.transaction() as transaction:
        await transaction.alerts.place("police", [sent.id], "incident-1", updated=NOW)
    async with store.view() as view:
        found = await view.results.of_incident("police", "incident-1", kinds)
        assert [one.id for one in found.items] == ["zone-1"]
        assert not (await view.results.of_incident("fire", "incident-1", kinds)).items


async def test_what_is_one_persons_own_nobody_else_finds(store: Store) -> None:
    await put(store, result("own", person="anna"), result("open"))
    async with store.view() as view:
        for reader, found in ((None, ["open"]), ("bo", ["open"]), ("anna", ["own", "open"])):
            page = await view.results.list("police", "air", reader=reader)
            assert [one.id for one in page.items] == found
        with pytest.raises(NotFound):
            await view.results.get("police", "air", "own", reader="bo")
        assert (await view.results.get("police", "air", "own", reader="anna")).person == "anna"


async def test_results_are_listed_newest_first_in_pages(store: Store) -> None:
    await put(store, *(result(f"zone-{number:02}", time=later(number // 2)) for number in range(25)))
    await put(store, result("over", time=later(99), ended=later(100)), result("other", kind="plan", time=later(99)))
    async with store.view() as view:
        seen: list[str] = []
        after = None
        while True:
            page = await view.results.list("police", "air", kind="zone", limit=7, after=after)
            seen += [one.id for one in page.items]
            after = page.next
            if after is None:
                break
        assert seen == [f"zone-{number:02}" for number in reversed(range(25))]
        assert [one.id for one in (await view.results.list("police", "air", kind="zone", ended=True)).items] == ["over"]
        assert len((await view.results.list("police", "air", ended=None, kinds={"zone", "plan"})).items) == 27
        with pytest.raises(InvalidInput):
            await view.results.list("police", "air", after="nonsense")


async def test_a_page_of_large_results_ends_early_and_loses_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "PAGE_CHARACTERS", 5_000)
    await put(store, *(result(f"zone-{number}", content={"text": "x" * 2_000}) for number in range(7)))
    async with store.view() as view:
        seen: list[str] = []
        after = None
        while len(seen) < 7:
            page = await view.results.list("police", "air", after=after)
            assert 0 < len(page.items) < 4
            seen += [one.id for one in page.items]
            after = page.next
        assert after is None
        assert sorted(seen) == [f"zone-{number}" for number in range(7)]


async def test_only_the_newest_of_a_kind_stay_and_none_past_its_time(store: Store) -> None:
    await put(store, *(result(f"zone-{number}", time=later(number)) for number in range(10)))
    await put(store, result("plan-1", kind="plan"))
    async with store.transaction() as transaction:
        assert await transaction.results.trim("police", "air", "zone", 3) == 7
        assert await transaction.results.trim("police", "air", "zone", 3) == 0
        kept = await transaction.results.list("police", "air", ended=None)
        assert [one.id for one in kept.items] == ["zone-9", "zone-8", "zone-7", "plan-1"]
        assert await transaction.results.forget_expired_in_installation(NOW) == 0
        assert await transaction.results.forget_expired_in_installation(EXPIRES) == 4


async def test_a_request_is_kept_once_and_what_is_done_stays_done(store: Store) -> None:
    outcome = RequestOutcome(
        id="request-1", tool="air", task="plan", state=RequestState.FAILED, text="no\0wind", time=later(5)
    )
    async with store.transaction() as transaction:
        assert await transaction.requests.add("police", request(), expires=EXPIRES, asker="anna")
        assert not await transaction.requests.add("police", request(reason="another"), expires=EXPIRES)
        assert not await transaction.requests.settle("fire", outcome)
        assert await transaction.requests.settle("police", outcome)
        done = outcome.model_copy(update={"state": RequestState.DONE, "text": "done"})
        assert await transaction.requests.settle("police", done)
        assert not await transaction.requests.settle("police", outcome)
    async with store.view() as view:
        kept = await view.requests.get("police", "air", "request-1")
        assert (kept.request.reason, kept.asker, kept.state, kept.text) == ("a test", "anna", "done", "done")
        with pytest.raises(NotFound):
            await view.requests.get("fire", "air", "request-1")
    async with store.transaction() as transaction:
        assert await transaction.requests.forget_expired_in_installation(EXPIRES) == 1


async def test_of_tasks_about_persons_only_the_own_requests_are_listed(store: Store) -> None:
    async with store.transaction() as transaction:
        for number, (task, asker) in enumerate(
            [("plan", "anna"), ("report", "anna"), ("report", "bo"), ("plan", None), ("secret", "anna")]
        ):
            one = request(f"request-{number}", task=task, asked=later(number), origin=RequestOrigin.PERSON)
            await transaction.requests.add("police", one, expires=EXPIRES, asker=asker)
    async with store.view() as view:

        async def listed(**options: Any) -> list[str]:
            page = await view.requests.list("police", "air", **{"tasks": {"plan"}, **options})
            return [one.request.id[-1] for one in page.items]

        assert await listed() == ["3", "0"]
        assert await listed(own_tasks={"report"}, asker="bo") == ["3", "2", "0"]
        assert await listed(own_tasks={"report"}, asker=None) == ["3", "0"]
        assert await listed(state=RequestState.DONE) == []
        page = await view.requests.list("police", "air", tasks={"plan"}, limit=1)
        assert [one.request.id for one in page.items] == ["request-3"]
        assert await listed(after=page.next) == ["0"]
