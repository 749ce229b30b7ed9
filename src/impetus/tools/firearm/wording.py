"""The alerts of this tool, in words."""

from __future__ import annotations

from datetime import datetime

from impetus.model import (
    Alert,
    Category,
    Certainty,
    DataClass,
    EvidenceReference,
    Factor,
    ModelReference,
    Place,
    Severity,
    Status,
    Urgency,
    derived_id,
)
from impetus.tools.firearm.camera_settings import CameraSettings
from impetus.tools.firearm.confirmation import Rules
from impetus.tools.firearm.model import Contract
from impetus.tools.firearm.notices import Found

LIKELY = 0.75


def event_id(tenant: str, camera: str, onset: datetime) -> str:
    """The same event gets the same id."""
    return derived_id(tenant, "firearm", camera, onset.isoformat(timespec="milliseconds"))


def firearm_alert(
    *,
    id: str,
    revision: int,
    camera: CameraSettings,
    contract: Contract,
    rules: Rules,
    event: Found,
    trust: float,
    confidence: float,
    onset: datetime,
    sent: datetime,
    ended: datetime | None,
    place: Place | None,
    evidence: tuple[EvidenceReference, ...],
    status: Status,
) -> Alert:
    """The alert of an event."""
    size = f"{event.size_px:.0f} px"
    rendered = "not for real cameras" if "rendered" in contract.name else ""
    length_s = max(0.0, event.confirmed_s - event.start_s)
    small = event.size_px < 24
    return Alert(
        id=id,
        revision=revision,
        tool="firearm",
        detector="firearm",
        source=camera.id,
        headline=f"Possible firearm: {camera.title}",
        description=(
            f"What looks like a firearm was found in {event.hits} of {event.window} frames within {length_s:.1f} s. "
            "No person was recognised, compared or followed to another camera."
        ),
        instruction="Look at the masked frames, then confirm or dismiss. Nothing is passed on before.",
        category=Category.SECURITY,
        urgency=Urgency.IMMEDIATE,
        severity=Severity.EXTREME if confidence >= LIKELY else Severity.SEVERE,
        certainty=Certainty.LIKELY if confidence >= LIKELY else Certainty.POSSIBLE,
        confidence=round(confidence, 4),
        status=status,
        onset=onset,
        sent=sent,
        ended=ended,
        place=place,
        explanation=(
            Factor(
                name="Frames with a firearm",
                weight=0.5,
                observed=f"{event.hits} of {event.window}",
                expected=f"{rules.needed} of {rules.window} at score {rules.threshold:.2f} or more",
                text=f"Frames {', '.join(map(str, event.frames))} of this connection.",
            ),
            Factor(
                name="Best frame",
                weight=0.3,
                observed=f"score {event.best_score:.2f}, {size} long",
                expected="24 px or more are told well",
                text="Small: a stick or telephone of this size may look alike." if small else "",
            ),
            Factor(name="Followed for", weight=0.1, observed=f"{length_s:.1f} s"),
            Factor(
                name="Quality of the picture",
                weight=round(trust - 1.0, 3) if trust < 1 else 0.0,
                observed=f"{100 * trust:.0f} %",
                expected="100 %",
                text="Light, blur and compression take this much off the confidence.",
            ),
            Factor(name="Model", weight=0.0, observed=f"{contract.name} {contract.version}", text=rendered),
        ),
        evidence=evidence,
        model=ModelReference(name=contract.name, version=f"{contract.version} sha256:{contract.sha256}"),
        data_classes=(DataClass.PERSONAL,),
    )


def camera_alert(
    *,
    tenant: str,
    camera: CameraSettings,
    words: str,
    since: datetime,
    now: datetime,
    ended: datetime | None,
    revision: int,
    place: Place | None,
) -> Alert:
    """The alert of a camera that is out of order."""
    return Alert(
        id=derived_id(tenant, "camera", camera.id, since.isoformat(timespec="milliseconds")),
        revision=revision,
        tool="firearm",
        detector="camera",
        source=camera.id,
        headline=f"Camera out of order: {camera.title}",
        description=f"The camera {words}."[:500],
        instruction="Have it looked at; nothing is found in its view until then.",
        category=Category.INFRA,
        urgency=Urgency.EXPECTED,
        severity=Severity.MINOR,
        certainty=Certainty.OBSERVED,
        confidence=0.95,
        onset=since,
        sent=now,
        ended=ended,
        place=place,
        explanation=(Factor(name="State", weight=1.0, observed=words[:200], expected="works"),),
        model=ModelReference(name="camera health", version="1"),
    )
