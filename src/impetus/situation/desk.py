"""The state of correlation of one organisation, in memory: made from the store, and made anew after anything failed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from impetus.model import AlertState, IncidentAction, IncidentOrigin, IncidentState, InvalidInput
from impetus.sdk import InstalledTool
from impetus.situation.correlation.calibration import Calibration, Prior, Recalibration, Verdict, logit
from impetus.situation.correlation.grouping import HORIZON_S, Grouping
from impetus.situation.correlation.rules import RuleSet, default_rules, read_rules
from impetus.situation.correlation.signal import Signal, signal_of
from impetus.store import AlertFilter, AlertOrder, AlertRecord, Store, Transaction
from impetus.store.correlation import StoredRules, VerdictRecord

INCIDENT_TOOL = "correlation"
"""Stands in place of a tool for verdicts on incident candidates."""

SEVERAL = "several"
ALERTS_REMEMBERED = 20_000
"""Newest alerts that the state is made from."""

PAGE = 500
RUNNING = (IncidentState.CANDIDATE, IncidentState.OPEN, IncidentState.CONTAINED)

Priors = Mapping[tuple[str, str], Prior]
"""By tool and detector."""


@dataclass(slots=True)
class Desk:
    """What correlation knows of one organisation."""

    grouping: Grouping
    seen: dict[str, datetime] = field(default_factory=dict)
    """When each alert that is held changed last; older news of it is no news."""

    @property
    def calibration(self) -> Calibration:
        return self.grouping.calibration

    def learn(self, verdict: VerdictRecord, replaced: VerdictRecord | None) -> None:
        """A verdict was given, perhaps in place of another one."""
        if verdict.tool == INCIDENT_TOOL:
            if replaced is None:
                self.grouping.recalibration.learn([(logit(verdict.confidence), verdict.correct)])
            return
        if replaced is not None:
            self.calibration.unlearn(plain(replaced))
        self.calibration.learn(plain(verdict))

    def unlearn(self, verdict: VerdictRecord) -> None:
        """A verdict was taken back."""
        if verdict.tool != INCIDENT_TOOL:
            self.calibration.unlearn(plain(verdict))


def priors_of(tools: Mapping[str, InstalledTool]) -> Priors:
    """What the cards of the installed tools say of their detectors."""
    return {
        (tool.id, detector.id): Prior(detector.precision, float(detector.precision_alerts))
        for tool in tools.values()
        if tool.manifest is not None
        for detector in tool.manifest.detectors
    }


def plain(record: VerdictRecord) -> Verdict:
    """The verdict without what only the store needs."""
    return Verdict(record.tool, record.detector, record.source, record.confidence, record.correct, record.probability)


def rules_of(stored: StoredRules | None) -> RuleSet:
    """The rules in force; those of the house where the organisation has none, or none that can be read any more."""
    if stored is None:
        return default_rules()
    try:
        return read_rules(stored.content)
    except InvalidInput:
        # A newer version wrote them, or an older one with other words; correlation goes on with those of the house.
        return default_rules()


def verdict_of(state: AlertState) -> bool | None:
    """What a state says of whether the alert is true."""
    if state is AlertState.CONFIRMED:
        return True
    return False if state is AlertState.DISMISSED else None


def signal(record: AlertRecord, calibration: Calibration) -> Signal:
    """The alert as correlation sees it."""
    alert = record.alert
    probability = record.probability
    if probability is None:
        probability = calibration.probability(alert.tool, alert.detector, alert.source, alert.confidence)
    return signal_of(alert, probability=probability, received=record.received, verdict=verdict_of(record.state))


async def open_desk(store: Store, tenant: str, priors: Priors, now: datetime) -> Desk:
    """The state as it follows from what is kept: verdicts, rules, and the alerts of the last day."""
    calibration = Calibration(dict(priors))
    recalibration = Recalibration()
    async with store.view() as view:
        outcomes = []
        for number, verdict in enumerate(await view.verdicts.newest(tenant)):
            if verdict.tool == INCIDENT_TOOL:
                outcomes.append((logit(verdict.confidence), verdict.correct))
            else:
                calibration.learn(plain(verdict))
            if number % PAGE == 0:
                await asyncio.sleep(0)
        if outcomes:
            recalibration.learn(outcomes)
        rules = rules_of(await view.rules.find(tenant))
        desk = Desk(Grouping(rules, calibration, recalibration))
        for record in reversed(await _alerts(view, tenant, now - timedelta(seconds=HORIZON_S))):
            take(desk, record)
            if len(desk.seen) % 50 == 0:
                await asyncio.sleep(0)
        await _respect_decisions(view, tenant, desk)
    desk.grouping.changed()
    return desk


def take(desk: Desk, record: AlertRecord) -> None:
    """Put an alert as it is kept where it belongs. Older news of an alert changes nothing."""
    id = record.alert.id
    newest = desk.seen.get(id)
    if newest is not None and record.updated < newest:
        return
    desk.seen[id] = record.updated
    grouping = desk.grouping
    group = grouping.group_of(id)
    if group is not None and record.incident is not None and group.incident != record.incident:
        grouping.join(id, record.incident)
    grouping.take(signal(record, desk.calibration), incident=record.incident)
    if len(desk.seen) > len(grouping) * 5 // 4 + PAGE:
        desk.seen = {id: moment for id, moment in desk.seen.items() if grouping.group_of(id) is not None}
    if len(desk.seen) > 4 * len(grouping) + 10_000:
        desk.seen = {id: updated for id, updated in desk.seen.items() if grouping.group_of(id) is not None}


async def _alerts(view: Transaction, tenant: str, since: datetime) -> list[AlertRecord]:
    """Alerts received since then, newest first."""
    found: list[AlertRecord] = []
    after: str | None = None
    while len(found) < ALERTS_REMEMBERED:
        page = await view.alerts.list(tenant, AlertFilter(since=since), order=AlertOrder.TIME, limit=PAGE, after=after)
        found += page.items
        after = page.next
        if after is None:
            break
    return found


async def _respect_decisions(view: Transaction, tenant: str, desk: Desk) -> None:
    """What people joined and took apart stays so."""
    grouping = desk.grouping
    for group in list(grouping.groups()):
        if group.incident is None:
            continue
        incident = await view.incidents.find(tenant, group.incident)
        if incident is None or incident.state not in RUNNING:
            grouping.retire(group.incident)
            continue
        if incident.version == 1 and incident.origin is IncidentOrigin.CORRELATION:
            continue
        grouping.fix(incident.id)
        for decision in await view.assessments.history(tenant, incident.id):
            if decision.action == IncidentAction.SEPARATE.value and decision.alert is not None:
                current = grouping.group_of(decision.alert)
                if current is None or current.incident != incident.id:
                    grouping.separate(decision.alert, incident.id)
