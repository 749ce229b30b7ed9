"""The panels of this tool: all streams, what is unusual now, and the sensors that need care."""

from __future__ import annotations

from collections.abc import Sequence

from impetus.sdk.panel import Action, Column, Format, Kpi, Panel, Table

UNUSUAL = (
    Column(field="severity", title="Severity", format=Format.SEVERITY),
    Column(field="onset", title="Since", format=Format.TIME),
    Column(field="headline", title="What"),
    Column(field="confidence", title="Confidence", format=Format.PERCENT),
    Column(field="state", title="State", format=Format.STATE),
)
OVERVIEW = "/tools/anomaly/results?kind=overview&limit=1"
MAINTENANCE = (
    Column(field="id", title="Stream"),
    Column(field="what", title="What"),
    Column(field="since", title="Since", format=Format.TIME),
    Column(field="text", title="Neighbours"),
)
VERDICTS = (
    Column(field="id", title="Stream"),
    Column(field="confirmed", title="Confirmed", format=Format.NUMBER),
    Column(field="dismissed", title="Dismissed", format=Format.NUMBER),
    Column(field="times", title="Must be so many times as rare", format=Format.NUMBER),
)


def panels() -> Sequence[Panel]:
    """Declared once; drawn for each person by what they may read."""
    return [
        Panel(
            id="streams",
            title="Streams",
            summary="Where something is unusual, one stream in detail, the last two days, and the threshold.",
            module="streams.js",
        ),
        Panel(
            id="unusual",
            title="Unusual now",
            summary="Readings that are rare for the stream, the hour and the weekday.",
            widgets=(
                Kpi(
                    title="New alerts", source="/alerts?tool=anomaly&state=new&limit=500", value="items", reduce="count"
                ),
                Kpi(title="Streams", source=OVERVIEW, value="items.0.content.watched"),
                Table(
                    title="Alerts by likely harm",
                    source="/alerts?tool=anomaly&order=harm&limit=50",
                    columns=UNUSUAL,
                    empty="Nothing unusual",
                    span=2,
                ),
            ),
        ),
        Panel(
            id="maintenance",
            title="Maintenance",
            summary="Sensors that are silent, stuck, impossible, or stand apart from their neighbours.",
            widgets=(
                Table(
                    title="Failing sensors",
                    source=OVERVIEW,
                    rows="items.0.content.maintenance",
                    columns=MAINTENANCE,
                    limit=300,
                    empty="No sensor fails",
                    span=2,
                ),
                Table(
                    title="What people found",
                    source=OVERVIEW,
                    rows="items.0.content.verdicts",
                    columns=VERDICTS,
                    actions=(Action(task="forget", title="Forget", key="f"),),
                    limit=200,
                    empty="Nobody judged an alert yet",
                    span=2,
                ),
            ),
        ),
    ]
