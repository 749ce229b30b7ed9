"""Protects: all or nothing, what is committed stays, a full disk is told and passes, no tenant is forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args, get_origin

import psycopg
import pytest
from sqlalchemy import text

from impetus.model import AlertState, ManualClock, Tenant, Unavailable
from impetus.store import Page, Store, Transaction, open_store
from impetus.store.expectations import ExpectationStore
from impetus.store.readings import ReadingStore
from impetus.store.tests.conftest import NOW
from impetus.store.tests.samples import alert, assessment, harm, readings


class Trouble(Exception):
    pass


async def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    with contextlib.suppress(Trouble):
        async with store.transaction() as transaction:
            await transaction.assessments.add(assessment(id="one"))
            raise Trouble
    async with store.view() as view:
        assert await view.assessments.find("police", "one") is None


async def test_a_second_transaction_within_the_first_is_refused_instead_of_waiting_for_ever(
    tmp_path: Path, clock: ManualClock
) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/store.sqlite", clock)
    with pytest.raises(RuntimeError, match="pass it on"):
        async with store.transaction(), store.transaction():
            pass
    async with store.transaction() as transaction:
        assert await transaction.assessments.add(assessment())
    await store.close()


async def test_a_view_changes_nothing_and_sees_one_state(store: Store) -> None:
    async with store.view() as view:
        assert await view.assessments.find("police", "one") is None
        async with store.transaction() as transaction:
            await transaction.assessments.add(assessment(id="one"))
        assert await view.assessments.find("police", "one") is None
    async with store.view() as view:
        assert await view.assessments.find("police", "one") is not None
        with pytest.raises(Exception, match=r"(?i)read.?only"):
            await view.assessments.add(assessment(id="two"))


async def test_many_transactions_at_once_all_get_their_turn(store: Store) -> None:
    async def decide(number: int) -> None:
        async with store.transaction() as transaction:
            await transaction.assessments.add(assessment(id=f"decision-{number}"))

    await asyncio.gather(*(decide(number) for number in range(50)))
    async with store.view() as view:
        assert len((await view.assessments.list("police")).items) == 50


async def test_a_cancelled_transaction_lets_the_next_one_in(store: Store) -> None:
    begun = asyncio.Event()

    async def hang() -> None:
        async with store.transaction() as transaction:
            await transaction.assessments.add(assessment(id="one"))
            begun.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(hang())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with store.transaction() as transaction:
        assert await transaction.assessments.find("police", "one") is None
        assert await transaction.assessments.add(assessment(id="one"))


async def test_a_full_disk_is_told_and_all_goes_on_afterwards(tmp_path: Path, clock: ManualClock) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/store.sqlite", clock)

    async def set_limit(pages: int) -> None:
        for database in (store._database, store._readings_database):
            async with database.write() as connection:
                await connection.execute(text(f"PRAGMA max_page_count={pages}"))

    await set_limit(1)
    alerts = [alert(id=f"alert-{number}", description="x" * 9_000) for number in range(100)]

    async def keep_alerts() -> None:
        async with store.transaction() as transaction:
            await transaction.alerts.upsert("police", alerts, received=NOW, harm=harm)

    with pytest.raises(Unavailable, match="no room left") as caught:
        await keep_alerts()
    assert "space" in caught.value.hint
    with pytest.raises(Unavailable, match="no room left"):
        await store.readings.append("police", readings("sensor", 0, [1.0] * 50_000))
    await set_limit(1_000_000)
    async with store.transaction() as transaction:
        assert (await transaction.alerts.counts("police"))[AlertState.NEW] == 0
    await keep_alerts()
    await store.readings.append("police", readings("sensor", 0, [1.0] * 50_000))
    assert len(await store.readings.latest("police")) == 1
    await store.close()


async def test_the_store_waits_for_the_disk_and_the_readings_need_not(tmp_path: Path, clock: ManualClock) -> None:
    """What was acknowledged survives a power cut: no test can pull the plug, but SQLite can be asked."""
    store = await open_store(f"sqlite:///{tmp_path}/store.sqlite", clock)
    for database, expected in ((store._database, 2), (store._readings_database, 1)):
        async with database.write() as connection:
            assert await connection.scalar(text("PRAGMA synchronous")) == expected
            assert await connection.scalar(text("PRAGMA journal_mode")) == "wal"
            assert await connection.scalar(text("PRAGMA foreign_keys")) == 1
    await store.close()


async def test_a_server_that_throws_everybody_out_is_told_and_all_goes_on_afterwards(
    shared_database: str, clock: ManualClock
) -> None:
    store = await open_store(shared_database, clock)
    administration = shared_database.replace("+psycopg", "")

    async def throw_out() -> None:
        async with await psycopg.AsyncConnection.connect(administration, autocommit=True) as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    decision = assessment()
    with pytest.raises(Unavailable):  # noqa: PT012 - it happens in the middle
        async with store.transaction() as transaction:
            await transaction.assessments.add(decision)
            await throw_out()
            await transaction.assessments.find("police", decision.id)
    async with store.transaction() as transaction:
        assert await transaction.assessments.add(decision)
    await throw_out()
    async with store.view() as view:
        assert await view.assessments.find("police", decision.id) == decision
    await store.close()


DECIDE_UNTIL_KILLED = """
import asyncio, sys
from impetus.model import SystemClock
from impetus.store import open_store
from impetus.store.tests.samples import assessment

