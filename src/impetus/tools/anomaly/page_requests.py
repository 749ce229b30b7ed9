"""Publishes what the tool's page shows, and does what people ask for there."""

from __future__ import annotations

import math

from impetus.model import InvalidInput, ToolRequest, ToolResult
from impetus.sdk import Context
from impetus.tools.anomaly import page
from impetus.tools.anomaly.bar import WEAK_SHARE
from impetus.tools.anomaly.city_calendar import CityCalendar
from impetus.tools.anomaly.episode_book import NETWORK_ROW, EpisodeBook
from impetus.tools.anomaly.past_events import KEPT_S

OVERVIEW_S = 15.0
"""The page's overview is published so often at most."""


class PageHost:
    """Documents for the page, published where they changed."""

    def __init__(self, context: Context, book: EpisodeBook, calendar: CityCalendar) -> None:
        self._context = context
        self._book = book
        self._memory = book.memory
        self._calendar = calendar
        self._revision = 0
        self._published_s = -math.inf
        self._shown: object = None
        self._placed: object = None

    async def show(self, *, now: bool = False) -> None:
        """Publish what changed; not before `OVERVIEW_S` after the last time, unless it is asked for `now`."""
        memory, clock = self._memory, self._context.clock
        moment_s = clock.monotonic_s()
        if not len(memory.roster) or not (now or moment_s - self._published_s >= OVERVIEW_S):
            return
        self._published_s = moment_s
        memory.past.forget(clock.now().timestamp() - KEPT_S)
        documents: list[ToolResult] = []
        tenant, names, registered = self._context.tenant, memory.roster.names, memory.roster.registered
        placed = (len(names), tuple(registered.values()))
        if placed != self._placed:
            self._placed = placed
            documents.extend(page.stream_documents(tenant, clock.now(), self._next_revision(), names, registered))
        states, bar = self._states(), self._book.bar
        shown = (states, bar.rules, len(memory.past), memory.verdicts.to_json())
        if shown != self._shown:
            self._shown = shown
            threshold = page.Threshold(
                bar.false_alerts_a_day, bar.rules.strong, bar.frequencies.readings_a_day, WEAK_SHARE
            )
            documents.append(
                page.overview(
                    tenant,
                    clock.now(),
                    self._next_revision(),
                    names,
                    states,
                    threshold,
                    memory.past,
                    memory.verdicts,
                )
            )
        for document in documents:
            await self._context.publish(document)

    async def forget(self, stream: str) -> str:
        """Undo what verdicts did to a stream's threshold; what is told to the person."""
        self._row(stream)
        count = self._memory.verdicts.forget(stream)
        self._memory.apply_verdicts()
        await self.show(now=True)
        return f"{count} verdicts forgotten; the threshold is as set up."

    async def inspect(self, stream: str, request: ToolRequest) -> str:
        """Publish one stream looked into; what is told to the person."""
        row = self._row(stream)
        memory, now = self._memory, self._context.clock.now()
        newest_s = float(memory.monitor.newest_s[row])
        await self._context.publish(
            page.stream_document(
                self._context.tenant,
                now,
                self._next_revision(),
                request.id,
                memory.roster.datastream(row),
                row,
                memory.contributions[row],
                self._book.neighbours(row, newest_s if math.isfinite(newest_s) else now.timestamp()),
                memory.days,
                memory.verdicts,
                self._calendar.zone,
            )
        )
        return "Looked into."

    def _row(self, stream: str) -> int:
        row = self._memory.roster.row(stream)
        if row is None:
            raise InvalidInput(f"There is no stream {stream[:80]!r}.", hint="Name one that is watched.")
        return row

    def _next_revision(self) -> int:
        """Greater than every one before, of this life and of earlier ones."""
        self._revision = max(self._revision + 1, int(self._context.clock.now().timestamp() * 1e3))
        return self._revision

    def _states(self) -> list[page.StreamNow]:
        """Streams that are not as usual."""
        states = []
        for (row, detector), episode in self._memory.open.items():
            if row == NETWORK_ROW:
                continue
            state = detector
            if detector == "level" and (episode.unit or episode.apart):
                state = "unit" if episode.unit else "apart"
            text = self._book.neighbours(row, episode.last_s, episode.sign).words if detector == "level" else ""
            text = episode.unit or text
            states.append(page.StreamNow(row, state, episode.onset_s, episode.rarity, text))
        return states
