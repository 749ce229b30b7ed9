"""Protects what crosses between organisations: no sequence of agreements and edits shows a field that is not agreed on.

The check does not use the code that it checks. Every text of a record carries a mark of the group it belongs to, and
the whole view is searched, as it goes over the wire, for marks that no agreement in force allows.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from impetus.governance import sharing
from impetus.governance.sharing import Facts, ShareHead
from impetus.model import (
    Agreement,
    AgreementState,
    Alert,
    AlertState,
    Assessment,
    Category,
    Conflict,
    DataClass,
    Ending,
    EvidenceReference,
    Factor,
    FieldGroup,
    Incident,
    IncidentState,
    InvalidInput,
    ModelReference,
    PartState,
    Place,
    PlaceDetail,
    Point,
    Polygon,
    Severity,
    SharingTerms,
    Side,
    Signature,
    SubjectKind,
)
from impetus.store.records import AlertRecord

START = datetime(2026, 11, 21, tzinfo=UTC)
INSIDE, OUTSIDE = (8.01234, 58.14321), (9.98765, 59.12345)
AREA = Polygon(coordinates=(((7.9, 58.0), (8.1, 58.0), (8.1, 58.2), (7.9, 58.2), (7.9, 58.0)),))

MARKS = {
    "headline": FieldGroup.HEADLINE,
    "description": FieldGroup.DESCRIPTION,
    "explanation": FieldGroup.EXPLANATION,
    "sources": FieldGroup.SOURCES,
    "evidence": FieldGroup.EVIDENCE,
    "personal": FieldGroup.PERSONAL_EVIDENCE,
    "decisions": FieldGroup.DECISIONS,
    "people": FieldGroup.PEOPLE,
}
NEVER = ("own-id", "note", "tenant-only")


def mark(group: str, alert: str = "") -> str:
    return f"mark-{group}-{alert}" if alert else f"mark-{group}"


def record(
    name: str,
    *,
    category: Category = Category.FIRE,
    severity: Severity = Severity.SEVERE,
    at: tuple[float, float] | None = INSIDE,
    state: AlertState = AlertState.NEW,
) -> AlertRecord:
    evidence = [
        EvidenceReference(sha256="a" * 64, media_type="image/png", title=mark("evidence", name), size_bytes=1),
        EvidenceReference(
            sha256="b" * 64,
            media_type="image/png",
            title=mark("personal", name),
            size_bytes=1,
            data_class=DataClass.PERSONAL,
        ),
    ]
    return AlertRecord(
        alert=Alert(
            id=mark("own-id", name),
            tool=mark("sources", name),
            detector=mark("sources", name),
            source=mark("sources", name),
            headline=mark("headline", name),
            description=mark("description", name),
            instruction=mark("description", name),
            category=category,
            severity=severity,
            confidence=0.7654321,
            onset=START,
            sent=START,
            place=Place(geometry=Point(coordinates=at), name=mark("place", name)) if at is not None else None,
            explanation=(Factor(name=mark("explanation", name), weight=0.5),),
            evidence=tuple(evidence),
            entities=(mark("sources", name),),
            model=ModelReference(name=mark("explanation", name), version="1"),
        ),
        tenant="fire",
        state=state,
        version=1,
        received=START,
        updated=START,
        incident="mark-own-id",
        handled_by=mark("people", name),
        harm=0.123456789,
    )


def decision(subject: str, action: str, kind: SubjectKind) -> Assessment:
    return Assessment(
        tenant="fire",
        subject_kind=kind,
        subject=subject,
        action=action,
        reason=mark("note") if action == "note" else mark("decisions"),
        state_before="open",
        state_after="open",
        version=1,
        person="mark-own-id",
        person_name=mark("people"),
        decided=START,
    )


def facts(alerts: list[AlertRecord], **changes: Any) -> Facts:
    incident = Incident(
        **{
            "id": "mark-own-id",
            "tenant": "fire",
            "title": mark("headline"),
            "summary": mark("description"),
            "state": IncidentState.OPEN,
            "severity": Severity.SEVERE,
            "place": Place(geometry=Point(coordinates=INSIDE), name=mark("place")),
            "opened": START,
            "updated": START,
            **changes,
        }
    )
    decisions = [decision(incident.id, action, SubjectKind.INCIDENT) for action in ("open", "note", "join")]
    decisions += [decision(one.alert.id, "confirm", SubjectKind.ALERT) for one in alerts]
    return Facts(incident, alerts, decisions)


def terms(**changes: Any) -> SharingTerms:
    return SharingTerms(
        **{"purpose": "mutual aid", "categories": (Category.FIRE,), "until": START + timedelta(days=30), **changes}
    )


def signature(name: str = "Anna Berg") -> Signature:
    return Signature(person="anna", name=name, time=START)


def active(**changes: Any) -> Agreement:
    proposed = sharing.propose(
        id="one", tenant="fire", giver="fire", receiver="police", terms=terms(**changes), by=signature(), now=START
    )
    return sharing.approve(proposed, Side.RECEIVER, signature(), START)


HEAD = ShareHead("share", "Fire service", PartState.NOTIFIED, 1, START, START)


def assert_nothing_leaks(wire: str, allowed: SharingTerms, facts: Facts) -> None:
    """What the terms forbid stands nowhere in the view."""
    for name in NEVER:
        assert mark(name) not in wire
    for name, group in MARKS.items():
        if group not in allowed.groups:
            assert mark(name) not in wire, name
    if FieldGroup.EXPLANATION not in allowed.groups:
        assert "0.7654321" not in wire
    assert "0.123456789" not in wire
    if allowed.place is not PlaceDetail.EXACT:
        assert mark("place") not in wire
        for number in (*INSIDE, *OUTSIDE):
            assert str(number) not in wire
    if allowed.place is PlaceDetail.NONE:
        assert "coordinates" not in wire
    if allowed.area is not None:
        assert str(OUTSIDE[0]) not in wire
        assert str(round(OUTSIDE[0], 2)) not in wire
    for one in facts.alerts:
        alert = one.alert
        outside = alert.place is None or alert.place.geometry.coordinates == OUTSIDE
        if (
            alert.category not in allowed.categories
            or list(Severity).index(alert.severity) > list(Severity).index(allowed.from_severity)
            or (allowed.area is not None and outside)
        ):
            name = alert.id.rsplit("-", 1)[1]
            assert not re.search(rf"mark-[a-z-]+-{name}\b", wire)
            assert sharing.shared_alert_id("share", alert.id) not in wire


TERMS = st.builds(
    terms,
    categories=st.lists(st.sampled_from([Category.FIRE, Category.HEALTH]), min_size=1, unique=True).map(tuple),
    area=st.sampled_from([None, AREA]),
    from_severity=st.sampled_from([Severity.UNKNOWN, Severity.MODERATE, Severity.SEVERE, Severity.EXTREME]),
    alerts=st.booleans(),
    groups=st.sets(st.sampled_from(FieldGroup)).map(
        lambda groups: tuple(sorted(groups | ({FieldGroup.EVIDENCE} if "personal-evidence" in groups else set())))
    ),
    place=st.sampled_from(PlaceDetail),
    until=st.integers(1, 10).map(lambda days: START + timedelta(days=days)),
)


class SharingMachine(RuleBasedStateMachine):
    """Two organisations propose, change, approve, end and let expire, while the incident is being worked on."""

    @initialize()
    def begin(self) -> None:
        self.now = START
        self.agreements: dict[str, Agreement] = {}
        self.signed: dict[str, set[tuple[Side, str]]] = {}
        """By agreement: which side approved exactly which terms. Kept apart from the code under test."""
        self.gone: set[str] = set()
        self.shut_out: set[str] = set()
        self.alerts: list[AlertRecord] = [record("a0")]
        self.changes: dict[str, Any] = {}

    def some(self, number: int) -> Agreement | None:
        return list(self.agreements.values())[number % len(self.agreements)] if self.agreements else None

    @rule(wanted=TERMS, side=st.sampled_from(Side))
    def propose(self, wanted: SharingTerms, side: Side) -> None:
        id = f"agreement-{len(self.agreements)}"
        tenant = "fire" if side is Side.GIVER else "police"
        try:
            self.agreements[id] = sharing.propose(
                id=id, tenant=tenant, giver="fire", receiver="police", terms=wanted, by=signature(), now=self.now
            )
        except InvalidInput:
            assert wanted.until <= self.now
            return
        self.signed[id] = {(side, wanted.model_dump_json())}

    @rule(number=st.integers(0, 9), wanted=TERMS, side=st.sampled_from(Side))
    def amend(self, number: int, wanted: SharingTerms, side: Side) -> None:
        agreement = self.some(number)
        if agreement is None:
            return
        try:
            self.agreements[agreement.id] = sharing.amend(agreement, side, wanted, signature(), self.now)
        except (Conflict, InvalidInput):
            return
        self.signed[agreement.id].add((side, wanted.model_dump_json()))

    @rule(number=st.integers(0, 9), side=st.sampled_from(Side))
    def approve(self, number: int, side: Side) -> None:
        agreement = self.some(number)
        if agreement is None:
            return
        try:
            self.agreements[agreement.id] = sharing.approve(agreement, side, signature(), self.now)
        except Conflict:
            return
        self.signed[agreement.id].add((side, agreement.terms.model_dump_json()))

    @rule(number=st.integers(0, 9), side=st.sampled_from(Side))
    def end(self, number: int, side: Side) -> None:
        agreement = self.some(number)
        if agreement is None:
            return
        self.gone.add(agreement.id)
        ending = Ending(side=side, person="anna", name="Anna Berg", time=self.now)
        try:
            self.agreements[agreement.id] = sharing.end(agreement, ending)
        except Conflict:
            assert agreement.ending is not None

    @rule(days=st.integers(1, 4))
    def time_passes(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule(tenant=st.sampled_from(["fire", "police"]))
    def shut_out_or_let_in(self, tenant: str) -> None:
        self.shut_out ^= {tenant}

    @rule(
        category=st.sampled_from([Category.FIRE, Category.HEALTH, Category.CBRNE]),
        severity=st.sampled_from(Severity),
        at=st.sampled_from([None, INSIDE, OUTSIDE]),
        state=st.sampled_from(AlertState),
    )
    def join_an_alert(
        self, category: Category, severity: Severity, at: tuple[float, float] | None, state: AlertState
    ) -> None:
        if len(self.alerts) < 5:
            name = f"a{len(self.alerts)}"
            self.alerts.append(record(name, category=category, severity=severity, at=at, state=state))

    @rule()
    def separate_the_alerts(self) -> None:
        self.alerts.clear()

    @rule(
        severity=st.sampled_from(Severity),
        at=st.sampled_from([None, INSIDE, OUTSIDE]),
        state=st.sampled_from(IncidentState),
    )
    def edit_the_incident(self, severity: Severity, at: tuple[float, float] | None, state: IncidentState) -> None:
        place = Place(geometry=Point(coordinates=at), name=mark("place")) if at is not None else None
        self.changes = {"severity": severity, "place": place, "state": state}

    @invariant()
    def nothing_beyond_what_both_sides_agreed_on_is_shown(self) -> None:
        known = facts(self.alerts, **self.changes)
        organisations = {"fire", "police"} - self.shut_out
        covering = [
            agreement
            for agreement in self.agreements.values()
            if sharing.in_force(agreement, self.now, organisations) and sharing.incident_crosses(agreement.terms, known)
        ]
        chosen = sharing.widest(covering)
        if chosen is None:
            return
        text = chosen.terms.model_dump_json()
        assert self.signed[chosen.id] >= {(Side.GIVER, text), (Side.RECEIVER, text)}
        assert chosen.id not in self.gone
        assert self.now < chosen.terms.until
        assert not self.shut_out
        wire = sharing.shared_room(chosen, HEAD, known).model_dump_json()
        assert_nothing_leaks(wire, chosen.terms, known)


TestSharing = SharingMachine.TestCase
TestSharing.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@settings(max_examples=60, deadline=None)
@given(wanted=TERMS)
def test_the_view_of_a_full_incident_holds_what_is_agreed_on_and_nothing_else(wanted: SharingTerms) -> None:
    known = facts([record("a0"), record("a1", category=Category.HEALTH, severity=Severity.MINOR, at=OUTSIDE)])
    agreement = active(**wanted.model_dump() | {"until": START + timedelta(days=30)})
    wire = sharing.shared_room(agreement, HEAD, known).model_dump_json()
    assert_nothing_leaks(wire, wanted, known)
    if sharing.alert_crosses(wanted, known.alerts[0]):
        for name, group in MARKS.items():
            assert (mark(name) in wire) == (group in wanted.groups), name


def test_everything_agreed_on_arrives() -> None:
    agreement = active(groups=tuple(FieldGroup), place=PlaceDetail.EXACT)
    room = sharing.shared_room(agreement, HEAD, facts([record("a0")]))
    assert room.incident.title == "mark-headline"
    (alert,) = room.alerts
    assert (alert.confidence, alert.source, alert.handled_by) == (0.7654321, "mark-sources-a0", "mark-people-a0")
    assert alert.evidence is not None
    assert len(alert.evidence) == 2
    assert [entry.action for entry in room.timeline if entry.action] == ["open", "confirm"]
    assert room.incident.place is not None
    assert room.incident.place.geometry.coordinates == INSIDE


def test_nothing_agreed_on_leaves_what_and_how_bad() -> None:
    room = sharing.shared_room(active(), HEAD, facts([record("a0")]))
    assert "mark-" not in room.model_dump_json()
    assert (room.incident.state, room.incident.severity) == (IncidentState.OPEN, Severity.SEVERE)
    assert room.incident.categories == (Category.FIRE,)


@pytest.mark.parametrize("place", [None, Place(geometry=Point(coordinates=OUTSIDE))])
def test_what_is_elsewhere_or_nowhere_does_not_cross(place: Place | None) -> None:
    at = None if place is None else OUTSIDE
    known = facts([record("a0", at=at)], place=place)
    assert not sharing.incident_crosses(terms(area=AREA), known)
    assert sharing.incident_crosses(terms(), known)


def test_a_huge_or_crossed_polygon_is_not_shown() -> None:
    crossed = Polygon(coordinates=(((8.0, 58.1), (8.05, 58.15), (8.05, 58.1), (8.0, 58.15), (8.0, 58.1)),))
    huge = Polygon(coordinates=(((-180, -90), (180, -90), (180, 90), (-180, 90), (-180, -90)),))
    for geometry in (crossed, huge):
        one = record("a0")
        one = one.model_copy(update={"alert": one.alert.model_copy(update={"place": Place(geometry=geometry)})})
        wanted = terms(area=AREA, place=PlaceDetail.EXACT)
        if sharing.alert_crosses(wanted, one) and geometry is huge:
            assert sharing.shared_alert("share", wanted, one).place is None


def test_a_candidate_crosses_only_with_a_confirmed_alert_and_where_alerts_are_agreed_on() -> None:
    for state, alerts, crosses in (
        (AlertState.NEW, True, False),
        (AlertState.CONFIRMED, False, False),
        (AlertState.CONFIRMED, True, True),
    ):
        known = facts([record("a0", state=state)], state=IncidentState.CANDIDATE)
        assert sharing.incident_crosses(terms(alerts=alerts), known) is crosses


def test_an_incident_on_no_alert_is_other() -> None:
    assert not sharing.incident_crosses(terms(), facts([]))
    assert sharing.incident_crosses(terms(categories=(Category.OTHER,)), facts([]))


def test_the_way_of_an_agreement() -> None:
    agreement = active()
    assert agreement.state(START) is AgreementState.ACTIVE
    assert agreement.state(agreement.terms.until) is AgreementState.EXPIRED
    with pytest.raises(Conflict, match="active"):
        sharing.amend(agreement, Side.GIVER, terms(), signature(), START)
    with pytest.raises(Conflict, match="active"):
        sharing.approve(agreement, Side.GIVER, signature(), START)
    over = sharing.end(agreement, Ending(side=Side.RECEIVER, person="p", name="Pia", time=START))
    assert over.state(START) is AgreementState.ENDED
    with pytest.raises(Conflict):
        sharing.end(over, Ending(side=Side.GIVER, person="p", name="Pia", time=START))


@pytest.mark.parametrize(
    "wrong",
    [
        {"until": START},
        {"until": START + timedelta(days=4_000)},
        {"groups": (FieldGroup.PERSONAL_EVIDENCE,)},
        {"area": Polygon(coordinates=(((0, 0), (1, 1), (1, 0), (0, 1), (0, 0)),))},
        {"area": Polygon(coordinates=(((0, 0), (0, 0), (0, 0), (0, 0)),))},
    ],
)
def test_terms_that_nobody_should_agree_to_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        sharing.check_terms(terms(**wrong), START)
