"""The city's network as people write it down: zones, assets, services, flows, credentials (YAML or JSON)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from impetus.model import InvalidInput

MODEL_LIMIT_BYTES = 64 * 1024 * 1024
MOST_LEVELS = 50
ANY_PORT = 0
"""Stands for a weakness that is not tied to one port: whoever reaches the host at all reaches it."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=128, strip_whitespace=True)]
Probability = Annotated[float, Field(ge=0, le=1)]
Port = Annotated[int, Field(ge=0, le=65_535)]
CVE = re.compile(r"CVE-\d{4}-\d{4,19}", re.IGNORECASE)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


class Protocol(StrEnum):
    """Transport of a service."""

    TCP = "tcp"
    UDP = "udp"


class Level(StrEnum):
    """What an intruder may do on a host."""

    USER = "user"
    ROOT = "root"


class Access(StrEnum):
    """From where a vulnerability can be used (CVSS attack vector, and whether a person must open something)."""

    NETWORK = "network"
    ADJACENT = "adjacent"
    LOCAL = "local"
    CONTENT = "content"


class Zone(_Part):
    """Hosts between which nothing filters, unless `inside` is false."""

    name: Name
    attacker: bool = False
    """Whether intruders start here."""
    inside: bool = True
    """Whether hosts of the zone reach each other."""


class Service(_Part):
    """Something that listens."""

    port: Port
    protocol: Protocol = Protocol.TCP
    name: Annotated[str, Field(max_length=128)] = ""
    product: Annotated[str, Field(max_length=256)] = ""


class Vulnerability(_Part):
    """A weakness of one host."""

    id: Name
    """CVE or a scanner's own name."""
    port: Port = ANY_PORT
    protocol: Protocol = Protocol.TCP
    access: Access | None = None
    """None: taken from the CVSS vector that is known of it, else the network."""
    gives: Level | None = None
    cvss: Annotated[float | None, Field(ge=0, le=10)] = None
    vector: Annotated[str, Field(max_length=200)] = ""
    probability: Probability | None = None
    """That it works on this host, for an intruder who can use it at all; None: by the city's assumptions."""


class OpenAccount(_Part):
    """A misconfiguration that lets anybody in: a factory password, a share without one."""

    port: Port
    protocol: Protocol = Protocol.TCP
    gives: Level = Level.USER
    title: Annotated[str, Field(max_length=128)] = "Default account"
    probability: Probability | None = None


class Login(_Part):
    """A credential that opens a service."""

    credential: Name
    port: Port
    protocol: Protocol = Protocol.TCP
    gives: Level = Level.USER


class Stored(_Part):
    """A credential that can be found on a host."""

    credential: Name
    needs: Level = Level.ROOT


class Asset(_Part):
    """A host."""

    id: Name
    zone: Name | None = None
    """None: nobody knows; it is listed as such and reached from nowhere."""
    name: Annotated[str, Field(max_length=128)] = ""
    kind: Annotated[str, Field(max_length=64)] = ""
    addresses: Annotated[tuple[Annotated[str, Field(max_length=64)], ...], Field(max_length=64)] = ()
    hostnames: Annotated[tuple[Annotated[str, Field(max_length=253)], ...], Field(max_length=64)] = ()
    value: Annotated[float, Field(ge=0, le=1_000)] = 0.0
    """How bad its loss is, in the city's own points; above 0 it is a critical asset."""
    services: tuple[Service, ...] = ()
    vulnerabilities: tuple[Vulnerability, ...] = ()
    open_accounts: tuple[OpenAccount, ...] = ()
    logins: tuple[Login, ...] = ()
    stores: tuple[Stored, ...] = ()
    controls: tuple[Name, ...] = ()
    """Assets that whoever is root here controls: a recorder its cameras, a hypervisor its guests."""
    entities: Annotated[tuple[Name, ...], Field(max_length=50)] = ()
    """What other tools call it: a camera's or sensor's identifier."""
    longitude: Annotated[float | None, Field(ge=-180, le=180)] = None
    latitude: Annotated[float | None, Field(ge=-90, le=90)] = None


class Flow(_Part):
    """What a firewall lets through, from a zone or an asset to a zone or an asset."""

    id: Name | None = None
    source: Annotated[Name, Field(alias="from")]
    target: Annotated[Name, Field(alias="to")]
    ports: tuple[Port | str, ...] = ()
    """Ports and ranges ("8000-8100"); none: all."""
    protocol: Protocol | None = None
    keep: bool = False
    """The city must keep it running: no plan blocks it."""
    cost: Annotated[float | None, Field(ge=0)] = None
    """Of blocking it, in the city's own points; None: by the city's assumptions."""

    @field_validator("ports")
    @classmethod
    def _ranges_are_ranges(cls, ports: tuple[int | str, ...]) -> tuple[int | str, ...]:
        for port in ports:
            low, high = port_range(port)
            if not 0 <= low <= high <= 65_535:
                raise ValueError(f"{port!r} is no port or range of ports")
        return ports

    @property
    def name(self) -> str:
        """How people call it."""
        return self.id or f"{self.source} -> {self.target} {','.join(map(str, self.ports)) or 'all'}"


