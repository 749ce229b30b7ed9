"""The live side: sources read within approved investigations, posts judged, events reviewed and promoted."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from pydantic import BaseModel, JsonValue, ValidationError

from impetus.model import (
    Alert,
    Category,
    Certainty,
    ConfigurationError,
    DataClass,
    Factor,
    ImpetusError,
    InvalidInput,
    ModelReference,
    Place,
    Point,
    Severity,
    ToolRequest,
    ToolResult,
    Urgency,
    Verdict,
    derived_id,
)
from impetus.sdk import Context, Tool
from impetus.tools.social.budget import Budget
from impetus.tools.social.bursts import BIN_S, BurstDetector
from impetus.tools.social.events import Event, Tracker
from impetus.tools.social.gazetteer import Gazetteer, NamedPlace
from impetus.tools.social.judging import Judge, Judgement
from impetus.tools.social.kinds import Kind
from impetus.tools.social.posts import Post, RawPost, admitted, post_id
from impetus.tools.social.settings import Investigation, SocialSettings, Source, Watching
from impetus.tools.social.sources import Progress, read
from impetus.tools.social.wanted import EventChosen, InvestigationWanted

MODEL = ModelReference(name="social gate and sentence model", version="1")
QUEUE = 2_000
BATCH = 64
STREAM = 60
"""Posts in the stream's list."""
ACCOUNT_WORDS = ("@", "t.me/", "/users/", "bsky.app/profile", "did:")
DETECTORS = {
    Kind.INCITEMENT: "violence",
    Kind.WEAPON: "violence",
    Kind.CLAIM: "violence",
    Kind.EYEWITNESS: "emergency",
    Kind.GATHERING: "unrest",
    Kind.RUMOUR: "unrest",
    Kind.NONE: "unrest",
}
ACTIONS = {
    "violence": "Read the examples, compare with what cameras and patrols see there, and tell the police.",
    "emergency": "Compare with calls and sensors at the place; people are writing from there.",
    "unrest": "Watch the place and the topic; tell who answers for the venue.",
}


@dataclass
class _Health:
    progress: Progress = field(default_factory=Progress)
    posts: int = 0
    left: int = 0
    problem: str = ""
    read: datetime | None = None
    failures: int = 0
    told: str = ""
    revision: int = 0


