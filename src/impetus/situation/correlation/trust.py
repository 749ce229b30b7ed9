"""Which sources are doubtful for a time because of another alert: an intrusion on the network that cameras hang on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from impetus.situation.correlation.rules import TrustEffect, TrustScope
from impetus.situation.correlation.signal import Signal

DOUBTFUL = 0.05
"""What an alert of a source that cannot be trusted at all is worth: the probability that it is true anyway."""

CAUSES_AT_ONCE = 50
"""Newest causes of one effect, or of one name in it, that are looked at; older ones no longer count."""

EVERYWHERE = ""
"""Key of the causes that do not work through a name."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a source is believed less."""

    effect: TrustEffect
    cause: Signal
    trust: float
    """Share of its alerts' worth that is left, 0 to 1."""


class TrustBoard:
    """The causes that are in effect. Made anew from the open alerts after a restart."""

    def __init__(self, effects: Sequence[TrustEffect]) -> None:
        self._effects = effects
        self._causes: list[dict[str, dict[str, Signal]]] = [{} for _ in effects]
        """Of each effect, by the name through which they work."""
        self._any = False

    def take(self, signal: Signal) -> bool:
        """Note an alert, or what became of it, if it is a cause; whether it is one."""
        is_cause = False
        for effect, by_name in zip(self._effects, self._causes, strict=True):
            if not effect.cause.selects(*signal.kind, signal.severity):
                continue
            is_cause = self._any = True
            for name in signal.entities if effect.scope is TrustScope.ENTITY else (EVERYWHERE,):
                causes = by_name.setdefault(name, {})
                causes.pop(signal.id, None)
                if signal.verdict is not False:
                    causes[signal.id] = signal
                if len(causes) > CAUSES_AT_ONCE:
                    del causes[next(iter(causes))]
        return is_cause

    def doubt(self, signal: Signal) -> Doubt | None:
        """The strongest reason to believe this alert less, if there is one."""
        strongest: Doubt | None = None
        for effect, by_name in zip(self._effects, self._causes, strict=True):
            if not by_name or not effect.lowers.selects(*signal.kind, signal.severity):
                continue
            for name in signal.entities if effect.scope is TrustScope.ENTITY else (EVERYWHERE,):
                for cause in (by_name.get(name) or {}).values():
                    if cause.id == signal.id or cause.status != signal.status or not _reaches(effect, cause, signal):
                        continue
                    certainty = 1.0 if cause.verdict else cause.probability
                    trust = 1.0 - certainty * (1.0 - effect.factor)
                    if strongest is None or trust < strongest.trust:
                        strongest = Doubt(effect, cause, trust)
        return strongest

    def believed(self, signal: Signal) -> float:
        """The alert's probability after loss of trust; what a person found stands."""
        return self.lowered(signal, signal.probability)

    def lowered(self, signal: Signal, probability: float) -> float:
        """This probability after what is doubtful about the alert; what a person found stands."""
        if signal.verdict is not None or not self._any:
            return probability
        doubt = self.doubt(signal)
        return probability if doubt is None else lowered(probability, doubt.trust)


def lowered(probability: float, trust: float) -> float:
    """Believed as far as the source is trusted, and hardly otherwise.

    >>> round(lowered(0.8, 0.5), 3), lowered(0.8, 1.0)
    (0.425, 0.8)
    """
    return trust * probability + (1.0 - trust) * min(probability, DOUBTFUL)


def _reaches(effect: TrustEffect, cause: Signal, signal: Signal) -> bool:
    if not cause.begin_s <= signal.end_s <= max(cause.end_s, cause.received_s) + effect.minutes * 60.0:
        return False
    if effect.scope is TrustScope.PLACE:
        return (
            cause.where is not None
            and signal.where is not None
            and cause.where.distance_m(signal.where) <= effect.distance_m
        )
    return True
