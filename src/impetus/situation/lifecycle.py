"""What people may do with an alert and with an incident, and when: two state machines, as tables, without any I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from impetus.model import AlertAction, AlertState, Conflict, IncidentAction, IncidentState, InvalidInput

StateType = TypeVar("StateType", AlertState, IncidentState)

REASON_LIMIT = 10_000
"""Characters that a reason may have, as `impetus.model.Text`."""


@dataclass(frozen=True, slots=True)
class Step(Generic[StateType]):
    """One action: from which states it is possible, where it leads, and from which states it needs a reason."""

    before: frozenset[StateType]
    after: StateType | None
    """None: the state stays as it is."""
    reason_from: frozenset[StateType] = frozenset()
    stays_in: frozenset[StateType] = frozenset()
    """States that stay as they are although the action leads elsewhere from the others."""


_NOT_SETTLED = frozenset({AlertState.NEW, AlertState.ACKNOWLEDGED, AlertState.ESCALATED})
_SETTLED = frozenset({AlertState.CONFIRMED, AlertState.DISMISSED})

ALERT_STEPS: Mapping[AlertAction, Step[AlertState]] = {
    AlertAction.ACKNOWLEDGE: Step(frozenset({AlertState.NEW}), AlertState.ACKNOWLEDGED),
    AlertAction.CONFIRM: Step(_NOT_SETTLED, AlertState.CONFIRMED),
    AlertAction.DISMISS: Step(_NOT_SETTLED, AlertState.DISMISSED, reason_from=_NOT_SETTLED),
    AlertAction.ESCALATE: Step(frozenset({AlertState.NEW, AlertState.ACKNOWLEDGED}), AlertState.ESCALATED),
    # Whoever reopens an alert has seen it, so it does not become new again.
    AlertAction.REOPEN: Step(_SETTLED, AlertState.ACKNOWLEDGED, reason_from=_SETTLED),
    # Back in the queue it waits for anybody; what was escalated still waits for somebody higher up.
    AlertAction.RELEASE: Step(
        frozenset({AlertState.ACKNOWLEDGED, AlertState.ESCALATED}),
        AlertState.NEW,
        stays_in=frozenset({AlertState.ESCALATED}),
    ),
    AlertAction.ASSIGN: Step(_NOT_SETTLED, AlertState.ACKNOWLEDGED, stays_in=frozenset({AlertState.ESCALATED})),
}

_RUNNING = frozenset({IncidentState.CANDIDATE, IncidentState.OPEN, IncidentState.CONTAINED})
_ENDED = frozenset({IncidentState.CONTAINED, IncidentState.CLOSED, IncidentState.REVIEWED})
_ANY = frozenset(IncidentState)
_NOT_REVIEWED = _ANY - {IncidentState.REVIEWED}

INCIDENT_STEPS: Mapping[IncidentAction, Step[IncidentState]] = {
    IncidentAction.OPEN: Step(frozenset({IncidentState.CANDIDATE}), IncidentState.OPEN),
    IncidentAction.CONTAIN: Step(frozenset({IncidentState.OPEN}), IncidentState.CONTAINED),
    # To close what was never contained is to say that it was no incident, or that it ended by itself: say which.
    IncidentAction.CLOSE: Step(
        _RUNNING, IncidentState.CLOSED, reason_from=frozenset({IncidentState.CANDIDATE, IncidentState.OPEN})
    ),
    IncidentAction.REVIEW: Step(frozenset({IncidentState.CLOSED}), IncidentState.REVIEWED),
    IncidentAction.REOPEN: Step(_ENDED, IncidentState.OPEN, reason_from=_ENDED),
    IncidentAction.JOIN: Step(_RUNNING, None),
    IncidentAction.SEPARATE: Step(_RUNNING, None),
    IncidentAction.NOTE: Step(_ANY, None, reason_from=_ANY),
    # What was reviewed stands as it was reviewed.
    IncidentAction.CLASSIFY: Step(_NOT_REVIEWED, None, reason_from=_NOT_REVIEWED),
    IncidentAction.MERGE: Step(_RUNNING, IncidentState.CLOSED, reason_from=_RUNNING),
}

MERGED_ACTIONS: Mapping[IncidentAction, bool] = {IncidentAction.SEPARATE: True, IncidentAction.NOTE: True}
"""What is possible with an incident that was merged into another, and whether it needs a reason: it goes on there."""


def alert_actions(state: AlertState) -> Mapping[AlertAction, bool]:
    """The actions that are possible in a state, and whether each needs a reason."""
    return {action: state in step.reason_from for action, step in ALERT_STEPS.items() if state in step.before}


def incident_actions(state: IncidentState, *, merged: bool = False) -> Mapping[IncidentAction, bool]:
    """The actions that are possible in a state, and whether each needs a reason; `merged` says that the incident was
    merged into another one."""
    if merged:
        return MERGED_ACTIONS
    return {action: state in step.reason_from for action, step in INCIDENT_STEPS.items() if state in step.before}


def next_alert_state(state: AlertState, action: AlertAction, reason: str = "") -> AlertState:
    """The state after an action.

    Raises `Conflict` if the action is not possible in this state, and `InvalidInput` if it needs a reason and has none.
    """
    return _next("alert", state, action, ALERT_STEPS[action], reason, list(alert_actions(state)))


def next_incident_state(state: IncidentState, action: IncidentAction, reason: str = "") -> IncidentState:
    """The state after an action; raises as `next_alert_state` does."""
    return _next("incident", state, action, INCIDENT_STEPS[action], reason, list(incident_actions(state)))


def _next(
    subject: str,
    state: StateType,
    action: AlertAction | IncidentAction,
    step: Step[StateType],
    reason: str,
    possible: list[AlertAction] | list[IncidentAction],
) -> StateType:
    if state not in step.before:
        raise Conflict(
            f"The {subject} is {state.value}, so '{action.value}' is not possible.",
            hint=f"Possible now: {', '.join(one.value for one in possible)}.",
        )
    if state in step.reason_from and not reason.strip():
        raise InvalidInput(
            f"'{action.value}' needs a reason here.", hint="Say in a few words why; it is kept with the decision."
        )
    return state if step.after is None or state in step.stays_in else step.after
