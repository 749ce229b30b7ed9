"""Protects against what is broken or hostile: no report, model, file of knowledge or alert ends the tool in another
way than with a clear error or a counted skip."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impetus.model import InvalidInput
from impetus.tools.cyber.intrusions import identifier
from impetus.tools.cyber.inventory import merge
from impetus.tools.cyber.knowledge import Known, read_knowledge
from impetus.tools.cyber.network import Network, Zone, parse_network
from impetus.tools.cyber.scans import read_scan
from impetus.tools.cyber.sensors import parse_line
from impetus.tools.cyber.sources import FollowedFile
from impetus.tools.cyber.tests.test_live import ATTACK, eve, made, quiet_days

EMPTY = Network(zones=(Zone(name="a", attacker=True),))
NMAP = (
    '<?xml version="1.0" encoding="{}"?><nmaprun xmloutputversion="{}"><host>'
    '<address addr="{}" addrtype="ipv4"/><ports><port protocol="tcp" portid="{}">'
    '<state state="open"/><script id="vulners" output="CVE-2020-1234"/></port></ports>'
    "</host></nmaprun>"
)
NESSUS = (
    '<NessusClientData_v2><Report><ReportHost name="{}"><ReportItem port="{}" protocol="tcp" severity="3" '
    'pluginID="1"><cve>{}</cve><cvss3_base_score>{}</cvss3_base_score></ReportItem></ReportHost></Report>'
    "</NessusClientData_v2>"
)
words = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters='<>&"'), max_size=300)


def written(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "report"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from((NMAP, NESSUS)), st.lists(words, min_size=4, max_size=4), st.integers(0, 400), st.booleans())
def test_no_report_ends_in_anything_but_a_report_or_an_error(
    tmp_path: Path, form: str, parts: list[str], cut: int, cuts: bool
) -> None:
    """Whatever a scanner writes for an address, a port, a CVE, a score, wherever it is cut."""
    text = form.format(*parts)
    path = written(tmp_path, text[:cut] if cuts else text)
    try:
        scan = read_scan(path)
    except InvalidInput:
        return
    network, _ = merge(EMPTY, scan)
    assert len(network.assets) == len(scan.hosts)
    Network.model_validate(network.model_dump(by_alias=True))


@pytest.mark.parametrize("encoding", ["gb2312", "utf-7", "nonsense", "hex"])
def test_encodings_that_nobody_knows_are_refused(encoding: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not XML"):
        read_scan(written(tmp_path, NMAP.format(encoding, "1.05", "10.0.0.1", 80)))


def test_a_port_of_thousands_of_digits_is_no_port(tmp_path: Path) -> None:
    (host,) = read_scan(written(tmp_path, NMAP.format("utf-8", "1.05", "10.0.0.1", "9" * 5_000))).hosts
    assert set(host.ports) == {(0, "tcp")}


def test_unknown_versions_are_read_with_a_remark_or_refused(tmp_path: Path) -> None:
    """Nmap and CycloneDX say their version; the name of Nessus' root element is its own."""
    known = read_scan(written(tmp_path, NMAP.format("utf-8", "1.05", "10.0.0.1", 80)))
    newer = read_scan(written(tmp_path, NMAP.format("utf-8", "9.0", "10.0.0.1", 80)))
    assert not known.remarks
    assert newer.hosts == known.hosts
    assert "version 9.0" in newer.remarks[0]
    for version, remarks in (("1.4", 0), ("99", 1)):
        as_json = json.dumps({"bomFormat": "CycloneDX", "specVersion": version, "vulnerabilities": []})
        as_xml = f'<bom xmlns="http://cyclonedx.org/schema/bom/{version}"><vulnerabilities/></bom>'
        for content in (as_json, as_xml):
            assert len(read_scan(written(tmp_path, content)).remarks) == remarks
    with pytest.raises(InvalidInput, match="no report of a known scanner"):
        read_scan(written(tmp_path, "<NessusClientData_v3/>"))


def test_what_has_no_name_or_only_a_long_one_is_listed_all_the_same(tmp_path: Path) -> None:
    """Hosts whose names are the same for the first hundred letters stay apart, and one without a name is listed."""
    network = EMPTY
    names = ["", *("x" * 130 + str(number) for number in range(4))]
    for name in names:
        network, _ = merge(network, read_scan(written(tmp_path, NESSUS.format(name, 80, "CVE-2020-1", 5))))
    assert len({asset.id for asset in network.assets}) == len(names)
    nameless = {"_source": {"vulnerability": {"id": ""}, "agent": {"name": "\ud800"}}}
    scan = read_scan(written(tmp_path, json.dumps({"hits": {"hits": [nameless]}})))
    assert scan.remarks == ["1 findings without an identifier were skipped"]
    network, _ = merge(network, scan)
    assert len(network.assets) == len(names) + 1


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 50_000, "- " * 50_000, '{"a":' * 50_000])
def test_a_model_nested_without_end_is_refused(text: str) -> None:
    """Each level is a call of the loader's: without a limit the process would be gone."""
    with pytest.raises(InvalidInput, match="nested too deeply"):
        parse_network(text)


