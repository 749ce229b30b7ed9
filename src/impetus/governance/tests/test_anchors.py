"""Protects: a chain that was rebuilt as a whole, so that it holds in itself, is found by its anchors."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete, update

from impetus.governance.anchors import check_anchors, read_anchors, write_anchors
from impetus.governance.audit import NO_HASH, record_hash, verify
from impetus.governance.tests.conftest import House
from impetus.model import InvalidInput
from impetus.store.tables import audit, audit_head


async def test_a_chain_that_is_written_anew_is_found(house: House, tmp_path: Path) -> None:
    file = tmp_path / "anchors.jsonl"
    assert len(await write_anchors(house.store, house.clock, file)) >= 2
    assert not await write_anchors(house.store, house.clock, file)
    assert not await check_anchors(house.store, read_anchors(file))
    async with house.store.view() as view:
        records = await view.audit.slice("police", after=0, limit=100)
    previous = NO_HASH
    async with house.store._database.write() as connection:
        for record in records:
            forged = record.model_copy(update={"actor": "user:somebody-else", "previous": previous})
            previous = record_hash(forged)
            await connection.execute(
                update(audit)
                .where(audit.c.tenant == "police", audit.c.sequence == record.sequence)
                .values(actor=forged.actor, previous=forged.previous, hash=previous)
            )
        await connection.execute(update(audit_head).where(audit_head.c.tenant == "police").values(hash=previous))
    assert not (await verify(house.store, "police")).findings
    (finding,) = await check_anchors(house.store, read_anchors(file))
    assert (finding.tenant, finding.sequence) == ("police", len(records))
    async with house.store._database.write() as connection:
        await connection.execute(delete(audit).where(audit.c.tenant == "police"))
    assert await check_anchors(house.store, read_anchors(file))
    file.write_text("not an anchor\n")
    with pytest.raises(InvalidInput, match="line 1"):
        read_anchors(file)
