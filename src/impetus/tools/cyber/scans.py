"""Reports of scanners: Nmap, Greenbone/OpenVAS and Nessus XML (streamed), CycloneDX JSON and XML, Wazuh JSON.

Hosts, ports and weaknesses are kept, each finding once; what a report says otherwise is left out. XML goes through
defusedxml: entities that a document declares are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from impetus.model import InvalidInput
from impetus.tools.cyber.network import CVE

XML_LIMIT_BYTES = 4 * 1024**3
JSON_LIMIT_BYTES = 256 * 1024**2
TEXT_LIMIT = 250
VERSIONS = {"nmap": re.compile(r"1\.0\d"), "cyclonedx": re.compile(r"1\.[0-7]")}
"""Versions of formats that are known, of those scanners that write one."""
COMPONENT = "component"
"""Host of a CycloneDX document that names none."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A weakness that a scanner found."""

    id: str
    """CVE, or the scanner's own identifier where it names none."""
    port: int = 0
    protocol: str = "tcp"
    cvss: float | None = None
    vector: str = ""


@dataclass
class ScannedHost:
    """One host of a report."""

    addresses: list[str] = field(default_factory=list)
    hostnames: list[str] = field(default_factory=list)
    ports: dict[tuple[int, str], str] = field(default_factory=dict)
    """(port, transport) -> service, of open ports."""
    findings: dict[tuple[str, int, str], Finding] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it is called first."""
        return next((name for name in (*self.addresses, *self.hostnames) if name), "unnamed")

    @property
    def cves(self) -> frozenset[str]:
        """CVEs of the host."""
        return frozenset(one.id for one in self.findings.values() if CVE.fullmatch(one.id))

    def add(self, finding: Finding) -> None:
        """Add a finding; of the same one twice, what is known of both."""
        key = (finding.id, finding.port, finding.protocol)
        before = self.findings.get(key)
        if before is None or (before.cvss is None and finding.cvss is not None):
            self.findings[key] = finding


@dataclass
class Scan:
    """A report."""

    scanner: str
    hosts: list[ScannedHost]
    remarks: list[str] = field(default_factory=list)


def read_scan(path: Path) -> Scan:
    """A report of any known scanner. A truncated one gives what was whole, with a remark.

    Raises InvalidInput for what is no report of a known scanner, declares entities, or is too large.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4_096).lstrip(b"\xef\xbb\xbf \t\r\n")
        size = path.stat().st_size
    except OSError as error:
        raise InvalidInput(f"{path.name} cannot be read: {error.strerror}", hint="give a file") from error
    if head[:1] in (b"{", b"["):
        if size > JSON_LIMIT_BYTES:
            raise InvalidInput(f"{path.name} is larger than {JSON_LIMIT_BYTES // 2**20} MB", hint="split the report")
        return _json(path)
    if head[:1] == b"<":
        if size > XML_LIMIT_BYTES:
            raise InvalidInput(f"{path.name} is larger than {XML_LIMIT_BYTES // 2**30} GB", hint="split the report")
        return _xml(path)
    raise InvalidInput(f"{path.name} is neither XML nor JSON", hint="export the report as XML or JSON")


def _xml(path: Path) -> Scan:
    hosts: dict[str, ScannedHost] = {}
    remarks: list[str] = []
    scanner = ""
    depth: list[Element] = []
    try:
        for event, element in iterparse(path, events=("start", "end")):
            if event == "start":
                depth.append(element)
                if len(depth) == 1:
                    scanner = _scanner(element, path.name)
                    remarks += _version_remarks(scanner, _version(element))
                if len(depth) > 200:
                    raise InvalidInput(f"{path.name} is nested too deeply", hint="export the report again")
                continue
            depth.pop()
            wanted = _PARTS[scanner]
            if _tag(element) in wanted and _counts(scanner, element, depth):
                for host in wanted[_tag(element)](element, [_tag(above) for above in depth]):
                    _join(hosts, host)
                element.clear()
                if depth:
                    depth[-1].remove(element)
    except DefusedXmlException as error:
        raise InvalidInput(
            f"{path.name} declares entities, which a report does not need", hint="do not use this file"
        ) from error
    except (ParseError, ValueError, LookupError) as error:  # the last two: encodings that the parser does not know
        if not scanner:
            raise InvalidInput(f"{path.name} is not XML: {error}", hint="export the report again") from error
        remarks.append(f"the report is cut off or broken ({error}); what stands before was read")
    except OSError as error:
        raise InvalidInput(f"{path.name} cannot be read: {error.strerror}", hint="give a file") from error
    return Scan(scanner, _one_host(hosts.values()) if scanner == "cyclonedx" else list(hosts.values()), remarks)


