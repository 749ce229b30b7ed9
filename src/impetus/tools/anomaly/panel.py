"""The panels of this tool: what is unusual now, and the sensors that need care."""

from __future__ import annotations

from collections.abc import Sequence

from impetus.sdk.panel import Column, Format, Kpi, Map, Panel, Table

UNUSUAL = (
    Column(field="severity", title="Severity", format=Format.SEVERITY),
    Column(field="onset", title="Since", format=Format.TIME),
    Column(field="headline", title="What"),
    Column(field="confidence", title="Confidence", format=Format.PERCENT),
    Column(field="state", title="State", format=Format.STATE),
)
STREAMS = (
    Column(field="name", title="Stream"),
    Column(field="state", title="State", format=Format.STATE),
    Column(field="latest.value", title="Reading", format=Format.NUMBER),
    Column(field="unit", title="Unit"),
    Column(field="latest.time", title="At", format=Format.TIME),
)


def panels() -> Sequence[Panel]:
    """Declared once; drawn for each person by what they may read."""
    return [
        Panel(
            id="unusual",
            title="Unusual now",
            summary="Readings that are rare for the stream, the hour and the weekday.",
            widgets=(
                Kpi(
                    title="New alerts", source="/alerts?tool=anomaly&state=new&limit=500", value="items", reduce="count"
                ),
                Table(
                    title="Alerts by likely harm",
                    source="/alerts?tool=anomaly&order=harm&limit=50",
                    columns=UNUSUAL,
                    empty="Nothing unusual",
                    span=2,
                ),
                Map(title="Streams", source="/datastreams?limit=500", span=2),
            ),
        ),
        Panel(
            id="streams",
            title="Streams",
            summary="All sensors that are watched, and those that are silent or stuck.",
            widgets=(
                Table(
                    title="Sensors",
                    source="/datastreams?limit=500",
                    columns=STREAMS,
                    limit=500,
                    empty="No sensors are registered",
                    span=2,
                ),
            ),
        ),
    ]
