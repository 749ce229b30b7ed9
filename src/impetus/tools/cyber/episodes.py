"""Alerts joined to episodes: what was rare for its host, at once, and speaks of an intruder.

Each pair of signature and host has its own past, learnt as it goes: how many alerts it gave in each slice of time. A
count now is as surprising as the share of past slices with as many is small; a pair or a count never seen before is as
surprising as such novelties are rare of late, so that the first day, when everything is new, alarms nobody. Surprise
is weighted by what the signature speaks of and added over the pairs of an episode. Nothing but the alerts' own past is
learnt from; the least score that is told is the one number that was chosen on labelled test beds.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from impetus.tools.cyber.techniques import UNKNOWN_PHASE, Kind, kind_of, phases

SLICE_S = 300.0
NOVELTY_SLICES = 288
"""Novelties of the last day say how rare a novelty is."""
GAP_S = 900.0
"""An episode ends when nothing surprising came for so long."""
LEAST_SURPRISE = 1.0
"""In nats, weighted: what is less does not open an episode or keep it open."""
BESIDE_SURPRISE = -math.log(0.01)
"""In nats, unweighted: what is so rare belongs to an episode that something else in its slice opens or keeps open."""
TOLD_FROM = 9.0
"""Least score of an episode that is told; chosen on labelled test beds (see the tool's card)."""
MOST_PAIRS = 200_000
"""Pairs of signature and host that are remembered; beyond, new ones are counted as one."""
PAST_COUNTS = 4_096


@dataclass(frozen=True, slots=True)
class SecurityAlert:
    """One alert of an intrusion detection system."""

    time_s: float
    host: str
    signature: str
    """What is told apart: a signature's identifier or name."""
    name: str = ""
    """The signature in words."""
    source: str = ""
    """Address it came from, if known."""
    technique: str = ""
    """ATT&CK technique that the sensor itself names."""


@dataclass
class Episode:
    """Surprising alerts that belong together."""

    start_s: float
    end_s: float
    surprise: dict[tuple[str, str], float] = field(default_factory=dict)
    """Of each pair of signature and host, the most."""
    kinds: dict[tuple[str, str], Kind] = field(default_factory=dict)
    first_s: dict[tuple[str, str], float] = field(default_factory=dict)
    alerts: int = 0

    @property
    def score(self) -> float:
        """Weighted surprise of its pairs, in nats. Hosts with the same signature see the same thing: the second counts
        half, the third a third."""
        by_signature: dict[str, list[float]] = {}
        for (signature, _), value in self.surprise.items():
            by_signature.setdefault(signature, []).append(value)
        return sum(
            value / place
            for values in by_signature.values()
            for place, value in enumerate(sorted(values, reverse=True), start=1)
        )

    @property
    def hosts(self) -> list[str]:
        """Hosts, the most surprising first."""
        by_host: dict[str, float] = {}
        for (_, host), value in self.surprise.items():
            by_host[host] = by_host.get(host, 0.0) + value
        return sorted(by_host, key=lambda host: -by_host[host])

    @property
    def techniques(self) -> list[str]:
        """ATT&CK techniques in the order in which they were first seen."""
        order = sorted(self.first_s, key=lambda pair: self.first_s[pair])
        return list(dict.fromkeys(self.kinds[pair].technique for pair in order if self.kinds[pair].technique))

    @property
    def story(self) -> list[tuple[str, float, list[str]]]:
        """Phase by phase in the order of the kill chain: phase, when first seen, hosts."""
        found: dict[str, tuple[float, list[str]]] = {}
        for pair in sorted(self.first_s, key=lambda pair: self.first_s[pair]):
            phase = self.kinds[pair].phase
            begun, hosts = found.setdefault(phase, (self.first_s[pair], []))
            if pair[1] not in hosts:
                hosts.append(pair[1])
            found[phase] = (begun, hosts)
        return [(phase, *found[phase]) for phase in phases() if phase in found]

    @property
    def phase(self) -> str:
        """The phase that most of the surprise speaks of."""
        by_phase: dict[str, float] = {}
        for pair, value in self.surprise.items():
            phase = self.kinds[pair].phase
            by_phase[phase] = by_phase.get(phase, 0.0) + (0.0 if phase == UNKNOWN_PHASE else value)
        return max(by_phase, key=lambda phase: by_phase[phase], default=UNKNOWN_PHASE)

    def line(self) -> dict[str, object]:
        """As the command line prints it."""
        return {
            "start": iso(self.start_s),
            "end": iso(self.end_s),
            "hosts": self.hosts,
            "techniques": self.techniques,
            "phase": self.phase,
            "score": round(self.score, 2),
            "alerts": self.alerts,
        }


class Watcher:
    """Takes alerts in the order of time and gives episodes as they end."""

    def __init__(self, *, told_from: float = TOLD_FROM, trust: dict[str, float] | None = None) -> None:
        self.told_from = told_from
        self.trust = trust if trust is not None else {}
        """Of a signature: factor of its weight, learnt from verdicts."""
        self._past: dict[tuple[str, str], list[int]] = {}
        self._slice = -1
        self._slices = 0
        self._counts: dict[tuple[str, str], int] = {}
        self._begun: dict[tuple[str, str], tuple[float, float]] = {}
        self._kinds: dict[tuple[str, str], Kind] = {}
        self._novelties: deque[tuple[int, int]] = deque()
        self._novel = 0
        self.open: Episode | None = None
        self.late = 0
        """Alerts older than the slice that goes on: counted in it."""

    def take(self, alert: SecurityAlert) -> Iterator[Episode]:
        """Take one alert; gives the episode that ended before it, if one did."""
        number = int(alert.time_s // SLICE_S)
        if number < self._slice:
            self.late += 1
        elif number > self._slice:
            yield from self.close(alert.time_s)
            if self._slice >= 0:
                self._slices += min(number - self._slice, NOVELTY_SLICES)
            self._slice = number
        pair = (alert.signature, alert.host)
        if pair not in self._past and pair not in self._counts and len(self._past) >= MOST_PAIRS:
            pair = (alert.signature, "")
        if pair not in self._kinds:
            kind = kind_of(alert.name or alert.signature)
            self._kinds[pair] = (
                kind if not alert.technique else Kind(alert.technique, kind.phase, max(kind.weight, 0.6))
            )
        self._counts[pair] = self._counts.get(pair, 0) + 1
        begun = self._begun.get(pair)
        self._begun[pair] = (alert.time_s, alert.time_s) if begun is None else (begun[0], max(begun[1], alert.time_s))

    def close(self, now_s: float) -> Iterator[Episode]:
        """End the slice that goes on, and the episode if its time is over."""
        self._end_slice()
        if self.open is not None and now_s - self.open.end_s > GAP_S:
            ended, self.open = self.open, None
            if ended.score >= self.told_from:
                yield ended

    def finish(self) -> Iterator[Episode]:
        """End everything: the input is over."""
        yield from self.close(math.inf)

    def current(self) -> Episode | None:
        """The episode that goes on with all that was taken, if it is worth telling already."""
        found = self._judged()
        if not found:
            return self.open if self.open is not None and self.open.score >= self.told_from else None
        now = self._merged(self.open, found)
        return now if now.score >= self.told_from else None

    def _judged(self) -> dict[tuple[str, str], float]:
        """Weighted surprise of each pair of the slice that goes on, where it is enough to matter together."""
        rate = (self._novel + 1.0) / (min(self._slices, NOVELTY_SLICES) + 1.0)
        found: dict[tuple[str, str], float] = {}
        beside: dict[tuple[str, str], float] = {}
        for pair, count in self._counts.items():
            past = self._past.get(pair, [])
            exceeding = len(past) - bisect_left(past, count)
            share = (exceeding + 1.0) / (self._slices + 1.0)
            if exceeding == 0:
                share = max(share, min(1.0, rate))
            weight = self._kinds[pair].weight * self.trust.get(pair[0], 1.0)
            surprise = -math.log(min(1.0, share))
            if surprise * weight >= LEAST_SURPRISE:
                found[pair] = surprise * weight
            elif surprise >= BESIDE_SURPRISE:
                beside[pair] = surprise * weight
        return found | beside if found else found

    def _end_slice(self) -> None:
        if not self._counts:
            return
        found = self._judged()
        if found:
            self.open = self._merged(self.open, found)
        novel = 0
        for pair, count in self._counts.items():
            past = self._past.setdefault(pair, [])
            novel += not past or count > past[-1]
            insort(past, count)
            if len(past) > PAST_COUNTS:
                del past[0]
        self._novelties.append((self._slice, novel))
        self._novel += novel
        while self._novelties and self._novelties[0][0] <= self._slice - NOVELTY_SLICES:
            self._novel -= self._novelties.popleft()[1]
        self._counts.clear()
        self._begun.clear()

    def _merged(self, episode: Episode | None, found: dict[tuple[str, str], float]) -> Episode:
        begins = min(self._begun[pair][0] for pair in found)
        ends = max(self._begun[pair][1] for pair in found)
        if episode is None:
            merged = Episode(begins, ends)
        else:
            merged = Episode(
                min(episode.start_s, begins),
                max(episode.end_s, ends),
                dict(episode.surprise),
                dict(episode.kinds),
                dict(episode.first_s),
                episode.alerts,
            )
        for pair, value in found.items():
            merged.surprise[pair] = max(merged.surprise.get(pair, 0.0), value)
            merged.kinds[pair] = self._kinds[pair]
            merged.first_s.setdefault(pair, self._begun[pair][0])
            merged.alerts += self._counts[pair]
        return merged


def episodes(alerts: Iterable[SecurityAlert], *, told_from: float = TOLD_FROM) -> Iterator[Episode]:
    """The episodes of alerts in the order of time, each judged by what came before only."""
    watcher = Watcher(told_from=told_from)
    for alert in alerts:
        yield from watcher.take(alert)
    yield from watcher.finish()


def iso(time_s: float) -> str:
    """UTC, to the second."""
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
