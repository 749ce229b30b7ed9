"""Protects: no tool runs for an organisation without a valid approval, and it stops when the approval is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from impetus.model import Datastream, HealthState, ManualClock, NotAllowed, SystemClock
from impetus.model.data_protection import Decision, LegalBasis, Outcome
from impetus.sdk.approval import AHEAD, Approvals, fingerprint, obstacle
from impetus.sdk.testing import approved_record
from impetus.sdk.tests import sample
from impetus.sdk.tests.rig import Rig, open_rig, until
from impetus.store import open_store

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FLOW = Datastream(id="mast-1:flow", name="Flow", thing="mast 1", observed_property="traffic-flow", unit="1/h")
MANIFEST = sample.installed(sample.RecordingTool).usable()[1]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with open_rig(tmp_path) as rig:
        yield rig


@pytest.fixture(autouse=True)
def _fresh_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample.RecordingTool, "instances", {})


def test_only_a_valid_approval_of_this_manifest_lets_a_tool_run() -> None:
    good = approved_record(MANIFEST, "municipality", NOW)
    assert good.decision is not None
    assert obstacle(MANIFEST, good, NOW) is None
    refused = good.decision.model_copy(update={"outcome": Outcome.REFUSED, "reason": "too much"})
    withdrawn = good.decision.model_copy(update={"outcome": Outcome.WITHDRAWN, "reason": "no longer"})
    empty = good.draft.model_copy(update={"responsible": ""})
    wider = MANIFEST.model_copy(update={"retention_days": MANIFEST.retention_days + 1})
    for manifest, record, now, words in (
        (MANIFEST, None, NOW, "has not approved it"),
        (MANIFEST, good.model_copy(update={"decision": None, "draft": empty}), NOW, "missing: responsible"),
        (MANIFEST, good.model_copy(update={"decision": refused}), NOW, "refused it: too much"),
        (MANIFEST, good.model_copy(update={"decision": withdrawn}), NOW, "withdrew the approval: no longer"),
        (MANIFEST, good, NOW + timedelta(days=366), "lapsed"),
        (MANIFEST, good, NOW - timedelta(days=1), "clock of this machine was set back"),
        (MANIFEST, good.model_copy(update={"approved": empty}), NOW, "incomplete"),
        (wider, good, NOW, "needs a new approval"),
        (MANIFEST, good.model_copy(update={"tool": "other"}), NOW, "another tool's"),
    ):
        assert words in (obstacle(manifest, record, now) or ""), words


def test_a_fingerprint_is_of_what_concerns_people() -> None:
    same = MANIFEST.model_copy(update={"title": "Another title", "version": "9.9.9", "tick_s": 3.0})
    assert fingerprint(same) == fingerprint(MANIFEST)
    for change in ({"purposes": ("something else",)}, {"personal_data": True}, {"inputs": ()}, {"detectors": ()}):
        assert fingerprint(MANIFEST.model_copy(update=change)) != fingerprint(MANIFEST), change


def test_personal_data_needs_a_basis_persons_sources_and_risks_with_measures() -> None:
    sheet = approved_record(MANIFEST, "municipality", NOW).draft
    assert not sheet.lacking()
    personal = sheet.model_copy(update={"data_classes": ("personal",), "risks": (), "sources": (), "persons": ""})
    assert set(personal.lacking()) == {"legal_basis", "risks", "sources", "persons"}
    assert personal.model_copy(update={"legal_basis": LegalBasis.PUBLIC_TASK}).lacking()[0] == "persons"


async def test_a_clock_that_is_set_back_gives_a_lapsed_approval_no_more_time(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    store = await open_store(f"sqlite:///{tmp_path}/store.sqlite", clock)
    async with store.transaction() as transaction:
        record = approved_record(MANIFEST, "municipality", NOW, until=NOW + timedelta(hours=1))
        await transaction.data_protection.put(record)
    approvals = Approvals(store, MANIFEST, clock)
    assert await approvals.look()
    assert not await approvals.look()
    assert approvals.obstacle("municipality") is None
    assert approvals.obstacle("police") is not None
    clock.advance(7_200)
    assert "lapsed" in (approvals.obstacle("municipality") or "")
    clock._now = NOW + timedelta(minutes=10)
    assert "lapsed" in (approvals.obstacle("municipality") or "")
    await store.close()


async def test_a_clock_that_is_set_back_takes_no_approval_away(tmp_path: Path) -> None:
    """What a tool did not look at meanwhile would be lost; that it was approved is known."""
    clock = ManualClock(NOW)
    store = await open_store(f"sqlite:///{tmp_path}/store.sqlite", clock)
    async with store.transaction() as transaction:
        await transaction.data_protection.put(approved_record(MANIFEST, "municipality", NOW))
    approvals = Approvals(store, MANIFEST, clock)
    await approvals.look()
    clock._now = NOW - timedelta(hours=1)
    assert approvals.obstacle("municipality") is None
    later = Approvals(store, MANIFEST, clock)  # a process that never saw the right time
    await later.look()
    assert later.obstacle("municipality") == AHEAD
    await store.close()


class SlowClock(SystemClock):
    """A machine's clock that may be behind."""

    behind = timedelta(0)

    def now(self) -> datetime:
        return super().now() - self.behind


