"""The network as tables of numbers: what the rules are applied to. Reachability is kept by group of hosts and port.

Hosts of a zone that no flow names apart are one group; a host that flows name is in a group with those that the same
flows name. No table has a row for a pair of hosts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from impetus.tools.cyber.knowledge import Knowledge
from impetus.tools.cyber.likelihood import Assumptions, access_of, gives_of
from impetus.tools.cyber.network import ANY_PORT, Access, Network, Protocol, Vulnerability, port_range

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
UDP = 1 << 16
"""Added to a port number: the same number of UDP."""


@dataclass
class Table:
    """Rows of entity numbers by column, and how their steps are drawn."""

    columns: tuple[str, ...]
    entries: list[tuple[tuple[int, ...], float, int, int]] = field(default_factory=list)
    """Row, `works`, `shared`, and the number of what a countermeasure or a sentence speaks of (-1: nothing)."""

    def add(self, row: tuple[int, ...], works: float = 1.0, shared: int = -1, label: int = -1) -> None:
        """Append a row."""
        self.entries.append((row, works, shared, label))

    @cached_property
    def rows(self) -> Integers:
        """(rows, columns) entity numbers; the table is complete."""
        return np.asarray([entry[0] for entry in self.entries], dtype=np.int64).reshape(-1, len(self.columns))

    @property
    def works(self) -> Floats:
        """That each row's step succeeds."""
        return np.asarray([entry[1] for entry in self.entries], dtype=np.float64)

    @property
    def shared(self) -> Integers:
        """The draw that each row shares with others, or -1."""
        return np.asarray([entry[2] for entry in self.entries], dtype=np.int64)

    @property
    def label(self) -> Integers:
        """What each row speaks of."""
        return np.asarray([entry[3] for entry in self.entries], dtype=np.int64)

    def column(self, name: str) -> Integers:
        """One column."""
        return self.rows[:, self.columns.index(name)]


@dataclass
class Tables:
    """All tables of a network, and the names behind the numbers."""

    hosts: Sequence[str]
    zones: Sequence[str]
    classes: Sequence[str]
    exposures: Sequence[tuple[int, int]]
    """(group, port) by number."""
    credentials: Sequence[str]
    weaknesses: Sequence[str]
    usable: Floats
    """Of each shared draw: that the intruder can use that vulnerability at all."""
    host_class: Integers
    by_name: dict[str, Table]

    def count(self, kind: str) -> int:
        """How many entities of a kind there are."""
        return {
            "host": len(self.hosts),
            "class": len(self.classes),
            "exposure": len(self.exposures),
            "zone": len(self.zones),
            "credential": len(self.credentials),
        }[kind]

    def name(self, kind: str, number: int) -> str:
        """What people call an entity."""
        if kind == "exposure":
            group, port = self.exposures[number]
            return f"{port_name(port)} of {self.classes[group]}"
        return {"host": self.hosts, "class": self.classes, "zone": self.zones, "credential": self.credentials}[kind][
            number
        ]


def port_name(port: int) -> str:
    """A port in words: `443/tcp`."""
    if port in (ANY_PORT, UDP):
        return "any port"
    return f"{port & 0xFFFF}/{'udp' if port >= UDP else 'tcp'}"


def port_key(port: int, protocol: Protocol) -> int:
    """A port and its transport as one number."""
    return port + UDP if port != ANY_PORT and protocol is Protocol.UDP else port


COLUMNS = {
    "starts": ("class",),
    "hosts": ("host", "class"),
    "flows": ("class", "exposure"),
    "neighbours": ("class", "zone"),
    "openings": ("opener", "class"),
    **dict.fromkeys(("network_user", "network_root", "open_user", "open_root"), ("host", "exposure")),
    **dict.fromkeys(("adjacent_user", "adjacent_root"), ("host", "zone")),
    **dict.fromkeys(("content_user", "content_root"), ("host", "class")),
    "local": ("host",),
    **dict.fromkeys(("stored_root", "stored_user"), ("host", "credential")),
    "reused": ("other", "credential"),
    **dict.fromkeys(("login_user", "login_root"), ("host", "exposure", "credential")),
    "controlled": ("controller", "host"),
}


