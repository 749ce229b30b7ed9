"""The alerts of this tool: a release above background, and an instrument that reads what cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from impetus.model import (
    Alert,
    Category,
    Certainty,
    Datastream,
    Factor,
    ModelReference,
    Severity,
    Urgency,
    derived_id,
    from_microseconds,
)
from impetus.tools.air.detection import ACTIONS, Confirmation, Detection

MODEL = ModelReference(name="air step test", version="2")
CONFIDENCE: Mapping[Confirmation, float] = {
    Confirmation.NONE: 0.5,
    Confirmation.SECOND_SAMPLE: 0.75,
    Confirmation.SECOND_SENSOR: 0.9,
}


def release_id(stream: Datastream, detection: Detection) -> str:
    """The same for the same sensor and onset, so that the same readings give the same alert again."""
    return derived_id("air", stream.id, from_microseconds(round(detection.onset_s * 1e6)).isoformat())


def release_alert(stream: Datastream, unit: str, detection: Detection, revision: int, now: datetime) -> Alert:
    """A detection as people and other tools see it; `unit` is that of its values."""
    confirmed = detection.confirmation is not Confirmation.NONE
    return Alert(
        id=release_id(stream, detection),
        revision=revision,
        tool="air",
        detector="release",
        source=stream.id,
        headline=f"{stream.name}: {detection.value:.3g} {unit} where {detection.expected:.3g} is usual",
        description=(
            f"A step of {detection.height_sd:.1f} times the scatter of the background"
            + (f", with {len(detection.sensors) - 1} neighbours." if len(detection.sensors) > 1 else ".")
        ),
        instruction=ACTIONS[detection.confirmation].capitalize() + ".",
        category=Category.CBRNE,
        urgency=Urgency.IMMEDIATE if confirmed else Urgency.EXPECTED,
        severity=Severity.SEVERE if confirmed else Severity.MODERATE,
        certainty=Certainty.LIKELY if confirmed else Certainty.POSSIBLE,
        confidence=CONFIDENCE[detection.confirmation],
        onset=from_microseconds(round(detection.onset_s * 1e6)),
        sent=now,
        place=stream.place,
        explanation=(
            Factor(
                name="Step above background",
                weight=min(1.0, detection.evidence / 12.0),
                observed=f"{detection.value:.3g} {unit}",
                expected=f"{detection.expected:.3g} ± {detection.sd:.2g} {unit}",
                text=f"{detection.evidence:.1f} standard errors",
            ),
            Factor(name="Confirmation", weight=CONFIDENCE[detection.confirmation], text=detection.confirmation.value),
        ),
        entities=tuple(detection.sensors[1:100]),
        model=MODEL,
    )


def device_alert(stream: Datastream, value: float, onset: datetime, now: datetime) -> Alert:
    """An instrument began to read what cannot be."""
    return Alert(
        id=derived_id("air", "device", stream.id, onset.isoformat()),
        tool="air",
        detector="device",
        source=stream.id,
        headline=f"{stream.name} reads {value:.3g}, which cannot be",
        instruction="Check the instrument; its readings are left out.",
        category=Category.INFRA,
        urgency=Urgency.FUTURE,
        severity=Severity.MINOR,
        certainty=Certainty.OBSERVED,
        confidence=0.95,
        onset=onset,
        sent=now,
        place=stream.place,
        model=MODEL,
    )