@given(st.one_of(st.text(max_size=200), st.text("[]{}:,-&*!|>'\"# \nab01", max_size=200)))
def test_no_text_stops_the_reading_of_a_model(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_network(text)


def test_knowledge_that_cannot_be_read_is_told_and_the_rest_is_known(tmp_path: Path) -> None:
    """One remark a file or its broken rows; a CVE without CVSS is known without."""
    nvd = {"format": "NVD_CVE", "version": "2.0", "vulnerabilities": [{"cve": {"id": "CVE-2020-0001", "metrics": {}}}]}
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    rated = {"cvssMetricV31": [{"cvssData": {"baseScore": 9.8, "vectorString": vector}}]}
    nvd["vulnerabilities"] += [{"cve": {"id": "CVE-2020-0002", "metrics": rated}}]  # type: ignore[operator]
    (tmp_path / "nvd.json.gz").write_bytes(gzip.compress(json.dumps(nvd).encode()))
    (tmp_path / "kev.json").write_text(json.dumps({"vulnerabilities": [{"cveID": "cve-2020-0001"}]}))
    (tmp_path / "epss.csv").write_text(
        "#model_version:v1\ncve,epss,percentile\nCVE-2020-0001,0.5,1\nCVE-2020-0002,much,1\nCVE-2020-0003,nan,1\nx\n"
    )
    broken = {
        "cut.json": '{"vulnerabilities": [',
        "deep.json": "[" * 100_000,
        "old.json": '{"CVE_Items": []}',
        "newer.json": '{"format": "NVD_CVE", "version": "3.0", "vulnerabilities": []}',
        "columns.csv": "a,b\n1,2\n",
        "endless.csv": "cve,epss\n" + "x" * 5_000,
    }
    for name, content in broken.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"cve,epss\nCVE-2020-0004,0.1\n")[:-9])
    known, remarks = read_knowledge(tmp_path)
    assert known["CVE-2020-0001"] == Known(epss=0.5, exploited=True)
    assert (known["CVE-2020-0002"].cvss, known["CVE-2020-0002"].vector) == (9.8, vector)
    told = {remark.partition(":")[0].partition(" ")[0]: remark for remark in remarks}
    assert set(told) == {*broken, "cut.csv.gz", "epss.csv"}
    assert "3 rows cannot be read" in told["epss.csv"]
    assert "neither NVD JSON 2.0" in told["old.json"]
    assert "3.0 is not known" in told["newer.json"]
    with pytest.raises(InvalidInput):
        read_knowledge(tmp_path / "nothing")


ODD = ("  ", "\ud800", "\x00", "a\nb", "x" * 400, "\u202e", "::1", "Web server (old)", "_", "<b>", "日本", "a..b.")


@pytest.mark.parametrize("host", ODD)
def test_an_intrusion_on_a_host_of_any_name_is_told(host: str, tmp_path: Path) -> None:
    """Names that no alert could carry are told in those signs that it can, and what is no text is left out."""

    async def run() -> None:
        context, tool = made(tmp_path)
        await tool.start()
        quiet_days(tool)
        await tool.tick()
        moment = datetime.fromtimestamp(context.clock.now().timestamp(), UTC).isoformat()
        for attack in ATTACK:
            line = json.dumps(eve(moment, host, f"{attack} {host}"))
            alert = parse_line(line, Counter())
            assert alert is not None
            tool.take(alert)
        context.clock.advance(5.0)
        await tool.tick()
        (found,) = context.alerts
        assert found.headline.startswith("Intrusion: ")
        assert found.source

    asyncio.run(run())


@given(st.text(max_size=200))
def test_any_name_makes_an_identifier(name: str) -> None:
    """And one that is an identifier stays as it is."""
    once = identifier(name)
    assert once
    assert identifier(once) == once


def line(number: int) -> str:
    return json.dumps(eve(f"2026-01-01T00:00:{number:02}+0000")) + "\n"


def test_what_was_written_before_a_rotation_is_read_after_it(tmp_path: Path) -> None:
    """The file that was put away is read to its end, and the new one from its start; one emptied in its place too."""
    path, skipped = tmp_path / "eve.json", Counter[str]()
    followed = FollowedFile(path, skipped)
    assert followed.read() == []
    path.write_text(line(0))
    assert len(followed.read()) == 1
    with path.open("a") as file:
        file.write(line(1) + line(2))
    path.rename(tmp_path / "eve.1")
    assert len(followed.read(limit=1)) == 1  # the new one is not there yet
    path.write_text(line(3))
    seconds = [alert.time_s % 60 for _ in range(3) for alert in followed.read()]
    assert seconds == [2, 3]
    with path.open("w") as file:  # copytruncate
        file.write(line(4)[:50])
    assert followed.read() == []
    with path.open("a") as file:
        file.write(line(4)[50:])
    assert [alert.time_s % 60 for alert in followed.read()] == [4]
    path.unlink()
    assert followed.read() == []
    followed.close()
    assert not skipped