def tabulate(network: Network, knowledge: Knowledge, assumptions: Assumptions) -> Tables:
    """The tables of a network; time and memory linear in what it lists."""
    zone_of = {zone.name: number for number, zone in enumerate(network.zones)}
    hosts = [asset.id for asset in network.assets]
    host_of = {name: number for number, name in enumerate(hosts)}
    credential_of = {credential.id: number for number, credential in enumerate(network.credentials)}
    groups, host_class = _groups(network, zone_of)
    tables = {name: Table(columns) for name, columns in COLUMNS.items()}
    exposure_of: dict[tuple[int, int], int] = {}
    weaknesses: list[str] = []
    weakness_of: dict[str, int] = {}
    usable: list[float] = []
    judged: dict[tuple[object, ...], tuple[str, float, int] | None] = {}
    """What is alike is judged once: of many hosts with the same weakness, each."""

    def exposure(host: int, port: int, protocol: Protocol) -> int:
        key = (host_class[host], port_key(port, protocol))
        return exposure_of.setdefault(key, len(exposure_of))

    def weakness(name: str, chance: float = 1.0) -> int:
        if name not in weakness_of:
            weakness_of[name] = len(weaknesses)
            weaknesses.append(name)
            usable.append(chance)
        return weakness_of[name]

    def judge(one: Vulnerability) -> tuple[str, float, int] | None:
        known = knowledge.get(one.id)
        gives = gives_of(known, one)
        if gives is None:
            return None
        access = access_of(known, one)
        works = assumptions.works(known, one) * (assumptions.opened if access is Access.CONTENT else 1.0)
        name = "local" if access is Access.LOCAL else f"{access.value}_{gives.value}"
        return name, works, weakness(one.id, assumptions.usable(known, one))

    entries = {name: table.entries for name, table in tables.items()}
    for host, asset in enumerate(network.assets):
        group = host_class[host]
        if asset.zone is None:
            continue
        tables["hosts"].add((host, group))
        for one in asset.vulnerabilities:
            key = (one.id, one.cvss, one.access, one.gives, one.vector, one.probability)
            if key not in judged:
                judged[key] = judge(one)
            found = judged[key]
            if found is None:
                continue
            name, works, number = found
            if name == "local":
                row: tuple[int, ...] = (host,)
            elif name.startswith("network"):
                row = (host, exposure(host, one.port, one.protocol))
            else:
                row = (host, group if name.startswith("content") else zone_of[asset.zone])
            entries[name].append((row, works, number, number))
        for account in asset.open_accounts:
            chance = assumptions.open_account if account.probability is None else account.probability
            number = weakness(f"{account.title} ({port_name(port_key(account.port, account.protocol))})")
            where = exposure(host, account.port, account.protocol)
            tables[f"open_{account.gives.value}"].add((host, where), chance, -1, number)
        for login in asset.logins:
            where = exposure(host, login.port, login.protocol)
            row = (host, where, credential_of[login.credential])
            tables[f"login_{login.gives.value}"].add(row, assumptions.login, -1, credential_of[login.credential])
        for stored in asset.stores:
            number = credential_of[stored.credential]
            tables[f"stored_{stored.needs.value}"].add((host, number), assumptions.found, -1, number)
        for name in asset.controls:
            tables["controlled"].add((host, host_of[name]))
    for credential in network.credentials:
        for other in credential.same_as:
            tables["reused"].add((credential_of[other], credential_of[credential.id]))
            tables["reused"].add((credential_of[credential.id], credential_of[other]))
    _reach(network, groups, exposure_of, tables)
    zone_names = [zone.name for zone in network.zones]
    return Tables(
        hosts=hosts,
        zones=zone_names,
        classes=[group.title for group in groups],
        exposures=list(exposure_of),
        credentials=[credential.title or credential.id for credential in network.credentials],
        weaknesses=weaknesses,
        usable=np.asarray(usable, dtype=np.float64),
        host_class=np.asarray(host_class, dtype=np.int64),
        by_name=tables,
    )


