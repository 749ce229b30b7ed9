"""Protects that merging incidents loses nothing, can be undone, and that what a person says of an incident is kept."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from impetus.model import (
    Conflict,
    ImpetusError,
    Incident,
    IncidentAction,
    IncidentState,
    InvalidInput,
    NotFound,
    Severity,
    ThreatClass,
)
from impetus.situation.decisions import IncidentDecided, IncidentDecision, NewIncident
from impetus.situation.tests.house import House, an_alert, opened_house

HOME = "municipality"


async def incident_on(house: House, title: str, count: int) -> Incident:
    alerts = [an_alert(source=f"{title}-{number}") for number in range(count)]
    await house.situation.alerts.ingest(HOME, alerts)
    return await house.situation.incidents.create(
        house.person("olivia"), NewIncident(title=title, alerts=tuple(alert.id for alert in alerts))
    )


async def act(house: House, incident: str, action: str, name: str = "olivia", /, **more: object) -> IncidentDecided:
    known = (await house.situation.incidents.get(HOME, incident)).incident
    decision = IncidentDecision.model_validate({"action": action, "version": known.version, **more})
    return await house.situation.incidents.decide(house.person(name), incident, decision)


async def test_a_merger_moves_the_alerts_keeps_the_notes_and_is_undone(house: House) -> None:
    one, other = await incident_on(house, "one", 2), await incident_on(house, "other", 1)
    await act(house, one.id, "note", reason="seen on camera 3")
    merged = await act(house, one.id, "merge", incident=other.id, reason="the same crash")
    assert (merged.incident.state, merged.incident.merged_into) == (IncidentState.CLOSED, other.id)
    assert merged.incident.alerts == ()
    again = IncidentDecision(
        id=merged.decision.id, action=IncidentAction.MERGE, version=2, incident=other.id, reason="the same crash"
    )
    assert (await house.situation.incidents.decide(house.person("olivia"), one.id, again)).decision == merged.decision
    room = await house.situation.incidents.get(HOME, other.id)
    assert set(room.incident.alerts) == {*one.alerts, *other.alerts}
    assert [incident.id for incident in room.merged] == [one.id]
    told = [entry.decision for entry in room.timeline if entry.decision is not None]
    assert "seen on camera 3" in [decision.reason for decision in told]
    assert [decision.subject for decision in told if decision.action == "merge"] == [other.id]
    for action in ("reopen", "review", "classify", "contain"):
        more = {"classification": {"confidence": 0.5}} if action == "classify" else {}
        with pytest.raises(Conflict, match="was merged into"):
            await act(house, one.id, action, reason="x", **more)
    await act(house, one.id, "note", reason="a late note")
    with pytest.raises(InvalidInput, match="needs a reason"):
        await act(house, one.id, "separate")
    undone = await act(house, one.id, "separate", reason="two crashes after all")
    assert (undone.incident.state, undone.incident.merged_into) == (IncidentState.OPEN, None)
    assert undone.incident.alerts == one.alerts
    assert (await house.situation.incidents.get(HOME, other.id)).incident.alerts == other.alerts


async def test_what_cannot_be_merged_is_refused_and_changes_nothing(house: House) -> None:
    one, other, third = [await incident_on(house, name, 1) for name in ("one", "other", "third")]
    with pytest.raises(InvalidInput, match="itself"):
        await act(house, one.id, "merge", incident=one.id, reason="x")
    with pytest.raises(InvalidInput, match="reason"):
        await act(house, one.id, "merge", incident=other.id)
    with pytest.raises(InvalidInput, match="incident"):
        await act(house, one.id, "merge", reason="x")
    with pytest.raises(NotFound):
        await act(house, one.id, "merge", incident="nowhere", reason="x")
    with pytest.raises(InvalidInput, match="alert"):
        await act(house, one.id, "separate", reason="x")
    await act(house, other.id, "close", reason="over")
    with pytest.raises(Conflict, match="closed"):
        await act(house, one.id, "merge", incident=other.id, reason="x")
    await act(house, other.id, "reopen", reason="not over")
    await act(house, one.id, "merge", incident=other.id, reason="x")
    with pytest.raises(Conflict, match="itself merged"):
        await act(house, third.id, "merge", incident=one.id, reason="x")
    await act(house, other.id, "merge", incident=third.id, reason="x")
    with pytest.raises(Conflict, match="Separate that first"):
        await act(house, one.id, "separate", reason="x")
    room = await house.situation.incidents.get(HOME, third.id)
    assert {incident.id for incident in room.merged} == {one.id, other.id}
    assert len(room.incident.alerts) == 3


async def test_a_person_classifies_with_a_reason(house: House) -> None:
    incident = await incident_on(house, "one", 1)
    said = {"threat_class": "specific", "severity": "Extreme", "confidence": 0.7}
    with pytest.raises(InvalidInput, match="reason"):
        await act(house, incident.id, "classify", classification=said)
    with pytest.raises(InvalidInput, match="what to set"):
        await act(house, incident.id, "classify", reason="x", classification={})
    with pytest.raises(InvalidInput, match="takes no"):
        await act(house, incident.id, "note", reason="x", classification=said)
    decided = await act(house, incident.id, "classify", reason="a named target", classification=said)
    assert decided.incident.threat_class is ThreatClass.SPECIFIC
    assert decided.incident.severity is Severity.EXTREME
    assert decided.incident.confidence == 0.7
    assert decided.decision.classification is not None
    later = await act(house, incident.id, "classify", reason="calmer", classification={"severity": "Minor"})
    assert (later.incident.severity, later.incident.confidence) == (Severity.MINOR, 0.7)


STEP = st.tuples(
    st.sampled_from(["merge", "separate", "join", "take-out", "close", "reopen", "note"]),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 3),
)


@settings(max_examples=4, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEP, min_size=5, max_size=20))
async def test_no_sequence_of_mergers_loses_an_alert_or_makes_a_circle(steps: list[tuple[str, int, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with opened_house(Path(folder)) as house:
            incidents = [(await incident_on(house, f"incident-{number}", 1)).id for number in range(3)]
            loose = an_alert(source="loose")
            await house.situation.alerts.ingest(HOME, [loose])
            async with house.store.view() as view:
                alerts = [alert for id in incidents for alert in (await view.incidents.get(HOME, id)).alerts]
            alerts.append(loose.id)
            for action, one, other, alert in steps:
                more: dict[str, object] = {"reason": "why"}
                if action == "merge":
                    more["incident"] = incidents[other]
                if action in ("join", "take-out"):
                    more["alert"] = alerts[alert]
                before = await _state(house, incidents)
                try:
                    await act(house, incidents[one], "separate" if action == "take-out" else action, **more)
                except ImpetusError:
                    assert await _state(house, incidents) == before
                async with house.store.view() as view:
                    found = [await view.incidents.get(HOME, id) for id in incidents]
                    kept = await view.alerts.many(HOME, alerts)
                assert len(kept) == len(alerts)
                inside = [alert for incident in found for alert in incident.alerts]
                assert len(inside) == len(set(inside))
                points_to = {incident.id: incident.merged_into for incident in found}
                for incident in found:
                    if incident.merged_into is not None:
                        assert incident.alerts == ()
                        assert incident.state is IncidentState.CLOSED
                    seen, place = set[str](), incident.id
                    while (following := points_to[place]) is not None:
                        assert place not in seen
                        seen.add(place)
                        place = following


async def _state(house: House, incidents: list[str]) -> list[Incident]:
    async with house.store.view() as view:
        return [await view.incidents.get(HOME, id) for id in incidents]
