"""Protects the rules of what people may do with alerts and incidents, and the order of the queue."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.model import (
    Alert,
    AlertAction,
    AlertState,
    Category,
    Conflict,
    IncidentAction,
    IncidentState,
    InvalidInput,
    ModelReference,
    Severity,
    Urgency,
)
from impetus.situation.harm import expected_harm
from impetus.situation.lifecycle import alert_actions, incident_actions, next_alert_state, next_incident_state


@given(st.sampled_from(AlertState), st.sampled_from(AlertAction), st.text(max_size=20))
def test_an_alert_moves_only_as_the_table_says(state: AlertState, action: AlertAction, reason: str) -> None:
    possible = alert_actions(state)
    if action not in possible:
        with pytest.raises(Conflict) as raised:
            next_alert_state(state, action, reason)
        assert all(one.value in raised.value.hint for one in possible)
    elif possible[action] and not reason.strip():
        with pytest.raises(InvalidInput):
            next_alert_state(state, action, reason)
    else:
        assert next_alert_state(state, action, reason) in AlertState


@given(st.lists(st.sampled_from(AlertAction), max_size=30))
def test_only_a_release_makes_an_alert_new_again_and_there_is_always_a_way_on(
    actions: list[AlertAction],
) -> None:
    state = AlertState.NEW
    moved = False
    for action in actions:
        if action in alert_actions(state):
            state = next_alert_state(state, action, "why")
            moved = action is not AlertAction.RELEASE or state is not AlertState.NEW
        assert alert_actions(state)
    assert (state is AlertState.NEW) is not moved


@given(st.lists(st.sampled_from(IncidentAction), max_size=30))
def test_an_incident_is_never_stuck_and_is_reviewed_only_after_it_was_closed(actions: list[IncidentAction]) -> None:
    state = IncidentState.CANDIDATE
    for action in actions:
        if action in incident_actions(state):
            before, state = state, next_incident_state(state, action, "why")
            if state is IncidentState.REVIEWED and before is not state:
                assert before is IncidentState.CLOSED
        assert IncidentAction.NOTE in incident_actions(state)


def test_a_dismissal_and_a_reopening_need_a_reason() -> None:
    for state, action in ((AlertState.NEW, AlertAction.DISMISS), (AlertState.CONFIRMED, AlertAction.REOPEN)):
        with pytest.raises(InvalidInput, match="needs a reason"):
            next_alert_state(state, action, "  ")


def test_an_ended_incident_takes_no_alert() -> None:
    with pytest.raises(Conflict, match="closed"):
        next_incident_state(IncidentState.CLOSED, IncidentAction.JOIN)


@given(
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from(Severity),
    st.sampled_from(Urgency),
)
def test_harm_stays_between_0_and_1_and_grows_with_confidence(
    one: float, other: float, severity: Severity, urgency: Urgency
) -> None:
    low, high = (
        expected_harm(
            Alert(
                tool="anomaly",
                detector="level",
                source="s",
                headline="h",
                category=Category.INFRA,
                severity=severity,
                urgency=urgency,
                confidence=confidence,
                onset=datetime(2026, 1, 1, tzinfo=UTC),
                sent=datetime(2026, 1, 1, tzinfo=UTC),
                model=ModelReference(name="m", version="1"),
            )
        )
        for confidence in sorted((one, other))
    )
    assert 0 <= low <= high <= 1