@dataclass(frozen=True, slots=True)
class _Group:
    zone: int
    title: str
    sends: frozenset[int]
    """Numbers of the flows that start here."""
    takes: frozenset[int]
    """Numbers of the flows that end here."""


def _groups(network: Network, zone_of: dict[str, int]) -> tuple[list[_Group], list[int]]:
    """The groups of hosts that all flows treat alike, and the group of each host (-1: no zone)."""
    sends: dict[str, set[int]] = defaultdict(set)
    takes: dict[str, set[int]] = defaultdict(set)
    for number, flow in enumerate(network.flows):
        sends[flow.source].add(number)
        takes[flow.target].add(number)
    groups: list[_Group] = []
    number_of: dict[tuple[int, frozenset[int], frozenset[int]], int] = {}
    plain: dict[str, int] = {}
    for zone in network.zones:
        plain[zone.name] = len(groups)
        key = (zone_of[zone.name], frozenset(sends[zone.name]), frozenset(takes[zone.name]))
        number_of[key] = len(groups)
        groups.append(_Group(key[0], zone.name, key[1], key[2]))
    host_class = []
    for asset in network.assets:
        if asset.zone is None:
            host_class.append(-1)
            continue
        if asset.id not in sends and asset.id not in takes:
            host_class.append(plain[asset.zone])
            continue
        key = (
            zone_of[asset.zone],
            frozenset(sends[asset.zone] | sends.get(asset.id, set())),
            frozenset(takes[asset.zone] | takes.get(asset.id, set())),
        )
        if key not in number_of:
            number_of[key] = len(groups)
            groups.append(_Group(key[0], f"{asset.zone} ({asset.id})", key[1], key[2]))
        host_class.append(number_of[key])
    return groups, host_class


def _reach(
    network: Network, groups: list[_Group], exposure_of: dict[tuple[int, int], int], tables: dict[str, Table]
) -> None:
    """What sends where: from groups to exposures, by flow and within zones; who hears from whom."""
    sources: dict[int, list[int]] = defaultdict(list)
    targets: dict[int, list[int]] = defaultdict(list)
    by_zone: dict[int, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        by_zone[group.zone].append(number)
        for sent in group.sends:
            sources[sent].append(number)
        for taken in group.takes:
            targets[taken].append(number)
    ports: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for (owner, port), exposed in exposure_of.items():
        ports[owner].append((port, exposed))
    for number, flow in enumerate(network.flows):
        ranges = [port_range(port) for port in flow.ports]
        for target in targets[number]:
            open_ports = [exposed for port, exposed in ports[target] if _lets(port, ranges, flow.protocol)]
            for source in sources[number]:
                for exposed in open_ports:
                    tables["flows"].add((source, exposed), label=number)
                if groups[source].zone != groups[target].zone:
                    tables["openings"].add((source, target), label=number)
    for number, zone in enumerate(network.zones):
        members = by_zone[number]
        if zone.attacker:
            tables["starts"].add((members[0],))
        if not zone.inside:
            continue
        for source in members:
            tables["neighbours"].add((source, number))
            for target in members:
                for _, exposed in ports[target]:
                    tables["flows"].add((source, exposed))


def _lets(port: int, ranges: list[tuple[int, int]], protocol: Protocol | None) -> bool:
    if port == ANY_PORT:
        return True
    if protocol is not None and (protocol is Protocol.UDP) != (port >= UDP):
        return False
    return not ranges or any(low <= port & 0xFFFF <= high for low, high in ranges)
