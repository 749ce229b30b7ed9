"""The live side: alerts of intrusion detection systems in; intrusions, the attack graph and plans out."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from pydantic import BaseModel, JsonValue

from impetus.model import (
    Alert,
    Category,
    Certainty,
    Factor,
    ImpetusError,
    InvalidInput,
    ModelReference,
    Place,
    Point,
    RequestOrigin,
    Severity,
    ToolRequest,
    ToolResult,
    Urgency,
    Verdict,
    derived_id,
    from_microseconds,
)
from impetus.sdk import Context, Tool
from impetus.tools.cyber.assessing import Assessed, assess
from impetus.tools.cyber.countermeasures import (
    DEFENCES,
    Measure,
    Plan,
    candidates,
    evaluate,
    held_by_intruder,
    plan,
    targets_of,
)
from impetus.tools.cyber.drawing import drawing
from impetus.tools.cyber.episodes import Episode, SecurityAlert, Watcher, iso
from impetus.tools.cyber.intrusions import Intrusion, Intrusions, identifier, posterior
from impetus.tools.cyber.inventory import merge
from impetus.tools.cyber.knowledge import Known, read_knowledge, with_reports
from impetus.tools.cyber.network import CVE, Asset, Network, read_network
from impetus.tools.cyber.scans import read_scan
from impetus.tools.cyber.settings import CyberSettings
from impetus.tools.cyber.signature_trust import SignatureTrust
from impetus.tools.cyber.sources import follow, listen
from impetus.tools.cyber.wanted import MeasureNamed, PlanWanted

MODEL = ModelReference(name="cyber episodes", version="1")
COMPROMISED = 0.5
QUEUE = 50_000
EXPLOITATION = "exploitation"
"""Kind of result of the tool `cti`: a CVE that is reported as exploited, `likelihood` how surely."""
MOST_REPORTS = 2_000


class CyberTool(Tool[CyberSettings]):
    """Watches the networks of one organisation."""

    settings_type: ClassVar[type[CyberSettings]] = CyberSettings
    task_models: ClassVar[Mapping[str, type[BaseModel]]] = {
        "plan": PlanWanted,
        "what-if": MeasureNamed,
        "approve": MeasureNamed,
    }

    def __init__(self, context: Context, settings: CyberSettings) -> None:
        super().__init__(context, settings)
        self._network: Network | None = None
        self._known: dict[str, Known] = {}
        self._names: dict[str, str] = {}
        self._assets: dict[str, Asset] = {}
        self._weaknesses: set[str] = set()
        self._assessed: Assessed | None = None
        self._measures: dict[str, Measure] = {}
        self._trust = SignatureTrust()
        self._watcher = Watcher(trust=self._trust.weights)
        self._waiting: list[SecurityAlert] = []
        self._skipped: Counter[str] = Counter()
        self._intrusions = Intrusions(context.tenant)
        self._newest_s = 0.0
        self._footholds: dict[str, float] = {}
        self._planned_from: frozenset[str] = frozenset()
        """The footholds from which the standing plan was made."""
        self._remarks: list[str] = []
        self._reports: tuple[tuple[int, int] | None, ...] = ()
        """Time of change and size of each scanner's report when it was read; None for one that was not there."""
        self._reported: dict[str, float] = {}
        """CVE -> how sure threat intelligence is that it is exploited."""
        self._report_revisions: dict[str, int] = {}
        self._changed = False
        """Whether the graph has to be worked out anew."""
        self._graph_revision = 0

    async def start(self) -> None:
        self._restore(await self.context.load_checkpoint())
        try:
            await asyncio.to_thread(self._load)
        except ImpetusError as error:
            self._remarks.append(str(error)[:300])
        for report in await self.context.published(EXPLOITATION, tool="cti", limit=MOST_REPORTS):
            self._note_report(report)
        if self._network is not None:
            await self._work_out()
            await self._plan_again()
        await self._tell_state()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            if self.settings.eve_file is not None:
                group.create_task(follow(self.settings.eve_file, self._skipped, self.take))
            if self.settings.tcp_port:
                group.create_task(listen(self.settings.tcp_host, self.settings.tcp_port, self._skipped, self.take))

    def take(self, alert: SecurityAlert) -> None:
        """An alert of a sensor; what is beyond what can wait is counted."""
        if len(self._waiting) >= QUEUE:
            self._skipped[f"alerts while {QUEUE} waited"] += 1
            return
        self._waiting.append(alert)

    async def tick(self) -> None:
        waiting, self._waiting = self._waiting, []
        now_s = self.context.clock.now().timestamp()
        changed: list[Intrusion] = []
        for number, alert in enumerate(sorted(waiting, key=lambda one: one.time_s)):
            if alert.time_s <= self._newest_s - 7 * 86_400:
                self._skipped["alerts more than a week late"] += 1
                continue
            time_s = alert.time_s
            if time_s > now_s + self.settings.skew_s:
                self._skipped["alerts from the future, taken to be of now"] += 1
                time_s = now_s
            host = self._names.get(alert.host.lower()) or self._names.get(alert.source.lower()) or alert.host
            ended = self._watcher.take(replace(alert, time_s=time_s, host=host[:128] or "unknown"))
            changed.extend(self._intrusions.join(one, alert.source, self._assets) for one in ended)
            self._newest_s = max(self._newest_s, time_s)
            if number % 500 == 499:
                await asyncio.sleep(0)
        if self._reports_now() != self._reports:
            await self._read_again()
        current = self._watcher.current()
        if current is not None and (waiting or current.end_s > now_s - 60):
            changed.append(self._intrusions.join(current, waiting[-1].source if waiting else "", self._assets))
        changed.extend(self._intrusions.join(one, "", self._assets) for one in self._watcher.close(now_s))
        if self._changed:
            await self._work_out()
        for intrusion in {one.id: one for one in changed}.values():
            await self._tell(intrusion)
        if self._planned_from != frozenset(self._footholds) and self._assessed is not None:
            await self._plan_again()
        await self._tell_state()

    async def stop(self) -> None:
        await self.tick()
        await self._save()

    async def verdict(self, verdict: Verdict) -> None:
        if not self._trust.judge(verdict.alert, verdict.correct):
            return
        intrusion = self._intrusions.of_alert(verdict.alert)
        if intrusion is not None:
            before = dict(self._footholds)
            intrusion.confirmed = verdict.correct
            held = {host for other in self._intrusions.others(intrusion) for host in other.episode.hosts}
            for host in set(intrusion.episode.hosts) - held:
                self._footholds.pop(host, None)
            self._stand(intrusion)
            self._changed |= self._footholds != before
        await self._save()

    async def result(self, result: ToolResult) -> None:
        if result.tool == "cti" and result.kind == EXPLOITATION:
            self._note_report(result)

    async def handle(self, request: ToolRequest) -> str:
        if self._network is None or self._assessed is None:
            raise InvalidInput("there is no model of the network", hint="name one in the tool's settings")
        if request.task == "plan":
            wanted = PlanWanted.model_validate(request.content)
            made = await self._plan(wanted.budget, derived_id(request.id, "plan"), request.id)
            return f"{len(made.measures)} measures for {made.cost:g}: {made.reduction:.0%} less expected loss"
        named = MeasureNamed.model_validate(request.content)
        measure = self._measures.get(named.id)
        if measure is None:
            raise InvalidInput("there is no such measure", hint="take one from the newest plan")
        if request.task == "what-if":
            return await asyncio.to_thread(self._what_if, measure)
        if request.origin is not RequestOrigin.PERSON:
            raise InvalidInput("a measure is approved by a person", hint="nothing else may: no rule, procedure or tool")
        await self.context.publish(
            ToolResult(
                id=derived_id(request.id, "order"),
                tool="cyber",
                kind="work-order",
                title=measure.title[:300],
                time=self.context.clock.now(),
                request=request.id,
                incident=request.incident,
                content=dict(_measure_line(measure)),
            )
        )
        return f"{measure.title}: a work order was made"

    # The network

    def _reports_now(self) -> tuple[tuple[int, int] | None, ...]:
        found: list[tuple[int, int] | None] = []
        for path in self.settings.scan_files:
            try:
                state = path.stat()
                found.append((state.st_mtime_ns, state.st_size))
            except OSError:
                found.append(None)
        return tuple(found)

    async def _read_again(self) -> None:
        """A scanner wrote a new report: the model is made anew, and the graph with it."""
        self._remarks = []
        try:
            await asyncio.to_thread(self._load)
        except ImpetusError as error:
            self._remarks.append(str(error)[:300])
        self._changed = self._network is not None

    def _load(self) -> None:
        settings = self.settings
        self._reports = self._reports_now()
        if settings.knowledge_folder is not None:
            self._known, remarks = read_knowledge(settings.knowledge_folder)
            self._remarks += remarks
        if settings.model_file is None:
            return
        network = read_network(settings.model_file)
        for path in settings.scan_files:
            try:
                scan = read_scan(path)
                network, remarks = merge(network, scan)
                self._remarks += [f"{path.name}: {remark}" for remark in (*scan.remarks, *remarks)][:5]
            except ImpetusError as error:
                self._remarks.append(str(error)[:300])
        self._network = network
        self._weaknesses = {one.id.upper() for asset in network.assets for one in asset.vulnerabilities}
        self._assets = {asset.id: asset for asset in network.assets}
        self._names = {
            name.lower(): asset.id
            for asset in network.assets
            for name in (asset.id, *asset.addresses, *asset.hostnames)
        }

    def _note_report(self, report: ToolResult) -> None:
        """What threat intelligence says of a vulnerability; of one that the network has, the graph is worked out anew
        at the next tick."""
        cve, chance = report.content.get("cve"), report.content.get("likelihood")
        if not (isinstance(cve, str) and CVE.fullmatch(cve) and isinstance(chance, int | float) and 0 <= chance <= 1):
            self._skipped["reports of exploitation that cannot be read"] += 1
            return
        if self._report_revisions.get(report.id, -1) >= report.revision:
            return
        self._report_revisions[report.id] = report.revision
        if cve.upper() in self._weaknesses:
            self._reported[cve.upper()] = float(chance)
            self._changed = True

    async def _work_out(self) -> None:
        """The graph anew, from where the intruder is now."""
        network = self._network
        if network is None:
            return
        settings = self.settings
        self._changed = False
        known = with_reports(self._known, self._reported)
        self._assessed = await asyncio.to_thread(
            assess, network, known, settings.assumptions, worlds=settings.worlds, footholds=self._footholds
        )
        self._graph_revision = max(self._graph_revision + 1, round(self.context.clock.now().timestamp() * 1e3))
        await self.context.publish(
            ToolResult(
                id=derived_id(self.context.tenant, "attack-graph"),
                revision=self._graph_revision,
                tool="cyber",
                kind="attack-graph",
                title=f"Attack graph of {network.name}"[:300],
                time=self.context.clock.now(),
                content=drawing(network, self._assessed, self._footholds, self._reported),
            )
        )

    async def _plan_again(self) -> None:
        """The standing plan, from where the intruder is now."""
        self._planned_from = frozenset(self._footholds)
        if self._network is None or not any(asset.value > 0 for asset in self._network.assets):
            return  # nothing there could be lost
        await self._plan(self.settings.budget, derived_id(self.context.tenant, "plan"), None)

    async def _plan(self, budget: float, id: str, request: str | None) -> Plan:
        network, assessed = self._network, self._assessed
        if network is None or assessed is None:
            raise InvalidInput("there is no model of the network", hint="name one in the tool's settings")
        stands_on = sorted(self._footholds)
        given = held_by_intruder(network, assessed.graph, stands_on)
        measures = await asyncio.to_thread(candidates, network, assessed.graph, self.settings.costs, given=given)
        if not any(asset.value > 0 for asset in network.assets):
            raise InvalidInput("no asset has a value above 0", hint="give `value` to the assets that must not be lost")
        made = await asyncio.to_thread(plan, network, assessed.graph, budget, measures=measures, given=given)
        self._measures = {measure.id: measure for measure in measures}
        where = f"; the intruder stands on {', '.join(stands_on)}" if stands_on else ""
        await self.context.publish(
            ToolResult(
                id=id,
                revision=round(self.context.clock.now().timestamp() * 1e3),
                tool="cyber",
                kind="plan",
                title=f"{len(made.measures)} measures for {made.cost:g} of {budget:g} points{where}"[:300],
                time=self.context.clock.now(),
                request=request,
                content={
                    "budget": budget,
                    "cost": made.cost,
                    "before": round(made.before, 4),
                    "after": round(made.after, 4),
                    "reduction": round(made.reduction, 4),
                    "method": made.method,
                    "stands_on": ", ".join(stands_on[:100]),
                    "bars": [
                        {"when": "before", "loss": round(made.before, 4)},
                        {"when": "after", "loss": round(made.after, 4)},
                    ],
                    "measures": [_measure_line(measure) for measure in made.measures[:300]],
                },
            )
        )
        return made

    def _what_if(self, measure: Measure) -> str:
        if self._network is None or self._assessed is None:
            raise InvalidInput("there is no model of the network", hint="name one in the tool's settings")
        targets, values = targets_of(self._network, self._assessed.graph)
        graph = self._assessed.graph
        given = held_by_intruder(self._network, graph, self._footholds)
        before, after = (evaluate(graph, targets, values, taken, 77, given) for taken in ((), (measure,)))
        return f"{measure.title}: expected loss {before:.2f} -> {after:.2f}; nothing was changed"

    # Intrusions

    def _chances(self, intrusion: Intrusion) -> Mapping[str, float]:
        """Of each host of an intrusion, that it is compromised; a person's word stands."""
        if intrusion.confirmed is False:
            return dict.fromkeys(intrusion.episode.hosts, 0.0)
        likelihood = {one.asset: one.user.likelihood for one in self._assessed.assets} if self._assessed else {}
        found = posterior(intrusion.episode, likelihood, self._footholds)
        if intrusion.confirmed:
            return {host: 1.0 if chance >= COMPROMISED else chance for host, chance in found.items()}
        return found

    def _taken(self, chances: Mapping[str, float]) -> list[str]:
        return [host for host, chance in chances.items() if chance >= COMPROMISED]

    def _stand(self, intrusion: Intrusion) -> bool:
        """Note where the intruder stands; whether that changed. What a person dismissed is no foothold."""
        before = dict(self._footholds)
        chances = self._chances(intrusion)
        self._footholds |= {host: chances[host] for host in self._taken(chances) if host in self._assets}
        return self._footholds != before

    async def _tell(self, intrusion: Intrusion) -> None:
        episode = intrusion.episode
        if intrusion.confirmed is False:
            return
        if self._stand(intrusion):
            await self._work_out()
        chances = self._chances(intrusion)
        taken = self._taken(chances)
        state = (len(episode.surprise), tuple(taken), episode.phase)
        if state == intrusion.told:
            return
        intrusion.told = state
        self._trust.told(intrusion.id, {pair[0] for pair in episode.surprise})
        intrusion.revision += 1
        story = " · ".join(f"{phase} ({', '.join(hosts[:3])})" for phase, _, hosts in episode.story)
        critical = [host for host in taken if host in self._assets and self._assets[host].value > 0]
        entities = [*taken, *(name for host in taken if host in self._assets for name in self._assets[host].entities)]
        next_steps = self._next(set(taken))
        now = self.context.clock.now()
        lead = (taken or episode.hosts)[0]
        strongest = sorted(episode.surprise.items(), key=lambda item: -item[1])[:8]
        total = sum(value for _, value in strongest) or 1.0
        confidence = max(chances.values())
        await self.context.emit(
            Alert(
                id=intrusion.id,
                revision=intrusion.revision,
                tool="cyber",
                detector="intrusion",
                source=identifier(lead),
                headline=f"Intrusion: {episode.phase} on {', '.join(episode.hosts[:3])}"[:300],
                description=f"Phase by phase: {story}."[:4_000],
                instruction=(f"Likely next: {', '.join(next_steps)}." if next_steps else "Look at the hosts named."),
                category=Category.INFRA,
                urgency=Urgency.IMMEDIATE if taken else Urgency.EXPECTED,
                severity=Severity.SEVERE if critical else Severity.MODERATE if taken else Severity.MINOR,
                certainty=Certainty.LIKELY if taken else Certainty.POSSIBLE,
                confidence=round(confidence, 4),
                onset=from_microseconds(round(episode.start_s * 1e6)),
                sent=now,
                place=self._place(taken),
                explanation=tuple(
                    Factor(
                        name=f"{signature} on {host}"[:300],
                        weight=round(value / total, 4),
                        text=self._kind_text(episode, (signature, host)),
                    )
                    for (signature, host), value in strongest
                ),
                entities=tuple(dict.fromkeys(map(identifier, entities)))[:100],
                model=MODEL,
            )
        )
        await self.context.publish(
            ToolResult(
                id=derived_id(intrusion.id, "episode"),
                revision=round(now.timestamp() * 1e3),
                tool="cyber",
                kind="episode",
                title=f"{episode.phase} on {', '.join(episode.hosts[:3])}"[:300],
                time=now,
                alert=intrusion.id,
                content={
                    "start": iso(episode.start_s),
                    "end": iso(episode.end_s),
                    "techniques": list(episode.techniques[:100]),
                    "phase": episode.phase,
                    "score": round(episode.score, 2),
                    "alerts": episode.alerts,
                    "hosts": list(episode.hosts[:100]),
                    "compromised": [{"host": host, "probability": round(chances[host], 4)} for host in taken[:100]],
                    "story": [
                        {
                            "phase": phase,
                            "since": from_microseconds(round(since * 1e6)).isoformat(),
                            "hosts": list(hosts[:20]),
                        }
                        for phase, since, hosts in episode.story
                    ],
                    "next": list(next_steps),
                },
            )
        )

    def _kind_text(self, episode: Episode, pair: tuple[str, str]) -> str:
        kind = episode.kinds[pair]
        return f"{kind.phase} {kind.technique}".strip()

    def _next(self, taken: set[str]) -> list[str]:
        """Critical assets that worlds rerun from the footholds reach most."""
        if self._assessed is None or not taken:
            return []
        open_ = [one for one in self._assessed.assets if one.value > 0 and one.asset not in taken]
        ranked = sorted(open_, key=lambda one: -one.risk)[:3]
        return [f"{one.asset} ({one.user.likelihood:.0%})" for one in ranked if one.user.likelihood >= 0.01]

    def _place(self, hosts: list[str]) -> Place | None:
        for host in hosts:
            asset = self._assets.get(host)
            if asset is not None and asset.longitude is not None and asset.latitude is not None:
                return Place(geometry=Point(coordinates=(asset.longitude, asset.latitude)), name=asset.name or asset.id)
        return None

    # State

    async def _tell_state(self) -> None:
        parts = [*self._remarks[:3]]
        if self._skipped:
            parts.append("skipped: " + ", ".join(f"{count} {what}" for what, count in self._skipped.most_common(4)))
        await self.context.degraded("; ".join(parts)[:500] or None)

    async def _save(self) -> None:
        await self.context.save_checkpoint(json.dumps(self._trust.state()).encode())

    def _restore(self, checkpoint: bytes | None) -> None:
        try:
            self._trust.restore(json.loads(checkpoint or b"{}"))
        except (ValueError, AttributeError, TypeError):
            self.context.log.warning("cyber.checkpoint_unreadable")


def _measure_line(measure: Measure) -> dict[str, JsonValue]:
    return {
        "id": measure.id[:300],
        "kind": measure.kind.value,
        "title": measure.title[:300],
        "asset": measure.asset,
        "cost": measure.cost,
        "d3fend": DEFENCES[measure.kind][0],
        "attack_mitigation": DEFENCES[measure.kind][1],
    }
