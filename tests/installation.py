"""A whole installation as its users have it: started from the command line, reached over HTTP, stopped by id."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import httpx
from paho.mqtt import publish

from tests.servers import free_port


@dataclass(frozen=True, slots=True)
class Login:
    """One person who may log in."""

    name: str
    password: str
    role: str
    organisation: str


@dataclass(slots=True)
class Installation:
    """A running `impetus demo` or `impetus serve`."""

    url: str
    token: str
    logins: Sequence[Login]
    home: Path
    process: subprocess.Popen[str]
    log: Path
    mqtt_port: int

    def login(self, role: str, organisation: str = "municipality") -> Login:
        """The demo's person with that role."""
        return next(each for each in self.logins if each.role == role and each.organisation == organisation)

    def client(self, login: Login | None = None) -> httpx.Client:
        """An HTTP client with the demo's token, or one that has logged in as a person."""
        if login is None:
            return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=30)
        client = httpx.Client(base_url=self.url, timeout=30)
        answer = client.post("/api/v1/session", json={"name": login.name, "password": login.password})
        answer.raise_for_status()
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return client

    def send(self, datastream: str, value: object) -> None:
        """One reading of a sensor, over MQTT as the sensor itself would send it; on the bus when this returns."""
        kept = json.loads((self.home / "secrets" / "mqtt.json").read_text())
        publish.single(
            f"v1.1/Datastreams({datastream})/Observations",
            json.dumps({"result": value, "phenomenonTime": datetime.now(UTC).isoformat()}),
            qos=1,
            hostname="127.0.0.1",
            port=self.mqtt_port,
            auth={"username": kept["name"], "password": kept["password"]},
        )

    def children(self) -> Mapping[str, int]:
        """Process id of each part, by the words after `impetus` on its command line (`hub`, `worker anomaly`)."""
        parents: dict[int, int] = {}
        titles: dict[int, str] = {}
        for status in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError, StopIteration):
                parent = next(line for line in status.read_text().splitlines() if line.startswith("PPid:"))
                process = int(status.parent.name)
                parents[process] = int(parent.split()[1])
                titles[process] = (status.parent / "cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
        # Each is a child of the process that parts are forked from, which is a child of the demo's.
        return {
            title.removeprefix("impetus "): process
            for process, title in titles.items()
            if title.startswith("impetus ") and parents.get(parents[process]) == self.process.pid
        }

    def logs(self) -> str:
        """What the installation and its parts wrote: for the message of a test that fails."""
        paths = [self.log, *sorted((self.home / "logs").glob("*.log"))]
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in paths if path.exists()
        )

    def stop(self) -> None:
        """End it as Ctrl-C does, and by force after 20 s."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@contextlib.contextmanager
def running_demo(
    home: Path,
    *,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    tools: Collection[str] | None = None,
    wait_s: float = 300.0,
) -> Iterator[Installation]:
    """Run `impetus demo --json` with further `arguments` in the folder `home` until the block ends.

    Only `tools` run, if they are named: what is measured must not depend on how many are installed.
    """
    home.mkdir(parents=True, exist_ok=True)
    log = home / "demo.log"
    mqtt_port = free_port()
    installed = {entry.name for entry in entry_points(group="impetus.tools")}
    disabled = sorted(installed - set(installed if tools is None else tools))
    listener = {"kind": "embedded", "tenant": "municipality", "host": "127.0.0.1", "port": mqtt_port}
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "impetus.cli", "demo", "--port", str(free_port()), "--json", *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={
                **os.environ,
                "IMPETUS_MQTT__CONNECTIONS": json.dumps([listener]),
                "IMPETUS_DISABLED_TOOLS": json.dumps(disabled),
                **(environment or {}),
                "IMPETUS_HOME": str(home),
            },
            start_new_session=True,
        )
    timer = threading.Timer(wait_s, process.kill)
    timer.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
    finally:
        timer.cancel()
    if not line:
        process.kill()
        process.wait()
        raise AssertionError(f"impetus demo did not get ready in {wait_s:.0f} s\n{log.read_text()}")
    ready: dict[str, Any] = json.loads(line)
    installation = Installation(
        ready["url"], ready["token"], [Login(**user) for user in ready["users"]], home, process, log, mqtt_port
    )
    try:
        yield installation
    finally:
        installation.stop()
