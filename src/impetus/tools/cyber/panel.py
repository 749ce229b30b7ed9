"""The panels of this tool: the graph in lanes, risks, the plan with its approvals, live episodes."""

from __future__ import annotations

from collections.abc import Sequence

from impetus.sdk.panel import Action, Chart, ChartSeries, ChartStyle, Column, Form, Format, Kpi, Panel, Table
from impetus.tools.cyber.wanted import PlanWanted

GRAPH = "/tools/cyber/results?kind=attack-graph&limit=1"
PLAN = "/tools/cyber/results?kind=plan&limit=1"


def panels() -> Sequence[Panel]:
    """Declared once; drawn for each person by what they may read."""
    return [
        Panel(
            id="graph",
            title="Attack graph",
            summary="Zones as lanes, critical assets to the right; the likely path lit, compromised hosts marked.",
            module="lanes.js",
        ),
        Panel(
            id="risks",
            title="Risks",
            widgets=(
                Kpi(title="Expected loss", source=GRAPH, value="items.0.content.expected_loss", decimals=1),
                Kpi(title="Compromised", source=GRAPH, value="items.0.content.compromised", reduce="count"),
                Table(
                    title="Top risks",
                    source=GRAPH,
                    rows="items.0.content.risks",
                    row_id="asset",
                    columns=(
                        Column(field="asset", title="Asset"),
                        Column(field="zone", title="Zone"),
                        Column(field="likelihood", title="Likelihood", format=Format.PERCENT),
                        Column(field="low", title="From", format=Format.PERCENT),
                        Column(field="high", title="To", format=Format.PERCENT),
                        Column(field="value", title="Value", format=Format.NUMBER),
                        Column(field="path", title="Likely path"),
                    ),
                    empty="No critical assets",
                    span=2,
                ),
                Table(
                    title="Exploited, as threat intelligence reports",
                    source=GRAPH,
                    rows="items.0.content.reported",
                    row_id="cve",
                    columns=(
                        Column(field="cve", title="Vulnerability"),
                        Column(field="likelihood", title="How sure", format=Format.PERCENT),
                        Column(field="hosts", title="Hosts", format=Format.NUMBER),
                    ),
                    empty="Nothing that the network has",
                    span=2,
                ),
            ),
        ),
        Panel(
            id="plan",
            title="Countermeasures",
            summary="Proposals. Each needs a person's approval, which makes it a work order with tasks for people.",
            widgets=(
                Table(
                    title="Countermeasures",
                    source=PLAN,
                    rows="items.0.content.measures",
                    columns=(
                        Column(field="title", title="Measure"),
                        Column(field="cost", title="Cost", format=Format.NUMBER),
                        Column(field="d3fend", title="D3FEND"),
                        Column(field="attack_mitigation", title="ATT&CK"),
                    ),
                    actions=(
                        Action(task="approve", title="Approve", key="a", primary=True, procedure="countermeasure"),
                        Action(task="what-if", title="What if", key="w"),
                    ),
                    empty="No plan",
                    span=2,
                ),
                Chart(
                    title="Expected loss",
                    source=PLAN,
                    rows="items.0.content.bars",
                    x="when",
                    series=(ChartSeries(field="loss", title="Expected loss"),),
                    style=ChartStyle.BARS,
                    empty="No plan",
                ),
                Form(title="Plan countermeasures", model=PlanWanted, task="plan", submit="Plan"),
                Table(
                    title="Work orders",
                    source="/tools/cyber/results?kind=work-order&limit=50",
                    columns=(
                        Column(field="time", title="Time", format=Format.TIME),
                        Column(field="title", title="Measure"),
                    ),
                    empty="Nothing was approved",
                    span=2,
                ),
            ),
        ),
        Panel(
            id="episodes",
            title="Episodes",
            widgets=(
                Chart(
                    title="When",
                    source="/tools/cyber/results?kind=episode&limit=50",
                    x="content.start",
                    series=(ChartSeries(field="content.score", title="Score"),),
                    style=ChartStyle.POINTS,
                    empty="No episodes",
                    span=2,
                ),
                Table(
                    title="Episodes",
                    source="/tools/cyber/results?kind=episode&limit=50",
                    columns=(
                        Column(field="content.start", title="Since", format=Format.TIME),
                        Column(field="content.end", title="Until", format=Format.TIME),
                        Column(field="title", title="What"),
                        Column(field="content.score", title="Score", format=Format.NUMBER),
                        Column(field="content.alerts", title="Alerts", format=Format.NUMBER),
                    ),
                    empty="No episodes",
                    span=2,
                ),
            ),
        ),
    ]
