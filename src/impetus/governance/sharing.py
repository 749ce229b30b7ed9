"""What crosses between two organisations, without any I/O: the way of an agreement, what it covers, and the view that
the other side gets.

Denied by default. A view is built up from the fields that the agreement names; nothing is ever deleted from a record to
make one, so that a field that is added to a record tomorrow stays at home until somebody puts it in here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from impetus.model import (
    Agreement,
    AgreementState,
    Assessment,
    Category,
    Conflict,
    DataClass,
    Ending,
    EvidenceReference,
    FieldGroup,
    Incident,
    IncidentAction,
    IncidentState,
    InvalidInput,
    PartState,
    Place,
    PlaceDetail,
    Point,
    Polygon,
    Severity,
    SharedAlert,
    SharedEntry,
    SharedEntryKind,
    SharedIncident,
    SharedRoom,
    SharingTerms,
    Side,
    Signature,
    SubjectKind,
    derived_id,
)
from impetus.store.records import AlertRecord

LONGEST: Final = timedelta(days=731)
"""Two years: then people look at it again."""
COARSE_DECIMALS: Final = 2

SEVERITY_RANK: Final = {
    Severity.UNKNOWN: 0,
    Severity.MINOR: 1,
    Severity.MODERATE: 2,
    Severity.SEVERE: 3,
    Severity.EXTREME: 4,
}
PLACE_RANK: Final = {PlaceDetail.NONE: 0, PlaceDetail.COARSE: 1, PlaceDetail.EXACT: 2}
IMPERSONAL: Final = frozenset({DataClass.PUBLIC, DataClass.OPERATIONAL})

STATE_ACTIONS: Final = frozenset(
    {
        IncidentAction.OPEN.value,
        IncidentAction.CONTAIN.value,
        IncidentAction.CLOSE.value,
        IncidentAction.REOPEN.value,
        IncidentAction.REVIEW.value,
    }
)
"""Decisions on the incident itself that cross. Notes do not, and what was joined shows as alerts."""
ALERT_STATE_ACTIONS: Final = frozenset({"acknowledge", "confirm", "dismiss", "escalate", "reopen"})


# --- The way of an agreement ---


def propose(
    *, id: str, tenant: str, giver: str, receiver: str, terms: SharingTerms, by: Signature, now: datetime
) -> Agreement:
    """A new agreement, approved by the side that proposes it. Raises `InvalidInput`."""
    check_terms(terms, now)
    if giver == receiver:
        raise InvalidInput("An organisation makes no agreement with itself.", hint="Name another organisation.")
    if tenant not in (giver, receiver):
        raise InvalidInput(
            "The own organisation is on neither side.", hint="An agreement is proposed by the giver or the receiver."
        )
    side = Side.GIVER if tenant == giver else Side.RECEIVER
    return Agreement(
        id=id,
        giver=giver,
        receiver=receiver,
        terms=terms,
        proposed_by=side,
        approved_by_giver=by if side is Side.GIVER else None,
        approved_by_receiver=by if side is Side.RECEIVER else None,
        created=now,
        updated=now,
    )


def amend(agreement: Agreement, side: Side, terms: SharingTerms, by: Signature, now: datetime) -> Agreement:
    """Other terms for what is only proposed: the other side's approval is void. Raises `Conflict`, `InvalidInput`."""
    _must_be(agreement, AgreementState.PROPOSED, now, "changed")
    check_terms(terms, now)
    return agreement.model_copy(
        update={
            "terms": terms,
            "approved_by_giver": by if side is Side.GIVER else None,
            "approved_by_receiver": by if side is Side.RECEIVER else None,
            "updated": now,
            "version": agreement.version + 1,
        }
    )


def approve(agreement: Agreement, side: Side, by: Signature, now: datetime) -> Agreement:
    """Approve what the other side proposed. Raises `Conflict`."""
    _must_be(agreement, AgreementState.PROPOSED, now, "approved")
    name = "approved_by_giver" if side is Side.GIVER else "approved_by_receiver"
    if getattr(agreement, name) is not None:
        raise Conflict("Your organisation has approved this already.", hint="It waits for the other side.")
    return agreement.model_copy(update={name: by, "updated": now, "version": agreement.version + 1})


def end(agreement: Agreement, ending: Ending) -> Agreement:
    """End it at once, whether it was in force or only proposed. Raises `Conflict` if it has ended."""
    if agreement.ending is not None:
        raise Conflict("This agreement has ended already.", hint="Propose a new one to share again.")
    return agreement.model_copy(update={"ending": ending, "updated": ending.time, "version": agreement.version + 1})


