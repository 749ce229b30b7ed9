"""The after-action review: what was true, what was detected, decided and done, and when.

It is worked out from what is kept, the journal of the exercise and the store of its installation, by plain counting;
the same run gives the same review. Times are seconds since the scenario began.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from impetus.exercise.desk import Entry, EntryKind, OrderKind
from impetus.exercise.kept import Kept
from impetus.exercise.outcomes import (
    FalseAlert,
    Lane,
    LoadPoint,
    Moment,
    ObjectiveOutcome,
    Outcome,
    Review,
    Score,
    Shared,
    ToolOutcome,
    TruthOutcome,
)
from impetus.exercise.scenario import NEEDS, Objective, ObjectiveKind, PartInject, ReadingsInject, Scenario, Truth
from impetus.model import (
    AlertAction,
    AlertState,
    Assessment,
    Incident,
    IncidentOrigin,
    SubjectKind,
    ToolResult,
)
from impetus.store.records import AlertRecord

EARLY_S: Final = 30.0
"""An alert may date the onset so much before the inject: tools look back."""
AFTERWARDS_S: Final = 180.0
"""What an inject caused may be noticed so long after it is over."""
LOAD_STEP_S: Final = 15.0
OPEN: Final = (AlertState.NEW, AlertState.ACKNOWLEDGED, AlertState.ESCALATED)


def review(scenario: Scenario, journal: Sequence[Entry], kept: Kept) -> Review:
    """The review of one run; `journal` holds its lines only. Raises ValueError for a run that never began."""
    began = next((entry for entry in journal if entry.kind is EntryKind.STARTED), None)
    if began is None:
        raise ValueError("the scenario was never started")
    ending = next((entry for entry in reversed(journal) if entry.kind is EntryKind.ENDED), None)
    start = began.time
    end = ending.time if ending is not None else journal[-1].time
    played: dict[str | None, Entry] = {entry.inject: entry for entry in journal if entry.inject is not None}
    decisions = _by_alert(kept.decisions)
    truths = [_truth(truth, scenario, played, kept, decisions, start) for truth in scenario.truths]
    heads = [record for record in kept.alerts if record.repeat_of is None]
    explained = {record.alert.id for record in kept.alerts if _explained(record, scenario, played)}
    about = {outcome.alert for outcome in truths}
    unexplained = [one for one in heads if one.alert.id not in explained and one.alert.id not in about]
    length_s = max((end - start).total_seconds(), 1.0)
    true = {one.alert.id for one in heads} - {one.alert.id for one in unexplained}
    wrong = _wrong(decisions, true)
    load = _load(heads, decisions, start, length_s)
    acknowledged = _delays(heads, decisions, (AlertAction.ACKNOWLEDGE, AlertAction.CONFIRM))
    decided = _delays(heads, decisions, (AlertAction.CONFIRM, AlertAction.DISMISS))
    objectives = [_objective(one, scenario, truths, played, kept, start) for one in scenario.objectives]
    shared = [Shared(elapsed_s=_s(when, start), incident=title, receiver=who) for when, title, who in kept.shares]
    return Review(
        run=began.run,
        scenario=scenario.id,
        title=scenario.title,
        started=start,
        ended=end,
        why_ended=ending.title if ending is not None else "it is under way",
        length_s=round(length_s, 1),
        organisations=tuple(one.name for one in scenario.organisations),
        truths=tuple(truths),
        unexplained=tuple(
            FalseAlert(
                id=one.alert.id,
                tool=one.alert.tool,
                source=one.alert.source,
                headline=one.alert.headline,
                elapsed_s=_s(one.received, start),
                severity=one.alert.severity.value,
                state=one.state.value,
            )
            for one in sorted(unexplained, key=lambda one: one.received)
        ),
        alerts=len(heads),
        alerts_an_hour=round(len(heads) * 3_600 / length_s, 2),
        most_alerts_an_hour=scenario.most_alerts_an_hour,
        tools=_tools(truths, heads, {one.alert.id for one in unexplained}),
        timeline=_timeline(journal, truths, kept, start),
        load=load,
        decisions=len(kept.decisions),
        median_acknowledged_s=_median(acknowledged),
        median_decided_s=_median(decided),
        wrong_decisions=wrong,
        shared=tuple(shared),
        objectives=tuple(objectives),
        score=_score(objectives, truths, decisions, wrong, load, kept, len(shared), _hints(journal)),
        good=scenario.good,
        hints={entry.title: entry.hint for entry in journal if entry.hint},
    )


def _s(moment: datetime, start: datetime) -> float:
    return round((moment - start).total_seconds(), 1)


def _median(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 1) if values else None


def _by_alert(decisions: Sequence[Assessment]) -> Mapping[str, Sequence[Assessment]]:
    found: dict[str, list[Assessment]] = {}
    for decision in decisions:
        if decision.subject_kind is SubjectKind.ALERT:
            found.setdefault(decision.subject, []).append(decision)
    return found


def _truth(
    truth: Truth,
    scenario: Scenario,
    played: Mapping[str | None, Entry],
    kept: Kept,
    decisions: Mapping[str, Sequence[Assessment]],
    start: datetime,
) -> TruthOutcome:
    inject = scenario.inject(truth.inject)
    entry = played.get(truth.inject)
    base = TruthOutcome(
        id=truth.id,
        title=truth.title,
        tool=truth.tool,
        outcome=Outcome.MISSED,
        inject_s=inject.at,
        within_s=truth.within,
    )
    if entry is None or entry.kind is EntryKind.SKIPPED:
        why = entry.text if entry is not None else "the exercise ended before it"
        return base.model_copy(update={"outcome": Outcome.SKIPPED, "reason": why})
    found = sorted((one for one in kept.alerts if _is_about(one, truth, entry)), key=lambda one: one.received)
    told = [(one.received, one.alert.headline) for one in found]
    # A tool that asks a person before it raises an alert has noticed when it asks.
    told += [(when, result.title) for when, result in kept.results if _asks_about(when, result, truth, entry)]
    if not told:
        return base.model_copy(update={"reason": truth.limit})
    noticed, headline = min(told)
    delay_s = max(_s(noticed, entry.time), 0.0)
    heads = {one.repeat_of or one.alert.id for one in found} | {one.alert.id for one in found}
    acts = sorted((act for one in heads for act in decisions.get(one, ())), key=lambda act: act.decided)
    taken = next((act for act in acts), None)
    settled = next((act for act in acts if act.action in (AlertAction.CONFIRM, AlertAction.DISMISS)), None)
    return base.model_copy(
        update={
            "outcome": Outcome.FOUND if delay_s <= truth.within else Outcome.LATE,
            "inject_s": _s(entry.time, start),
            "delay_s": delay_s,
            "alert": found[0].alert.id if found else None,
            "headline": headline,
            "acknowledged_s": None if taken is None else _s(taken.decided, noticed),
            "decided_s": None if settled is None else _s(settled.decided, noticed),
            "decision": "" if settled is None else settled.state_after,
        }
    )


def _asks_about(when: datetime, result: ToolResult, truth: Truth, entry: Entry) -> bool:
    if result.tool != truth.tool or result.kind not in truth.results:
        return False
    if not entry.time <= when <= entry.time + timedelta(seconds=2 * truth.within):
        return False
    said = f"{result.title}\n{json.dumps(result.content, ensure_ascii=False)}".casefold()
    return not truth.sources or any(name.casefold() in said for name in truth.sources)


def _is_about(record: AlertRecord, truth: Truth, entry: Entry) -> bool:
    alert = record.alert
    if alert.tool != truth.tool or (truth.detectors and alert.detector not in truth.detectors):
        return False
    if (
        not entry.time - timedelta(seconds=EARLY_S)
        <= record.received
        <= entry.time + timedelta(seconds=2 * truth.within)
    ):
        return False
    if entry.inject_kind == "link" and alert.source == "network":
        return True  # many sensors that fall silent at once are told as one matter
    names = truth.sources or entry.sources
    if not names or entry.inject_kind not in ("readings", "link"):
        return True
    return _mentions(record, names)


def _mentions(record: AlertRecord, names: Sequence[str]) -> bool:
    """Whether an alert is about one of these: by its source, its entities, its place or its words."""
    alert = record.alert
    place = alert.place.name if alert.place is not None and alert.place.name else ""
    said = "\n".join((alert.source, *alert.entities, place, alert.headline, alert.description)).casefold()
    return any(name.casefold() in said for name in names)


def _explained(record: AlertRecord, scenario: Scenario, played: Mapping[str | None, Entry]) -> bool:
    """Whether something that was planted explains the alert: it is about the same, while it lasted or soon after.

    What the tool `workload` says is about the players, and true of them.
    """
    if record.alert.tool == "workload":
        return True
    for inject in scenario.injects:
        entry = played.get(inject.id)
        if entry is None or entry.kind is EntryKind.SKIPPED or inject.kind == "message":
            continue
        lasts_s = 60 * getattr(inject, "minutes", 5.0) + AFTERWARDS_S
        since, until = entry.time - timedelta(seconds=EARLY_S), entry.time + timedelta(seconds=lasts_s)
        if not since <= record.received <= until:
            continue
        names = list(entry.sources)
        if isinstance(inject, ReadingsInject):
            names.append(inject.site)
        if inject.kind in NEEDS:
            if record.alert.tool == NEEDS[inject.kind]:
                return True
        elif isinstance(inject, PartInject):
            # Without a connector nothing arrives; that a tool is down explains no alert.
            if inject.part.startswith("connector:") and record.alert.detector == "silence":
                return True
        elif (names and _mentions(record, names)) or (inject.kind == "link" and record.alert.source == "network"):
            return True
    return False


def _hints(journal: Sequence[Entry]) -> int:
    return sum(entry.kind is EntryKind.ORDER and entry.title == OrderKind.HINT.value for entry in journal)


def _wrong(decisions: Mapping[str, Sequence[Assessment]], true: set[str]) -> int:
    """Alerts whose last decision was wrong: a true one dismissed, or one that nothing explains confirmed."""
    wrong = 0
    for alert, acts in decisions.items():
        settled = [act for act in acts if act.action in (AlertAction.CONFIRM, AlertAction.DISMISS)]
        if settled:
            confirmed = settled[-1].action == AlertAction.CONFIRM
            wrong += confirmed != (alert in true)
    return wrong


def _delays(
    heads: Sequence[AlertRecord], decisions: Mapping[str, Sequence[Assessment]], actions: Sequence[AlertAction]
) -> Sequence[float]:
    found = []
    for record in heads:
        act = next((one for one in decisions.get(record.alert.id, ()) if one.action in actions), None)
        if act is not None:
            found.append((act.decided - record.received).total_seconds())
    return found


def _load(
    heads: Sequence[AlertRecord],
    decisions: Mapping[str, Sequence[Assessment]],
    start: datetime,
    length_s: float,
) -> tuple[LoadPoint, ...]:
    """How many alerts waited, and how many were worked on, as time went by."""
    changes: list[tuple[float, str, str]] = []
    for record in heads:
        changes.append((_s(record.received, start), record.alert.id, AlertState.NEW.value))
        changes += [
            (_s(act.decided, start), record.alert.id, act.state_after) for act in decisions.get(record.alert.id, ())
        ]
    changes.sort(key=lambda change: change[0])
    points, states, next_change = [], dict[str, str](), 0
    for step in range(int(length_s // LOAD_STEP_S) + 1):
        now_s = step * LOAD_STEP_S
        while next_change < len(changes) and changes[next_change][0] <= now_s:
            states[changes[next_change][1]] = changes[next_change][2]
            next_change += 1
        values = list(states.values())
        points.append(
            LoadPoint(
                elapsed_s=now_s,
                waiting=values.count(AlertState.NEW.value),
                held=values.count(AlertState.ACKNOWLEDGED.value) + values.count(AlertState.ESCALATED.value),
            )
        )
    return tuple(points)


def _objective(
    objective: Objective,
    scenario: Scenario,
    truths: Sequence[TruthOutcome],
    played: Mapping[str | None, Entry],
    kept: Kept,
    start: datetime,
) -> ObjectiveOutcome:
    allowed_s, reached_s, why = objective.by, None, ""
    if objective.kind in (ObjectiveKind.ACKNOWLEDGE, ObjectiveKind.CONFIRM):
        truth = next(one for one in truths if one.id == objective.truth)
        allowed_s += truth.inject_s
        span_s = truth.acknowledged_s if objective.kind is ObjectiveKind.ACKNOWLEDGE else truth.decided_s
        right = objective.kind is ObjectiveKind.ACKNOWLEDGE or truth.decision == AlertState.CONFIRMED.value
        if truth.outcome is Outcome.SKIPPED:
            why = "it was not played"
        elif truth.delay_s is None:
            why = "no alert told of it"
        elif span_s is None:
            why = "nobody did"
        elif not right:
            why = f"it was {truth.decision}"
        else:
            reached_s = truth.inject_s + truth.delay_s + span_s
    elif objective.kind is ObjectiveKind.INCIDENT:
        tool_of = {record.alert.id: record.alert.tool for record in kept.alerts}
        joined = [
            _s(one.opened if one.origin is IncidentOrigin.PERSON else _opened(one, kept), start)
            for one in kept.incidents
            if len({tool_of[alert] for alert in one.alerts if alert in tool_of}) >= objective.tools
            and (one.origin is IncidentOrigin.PERSON or _touched(one, kept))
        ]
        reached_s, why = min(joined, default=None), "nobody opened one"
    elif objective.kind is ObjectiveKind.PLAN:
        asked = [_s(request.asked, start) for request in kept.requests if request.tool == objective.tool]
        reached_s, why = min(asked, default=None), "nobody asked for one"
    else:
        reached_s, why = min((_s(when, start) for when, _, _ in kept.shares), default=None), "nothing was shared"
    in_time = reached_s is not None and reached_s <= allowed_s
    return ObjectiveOutcome(
        id=objective.id,
        title=objective.title,
        points=objective.points,
        reached=in_time,
        elapsed_s=reached_s,
        allowed_s=allowed_s,
        why="" if in_time else "too late" if reached_s is not None else why,
    )


def _touched(incident: Incident, kept: Kept) -> bool:
    """Whether a person did something with an incident that the correlation put together."""
    return any(act.subject_kind is SubjectKind.INCIDENT and act.subject == incident.id for act in kept.decisions)


def _opened(incident: Incident, kept: Kept) -> datetime:
    return next((act.decided for act in kept.decisions if act.subject == incident.id), incident.opened)


def _tools(
    truths: Sequence[TruthOutcome], heads: Sequence[AlertRecord], unexplained: set[str]
) -> tuple[ToolOutcome, ...]:
    names = sorted({one.tool for one in truths} | {one.alert.tool for one in heads})
    found = []
    for name in names:
        own = [one for one in truths if one.tool == name and one.outcome is not Outcome.SKIPPED]
        alerts = [one.alert.id for one in heads if one.alert.tool == name]
        false = sum(id in unexplained for id in alerts)
        delays = [one.delay_s for one in own if one.delay_s is not None]
        found.append(
            ToolOutcome(
                tool=name,
                truths=len(own),
                found=sum(one.outcome is Outcome.FOUND for one in own),
                median_delay_s=_median(delays),
                alerts=len(alerts),
                explained=len(alerts) - false,
                unexplained=false,
            )
        )
    return tuple(found)


def _timeline(
    journal: Sequence[Entry], truths: Sequence[TruthOutcome], kept: Kept, start: datetime
) -> tuple[Moment, ...]:
    moments = [
        Moment(elapsed_s=entry.elapsed_s, lane=Lane.TRUTH, title=entry.title, text=entry.text)
        for entry in journal
        if entry.kind in (EntryKind.INJECT, EntryKind.SKIPPED)
    ]
    headline = {record.alert.id: record.alert.headline for record in kept.alerts}
    about = {one.alert for one in truths}
    moments += [
        Moment(
            elapsed_s=_s(record.received, start),
            lane=Lane.DETECTED,
            title=record.alert.headline,
            tool=record.alert.tool,
        )
        for record in kept.alerts
        if record.repeat_of is None or record.alert.id in about
    ]
    titles = {one.id: one.title for one in kept.incidents}
    for act in kept.decisions:
        about_incident = act.subject_kind is SubjectKind.INCIDENT
        title = titles.get(act.subject, "") if about_incident else headline.get(act.subject, "")
        moments.append(
            Moment(
                elapsed_s=_s(act.decided, start),
                lane=Lane.DONE if about_incident else Lane.DECIDED,
                title=f"{act.action}: {title or act.subject}"[:300],
                text=act.reason,
                who=act.person_name,
            )
        )
    moments += [
        Moment(
            elapsed_s=_s(request.asked, start),
            lane=Lane.DONE,
            title=f"{request.tool}: {request.task}",
            text=request.reason,
            tool=request.tool,
        )
        for request in kept.requests
    ]
    for when, title, receiver in kept.shares:
        moments.append(
            Moment(elapsed_s=_s(when, start), lane=Lane.DONE, title=f"shared with {receiver}: {title}"[:300])
        )
    return tuple(sorted(moments, key=lambda moment: moment.elapsed_s))


def _score(
    objectives: Sequence[ObjectiveOutcome],
    truths: Sequence[TruthOutcome],
    decisions: Mapping[str, Sequence[Assessment]],
    wrong: int,
    load: Sequence[LoadPoint],
    kept: Kept,
    shared: int,
    hints: int,
) -> Score:
    """Points of 100.

    Timeliness: of the alerts about truths, how soon they were taken on, from full marks at once to none after ten
    minutes. Correctness: share of right decisions. Load: share of the time in which no more than five alerts waited.
    Coordination: a named incident, a plan, something shared, each a third. None is had by doing nothing.
    """
    possible = sum(one.points for one in objectives if one.why != "it was not played")
    reached = 100 * sum(one.points for one in objectives if one.reached) / possible if possible else 0.0
    told = [one for one in truths if one.delay_s is not None]
    prompt = [max(0.0, 1 - one.acknowledged_s / 600) for one in told if one.acknowledged_s is not None]
    timeliness = 100 * sum(prompt) / len(told) if told else 0.0
    settled = sum(
        any(act.action in (AlertAction.CONFIRM, AlertAction.DISMISS) for act in acts) for acts in decisions.values()
    )
    correctness = 100 * (settled - wrong) / settled if settled else 0.0
    calm = 100 * sum(point.waiting <= 5 for point in load) / len(load) if load and decisions else 0.0
    acted = any(one.subject_kind is SubjectKind.INCIDENT for one in kept.decisions)
    coordination = 100 * (bool(acted) + bool(kept.requests) + bool(shared)) / 3
    parts = (reached, timeliness, correctness, calm, coordination)
    whole = sum(weight * part for weight, part in zip((0.4, 0.2, 0.2, 0.1, 0.1), parts, strict=True))
    total = max(whole - 2 * hints, 0.0)
    rounded = [round(part, 1) for part in (*parts, total)]
    return Score(
        objectives=rounded[0],
        timeliness=rounded[1],
        correctness=rounded[2],
        load=rounded[3],
        coordination=rounded[4],
        hints=hints,
        total=rounded[5],
    )
