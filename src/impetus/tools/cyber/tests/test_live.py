"""Protects the live side: sources over TCP and behind syslog, clocks that disagree, verdicts, threat intelligence."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.model import AlertState, ToolResult, Verdict
from impetus.sdk import LocalContext, read_manifest
from impetus.sdk.testing import START
from impetus.tools.cyber import worker
from impetus.tools.cyber.episodes import SecurityAlert, Watcher
from impetus.tools.cyber.settings import CyberSettings
from impetus.tools.cyber.signature_trust import SignatureTrust
from impetus.tools.cyber.sources import CONNECTIONS, listen
from impetus.tools.cyber.worker import CyberTool

CITY = """
zones: [{name: out, attacker: true}, {name: in}]
flows: [{from: out, to: in, ports: [80, 81]}, {from: in, to: out}, {from: in, to: in}]
assets:
  - {id: web, zone: in, value: 2, addresses: [10.0.0.1], vulnerabilities: [{id: CVE-2020-1111, port: 80, cvss: 5}]}
  - {id: mail, zone: in, value: 1, addresses: [10.0.0.2], vulnerabilities: [{id: CVE-2020-2222, port: 81, cvss: 5}]}
"""
SCAN = """<nmaprun scanner="nmap" version="7.95" xmloutputversion="1.05"><host><status state="up"/>
<address addr="10.0.0.2" addrtype="ipv4"/><ports><port protocol="tcp" portid="80"><state state="open"/>
<service name="http"/><script id="vulners" output="CVE-2021-36260  9.8  https://vulners.com/cve/CVE-2021-36260"/>
</port></ports></host></nmaprun>
"""
ATTACK = ("ET SCAN Nmap", "ET EXPLOIT Apache log4j RCE", "ET ATTACK_RESPONSE id command from web shell")


def eve(time: str, host: str = "10.0.0.1", words: str = "ET SCAN Nmap") -> dict[str, object]:
    """A line of Suricata's."""
    return {
        "timestamp": time,
        "event_type": "alert",
        "src_ip": "203.0.113.9",
        "dest_ip": host,
        "alert": {"signature_id": abs(hash(words)) % 10_000, "signature": words},
    }


def made(tmp_path: Path, *, others: tuple[ToolResult, ...] = ()) -> tuple[LocalContext, CyberTool]:
    """The tool with a small network, three days after its sensors began."""
    model = tmp_path / "city.yaml"
    model.write_text(CITY)
    manifest = read_manifest(Path(worker.__file__).parent)
    context = LocalContext(manifest, start=START + timedelta(days=3), others=others)
    return context, CyberTool(context, CyberSettings(model_file=model, worlds=256))


def quiet_days(tool: CyberTool) -> None:
    """Noise of three days, so that what comes next can be rare."""
    for number in range(400):
        tool.take(SecurityAlert(START.timestamp() + 600.0 * number, "10.0.0.2", "noise", "Authentication success"))


def attack(tool: CyberTool, context: LocalContext) -> None:
    """Something rare, now."""
    now_s = context.clock.now().timestamp()
    for number, words in enumerate(ATTACK):
        tool.take(SecurityAlert(now_s + number, "10.0.0.1", words, words, "203.0.113.9"))
    context.clock.advance(5.0)


async def received(send: Callable[[socket.socket], None], wanted: int) -> tuple[list[SecurityAlert], Counter[str]]:
    """What a listener took of what a client sent and what it counted, once both make `wanted`."""
    taken: list[SecurityAlert] = []
    skipped: Counter[str] = Counter()
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    task = asyncio.create_task(listen("127.0.0.1", port, skipped, taken.append))

    def talk() -> None:
        for _ in range(600):
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)) as client:
                send(client)
                return

    try:
        async with asyncio.timeout(60):
            while not task.done():
                with contextlib.suppress(ConnectionRefusedError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
            await asyncio.to_thread(talk)
            while len(taken) + sum(skipped.values()) < wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    return taken, skipped


def test_lines_over_tcp_and_syslog_are_alerts_and_the_rest_is_counted() -> None:
    """JSON lines, plain and behind both kinds of syslog header; what is rubbish, cut or too long is counted."""
    line = json.dumps(eve("2026-01-01T00:00:00+0000"))
    headers = ("", "<134>Jan  1 00:00:00 ids suricata[7]: ", "<134>1 2026-01-01T00:00:00Z ids suricata 7 - - ")

    def send(client: socket.socket) -> None:
        client.sendall("".join(f"{header}{line}\n" for header in headers).encode())
        client.sendall(b"no json\n\xff\xfe{\n\n")
        client.sendall(line[:40].encode())  # the rest never comes

    taken, skipped = asyncio.run(received(send, 6))
    assert [one.host for one in taken] == ["10.0.0.1"] * 3
    assert skipped == {"lines that are cut or no JSON": 3}

    def too_long(client: socket.socket) -> None:
        with contextlib.suppress(ConnectionError):
            client.sendall(b"x" * 3_000_000 + b"\n")

    taken, skipped = asyncio.run(received(too_long, 1))
    assert skipped == {"lines longer than 1 MB": 1}


def test_more_connections_than_are_served_are_counted() -> None:
    """Whoever opens connections without end is turned away, and it is seen."""

    def send(client: socket.socket) -> None:
        port = client.getpeername()[1]
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS + 8)]
        for one in clients[-3:]:  # they are closed by the other side
            one.settimeout(30)
            assert one.recv(1) == b""
        for one in clients:
            one.close()

    _, skipped = asyncio.run(received(send, 1))
    assert skipped[f"connections beyond {CONNECTIONS}"] >= 3


