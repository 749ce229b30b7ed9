"""The live side: sources read within approved investigations, posts judged, events reviewed and promoted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import ClassVar

from pydantic import BaseModel, JsonValue

from impetus.model import ConfigurationError, InvalidInput, ToolRequest, ToolResult, Verdict, derived_id
from impetus.sdk import Context, Tool
from impetus.tools.social import views
from impetus.tools.social.alerting import alert_of
from impetus.tools.social.budget import Budget
from impetus.tools.social.events import Tracker
from impetus.tools.social.gazetteer import Gazetteer, NamedPlace
from impetus.tools.social.investigations import Investigations
from impetus.tools.social.judging import Judge
from impetus.tools.social.posts import Post, RawPost, admitted, post_id
from impetus.tools.social.quality import Quality
from impetus.tools.social.reading import Health, follow
from impetus.tools.social.settings import Investigation, SocialSettings, Source
from impetus.tools.social.topic_map import TopicMap
from impetus.tools.social.wanted import EventChosen, InvestigationWanted
from impetus.tools.social.watch import Watch

QUEUE = 2_000
BATCH = 64
PUBLISHED = 1_000
"""Events whose newest state is remembered."""
HANDLED = 500


class SocialTool(Tool[SocialSettings]):
    """Reads public posts for one organisation."""

    settings_type: ClassVar[type[SocialSettings]] = SocialSettings
    task_models: ClassVar[Mapping[str, type[BaseModel]]] = {
        "relevant": EventChosen,
        "not-relevant": EventChosen,
        "promote": EventChosen,
        "open": InvestigationWanted,
        "approve": EventChosen,
        "close": EventChosen,
    }

    def __init__(self, context: Context, settings: SocialSettings) -> None:
        super().__init__(context, settings)
        self._gazetteer = Gazetteer()
        self._judge: Judge | None = None
        self._map: TopicMap | None = None
        self._investigations = Investigations(settings.investigations)
        self._watches: dict[str, Watch] = {}
        self._health = {source.id: Health() for source in settings.sources}
        self._quality = Quality()
        self._published: dict[str, ToolResult] = {}
        """The newest state of each event."""
        self._changed: set[tuple[str, str]] = set()
        """Investigation and event."""
        self._told: dict[str, str] = {}
        self._revisions: dict[str, int] = {}
        self._handled: list[str] = []
        self._incoming: asyncio.Queue[tuple[Source, RawPost]] = asyncio.Queue(QUEUE)
        self._changing = asyncio.Lock()

    # Life

    async def start(self) -> None:
        own = [NamedPlace(one.name, one.longitude, one.latitude) for one in self.settings.places]
        self._gazetteer = Gazetteer(own, towns=self.settings.towns)
        self._restore(await self.context.load_checkpoint())
        for result in reversed(await self.context.published("event", limit=500)):
            self._published[result.id] = result
        await self._publish_investigations()
        await self._publish_sources()

    async def run(self) -> None:
        settings = self.settings
        if not settings.sources:
            return
        self._judge = await asyncio.to_thread(
            Judge.load, second_stage=settings.second_stage, threads=settings.threads, local=settings.local_weights
        )
        self._map = await asyncio.to_thread(self._judge.topic_map)
        async with asyncio.TaskGroup() as group:
            for source in settings.sources:
                if source.terms_confirmed_by:
                    reading = follow(
                        source,
                        self._health[source.id],
                        wanted=lambda: bool(self._running()),
                        take=partial(self._queue, source),
                        clock=self.context.clock,
                        user_agent=settings.user_agent,
                        internal=settings.internal_addresses,
                    )
                    group.create_task(reading)
            group.create_task(self._work())

    async def tick(self) -> None:
        now = self.context.clock.now()
        async with self._changing:
            for investigation in list(self._investigations.all.values()):
                if investigation.id in self._watches and not investigation.runs(now):
                    await self._end(investigation)
            await self._expire()
            await self._publish_changed()
            await self._publish_views()
        unconfirmed = [one.title for one in self.settings.sources if not one.terms_confirmed_by]
        problems = [
            f"{one.title}: {self._health[one.id].problem}"
            for one in self.settings.sources
            if self._health[one.id].problem
        ]
        if unconfirmed:
            problems.append(f"not read until somebody confirms the terms of use: {', '.join(unconfirmed)}")
        await self.context.degraded("; ".join(problems[:5])[:1_000] or None)
        await self._publish_sources()
        await self._save()

    async def stop(self) -> None:
        # Posts of no event live for hours and in memory only: nothing of them stays when the tool is gone.
        self._watches.clear()
        await self._publish_views()
        await self._save()

    # Posts

    async def _queue(self, source: Source, raw: RawPost) -> None:
        await self._incoming.put((source, raw))

    async def _work(self) -> None:
        """Take posts in batches: the sentence model is quicker with several at once."""
        while True:
            batch = [await self._incoming.get()]
            while len(batch) < BATCH and not self._incoming.empty():
                batch.append(self._incoming.get_nowait())
            try:
                await self.take(batch)
            except ConfigurationError as error:
                # Without the key of the pseudonyms nothing is passed on.
                await self.context.degraded(str(error)[:500])

    async def take(self, batch: list[tuple[Source, RawPost]]) -> None:
        """Judge posts and put them into events."""
        now = self.context.clock.now()
        for investigation in self._running():
            pseudonym_of = self.context.pseudonyms(f"social-{investigation.id}").of
            posts: list[Post] = []
            for source, raw in batch:
                if raw.deleted:
                    # What was written before its deletion must be known first.
                    await self._judge_all(investigation, posts)
                    posts = []
                    await self._forget(investigation, post_id(source.id, raw.id, pseudonym_of))
                    continue
                post = admitted(raw, source.id, pseudonym_of, now)
                if post is not None and post.language in (*investigation.watching.languages, "und"):
                    posts.append(post)
            await self._judge_all(investigation, posts)

    async def _judge_all(self, investigation: Investigation, posts: list[Post]) -> None:
        if not posts:
            return
        if self._judge is None:
            raise ConfigurationError("the models are not loaded yet", hint="wait a moment")
        judge = self._judge
        found = await asyncio.to_thread(judge.triaged, [post.text for post in posts], [post.language for post in posts])
        async with self._changing:
            watch = self._watch_of(investigation)
            for post, judged in zip(posts, found, strict=True):
                for event in watch.add(investigation, post, judged, judge):
                    self._changed.add((investigation.id, event.id))

    async def _forget(self, investigation: Investigation, id: str) -> None:
        watch = self._watches.get(investigation.id)
        if watch is None:
            return
        async with self._changing:
            event = watch.forget(id)
            if event is None:
                return
            if event.posts:
                self._changed.add((investigation.id, event.id))
            elif (known := self._published.get(event.id)) is not None:
                await self._close(known, "deleted", empty=True)

    # Events

    async def _publish_changed(self) -> None:
        for investigation, id in sorted(self._changed):
            watch = self._watches.get(investigation)
            event = watch.tracker.events.get(id) if watch is not None else None
            known = self._published.get(id)
            if event is None or (known is not None and known.content["state"] != "awaiting"):
                continue
            result = views.event_result(event, known)
            if known is None or known.content != result.content:
                await self._put(result)
        self._changed.clear()

    async def _put(self, result: ToolResult) -> None:
        await self.context.publish(result)
        self._published[result.id] = result
        while len(self._published) > PUBLISHED:
            del self._published[next(iter(self._published))]

    async def _close(self, known: ToolResult, state: str, *, empty: bool = False, **more: str) -> None:
        now = self.context.clock.now()
        content = {**known.content, "state": state, "judged": now.isoformat()}
        if empty:
            content |= {"examples": [], "reasons": []}
        changes = {"revision": known.revision + 1, "ended": now, "content": content, **more}
        await self._put(known.model_copy(update=changes))

    async def verdict(self, verdict: Verdict) -> None:
        """What people found of a promoted event counts for the quality page."""
        known = next((one for one in self._published.values() if one.alert == verdict.alert), None)
        if known is not None and verdict.correct is False:
            self._quality.taken_back(self.context.clock.now(), _languages(known))

    # Requests

    async def handle(self, request: ToolRequest) -> str:
        async with self._changing:
            if request.id in self._handled:
                return "done before"
            told = await self._handle(request)
            self._handled = [*self._handled[-HANDLED:], request.id]
        await self._save()
        return told

    async def _handle(self, request: ToolRequest) -> str:
        now = self.context.clock.now()
        match request.task:
            case "open":
                wanted = InvestigationWanted.model_validate(request.content)
                self._investigations.draft(wanted, request=request.id, author=request.person or "unknown", now=now)
                await self._publish_investigations()
                return "drafted; somebody else approves it"
            case "approve":
                found = self._investigations.approve(self._investigation(request), person=request.person, now=now)
                await self._publish_investigations()
                return f"{found.title} is approved until {found.until:%Y-%m-%d}"
            case "close":
                found = self._investigation(request)
                await self._end(found)
                return f"{found.title} has ended; its posts are removed"
        known = self._open_event(request)
        match request.task:
            case "promote":
                alert = alert_of(known, now)
                await self.context.emit(alert)
                await self._close(known, "promoted", alert=alert.id)
                self._quality.judged(now, _languages(known), relevant=True)
                return "promoted: the control room sees it"
            case "relevant":
                await self._close(known, "relevant")
                self._quality.judged(now, _languages(known), relevant=True)
                return "kept as relevant"
            case "not-relevant":
                await self._close(known, "not relevant", empty=True)
                self._quality.judged(now, _languages(known), relevant=False)
                return "not relevant; its posts are removed"
        raise InvalidInput(f"there is no task {request.task!r}")

    def _open_event(self, request: ToolRequest) -> ToolResult:
        known = self._published.get(EventChosen.model_validate(request.content).id)
        if known is None:
            raise InvalidInput("there is no such event", hint="it may have passed its time; reload the page")
        if known.content["state"] != "awaiting":
            raise InvalidInput(f"the event was judged already: {known.content['state']}", hint="somebody was quicker")
        return known

    def _investigation(self, request: ToolRequest) -> Investigation:
        return self._investigations.find(EventChosen.model_validate(request.content).id, self._investigation_result)

    async def _end(self, investigation: Investigation) -> None:
        """Everything that was kept for it goes; what an analyst kept or promoted stays as a count without texts."""
        self._watches.pop(investigation.id, None)
        self._investigations.end(investigation, self.context.clock.now())
        for known in list(self._published.values()):
            if known.content.get("investigation") == investigation.id and known.content.get("examples"):
                state = "ended" if known.content["state"] == "awaiting" else str(known.content["state"])
                await self._close(known, state, empty=True)
        await self._publish_investigations()

    # Retention

    async def _expire(self) -> None:
        now = self.context.clock.now()
        unrelated = now - timedelta(hours=self.settings.unrelated_hours)
        flagged = now - timedelta(days=self.settings.flagged_days)
        for watch in self._watches.values():
            watch.expire(unrelated, flagged)
        for known in list(self._published.values()):
            if known.time < flagged and known.incident is None and known.content.get("examples"):
                await self._close(known, "expired", empty=True)

    # Results

    def _running(self) -> list[Investigation]:
        return self._investigations.running(self.context.clock.now())

    def _watch_of(self, investigation: Investigation) -> Watch:
        if investigation.id not in self._watches:
            self._watches[investigation.id] = Watch(
                Tracker(investigation.id, self._gazetteer), Budget(self.settings.alerts_a_day)
            )
        return self._watches[investigation.id]

    def _investigation_result(self, one: Investigation) -> str:
        return derived_id("social-investigation", self.context.tenant, one.id)

    async def _publish_investigations(self) -> None:
        now = self.context.clock.now()
        for one in self._investigations.all.values():
            id = self._investigation_result(one)
            await self._tell("investigation", id, one.title, views.investigation(one, now))

    async def _publish_sources(self) -> None:
        for source in self.settings.sources:
            id = derived_id("social-source", self.context.tenant, source.id)
            await self._tell("source", id, source.title, views.source(source, self._health[source.id]))

    async def _publish_views(self) -> None:
        tenant, watches = self.context.tenant, self._watches.values()
        await self._tell("stream", derived_id("social-stream", tenant), "Stream", views.stream(watches))
        await self._tell("topics", derived_id("social-topics", tenant), "Topics", views.topics(watches, self._map))
        quality: dict[str, JsonValue] = {"rows": self._quality.rows(), "weeks": self._quality.weeks()}
        await self._tell("quality", derived_id("social-quality", tenant), "Quality", quality)

    async def _tell(self, kind: str, id: str, title: str, content: dict[str, JsonValue]) -> None:
        """Publish only what is new."""
        written = json.dumps(content, sort_keys=True)
        if self._told.get(id) == written:
            return
        self._told[id] = written
        now = self.context.clock.now()
        self._revisions[id] = max(self._revisions.get(id, 0) + 1, int(now.timestamp() * 10))
        await self.context.publish(
            ToolResult(
                id=id,
                revision=self._revisions[id],
                tool="social",
                kind=kind,
                title=title[:300],
                time=now,
                content=content,
            )
        )

    # Checkpoint: no text of a post and no handle is in it

    async def _save(self) -> None:
        investigations, closed = self._investigations.kept()
        kept = {
            "investigations": investigations,
            "closed": closed,
            "cursors": {id: health.progress.cursor for id, health in self._health.items()},
            "seen": {id: health.progress.seen[-1_000:] for id, health in self._health.items()},
            "quality": self._quality.kept(),
            "handled": self._handled,
        }
        await self.context.save_checkpoint(json.dumps(kept).encode())

    def _restore(self, checkpoint: bytes | None) -> None:
        """A checkpoint that cannot be read is none: sources go on from now, drafts are lost and told so in the log."""
        try:
            kept = json.loads(checkpoint or b"{}")
            quality = Quality.restored(kept.get("quality", {}))
            handled = [str(id) for id in kept.get("handled", [])]
            cursors = {str(id): str(value)[:300] for id, value in kept.get("cursors", {}).items()}
            seen = {str(id): [str(one)[:64] for one in value] for id, value in kept.get("seen", {}).items()}
            now = self.context.clock.now()
            self._investigations.restore(kept.get("investigations", []), kept.get("closed", {}), now)
        except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
            self.context.log.warning("social.checkpoint_unreadable")
            return
        for id, health in self._health.items():
            health.progress.cursor = cursors.get(id, "")
            health.progress.seen = seen.get(id, [])
        self._quality, self._handled = quality, handled


def _languages(event: ToolResult) -> list[str]:
    languages = event.content.get("languages")
    return [str(one) for one in languages] if isinstance(languages, list) else []


__all__ = ["SocialTool"]