def check_terms(terms: SharingTerms, now: datetime) -> None:
    """Raises `InvalidInput` for terms that nobody should agree to."""
    if terms.until <= now:
        raise InvalidInput("The agreement would be over before it begins.", hint="Give a later 'until'.")
    if terms.until - now > LONGEST:
        raise InvalidInput(
            "An agreement holds for two years at most.", hint="Give an earlier 'until' and renew it then."
        )
    if terms.area is not None and not (_geometry(terms.area).is_valid and _geometry(terms.area).area > 0):
        raise InvalidInput("The area is not a proper polygon.", hint="Draw it again without crossing its own line.")
    if FieldGroup.PERSONAL_EVIDENCE in terms.groups and FieldGroup.EVIDENCE not in terms.groups:
        raise InvalidInput(
            "Evidence about persons crosses only where other evidence does.", hint="Add the group 'evidence'."
        )


def in_force(agreement: Agreement, now: datetime, active_organisations: Collection[str]) -> bool:
    """Whether anything may cross under it at this moment."""
    return agreement.state(now) is AgreementState.ACTIVE and {agreement.giver, agreement.receiver} <= set(
        active_organisations
    )


def _must_be(agreement: Agreement, wanted: AgreementState, now: datetime, verb: str) -> None:
    state = agreement.state(now)
    if state is not wanted:
        raise Conflict(
            f"The agreement is {state.value}, so it cannot be {verb}.",
            hint="Propose a new one; what is in force is never changed, only ended.",
        )


# --- What an agreement covers ---


@dataclass(frozen=True, slots=True)
class Facts:
    """An incident as its own organisation has it, and all that was decided on it and on its alerts."""

    incident: Incident
    alerts: Sequence[AlertRecord]
    decisions: Sequence[Assessment] = ()


def alert_crosses(terms: SharingTerms, record: AlertRecord) -> bool:
    """Whether the terms cover this alert, by itself."""
    alert = record.alert
    return (
        alert.category in terms.categories
        and SEVERITY_RANK[alert.severity] >= SEVERITY_RANK[terms.from_severity]
        and _touches(terms.area, alert.place)
    )


def incident_crosses(terms: SharingTerms, facts: Facts) -> bool:
    """Whether the terms cover this incident: severe enough, opened by a person, and about what was agreed on."""
    incident = facts.incident
    if SEVERITY_RANK[incident.severity] < SEVERITY_RANK[terms.from_severity]:
        return False
    if incident.state is IncidentState.CANDIDATE and not (
        terms.alerts
        and any(record.state.value == "confirmed" and alert_crosses(terms, record) for record in facts.alerts)
    ):
        return False
    if facts.alerts:
        return any(alert_crosses(terms, record) for record in facts.alerts)
    return Category.OTHER in terms.categories and _touches(terms.area, incident.place)


def widest(agreements: Iterable[Agreement]) -> Agreement | None:
    """Of several agreements that cover an incident, the one under which it crosses: a view is never pieced together
    from two."""
    return max(
        agreements,
        key=lambda one: (len(one.terms.groups), PLACE_RANK[one.terms.place], one.created, one.id),
        default=None,
    )


def _touches(area: Polygon | None, place: Place | None) -> bool:
    if area is None:
        return True
    if place is None:
        return False
    try:
        return bool(_geometry(area).intersects(shape(place.geometry.model_dump())))
    except shapely.errors.ShapelyError:
        # A polygon that crosses itself: nobody can say where that is.
        return False


def _within(area: Polygon | None, geometry: BaseGeometry) -> bool:
    if area is None:
        return True
    try:
        return bool(_geometry(area).covers(geometry))
    except shapely.errors.ShapelyError:
        return False


@lru_cache(maxsize=256)
def _geometry(area: Polygon) -> BaseGeometry:
    geometry = shape(area.model_dump())
    shapely.prepare(geometry)
    return geometry


# --- The view of the other side ---


@dataclass(frozen=True, slots=True)
class ShareHead:
    """What a view says of the sharing itself."""

    id: str
    giver_name: str
    part: PartState
    version: int
    since: datetime
    updated: datetime


def shared_place(terms: SharingTerms, place: Place | None) -> Place | None:
    """The place as exactly as agreed on, and only if it lies within the area."""
    if place is None or terms.place is PlaceDetail.NONE:
        return None
    if terms.place is PlaceDetail.COARSE:
        longitude, latitude = place.centre
        if not _within(terms.area, shapely.Point(longitude, latitude)):
            return None
        rounded = (round(longitude, COARSE_DECIMALS), round(latitude, COARSE_DECIMALS))
        return Place(geometry=Point(coordinates=rounded))
    if not _within(terms.area, shape(place.geometry.model_dump())):
        return None
    return Place(geometry=place.geometry, name=place.name)


def shared_evidence(terms: SharingTerms, record: AlertRecord) -> tuple[EvidenceReference, ...] | None:
    """The evidence of an alert that may be looked at and opened."""
    if FieldGroup.EVIDENCE not in terms.groups:
        return None
    personal = FieldGroup.PERSONAL_EVIDENCE in terms.groups
    return tuple(one for one in record.alert.evidence if personal or one.data_class in IMPERSONAL)


