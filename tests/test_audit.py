"""Protects the audit of packages: a known weakness fails with its name, and a machine without a service goes on."""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts import audit, bill_of_materials

KNOWN = {("jinja2", "2.4.1"): "GHSA-8r7q-cvjq-x353", ("weak", "1.0"): "GHSA-aaaa-bbbb-cccc"}


class Advisories(BaseHTTPRequestHandler):
    """As much of OSV's query API as pip-audit asks for."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = asked["package"]["name"]
        id = KNOWN.get((name, asked["version"]))
        vulnerability = {
            "id": id,
            "modified": "2026-01-01T00:00:00Z",
            "published": "2026-01-01T00:00:00Z",
            "aliases": ["CVE-2026-0001"],
            "details": "a weakness",
            "affected": [
                {
                    "package": {"name": name, "ecosystem": "PyPI"},
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9"}]}],
                }
            ],
        }
        answer = json.dumps({"vulns": [vulnerability]} if id else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *values: object) -> None:
        """Nothing is written."""


@pytest.fixture
def service() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Advisories)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    thread.join()
    server.server_close()


def audited(lock: Path, service: str, *options: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"IMPETUS_AUDIT_OSV_URL": service, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    return subprocess.run(
        [sys.executable, audit.__file__, *options, str(lock)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_known_weakness_fails_with_its_name(service: str, tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"# {tmp_path}\nweak==1.0\nsound==1.0\n")
    done = audited(lock, service)
    assert done.returncode == 1
    assert "weak 1.0: CVE-2026-0001, GHSA-aaaa-bbbb-cccc (mended in 9.9)" in done.stderr
    assert "sound" not in done.stderr
    said = audited(lock, service, "--say")
    assert (said.returncode, said.stderr) == (0, done.stderr), "a test run names it, and goes on"


def test_without_a_service_it_says_so_in_a_line_and_goes_on(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"# {tmp_path}\nweak==1.0\n")
    done = audited(lock, "http://127.0.0.1:9/v1/query")  # nobody listens at the port of `discard`
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert "not looked for" in done.stdout


def test_what_is_lived_with_has_a_reason_and_a_day_on_which_it_fails() -> None:
    weakness = audit.Weakness("weak", "1.0", ("GHSA-aaaa-bbbb-cccc", "CVE-2026-0001"))
    entry = audit.Ignored("CVE-2026-0001", "the part is not called", datetime.date(2026, 11, 21))
    assert audit.unlived([weakness], [entry], datetime.date(2026, 11, 21)) == []
    assert audit.unlived([weakness], [entry], datetime.date(2026, 11, 22)) == [weakness]
    assert all(entry.reason and isinstance(entry.until, datetime.date) for entry in audit.ignored())


def test_the_bill_of_materials_names_each_locked_package_with_its_hashes() -> None:
    components = bill_of_materials.bill()["components"]
    locked = re.findall(r"^[A-Za-z0-9._-]+==", (audit.ROOT / "requirements.lock").read_text(), re.MULTILINE)
    python = [one for one in components if one["purl"].startswith("pkg:pypi/")]
    assert len(python) == len(locked) > 100
    assert all(one["hashes"] for one in python)
    assert any(one["purl"].startswith("pkg:npm/leaflet@") for one in components)