async def main():
    store = await open_store(sys.argv[1], SystemClock())
    number = 0
    while True:
        async with store.transaction() as transaction:
            await transaction.assessments.add(assessment(id=f"decision-{number}"))
        print(number, flush=True)
        number += 1

asyncio.run(main())
"""


async def test_what_was_acknowledged_survives_kill_9(store_url: str, clock: ManualClock) -> None:
    def decide_and_die() -> int:
        """The last decision of which the process said that it is kept."""
        with subprocess.Popen(
            [sys.executable, "-c", DECIDE_UNTIL_KILLED, store_url], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if int(line) == 20:
                    process.kill()
                    break
            return max([20, *map(int, process.stdout.read().split())])

    acknowledged = await asyncio.to_thread(decide_and_die)
    store = await open_store(store_url, clock)
    async with store.view() as view:
        for number in range(acknowledged + 1):
            assert await view.assessments.find("police", f"decision-{number}") is not None
    await store.close()


async def test_two_processes_share_one_store(store: Store, store_url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DECIDE_UNTIL_KILLED, store_url, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    for number in range(30):
        async with store.transaction() as transaction:
            arrivals = await transaction.alerts.upsert("police", [alert(id=f"alert-{number}")], received=NOW, harm=harm)
            assert arrivals[0].created
    process.kill()
    await process.communicate()
    async with store.view() as view:
        assert (await view.alerts.counts("police"))[AlertState.NEW] == 30


def test_no_repository_looks_past_one_organisation_without_saying_so() -> None:
    """A method takes an organisation first, or what belongs to one, or is named for the whole installation."""
    repositories = [
        type(value)
        for name, value in vars(Transaction(None)).items()  # type: ignore[arg-type]
        # An envelope names its tenant, and only the relay reads the outbox.
        if name != "outbox"
    ]
    assert len(repositories) >= 10
    silent = [
        f"{repository.__name__}.{name}"
        for repository in [*repositories, ReadingStore, ExpectationStore]
        for name, method in inspect.getmembers(repository, inspect.isfunction)
        if not name.startswith("_") and not name.endswith("_in_installation") and not names_a_tenant(method)
    ]
    assert silent == []


def names_a_tenant(method: Callable[..., object]) -> bool:
    """Whether its first argument is an organisation, a record that belongs to one, or several of those."""
    first = next(iter(list(inspect.signature(method).parameters.values())[1:]), None)
    if first is None:
        return False
    kind = eval(first.annotation, vars(sys.modules[method.__module__]))
    if kind is str:
        # What is shared has two sides, each named by the part that it plays there.
        return first.name in {"tenant", "giver", "receiver", "author"}
    if get_origin(kind) is Sequence:
        (kind,) = get_args(kind)
    return kind is Tenant or not {"tenant", "giver"}.isdisjoint({*vars(kind), *getattr(kind, "model_fields", ())})


def test_a_method_that_names_no_organisation_is_found() -> None:
    """Else the test above could not fail."""

    def nothing(self: object) -> None: ...

    def an_id(self: object, id: str) -> None: ...

    def no_owner(self: object, page: Page[Tenant]) -> None: ...

    assert not any(names_a_tenant(method) for method in (nothing, an_id, no_owner))