def shared_alert(share: str, terms: SharingTerms, record: AlertRecord) -> SharedAlert:
    """The view of one alert that crosses."""
    alert = record.alert
    allowed = frozenset(terms.groups)
    headline = FieldGroup.HEADLINE in allowed
    description = FieldGroup.DESCRIPTION in allowed
    explanation = FieldGroup.EXPLANATION in allowed
    sources = FieldGroup.SOURCES in allowed
    return SharedAlert(
        id=shared_alert_id(share, alert.id),
        category=alert.category,
        urgency=alert.urgency,
        severity=alert.severity,
        certainty=alert.certainty,
        status=alert.status,
        state=record.state,
        onset=alert.onset,
        received=record.received,
        ended=alert.ended,
        headline=alert.headline if headline else None,
        description=alert.description if description else None,
        instruction=alert.instruction if description else None,
        place=shared_place(terms, alert.place),
        confidence=alert.confidence if explanation else None,
        explanation=alert.explanation if explanation else None,
        model=alert.model if explanation else None,
        tool=alert.tool if sources else None,
        detector=alert.detector if sources else None,
        source=alert.source if sources else None,
        entities=alert.entities if sources else None,
        evidence=shared_evidence(terms, record),
        handled_by=record.handled_by if FieldGroup.PEOPLE in allowed else None,
    )


def shared_alert_id(share: str, alert: str) -> str:
    """What the receiver calls an alert; the giver's own identifiers may tell something."""
    return derived_id("shared-alert", share, alert)


def shared_room(agreement: Agreement, head: ShareHead, facts: Facts) -> SharedRoom:
    """What the receiver sees of an incident that crosses under an agreement in force.

    Whether it does is asked before: `in_force` and `incident_crosses`.
    """
    terms = agreement.terms
    allowed = frozenset(terms.groups)
    incident = facts.incident
    crossing = [record for record in facts.alerts if alert_crosses(terms, record)]
    categories = tuple(dict.fromkeys(record.alert.category for record in crossing)) or (Category.OTHER,)
    return SharedRoom(
        incident=SharedIncident(
            id=head.id,
            giver=agreement.giver,
            giver_name=head.giver_name,
            agreement=agreement.id,
            part=head.part,
            version=head.version,
            since=head.since,
            updated=head.updated,
            state=incident.state,
            severity=incident.severity,
            threat_class=incident.threat_class,
            categories=categories,
            opened=incident.opened,
            title=incident.title if FieldGroup.HEADLINE in allowed else None,
            summary=incident.summary if FieldGroup.DESCRIPTION in allowed else None,
            place=shared_place(terms, incident.place),
            conversation=FieldGroup.CONVERSATION in allowed,
        ),
        alerts=tuple(shared_alert(head.id, terms, record) for record in crossing),
        timeline=tuple(sorted(_entries(agreement, head.id, crossing, facts), key=lambda entry: entry.time)),
    )


def _entries(agreement: Agreement, share: str, crossing: Sequence[AlertRecord], facts: Facts) -> Iterable[SharedEntry]:
    terms = agreement.terms
    names = {record.alert.id: shared_alert(share, terms, record) for record in crossing}
    for view in names.values():
        for kind, moment in ((SharedEntryKind.ONSET, view.onset), (SharedEntryKind.ALERT, view.received)):
            yield SharedEntry(
                time=moment,
                kind=kind,
                organisation=agreement.giver,
                alert=view.id,
                headline=view.headline,
                severity=view.severity,
            )
    if FieldGroup.DECISIONS not in terms.groups:
        return
    for decision in facts.decisions:
        if decision.subject_kind is SubjectKind.INCIDENT:
            if decision.subject == facts.incident.id and decision.action in STATE_ACTIONS:
                yield shared_decision(terms, decision)
        elif decision.subject in names and decision.action in ALERT_STATE_ACTIONS:
            yield shared_decision(terms, decision, alert=names[decision.subject])


def shared_decision(terms: SharingTerms, decision: Assessment, *, alert: SharedAlert | None = None) -> SharedEntry:
    """A decision of one side as the other side sees it, where decisions cross; the same terms hold both ways."""
    told = FieldGroup.DECISIONS in terms.groups
    return SharedEntry(
        time=decision.decided,
        kind=SharedEntryKind.DECISION,
        organisation=decision.tenant,
        alert=alert.id if alert is not None else None,
        headline=alert.headline if alert is not None else None,
        severity=alert.severity if alert is not None else None,
        action=decision.action,
        state_after=decision.state_after,
        text=(decision.reason or None) if told else None,
        person_name=decision.person_name if FieldGroup.PEOPLE in terms.groups else None,
    )