class Credential(_Part):
    """A secret that opens several things."""

    id: Name
    title: Annotated[str, Field(max_length=128)] = ""
    same_as: tuple[Name, ...] = ()
    """Credentials with the same secret (reuse)."""
    cost: Annotated[float | None, Field(ge=0)] = None


class Network(_Part):
    """A whole network."""

    name: Annotated[str, Field(max_length=128)] = "network"
    zones: Annotated[tuple[Zone, ...], Field(min_length=1, max_length=10_000)]
    assets: Annotated[tuple[Asset, ...], Field(max_length=200_000)] = ()
    flows: Annotated[tuple[Flow, ...], Field(max_length=100_000)] = ()
    credentials: Annotated[tuple[Credential, ...], Field(max_length=100_000)] = ()

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        zones = _distinct("zone", (zone.name for zone in self.zones))
        assets = _distinct("asset", (asset.id for asset in self.assets))
        credentials = _distinct("credential", (credential.id for credential in self.credentials))
        if both := zones & assets:
            raise ValueError(f"{min(both)!r} is a zone and an asset; flows could not tell them apart")
        for asset in self.assets:
            if asset.zone is not None and asset.zone not in zones:
                raise ValueError(f"asset {asset.id!r} is in zone {asset.zone!r}, which there is not")
            for what, names, known in (
                ("controls", asset.controls, assets),
                ("logins", [login.credential for login in asset.logins], credentials),
                ("stores", [stored.credential for stored in asset.stores], credentials),
            ):
                if missing := sorted(set(names) - known):
                    raise ValueError(f"asset {asset.id!r}: {what} names {missing[0]!r}, which there is not")
        for flow in self.flows:
            for end in (flow.source, flow.target):
                if end not in zones and end not in assets:
                    raise ValueError(f"flow {flow.name!r} names {end!r}, which is neither a zone nor an asset")
        for credential in self.credentials:
            if missing := sorted(set(credential.same_as) - credentials):
                raise ValueError(f"credential {credential.id!r} is the same as {missing[0]!r}, which there is not")
        return self

    @property
    def without_zone(self) -> tuple[str, ...]:
        """Assets that nobody placed."""
        return tuple(asset.id for asset in self.assets if asset.zone is None)


def port_range(port: int | str) -> tuple[int, int]:
    """First and last port. Raises ValueError.

    >>> port_range("8000-8100"), port_range(22)
    ((8000, 8100), (22, 22))
    """
    if isinstance(port, int):
        return port, port
    low, _, high = port.partition("-")
    return int(low), int(high or low)


def read_network(path: Path) -> Network:
    """A network from a YAML or JSON file. Raises InvalidInput, which names what is wrong."""
    try:
        if path.stat().st_size > MODEL_LIMIT_BYTES:
            raise InvalidInput(f"{path.name} is larger than {MODEL_LIMIT_BYTES // 2**20} MB", hint="split the model")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path.name} cannot be read: {error}", hint="give a YAML or JSON file in UTF-8") from error
    return parse_network(text, path.name)


def parse_network(text: str, name: str = "the model") -> Network:
    """A network from YAML or JSON. Raises InvalidInput, which names what is wrong."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _refuse_bombs(yaml.parse(text, Loader=loader), name)
        content = yaml.load(text, Loader=loader)  # noqa: S506
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where is not None else ""
        raise InvalidInput(f"{name} is not YAML{line}", hint="compare it with the guide's example") from error
    try:
        return Network.model_validate(content)
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, problem['loc'])) or 'the whole'}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_url=False)
        ]
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise InvalidInput(f"{name}: {'; '.join(wrong[:5])}{more}", hint="see `impetus cyber schema`") from error


def _refuse_bombs(events: Iterable[yaml.Event], name: str) -> None:
    depth = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            # A few lines of references to references can stand for more than memory holds.
            raise InvalidInput(f"{name} uses YAML references (*name)", hint="write out what is meant")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MOST_LEVELS:  # The loader calls itself a level at a time, and would end the process.
                raise InvalidInput(f"{name} is nested too deeply", hint="compare it with the guide's example")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _distinct(what: str, names: Iterable[str]) -> frozenset[str]:
    counts = Counter(names)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise ValueError(f"{what} {twice[0]!r} is there twice")
    return frozenset(counts)
