"""The live side: sources polled, items judged, reviewed and promoted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from impetus.model import (
    Alert,
    Category,
    Certainty,
    Factor,
    ImpetusError,
    InvalidInput,
    ModelReference,
    Severity,
    ToolRequest,
    ToolResult,
    Urgency,
    Verdict,
    derived_id,
)
from impetus.sdk import Context, Tool
from impetus.tools.cti.case import CaseState, add_source, case_content, indicators_of, observed, signature_of
from impetus.tools.cti.duplicates import DuplicateIndex, signature
from impetus.tools.cti.entities import Entity, EntityKind
from impetus.tools.cti.extraction import Extraction, extract
from impetus.tools.cti.fetching import Fetcher
from impetus.tools.cti.grading import HALF_LIFE_DAYS, TRUST, Reliability, decayed
from impetus.tools.cti.indicators import IndicatorType
from impetus.tools.cti.items import Item
from impetus.tools.cti.masking import masked
from impetus.tools.cti.relevance import RELEVANT, Matcher, Relevance
from impetus.tools.cti.settings import CtiSettings, Source
from impetus.tools.cti.sources import Reading, SourceState, Told, read_source
from impetus.tools.cti.stix import Tlp, indicator_objects, report_objects
from impetus.tools.cti.techniques import Technique
from impetus.tools.cti.watch import Watch, WatchItem, WatchKind

MODEL = ModelReference(name="cti watch match", version="1")
FADED = 0.2
"""An item that nobody judged leaves the queue when its relevance has sunk so far."""
FADE_EVERY_S = 3_600.0
OPEN_ITEMS = 2_000
TREND_DAYS = 60
DETECTORS = {
    "leak": "leak",
    "phishing": "lookalike",
    "vulnerability": "exposure",
    "attack": "threat",
    "mention": "threat",
}
CATEGORIES = {"exposure": Category.INFRA}
HEADLINES = {
    "leak": "Leak or access for sale",
    "lookalike": "Look-alike or phishing",
    "exposure": "Vulnerability of what is in use",
    "threat": "Threat in reporting",
}
ACTIONS = {
    "leak": "Check whether the leaked accounts are in use; change their passwords and look for log-ins since the leak.",
    "lookalike": "Warn staff and citizens, and ask the registrar to take the name down.",
    "exposure": "Check where the software runs and whether it can be reached; patch or shield it first.",
    "threat": "Tell those who run what is named, and watch it more closely.",
}


class ItemChosen(BaseModel):
    """Names an item of the queue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(title="Item", min_length=1, max_length=128)]


class NoteWanted(ItemChosen):
    """A case note."""

    text: Annotated[str, Field(title="Note", min_length=1, max_length=2_000)]


class WatchWanted(BaseModel):
    """Something to watch; never a private person."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Annotated[WatchKind, Field(title="Kind")] = WatchKind.BRAND
    name: Annotated[str, Field(title="Name, domain or address range", min_length=2, max_length=200)]
    aliases: Annotated[str, Field(title="Other names, with commas", max_length=1_000)] = ""
    context: Annotated[str, Field(title="Words that stand near it, with commas", max_length=1_000)] = ""
    ambiguous: Annotated[bool, Field(title="Means other things too")] = False


class Nothing(BaseModel):
    """No particulars."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass
class _Health:
    """How a source does."""

    state: SourceState = field(default_factory=SourceState)
    next_s: float = 0.0
    failures: int = 0
    told: str = ""
    """The last published content, so that only news is published."""
    revision: int = 0
    read: datetime | None = None
    problem: str = ""
    set_aside: list[str] = field(default_factory=list)
    items: int = 0
    relevant: int = 0