async def test_what_comes_while_the_clock_is_behind_the_approval_waits_for_the_right_time(rig: Rig) -> None:
    await rig.register("municipality", FLOW)
    tool = sample.installed(sample.RecordingTool)
    rig.clock = clock = SlowClock()
    await rig.approve(tool, "municipality")
    clock.behind = timedelta(hours=1)
    await rig.observe(1.0)
    async with rig.worker(tool, approved=()):

        async def says_why() -> bool:
            return bool(await rig.messages("health")) and AHEAD in (await rig.health()).text

        async with asyncio.timeout(60):
            while not await says_why():  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        await rig.observe(2.0)
        assert "municipality" not in sample.RecordingTool.instances
        clock.behind = timedelta(0)
        instances = sample.RecordingTool.instances
        await until(lambda: "municipality" in instances and instances["municipality"].seen == [1.0, 2.0], timeout_s=90)
    assert not await rig.dead_letters()


async def test_a_tool_that_nobody_approved_sees_nothing_and_its_board_says_what_is_missing(rig: Rig) -> None:
    await rig.register("municipality", FLOW)
    await rig.register("police", FLOW)
    tool = sample.installed(sample.RecordingTool)
    await rig.observe(1.0)
    await rig.observe(2.0, tenant="police")
    async with rig.worker(tool, approved=("police",)):
        await rig.settled()
        assert list(sample.RecordingTool.instances) == ["police"]

        async def says_why() -> bool:
            told = await rig.messages("health")
            words = "municipality: does not run: the data-protection officer has not approved it"
            return bool(told) and words in (await rig.health()).text

        async with asyncio.timeout(20):
            while not await says_why():  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        assert (await rig.health()).state is HealthState.DEGRADED
        await rig.approve(tool, "municipality")
        await until(lambda: "municipality" in sample.RecordingTool.instances)
        await rig.observe(3.0)
        await rig.settled()
    assert sample.RecordingTool.instances["municipality"].seen == [3.0]
    assert not await rig.dead_letters()


async def test_an_approval_withdrawn_in_mid_stream_ends_the_tool_and_what_it_tells(rig: Rig) -> None:
    await rig.register("municipality", FLOW)
    tool = sample.installed(sample.RecordingTool)
    async with rig.worker(tool, {"limit": 10.0}):
        await rig.observe(1.0)
        await rig.settled()
        instance = sample.RecordingTool.instances["municipality"]
        async with rig.store.transaction() as transaction:
            record = await transaction.data_protection.find("municipality", tool.id)
            assert record is not None
            over = Decision(
                outcome=Outcome.WITHDRAWN,
                person="tester",
                person_name="A Tester",
                time=rig.clock.now(),
                reason="a complaint",
            )
            await transaction.data_protection.put(record.model_copy(update={"decision": over, "version": 2}))

        async def refused() -> bool:
            try:
                await instance.context.datastreams()
            except NotAllowed:
                return True
            return False

        async with asyncio.timeout(20):
            while not await refused():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        for value in range(20, 30):
            await rig.observe(float(value))
        await rig.settled()
        assert instance.seen == [1.0]
    assert not await rig.alerts()
