"""Protects the command line: what each command prints, as its guide says, and that broken input is one line."""

from __future__ import annotations

import http.server
import json
import lzma
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from impetus.model import Unavailable
from impetus.tools.cyber import knowledge
from impetus.tools.cyber.cli import app
from impetus.tools.cyber.tests.test_live import ATTACK, CITY, eve

EPISODE = ["start", "end", "hosts", "techniques", "phase", "score", "alerts"]
BEGIN_S = 1_767_225_600.0


def impetus_cyber(*arguments: object, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments], input=typed)


@pytest.fixture
def city(tmp_path: Path) -> Path:
    path = tmp_path / "city.yaml"
    path.write_text(CITY)
    return path


def seen() -> Iterator[tuple[float, str, str]]:
    """Two days of one kind of noise on the mail server, then what an intruder does on the web server."""
    for number in range(300):
        yield BEGIN_S + 600.0 * number, "10.0.0.2", "Authentication success"
    for number, words in enumerate(ATTACK):
        yield BEGIN_S + 180_000.0 + number, "10.0.0.1", words


def test_watch_prints_episodes_of_named_hosts_and_counts_what_is_cut(city: Path, tmp_path: Path) -> None:
    path = tmp_path / "eve.json"
    lines = [json.dumps(eve(datetime.fromtimestamp(at, UTC).isoformat(), host, name)) for at, host, name in seen()]
    path.write_text("\n".join([lines[0][:60], *lines, lines[-1][:70]]))
    result = impetus_cyber("watch", "--model", city, "--eve", path, "--json")
    assert result.exit_code == 0
    (episode,) = [json.loads(one) for one in result.stdout.splitlines()]
    assert list(episode) == EPISODE
    assert episode["hosts"] == ["web"]
    assert episode["start"] == "2026-01-03T02:00:00Z"
    assert episode["alerts"] == len(ATTACK)
    assert all(one.startswith("T") for one in episode["techniques"])
    assert "2 lines that are cut or no JSON" in result.stderr
    assert impetus_cyber("watch", "--eve", tmp_path / "nothing").exit_code == 2
    assert "episode" not in impetus_cyber("watch", "--eve", path, "--text").stdout


@pytest.mark.parametrize("way", ["file", "compressed", "input"])
def test_episodes_of_a_table(way: str, tmp_path: Path) -> None:
    """The same from a file, a compressed one and standard input; rows that cannot be used are counted."""
    rows = [f'{at:.0f},,{host},"{name}","{name}"' for at, host, name in seen()]
    text = "\n".join(["time,host,ip,signature,name", *rows, "soon,web,10.0.0.1,x,x", "1,2"])
    path = tmp_path / ("alerts.csv.xz" if way == "compressed" else "alerts.csv")
    path.write_bytes(lzma.compress(text.encode()) if way == "compressed" else text.encode())
    result = impetus_cyber("episodes", "-", typed=text) if way == "input" else impetus_cyber("episodes", path)
    assert result.exit_code == 0
    (episode,) = [json.loads(one) for one in result.stdout.splitlines()]
    assert list(episode) == EPISODE
    assert episode["hosts"] == ["10.0.0.1"]
    assert "1 rows without a time" in result.stderr
    assert "1 rows with too few cells" in result.stderr


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xfd7zXZ"])
def test_a_table_that_is_none_is_one_line_and_exit_2(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "alerts.csv.xz"
    path.write_bytes(content if content.startswith(b"\xfd") else lzma.compress(content))
    result = impetus_cyber("episodes", path)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


def test_the_schema_takes_what_the_guide_writes(city: Path) -> None:
    """It names each part of a model, and `validate` says what a model holds."""
    schema = json.loads(impetus_cyber("schema").stdout)
    assert {"zones", "assets", "flows", "credentials"} <= set(schema["properties"])
    assert {"from", "to", "ports", "keep"} <= set(schema["$defs"]["Flow"]["properties"])
    found = json.loads(impetus_cyber("validate", city, "--json").stdout)
    assert (found["valid"], found["zones"], found["assets"], found["critical"]) == (True, 2, 2, 2)


def test_the_graph_takes_scans_and_knowledge(city: Path, tmp_path: Path) -> None:
    """A report adds a weakness to its host, KEV raises a likelihood, and what was not placed is said."""
    report = tmp_path / "nmap.xml"
    host = (
        '<host><address addr="{}" addrtype="ipv4"/><ports><port protocol="tcp" portid="80"><state state="open"/>'
        '<script id="vulners" output="CVE-2020-9999"/></port></ports></host>'
    )
    report.write_text(f"<nmaprun>{host.format('10.0.0.1')}{host.format('10.9.9.9')}</nmaprun>")
    folder = tmp_path / "known"
    folder.mkdir()
    (folder / "kev.json").write_text('{"vulnerabilities": [{"cveID": "CVE-2020-9999"}]}')

    def likelihood(*more: object) -> float:
        answer = json.loads(impetus_cyber("graph", "--model", city, *more, "--json").stdout)
        return float(next(one["likelihood"] for one in answer["assets"] if one["asset"] == "web"))

    assert likelihood() < likelihood("--scan", report) < likelihood("--scan", report, "--knowledge", folder)
    told = impetus_cyber("graph", "--model", city, "--scan", report)
    assert "10.9.9.9 is not in the model" in told.stderr
    assert "web" in told.stdout


def test_update_takes_over_what_can_be_read(tmp_path: Path) -> None:
    """Without a network the files come from a folder; what is none is said and left, and nothing at all is exit 2."""
    source, folder = tmp_path / "stick", tmp_path / "known"
    source.mkdir()
    (source / "kev.json").write_text('{"vulnerabilities": [{"cveID": "CVE-2020-1"}]}')
    (source / "broken.json").write_text("{")
    (source / "readme.txt").write_text("no knowledge")
    result = impetus_cyber("update", folder, "--from", source)
    assert result.exit_code == 0
    assert "kev.json was taken: 1 vulnerabilities" in result.stdout
    assert "broken.json was skipped" in result.stdout
    assert [path.name for path in folder.iterdir()] == ["kev.json"]
    (source / "kev.json").unlink()
    assert impetus_cyber("update", folder, "--from", source).exit_code == 2
    assert [path.name for path in folder.iterdir()] == ["kev.json"]


def test_update_fetches_what_it_can_and_keeps_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a server: files come whole or not at all, and one that is missing is said."""
    served, folder = tmp_path / "served", tmp_path / "known"
    served.mkdir()
    (served / "kev.json").write_text('{"vulnerabilities": [{"cveID": "CVE-2020-1"}]}')
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(knowledge, "FEEDS", {"kev.json": f"{base}/kev.json", "epss.csv": f"{base}/none.csv"})
    monkeypatch.setattr(knowledge, "NVD", base + "/nvd-{year}.json")
    try:
        result = impetus_cyber("update", folder, "--years", 1)
        assert result.exit_code == 0
        assert "kev.json was fetched" in result.stdout
        assert "epss.csv was not fetched: HTTP Error 404" in result.stdout
        assert knowledge.read_knowledge(folder)[0]["CVE-2020-1"].exploited
        (served / "kev.json").unlink()
        with pytest.raises(Unavailable):
            knowledge.update(folder, years=1, now=datetime(2026, 1, 1, tzinfo=UTC))
        assert [path.name for path in folder.iterdir()] == ["kev.json"]
    finally:
        server.shutdown()
        server.server_close()
