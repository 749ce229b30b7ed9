"""The live side: sources polled, items judged, reviewed and promoted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, cast

from pydantic import BaseModel, ValidationError

from impetus.model import ImpetusError, InvalidInput, ToolRequest, ToolResult, Verdict, derived_id
from impetus.sdk import Context, Tool
from impetus.tools.cti.alerting import alert_of
from impetus.tools.cti.case import CaseState, add_source, case_content, signature_of
from impetus.tools.cti.duplicates import DuplicateIndex, signature
from impetus.tools.cti.exploitation import exploitations
from impetus.tools.cti.extraction import Extraction, extract
from impetus.tools.cti.fetching import Fetcher
from impetus.tools.cti.grading import HALF_LIFE_DAYS, TRUST, decayed
from impetus.tools.cti.health import Health
from impetus.tools.cti.items import Item
from impetus.tools.cti.masking import masked
from impetus.tools.cti.misp_export import MispExport
from impetus.tools.cti.promotion import BY_A_PERSON, intelligence_of
from impetus.tools.cti.relevance import Matcher, Relevance
from impetus.tools.cti.rules import PromotionRule
from impetus.tools.cti.settings import CtiSettings, Source
from impetus.tools.cti.sources import Reading, SourceState, Told, read_source
from impetus.tools.cti.trend import Trend
from impetus.tools.cti.wanted import ItemChosen, NoteWanted, Nothing, WatchWanted
from impetus.tools.cti.watch import Watch, WatchItem

FADED = 0.2
"""An item that nobody judged leaves the queue when its relevance has sunk so far."""
FADE_EVERY_S = 3_600.0
OPEN_ITEMS = 2_000
MISP_EVERY_S = 10.0


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
        self._health = {source.id: Health() for source in settings.sources}
        self._cases: dict[str, ToolResult] = {}
        """The newest state of each item that was published."""
        self._duplicates = DuplicateIndex()
        self._trend = Trend()
        self._trend_revision = 0
        self._trend_told = ""
        self._exploited: dict[str, ToolResult] = {}
        self._handled: list[str] = []
        self._changing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._faded_s = context.clock.monotonic_s()
        self._fetcher: Fetcher | None = None
        self._misp = MispExport(settings, context.clock)

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
                await self._send_to_misp(self._fetcher)
                self._wake.clear()
                now_s = self.context.clock.monotonic_s()
                wait_s = min((one.next_s - now_s for one in self._health.values()), default=3_600.0)
                wait_s = min(wait_s, MISP_EVERY_S) if self._misp.waiting else wait_s
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
        problems += [self._misp.problem] if self._misp.problem else []
        await self.context.degraded("; ".join(problems[-5:])[:1_000] or None)
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
            health.failed(str(error), now_s, source.every_s)
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
            self._trend.count(now, relevance)
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
            alert = (
                alert_of(id, source, item, relevance, now) if relevance.score >= self.settings.alert_relevance else None
            )
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
            for told_of in exploitations(
                case, extraction, relevance, self._exploited, tenant=self.context.tenant, now=now
            ):
                self._exploited[told_of.id] = told_of
                await self.context.publish(told_of)
            rule = next((one for one in self.settings.promotion_rules if one.holds(case.content)), None)
            if rule is not None and relevance.relevant:
                await self._promote(case, rule)

    def _judged(self, item: Item, source: Source) -> tuple[Relevance, Extraction]:
        found = self._matcher.judge(item.whole)
        score = found.score * TRUST[source.reliability]
        if item.published is not None:
            age = (self.context.clock.now() - item.published) / timedelta(days=1)
            score = decayed(score, age, HALF_LIFE_DAYS[found.kind])
        relevance = Relevance(round(score, 4), found.kind, found.matches, found.threats)
        return relevance, extract(item.whole, minimum=0.5)

    async def _join(self, case: ToolResult, source: Source, item: Item) -> None:
        """The same reporting once more: its source is added, nothing is thrown away."""
        content = add_source(dict(case.content), source, item.url)
        if content is not None:
            await self._put(case.model_copy(update={"revision": case.revision + 1, "content": content}))

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

    async def _promote(self, case: ToolResult, rule: PromotionRule | None = None) -> str:
        because = BY_A_PERSON if rule is None else f"Promoted by a written rule. {rule.title}"
        intelligence, made = intelligence_of(
            case, self.context.clock.now(), because=because, types=rule.types if rule else ()
        )
        await self.context.publish(intelligence)
        await self._close(case, CaseState.PROMOTED)
        self._misp.add(intelligence)
        self._wake.set()
        return f"promoted: {made} indicators"

    async def _send_to_misp(self, fetcher: Fetcher) -> None:
        """Send what waits for the MISP server; a failure is shown and tried again later."""
        if self._misp.waiting and await self._misp.send(
            fetcher, await self.context.published("intelligence", limit=OPEN_ITEMS)
        ):
            await self._save()

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

    async def _publish_trend(self) -> None:
        rows = self._trend.rows()
        written = json.dumps(rows)
        if written == self._trend_told or not rows:
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
                content={"days": rows},
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
        content = health.content(source)
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
            "days": self._trend.days,
            "trend_revision": self._trend_revision,
            "handled": self._handled,
            "misp": self._misp.waiting,
        }
        await self.context.save_checkpoint(json.dumps(kept).encode())

    def _restore(self, checkpoint: bytes | None) -> None:
        """What was known before. A checkpoint that cannot be read is none: sources are read again, and the same items
        have the same identifiers."""
        try:
            kept = json.loads(checkpoint or b"{}")
            states = {id: SourceState.model_validate(state) for id, state in kept.get("sources", {}).items()}
            watch = Watch.model_validate(kept["watch"]) if kept.get("watch") else self._watch
            trend = Trend(kept.get("days", {}))
            counts = {id: (int(pair[0]), int(pair[1])) for id, pair in kept.get("counts", {}).items()}
            aside = {id: [str(one) for one in lines][:50] for id, lines in kept.get("set_aside", {}).items()}
            revisions = int(kept.get("watch_revision", 0)), int(kept.get("trend_revision", 0))
            handled = [str(id) for id in kept.get("handled", [])]
            self._misp.restore(kept.get("misp", {}))
        except (ValueError, AttributeError, TypeError, KeyError, IndexError, RecursionError):
            self.context.log.warning("cti.checkpoint_unreadable")
            return
        for id, health in self._health.items():
            health.state = states.get(id, health.state)
            health.items, health.relevant = counts.get(id, (0, 0))
            health.set_aside = aside.get(id, [])
        self._watch, self._matcher = watch, Matcher(watch)
        self._trend, self._handled = trend, handled
        self._watch_revision, self._trend_revision = revisions


def _listed(written: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in written.split(",") if len(part.strip()) >= 2)
