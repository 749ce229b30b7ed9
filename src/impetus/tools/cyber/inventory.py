"""What scanners found, merged into the network's model: the same host seen by two scanners is one asset."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from impetus.tools.cyber.likelihood import access_of
from impetus.tools.cyber.network import Access, Asset, Network, Protocol, Service, Vulnerability
from impetus.tools.cyber.scans import Finding, Scan, ScannedHost


def merge(network: Network, scan: Scan) -> tuple[Network, list[str]]:
    """The network with a report in it, and remarks. A host is the asset with one of its addresses or names; one that
    is no asset yet becomes one in no zone, which a person has to place."""
    assets = {asset.id: asset for asset in network.assets}
    names = {
        name.lower(): asset.id
        for asset in network.assets
        for name in (asset.id, *asset.addresses, *asset.hostnames)
        if name
    }
    remarks = []
    taken = set(assets) | {zone.name for zone in network.zones}
    for host in scan.hosts:
        seen = [name for name in (*host.addresses, *host.hostnames) if name]
        found = list(dict.fromkeys(names[name.lower()] for name in seen if name.lower() in names))
        if len(found) > 1:
            remarks.append(f"{host.name} is {' and '.join(found[:3])} in the model; it was taken for {found[0]}")
        if found:
            asset = assets[found[0]]
        else:
            name = host.name[:100].strip()
            id = next(one for one in _names(name) if one not in taken)
            taken.add(id)
            asset = Asset(id=id)
            remarks.append(f"{id} is not in the model: it is listed, in no zone")
        assets[asset.id] = merged = _with(asset, host)
        names.update({name.lower(): merged.id for name in seen})
    return network.model_copy(update={"assets": tuple(assets.values())}), remarks


def _names(name: str) -> Iterator[str]:
    """What a host may be called, if what comes first is taken."""
    yield name
    yield f"{name} (scan)"
    yield from (f"{name} (scan {number})" for number in itertools.count(2))


def _with(asset: Asset, host: ScannedHost) -> Asset:
    services = {(one.port, one.protocol): one for one in asset.services}
    for (port, protocol), name in host.ports.items():
        key = (port, Protocol.UDP if protocol == "udp" else Protocol.TCP)
        services.setdefault(key, Service(port=port, protocol=key[1], name=name[:128]))
    weaknesses = {(one.id, one.port): one for one in asset.vulnerabilities}
    for finding in host.findings.values():
        one = _vulnerability(finding)
        weaknesses.setdefault((one.id, one.port), one)
    return asset.model_copy(
        update={
            "addresses": tuple(dict.fromkeys((*asset.addresses, *(one[:64] for one in host.addresses))))[:64],
            "hostnames": tuple(dict.fromkeys((*asset.hostnames, *(one[:253] for one in host.hostnames))))[:64],
            "services": tuple(services.values()),
            "vulnerabilities": tuple(weaknesses.values()),
        }
    )


def _vulnerability(finding: Finding) -> Vulnerability:
    one = Vulnerability(
        id=finding.id[:128],
        port=finding.port,
        protocol=Protocol.UDP if finding.protocol == "udp" else Protocol.TCP,
        cvss=finding.cvss,
        vector=finding.vector[:200],
    )
    # A scanner that looked into a host, not at a port, found a package: nobody reaches that over the network.
    local = finding.port == 0 and not finding.vector and access_of(None, one) is Access.NETWORK
    return one.model_copy(update={"access": Access.LOCAL}) if local else one
