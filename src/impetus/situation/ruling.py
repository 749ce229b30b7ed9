"""A city's rules of correlation: read, tried over last week's alerts, and put into force by a person."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from impetus.governance.audit import append
from impetus.governance.principal import Principal
from impetus.model import Clock, InvalidInput, Line, UtcTime, Value
from impetus.situation.correlating import CorrelationService
from impetus.situation.correlation.calibration import (
    Estimate,
    ReliabilityBin,
    expected_calibration_error,
    reliability,
)
from impetus.situation.correlation.rules import TEXT_LIMIT, RuleSet, default_rules, default_text, read_rules
from impetus.situation.correlation.trial import Trial, try_rules
from impetus.situation.decisions import deciding_person
from impetus.situation.desk import PAGE, rules_of, signal
from impetus.store import AlertFilter, AlertOrder, AlertRecord, Store

TRIAL_DAYS = 7.0
DIAGRAM_VERDICTS = 5_000
"""Newest verdicts that the reliability diagram is drawn from."""

TRIAL_ALERTS = 5_000
"""Newest alerts of the week that a trial runs over."""


class NewRules(Value):
    """Rules, as they are asked for."""

    content: Annotated[str, Field(max_length=TEXT_LIMIT)]
    """YAML or JSON."""
    version: Annotated[int, Field(ge=0)] = 0
    """The version that the person saw; 0: the organisation has none of its own yet."""


class RulesView(Value):
    """The rules in force."""

    content: str
    """YAML."""
    rules: RuleSet
    version: int
    """0: those of the house, since the organisation has none of its own."""
    updated: UtcTime | None = None
    updated_by: Line | None = None


@dataclass(frozen=True, slots=True)
class ToolCalibration:
    """What is known of how right a tool is."""

    tool: str
    verdicts: int
    estimates: Sequence[Estimate]
    reliability: Sequence[ReliabilityBin]
    error: float
    raw_error: float


class RulesService:
    """Rules of each organisation."""

    def __init__(self, store: Store, clock: Clock, correlation: CorrelationService) -> None:
        self._store = store
        self._clock = clock
        self._correlation = correlation

    async def get(self, tenant: str) -> RulesView:
        """The rules in force."""
        async with self._store.view() as view:
            stored = await view.rules.find(tenant)
        if stored is None:
            return RulesView(content=default_text(), rules=default_rules(), version=0)
        return RulesView(
            content=stored.content,
            rules=rules_of(stored),
            version=stored.version,
            updated=stored.updated,
            updated_by=stored.updated_by,
        )

    async def trial(self, tenant: str, content: str) -> Trial:
        """What these rules would have done with last week's alerts; nothing changes. Raises `InvalidInput`."""
        return await self._try(tenant, read_rules(content))

    async def put(self, principal: Principal, new: NewRules) -> RulesView:
        """Put rules into force. Raises `InvalidInput` for rules that are not valid or tie everything, with the numbers,
        and `VersionConflict` when somebody else changed them first."""
        _, person_name = deciding_person(principal)
        tenant = principal.tenant
        rules = read_rules(new.content)
        trial = await self._try(tenant, rules)
        if trial.refusals:
            raise InvalidInput(
                f"These rules cannot go live: {'; '.join(trial.refusals)}.",
                hint="Name tools or categories, or make distance and time smaller; a trial shows what comes of it.",
            )
        now = self._clock.now()
        async with self._store.transaction() as transaction:
            stored = await transaction.rules.put(
                tenant, new.content, expected_version=new.version, updated=now, updated_by=person_name
            )
            await append(
                transaction,
                tenant=tenant,
                time=now,
                actor=principal.actor,
                action="rules.change",
                subject="rules:correlation",
                detail={"version": stored.version, "content": new.content},
            )
        self._correlation.forget(tenant)
        return await self.get(tenant)

    async def calibration(self, tenant: str, tool: str) -> ToolCalibration:
        """How far a tool is to be believed."""
        desk = await self._correlation.desk(tenant)
        async with self._store.view() as view:
            verdicts = await view.verdicts.newest(tenant, tool=tool, limit=DIAGRAM_VERDICTS)
        shown = [(one.probability, one.correct) for one in verdicts if one.probability is not None]
        diagram = reliability(shown)
        return ToolCalibration(
            tool=tool,
            verdicts=len(verdicts),
            estimates=desk.calibration.estimates(tool),
            reliability=diagram,
            error=expected_calibration_error(diagram),
            raw_error=expected_calibration_error(reliability((one.confidence, one.correct) for one in verdicts)),
        )

    async def _try(self, tenant: str, rules: RuleSet) -> Trial:
        desk = await self._correlation.desk(tenant)
        calibration = copy.deepcopy(desk.calibration)
        signals = [signal(record, calibration) for record in await self._week(tenant)]
        # Seconds of arithmetic: the screens shall not wait for it.
        return await asyncio.to_thread(
            try_rules, rules, signals, calibration, copy.deepcopy(desk.grouping.recalibration)
        )

    async def _week(self, tenant: str) -> list[AlertRecord]:
        since = self._clock.now() - timedelta(days=TRIAL_DAYS)
        found: list[AlertRecord] = []
        after: str | None = None
        async with self._store.view() as view:
            while len(found) < TRIAL_ALERTS:
                page = await view.alerts.list(
                    tenant, AlertFilter(since=since), order=AlertOrder.TIME, limit=PAGE, after=after
                )
                found += page.items
                after = page.next
                if after is None:
                    break
        found.reverse()
        return found
