"""The panels of this tool: review, stream, topics, places, investigations, sources and quality."""

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
from impetus.tools.social.wanted import InvestigationWanted

EVENTS = "/tools/social/results?kind=event&limit=200"
TOPICS = "/tools/social/results?kind=topics&limit=1"
JUDGED = "/tools/social/results?kind=quality&limit=1"
LANGUAGES = (
    ChartSeries(field="en", title="English"),
    ChartSeries(field="it", title="Italian"),
    ChartSeries(field="no", title="Norwegian"),
    ChartSeries(field="other", title="Other"),
)
SENTIMENT = (
    ChartSeries(field="negative", title="Negative"),
    ChartSeries(field="neutral", title="Neutral"),
    ChartSeries(field="positive", title="Positive"),
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
    Column(field="content.set_aside_count", title="Set aside", format=Format.NUMBER),
    Column(field="content.problem", title="Problem"),
)
TIMELINE = (
    Column(field="title", title="Topic"),
    Column(field="posts", title="Posts"),
    Column(field="trend", title="Trend"),
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
            id="map",
            title="Map of topics",
            summary="Near points speak of similar things; a point is an event, larger with more posts.",
            module="topic_map.js",
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
                Chart(
                    title="Sentiment",
                    source=TOPICS,
                    rows="items.0.content.sentiment",
                    x="hour",
                    series=SENTIMENT,
                    style=ChartStyle.BARS,
                    stacked=True,
                    empty="No hour with five posts yet",
                ),
                Map(title="Places of events", source=EVENTS),
                Graph(title="Spread, of groups of five voices or more", source=TOPICS, value="items.0.content.spread"),
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
                Chart(
                    title="Precision by week",
                    source=JUDGED,
                    rows="items.0.content.weeks",
                    x="week",
                    series=(ChartSeries(field="precision", title="Precision"),),
                    style=ChartStyle.BARS,
                    empty="Nothing was judged yet",
                ),
                Table(
                    title="Precision",
                    source=JUDGED,
                    rows="items.0.content.rows",
                    columns=QUALITY,
                    row_id="week",
                    empty="Nothing was judged yet",
                    span=2,
                ),
            ),
        ),
    ]
