"""Every widget that shows results, and modules that work and that do not."""

from __future__ import annotations

from collections.abc import Sequence

from impetus.sdk.panel import (
    Action,
    Chart,
    ChartSeries,
    ChartStyle,
    Column,
    Form,
    Format,
    Graph,
    Kpi,
    Map,
    Panel,
    Table,
)

from .worker import Zone  # noqa: TID252 it is installed under another name than here

NEWEST = "/tools/review-desk/results?kind=zone&limit=1"


def panels() -> Sequence[Panel]:
    """Declared once."""
    return [
        Panel(
            id="desk",
            title="Desk",
            widgets=(
                Kpi(
                    title="Waiting",
                    source="/tools/review-desk/results?kind=candidate",
                    value="items",
                    reduce="count",
                ),
                Table(
                    title="To review",
                    source="/tools/review-desk/results?kind=candidate",
                    columns=(
                        Column(field="title", title="Post"),
                        Column(field="content.score", title="Score", format=Format.NUMBER),
                        Column(field="content.link", title="Where", format=Format.LINK),
                    ),
                    actions=(
                        Action(task="keep", title="Keep", key="k", primary=True),
                        Action(task="reject", title="Reject", key="r"),
                    ),
                    empty="All reviewed",
                ),
                Chart(
                    title="Length",
                    source=NEWEST,
                    rows="items.0.content.curve",
                    x="minute",
                    series=(ChartSeries(field="length_m", title="Length", unit="m"),),
                ),
                Chart(
                    title="Load",
                    source=NEWEST,
                    rows="items.0.content.cells",
                    x="hour",
                    y="day",
                    series=(ChartSeries(field="load", title="Load"),),
                    style=ChartStyle.HEAT,
                ),
                Map(title="Zones", source="/tools/review-desk/results?kind=zone"),
                Graph(title="Graph", source=NEWEST, value="items.0.content.graph"),
                Form(title="Draw", model=Zone, task="draw", submit="Draw"),
            ),
        ),
        Panel(id="own", title="Own module", module="desk.js"),
        Panel(id="broken", title="Broken module", module="broken.js"),
    ]
