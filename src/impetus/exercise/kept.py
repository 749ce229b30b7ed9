"""What the store keeps of one run of an exercise, read at once for its review."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from impetus.exercise.scenario import Scenario
from impetus.model import Assessment, Incident, ToolRequest, ToolResult
from impetus.store import Store
from impetus.store.records import AlertFilter, AlertOrder, AlertRecord

PAGE: Final = 200
MOST: Final = 20_000


@dataclass(frozen=True, slots=True)
class Kept:
    """What the store keeps of one run."""

    alerts: Sequence[AlertRecord]
    decisions: Sequence[Assessment]
    incidents: Sequence[Incident]
    requests: Sequence[ToolRequest]
    shares: Sequence[tuple[datetime, str, str]]
    """When, which incident, with whom."""
    results: Sequence[tuple[datetime, ToolResult]] = ()
    """The newest state of those that truths of the scenario name, and when it arrived."""


async def read_kept(store: Store, scenario: Scenario, since: datetime, until: datetime) -> Kept:
    """What the organisations of the scenario have in the store from that time."""
    alerts: list[AlertRecord] = []
    decisions: list[Assessment] = []
    incidents: list[Incident] = []
    requests: list[ToolRequest] = []
    shares: list[tuple[datetime, str, str]] = []
    results: dict[str, tuple[datetime, ToolResult]] = {}
    async with store.view() as view:
        for organisation in scenario.organisations:
            tenant, after = organisation.id, None
            wanted = AlertFilter(since=since, until=until)
            while len(alerts) < MOST:
                page = await view.alerts.list(tenant, wanted, order=AlertOrder.TIME, limit=PAGE, after=after)
                alerts += page.items
                if (after := page.next) is None:
                    break
            after = None
            while len(decisions) < MOST:
                found = await view.assessments.list(tenant, since=since, limit=PAGE, after=after)
                decisions += [one for one in found.items if one.decided < until]
                if (after := found.next) is None:
                    break
            after = None
            while len(incidents) < MOST:
                some = await view.incidents.list(tenant, limit=PAGE, after=after)
                incidents += [one for one in some.items if since <= one.opened < until]
                if (after := some.next) is None:
                    break
            for truth in scenario.truths:
                after = None
                while truth.results and len(results) < MOST:
                    told = await view.results.list(
                        tenant, truth.tool, kinds=truth.results, ended=None, limit=PAGE, after=after
                    )
                    arrived = await view.results.arrivals(tenant, truth.tool, [one.id for one in told.items])
                    results |= {
                        one.id: (arrived[one.id], one) for one in told.items if since <= arrived[one.id] < until
                    }
                    if (after := told.next) is None:
                        break
            for tool in {one.tool for one in scenario.objectives if one.tool is not None}:
                asked = await view.requests.list(tenant, tool, tasks=("plan", "change"), limit=PAGE)
                requests += [one.request for one in asked.items if since <= one.request.asked < until]
            for incident in [one for one in incidents if one.tenant == tenant]:
                shares += [
                    (share.since, incident.title, share.receiver)
                    for share in await view.sharing.shares_of_incident(tenant, incident.id)
                ]
    return Kept(
        alerts,
        sorted(decisions, key=lambda one: one.decided),
        incidents,
        requests,
        sorted(shares),
        list(results.values()),
    )
