"""The panels of this tool: the map of a release with its zones, the release in figures, and what goes on."""

from __future__ import annotations

from collections.abc import Sequence

from impetus.sdk.panel import Chart, ChartSeries, Column, Form, Format, Kpi, Panel, Table
from impetus.tools.air.wanted import DispersionWanted

NEWEST = "/tools/air/results?kind=hazard-zone&limit=1"
ALERTS = (
    Column(field="severity", title="Severity", format=Format.SEVERITY),
    Column(field="onset", title="Since", format=Format.TIME),
    Column(field="headline", title="What"),
    Column(field="confidence", title="Confidence", format=Format.PERCENT),
    Column(field="state", title="State", format=Format.STATE),
)
HEALTH = "/tools/air/results?kind=device-health&limit=1"
DEVICES = (
    Column(field="name", title="Sensor"),
    Column(field="state", title="State"),
    Column(field="value", title="Reading", format=Format.NUMBER),
    Column(field="unit", title="Unit"),
    Column(field="seen", title="At", format=Format.TIME),
    Column(field="limit", title="Cannot see below", format=Format.NUMBER),
    Column(field="calibrated", title="Calibrated", format=Format.TIME),
)
SAMPLING = (
    Column(field="latitude", title="Latitude"),
    Column(field="longitude", title="Longitude"),
    Column(field="information_nats", title="Expected information", format=Format.NUMBER),
)


def panels() -> Sequence[Panel]:
    """Declared once; drawn for each person by what they may read."""
    return [
        Panel(
            id="release",
            title="Release",
            summary="Where a level is exceeded now and in the next minutes, and where the source is likely to be.",
            module="release.js",
        ),
        Panel(
            id="figures",
            title="In figures",
            widgets=(
                Kpi(title="Releases", source="/tools/air/results?kind=hazard-zone", value="items", reduce="count"),
                Kpi(title="Sensors that are well", source=HEALTH, value="items.0.content.well"),
                Kpi(title="Wind", source=NEWEST, value="items.0.content.wind.speed_mps", unit="m/s", decimals=1),
                Kpi(title="People counted in the likely zone", source=NEWEST, value="items.0.content.zones.0.people"),
                Chart(
                    title="Area of the zones",
                    source=NEWEST,
                    rows="items.0.content.curve",
                    x="minute",
                    series=(
                        ChartSeries(field="level_1_m2", title="Level 1", unit="m²"),
                        ChartSeries(field="level_2_m2", title="Level 2", unit="m²"),
                        ChartSeries(field="level_3_m2", title="Level 3", unit="m²"),
                    ),
                    empty="No release",
                ),
                Table(
                    title="Where to sample next",
                    source=NEWEST,
                    rows="items.0.content.sampling",
                    columns=SAMPLING,
                    row_id="latitude",
                    empty="No release",
                ),
                Chart(
                    title="The sensor that reads most, with its background",
                    source=NEWEST,
                    rows="items.0.content.series.rows",
                    x="time",
                    series=(
                        ChartSeries(field="value", title="Reading"),
                        ChartSeries(field="high", title="Background, upper edge"),
                        ChartSeries(field="expected", title="Background"),
                        ChartSeries(field="low", title="Background, lower edge"),
                    ),
                    empty="No release",
                    span=2,
                ),
            ),
        ),
        Panel(
            id="alerts",
            title="Alerts and sensors",
            widgets=(
                Table(
                    title="Alerts by likely harm",
                    source="/alerts?tool=air&order=harm&limit=50",
                    columns=ALERTS,
                    empty="Nothing above background",
                    span=2,
                ),
                Table(
                    title="Sensors",
                    source=HEALTH,
                    rows="items.0.content.devices",
                    columns=DEVICES,
                    row_id="sensor",
                    limit=100,
                    empty="No sensors are registered",
                    span=2,
                ),
            ),
        ),
        Panel(
            id="draw",
            title="Draw a release",
            summary="The zone of a release at a place, in the present weather. No release was found; nobody is warned.",
            widgets=(Form(title="Draw a release", model=DispersionWanted, task="dispersion", submit="Draw"),),
        ),
    ]
