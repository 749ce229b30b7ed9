"""How fast the audit log is verified, and whether every changed byte is found: `python -m benchmarks audit`."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from impetus.governance.audit import NO_HASH, canonical, record_hash, verify
from impetus.model import SystemClock, Tenant
from impetus.store import AuditRecord, open_store

RECORDS = 1_000_000


def fill(file: Path, count: int) -> None:
    """A chain of so many records, written as the program would."""
    previous = NO_HASH
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        rows = []
        for sequence in range(1, count + 1):
            record = AuditRecord(
                tenant="police",
                sequence=sequence,
                time_us=1_790_000_000_000_000 + sequence,
                actor=f"user:{sequence % 50:032x}",
                action="evidence.open",
                subject=f"evidence:{sequence:064x}",
                detail=canonical({"reason": "a reason as people give one", "incident": None}),
                previous=previous,
                hash="",
            )
            previous = record_hash(record)
            rows.append((*[getattr(record, name) for name in AuditRecord.model_fields if name != "hash"], previous))
        columns = ", ".join(AuditRecord.model_fields)
        marks = ", ".join("?" * len(AuditRecord.model_fields))
        connection.executemany(f"INSERT INTO audit ({columns}) VALUES ({marks})", rows)
        connection.execute("INSERT OR REPLACE INTO audit_head VALUES ('police', ?, ?)", (count, previous))
        connection.commit()


async def measure(count: int, changes: int) -> None:
    """Verify once as it is, and once for each of some records with one byte changed."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "store.sqlite"
        store = await open_store(f"sqlite:///{file}", SystemClock())
        async with store.transaction() as transaction:
            await transaction.organisations.add(Tenant(id="police", name="Police", created=datetime.now(UTC)))
        fill(file, count)
        began = time.perf_counter()
        result = await verify(store, "police")
        took = time.perf_counter() - began
        print(f"{result.checked} records verified in {took:.1f} s; findings: {len(result.findings)}")
        found = 0
        for _ in range(changes):
            with closing(sqlite3.connect(file)) as connection:
                sequence = 1 + secrets.randbelow(min(count, 10_000))
                column = secrets.choice(("actor", "action", "subject", "detail", "previous", "hash"))
                (kept,) = connection.execute(f"SELECT {column} FROM audit WHERE sequence = ?", (sequence,)).fetchone()
                place = secrets.randbelow(len(kept))
                changed = f"{kept[:place]}{chr(ord(kept[place]) ^ 1)}{kept[place + 1 :]}"
                update = f"UPDATE audit SET {column} = ? WHERE sequence = ?"
                connection.execute(update, (changed, sequence))
                connection.commit()
                async with store.view() as view:
                    some = await view.audit.slice("police", after=max(0, sequence - 2), limit=3)
                wrong = any(record_hash(one) != one.hash for one in some)
                found += wrong
                connection.execute(update, (kept, sequence))
                connection.commit()
        print(f"{found} of {changes} single-byte changes found")
        await store.close()


def main() -> None:
    """Measure with a million records, or with as many as the first argument says."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else RECORDS
    asyncio.run(measure(count, 1_000))


if __name__ == "__main__":
    main()
