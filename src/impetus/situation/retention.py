"""Removes what is older than it may be kept."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from impetus.bus import Bus
from impetus.governance.audit import append
from impetus.governance.cases import holds_of
from impetus.model import SYSTEM_TENANT
from impetus.situation.settings import SituationSettings
from impetus.store import Store

log = structlog.get_logger(__name__)


async def forget_old(bus: Bus, store: Store, now: datetime, settings: SituationSettings) -> None:
    """Remove messages from the log and readings from the store that are past their time.

    Alerts, incidents, decisions and audit records are not touched: they are kept until a person decides otherwise.
    Of an organisation with a legal hold in force nothing is removed. What was removed stands in its audit log.
    """
    async with store.view() as view:
        organisations = [organisation.id for organisation in await view.organisations.list_in_installation()]
        held = {tenant for tenant in organisations if await holds_of(view, tenant, now)}
    free = [tenant for tenant in (*organisations, SYSTEM_TENANT) if tenant not in held]
    for subjects, age in (
        (("*.health.>",), timedelta(hours=settings.health_bus_hours)),
        (("*.observation.>", "*.expectation.>"), timedelta(hours=settings.readings_bus_hours)),
        # Whatever kind of message a tool or a later version brings: nothing stays because nobody thought of it.
        ((">",), timedelta(days=settings.messages_bus_days)),
    ):
        # Without any hold also what belongs to nobody known goes.
        of_free = [f"{tenant}.{subject.removeprefix('*.')}" for subject in subjects for tenant in free]
        removed = await bus.forget(of_free if held else subjects, before=now - age)
        if removed:
            log.info("messages removed", subjects=subjects, removed=removed)
    before = now - timedelta(days=settings.readings_days)
    await store.partitions.make_ahead(now)
    # Whole days at once, where the database has them in parts; a part holds rows of all organisations.
    dropped = {} if held else await store.partitions.drop(before)
    for tenant in organisations:
        if tenant in held:
            continue
        purged: dict[str, int] = {}
        for kind, table, kept in (
            ("readings", "reading", store.readings),
            ("expectations", "expectation", store.expectations),
        ):
            removed = dropped.get(tenant, {}).get(table, 0)
            while step := await kept.forget(tenant, before):
                removed += step
            if removed:
                log.info("readings removed", kind=kind, tenant=tenant, removed=removed)
                purged[kind] = removed
        if purged:
            async with store.transaction() as transaction:
                await append(
                    transaction,
                    tenant=tenant,
                    time=now,
                    actor="system:retention",
                    action="retention.purge",
                    subject="readings",
                    detail={"before": before.isoformat(), "removed": purged},
                )
