"""Anchors: the ends of the audit chains, written down outside the database from time to time.

Whoever can write the whole database can rebuild a whole chain, so that it holds in itself. The anchors stand in a file
beside it (`audit-anchors.jsonl`), which a city copies to where nobody of the control room writes: a chain that was
rebuilt does not go through its anchors any more.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from impetus.governance.audit import AuditFinding
from impetus.model import Clock, InvalidInput, Slug, UtcTime, Value
from impetus.store import Store

FILE_NAME: Final = "audit-anchors.jsonl"
LINE_LIMIT: Final = 1_000


class Anchor(Value):
    """Where one organisation's chain was at a time."""

    time: UtcTime
    tenant: Slug
    sequence: int
    hash: str


def read_anchors(file: Path) -> Sequence[Anchor]:
    """All anchors in order; none if there is no file. Raises `InvalidInput` for a line that is none."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(Anchor.model_validate_json(line[:LINE_LIMIT]))
        except ValidationError as error:
            raise InvalidInput(
                f"{file}, line {number} is no anchor", hint="Compare with the copy that is kept elsewhere."
            ) from error
    return found


async def write_anchors(store: Store, clock: Clock, file: Path) -> Sequence[Anchor]:
    """Write down where each chain is, if it moved since the last anchor; on disk when this returns."""
    known: Mapping[str, Anchor] = {anchor.tenant: anchor for anchor in read_anchors(file)}
    added = []
    async with store.view() as view:
        for tenant in await view.audit.tenants_in_installation():
            head = await view.audit.head(tenant)
            if head.sequence and (tenant not in known or known[tenant].sequence < head.sequence):
                added.append(Anchor(time=clock.now(), tenant=tenant, sequence=head.sequence, hash=head.hash))
    if added:
        descriptor = os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write("".join(f"{anchor.model_dump_json()}\n" for anchor in added))
            stream.flush()
            os.fsync(stream.fileno())
    return added


async def check_anchors(store: Store, anchors: Sequence[Anchor]) -> Sequence[AuditFinding]:
    """Anchors through which a chain does not go any more."""
    findings = []
    async with store.view() as view:
        for anchor in anchors:
            records = await view.audit.slice(anchor.tenant, after=anchor.sequence - 1, limit=1)
            if not records or records[0].sequence != anchor.sequence or records[0].hash != anchor.hash:
                problem = f"is not what was anchored on {anchor.time:%Y-%m-%d %H:%M} UTC: the chain was written anew"
                findings.append(AuditFinding(anchor.tenant, anchor.sequence, problem))
    return findings
