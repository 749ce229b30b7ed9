"""How far each signature is believed, learnt from what people found of the alerts that it was part of."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import JsonValue

MOST_ALERTS = 300
"""Alerts whose signatures are remembered; a verdict on an older one teaches nothing."""
MOST_SIGNATURES = 100
"""Of one alert."""


class SignatureTrust:
    """Right and wrong verdicts by signature. The newest verdict on an alert counts, and one may be taken back."""

    def __init__(self) -> None:
        self.weights: dict[str, float] = {}
        """Signature -> factor of its surprise, above 0 and at most 1; one that nobody judged is not in it."""
        self._signatures: dict[str, tuple[str, ...]] = {}
        self._verdicts: dict[str, bool] = {}
        self._counts: dict[str, list[int]] = {}

    def told(self, alert: str, signatures: Collection[str]) -> None:
        """An alert was raised because of these; of one that was judged already, what it was judged for stands."""
        if alert in self._verdicts:
            return
        self._signatures[alert] = tuple(dict.fromkeys(signatures))[:MOST_SIGNATURES]
        while len(self._signatures) > MOST_ALERTS:
            oldest = next(iter(self._signatures))
            del self._signatures[oldest]
            self._verdicts.pop(oldest, None)

    def judge(self, alert: str, correct: bool | None) -> bool:
        """What a person found of an alert (None: taken back); whether that changed anything."""
        before = self._verdicts.get(alert)
        if alert not in self._signatures or before is correct:
            return False
        for signature in self._signatures[alert]:
            counts = self._counts.setdefault(signature, [0, 0])
            if before is not None:
                counts[0 if before else 1] -= 1
            if correct is not None:
                counts[0 if correct else 1] += 1
            self._weigh(signature)
        if correct is None:
            del self._verdicts[alert]
        else:
            self._verdicts[alert] = correct
        return True

    def state(self) -> dict[str, JsonValue]:
        """What a checkpoint keeps."""
        return {
            "verdicts": {name: list[JsonValue](counts) for name, counts in self._counts.items()},
            "alerts": {name: list[JsonValue](signatures) for name, signatures in self._signatures.items()},
            "judged": dict[str, JsonValue](self._verdicts),
        }

    def restore(self, state: Mapping[str, object]) -> None:
        """Take up a checkpoint's state. Raises ValueError or TypeError for one that is none."""
        counts, alerts, judged = (state.get(name, {}) for name in ("verdicts", "alerts", "judged"))
        if not (isinstance(counts, dict) and isinstance(alerts, dict) and isinstance(judged, dict)):
            raise TypeError("the state of a signature's trust is no table")
        for name, (true, false) in counts.items():
            self._counts[str(name)] = [max(0, int(true)), max(0, int(false))]
            self._weigh(str(name))
        self._signatures = {str(name): tuple(map(str, signatures)) for name, signatures in alerts.items()}
        self._verdicts = {str(name): bool(correct) for name, correct in judged.items() if name in self._signatures}

    def _weigh(self, signature: str) -> None:
        true, false = self._counts[signature]
        # Laplace's rule of succession, against the even odds of knowing nothing.
        self.weights[signature] = min(1.0, 2.0 * (true + 1) / (true + false + 2))
