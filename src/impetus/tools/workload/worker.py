"""The live side: what people consent to is read, their own state goes to them, the team's to the supervisor."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from impetus.model import (
    Alert,
    Category,
    Certainty,
    Factor,
    Identifier,
    ImpetusError,
    InvalidInput,
    ModelReference,
    NotFound,
    Severity,
    ToolRequest,
    ToolResult,
    Urgency,
    derived_id,
)
from impetus.sdk import Consent, Context, DutyBoard, Tool
from impetus.sdk.own import SHARED
from impetus.tools.workload.console import console_logit
from impetus.tools.workload.estimate import Estimate
from impetus.tools.workload.fatigue import Fatigue, alertness
from impetus.tools.workload.lab_streaming_layer import LabStreamingLayer
from impetus.tools.workload.monitor import PersonMonitor, baseline_of
from impetus.tools.workload.replay import Replay
from impetus.tools.workload.reports import Rating, TaskLoad, Terms
from impetus.tools.workload.settings import SourceKind, WorkloadSettings
from impetus.tools.workload.simulator import Simulator
from impetus.tools.workload.sources import NoSource, Source
from impetus.tools.workload.team import LIKELY, Sustained, TeamState, in_steps, proposed_cap, team_state

MODEL = ModelReference(name="workload team", version="1")
NO_AGREEMENT = (
    "no works agreement is on record, so nothing is processed: name it in the setting tools.workload.works_agreement"
)
MINUTE_S = 60.0
HISTORY_MINUTES = 16 * 60
TEAM_EVERY_S = 10.0
PROPOSAL_HOURS = 2.0
DUTIES_EVERY_S = 2.0
FOUND_S, USED_TO_IT_S = 60.0, 240.0
LEAST_BREAK_S = 25.0
"""An overload, of the team or of one person, is over when it has been for so long, whatever is set."""


class Settled(BaseModel):
    """What the supervisor made of a proposal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Identifier
    taken: bool


@dataclass(slots=True)
class _Person:
    consent: Consent
    terms: Terms
    monitor: PersonMonitor
    overloaded: Sustained
    estimate: Estimate = field(default_factory=lambda: Estimate(None, None, None, None, abstained="no signal yet"))
    heard: int = 0
    """Number of the last entry that was taken in."""
    rated_s: float = -math.inf
    held: int = 0
    finished_s: float = -math.inf
    """When the last alert was put away: then a rating is asked for."""
    minute: int = 0
    history: list[list[float | None]] = field(default_factory=list)
    task_load: float | None = None
    problem: str | None = None


