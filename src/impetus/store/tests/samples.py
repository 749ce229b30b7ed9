"""Messages for tests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from impetus.model import (
    Alert,
    Assessment,
    Category,
    Factor,
    Incident,
    ModelReference,
    ObservationBatch,
    Place,
    Point,
    Severity,
    SubjectKind,
    new_id,
)
from impetus.store.tests.conftest import NOW


def alert(**fields: Any) -> Alert:
    """An alert; name only the fields that matter."""
    values: dict[str, Any] = {
        "tool": "anomaly",
        "detector": "seasonal",
        "source": "sensor-1",
        "headline": "Unusual traffic",
        "category": Category.TRANSPORT,
        "severity": Severity.MODERATE,
        "confidence": 0.5,
        "onset": NOW,
        "sent": NOW,
        "place": Place(geometry=Point(coordinates=(10.75, 59.91)), name="Harbour Square"),
        "explanation": (Factor(name="level", weight=0.7),),
        "model": ModelReference(name="baseline", version="1"),
    }
    return Alert(**values | fields)


def incident(**fields: Any) -> Incident:
    """An incident of the police."""
    values: dict[str, Any] = {"tenant": "police", "title": "Crowd at the harbour", "opened": NOW, "updated": NOW}
    return Incident(**values | fields)


def assessment(**fields: Any) -> Assessment:
    """A decision of the police."""
    values: dict[str, Any] = {
        "id": new_id(),
        "tenant": "police",
        "subject_kind": SubjectKind.ALERT,
        "subject": "alert-1",
        "action": "confirm",
        "state_before": "new",
        "state_after": "confirmed",
        "version": 2,
        "person": "anna",
        "person_name": "Anna Berg",
        "decided": NOW,
    }
    return Assessment(**values | fields)


def readings(datastream: str, begin_us: int, values: list[float], *, step_us: int = 1_000_000) -> ObservationBatch:
    """Readings of one datastream at equal steps."""
    return ObservationBatch(
        datastreams=(datastream,),
        index=(0,) * len(values),
        time_us=tuple(begin_us + number * step_us for number in range(len(values))),
        value=tuple(values),
    )


def harm(alert: Alert) -> float:
    """A simple weight for tests."""
    return alert.confidence


def later(seconds: float) -> datetime:
    """So many seconds after `NOW`."""
    from datetime import timedelta

    return NOW + timedelta(seconds=seconds)
