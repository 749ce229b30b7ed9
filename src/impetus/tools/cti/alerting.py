"""The alert that relevant reporting raises, with its reasons."""

from __future__ import annotations

from datetime import datetime

from impetus.model import Alert, Category, Certainty, Factor, ModelReference, Severity, Urgency, derived_id
from impetus.tools.cti.items import Item
from impetus.tools.cti.masking import masked
from impetus.tools.cti.relevance import Relevance
from impetus.tools.cti.settings import Source

MODEL = ModelReference(name="cti watch match", version="1")
DETECTORS = {
    "leak": "leak",
    "phishing": "lookalike",
    "vulnerability": "exposure",
    "attack": "threat",
    "mention": "threat",
}
CATEGORIES = {"exposure": Category.INFRA}
HEADLINES = {
    "leak": "Leak or access for sale",
    "lookalike": "Look-alike or phishing",
    "exposure": "Vulnerability of what is in use",
    "threat": "Threat in reporting",
}
ACTIONS = {
    "leak": "Check whether the leaked accounts are in use; change their passwords and look for log-ins since the leak.",
    "lookalike": "Warn staff and citizens, and ask the registrar to take the name down.",
    "exposure": "Check where the software runs and whether it can be reached; patch or shield it first.",
    "threat": "Tell those who run what is named, and watch it more closely.",
}


def alert_of(item_id: str, source: Source, item: Item, relevance: Relevance, now: datetime) -> Alert:
    """Of an item that is relevant enough; every text in it is masked."""
    detector = DETECTORS[relevance.kind]
    ordered = sorted(relevance.matches, key=lambda one: -one.strength)
    strongest = list({one.reason: one for one in reversed(ordered)}.values())[::-1]
    total = sum(one.strength for one in strongest[:8]) or 1.0
    watched = list(dict.fromkeys(one.item.name for one in strongest))
    severity = Severity.MODERATE
    if relevance.score >= 0.85 and detector != "lookalike":
        severity = Severity.SEVERE
    return Alert(
        id=derived_id("cti-alert", item_id),
        tool="cti",
        detector=detector,
        source=source.id,
        headline=f"{HEADLINES[detector]}: {', '.join(watched[:2])}"[:300],
        description=masked(f"{item.title}\n\nRead in: {source.title}.")[:2_000],
        instruction=ACTIONS[detector],
        category=CATEGORIES.get(detector, Category.SECURITY),
        urgency=Urgency.EXPECTED,
        severity=severity,
        certainty=Certainty.POSSIBLE,
        confidence=min(0.99, relevance.score),
        onset=min(item.published or now, now),
        sent=now,
        explanation=tuple(
            Factor(
                name=masked(one.reason)[:300],
                weight=round(one.strength / total, 3),
                observed=masked(one.text)[:200],
                expected=f"{one.item.kind.value} {one.item.name}"[:200],
            )
            for one in strongest[:8]
        ),
        model=MODEL,
    )