class WorkloadTool(Tool[WorkloadSettings]):
    """The people of one organisation who consent."""

    settings_type: ClassVar[type[WorkloadSettings]] = WorkloadSettings
    task_models: ClassVar[Mapping[str, type[BaseModel]]] = MappingProxyType({"settle": Settled})
    own_models: ClassVar[Mapping[str, type[BaseModel]]] = MappingProxyType(
        {"consent": Terms, "isa": Rating, "tlx": TaskLoad}
    )

    def __init__(self, context: Context, settings: WorkloadSettings) -> None:
        super().__init__(context, settings)
        self._zone = ZoneInfo(settings.time_zone)
        self._people: dict[str, _Person] = {}
        self._board = DutyBoard()
        self._board_s = -math.inf
        self._boards_seen = 0
        self._usual_waiting = 0.0
        """What waited in the last minutes, for invented people, who get used to it."""
        self._source: Source = NoSource()
        self._estimated_s = -math.inf
        self._team_s = -math.inf
        self._overload = Sustained(settings.sustained_s, max(settings.sustained_s / 3, LEAST_BREAK_S))
        self._calm = Sustained(settings.sustained_s, 0.0)
        self._cap = settings.usual_cap
        """The cap that the supervisor agreed to last."""
        self._proposal: ToolResult | None = None
        self._asked_s = -math.inf
        self._alert: Alert | None = None
        self._degraded: str | None = None
        self._team_shown = False

    async def start(self) -> None:
        if self.settings.works_agreement:
            self._source = self._make_source()
        self._restore(await self.context.load_checkpoint())

    async def tick(self) -> None:
        if not self.settings.works_agreement:
            await self._degrade(NO_AGREEMENT)
            return
        now_s = self.context.clock.monotonic_s()
        if now_s - self._estimated_s < self.settings.estimate_every_s:
            return
        self._estimated_s = now_s
        await self._follow_consents()
        if now_s - self._board_s >= DUTIES_EVERY_S:
            await self._look_at_board(now_s)
        for id in list(self._people):
            await self._look_after(id)
            await asyncio.sleep(0)
        if now_s - self._team_s >= TEAM_EVERY_S:
            self._team_s = now_s
            await self._look_at_team(now_s)
        problems = sorted({one.problem for one in self._people.values() if one.problem})
        await self._degrade("; ".join(problems) or None)

    async def handle(self, request: ToolRequest) -> str:
        settled = Settled.model_validate(request.content)
        known = {result.id: result for result in await self.context.published("proposal")}
        if self._proposal is not None:
            known[self._proposal.id] = self._proposal
        proposal = known.get(settled.id)
        if proposal is None:
            raise InvalidInput("there is no such proposal any more", hint="look at the newest one")
        state = "taken" if settled.taken else "declined"
        if proposal.ended is None:
            await self._end_proposal(proposal, state)
        if settled.taken:
            cap = proposal.content.get("cap")
            self._cap = int(cap) if isinstance(cap, int) else self.settings.usual_cap
            await self._save()
        return f"The proposal was {state}."

    async def stop(self) -> None:
        for id in list(self._people):
            self._source.forget(id)
        await self._save()

    # People

    async def _follow_consents(self) -> None:
        """Begin with those who consent now, and drop at once what is known of those who do not any more."""
        now = self.context.clock.now()
        given = {one.person: one for one in await self.context.own.consents() if one.until > now}
        for id in [id for id, one in self._people.items() if id not in given or given[id].id != one.consent.id]:
            del self._people[id]
            self._source.forget(id)
        for id, consent in given.items():
            known = self._people.get(id)
            terms = _terms(consent)
            if known is None:
                self._people[id] = await self._begin(consent, terms)
            else:
                known.consent, known.terms = consent, terms

    async def _begin(self, consent: Consent, terms: Terms) -> _Person:
        own, settings = self.context.own, self.settings
        kept = await own.read(consent, "baseline")
        usable = kept if kept is not None and terms.keep_baseline and kept.get("device") == terms.device else None
        monitor = PersonMonitor(rest_s=settings.rest_s, baseline=baseline_of(usable) if usable else None)
        person = _Person(
            consent, terms, monitor, Sustained(settings.sustained_s, max(settings.sustained_s / 3, LEAST_BREAK_S))
        )
        history = await own.read(consent, "history")
        rows = history.get("minutes") if history else None
        if isinstance(rows, list):
            person.history = [row for row in map(_minute, rows) if row is not None][-HISTORY_MINUTES:]
        person.rated_s = self.context.clock.monotonic_s()
        return person

    async def _look_after(self, id: str) -> None:
        person = self._people[id]
        own, now = self.context.own, self.context.clock.now()
        now_s = now.timestamp()
        try:
            for entry in await own.entries(person.consent, after=person.heard):
                person.heard = entry.number
                fresh = (now - entry.time).total_seconds() < 600
                if entry.kind == "isa" and fresh:
                    person.monitor.take_rating(Rating.model_validate(entry.content).rating)
                    person.rated_s = self.context.clock.monotonic_s()
                elif entry.kind == "tlx":
                    person.task_load = TaskLoad.model_validate(entry.content).raw
            self._take_signals(person, id, now_s)
            self._take_console(person, id, now_s)
            person.estimate = person.monitor.step(now_s)
            await self._tell(person, now)
        except NotFound:
            # Withdrawn a moment ago.
            self._people.pop(id, None)
            self._source.forget(id)

    def _take_signals(self, person: _Person, id: str, now_s: float) -> None:
        try:
            arrived = self._source.read(id, person.terms.device, now_s)
            person.problem = None
        except ImpetusError as error:
            person.problem = str(error)
            return
        for piece in arrived.pieces:
            person.monitor.take(piece, now_s)
        for brain in arrived.brain:
            person.monitor.take_brain(brain, now_s)
        for powers in arrived.bands:
            person.monitor.take_bands(powers, now_s)
        for kind, (samples, rate_hz) in arrived.others.items():
            person.monitor.take_other(kind, samples, rate_hz, now_s)
        for text in arrived.remarks:
            person.monitor.remark(text, now_s)

    def _take_console(self, person: _Person, id: str, now_s: float) -> None:
        duty = self._board.of(id)
        if duty is None or not person.terms.console:
            return
        if duty.held < person.held:
            person.finished_s = self.context.clock.monotonic_s()
        person.held = duty.held
        person.monitor.take_console(console_logit(duty, self._board, usual_cap=self._cap), now_s)

    async def _tell(self, person: _Person, now: datetime) -> None:
        """Write the state into the person's own folder: for their eyes, and for the supervisor's if they share it."""
        own, estimate, monitor = self.context.own, person.estimate, person.monitor
        local = now.astimezone(self._zone)
        fatigue = alertness(
            hours_on_shift=(now - person.consent.given).total_seconds() / 3_600,
            hours_awake_before=self.settings.hours_awake_before,
            hour_of_day=local.hour + local.minute / 60,
        )
        overloaded = person.overloaded.update((estimate.overload or 0) >= LIKELY, now.timestamp())
        state = _state(estimate)
        variability = monitor.variability()
        document: dict[str, JsonValue] = {
            "time": now.isoformat(),
            "state": state,
            "overload": _rounded(estimate.overload),
            "normal": _rounded(estimate.normal),
            "underload": _rounded(estimate.underload),
            "load": _rounded(estimate.load),
            "abstained": estimate.abstained,
            "carried": [{"name": name, "effect": _rounded(value)} for name, value in estimate.carried.items()],
            "quality": _rounded(monitor.quality),
            "heart_bpm": _rounded(monitor.heart_bpm, 1),
            "breathing_per_min": _rounded(monitor.breathing_per_min, 1),
            "rmssd_ms": _rounded(None if variability is None else variability.rmssd_ms, 1),
            "sdnn_ms": _rounded(None if variability is None else variability.sdnn_ms, 1),
            "measures": {name: _rounded(value) for name, value in monitor.measures(now.timestamp()).items()},
            "remarks": [text for text in monitor.remarks if text != estimate.abstained],
            "alertness": _rounded(fatigue.alertness, 1),
            "fatigue": fatigue.fatigue.value,
            "hours_on_shift": _rounded(fatigue.hours_on_shift, 2),
            "task_load": person.task_load,
            "rating_due": self._rating_due(person),
            "sustained": overloaded,
        }
        await own.keep(person.consent, "now", document, durable=False)
        minute = int(now.timestamp() // MINUTE_S)
        if minute != person.minute:
            person.minute = minute
            row = [minute * MINUTE_S, _rounded(estimate.load), _rounded(estimate.overload)]
            person.history = [*person.history, row][-HISTORY_MINUTES:]
            await own.keep(person.consent, "history", {"minutes": [list(one) for one in person.history]})
            if person.terms.keep_baseline and person.terms.device:
                baseline = person.monitor.baseline_json() | {"device": person.terms.device}
                await own.keep(person.consent, "baseline", baseline)
        if person.consent.shared:
            shared: dict[str, JsonValue] = {
                "time": now.isoformat(),
                "state": state,
                "fatigue": fatigue.fatigue.value,
                "hours_on_shift": _rounded(fatigue.hours_on_shift, 1),
                "held": person.held,
                "proposals": self._personal_proposals(person, fatigue.fatigue, fatigue.hours_on_shift, overloaded),
            }
            await own.keep(person.consent, SHARED, shared, durable=False)

    def _rating_due(self, person: _Person) -> bool:
        """Every so many minutes, or after work was put away; never twice within a sixth of that time."""
        now_s, every_s = self.context.clock.monotonic_s(), 60 * self.settings.rating_every_min
        since_s = now_s - person.rated_s
        return since_s >= every_s or (person.finished_s > person.rated_s and since_s >= every_s / 6)

    def _personal_proposals(self, person: _Person, fatigue: Fatigue, hours: float, overloaded: bool) -> list[JsonValue]:
        """What could be done for somebody who shares their state; no more than a proposal."""
        proposals: list[JsonValue] = []
        if overloaded and person.held > 1:
            proposals.append({"kind": "reassign", "count": math.ceil(person.held / 2)})
        if overloaded and (hours >= self.settings.rotate_after_h or fatigue is not Fatigue.RESTED):
            proposals.append({"kind": "rotate"})
        return proposals

    # The team

    async def _look_at_team(self, now_s: float) -> None:
        estimates = [one.estimate for one in self._people.values()]
        state = team_state(estimates, at_least=self.settings.team_at_least)
        await self._publish_team(state)
        high = state is not None and state.overloaded >= self.settings.overloaded_share
        long_high = self._overload.update(high, now_s)
        calm = self._calm.update(state is not None and state.overloaded <= self.settings.overloaded_share / 2, now_s)
        # In a short break of an overload nothing is asked or told: what is said must hold when it is said.
        if state is not None and high and long_high and self._proposal is None and self._may_ask(now_s):
            cap = proposed_cap(self._cap, least=self.settings.least_cap, share=state.overloaded)
            if cap is not None:
                await self._propose(cap, state, now_s)
        elif state is not None and calm and self._proposal is None and self._cap != self.settings.usual_cap:
            if self._may_ask(now_s):
                await self._propose(None, state, now_s)
        elif self._proposal is not None and self._outlived(self._proposal, high=high):
            await self._end_proposal(self._proposal, "outlived")
        since_s = self._overload.since_s
        very_long = high and since_s is not None and now_s - since_s >= 2 * self.settings.sustained_s
        await self._raise_alert(state, very_long=very_long)

    def _may_ask(self, now_s: float) -> bool:
        """A supervisor who has just answered is left alone for a while."""
        return now_s - self._asked_s >= self.settings.sustained_s

    def _outlived(self, proposal: ToolResult, *, high: bool) -> bool:
        """To lower the cap has no point when the overload is over; to lift it, when there is one again."""
        return self._overload.since_s is None if proposal.content.get("cap") is not None else high

    async def _publish_team(self, state: TeamState | None) -> None:
        now = self.context.clock.now()
        content: dict[str, JsonValue] = {
            "enough": state is not None,
            "at_least": self.settings.team_at_least,
            "people": state.people if state is not None else None,
            "overloaded": in_steps(state.overloaded) if state is not None else None,
            "underloaded": in_steps(state.underloaded) if state is not None else None,
            "load": in_steps(state.load) if state is not None else None,
            "waiting": self._board.waiting,
            "held": self._board.held,
            "operators": self._board.operators,
            "cap": self._cap,
        }
        if state is None and not self._team_shown and not self._people:
            return
        self._team_shown = True
        await self.context.publish(
            ToolResult(
                id=derived_id("team", self.context.tenant, str(int(now.timestamp() // TEAM_EVERY_S))),
                tool="workload",
                kind="team",
                title="State of the team" if state is not None else "Too few take part to say anything",
                time=now,
                content=content,
            )
        )

    async def _propose(self, cap: int | None, state: TeamState, now_s: float) -> None:
        now = self.context.clock.now()
        share = round(100 * in_steps(state.overloaded))
        title = (
            f"Let operators hold at most {cap} alerts for now"
            if cap is not None
            else f"Let operators hold {self.settings.usual_cap} alerts again"
        )
        because = (
            f"about {share} % of {state.people} operators have been overloaded"
            f" for {_duration(self.settings.sustained_s)}; {self._board.waiting} alerts wait"
            if cap is not None
            else f"about {share} % of {state.people} operators are overloaded, and few alerts wait"
        )
        content: dict[str, JsonValue] = {
            "state": "open",
            "cap": cap,
            "before": self._cap,
            "hours": PROPOSAL_HOURS,
            "because": because,
        }
        self._proposal = ToolResult(
            id=derived_id("proposal", self.context.tenant, now.isoformat()),
            tool="workload",
            kind="proposal",
            title=title,
            time=now,
            content=content,
        )
        self._asked_s = now_s
        await self.context.publish(self._proposal)
        await self._save()

    async def _end_proposal(self, proposal: ToolResult, state: str) -> None:
        if self._proposal is not None and proposal.id == self._proposal.id:
            self._proposal = None
        self._asked_s = self.context.clock.monotonic_s()
        await self.context.publish(
            proposal.model_copy(
                update={
                    "revision": proposal.revision + 1,
                    "ended": self.context.clock.now(),
                    "content": {**proposal.content, "state": state},
                }
            )
        )
        await self._save()

    async def _raise_alert(self, state: TeamState | None, *, very_long: bool) -> None:
        now = self.context.clock.now()
        if self._alert is None and very_long and state is not None:
            share = round(100 * in_steps(state.overloaded))
            self._alert = Alert(
                id=derived_id("team-overload", self.context.tenant, now.isoformat()),
                tool="workload",
                detector="team-overload",
                source=f"team-{self.context.tenant}",
                headline=f"The team is overloaded: about {share} % of {state.people} operators",
                instruction="See the proposal on the page Workload, call somebody in, or lower the cap of the queue.",
                category=Category.SAFETY,
                urgency=Urgency.EXPECTED,
                severity=Severity.MODERATE,
                certainty=Certainty.POSSIBLE,
                confidence=0.5,
                onset=now,
                sent=now,
                explanation=(
                    Factor(
                        name="Share of overloaded operators",
                        weight=1.0,
                        observed=f"{share} %",
                        expected=f"below {100 * self.settings.overloaded_share:.0f} %",
                        text=f"for {_duration(2 * self.settings.sustained_s)}",
                    ),
                ),
                model=MODEL,
            )
            await self.context.emit(self._alert)
            await self._save()
        elif self._alert is not None and self._overload.since_s is None:
            ended = self._alert.model_copy(
                update={"revision": self._alert.revision + 1, "sent": now, "ended": max(now, self._alert.onset)}
            )
            self._alert = None
            await self.context.emit(ended)
            await self._save()

    # What outlives the process; nothing of a person is in it

    async def _save(self) -> None:
        content = {
            "cap": self._cap,
            "proposal": None if self._proposal is None else self._proposal.model_dump(mode="json"),
            "alert": None if self._alert is None else self._alert.model_dump(mode="json"),
        }
        await self.context.save_checkpoint(json.dumps(content).encode())

    def _restore(self, data: bytes | None) -> None:
        if data is None:
            return
        try:
            content: dict[str, Any] = json.loads(data)
            self._cap = max(int(content["cap"]), 1)
            if content["proposal"] is not None:
                self._proposal = ToolResult.model_validate(content["proposal"])
            if content["alert"] is not None:
                self._alert = Alert.model_validate(content["alert"])
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            self.context.log.warning("checkpoint left aside", error=str(error))

    def _make_source(self) -> Source:
        settings = self.settings
        if settings.source is SourceKind.LSL:
            return LabStreamingLayer()
        if settings.source is SourceKind.REPLAY and settings.replay_folder is not None:
            return Replay(settings.replay_folder, settings.replay_rate_hz)
        if settings.source is SourceKind.SIMULATOR:
            return Simulator(self._strain)
        return NoSource()

    def _strain(self, person: str) -> float:
        """What the work asks of an invented person: what they hold, and what was added of late to what waits."""
        duty = self._board.of(person)
        held = (duty.held if duty is not None else 0) / max(self._cap, 1)
        return held + max(self._board.waiting - self._usual_waiting, 0.0) / max(self._board.operators, 1)

    async def _look_at_board(self, now_s: float) -> None:
        self._board = await self.context.duties()
        # What waits in the first minute is what they find; then they get used to more with a memory of some minutes.
        self._boards_seen += 1
        share = 1.0 if self._boards_seen <= FOUND_S / DUTIES_EVERY_S else DUTIES_EVERY_S / USED_TO_IT_S
        self._usual_waiting += (self._board.waiting - self._usual_waiting) * share
        self._board_s = now_s

    async def _degrade(self, text: str | None) -> None:
        if text != self._degraded:
            self._degraded = text
            await self.context.degraded(text)


def _terms(consent: Consent) -> Terms:
    try:
        return Terms.model_validate(consent.terms)
    except ValidationError:
        return Terms()


def _minute(row: JsonValue) -> list[float | None] | None:
    """A row of the history as it was kept; None if it is none."""
    if not isinstance(row, list) or len(row) != 3:
        return None
    return [float(value) if isinstance(value, int | float) else None for value in row]


def _state(estimate: Estimate) -> str:
    if estimate.abstained is not None:
        return "unknown"
    chances = {"overload": estimate.overload, "normal": estimate.normal, "underload": estimate.underload}
    return max(chances, key=lambda name: chances[name] or 0.0)


def _duration(seconds: float) -> str:
    """In words: seconds up to two minutes, then minutes."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, digits)
