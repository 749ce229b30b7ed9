"""The panels of this tool: review, stream, topics, places, investigations, sources and quality."""

from __future__ import annotations

from collections.abc import Sequence

from impetus.sdk.panel import Action, Chart, ChartSeries, ChartStyle, Column, Form, Format, Kpi, Map, Panel, Table
from impetus.tools.social.wanted import InvestigationWanted

EVENTS = "/tools/social/results?kind=event&limit=200"
TOPICS = "/tools/social/results?kind=topics&limit=1"
LANGUAGES = (
    ChartSeries(field="en", title="English"),
    ChartSeries(field="it", title="Italian"),
    ChartSeries(field="no", title="Norwegian"),
    ChartSeries(field="other", title="Other"),
)
INVESTIGATIONS = (
    Column(field="title", title="Investigation"),
    Column(field="content.state", title="State", format=Format.STATE),
    Column(field="content.purpose", title="Purpose"),
    Column(field="content.legal_basis", title="Legal basis"),
    Column(field="content.until", title="Ends", format=Format.TIME),
    Column(field="content.approver", title="Approved by"),
    Column(field="content.words", title="Words"),
    Column(field="content.places", title="Places"),
)
SOURCES = (
    Column(field="title", title="Source"),
    Column(field="content.state", title="State", format=Format.STATE),
    Column(field="content.terms", title="Terms of use"),
    Column(field="content.terms_confirmed_by", title="Confirmed by"),
    Column(field="content.posts", title="Posts", format=Format.NUMBER),
    Column(field="content.left", title="Left out", format=Format.NUMBER),
    Column(field="content.problem", title="Problem"),
)
TIMELINE = (
    Column(field="title", title="Topic"),
    Column(field="posts", title="Posts", format=Format.NUMBER),
    Column(field="first", title="Since", format=Format.TIME),
    Column(field="last", title="Until", format=Format.TIME),
)
QUALITY = (
    Column(field="week", title="Week"),
    Column(field="language", title="Language"),
    Column(field="judged", title="Judged", format=Format.NUMBER),
    Column(field="relevant", title="Relevant", format=Format.NUMBER),
    Column(field="precision", title="Precision", format=Format.PERCENT),
)


def panels() -> Sequence[Panel]:
    """Declared once; drawn for each person by what they may read."""
    return [
        Panel(
            id="review",
            title="Review",
            summary="Events that wait for an analyst; nothing reaches the control room before.",
            module="review.js",
        ),
        Panel(
            id="stream",
            title="Stream",
            summary="The newest posts of the investigations: no names, gone within hours.",
            module="stream.js",
        ),
        Panel(
            id="topics",
            title="Topics and places",
            widgets=(
                Chart(
                    title="Posts an hour",
                    source=TOPICS,
                    rows="items.0.content.hours",
                    x="hour",
                    series=LANGUAGES,
                    style=ChartStyle.BARS,
                    stacked=True,
                    empty="Nothing was read yet",
                ),
                Map(title="Places of events", source=EVENTS),
                Table(
                    title="Timeline of topics",
                    source=TOPICS,
                    rows="items.0.content.events",
                    columns=TIMELINE,
                    empty="No topic yet",
                    span=2,
                ),
            ),
        ),
        Panel(
            id="investigations",
            title="Investigations",
            summary="What is watched, why and until when. Words and places, never private persons.",
            widgets=(
                Table(
                    title="Investigations",
                    source="/tools/social/results?kind=investigation&limit=100",
                    columns=INVESTIGATIONS,
                    actions=(Action(task="approve", title="Approve"), Action(task="close", title="Close")),
                    empty="No investigation: nothing is read",
                    span=2,
                ),
                Form(title="Draft an investigation", model=InvestigationWanted, task="open", submit="Draft"),
            ),
        ),
        Panel(
            id="sources",
            title="Sources",
            widgets=(
                Table(
                    title="Sources",
                    source="/tools/social/results?kind=source&limit=100",
                    columns=SOURCES,
                    empty="No source is set",
                    span=2,
                ),
            ),
        ),
        Panel(
            id="quality",
            title="Quality",
            summary="Of the events that analysts judged: how many mattered, per week and language.",
            widgets=(
                Kpi(title="To review", source=EVENTS, value="items", reduce="count"),
                Table(
                    title="Precision",
                    source="/tools/social/results?kind=quality&limit=1",
                    rows="items.0.content.weeks",
                    columns=QUALITY,
                    row_id="week",
                    empty="Nothing was judged yet",
                    span=2,
                ),
            ),
        ),
    ]
