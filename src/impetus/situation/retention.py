"""Removes what is older than it may be kept."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from impetus.bus import Bus
from impetus.situation.settings import SituationSettings
from impetus.store import Store

log = structlog.get_logger(__name__)


async def forget_old(bus: Bus, store: Store, now: datetime, settings: SituationSettings) -> None:
    """Remove messages from the log and readings from the store that are past their time.

    Alerts, incidents, decisions and audit records are not touched: they are kept until a person decides otherwise.
    """
    for subjects, age in (
        (("*.health.>",), timedelta(hours=settings.health_bus_hours)),
        (("*.observation.>", "*.expectation.>"), timedelta(hours=settings.readings_bus_hours)),
        # Whatever kind of message a tool or a later version brings: nothing stays because nobody thought of it.
        ((">",), timedelta(days=settings.messages_bus_days)),
    ):
        removed = await bus.forget(subjects, before=now - age)
        if removed:
            log.info("messages removed", subjects=subjects, removed=removed)
    before = now - timedelta(days=settings.readings_days)
    async with store.view() as transaction:
        organisations = await transaction.organisations.list_in_installation()
    for organisation in organisations:
        for kind, kept in (("readings", store.readings), ("expectations", store.expectations)):
            removed = 0
            while step := await kept.forget(organisation.id, before):
                removed += step
            if removed:
                log.info("readings removed", kind=kind, tenant=organisation.id, removed=removed)