def _counts(scanner: str, element: Element, above: list[Element]) -> bool:
    return scanner != "openvas" or _tag(element) not in _OF_REPORT or (bool(above) and _tag(above[-1]) == "report")


def _scanner(root: Element, name: str) -> str:
    tag = _tag(root)
    known = {"nmaprun": "nmap", "NessusClientData_v2": "nessus", "bom": "cyclonedx"}
    if tag in known:
        return known[tag]
    if tag in ("report", "get_reports_response"):
        return "openvas"
    raise InvalidInput(
        f"{name} is no report of a known scanner: it begins with <{tag[:40]}>",
        hint="known are Nmap, Greenbone/OpenVAS, Nessus 2, CycloneDX and Wazuh",
    )


def _version(root: Element) -> str:
    """What a report says of its format: Nmap in an attribute, CycloneDX in its namespace."""
    namespace, _, _ = root.tag.rpartition("}")
    return root.get("xmloutputversion") or namespace.rpartition("/")[2]


def _version_remarks(scanner: str, version: str) -> list[str]:
    known = VERSIONS.get(scanner)
    if known is None or not version or known.fullmatch(version):
        return []
    return [f"version {version[:20]} of {scanner} reports is not known; what was understood was read"]


def _join(hosts: dict[str, ScannedHost], host: ScannedHost) -> None:
    """Parts of a report that speak of the same host are one."""
    before = hosts.setdefault(host.name, host)
    if before is host:
        return
    for mine, theirs in ((before.addresses, host.addresses), (before.hostnames, host.hostnames)):
        mine.extend(one for one in theirs if one not in mine)
    before.ports.update(host.ports)
    for finding in host.findings.values():
        before.add(finding)


def _nmap(element: Element, above: list[str]) -> Iterator[ScannedHost]:
    host = ScannedHost()
    for address in element.findall("address"):
        if address.get("addrtype") in ("ipv4", "ipv6"):
            host.addresses.append(_short(address.get("addr")))
    host.hostnames = list(dict.fromkeys(_short(one.get("name")) for one in element.findall("hostnames/hostname")))
    for port in element.findall("ports/port"):
        state = port.find("state")
        if state is None or state.get("state") != "open":
            continue
        number, protocol = _port(port.get("portid")), port.get("protocol", "tcp")
        service = port.find("service")
        host.ports[number, protocol] = _short(service.get("name")) if service is not None else ""
        for script in port.findall("script"):
            _nmap_script(host, script, number, protocol)
    for script in element.findall("hostscript/script"):
        _nmap_script(host, script, 0, "tcp")
    if host.addresses or host.hostnames:
        yield host


def _nmap_script(host: ScannedHost, script: Element, port: int, protocol: str) -> None:
    for table in script.iter("table"):
        values = {entry.get("key"): (entry.text or "") for entry in table.findall("elem")}
        if CVE.fullmatch(values.get("id", "")):
            host.add(Finding(values["id"].upper(), port, protocol, _score(values.get("cvss"))))
    if "NOT VULNERABLE" not in (script.get("output") or ""):
        for cve in CVE.findall(script.get("output") or ""):
            host.add(Finding(cve.upper(), port, protocol))


