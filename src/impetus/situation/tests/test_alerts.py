"""Protects that alerts are taken in once, that decisions are kept whole or not at all, and that nobody's is lost."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impetus.governance import Principal
from impetus.model import (
    Alert,
    AlertAction,
    AlertState,
    Assessment,
    Conflict,
    Envelope,
    InvalidInput,
    NotAllowed,
    NotFound,
    Permission,
    new_id,
)
from impetus.situation.decisions import AlertDecision
from impetus.situation.runtime import running
from impetus.situation.tests.house import HOSTILE, House, alert_message, an_alert, eventually, opened_house
from impetus.situation.views import AlertView, alert_json
from impetus.store import AlertFilter, AlertOrder, VersionConflict


async def outbox(house: House) -> list[Envelope]:
    async with house.store.view() as view:
        return [envelope for _, envelope in await view.outbox.waiting_in_installation()]


async def test_an_alert_that_comes_twice_is_kept_and_told_once(house: House) -> None:
    alert = an_alert()
    await house.situation.alerts.ingest("municipality", [alert, alert])
    await house.situation.alerts.ingest("municipality", [alert])
    page = await house.situation.alerts.list("municipality", AlertFilter(), order=AlertOrder.HARM, limit=10, after=None)
    assert [record.alert for record in page.items] == [alert]
    (message,) = await outbox(house)
    view = orjson.loads(message.data)
    assert message.subject == "municipality.alert-view.anomaly"
    assert view["id"] == alert.id
    assert view["state"] == "new"
    assert view["version"] == 1
    assert view["harm"] == pytest.approx(0.8 * 0.3)


async def test_a_greater_revision_brings_the_content_up_to_date_and_leaves_the_decision(house: House) -> None:
    alert = an_alert()
    alerts = house.situation.alerts
    await alerts.ingest("municipality", [alert])
    await alerts.decide(house.person("olivia"), alert.id, AlertDecision(action=AlertAction.ACKNOWLEDGE, version=1))
    await alerts.ingest("municipality", [alert.model_copy(update={"revision": 2, "confidence": 0.9})])
    await alerts.ingest("municipality", [alert.model_copy(update={"revision": 1, "confidence": 0.1})])
    record, _ = await alerts.get("municipality", alert.id)
    assert record.alert.confidence == 0.9
    assert record.state is AlertState.ACKNOWLEDGED
    assert record.handled_by == "Olivia Example"


async def test_a_decision_leaves_history_audit_and_messages_and_replaying_it_changes_nothing(house: House) -> None:
    alert = an_alert()
    alerts = house.situation.alerts
    await alerts.ingest("municipality", [alert])
    decision = AlertDecision(id=new_id(), action=AlertAction.DISMISS, reason=HOSTILE, version=1)
    first = await alerts.decide(house.person("olivia"), alert.id, decision)
    before = await outbox(house)
    again = await alerts.decide(house.person("olivia"), alert.id, decision)
    assert again == first
    assert await outbox(house) == before
    record, history = await alerts.get("municipality", alert.id)
    assert (record.state, record.version) == (AlertState.DISMISSED, 2)
    assert [assessment.reason for assessment in history] == [HOSTILE]
    assert {message.kind for message in before} == {"alert-view", "assessment"}
    async with house.store.view() as view:
        audit = await view.audit.list("municipality", subject=f"alert:{alert.id}")
    assert [one.action for one in audit.items] == ["alert.dismiss"]


async def test_the_id_of_a_decision_cannot_be_used_for_another_one(house: House) -> None:
    one, other = an_alert(), an_alert()
    alerts = house.situation.alerts
    await alerts.ingest("municipality", [one, other])
    decision = AlertDecision(action=AlertAction.CONFIRM, version=1)
    await alerts.decide(house.person("olivia"), one.id, decision)
    with pytest.raises(Conflict, match="Another decision"):
        await alerts.decide(house.person("olivia"), other.id, decision)
    with pytest.raises(Conflict, match="Another decision"):
        await alerts.decide(house.person("omar"), one.id, decision)


async def test_two_people_at_once_never_overwrite_each_other(any_house: House) -> None:
    alert = an_alert()
    alerts = any_house.situation.alerts
    await alerts.ingest("municipality", [alert])
    outcomes = await asyncio.gather(
        alerts.decide(any_house.person("olivia"), alert.id, AlertDecision(action=AlertAction.CONFIRM, version=1)),
        alerts.decide(
            any_house.person("omar"), alert.id, AlertDecision(action=AlertAction.DISMISS, reason="a test", version=1)
        ),
        return_exceptions=True,
    )
    lost = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert len(lost) == 1
    assert isinstance(lost[0], VersionConflict)
    assert lost[0].handled_by in ("Olivia Example", "Omar Example")
    assert lost[0].version == 2


async def test_only_people_of_the_own_organisation_decide(house: House) -> None:
    alert = an_alert()
    alerts = house.situation.alerts
    await alerts.ingest("municipality", [alert])
    decision = AlertDecision(action=AlertAction.CONFIRM, version=1)
    with pytest.raises(NotFound):
        await alerts.decide(house.person("pia"), alert.id, decision)
    machine = Principal(tenant="municipality", permissions=frozenset(Permission), machine="robot", token="t")
    with pytest.raises(NotAllowed, match="Only a person"):
        await alerts.decide(machine, alert.id, decision)


async def test_what_cannot_be_used_is_set_aside_and_the_rest_goes_on(house: House) -> None:
    good = an_alert(headline=HOSTILE)
    late = an_alert(sent="2090-01-01T00:00:00Z")
    broken = alert_message(an_alert()).model_copy(update={"data": b'{"tool":'})
    async with running(house.situation):
        await house.bus.publish([broken, alert_message(late), alert_message(good)])

        async def arrived() -> bool:
            async with house.store.view() as view:
                return await view.alerts.find("municipality", good.id) is not None

        await eventually(arrived)
        letters = await eventually(lambda: _letters(house, 2))
    assert any("future" in letter.reason for letter in letters)
    async with house.store.view() as view:
        record = await view.alerts.get("municipality", good.id)
    assert record.alert.headline == good.headline


async def _letters(house: House, count: int) -> list[object]:
    letters = await house.bus.dead_letters("municipality")
    return list(letters) if len(letters) >= count else []


async def test_a_decision_reaches_the_bus(house: House) -> None:
    alert = an_alert()
    async with running(house.situation):
        await house.bus.publish([alert_message(alert)])

        async def arrived() -> bool:
            async with house.store.view() as view:
                return await view.alerts.find("municipality", alert.id) is not None

        await eventually(arrived)
        decided = await house.situation.alerts.decide(
            house.person("olivia"), alert.id, AlertDecision(action=AlertAction.CONFIRM, version=1)
        )

        async def told() -> bool:
            since = decided.decision.decided
            return any(
                [
                    delivery.envelope.open(Assessment).id == decided.decision.id
                    async for delivery in house.bus.replay(["municipality.assessment.>"], since=since)
                ]
            )

        await eventually(told)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["olivia", "omar", "sofia"]),
        st.sampled_from(AlertAction),
        st.integers(0, 2),
        st.sampled_from(["", "because"]),
        st.booleans(),
    ),
    max_size=12,
)


@given(ACTS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_sequence_of_decisions_leaves_a_gapless_history(
    acts: list[tuple[str, AlertAction, int, str, bool]],
) -> None:
    """Each act names a version that is 0 to 2 behind the present one, and may be sent twice."""

    async def play(folder: Path) -> None:
        async with opened_house(folder) as house:
            alert = an_alert()
            alerts = house.situation.alerts
            await alerts.ingest("municipality", [alert])
            taken = 0
            for name, action, behind, reason, twice in acts:
                record, _ = await alerts.get("municipality", alert.id)
                person = house.users["omar"].id if action is AlertAction.ASSIGN else None
                version = max(1, record.version - behind)
                decision = AlertDecision(action=action, reason=reason, version=version, person=person)
                for _ in range(2 if twice else 1):
                    try:
                        await alerts.decide(house.person(name), alert.id, decision)
                    except (Conflict, InvalidInput, NotAllowed):
                        after, _ = await alerts.get("municipality", alert.id)
                        assert after == record
                        break
                else:
                    taken += 1
                    assert decision.version == record.version
            record, history = await alerts.get("municipality", alert.id)
            assert record.version == taken + 1
            assert [assessment.version for assessment in history] == list(range(2, taken + 2))
            states = [AlertState.NEW.value, *(assessment.state_after for assessment in history)]
            assert [assessment.state_before for assessment in history] == states[:-1]
            assert record.state.value == states[-1]
            assert record.holder is None or record.state in (AlertState.ACKNOWLEDGED, AlertState.ESCALATED)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder)))


async def test_the_view_of_an_alert_is_what_its_model_describes(house: House) -> None:
    alert = an_alert(headline=HOSTILE, ended=house.clock.now(), description=HOSTILE)
    (arrival,) = await house.situation.alerts.ingest("municipality", [alert])
    view = AlertView.model_validate_json(alert_json(arrival.record))
    assert Alert.model_validate({name: getattr(view, name) for name in Alert.model_fields}) == alert
    assert view.harm == arrival.record.harm
    assert view.received == arrival.record.received
    assert b"\n" not in alert_json(arrival.record)