class CtiTool(Tool[CtiSettings]):
    """Reads sources for one organisation."""

    settings_type: ClassVar[type[CtiSettings]] = CtiSettings
    task_models: ClassVar[Mapping[str, type[BaseModel]]] = {
        "keep": ItemChosen,
        "reject": ItemChosen,
        "promote": ItemChosen,
        "note": NoteWanted,
        "watch-add": WatchWanted,
        "watch-remove": ItemChosen,
        "poll": Nothing,
    }

    def __init__(self, context: Context, settings: CtiSettings) -> None:
        super().__init__(context, settings)
        self._watch = Watch(items=settings.watch)
        self._watch_revision = 0
        self._matcher = Matcher(self._watch)
        self._health = {source.id: _Health() for source in settings.sources}
        self._cases: dict[str, ToolResult] = {}
        """The newest state of each item that was published."""
        self._duplicates = DuplicateIndex()
        self._days: dict[str, dict[str, int]] = {}
        self._trend_revision = 0
        self._trend_told = ""
        self._exploited: dict[str, ToolResult] = {}
        self._handled: list[str] = []
        self._changing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._faded_s = context.clock.monotonic_s()
        self._fetcher: Fetcher | None = None

    async def start(self) -> None:
        self._restore(await self.context.load_checkpoint())
        for kind in ("item", "report"):
            for result in reversed(await self.context.published(kind, limit=OPEN_ITEMS)):
                self._cases[result.id] = result
        for id, case in self._cases.items():
            try:
                self._duplicates.add(id, signature_of(case.content))
            except (KeyError, ValueError):
                self.context.log.warning("cti.signature_unreadable", item=id)
        for result in await self.context.published("exploitation", limit=OPEN_ITEMS):
            self._exploited[result.id] = result
        await self._publish_watch()
        for source in self.settings.sources:
            await self._publish_source(source)

    async def run(self) -> None:
        settings = self.settings
        self._fetcher = Fetcher(
            settings.user_agent,
            limit_s=settings.fetch_limit_s,
            limit_bytes=int(settings.fetch_limit_mb * 1e6),
            socks_proxy=settings.socks_proxy,
            internal_addresses=settings.internal_addresses,
            certificate_authorities=settings.certificate_authorities,
        )
        try:
            while True:
                for source in settings.sources:
                    if self._health[source.id].next_s <= self.context.clock.monotonic_s():
                        await self.poll(source)
                self._wake.clear()
                now_s = self.context.clock.monotonic_s()
                wait_s = min((one.next_s - now_s for one in self._health.values()), default=3_600.0)
                try:
                    async with asyncio.timeout(max(0.2, min(wait_s, 60.0))):
                        await self._wake.wait()
                except TimeoutError:
                    pass
        finally:
            await self._fetcher.close()
            self._fetcher = None

    async def tick(self) -> None:
        problems = [
            f"{source.title}: {self._health[source.id].problem}"
            for source in self.settings.sources
            if self._health[source.id].problem
        ]
        await self.context.degraded("; ".join(problems[:5])[:1_000] or None)
        if self.context.clock.monotonic_s() - self._faded_s >= FADE_EVERY_S:
            self._faded_s = self.context.clock.monotonic_s()
            await self._fade()

    async def stop(self) -> None:
        await self._save()

    async def verdict(self, verdict: Verdict) -> None:
        """A dismissed alert takes its item off the queue: a person has judged it."""
        case = next((one for one in self._cases.values() if one.alert == verdict.alert), None)
        if case is not None and verdict.correct is False and case.content["state"] == CaseState.AWAITING.value:
            async with self._changing:
                await self._close(case, CaseState.REJECTED)

    async def handle(self, request: ToolRequest) -> str:
        async with self._changing:
            if request.id in self._handled:
                return "done before"
            told = await self._handle(request)
            self._handled = [*self._handled[-500:], request.id]
        await self._save()
        return told

    async def poll(self, source: Source) -> None:
        """Read one source now; a failure is shown and tried again later, and holds up nothing else."""
        health = self._health[source.id]
        if self._fetcher is None:
            return
        now_s = self.context.clock.monotonic_s()
        try:
            reading = await read_source(source, health.state, self._fetcher)
            await self._take_all(source, reading)
            health.failures, health.problem = 0, "; ".join(reading.problems[:3])[:500]
            if reading.problems:
                health.set_aside = [*reading.problems, *health.set_aside][:50]
            health.read = self.context.clock.now()
            health.next_s = now_s + source.every_s
        except ImpetusError as error:
            health.failures += 1
            health.problem = str(error)[:500]
            # Politely less and less often, up to an hour.
            health.next_s = now_s + min(max(3_600.0, source.every_s), source.every_s * 2 ** min(health.failures, 8))
            self.context.log.warning("cti.source_failed", source=source.id, error=health.problem)
        await self._publish_source(source)
        await self._publish_trend()
        await self._save()

    async def _take_all(self, source: Source, reading: Reading) -> None:
        health = self._health[source.id]
        for told in reading.told:
            content = f"{told.item.title}\n{told.item.text}"
            if not health.state.is_new(told.item.id, content):
                continue
            try:
                await self._take(source, told)
            except ImpetusError as error:
                reading.problems.append(f"{told.item.title[:80]}: {error}"[:300])
            health.state.remember(told.item.id, content)
        state = health.state
        state.etag, state.modified, state.since = reading.etag, reading.modified, reading.since or state.since

    async def _take(self, source: Source, told: Told) -> None:
        item, tlp = told.item, told.tlp or source.tlp
        relevance, extraction = await asyncio.to_thread(self._judged, item, source)
        signed = await asyncio.to_thread(signature, item.whole)
        async with self._changing:
            now = self.context.clock.now()
            self._count(now, relevance)
            health = self._health[source.id]
            health.items += 1
            health.relevant += relevance.relevant
            known = self._duplicates.find(signed)
            if known is not None and known in self._cases:
                await self._join(self._cases[known], source, item)
                return
            content = case_content(
                item, source, tlp=tlp, now=now, relevance=relevance, extraction=extraction, signature=signed
            )
            id = derived_id("cti-item", self.context.tenant, source.id, item.id, item.title, content["signature"])
            if id in self._cases:
                return
            alert = self._alert(id, source, item, relevance, now) if self._alerts(relevance) else None
            case = ToolResult(
                id=id,
                tool="cti",
                kind="item" if relevance.relevant else "report",
                title=masked(item.title)[:300] or "Untitled",
                time=now,
                alert=alert.id if alert else None,
                content=content,
            )
            await self._put(case)
            self._duplicates.add(id, signed)
            if alert is not None:
                await self.context.emit(alert)
            await self._tell_exploited(case, extraction, relevance, now)

    def _judged(self, item: Item, source: Source) -> tuple[Relevance, Extraction]:
        found = self._matcher.judge(item.whole)
        score = found.score * TRUST[source.reliability]
        if item.published is not None:
            age = (self.context.clock.now() - item.published) / timedelta(days=1)
            score = decayed(score, age, HALF_LIFE_DAYS[found.kind])
        relevance = Relevance(round(score, 4), found.kind, found.matches, found.threats)
        return relevance, extract(item.whole, minimum=0.5)

    def _alerts(self, relevance: Relevance) -> bool:
        return relevance.score >= self.settings.alert_relevance

    def _alert(self, item_id: str, source: Source, item: Item, relevance: Relevance, now: datetime) -> Alert:
        detector = DETECTORS[relevance.kind]
        ordered = sorted(relevance.matches, key=lambda one: -one.strength)
        strongest = list({one.reason: one for one in reversed(ordered)}.values())[::-1]
        total = sum(one.strength for one in strongest[:8]) or 1.0
        watched = list(dict.fromkeys(one.item.name for one in strongest))
        severity = Severity.MODERATE
        if relevance.score >= 0.85 and detector != "lookalike":
            severity = Severity.SEVERE
        return Alert(
            id=derived_id("cti-alert", item_id),
            tool="cti",
            detector=detector,
            source=source.id,
            headline=f"{HEADLINES[detector]}: {', '.join(watched[:2])}"[:300],
            description=masked(f"{item.title}\n\nRead in: {source.title}.")[:2_000],
            instruction=ACTIONS[detector],
            category=CATEGORIES.get(detector, Category.SECURITY),
            urgency=Urgency.EXPECTED,
            severity=severity,
            certainty=Certainty.POSSIBLE,
            confidence=min(0.99, relevance.score),
            onset=min(item.published or now, now),
            sent=now,
            explanation=tuple(
                Factor(
                    name=masked(one.reason)[:300],
                    weight=round(one.strength / total, 3),
                    observed=masked(one.text)[:200],
                    expected=f"{one.item.kind.value} {one.item.name}"[:200],
                )
                for one in strongest[:8]
            ),
            model=MODEL,
        )

    async def _join(self, case: ToolResult, source: Source, item: Item) -> None:
        """The same reporting once more: its source is added, nothing is thrown away."""
        content = add_source(dict(case.content), source, item.url)
        if content is not None:
            await self._put(case.model_copy(update={"revision": case.revision + 1, "content": content}))

    async def _tell_exploited(
        self, case: ToolResult, extraction: Extraction, relevance: Relevance, now: datetime
    ) -> None:
        """A vulnerability that is said to be exploited or traded is told to whoever reads that: the cyber tool."""
        concepts = {threat.concept for threat in relevance.threats}
        exploited = bool({"exploit"} & concepts) and bool({"intrusion", "ransomware", "denial"} & concepts)
        traded = "access" in concepts and "exploit" in concepts
        if not (exploited or traded):
            return
        for cve in dict.fromkeys(one.value for one in extraction.indicators if one.type is IndicatorType.CVE):
            id = derived_id("cti-exploitation", self.context.tenant, cve)
            known = self._exploited.get(id)
            before = known.content if known else {}
            items = list(cast(list[str], before.get("items", [])))
            if case.id in items:
                continue
            trust = max((TRUST[Reliability(one["reliability"])] for one in _sources(case)), default=0.75)
            missed = 1.0 - float(cast(float, before.get("likelihood", 0.0)))
            content: dict[str, JsonValue] = {
                "cve": cve,
                "exploited": exploited or bool(before.get("exploited")),
                "traded": traded or bool(before.get("traded")),
                "likelihood": round(1.0 - missed * (1.0 - 0.6 * trust), 4),
                "items": list[JsonValue]([*items, case.id][-50:]),
                "last_seen": now.isoformat(),
            }
            result = ToolResult(
                id=id,
                revision=known.revision + 1 if known else 0,
                tool="cti",
                kind="exploitation",
                title=f"{cve} is reported as {'exploited' if content['exploited'] else 'traded'}",
                time=now,
                content=content,
            )
            self._exploited[id] = result
            await self.context.publish(result)

    async def _handle(self, request: ToolRequest) -> str:
        match request.task:
            case "keep":
                await self._close(self._open_case(request), CaseState.KEPT)
                return "kept"
            case "reject":
                await self._close(self._open_case(request), CaseState.REJECTED)
                return "rejected"
            case "promote":
                return await self._promote(self._open_case(request))
            case "note":
                wanted = NoteWanted.model_validate(request.content)
                return await self._note(self._case(wanted.id), wanted.text)
            case "watch-add":
                return await self._watch_add(WatchWanted.model_validate(request.content))
            case "watch-remove":
                chosen = ItemChosen.model_validate(request.content)
                return await self._watch_remove(chosen.id)
            case "poll":
                for health in self._health.values():
                    health.next_s = 0.0
                self._wake.set()
                return f"{len(self._health)} sources are being read"
            case _:
                raise InvalidInput(f"there is no task {request.task!r}")

    def _case(self, id: str) -> ToolResult:
        case = self._cases.get(id)
        if case is None:
            raise InvalidInput("there is no such item", hint="it may have passed its retention time; reload the page")
        return case

    def _open_case(self, request: ToolRequest) -> ToolResult:
        case = self._case(ItemChosen.model_validate(request.content).id)
        if case.content["state"] not in (CaseState.AWAITING.value, CaseState.ASIDE.value):
            raise InvalidInput(f"the item was {case.content['state']} already", hint="somebody else was quicker")
        return case

    async def _close(self, case: ToolResult, state: CaseState) -> None:
        now = self.context.clock.now()
        content = {**case.content, "state": state.value, "judged": now.isoformat()}
        await self._put(case.model_copy(update={"revision": case.revision + 1, "ended": now, "content": content}))

    async def _promote(self, case: ToolResult) -> str:
        now = self.context.clock.now()
        content = cast(dict[str, Any], case.content)
        tlp = Tlp(content["tlp"])
        indicators = indicators_of(content)
        relevance = float(content["first_relevance"])
        objects = report_objects(
            title=case.title,
            text=case.id,
            time=now,
            published=datetime.fromisoformat(content["published"]) if content["published"] else case.time,
            indicators=observed(content),
            entities=[Entity(0, 0, EntityKind(one["kind"]), one["name"]) for one in content["entities"]],
            techniques=[Technique(one["technique"], one["score"], 0, 0) for one in content["techniques"]],
            tlp=tlp,
            references=[one["url"] for one in content["sources"] if one["url"].startswith(("https://", "http://"))],
            labels=[content["kind"]],
        )
        made = indicator_objects(
            indicators, time=now, tlp=tlp, item=case.id, title=case.title, confidence=round(100 * min(1.0, relevance))
        )
        distinct = {one["id"]: one for one in (*objects, *made)}
        report = next(one for one in distinct.values() if one["type"] == "report")
        report["description"] = "Reviewed and promoted by a person."
        report["object_refs"] = sorted(
            id for id in distinct if not id.startswith(("report--", "marking-definition--"))
        ) or [objects[0]["id"]]
        intelligence = ToolResult(
            id=derived_id("cti-intelligence", case.id),
            tool="cti",
            kind="intelligence",
            title=case.title,
            time=now,
            alert=case.alert,
            content={"tlp": tlp.value, "item": case.id, "grade": content["grade"], "objects": list(distinct.values())},
        )
        await self.context.publish(intelligence)
        await self._close(case, CaseState.PROMOTED)
        return f"promoted: {len([one for one in made if one['type'] == 'indicator'])} indicators"

    async def _note(self, case: ToolResult, text: str) -> str:
        notes = [*cast(list[Any], case.content["notes"]), {"time": self.context.clock.now().isoformat(), "text": text}]
        if len(notes) > 50:
            raise InvalidInput("the item holds 50 notes already", hint="write into the incident instead")
        content = {**case.content, "notes": notes}
        await self._put(case.model_copy(update={"revision": case.revision + 1, "content": content}))
        return "noted"

    async def _watch_add(self, wanted: WatchWanted) -> str:
        try:
            item = WatchItem(
                kind=wanted.kind,
                name=wanted.name,
                aliases=_listed(wanted.aliases),
                context=_listed(wanted.context),
                ambiguous=wanted.ambiguous,
            )
        except ValidationError as error:
            raise InvalidInput(str(error.errors(include_url=False, include_input=False)[0]["msg"])) from error
        await self._set_watch(self._watch.with_item(item))
        return f"{item.name} is watched"

    async def _watch_remove(self, key: str) -> str:
        if all(item.key != key for item in self._watch.items):
            raise InvalidInput("that is not watched", hint="reload the page")
        await self._set_watch(self._watch.without(key))
        return "watched no more"

    async def _set_watch(self, watch: Watch) -> None:
        self._watch, self._matcher = watch, await asyncio.to_thread(Matcher, watch)
        self._watch_revision += 1
        await self._publish_watch()

    async def _put(self, case: ToolResult) -> None:
        await self.context.publish(case)
        self._cases[case.id] = case
        while len(self._cases) > 2 * OPEN_ITEMS:
            del self._cases[next(iter(self._cases))]

    async def _fade(self) -> None:
        """Relevance sinks with time; what nobody judged until then leaves the queue, and stays readable."""
        now = self.context.clock.now()
        async with self._changing:
            for case in list(self._cases.values()):
                if case.content["state"] != CaseState.AWAITING.value:
                    continue
                first = float(cast(float, case.content["first_relevance"]))
                age = (now - case.time) / timedelta(days=1)
                score = round(decayed(first, age, HALF_LIFE_DAYS[str(case.content["kind"])]), 3)
                if score < FADED:
                    await self._close(case, CaseState.FADED)
                elif float(cast(float, case.content["relevance"])) - score >= 0.02:
                    content = {**case.content, "relevance": score}
                    await self._put(case.model_copy(update={"revision": case.revision + 1, "content": content}))

    def _count(self, now: datetime, relevance: Relevance) -> None:
        day = self._days.setdefault(now.date().isoformat(), {})
        day["items"] = day.get("items", 0) + 1
        if relevance.score >= RELEVANT:
            day["relevant"] = day.get("relevant", 0) + 1
            day[relevance.kind] = day.get(relevance.kind, 0) + 1
        for old in sorted(self._days)[:-TREND_DAYS]:
            del self._days[old]

    async def _publish_trend(self) -> None:
        kinds = ("items", "relevant", "leak", "phishing", "vulnerability", "attack", "mention")
        days = [
            {"day": day, **{kind: counts.get(kind, 0) for kind in kinds}} for day, counts in sorted(self._days.items())
        ]
        written = json.dumps(days)
        if written == self._trend_told or not days:
            return
        self._trend_told = written
        self._trend_revision += 1
        await self.context.publish(
            ToolResult(
                id=derived_id("cti-trend", self.context.tenant),
                revision=self._trend_revision,
                tool="cti",
                kind="trend",
                title="Items a day",
                time=self.context.clock.now(),
                content={"days": cast(JsonValue, days)},
            )
        )

    async def _publish_watch(self) -> None:
        await self.context.publish(
            ToolResult(
                id=derived_id("cti-watch", self.context.tenant),
                revision=self._watch_revision,
                tool="cti",
                kind="watch",
                title="Watch",
                time=self.context.clock.now(),
                content={
                    "items": [
                        {
                            "id": item.key,
                            "kind": item.kind.value,
                            "name": item.name,
                            "aliases": ", ".join(item.aliases),
                            "context": ", ".join(item.context),
                        }
                        for item in self._watch.items[:1_000]
                    ]
                },
            )
        )

    async def _publish_source(self, source: Source) -> None:
        health = self._health[source.id]
        content: dict[str, JsonValue] = {
            "kind": source.kind.value,
            "purpose": source.purpose,
            "legal_basis": source.legal_basis,
            "reliability": source.reliability.value,
            "state": "degraded" if health.problem else "ok" if health.read else "waiting",
            "problem": health.problem,
            "set_aside": list[JsonValue](health.set_aside[:20]),
            "read": health.read.isoformat() if health.read else None,
            "items": health.items,
            "relevant": health.relevant,
        }
        written = json.dumps({**content, "read": None})
        now_s = int(self.context.clock.now().timestamp())
        minute = f"{written}{now_s // 60}"
        if minute == health.told:
            return
        health.told = minute
        health.revision = max(health.revision + 1, now_s)
        await self.context.publish(
            ToolResult(
                id=derived_id("cti-source", self.context.tenant, source.id),
                revision=health.revision,
                tool="cti",
                kind="source",
                title=source.title,
                time=self.context.clock.now(),
                content=content,
            )
        )

    async def _save(self) -> None:
        kept = {
            "sources": {id: health.state.model_dump() for id, health in self._health.items()},
            "counts": {id: [health.items, health.relevant] for id, health in self._health.items()},
            "set_aside": {id: health.set_aside for id, health in self._health.items()},
            "watch": self._watch.model_dump(mode="json") if self._watch_revision else None,
            "watch_revision": self._watch_revision,
            "days": self._days,
            "trend_revision": self._trend_revision,
            "handled": self._handled,
        }
        await self.context.save_checkpoint(json.dumps(kept).encode())

    def _restore(self, checkpoint: bytes | None) -> None:
        """What was known before. A checkpoint that cannot be read is none: sources are read again, and the same items
        have the same identifiers."""
        try:
            kept = json.loads(checkpoint or b"{}")
            states = {id: SourceState.model_validate(state) for id, state in kept.get("sources", {}).items()}
            watch = Watch.model_validate(kept["watch"]) if kept.get("watch") else self._watch
            days = {
                str(day): {str(k): int(v) for k, v in counts.items()} for day, counts in kept.get("days", {}).items()
            }
            counts = {id: (int(pair[0]), int(pair[1])) for id, pair in kept.get("counts", {}).items()}
            aside = {id: [str(one) for one in lines][:50] for id, lines in kept.get("set_aside", {}).items()}
            revisions = int(kept.get("watch_revision", 0)), int(kept.get("trend_revision", 0))
            handled = [str(id) for id in kept.get("handled", [])]
        except (ValueError, AttributeError, TypeError, KeyError, IndexError, RecursionError):
            self.context.log.warning("cti.checkpoint_unreadable")
            return
        for id, health in self._health.items():
            health.state = states.get(id, health.state)
            health.items, health.relevant = counts.get(id, (0, 0))
            health.set_aside = aside.get(id, [])
        self._watch, self._matcher = watch, Matcher(watch)
        self._days, self._handled = days, handled
        self._watch_revision, self._trend_revision = revisions


def _listed(written: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in written.split(",") if len(part.strip()) >= 2)


def _sources(case: ToolResult) -> Sequence[Mapping[str, Any]]:
    return cast(Sequence[Mapping[str, Any]], case.content["sources"])
