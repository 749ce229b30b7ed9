"""Protects: nothing in the audit log can be changed, removed, moved or cut off without being found."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, text, update

from impetus.governance.audit import append, check_chain, record_hash, verify
from impetus.model import ManualClock, to_microseconds
from impetus.store import AuditHead, AuditRecord, Store, open_store
from impetus.store.tables import audit as table
from impetus.store.tables import audit_head
from impetus.store.tests.conftest import NOW

FIELDS = ["tenant", "sequence", "time_us", "actor", "action", "subject", "detail", "previous", "hash"]


def chain(length: int) -> list[AuditRecord]:
    """Records as `append` makes them."""
    records: list[AuditRecord] = []
    for sequence in range(1, length + 1):
        record = AuditRecord(
            tenant="police",
            sequence=sequence,
            time_us=to_microseconds(NOW) + sequence,
            actor="user:anna",
            action="alert.confirm",
            subject=f"alert:{sequence}",
            detail='{"reason":"Seen on camera"}',
            previous=records[-1].hash if records else AuditHead("police").hash,
            hash="",
        )
        records.append(record.model_copy(update={"hash": record_hash(record)}))
    return records


def found(records: list[AuditRecord]) -> set[int]:
    """Which records the check complains of, the noted end being that of an untouched chain of five."""
    findings, end = check_chain("police", records)
    noted = chain(5)[-1]
    wrong = {finding.sequence for finding in findings}
    return wrong | ({0} if (end.sequence, end.hash) != (noted.sequence, noted.hash) else set())


def changed(value: Any, position: int, difference: int) -> Any:
    """The value with one byte of its text changed."""
    raw = bytearray(str(value).encode())
    place = position % len(raw)
    raw[place] = (raw[place] + 1 + difference % 255) % 256
    text = raw.decode(errors="replace")
    return text if isinstance(value, str) or not text.lstrip("-").isdecimal() else int(text)


def test_an_untouched_chain_holds() -> None:
    assert found(chain(5)) == set()


@given(st.integers(0, 4), st.sampled_from(FIELDS), st.integers(0, 10**6), st.integers(0, 254))
def test_any_change_of_any_byte_of_any_field_is_found(number: int, field: str, position: int, difference: int) -> None:
    records = chain(5)
    value = changed(getattr(records[number], field), position, difference)
    if value == getattr(records[number], field):
        return
    records[number] = records[number].model_copy(update={field: value})
    if field == "tenant":
        # It is then in another organisation's chain, and here it is missing.
        moved = records.pop(number)
        assert check_chain(str(value), [moved])[0]
    elif field == "sequence" and isinstance(value, int):
        records.sort(key=lambda record: record.sequence)
    assert found(records)


@given(st.integers(0, 4), st.sampled_from(FIELDS[3:7]), st.text(max_size=50))
def test_a_record_that_is_rewritten_with_a_fitting_hash_is_found(number: int, field: str, forgery: str) -> None:
    records = chain(5)
    if forgery == getattr(records[number], field):
        return
    forged = records[number].model_copy(update={field: forgery})
    records[number] = forged.model_copy(update={"hash": record_hash(forged)})
    assert found(records)


@given(st.sets(st.integers(0, 4), min_size=1))
def test_removed_records_are_found(numbers: set[int]) -> None:
    assert found([record for number, record in enumerate(chain(5)) if number not in numbers])


@given(st.permutations(range(5)))
def test_records_in_another_order_are_found(order: list[int]) -> None:
    records = chain(5)
    # Whoever moves records gives them the numbers of their new places.
    moved = [records[number].model_copy(update={"sequence": place}) for place, number in enumerate(order, start=1)]
    assert bool(found(moved)) == (order != sorted(order))


@given(st.integers(1, 5))
def test_a_record_of_a_foreign_kind_is_found(sequence: int) -> None:
    records = chain(5)
    records[sequence - 1] = records[sequence - 1].model_copy(update={"detail": b"\xff"})
    assert found(records)


async def write(store: Store, count: int, tenant: str = "police") -> None:
    for number in range(count):
        async with store.transaction() as transaction:
            await append(
                transaction,
                tenant=tenant,
                time=NOW,
                actor="user:anna",
                action="alert.confirm",
                subject=f"alert:{number} \0 ünïcödé 🚨",
                detail={"reason": "Seen \0 on camera \ud83d", "number": number},
            )


async def test_the_log_in_the_store_holds(store: Store) -> None:
    await write(store, 3)
    await write(store, 2, "fire")
    everything = await verify(store)
    assert (everything.checked, everything.findings) == (5, ())
    assert [(head.tenant, head.sequence) for head in everything.heads] == [("fire", 2), ("police", 3)]
    assert (await verify(store, "fire")).checked == 2
    assert (await verify(store, "nobody")).findings == ()


async def test_a_record_belongs_to_the_callers_transaction(store: Store) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the error has to be raised within the transaction
        async with store.transaction() as transaction:
            await append(transaction, tenant="police", time=NOW, actor="a", action="b", subject="c")
            raise ZeroDivisionError
    await write(store, 1)
    assert (await verify(store)).checked == 1
    assert (await verify(store)).findings == ()


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (update(table).where(table.c.sequence == 2).values(detail="{}"), "2 altered"),
        (update(table).where(table.c.sequence == 2).values(time_us=0), "2 altered"),
        (delete(table).where(table.c.sequence == 2), "2 missing: 2"),
        (delete(table).where(table.c.sequence < 3), "1 missing: 1 to 2"),
        (delete(table).where(table.c.sequence == 4), "4 missing: 4 to 4, at the end"),
        (delete(table), "1 missing: 1 to 4, at the end"),
        (delete(audit_head), "4 the chain ends here"),
        (update(audit_head).values(sequence=3), "4 the chain ends here"),
        (update(table).where(table.c.sequence == 1).values(tenant="fire"), "1 missing: 1"),
        (update(table).where(table.c.sequence == 1).values(sequence=-1), "1 missing: 1"),
        (update(table).where(table.c.sequence == 1).values(sequence=-1), "1 does not belong here"),
    ],
)
async def test_tampering_with_the_database_is_found(store: Store, statement: Any, problem: str) -> None:
    await write(store, 4)
    async with store._database.write() as connection:
        await connection.execute(statement)
    findings = (await verify(store)).findings
    assert any(f"{finding.sequence} {finding.problem}".startswith(problem) for finding in findings), findings


async def test_a_number_that_is_none_is_found(tmp_path: Path, clock: ManualClock) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/store.sqlite", clock)
    await write(store, 3)
    async with store._database.write() as connection:
        await connection.execute(text("UPDATE audit SET sequence = 'x', time_us = 'y' WHERE sequence = 2"))
    problems = [finding.problem for finding in (await verify(store)).findings]
    await store.close()
    assert problems == ["missing: 2", "does not belong here: a record numbered x"]


APPEND = """
import asyncio, sys
from impetus.governance.tests.test_audit import write
from impetus.model import SystemClock
from impetus.store import open_store

async def main():
    store = await open_store(sys.argv[1], SystemClock())
    await asyncio.gather(*(write(store, 5) for _ in range(4)))
    await store.close()

asyncio.run(main())
"""


async def test_several_processes_append_to_one_chain(store: Store, store_url: str) -> None:
    processes = [await asyncio.create_subprocess_exec(sys.executable, "-c", APPEND, store_url) for _ in range(2)]
    await write(store, 20)
    assert [await process.wait() for process in processes] == [0, 0]
    verification = await verify(store)
    assert (verification.checked, verification.findings) == (60, ())
