"""The panels of this tool: plans with trade-off and playback, asking for one, decisions, and the editor of venues."""

from __future__ import annotations

from collections.abc import Sequence

from impetus.model import Role
from impetus.sdk.panel import Chart, ChartSeries, ChartStyle, Column, Form, Format, Panel, Table
from impetus.tools.evacuation.asking import PlanWanted

PLANS = "/tools/evacuation/results?kind=plan&limit=1"


def panels() -> Sequence[Panel]:
    """Declared once; drawn for each person by what they may read."""
    return [
        Panel(
            id="plan",
            title="Plan",
            summary="Plans for the newest threat, best first. Exposure and density are estimated; injuries are not.",
            columns=1,
            module="plan.js",
        ),
        Panel(
            id="ask",
            title="Ask for a plan",
            widgets=(
                Form(title="Ask for a plan", model=PlanWanted, task="plan", submit="Plan"),
                Chart(
                    title="People by exit, best plan",
                    source=PLANS,
                    rows="items.0.content.plans",
                    x="name",
                    series=(
                        ChartSeries(field="t90_s", title="t90", unit="s"),
                        ChartSeries(field="max_density_pm2", title="Greatest density", unit="1/m2"),
                    ),
                    style=ChartStyle.BARS,
                    empty="No plan yet",
                ),
            ),
        ),
        Panel(
            id="decisions",
            title="Decisions",
            widgets=(
                Table(
                    title="Decisions",
                    source="/tools/evacuation/results?kind=decision&limit=50",
                    columns=(
                        Column(field="time", title="Time", format=Format.TIME),
                        Column(field="title", title="Plan"),
                        Column(field="content.message", title="What to do"),
                    ),
                    empty="No plan was accepted or rejected",
                    span=2,
                ),
            ),
        ),
        Panel(
            id="venues",
            title="Venues",
            summary="Draw a venue or change one: drag corners, click to select. Saving checks it.",
            roles=(Role.PLANNER, Role.SUPERVISOR),
            columns=1,
            module="editor.js",
        ),
    ]
