"""The live side: a threat at a place in, proposals out, each better than the one before; a person decides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from itertools import islice
from typing import Any, ClassVar, cast

from pydantic import BaseModel, ValidationError

from impetus.model import (
    Alert,
    Category,
    Certainty,
    Datastream,
    Factor,
    InvalidInput,
    ModelReference,
    ObservationBatch,
    Place,
    RequestOrigin,
    Severity,
    ToolRequest,
    ToolResult,
    Urgency,
    derived_id,
    from_microseconds,
)
from impetus.sdk import Context, Tool
from impetus.tools.evacuation.asking import PlanChanged, PlanChosen, PlanWanted, VenueDrawn
from impetus.tools.evacuation.checking import check_venue, venue_document
from impetus.tools.evacuation.counters import FALL_S, Counter
from impetus.tools.evacuation.downwind import exits_in_plume
from impetus.tools.evacuation.features import parse_features
from impetus.tools.evacuation.optimiser import Proposal, optimise
from impetus.tools.evacuation.planning import Settings, gate_choices, setting_for, verifier_for
from impetus.tools.evacuation.plans import Plan
from impetus.tools.evacuation.playback import encode
from impetus.tools.evacuation.proposals import plan_of, proposal_document
from impetus.tools.evacuation.scenario import Scenario, make_scenario
from impetus.tools.evacuation.settings import EvacuationSettings
from impetus.tools.evacuation.simulation import simulate
from impetus.tools.evacuation.threat import plume_of
from impetus.tools.evacuation.venue_sites import Site, Sites, place_at

MODEL = ModelReference(name="evacuation", version="1")
PLAN, DECISION, PLAYBACK, VENUE = "plan", "decision", "playback", "venue"
REPLAN_S = 120.0
"""A hazard zone that changes is planned for anew after so long."""
PREMOVEMENT = {"distribution": "lognormal", "median": 6.0, "sigma": 0.5, "max": 40.0}
"""Of people in sight of others who run; a live plan cannot know better."""


class EvacuationTool(Tool[EvacuationSettings]):
    """Plans evacuations for one organisation."""

    settings_type: ClassVar[type[EvacuationSettings]] = EvacuationSettings
    task_models: ClassVar[Mapping[str, type[BaseModel]]] = {
        "plan": PlanWanted,
        "accept": PlanChosen,
        "reject": PlanChosen,
        "change": PlanChanged,
        "play": PlanChosen,
        "save-venue": VenueDrawn,
    }

    def __init__(self, context: Context, settings: EvacuationSettings) -> None:
        super().__init__(context, settings)
        self._sites = Sites()
        self._streams: dict[str, Datastream] = {}
        self._counters: dict[str, Counter] = {}
        self._fallen: dict[str, float] = {}
        self._planned: dict[str, float] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._newest: dict[str, str] = {}
        """Venue -> the plan that was asked for last."""

    async def start(self) -> None:
        await asyncio.to_thread(self._sites.read, self.settings.venues_folder, self.context.log)
        for kept in await self.context.published(VENUE):
            if kept.content.get("drawn") is True and isinstance(kept.content.get("venue"), Mapping):
                try:
                    self._sites.add(parse_features(kept.content["venue"], default_id=kept.id), kept.content)
                except InvalidInput as error:
                    self.context.log.warning("evacuation.venue_refused", reason=str(error))
        await self._refresh()

    async def run(self) -> None:
        """Publishes the venues for the page, and works out their ways, so that the first plan comes at once."""
        now = self.context.clock.now()
        for site in self._sites:
            await self.context.publish(
                ToolResult(
                    id=derived_id("evacuation", "venue", self.context.tenant, site.source.id),
                    revision=int(now.timestamp()),
                    tool="evacuation",
                    kind=VENUE,
                    title=site.source.name,
                    time=now,
                    place=site.place,
                    content=site.document,
                )
            )
        await asyncio.to_thread(self._warm)

    async def stop(self) -> None:
        for task in self._background:
            task.cancel()

    # Readings

    async def observe(self, batch: ObservationBatch) -> None:
        if any(name not in self._streams for name in batch.datastreams):
            await self._refresh()
        for place in sorted(range(len(batch)), key=lambda index: batch.time_us[index]):
            name = batch.datastreams[batch.index[place]]
            if name not in self._streams:
                continue
            time_s = batch.time_us[place] / 1e6
            if time_s > self.context.clock.now().timestamp() + 300.0:
                continue  # its clock is wrong: the anomaly tool says so
            counter = self._counters.setdefault(name, Counter())
            # What history tells is learnt from, not raised: whoever left then is long gone.
            fresh = time_s > self.context.clock.now().timestamp() - FALL_S
            if counter.add(time_s, batch.value[place]) and fresh:
                await self._watch(name, counter, time_s)

    async def _watch(self, name: str, counter: Counter, time_s: float) -> None:
        """An egress that nobody ordered shows in the counters first."""
        fallen = counter.fall()
        if fallen is None or time_s - self._fallen.get(name, -1e12) < 1_800.0:
            return
        stream = self._streams[name]
        before, now_count = fallen
        onset = from_microseconds(round(time_s * 1e6))
        alert = Alert(
            id=derived_id("evacuation", "egress", name, onset.isoformat()),
            tool="evacuation",
            detector="egress",
            source=name,
            headline=f"People leave {stream.place.name if stream.place and stream.place.name else stream.thing}: "
            f"{now_count:.0f} left of {before:.0f}",
            instruction="Look at the cameras there; ask for a plan if people flee.",
            category=Category.SAFETY,
            urgency=Urgency.IMMEDIATE,
            severity=Severity.MODERATE,
            certainty=Certainty.POSSIBLE,
            confidence=0.5,
            onset=onset,
            sent=max(self.context.clock.now(), onset),
            place=stream.place,
            explanation=(
                Factor(
                    name="People counted",
                    weight=1.0,
                    observed=f"{now_count:.0f}",
                    expected=f"{before:.0f}",
                    text="The count fell within minutes by far more than it scatters.",
                ),
            ),
            model=MODEL,
        )
        await self.context.emit(alert)
        self._fallen[name] = time_s

    async def _refresh(self) -> None:
        for stream in await self.context.datastreams():
            self._streams[stream.id] = stream

    # Results of the air tool

    async def result(self, result: ToolResult) -> None:
        """A hazard zone over a venue sets off a plan; the tool goes on meanwhile."""
        if result.kind != "hazard-zone" or result.ended is not None or result.place is None:
            return
        try:
            site = self._sites.at(result.place, reach_m=self.settings.place_m)
        except InvalidInput:
            return
        now_s = self.context.clock.now().timestamp()
        if now_s - self._planned.get(result.id, -1e12) < REPLAN_S:
            return
        self._planned[result.id] = now_s
        scenario = self._scenario(site, 0, plume_of(result.content))
        await self._plan(
            site, scenario, id=derived_id("evacuation", "plan", result.id), alert=result.alert,
            incident=result.incident, place=result.place, request=None, budget_s=self.settings.budget_s,
        )  # fmt: skip

    # Requests

    async def handle(self, request: ToolRequest) -> str:
        model = self.task_models[request.task]
        try:
            content = model.model_validate(request.content)
        except ValidationError as error:
            raise InvalidInput(f"the request does not fit the task: {error.errors()[0]['msg']}") from error
        if isinstance(content, PlanWanted):
            return await self._handle_plan(request, content)
        if isinstance(content, VenueDrawn):
            return await self._save(request, content)
        if isinstance(content, PlanChanged):
            return await self._change(request, content)
        if not isinstance(content, PlanChosen):
            raise InvalidInput(f"there is no task {request.task!r}")
        if request.task == "play":
            return await self._play(request, content)
        return await self._decide(request, content, accepted=request.task == "accept")

    async def _handle_plan(self, request: ToolRequest, wanted: PlanWanted) -> str:
        spot = None
        if wanted.longitude is not None and wanted.latitude is not None:
            spot = (wanted.longitude, wanted.latitude)
        elif request.place is not None:
            spot = request.place.centre
        if wanted.venue:
            site = self._sites.named(wanted.venue)
        elif spot is not None:
            place = request.place if request.place is not None and wanted.longitude is None else None
            site = self._sites.at(place or place_at(*spot), reach_m=self.settings.place_m)
        else:
            raise InvalidInput(
                "the request names no place and no venue", hint="give longitude and latitude, or a venue"
            )
        threat = await self._threat(request, wanted, spot)
        scenario = self._scenario(site, wanted.people, threat)
        proposal = await self._plan(
            site, scenario, id=derived_id("evacuation", "plan", request.id), alert=request.alert,
            incident=request.incident, place=request.place, request=request.id,
            budget_s=wanted.budget_s or self.settings.budget_s,
        )  # fmt: skip
        return f"{len(proposal.plans)} plans for {site.source.name}; better ones follow"

    async def _threat(
        self, request: ToolRequest, wanted: PlanWanted, spot: tuple[float, float] | None
    ) -> dict[str, Any] | None:
        if request.origin is not RequestOrigin.PERSON and request.alert is not None:
            for zone in await self.context.published("hazard-zone", tool="air"):
                if zone.alert == request.alert:
                    return plume_of(zone.content)
        if wanted.threat == "none" or spot is None:
            return None
        if wanted.threat == "vehicle":
            raise InvalidInput("a vehicle needs a path", hint="plan it as a scenario on the command line")
        reach = {"range_m": self.settings.sight_m} if wanted.threat == "gunman" else {}
        return {"kind": wanted.threat, "at": list(spot), **reach}

    def _scenario(self, site: Site, people: int, threat: dict[str, Any] | None) -> Scenario:
        """The crowd as the counters have it; exits that lead into a plume are closed."""
        now_s = self.context.clock.now().timestamp()
        crowd: dict[str, Any] = {"start_s": PREMOVEMENT, "uncertainty": 0.2, "age": {"adult": 0.8, "elderly": 0.2}}
        counts = {id: count for id in site.sensors if (count := self._count(id, now_s)) is not None}
        if people > 0:
            crowd |= {"count": people, "uncertainty": 0.0}
        elif counts and sum(counts.values()) >= 1:
            crowd["sensors"] = counts
        else:
            crowd["density_pm2"] = self.settings.people_pm2
        closed = dict.fromkeys(exits_in_plume(site.source, threat), False)
        return make_scenario({"people": crowd, "threat": threat, "duration_s": 1_800, "opened": closed})

    def _count(self, sensor: str, now_s: float) -> float | None:
        counter = self._counters.get(sensor)
        return None if counter is None else counter.latest(now_s, self.settings.counter_age_s)

    async def _plan(
        self,
        site: Site,
        scenario: Scenario,
        *,
        id: str,
        alert: str | None,
        incident: str | None,
        place: Place | None,
        request: str | None,
        budget_s: float,
    ) -> Proposal:
        """Publish proposals as they come; the first is given back, so that a person can decide while better ones are
        looked for. A later search for the same venue ends this one. Raises `InvalidInput` if there is no first one."""
        first: asyncio.Future[Proposal] = asyncio.get_running_loop().create_future()
        self._newest[site.source.id] = id

        async def search() -> None:
            kept = {one.id: one.revision for one in await self.context.published(PLAN)}
            revision = kept.get(id, -1) + 1
            settings = Settings(site.source, scenario)
            verifier = verifier_for(budget_s, self.settings.processes) if self.settings.verify else None
            iterator = optimise(
                settings,
                budget_s=budget_s,
                gates=gate_choices(site.source, scenario),
                verify=verifier,
                verify_seeds=1,
            )
            last: Proposal | None = None
            began_s = self.context.clock.monotonic_s()

            async def publish(proposal: Proposal, *, finished: bool) -> None:
                document = proposal_document(proposal, await asyncio.to_thread(settings, {}))
                document |= {
                    "venue": site.source.id,
                    "scenario": json.loads(scenario.model_dump_json(exclude_defaults=True)),
                    "finished": finished,
                    "asked_s_ago": round(self.context.clock.monotonic_s() - began_s, 1),
                }
                await self.context.publish(
                    self._plan_result(id, revision, site, document, alert, incident, place, request)
                )

            try:
                while (proposal := await asyncio.to_thread(next, iterator, None)) is not None:
                    last = proposal
                    await publish(proposal, finished=False)
                    revision += 1
                    if not first.done():
                        first.set_result(proposal)
                    if self._newest[site.source.id] != id:
                        break
            finally:
                if verifier is not None:
                    verifier.close()
            if last is None:
                raise InvalidInput("the time was too short for any plan")
            await publish(last, finished=True)

        task = asyncio.create_task(search())
        self._background.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._background.discard(task)
            error = None if task.cancelled() else task.exception()
            if not first.done():
                first.set_exception(error or InvalidInput("the search for a plan was ended"))
            elif error is not None:
                self.context.log.warning("evacuation.search_failed", reason=str(error))

        task.add_done_callback(ended)
        return await first

    def _plan_result(
        self,
        id: str,
        revision: int,
        site: Site,
        document: Mapping[str, Any],
        alert: str | None,
        incident: str | None,
        place: Place | None,
        request: str | None,
    ) -> ToolResult:
        return ToolResult(
            id=id,
            revision=revision,
            tool="evacuation",
            kind=PLAN,
            title=f"Evacuation of {site.source.name}"[:300],
            time=self.context.clock.now(),
            place=place or site.place,
            alert=alert,
            incident=incident,
            request=request,
            content=dict(document),
        )

    async def _kept_plan(self, id: str) -> ToolResult:
        for kept in await self.context.published(PLAN):
            if kept.id == id:
                return kept
        raise InvalidInput("there is no such plan", hint="it may be too old; ask for a new one")

    async def _decide(self, request: ToolRequest, chosen: PlanChosen, *, accepted: bool) -> str:
        kept = await self._kept_plan(chosen.id)
        plans = kept.content.get("plans")
        if not isinstance(plans, list) or not 0 <= chosen.number < len(plans):
            raise InvalidInput(f"the plan has no number {chosen.number}")
        plan = cast("dict[str, Any]", plans[chosen.number])
        lines = plan.get("advice", [])
        await self.context.publish(
            ToolResult(
                id=derived_id("evacuation", "decision", request.id),
                tool="evacuation",
                kind=DECISION,
                title=f"{'Accepted' if accepted else 'Rejected'}: {kept.title}"[:300],
                time=self.context.clock.now(),
                place=kept.place,
                alert=kept.alert,
                incident=request.incident or kept.incident,
                request=request.id,
                content={
                    "plan": kept.id,
                    "number": chosen.number,
                    "accepted": accepted,
                    "reason": chosen.reason,
                    "venue": kept.content.get("venue"),
                    "tasks": [{"title": str(line)} for line in lines] if isinstance(lines, list) else [],
                    "message": " ".join(str(line) for line in lines) if isinstance(lines, list) else "",
                    "expected_exits": plan.get("exits", {}),
                },
            )
        )
        return "the plan is accepted; its tasks are listed" if accepted else "the plan is rejected"

    async def _change(self, request: ToolRequest, changed: PlanChanged) -> str:
        kept = await self._kept_plan(changed.id)
        site, scenario = self._replayed(kept)
        opened = {**scenario.opened, **dict.fromkeys(changed.closed, False), **dict.fromkeys(changed.opened, True)}
        scenario = scenario.model_copy(update={"opened": opened})
        proposal = await self._plan(
            site, scenario, id=derived_id("evacuation", "plan", request.id), alert=kept.alert,
            incident=kept.incident, place=kept.place, request=request.id, budget_s=self.settings.budget_s,
        )  # fmt: skip
        return f"{len(proposal.plans)} plans with your changes; better ones follow"

    def _replayed(self, kept: ToolResult) -> tuple[Site, Scenario]:
        content = kept.content.get("scenario")
        return self._sites.named(str(kept.content.get("venue"))), Scenario.model_validate(content or {})

    async def _play(self, request: ToolRequest, chosen: PlanChosen) -> str:
        kept = await self._kept_plan(chosen.id)
        site, scenario = self._replayed(kept)
        plan = Plan()
        plans = kept.content.get("plans")
        if chosen.number >= 0:
            if not isinstance(plans, list) or chosen.number >= len(plans):
                raise InvalidInput(f"the plan has no number {chosen.number}")
            plan = plan_of(cast("dict[str, Any]", plans[chosen.number]))

        def work() -> tuple[dict[str, Any], list[str], dict[str, Any]]:
            setting = setting_for(site.source, scenario, plan.gates)
            outcome = simulate(setting, plan=plan, seed=1, record=True)
            head, parts = encode(outcome, setting.ways.ground)
            if setting.danger is not None:
                head["threat"] = (
                    [
                        list(setting.ways.ground.to_degrees(*setting.danger.position(float(second))))
                        for second in range(0, 300, 2)
                    ]
                    if len(setting.danger.path)
                    else []
                )
            return head, parts, outcome.summary()

        head, parts, summary = await asyncio.to_thread(work)
        now = self.context.clock.now()
        for number, part in enumerate(parts):
            await self.context.publish(
                ToolResult(
                    id=derived_id("evacuation", "playback", kept.id, str(chosen.number), str(number)),
                    revision=int(now.timestamp()),
                    tool="evacuation",
                    kind=PLAYBACK,
                    title=f"Playback of {kept.title}, part {number + 1}"[:300],
                    time=now,
                    request=request.id,
                    content={
                        "plan": kept.id,
                        "number": chosen.number,
                        "part": number,
                        "venue": site.source.id,
                        "summary": summary,
                        **head,
                        "data": part,
                    },
                )
            )
        return f"{head['people']} people over {head['frames']} frames in {len(parts)} parts"

    async def _save(self, request: ToolRequest, drawn: VenueDrawn) -> str:
        source = parse_features(drawn.venue, default_id="drawn")
        found = await asyncio.to_thread(check_venue, source)
        content: dict[str, Any] = {"venue": venue_document(source), "drawn": True, "check": found}
        self._sites.add(source, content)
        await self.context.publish(
            ToolResult(
                id=derived_id("evacuation", "venue", self.context.tenant, source.id),
                revision=int(self.context.clock.now().timestamp()),
                tool="evacuation",
                kind=VENUE,
                title=source.name[:300],
                time=self.context.clock.now(),
                request=request.id,
                place=place_at(found["longitude"], found["latitude"], source.name),
                content=content,
            )
        )
        return f"{source.name} is valid and kept: {len(found['exits'])} exits, {found['area_m2']} m2"

    def _warm(self) -> None:
        """Compile the loops and work out all ways once."""
        scenario = make_scenario({"people": {"count": 30}, "duration_s": 5})
        for site in self._sites:
            setting = setting_for(site.source, scenario, {})
            simulate(setting, seed=1)
        for first in islice(self._sites, 1):
            threat = {"kind": "gunman", "at": [first.longitude, first.latitude]}
            scenario = make_scenario({"people": {"count": 30}, "duration_s": 5, "threat": threat})
            for _ in optimise(Settings(first.source, scenario), budget_s=1.0):
                pass