def test_clocks_that_disagree_lose_nothing(tmp_path: Path) -> None:
    """A sensor minutes behind is heard with those ahead; one in the future counts as now and is shown; one of last
    week is left out and is shown."""

    async def run() -> LocalContext:
        context, tool = made(tmp_path)
        await tool.start()
        quiet_days(tool)
        await tool.tick()
        now_s = context.clock.now().timestamp()
        for words, offset_s in zip(ATTACK, (-240.0, 0.0, 86_400.0), strict=True):
            tool.take(SecurityAlert(now_s + offset_s, "10.0.0.1", words, words))
        tool.take(SecurityAlert(now_s - 9 * 86_400, "10.0.0.1", "old", "ET SCAN Nmap"))
        await tool.tick()
        return context

    context = asyncio.run(run())
    found = [alert for alert in context.alerts if alert.source == "web"][-1]
    assert {factor.name.removesuffix(" on web") for factor in found.explanation} == set(ATTACK)
    assert found.onset <= found.sent
    assert context.degraded_text is not None
    assert "1 alerts from the future" in context.degraded_text
    assert "1 alerts more than a week late" in context.degraded_text


def test_a_late_alert_counts_in_the_slice_that_goes_on() -> None:
    """Time never runs backwards for what is learnt."""
    watcher = Watcher()
    for time_s in (10_000.0, 9_000.0, 10_001.0, 9_999.0, 100.0):
        assert not list(watcher.take(SecurityAlert(time_s, "h", "s", "words")))
    assert watcher.late == 2


def verdict(alert: str, state: AlertState) -> Verdict:
    return Verdict(alert=alert, tool="cyber", detector="intrusion", source="web", state=state, decided=START)


def compromised(context: LocalContext) -> Any:
    """Where the newest graph has the intruder, and how likely the mail server falls."""
    graph = [one for one in context.results if one.kind == "attack-graph"][-1].content
    nodes: Any = graph["nodes"]
    places: Any = graph["compromised"]
    chance = next(node["likelihood"] for node in nodes if node["id"] == "mail")
    return {one["asset"]: one["probability"] for one in places}, chance


def standing_plan(context: LocalContext) -> ToolResult:
    return [one for one in context.results if one.kind == "plan"][-1]


