"""The audit log: who did what to what, when. One hash chain an organisation.

A record's hash is the SHA-256 of the canonical JSON of its fields, the hash of the record before it among them. So no
record can be changed, removed or moved without breaking the chain from there on, and the end of the chain is kept
apart, so that a chain that was cut off is noticed as well. Whoever can write the whole database can still rebuild the
whole chain: against that, the newest hash has to be written down somewhere else (`head`).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from impetus.model import to_microseconds
from impetus.store import AuditHead, AuditRecord, Store, Transaction

RECORDS_A_SLICE: Final = 10_000
NO_HASH: Final = "0" * 64
BEFORE_ALL: Final = -(2**63)


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One place where an audit chain does not hold."""

    tenant: str
    sequence: int
    """The record concerned."""
    problem: str


@dataclass(frozen=True, slots=True)
class AuditVerification:
    """What became of checking the audit log."""

    checked: int
    """Records that were looked at."""
    findings: tuple[AuditFinding, ...]
    """Empty when all chains hold."""
    heads: tuple[AuditHead, ...]
    """The ends of the chains: write their hashes down elsewhere to be able to prove the log later."""


async def append(
    transaction: Transaction,
    *,
    tenant: str,
    time: datetime,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
) -> AuditRecord:
    """Add a record within the caller's transaction: it is kept if and only if what it tells of is.

    `actor` is `Principal.actor`, `action` is `NOUN.VERB` (`alert.confirm`), `subject` names what it was done to
    (`alert:ID`), `detail` is anything that JSON holds.
    """
    head = await transaction.audit.lock_head(tenant)
    record = AuditRecord(
        tenant=tenant,
        sequence=head.sequence + 1,
        time_us=to_microseconds(time),
        actor=_clean(actor),
        action=_clean(action),
        subject=_clean(subject),
        detail=canonical(dict(detail or {})),
        previous=head.hash,
        hash="",
    )
    record = record.model_copy(update={"hash": record_hash(record)})
    await transaction.audit.insert(record)
    return record


def canonical(value: object) -> str:
    """JSON in the one form that is hashed: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def record_hash(record: AuditRecord) -> str:
    """SHA-256, hexadecimal, over all fields but `hash`."""
    fields = (
        record.tenant,
        record.sequence,
        record.time_us,
        record.actor,
        record.action,
        record.subject,
        record.detail,
        record.previous,
    )
    return hashlib.sha256(canonical(fields).encode()).hexdigest()


def check_chain(
    tenant: str, records: Sequence[AuditRecord], *, after: AuditHead | None = None
) -> tuple[list[AuditFinding], AuditHead]:
    """Check consecutive records of an organisation that follow `after`; what is wrong, and where the chain is then."""
    end = after or AuditHead(tenant, 0, NO_HASH)
    findings: list[AuditFinding] = []
    for record in records:
        expected = end.sequence + 1
        # What stands in a database that somebody tampered with need not even be a number.
        if type(record.sequence) is not int or record.sequence < expected:
            findings.append(
                AuditFinding(tenant, expected, f"does not belong here: a record numbered {record.sequence}")
            )
            continue
        if record.sequence > expected:
            gone = str(expected) if record.sequence == expected + 1 else f"{expected} to {record.sequence - 1}"
            findings.append(AuditFinding(tenant, expected, f"missing: {gone}"))
        try:
            hash_now = record_hash(record)
        except (TypeError, ValueError):
            # Somebody wrote something into the database that no record can hold.
            hash_now = ""
        if hash_now != record.hash:
            findings.append(AuditFinding(tenant, record.sequence, "altered: its hash does not fit its content"))
        elif record.sequence == expected and record.previous != end.hash:
            findings.append(
                AuditFinding(
                    tenant, record.sequence, "does not follow the record before it: one of the two is replaced"
                )
            )
        end = AuditHead(tenant, record.sequence, record.hash)
    return findings, end


def _holds(rows: Sequence[Any], end: AuditHead) -> AuditHead | None:
    """Where the chain is after these rows if all of them hold; None if any does not.

    The same as `check_chain`, without the findings: the canonical form is put together by hand, which is what makes a
    million records a matter of seconds.
    """
    sequence, previous = end.sequence, end.hash
    text, sha256 = json.encoder.encode_basestring_ascii, hashlib.sha256
    try:
        for tenant, number, time_us, actor, action, subject, detail, before, kept in rows:
            sequence += 1
            if number != sequence or before != previous or type(number) is not int or type(time_us) is not int:
                return None
            content = (
                f"[{text(tenant)},{number},{time_us},{text(actor)},{text(action)},"
                f"{text(subject)},{text(detail)},{text(before)}]"
            )
            previous = sha256(content.encode()).hexdigest()
            if previous != kept:
                return None
    except (TypeError, ValueError):
        return None
    return AuditHead(end.tenant, sequence, previous)


async def verify(store: Store, tenant: str | None = None) -> AuditVerification:
    """Check the audit log of an organisation, or of all of them."""
    checked = 0
    findings: list[AuditFinding] = []
    heads: list[AuditHead] = []
    async with store.view() as view:
        tenants = [tenant] if tenant is not None else await view.audit.tenants_in_installation()
        for name in tenants:
            end = AuditHead(name, 0, NO_HASH)
            position = BEFORE_ALL
            while rows := await view.audit.rows(name, after=position, limit=RECORDS_A_SLICE):
                good = await asyncio.to_thread(_holds, rows, end)
                if good is not None:
                    end = good
                else:
                    # Something is wrong in here: once more, slowly, to say what and where.
                    records = [AuditRecord.model_construct(**row._mapping) for row in rows]  # noqa: SLF001
                    found, end = check_chain(name, records, after=end)
                    findings += found
                checked += len(rows)
                position = rows[-1].sequence
                if type(position) is not int:
                    # SQLite puts what is no number last: nothing more can follow.
                    break
                await asyncio.sleep(0)
            head = await view.audit.head(name)
            if head.sequence > end.sequence:
                gone = f"missing: {end.sequence + 1} to {head.sequence}, at the end"
                findings.append(AuditFinding(name, end.sequence + 1, gone))
            elif head != end:
                problem = f"the chain ends here, but its noted end is another one, numbered {head.sequence}"
                findings.append(AuditFinding(name, end.sequence, problem))
            heads.append(end)
    return AuditVerification(checked, tuple(findings), tuple(heads))


def _clean(text: str) -> str:
    # What the database would not keep as it is must not be in the hash either.
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