def _nessus(element: Element, above: list[str]) -> Iterator[ScannedHost]:
    host = ScannedHost()
    name = _short(element.get("name"))
    tags = {tag.get("name"): _short(tag.text) for tag in element.findall("HostProperties/tag")}
    (host.addresses if _is_address(name) else host.hostnames).append(name)
    if tags.get("host-ip") and tags["host-ip"] not in host.addresses:
        host.addresses.append(tags["host-ip"])
    for key in ("host-fqdn", "netbios-name"):
        if tags.get(key) and tags[key] not in host.hostnames:
            host.hostnames.append(tags[key])
    for item in element.findall("ReportItem"):
        port, protocol = _port(item.get("port")), item.get("protocol", "tcp")
        if port:
            host.ports.setdefault((port, protocol), _short(item.get("svc_name")))
        score = _score(_text(item, "cvss3_base_score") or _text(item, "cvss_base_score"))
        vector = (_text(item, "cvss3_vector") or _text(item, "cvss_vector"))[:200]
        cves = [cve for one in item.findall("cve") if (cve := _short(one.text).upper())]
        if cves:
            for cve in cves:
                host.add(Finding(cve, port, protocol, score, vector))
        elif score or item.get("severity", "0") not in ("0", ""):
            host.add(Finding(f"nessus-{_short(item.get('pluginID'))}", port, protocol, score, vector))
    yield host


def _openvas_result(element: Element, above: list[str]) -> Iterator[ScannedHost]:
    if "results" not in above:
        return
    where = element.find("host")
    host = ScannedHost()
    name = _short(where.text) if where is not None else ""
    if not name:
        return
    (host.addresses if _is_address(name) else host.hostnames).append(name)
    hostname = _short(where.findtext("hostname")) if where is not None else ""
    if hostname and hostname not in host.hostnames:
        host.hostnames.append(hostname)
    number, protocol = _openvas_port(_text(element, "port"))
    if number:
        host.ports[number, protocol] = ""
    nvt = element.find("nvt")
    if nvt is not None:
        score = _score(_text(element, "severity") or _text(nvt, "cvss_base"))
        vector = next((_short(one.findtext("value")) for one in nvt.findall("severities/severity")), "")
        cves = {_short(one.get("id")).upper() for one in nvt.findall("refs/ref") if one.get("type") == "cve"}
        cves |= {cve.upper() for cve in CVE.findall(_text(nvt, "cve"))}
        for cve in sorted(cves):
            host.add(Finding(cve, number, protocol, score, vector))
        if not cves and score:
            host.add(Finding(f"nvt-{_short(nvt.get('oid'))}", number, protocol, score, vector))
    yield host


def _openvas_port_list(element: Element, above: list[str]) -> Iterator[ScannedHost]:
    """Ports of the summary list, which names open ports without findings too."""
    for one in element.findall("port"):
        name = _short(one.findtext("host"))
        number, protocol = _openvas_port(one.text or "")
        if name and number:
            host = ScannedHost()
            (host.addresses if _is_address(name) else host.hostnames).append(name)
            host.ports[number, protocol] = ""
            yield host


def _openvas_host(element: Element, above: list[str]) -> Iterator[ScannedHost]:
    """A scanned host, also one in which nothing was found."""
    name = _short(element.findtext("ip"))
    if name:
        yield ScannedHost(addresses=[name])


def _bom_component(element: Element, above: list[str]) -> Iterator[ScannedHost]:
    """The name of the component that a CycloneDX document describes; what it is made of is let go."""
    if above and above[-1] == "metadata":
        yield ScannedHost(hostnames=[_short(element.findtext("{*}name")) or COMPONENT])


def _bom_vulnerability(element: Element, above: list[str]) -> Iterator[ScannedHost]:
    """One vulnerability: of the component that the document describes."""
    ids = [_short(element.findtext("{*}id"))]
    ids += [_short(one.text) for one in element.findall("{*}references/{*}reference/{*}id")]
    host = ScannedHost(hostnames=[COMPONENT])
    score = next((one for one in element.iter() if _tag(one) in ("base", "score") and _score(one.text)), None)
    vector = next((_short(one.text) for one in element.iter() if _tag(one) == "vector"), "")
    for id in _cves_or_first(ids):
        host.add(Finding(id, 0, "tcp", _score(score.text) if score is not None else None, vector))
    yield host


