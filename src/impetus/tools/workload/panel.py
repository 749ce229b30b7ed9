"""The panels of this tool: first one's own state, then, for supervisors, the team's and what could be done."""

from __future__ import annotations

from collections.abc import Sequence

from impetus.model import Role
from impetus.sdk.panel import Chart, ChartSeries, Panel

TEAM = "/tools/workload/results?kind=team&limit=200"


def panels() -> Sequence[Panel]:
    """Declared once; drawn for each person by what they may read."""
    return [
        Panel(
            id="own",
            title="My own workload",
            summary="Only you see this. Nothing is measured before you agree, for one shift at a time.",
            module="own.js",
        ),
        Panel(
            id="team",
            title="The team",
            summary="Never fewer than five people together, and nobody by name who does not share it.",
            roles=(Role.SUPERVISOR,),
            module="team.js",
        ),
        Panel(
            id="course",
            title="In the last half hour",
            roles=(Role.SUPERVISOR,),
            widgets=(
                Chart(
                    title="Overloaded share of the team",
                    source=TEAM,
                    x="time",
                    series=(
                        ChartSeries(field="content.overloaded", title="Overloaded"),
                        ChartSeries(field="content.load", title="Mean load"),
                    ),
                    empty="Too few take part to say anything",
                    span=2,
                ),
            ),
        ),
    ]
