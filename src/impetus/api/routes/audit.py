"""The audit log: who did what, and whether the log still holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.listing import Items, Paging, plain
from impetus.api.resource import Resource
from impetus.model import Permission, UtcTime, from_microseconds
from impetus.store import AuditRecord

resource = Resource("/audit", "audit")


class AuditQuery(Paging):
    """Which records to list."""

    actor: Annotated[str | None, Field(max_length=300)] = None
    action: Annotated[str | None, Field(max_length=300)] = None
    subject: Annotated[str | None, Field(max_length=300)] = None


class AuditView(BaseModel):
    """One record of the audit log."""

    sequence: int
    time: UtcTime
    actor: str
    actor_name: str
    """What people read, as far as it is known."""
    action: str
    subject: str
    detail: dict[str, Any]
    hash: str
    previous: str


class Finding(BaseModel):
    """One place where the chain does not hold."""

    sequence: int
    problem: str


class Verified(BaseModel):
    """What became of checking the log."""

    ok: bool
    checked: int
    findings: list[Finding]
    head: str
    """Hash of the newest record: write it down elsewhere to be able to prove the log later."""


@resource.get("", Permission.AUDIT_READ, Items[AuditView])
async def list_audit(caller: Caller, hub: Hub, query: Annotated[AuditQuery, Query()]) -> Response:
    """The audit log, newest first."""
    page = await hub.governance.audit_records(
        caller,
        actor=query.actor,
        action=query.action,
        subject=query.subject,
        limit=query.limit,
        after=query.after,
    )
    async with hub.store.view() as transaction:
        names = {f"user:{user.id}": user.full_name for user in await transaction.users.list(caller.tenant)}
        names |= {f"machine:{token.id}": token.title for token in await transaction.tokens.list(caller.tenant)}
    return plain({"items": [_view(record, names) for record in page.items], "next": page.next})


@resource.post("/verify", Permission.AUDIT_READ, Verified, status=200)
async def verify_audit(caller: Caller, hub: Hub) -> Response:
    """Check that no record of the own organisation was changed, removed or added behind the log's back."""
    found = await hub.governance.verify_audit(caller)
    return plain(
        {
            "ok": not found.findings,
            "checked": found.checked,
            "findings": [{"sequence": one.sequence, "problem": one.problem} for one in found.findings],
            "head": found.heads[0].hash if found.heads else "",
        }
    )


def _view(record: AuditRecord, names: Mapping[str, str]) -> dict[str, Any]:
    try:
        detail = orjson.loads(record.detail)
    except orjson.JSONDecodeError:
        # Somebody altered it in the database: shown as it is, and found by the check.
        detail = {"altered": record.detail}
    return {
        "sequence": record.sequence,
        "time": from_microseconds(record.time_us),
        "actor": record.actor,
        "actor_name": names.get(record.actor, record.actor),
        "action": record.action,
        "subject": record.subject,
        "detail": detail,
        "hash": record.hash,
        "previous": record.previous,
    }
