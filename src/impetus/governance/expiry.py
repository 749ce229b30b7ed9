"""Alerts, incidents, handovers and evidence go when their time is over; the audit log proves what went.

How long is what the officer approved for the tool of an alert, else what its manifest says, else a year; of incidents
and handovers what is set. Of an organisation with a
legal hold in force nothing goes. Evidence goes when nothing that is kept points at it any more.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog

from impetus.governance import audit
from impetus.governance.cases import holds_of
from impetus.governance.settings import KeepingSettings
from impetus.model import Clock
from impetus.sdk import InstalledTool
from impetus.store import EvidenceStore, Store

OTHERWISE_DAYS: Final = 365
"""For alerts of a tool of which nobody says anything."""
YOUNGEST: Final = timedelta(days=1)
"""Evidence is kept before its alert arrives: what is younger is never looked at."""
STEP: Final = 200
"""Alerts of one transaction: nobody waits long for it."""
PIECES_A_ROUND: Final = 1_000
PAUSE_S: Final = 0.05

log = structlog.get_logger(__name__)


class Expiry:
    """Removes what is past its time."""

    def __init__(
        self,
        store: Store,
        evidence: EvidenceStore,
        clock: Clock,
        tools: Mapping[str, InstalledTool],
        settings: KeepingSettings | None = None,
    ) -> None:
        self._settings = settings or KeepingSettings()
        self._store = store
        self._evidence = evidence
        self._clock = clock
        self._tools = tools

    async def run(self, tenant: str) -> Mapping[str, int]:
        """One round for an organisation; how many of what went."""
        now = self._clock.now()
        async with self._store.view() as view:
            if await holds_of(view, tenant, now):
                return {}
            tools = await view.expiry.alert_tools(tenant)
            records = {record.tool: record for record in await view.data_protection.list(tenant)}
        gone = {"incidents": 0, "handovers": 0, "alerts": 0, "decisions": 0, "evidence": 0}
        written_before = now - timedelta(days=self._settings.incidents_days)
        # Incidents first: they hold alerts.
        for kind in ("incidents", "handovers"):
            while step := await self._remove(tenant, kind, "", written_before, now):
                gone[kind] += step[0]
                gone["decisions"] += step[1]
                await asyncio.sleep(PAUSE_S)
        for tool in tools:
            record = records.get(tool)
            days = record.approved.retention_days if record and record.approved else self._days_of(tool)
            before = now - timedelta(days=days)
            while step := await self._remove(tenant, "alerts", tool, before, now):
                gone["alerts"] += step[0]
                gone["decisions"] += step[1]
                await asyncio.sleep(PAUSE_S)
        gone["evidence"] = await self._remove_evidence(tenant, now)
        if any(gone.values()):
            log.info("removed what was past its time", tenant=tenant, **gone)
        return gone

    def _days_of(self, tool: str) -> int:
        installed = self._tools.get(tool)
        return installed.manifest.retention_days if installed and installed.manifest else OTHERWISE_DAYS

    async def _remove(
        self, tenant: str, kind: str, tool: str, before: datetime, now: datetime
    ) -> tuple[int, int] | None:
        """One step; how many went, and how many decisions with them. None when nothing is left to do."""
        async with self._store.transaction() as transaction:
            if await holds_of(transaction, tenant, now):
                return None  # a hold that was opened meanwhile counts from this step on
            match kind:
                case "incidents":
                    removed = await transaction.expiry.remove_incidents(tenant, before, STEP)
                case "handovers":
                    removed = await transaction.expiry.remove_handovers(tenant, before, STEP)
                case _:
                    removed = await transaction.expiry.remove_alerts(tenant, tool, before, STEP)
            if not removed.ids:
                return None
            await audit.append(
                transaction,
                tenant=tenant,
                time=now,
                actor="system:retention",
                action="retention.purge",
                subject=f"{kind}:{tool}" if tool else kind,
                detail={
                    "before": before.isoformat(),
                    "removed": {kind: len(removed.ids), "decisions": removed.decisions},
                    "sha256": removed.sha256,
                },
            )
        return len(removed.ids), removed.decisions

    async def _remove_evidence(self, tenant: str, now: datetime) -> int:
        old = [sha256 for sha256, kept in await self._evidence.kept(tenant) if kept < now - YOUNGEST]
        gone = []
        for sha256 in old[:PIECES_A_ROUND]:
            async with self._store.view() as view:
                used = await view.expiry.evidence_in_use(tenant, sha256)
            if not used and await self._evidence.remove(tenant, sha256):
                gone.append(sha256)
        if gone:
            async with self._store.transaction() as transaction:
                await audit.append(
                    transaction,
                    tenant=tenant,
                    time=now,
                    actor="system:retention",
                    action="retention.purge",
                    subject="evidence",
                    # A piece is named by the digest of its content: the names prove what went.
                    detail={
                        "removed": {"evidence": len(gone)},
                        "sha256": hashlib.sha256("\n".join(sorted(gone)).encode()).hexdigest(),
                        "first": sorted(gone)[:20],
                    },
                )
        return len(gone)
