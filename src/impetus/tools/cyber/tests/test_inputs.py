"""Protects the way in: scanners' reports counted apart, sensors' lines, broken and hostile files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from impetus.model import InvalidInput
from impetus.tools.cyber.cli import app
from impetus.tools.cyber.episodes import SecurityAlert, episodes
from impetus.tools.cyber.inventory import merge
from impetus.tools.cyber.network import parse_network
from impetus.tools.cyber.scans import read_scan
from impetus.tools.cyber.sensors import parse_line
from impetus.tools.cyber.sources import FollowedFile

SCANS = Path(__file__).resolve().parents[6] / "shared/data/scans"
needs_scans = pytest.mark.skipif(not SCANS.is_dir(), reason="../shared/data/scans is not there")


@needs_scans
@pytest.mark.parametrize(
    "name",
    [
        "openvas/many_vuln.xml",
        "openvas/report_detail_v2.xml",
        "openvas/no_vuln.xml",
        "tenable/nessus/nessus_many_vuln.xml",
        "tenable/nessus/nessus_v_unknown.xml",
        "nmap/nmap_0port.xml",
        "nmap/nmap_1port.xml",
        "nmap/nmap_multiple_port.xml",
        "nmap/nmap_script_vulners.xml",
    ],
)
def test_reports_parse_without_loss(name: str) -> None:
    """Hosts, open ports and CVEs are those that a search in the text finds."""
    text = (SCANS / name).read_text(errors="replace")
    scan = read_scan(SCANS / name)
    if "nessus" in name:
        hosts = set(re.findall(r'<ReportHost name="([^"]+)"', text))
        parts = re.findall(r'<ReportItem port="(\d+)"[^>]*protocol="(\w+)"', text)
        ports = {(int(port), protocol) for port, protocol in parts if port != "0"}
        cves = set(re.findall(r"<cve>(CVE-\d+-\d+)", text))
    elif "openvas" in name:
        hosts = set(re.findall(r"<host>([\d.]+)<", text))
        ports = {(int(port), kind) for port, kind in re.findall(r"<port>(\d+)/(tcp|udp)", text)}
        cves = set(re.findall(r"<ref [^>]*?(CVE-\d+-\d+)", text))
    else:
        hosts = set(re.findall(r'<address addr="([\d.]+)" addrtype="ipv4"', text))
        found = re.findall(r'<port protocol="(\w+)" portid="(\d+)"><state state="open"', text)
        ports = {(int(port), protocol) for protocol, port in found}
        cves = set(re.findall(r"CVE-\d+-\d+", text))
    names = {name for host in scan.hosts for name in (*host.addresses, *host.hostnames)}
    assert len(scan.hosts) == len(hosts)
    assert hosts <= names
    assert {port for host in scan.hosts for port in host.ports} == ports
    assert {cve for host in scan.hosts for cve in host.cves} == cves


@needs_scans
def test_json_reports_parse_without_loss() -> None:
    """CycloneDX and Wazuh: every CVE that is an identifier is there."""
    for name in ("cyclonedx/log4j.json", "cyclonedx/nested-component-log4j.json", "wazuh/v4-8_many_findings.json"):
        text = (SCANS / name).read_text()
        ids = set(re.findall(r'"id"\s*:\s*"(CVE-\d+-\d+)"', text))
        assert {cve for host in read_scan(SCANS / name).hosts for cve in host.cves} == ids


@needs_scans
def test_cyclonedx_as_xml_parses_without_loss() -> None:
    """Every identifier of a vulnerability is there, with its score if it is above 0, which stands for none."""
    for name, component in (("grype_dd_1_14_1.xml", "defectdojo/defectdojo-django:1.14.1"), ("spec1.xml", "component")):
        text = (SCANS / "cyclonedx" / name).read_text()
        ids = set(re.findall(r"<v:id>([^<]+)</v:id>", text))
        (host,) = read_scan(SCANS / "cyclonedx" / name).hosts
        assert host.name == component
        assert {one.id for one in host.findings.values()} == ids
        scored = re.findall(r"<v:id>([^<]+)</v:id>(?:(?!</v:vulnerability>).)*?<v:base>([\d.]+)", text, re.DOTALL)
        assert {one.id for one in host.findings.values() if one.cvss is not None} == {
            id for id, base in scored if float(base)
        }


MIB = 2**20
WORDS = "what the scanner has to say about this; " * 50
HOSTS = {
    "nmap": (
        "<nmaprun>",
        '<host><address addr="10.{}.{}.{}" addrtype="ipv4"/><ports><port protocol="tcp" portid="80">'
        '<state state="open"/><script id="vulners" output="CVE-2020-1234 WORDS"/></port></ports></host>',
        "</nmaprun>",
    ),
    "nessus": (
        "<NessusClientData_v2><Report>",
        '<ReportHost name="10.{}.{}.{}"><ReportItem port="80" protocol="tcp" severity="3" pluginID="1">'
        "<cve>CVE-2020-1234</cve><plugin_output>WORDS</plugin_output></ReportItem></ReportHost>",
        "</Report></NessusClientData_v2>",
    ),
    "openvas": (
        "<report><report><results>",
        "<result><host>10.{}.{}.{}</host><port>80/tcp</port><nvt oid='1'><refs><ref type='cve' id='CVE-2020-1234'/>"
        "</refs></nvt><severity>5.0</severity><description>WORDS</description></result>",
        "</results></report></report>",
    ),
    "cyclonedx": (
        "<bom><components>",
        "<component><name>a{}-{}-{}</name><description>WORDS</description></component>",
        "</components><vulnerabilities><vulnerability><id>CVE-2020-1234</id></vulnerability></vulnerabilities></bom>",
    ),
}
"""Of each scanner, how its report begins, what it says of one host, how it ends."""


@pytest.mark.slow
@pytest.mark.parametrize("scanner", HOSTS)
def test_a_report_of_500_mb_is_streamed(scanner: str, tmp_path: Path) -> None:
    """Of 500 MB with two kilobytes of text a host, no more than a fraction is ever in memory, and each host counts."""
    begin, host, end = HOSTS[scanner]
    path, hosts = tmp_path / "report.xml", 0
    with path.open("w") as file:
        file.write(begin)
        while file.tell() < 500 * MIB:
            for number in range(hosts, hosts + 4_096):
                # 20,000 hosts, each again and again, as a scan that was joined from many runs says it.
                one = number % 20_000
                file.write(host.format(one >> 16, one >> 8 & 255, one & 255).replace("WORDS", WORDS))
            hosts += 4_096
        file.write(end)
    code = (
        "import pathlib, resource, sys; from impetus.tools.cyber.scans import read_scan\n"
        "scan = read_scan(pathlib.Path(sys.argv[1]))\n"
        "print(len(scan.hosts), len(set().union(*(host.cves for host in scan.hosts))), len(scan.remarks),"
        " resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True, timeout=600
    )
    path.unlink()
    found, cves, remarks, memory_kib = map(int, answer.stdout.split())
    assert (found, cves, remarks) == (1 if scanner == "cyclonedx" else min(hosts, 20_000), 1, 0)
    assert memory_kib < 300 * 1024


def test_entities_and_nonsense_are_refused(tmp_path: Path) -> None:
    """An entity bomb, text, and an unknown report are one clear error each."""
    bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]><nmaprun>&c;</nmaprun>'
    for content in (bomb, "hello", "<html/>", '{"a": 1}', "[", "", "<nmap", '{"hits": {"hits": [{}]}}'):
        path = tmp_path / "report"
        path.write_text(content)
        with pytest.raises(InvalidInput):
            read_scan(path)


def test_a_truncated_report_gives_what_was_whole(tmp_path: Path) -> None:
    """What stands before the cut is kept, with a remark."""
    host = '<host><address addr="10.0.0.{}" addrtype="ipv4"/><ports/></host>'
    path = tmp_path / "nmap.xml"
    path.write_text("<nmaprun>" + host.format(1) + host.format(2) + host.format(3)[:30])
    scan = read_scan(path)
    assert [one.name for one in scan.hosts] == ["10.0.0.1", "10.0.0.2"]
    assert scan.remarks


def test_the_same_host_of_two_scanners_is_one_asset(tmp_path: Path) -> None:
    """By address and by name; an unknown host is listed without a zone."""
    network = parse_network("zones: [{name: a, attacker: true}]\nassets: [{id: web, zone: a, addresses: [10.0.0.1]}]")
    path = tmp_path / "a.xml"
    path.write_text(
        '<nmaprun><host><address addr="10.0.0.1" addrtype="ipv4"/><hostnames><hostname name="web.example"/></hostnames>'
        '<ports/></host><host><address addr="10.0.0.9" addrtype="ipv4"/><ports/></host></nmaprun>'
    )
    network, _ = merge(network, read_scan(path))
    path.write_text(
        '<NessusClientData_v2><Report><ReportHost name="web.example"><ReportItem port="80" protocol="tcp" '
        'severity="3" pluginID="1"><cve>CVE-2020-1</cve></ReportItem></ReportHost></Report></NessusClientData_v2>'
    )
    network, _ = merge(network, read_scan(path))
    assert [asset.id for asset in network.assets] == ["web", "10.0.0.9"]
    assert [one.port for one in network.assets[0].services] == [80]
    assert network.without_zone == ("10.0.0.9",)


@given(st.one_of(st.text(), st.binary()))
def test_no_line_stops_the_sensors(line: str | bytes) -> None:
    """Any line is an alert, nothing, or counted."""
    parse_line(line, Counter())


EVE = {
    "timestamp": "2026-01-01T00:00:00.5+0000",
    "event_type": "alert",
    "src_ip": "1.2.3.4",
    "dest_ip": "10.0.0.1",
    "alert": {"signature_id": 1, "signature": "ET SCAN Nmap"},
}
WAZUH = {
    "timestamp": "2026-01-01T00:00:00.000+0000",
    "rule": {"id": "5402", "description": "sudo", "mitre": {"id": ["T1548"]}},
    "agent": {"name": "web"},
}
ZEEK = {"ts": 1767225600.0, "note": "Scan::Port_Scan", "msg": "scanned", "src": "1.2.3.4", "dst": "10.0.0.1"}


def test_three_sensors_are_read_also_behind_syslog() -> None:
    """Suricata, Wazuh and Zeek give host, signature and time."""
    skipped: Counter[str] = Counter()
    found = [parse_line(f"<13>Jan 1 00:00:00 ids suricata: {json.dumps(one)}", skipped) for one in (EVE, WAZUH, ZEEK)]
    assert [one.host if one else None for one in found] == ["10.0.0.1", "web", "10.0.0.1"]
    assert not skipped


def test_a_rotated_file_loses_nothing_whole(tmp_path: Path) -> None:
    """A line that arrives in halves is one alert; one that rotation cut is counted."""
    path, skipped, line = tmp_path / "eve.json", Counter[str](), json.dumps(EVE) + "\n"
    followed = FollowedFile(path, skipped)
    path.write_text(line + line[:30])
    assert len(followed.read()) == 1
    with path.open("a") as file:
        file.write(line[30:] + line[:20])
    assert len(followed.read()) == 1
    path.rename(tmp_path / "eve.1")
    path.write_text(line)
    assert len(followed.read()) == 1
    assert sum(skipped.values()) == 1


def test_a_burst_of_rare_alerts_is_an_episode_and_noise_is_none() -> None:
    """A scan and a web attack after two quiet days are told; the noise before is not."""
    noise = [SecurityAlert(1e9 + 600.0 * n, "mail", "noise", "Authentication success") for n in range(300)]
    at = noise[-1].time_s + 60
    words = ["ET SCAN Nmap", "Common web attack", "Successful sudo to ROOT executed", "User changed UID"]
    attack = [SecurityAlert(at + n, "web", word, word) for n, word in enumerate(words)]
    found = list(episodes([*noise, *attack]))
    assert len(found) == 1
    assert set(found[0].line()) == {"start", "end", "hosts", "techniques", "phase", "score", "alerts"}
    assert found[0].hosts[0] == "web"


@pytest.mark.parametrize(
    "model", ["", "[]", "zones: [", "zones: [{name: a}]\nassets: [{id: x, zone: b}]", "a: &a [*a]"]
)
def test_a_wrong_model_is_one_line_and_exit_2(model: str, tmp_path: Path) -> None:
    """What is wrong with a model is said, not thrown."""
    path = tmp_path / "city.yaml"
    path.write_text(model)
    result = CliRunner().invoke(app, ["validate", str(path)])
    assert result.exit_code == 2
    assert "Error:" in result.output


def test_the_command_line_speaks_json(tmp_path: Path) -> None:
    """`graph` and `plan` print what the guide says."""
    path = tmp_path / "city.yaml"
    path.write_text(
        "zones: [{name: out, attacker: true}, {name: in}]\nflows: [{from: out, to: in, ports: [80]}]\n"
        "assets: [{id: web, zone: in, value: 2, vulnerabilities: [{id: CVE-2020-1, port: 80, cvss: 9.9}]}]"
    )
    graph = json.loads(CliRunner().invoke(app, ["graph", "--model", str(path), "--json"]).stdout)
    asset = graph["assets"][0]
    assert asset["interval"][0] <= asset["likelihood"] <= asset["interval"][1]
    assert asset["paths"][0]["steps"]
    plan = json.loads(CliRunner().invoke(app, ["plan", "--model", str(path), "--budget", "1", "--json"]).stdout)
    assert plan["after"] == 0
    assert [one["kind"] for one in plan["measures"]] == ["patch"]