def _cves_or_first(ids: Iterable[str]) -> list[str]:
    """A tool's own number stands for the CVEs that it refers to."""
    known = list(dict.fromkeys(id for id in ids if id))
    return list(dict.fromkeys(id.upper() for id in known if CVE.fullmatch(id))) or known[:1]


def _one_host(hosts: Iterable[ScannedHost]) -> list[ScannedHost]:
    """All that a CycloneDX document says is of one component."""
    parts = list(hosts) or [ScannedHost(hostnames=[COMPONENT])]
    named = next((part for part in parts if part.name != COMPONENT), parts[0])
    for part in parts:
        for finding in part.findings.values():
            named.add(finding)
    return [named]


_OF_REPORT = frozenset({"ports", "host"})
"""Parts that count only as children of Greenbone's <report>: the same words stand for other things inside."""
_Reader = Callable[[Element, list[str]], Iterable[ScannedHost]]
_PARTS: dict[str, dict[str, _Reader]] = {
    "": {},
    "nmap": {"host": _nmap},
    "nessus": {"ReportHost": _nessus},
    "openvas": {"result": _openvas_result, "ports": _openvas_port_list, "host": _openvas_host},
    "cyclonedx": {"component": _bom_component, "vulnerability": _bom_vulnerability},
}


def _json(path: Path) -> Scan:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path.name} is cut off or no JSON: {error}", hint="export the report again") from error
    try:
        if isinstance(content, dict) and content.get("bomFormat") == "CycloneDX":
            return _cyclonedx_json(content)
        if isinstance(content, dict) and isinstance(content.get("hits"), dict):
            return _wazuh_json(content["hits"]["hits"])
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{path.name} is not as its scanner writes it: {error!r}", hint="export it again") from error
    raise InvalidInput(
        f"{path.name} is no report of a known scanner", hint="known as JSON are CycloneDX and Wazuh's vulnerabilities"
    )


def _cyclonedx_json(content: dict[str, Any]) -> Scan:
    named = ((content.get("metadata") or {}).get("component") or {}).get("name")
    host = ScannedHost(hostnames=[_short(named) or COMPONENT])
    for one in content.get("vulnerabilities") or ():
        ids = [_short(one.get("id"))]
        ids += [_short(reference.get("id")) for reference in one.get("references") or ()]
        rating: dict[str, Any] = next((one for one in one.get("ratings") or () if one.get("score") is not None), {})
        for id in _cves_or_first(ids):
            host.add(Finding(id, 0, "tcp", _score(rating.get("score")), _short(rating.get("vector"))))
    return Scan("cyclonedx", [host], _version_remarks("cyclonedx", _short(content.get("specVersion"))))


def _wazuh_json(hits: list[dict[str, Any]]) -> Scan:
    hosts: dict[str, ScannedHost] = {}
    nameless = 0
    for hit in hits:
        source = hit["_source"]
        found = source["vulnerability"]
        host = ScannedHost(hostnames=[_short(source["agent"]["name"])])
        score = (found.get("score") or {}).get("base")
        id = _short(found["id"]).upper()
        if id:
            host.add(Finding(id, 0, "tcp", _score(score)))
        nameless += not id
        _join(hosts, host)
    remarks = [f"{nameless} findings without an identifier were skipped"] if nameless else []
    return Scan("wazuh", list(hosts.values()), remarks)


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _short(value: object) -> str:
    # A half of a surrogate pair, which JSON may hold, is no text that could be kept.
    return "" if value is None else str(value).encode("utf-8", "replace").decode().strip()[:TEXT_LIMIT]


def _port(text: str | None) -> int:
    return int(text) if text and re.fullmatch(r"[0-9]{1,5}", text) and int(text) <= 65_535 else 0


def _openvas_port(text: str) -> tuple[int, str]:
    match = re.match(r"\s*(?:\S+ \()?(\d{1,5})/(tcp|udp)", text)
    return (_port(match[1]), match[2]) if match else (0, "tcp")


def _score(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if 0 <= number <= 10 else None


def _is_address(name: str) -> bool:
    return bool(re.fullmatch(r"[\d.]+|[0-9a-fA-F:.%]*:[0-9a-fA-F:.%]*", name))
