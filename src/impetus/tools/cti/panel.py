"""The panels of this tool: the review queue with the item in view, what is watched, sources, trend."""

from __future__ import annotations

from collections.abc import Sequence

from impetus.sdk.panel import Action, Chart, ChartSeries, ChartStyle, Column, Form, Format, Kpi, Panel, Table
from impetus.tools.cti.wanted import Nothing, WatchWanted

WATCH = "/tools/cti/results?kind=watch&limit=1"
TREND = "/tools/cti/results?kind=trend&limit=1"
SOURCES = (
    Column(field="title", title="Source"),
    Column(field="content.state", title="State", format=Format.STATE),
    Column(field="content.reliability", title="Reliability"),
    Column(field="content.items", title="Items", format=Format.NUMBER),
    Column(field="content.relevant", title="Relevant", format=Format.NUMBER),
    Column(field="content.read", title="Last read", format=Format.TIME),
    Column(field="content.purpose", title="Purpose"),
    Column(field="content.legal_basis", title="Legal basis"),
    Column(field="content.problem", title="Problem"),
)
WATCHED = (
    Column(field="kind", title="Kind"),
    Column(field="name", title="Name"),
    Column(field="aliases", title="Other names"),
    Column(field="context", title="Stands near"),
)
PROMOTED = (
    Column(field="time", title="Promoted", format=Format.TIME),
    Column(field="title", title="Report"),
    Column(field="content.grade", title="Grade"),
    Column(field="content.tlp", title="TLP"),
)
ASIDE = (
    Column(field="time", title="Read", format=Format.TIME),
    Column(field="title", title="Report"),
    Column(field="content.relevance", title="Relevance", format=Format.PERCENT),
    Column(field="content.grade", title="Grade"),
)


def panels() -> Sequence[Panel]:
    """Declared once; drawn for each person by what they may read."""
    return [
        Panel(
            id="review",
            title="Review",
            summary="Reporting that concerns what is watched, the most relevant first.",
            module="review.js",
        ),
        Panel(
            id="promoted",
            title="Promoted",
            widgets=(
                Table(
                    title="Intelligence",
                    source="/tools/cti/results?kind=intelligence&limit=100",
                    columns=PROMOTED,
                    empty="Nothing was promoted yet",
                    span=2,
                ),
            ),
        ),
        Panel(
            id="trend",
            title="Trend",
            widgets=(
                Kpi(title="To review", source="/tools/cti/results?kind=item&limit=500", value="items", reduce="count"),
                Chart(
                    title="Relevant items a day",
                    source=TREND,
                    rows="items.0.content.days",
                    x="day",
                    series=(
                        ChartSeries(field="leak", title="Leak"),
                        ChartSeries(field="phishing", title="Phishing"),
                        ChartSeries(field="vulnerability", title="Vulnerability"),
                        ChartSeries(field="attack", title="Attack"),
                        ChartSeries(field="mention", title="Mention"),
                    ),
                    style=ChartStyle.BARS,
                    stacked=True,
                    empty="Nothing was read yet",
                ),
            ),
        ),
        Panel(
            id="sources",
            title="Sources",
            widgets=(
                Table(
                    title="Sources",
                    source="/tools/cti/results?kind=source&limit=200",
                    columns=SOURCES,
                    empty="No source is set",
                    span=2,
                ),
                Form(title="Read now", model=Nothing, task="poll", submit="Read all sources now"),
            ),
        ),
        Panel(
            id="watch",
            title="Watch",
            summary="What the city owns and uses; never private persons.",
            widgets=(
                Table(
                    title="Watched",
                    source=WATCH,
                    rows="items.0.content.items",
                    columns=WATCHED,
                    limit=500,
                    actions=(Action(task="watch-remove", title="Remove"),),
                    empty="Nothing is watched yet",
                ),
                Form(title="Watch more", model=WatchWanted, task="watch-add", submit="Watch"),
            ),
        ),
        Panel(
            id="aside",
            title="Set aside",
            summary="Reporting that concerns nothing watched; a person may keep or promote it all the same.",
            widgets=(
                Table(
                    title="Read and set aside",
                    source="/tools/cti/results?kind=report&limit=100",
                    columns=ASIDE,
                    actions=(Action(task="keep", title="Keep"), Action(task="promote", title="Promote")),
                    empty="Nothing was set aside",
                    span=2,
                ),
            ),
        ),
    ]