def test_a_dismissed_intrusion_is_no_foothold_and_its_signatures_are_believed_less(tmp_path: Path) -> None:
    """A verdict moves the graph and the weight of the signatures; it may be taken back; it outlives a restart."""

    async def run() -> None:
        context, tool = made(tmp_path)
        await tool.start()
        quiet_days(tool)
        await tool.tick()
        _, before = compromised(context)
        attack(tool, context)
        await tool.tick()
        alert = context.alerts[-1]
        where, after = compromised(context)
        assert set(where) == {"web"}
        assert after >= before
        assert standing_plan(context).title.endswith("; the intruder stands on web")
        await tool.verdict(verdict(alert.id, AlertState.CONFIRMED))
        await tool.tick()
        assert compromised(context)[0] == {"web": 1.0}
        for _ in range(2):  # at least once: the same verdict again changes nothing
            await tool.verdict(verdict(alert.id, AlertState.DISMISSED))
        await tool.tick()
        assert compromised(context) == ({}, before)
        assert "intruder" not in standing_plan(context).title
        told = len(context.alerts)
        await tool.tick()
        assert len(context.alerts) == told
        again = CyberTool(context, tool.settings)
        await again.start()
        quiet_days(again)
        attack(again, context)
        await again.tick()
        assert again._watcher.trust == {words: pytest.approx(2 / 3) for words in ATTACK}
        assert context.alerts[-1].source == "web"
        await again.verdict(verdict(alert.id, AlertState.NEW))
        assert set(again._watcher.trust.values()) == {1.0}

    asyncio.run(run())


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from((True, False, None))), max_size=40))
def test_trust_depends_on_the_newest_verdicts_only(verdicts: list[tuple[str, bool | None]]) -> None:
    """Whatever people say and take back, and after a restart: the newest verdict of each alert counts."""
    trust = SignatureTrust()
    for alert in "abc":
        trust.told(alert, (alert, "shared"))
    newest: dict[str, bool | None] = {}
    for alert, correct in verdicts:
        trust.judge(alert, correct)
        newest[alert] = correct
        fresh = SignatureTrust()
        fresh.restore(json.loads(json.dumps(trust.state())))
        trust = fresh
    true, false = (sum(correct is wanted for correct in newest.values()) for wanted in (True, False))
    assert trust.weights.get("shared", 1.0) == min(1.0, 2 * (true + 1) / (true + false + 2))
    assert all(0 < weight <= 1 for weight in trust.weights.values())


def exploitation(cve: object, likelihood: object, revision: int = 0) -> ToolResult:
    """As the threat intelligence tool publishes it."""
    return ToolResult.model_validate(
        {
            "id": f"exploitation-{cve}",
            "revision": revision,
            "tool": "cti",
            "kind": "exploitation",
            "title": f"{cve} is reported as exploited",
            "time": START,
            "content": {"cve": cve, "exploited": True, "traded": False, "likelihood": likelihood, "items": ["i"]},
        }
    )


def test_a_vulnerability_that_is_reported_as_exploited_is_likelier(tmp_path: Path) -> None:
    """Reports of before the start and new ones raise that step's likelihood; others, older and broken ones do not."""

    def likelihood(context: LocalContext, asset: str) -> float:
        nodes: Any = [one for one in context.results if one.kind == "attack-graph"][-1].content["nodes"]
        return float(next(node["likelihood"] for node in nodes if node["id"] == asset))

    async def run() -> None:
        plain, tool = made(tmp_path)
        await tool.start()
        context, tool = made(tmp_path, others=(exploitation("CVE-2020-1111", 0.9),))
        await tool.start()
        assert likelihood(context, "web") > likelihood(plain, "web") + 0.3
        before = likelihood(context, "mail")
        graphs = len([one for one in context.results if one.kind == "attack-graph"])
        await tool.result(exploitation("CVE-2099-9999", 1.0))
        await tool.result(exploitation("rubbish", 1.0))
        await tool.result(exploitation("CVE-2020-2222", "sure"))
        await tool.tick()
        assert len([one for one in context.results if one.kind == "attack-graph"]) == graphs
        assert "2 reports of exploitation that cannot be read" in str(context.degraded_text)
        await tool.result(exploitation("CVE-2020-2222", 0.9, revision=2))
        await tool.result(exploitation("CVE-2020-2222", 0.1, revision=1))
        await tool.tick()
        assert likelihood(context, "mail") > before + 0.3
        graph = [one for one in context.results if one.kind == "attack-graph"][-1].content
        assert {"cve": "CVE-2020-2222", "likelihood": 0.9, "hosts": 1} in graph["reported"]  # type: ignore[operator]

    asyncio.run(run())


async def test_a_report_that_a_scanner_writes_later_changes_the_graph(tmp_path: Path) -> None:
    model, report = tmp_path / "city.yaml", tmp_path / "scan.xml"
    model.write_text(CITY)
    manifest = read_manifest(Path(worker.__file__).parent)
    context = LocalContext(manifest, start=START)
    tool = CyberTool(context, CyberSettings(model_file=model, scan_files=(report,), worlds=64))
    await tool.start()
    await tool.tick()

    def graphs() -> list[ToolResult]:
        return [one for one in context.results if one.kind == "attack-graph"]

    before = len(graphs())
    report.write_text(SCAN)
    await tool.tick()
    assert len(graphs()) == before + 1
    assert "CVE-2021-36260" in json.dumps(graphs()[-1].content)
    await tool.tick()
    assert len(graphs()) == before + 1  # it is read once
    report.write_text("no report")
    await tool.tick()
    assert "CVE-2021-36260" not in json.dumps(graphs()[-1].content)
