"""Episodes joined to intrusions: of the same hosts, from the same address, or where one leads to the other."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from impetus.model import derived_id
from impetus.tools.cyber.episodes import Episode
from impetus.tools.cyber.network import Asset

JOIN_S = 12 * 3_600.0
"""Episodes on the same host or from the same address within this time are one intrusion."""
PRIOR = 0.001
"""That a host is compromised before any alert, at least."""
MOST_CAMPAIGNS = 200
IDENTIFIER_LIMIT = 128


@dataclass
class Intrusion:
    """Episodes that belong together."""

    id: str
    episode: Episode
    sources: set[str] = field(default_factory=set)
    """Addresses that they came from."""
    confirmed: bool | None = None
    """What a person found."""
    revision: int = 0
    told: tuple[object, ...] = ()
    """What was told last; nothing is told twice."""


class Intrusions:
    """The newest intrusions of one organisation."""

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant
        self._newest: list[Intrusion] = []

    def of_alert(self, alert: str) -> Intrusion | None:
        """The intrusion that an alert of the platform tells of."""
        return next((one for one in self._newest if one.id == alert), None)

    def others(self, intrusion: Intrusion) -> Iterator[Intrusion]:
        """All but one, without those that a person dismissed."""
        return (one for one in self._newest if one is not intrusion and one.confirmed is not False)

    def join(self, episode: Episode, source: str, assets: Mapping[str, Asset]) -> Intrusion:
        """The intrusion that an episode belongs to: the same hosts or the same address not long ago, or hosts that the
        hosts of an earlier episode control."""
        hosts = set(episode.hosts)
        for intrusion in reversed(self._newest):
            other = intrusion.episode
            if intrusion.confirmed is False and episode.start_s > other.end_s:
                continue  # What comes after a false alarm is looked at for itself.
            near = episode.start_s - other.end_s <= JOIN_S
            if near and (
                hosts & set(other.hosts) or (source and source in intrusion.sources) or _leads(other, hosts, assets)
            ):
                same = episode.start_s == other.start_s
                intrusion.episode = (
                    episode if same and len(episode.surprise) >= len(other.surprise) else united(other, episode)
                )
                if source:
                    intrusion.sources.add(source)
                return intrusion
        id = derived_id(self._tenant, f"intrusion {episode.start_s:.3f} {episode.hosts[0]}")
        intrusion = Intrusion(id, episode, {source} if source else set())
        self._newest.append(intrusion)
        del self._newest[:-MOST_CAMPAIGNS]
        return intrusion


def identifier(name: str) -> str:
    """What an asset or an address is called where only letters, digits and a few signs may stand.

    >>> identifier("Web server (old)."), identifier("::1"), identifier("10.0.0.1")
    ('Web-server-old', '1', '10.0.0.1')
    """
    parts = [re.sub(r"[^A-Za-z0-9_:/@~-]+", "-", part).strip("-") for part in name.split(".")]
    text = ".".join(part for part in parts if part)
    return re.sub(r"^[^A-Za-z0-9]+", "", text)[:IDENTIFIER_LIMIT].rstrip(".") or "unknown"


def posterior(episode: Episode, likelihood: Mapping[str, float], footholds: Mapping[str, float]) -> Mapping[str, float]:
    """Of each host of an episode, that it is compromised: the odds of the worlds (`likelihood`, by asset), times the
    weighted evidence."""
    found = {}
    for host in episode.hosts:
        prior = min(0.9, max(PRIOR, likelihood.get(host, PRIOR)))
        evidence = min(30.0, sum(value for pair, value in episode.surprise.items() if pair[1] == host))
        odds = math.log(prior / (1.0 - prior)) + evidence
        # Once a foothold, the worlds hold it for one: what was found of it stands.
        found[host] = footholds.get(host) or 1.0 / (1.0 + math.exp(-odds))
    return found


def united(one: Episode, other: Episode) -> Episode:
    """Both as one episode."""
    surprise = dict(one.surprise)
    for pair, value in other.surprise.items():
        surprise[pair] = max(surprise.get(pair, 0.0), value)
    first = dict(one.first_s)
    for pair, time_s in other.first_s.items():
        first[pair] = min(first.get(pair, time_s), time_s)
    alerts = max(one.alerts, other.alerts) if one.start_s == other.start_s else one.alerts + other.alerts
    return Episode(
        min(one.start_s, other.start_s),
        max(one.end_s, other.end_s),
        surprise,
        {**one.kinds, **other.kinds},
        first,
        alerts,
    )


def _leads(other: Episode, hosts: set[str], assets: Mapping[str, Asset]) -> bool:
    controlled = {name for host in other.hosts if host in assets for name in assets[host].controls}
    return bool(controlled & hosts)