@dataclass
class _Running:
    """What goes on in one investigation."""

    tracker: Tracker
    budget: Budget
    bursts: BurstDetector = field(default_factory=BurstDetector)
    bin_start: float = 0.0
    bin_count: int = 0
    stream: deque[dict[str, JsonValue]] = field(default_factory=lambda: deque(maxlen=STREAM))
    counts: Counter[str] = field(default_factory=Counter)
    """Posts by hour and language, and by hour and sentiment."""


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
        self._investigations = {one.id: one for one in settings.investigations}
        self._running: dict[str, _Running] = {}
        self._health = {source.id: _Health() for source in settings.sources}
        self._published: dict[str, ToolResult] = {}
        """The newest state of each event."""
        self._changed: set[str] = set()
        self._quality: dict[str, dict[str, int]] = {}
        self._told: dict[str, str] = {}
        self._revisions: dict[str, int] = {}
        self._handled: list[str] = []
        self._incoming: asyncio.Queue[tuple[Source, RawPost]] = asyncio.Queue(QUEUE)
        self._changing = asyncio.Lock()
        self._dropped = 0

    # Life

    async def start(self) -> None:
        own = [NamedPlace(one.name, one.longitude, one.latitude) for one in self.settings.places]
        self._gazetteer = Gazetteer(own, towns=self.settings.towns)
        self._restore(await self.context.load_checkpoint())
        for result in reversed(await self.context.published("event", limit=500)):
            self._published[result.id] = result
        await self._publish_investigations()
        for source in self.settings.sources:
            await self._publish_source(source)

    async def run(self) -> None:
        if not self.settings.sources:
            return
        settings = self.settings
        self._judge = await asyncio.to_thread(
            Judge.load, second_stage=settings.second_stage, threads=settings.threads, local=settings.local_weights
        )
        async with asyncio.TaskGroup() as group:
            for source in settings.sources:
                if source.terms_confirmed_by:
                    group.create_task(self._follow(source))
            group.create_task(self._work())

    async def tick(self) -> None:
        now = self.context.clock.now()
        async with self._changing:
            for investigation in list(self._investigations.values()):
                if investigation.approver and not investigation.runs(now) and investigation.id in self._running:
                    await self._end(investigation)
            await self._expire(now)
            await self._publish_changed()
            await self._publish_views(now)
        problems = [
            f"{s.title}: {self._health[s.id].problem}" for s in self.settings.sources if self._health[s.id].problem
        ]
        unconfirmed = [s.title for s in self.settings.sources if not s.terms_confirmed_by]
        if unconfirmed:
            problems.append(f"not read until somebody confirms the terms of use: {', '.join(unconfirmed)}")
        await self.context.degraded("; ".join(problems[:5])[:1_000] or None)
        for source in self.settings.sources:
            await self._publish_source(source)
        await self._save()

    async def stop(self) -> None:
        await self._save()

    # Posts

    async def _follow(self, source: Source) -> None:
        """Read a source as long as an investigation runs; after a failure wait longer and longer, up to ten minutes."""
        health = self._health[source.id]
        while True:
            if not self._active():
                await asyncio.sleep(2.0)
                continue
            allowance, second = source.posts_per_s, 0
            try:
                stream = read(
                    source,
                    health.progress,
                    user_agent=self.settings.user_agent,
                    internal=self.settings.internal_addresses,
                )
                async for raw in stream:
                    now_s = int(self.context.clock.monotonic_s())
                    if now_s != second:
                        second, allowance = now_s, source.posts_per_s
                    allowance -= 1
                    health.failures, health.problem, health.read = 0, "", self.context.clock.now()
                    if allowance < 0 and not raw.deleted:
                        health.left += 1
                        continue
                    health.posts += not raw.deleted
                    await self._incoming.put((source, raw))
                    if not self._active():
                        break
            except ImpetusError as error:
                health.failures += 1
                health.problem = str(error)[:300]
                self.context.log.warning("social.source_failed", source=source.id, error=health.problem)
                await asyncio.sleep(min(600.0, 2.0 ** min(health.failures, 9)))

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
        for investigation in self._active():
            pseudonym_of = self.context.pseudonyms(f"social-{investigation.id}").of
            posts: list[Post] = []
            for source, raw in batch:
                if raw.deleted:
                    await self._forget(investigation, post_id(source.id, raw.id, pseudonym_of))
                    continue
                post = admitted(raw, source.id, pseudonym_of, now)
                if post is not None and post.language in (*investigation.watching.languages, "und"):
                    posts.append(post)
            if posts:
                await self._judge_all(investigation, posts)

    async def _judge_all(self, investigation: Investigation, posts: list[Post]) -> None:
        if self._judge is None:
            raise ConfigurationError("the models are not loaded yet", hint="wait a moment")
        judge = self._judge
        found = await asyncio.to_thread(judge.triaged, [post.text for post in posts], [post.language for post in posts])
        async with self._changing:
            for post, judged in zip(posts, found, strict=True):
                await self._place(investigation, post, judged, judge)

    async def _place(self, investigation: Investigation, post: Post, judged: Judgement, judge: Judge) -> None:
        running = self._of(investigation)
        if running.tracker.known(post.id):
            return
        concerned = concerns(investigation.watching, post.text)
        if not concerned and not (investigation.watching.everything and judged.relevance >= 0.5):
            return
        time_s = post.time.timestamp()
        running.budget.add(judged.relevance, time_s)
        running.counts[f"{post.time:%Y-%m-%dT%H}|{post.language}"] += 1
        self._burst(investigation, running, time_s)
        threshold = running.budget.threshold
        reasons = judge.reasons(post.text, post.language, judged) if judged.relevance >= threshold else []
        event = running.tracker.add(post, judged, reasons, threshold=threshold)
        running.stream.appendleft(
            {
                "time": post.time.isoformat(),
                "text": post.text[:500],
                "language": post.language,
                "kind": judged.kind.value,
                "relevance": round(judged.relevance, 3),
                "sentiment": round(judged.sentiment[2] - judged.sentiment[0], 2),
                "source": post.source,
                "event": event.id if event is not None else None,
                "investigation": investigation.id,
            }
        )
        if event is not None:
            self._changed.add(f"{investigation.id} {event.id}")

    def _burst(self, investigation: Investigation, running: _Running, time_s: float) -> None:
        start = time_s - time_s % BIN_S
        if running.bin_start == 0.0:
            running.bin_start = start
        steps = 0
        while running.bin_start < start and steps < 2_016:
            running.bursts.add(running.bin_start, running.bin_count)
            running.bin_start += BIN_S
            running.bin_count = 0
            steps += 1
        running.bin_start = max(running.bin_start, start)
        running.bin_count += 1

    async def _forget(self, investigation: Investigation, id: str) -> None:
        running = self._running.get(investigation.id)
        if running is None:
            return
        async with self._changing:
            event = running.tracker.forget(id)
            if event is None:
                return
            if event.posts:
                self._changed.add(f"{investigation.id} {event.id}")
            elif (known := self._published.get(event.id)) is not None:
                await self._close(known, "deleted", empty=True)

    # Events

    async def _publish_changed(self) -> None:
        for name in sorted(self._changed):
            investigation, _, id = name.partition(" ")
            running = self._running.get(investigation)
            event = running.tracker.events.get(id) if running is not None else None
            known = self._published.get(id)
            if event is None or (known is not None and known.content["state"] != "awaiting"):
                continue
            result = self._result_of(event, known)
            if known is None or known.content != result.content:
                await self._put(result)
        self._changed.clear()

    def _result_of(self, event: Event, known: ToolResult | None) -> ToolResult:
        content: dict[str, JsonValue] = {
            "state": "awaiting",
            "investigation": event.investigation,
            "kind": event.kind.value,
            "confidence": event.confidence,
            "first": event.first.isoformat(),
            "last": event.last.isoformat(),
            "reasons": list[JsonValue](event.reasons),
            "examples": [{"text": text[:500], "language": language} for _, text, language in event.texts],
            "sentiment": dict(event.sentiment),
            "hours": [{"hour": hour, "posts": count} for hour, count in sorted(event.hours.items())[-48:]],
            "place": event.place.name if event.place else "",
            "trend": _trend(event),
            **event.counted(),
        }
        return ToolResult(
            id=event.id,
            revision=known.revision + 1 if known is not None else 0,
            tool="social",
            kind="event",
            title=event.title[:300],
            time=event.last,
            place=_place_of(event.place),
            content=content,
        )

    async def _put(self, result: ToolResult) -> None:
        await self.context.publish(result)
        self._published[result.id] = result
        while len(self._published) > 1_000:
            del self._published[next(iter(self._published))]

    async def _close(self, known: ToolResult, state: str, *, empty: bool = False, ended: bool = True) -> None:
        content = {**known.content, "state": state, "judged": self.context.clock.now().isoformat()}
        if empty:
            content |= {"examples": [], "reasons": []}
        await self._put(
            known.model_copy(
                update={
                    "revision": known.revision + 1,
                    "ended": self.context.clock.now() if ended else None,
                    "content": content,
                }
            )
        )

    async def _promote(self, known: ToolResult) -> None:
        content: dict[str, Any] = dict(known.content)
        kind = Kind(content["kind"])
        detector = DETECTORS[kind]
        now = self.context.clock.now()
        confidence = float(content["confidence"])
        reasons = [str(one) for one in content["reasons"]] or ["promoted by an analyst"]
        alert = Alert(
            id=derived_id("social-alert", known.id),
            tool="social",
            detector=detector,
            source=str(content["investigation"]),
            headline=f"Posts: {known.title}"[:300],
            # Quoted text leaves the tool only in the analyst's review: the alert says what, not in whose words.
            description=(
                f"{content['posts']} posts by {content['voices']} voices since {str(content['first'])[:16]} UTC, "
                f"{content['copies']} of them copies; {content['trend']}. Reviewed by an analyst."
            ),
            instruction=ACTIONS[detector],
            category=Category.SECURITY if detector == "violence" else Category.SAFETY,
            urgency=Urgency.EXPECTED if detector != "emergency" else Urgency.IMMEDIATE,
            severity=Severity.MODERATE if detector == "unrest" else Severity.SEVERE,
            certainty=Certainty.POSSIBLE,
            confidence=max(0.01, confidence),
            onset=min(datetime.fromisoformat(str(content["first"])), now),
            sent=now,
            place=known.place,
            explanation=tuple(
                Factor(name=_scrubbed(reason)[:300], weight=round(1.0 / len(reasons), 3)) for reason in reasons[:6]
            ),
            model=MODEL,
            data_classes=(DataClass.OPERATIONAL,),
        )
        await self.context.emit(alert)
        promoted = known.model_copy(update={"alert": alert.id})
        await self._close(promoted, "promoted")
        self._count(known, True)

    async def verdict(self, verdict: Verdict) -> None:
        """What people found of a promoted event counts for the quality page."""
        if verdict.correct is None:
            return
        known = next((one for one in self._published.values() if one.alert == verdict.alert), None)
        if known is not None and verdict.correct is False:
            self._count(known, False, taken_back=True)

    def _count(self, known: ToolResult, relevant: bool, *, taken_back: bool = False) -> None:
        week = self.context.clock.now().strftime("%G-W%V")
        languages = known.content.get("languages") or ["und"]
        for language in [str(one) for one in languages] if isinstance(languages, list) else ["und"]:
            cell = self._quality.setdefault(f"{week}|{language}", {"relevant": 0, "not": 0})
            cell["relevant" if relevant else "not"] += 1
            if taken_back and cell["relevant"]:
                cell["relevant"] -= 1

    # Requests

    async def handle(self, request: ToolRequest) -> str:
        async with self._changing:
            if request.id in self._handled:
                return "done before"
            told = await self._handle(request)
            self._handled = [*self._handled[-500:], request.id]
        await self._save()
        return told

    async def _handle(self, request: ToolRequest) -> str:
        match request.task:
            case "open":
                return await self._draft(request)
            case "approve":
                return await self._approve(request)
            case "close":
                found = self._investigation(request)
                await self._end(found)
                await self._publish_investigations()
                return f"{found.title} has ended; its posts are removed"
        known = self._open_event(request)
        match request.task:
            case "promote":
                await self._promote(known)
                return "promoted: the control room sees it"
            case "relevant":
                await self._close(known, "relevant")
                self._count(known, True)
                return "kept as relevant"
            case "not-relevant":
                await self._close(known, "not relevant", empty=True)
                self._count(known, False)
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
        id = EventChosen.model_validate(request.content).id
        found = self._investigations.get(id) or next(
            (one for one in self._investigations.values() if self._investigation_result(one) == id), None
        )
        if found is None:
            raise InvalidInput("there is no such investigation", hint="reload the page")
        return found

    async def _draft(self, request: ToolRequest) -> str:
        wanted = InvestigationWanted.model_validate(request.content)
        watched = (*_listed(wanted.words), *_listed(wanted.places))
        if any(mark in word.lower() for word in watched for mark in ACCOUNT_WORDS):
            raise InvalidInput(
                "an account cannot be watched here",
                hint="watch words and places; accounts of public bodies are sources",
            )
        if not watched and not wanted.everything:
            raise InvalidInput("the investigation watches nothing", hint="name words or places")
        id = f"i-{derived_id('social-investigation', request.id)[:12].lower()}"
        try:
            made = Investigation(
                id=id,
                title=wanted.title,
                purpose=wanted.purpose,
                legal_basis=wanted.legal_basis,
                until=self.context.clock.now() + timedelta(days=wanted.days),
                watching=Watching(
                    words=_listed(wanted.words),
                    places=_listed(wanted.places),
                    languages=tuple(one.lower()[:5] for one in _listed(wanted.languages)) or ("en", "it", "no"),
                    everything=wanted.everything,
                ),
                author=request.person or "unknown",
            )
        except ValidationError as error:
            raise InvalidInput(str(error.errors(include_url=False, include_input=False)[0]["msg"])) from error
        if len(self._investigations) >= 100:
            raise InvalidInput("there are 100 investigations already", hint="close one first")
        self._investigations[made.id] = made
        await self._publish_investigations()
        return "drafted; somebody else approves it"

    async def _approve(self, request: ToolRequest) -> str:
        found = self._investigation(request)
        if found.approver:
            raise InvalidInput("it was approved already", hint="reload the page")
        if request.person is None or request.person == found.author:
            raise InvalidInput("nobody approves an investigation of their own", hint="ask a supervisor or the officer")
        if found.until <= self.context.clock.now():
            raise InvalidInput("its end has passed", hint="draft it anew")
        self._investigations[found.id] = found.model_copy(update={"approver": request.person})
        await self._publish_investigations()
        return f"{found.title} is approved until {found.until:%Y-%m-%d}"

    async def _end(self, investigation: Investigation) -> None:
        """Everything that was kept for it goes; what an analyst kept or promoted stays as a count without texts."""
        self._running.pop(investigation.id, None)
        self._investigations[investigation.id] = investigation.model_copy(
            update={"until": min(investigation.until, self.context.clock.now())}
        )
        for known in list(self._published.values()):
            if known.content.get("investigation") == investigation.id and known.content.get("examples"):
                state = "ended" if known.content["state"] == "awaiting" else str(known.content["state"])
                await self._close(known, state, empty=True)
        await self._publish_investigations()

    # Retention

    async def _expire(self, now: datetime) -> None:
        unrelated = now - timedelta(hours=self.settings.unrelated_hours)
        flagged = now - timedelta(days=self.settings.flagged_days)
        for running in self._running.values():
            while running.stream and datetime.fromisoformat(str(running.stream[-1]["time"])) < unrelated:
                running.stream.pop()
            for event in [one for one in running.tracker.events.values() if one.last < flagged]:
                del running.tracker.events[event.id]
        for known in list(self._published.values()):
            if known.time < flagged and known.incident is None and known.content.get("examples"):
                await self._close(known, "expired", empty=True)

    # Results

    def _active(self) -> list[Investigation]:
        now = self.context.clock.now()
        return [one for one in self._investigations.values() if one.runs(now)]

    def _of(self, investigation: Investigation) -> _Running:
        if investigation.id not in self._running:
            self._running[investigation.id] = _Running(
                Tracker(investigation.id, self._gazetteer), Budget(self.settings.alerts_a_day)
            )
        return self._running[investigation.id]

    def _investigation_result(self, one: Investigation) -> str:
        return derived_id("social-investigation", self.context.tenant, one.id)

    async def _publish_investigations(self) -> None:
        now = self.context.clock.now()
        for one in self._investigations.values():
            state = "running" if one.runs(now) else "draft" if not one.approver else "ended"
            await self._tell(
                "investigation",
                self._investigation_result(one),
                one.title,
                {
                    "id": one.id,
                    "state": state,
                    "purpose": one.purpose,
                    "legal_basis": one.legal_basis,
                    "until": one.until.isoformat(),
                    "approver": one.approver or "waits for approval",
                    "author": one.author,
                    "words": ", ".join(one.watching.words),
                    "places": ", ".join(one.watching.places),
                    "languages": ", ".join(one.watching.languages),
                },
            )

    async def _publish_source(self, source: Source) -> None:
        health = self._health[source.id]
        state = "degraded" if health.problem else "ok" if health.read else "waiting"
        if not source.terms_confirmed_by:
            state = "not allowed"
        await self._tell(
            "source",
            derived_id("social-source", self.context.tenant, source.id),
            source.title,
            {
                "kind": source.kind.value,
                "state": state,
                "terms": source.terms,
                "terms_confirmed_by": source.terms_confirmed_by or "nobody yet: it is not read",
                "posts": health.posts,
                "left": health.left,
                "problem": health.problem,
                "set_aside": list[JsonValue](health.progress.problems[-20:]),
            },
        )

    async def _publish_views(self, now: datetime) -> None:
        posts = sorted(
            (post for running in self._running.values() for post in running.stream),
            key=lambda post: str(post["time"]),
            reverse=True,
        )[:STREAM]
        await self._tell(
            "stream", derived_id("social-stream", self.context.tenant), "Stream", {"posts": list[JsonValue](posts)}
        )
        hours: Counter[str] = Counter()
        for running in self._running.values():
            hours.update(running.counts)
        by_hour: dict[str, dict[str, JsonValue]] = {}
        for key, count in hours.items():
            hour, _, language = key.partition("|")
            name = language if language in ("en", "it", "no") else "other"
            row = by_hour.setdefault(hour, {"hour": f"{hour}:00:00Z", "en": 0, "it": 0, "no": 0, "other": 0})
            row[name] = int(str(row[name])) + count
        events = [
            {
                "id": one.id,
                "title": one.title,
                "kind": one.kind.value,
                "posts": len(one.posts) + one.copies,
                "first": one.first.isoformat(),
                "last": one.last.isoformat(),
            }
            for running in self._running.values()
            for one in sorted(running.tracker.events.values(), key=lambda event: event.last)[-50:]
        ]
        await self._tell(
            "topics",
            derived_id("social-topics", self.context.tenant),
            "Topics",
            {
                "hours": list[JsonValue]([by_hour[hour] for hour in sorted(by_hour)[-48:]]),
                "events": list[JsonValue](events),  # type: ignore[arg-type]
            },
        )
        weeks: list[JsonValue] = []
        for key, cell in sorted(self._quality.items()):
            week, _, language = key.partition("|")
            judged = cell["relevant"] + cell["not"]
            weeks.append(
                {
                    "week": week,
                    "language": language,
                    "judged": judged,
                    "relevant": cell["relevant"],
                    "precision": round(cell["relevant"] / judged, 3) if judged else None,
                }
            )
        await self._tell("quality", derived_id("social-quality", self.context.tenant), "Quality", {"weeks": weeks})

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
        kept = {
            "investigations": [one.model_dump(mode="json") for one in self._investigations.values()],
            "cursors": {id: health.progress.cursor for id, health in self._health.items()},
            "seen": {id: health.progress.seen[-1_000:] for id, health in self._health.items()},
            "quality": self._quality,
            "handled": self._handled,
        }
        await self.context.save_checkpoint(json.dumps(kept).encode())

    def _restore(self, checkpoint: bytes | None) -> None:
        """A checkpoint that cannot be read is none: sources go on from now, drafts are lost and told so in the log."""
        try:
            kept = json.loads(checkpoint or b"{}")
            investigations = [
                Investigation.model_validate_json(json.dumps(one)) for one in kept.get("investigations", [])
            ]
            cursors = {str(id): str(value)[:300] for id, value in kept.get("cursors", {}).items()}
            seen = {str(id): [str(one)[:64] for one in value] for id, value in kept.get("seen", {}).items()}
            quality = {
                str(key): {"relevant": int(cell["relevant"]), "not": int(cell["not"])}
                for key, cell in kept.get("quality", {}).items()
            }
            handled = [str(id) for id in kept.get("handled", [])]
        except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
            self.context.log.warning("social.checkpoint_unreadable")
            return
        configured = {one.id for one in self.settings.investigations}
        self._investigations |= {one.id: one for one in investigations if one.id not in configured}
        for id, health in self._health.items():
            health.progress.cursor = cursors.get(id, "")
            health.progress.seen = seen.get(id, [])
        self._quality, self._handled = quality, handled


def concerns(watching: Watching, text: str) -> bool:
    """Whether a text names what is watched.

    >>> concerns(Watching(words=("harbour",)), "All to the Harbour!")
    True
    >>> concerns(Watching(places=("Old Town",)), "a new town")
    False
    """
    lowered = text.casefold()
    return any(word.casefold().lstrip("#") in lowered for word in (*watching.words, *watching.places))


def _listed(written: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in written.split(",") if len(part.strip()) >= 2))


def _place_of(place: NamedPlace | None) -> Place | None:
    if place is None:
        return None
    return Place(geometry=Point(coordinates=(place.longitude, place.latitude)), name=place.name)


def _trend(event: Event) -> str:
    counts = [count for _, count in sorted(event.hours.items())]
    if len(counts) < 2:
        return "new"
    return "growing" if counts[-1] > counts[-2] else "falling" if counts[-1] < counts[-2] else "steady"


def _scrubbed(reason: str) -> str:
    """Without words of posts: those stay in the analyst's review."""
    return reason.partition(": ")[0] if reason.startswith("words that weighed most") else reason


__all__ = ["UTC", "SocialTool", "concerns"]
