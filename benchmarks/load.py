"""What loads an installation in the benchmarks: sensors that read what cannot be; and how processes share the cores."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx

from impetus.exercise.city import load_datastreams
from impetus.exercise.load import connect_packet
from impetus.exercise.seed import CITY
from impetus.model import Datastream
from tests.installation import Installation

IMPOSSIBLE = 999.0
_DAY_S = 86_400.0
_PUBACK = 0x40


def end_tidily() -> None:
    """Have SIGTERM end this process as an error does, so that the installation that it started is stopped too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def faulty_sensors(count: int) -> list[Datastream]:
    """Sensors that send nothing but, once each, a value that cannot be: one alert of the detector `impossible` each."""
    return [
        # Nobody expects a reading of them before tomorrow: none of them is silent meanwhile.
        datastream.model_copy(
            update={"id": f"faulty-{number:05d}", "name": f"Faulty sensor {number}", "interval_s": _DAY_S}
        )
        for number, datastream in enumerate(load_datastreams(count), start=1)
    ]


def register(home: Path, datastreams: Sequence[Datastream], environment: Mapping[str, str] | None = None) -> None:
    """Make datastreams known in a folder of state before the demo city is started in it, with the same environment."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / "sensors.jsonl"
    file.write_text("".join(f"{datastream.model_dump_json()}\n" for datastream in datastreams))
    for words in (
        ("organisation", "add", CITY, "City of Aurelia"),
        ("sensor", "import", str(file), "--organisation", CITY),
    ):
        subprocess.run(
            [sys.executable, "-m", "impetus.cli", *words],
            env={**os.environ, **(environment or {}), "IMPETUS_HOME": str(home)},
            stdout=subprocess.DEVNULL,
            check=True,
        )


def without_history(home: Path) -> None:
    """Have the demo city begin now, without the two weeks of readings before."""
    folder = home / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "history.json").write_text(json.dumps({"until": datetime.now(UTC).isoformat()}))


def wait_until_settled(installation: Installation, *, limit_s: float = 180.0) -> None:
    """Until the city has sent its history and every consumer of the bus has caught up."""
    deadline_s = time.monotonic() + limit_s
    quiet = 0
    pending: dict[str, int] = {}
    with installation.client() as client:
        while quiet < 3:
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"the installation did not catch up in {limit_s:.0f} s: {pending}")
            time.sleep(1)
            status = client.get("/api/v1/status").raise_for_status().json()
            pending = {consumer["durable"]: consumer["pending"] for consumer in status["consumers"]}
            is_full = (installation.home / "demo" / "history.json").exists()
            quiet = quiet + 1 if is_full and "tool-anomaly" in pending and max(pending.values()) < 300 else 0


@dataclass(slots=True)
class FaultySender:
    """Sends impossible readings with QoS 1, each again and again until the connector has acknowledged it.

    `sent` and `acknowledged` hold seconds since 1970 by datastream: of the first sending, just before the bytes go to
    the socket, and of the acknowledgement.
    """

    installation: Installation
    sent: dict[str, float] = field(default_factory=dict)
    acknowledged: dict[str, float] = field(default_factory=dict)
    _payloads: dict[str, bytes] = field(default_factory=dict)
    _numbers: dict[int, str] = field(default_factory=dict)
    _writer: asyncio.StreamWriter | None = None
    _next: int = 0
    _connected: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Keep a connection until cancelled; what was not acknowledged on an old one is sent again on the new one."""
        kept = json.loads((self.installation.home / "secrets" / "mqtt.json").read_text())
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.installation.mqtt_port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            try:
                writer.write(connect_packet("benchmark-faulty", kept["name"], kept["password"]))
                answer = await reader.readexactly(4)
                if answer[3] != 0:
                    raise RuntimeError(f"the connector refused the log-in (code {answer[3]})")
                self._writer = writer
                for number, datastream in list(self._numbers.items()):
                    writer.write(_publish(number, datastream, self._payloads[datastream], again=True))
                self._connected.set()
                while True:
                    head = await reader.readexactly(4)
                    if head[0] & 0xF0 == _PUBACK:
                        number = int.from_bytes(head[2:4], "big")
                        self.acknowledged[self._numbers.pop(number)] = time.time()
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.05)
            finally:
                self._writer = None
                self._connected.clear()
                writer.close()

    async def connected(self) -> None:
        """Wait for a connection."""
        await self._connected.wait()

    def send(self, datastream: str, value: float = IMPOSSIBLE) -> None:
        """One impossible reading of the sensor, or another, now or as soon as there is a connection."""
        self._next = self._next % 65_535 + 1
        self._numbers[self._next] = datastream
        moment = datetime.now(UTC).isoformat()
        payload = self._payloads[datastream] = f'{{"phenomenonTime":"{moment}","result":{value}}}'.encode()
        packet = _publish(self._next, datastream, payload)
        self.sent[datastream] = time.time()
        if self._writer is not None:
            self._writer.write(packet)

    async def send_evenly(self, datastreams: Sequence[str], per_s: float) -> None:
        """One reading of each sensor at an even pace."""
        began_s = time.monotonic()
        for number, datastream in enumerate(datastreams):
            await asyncio.sleep(max(0.0, began_s + number / per_s - time.monotonic()))
            self.send(datastream)

    async def all_acknowledged(self, limit_s: float = 30.0) -> None:
        """Wait until nothing is on its way. Raises TimeoutError."""
        async with asyncio.timeout(limit_s):
            while self._numbers:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


def _publish(number: int, datastream: str, payload: bytes, *, again: bool = False) -> bytes:
    """PUBLISH of MQTT 3.1.1 with QoS 1."""
    topic = f"v1.1/Datastreams({datastream})/Observations".encode()
    body = len(topic).to_bytes(2, "big") + topic + number.to_bytes(2, "big") + payload
    size = bytearray()
    rest = len(body)
    while True:
        rest, low = divmod(rest, 128)
        size.append(low | 0x80 if rest else low)
        if not rest:
            return bytes((0x3A if again else 0x32,)) + bytes(size) + body


class ProcessorShares:
    """How much of a core each process takes between two moments."""

    def __init__(self, processes: Callable[[], Mapping[str, Sequence[int]]]) -> None:
        """`processes` returns process ids by name."""
        self._processes = processes
        self._began_s = time.monotonic()
        self._before = self._used()

    def take(self) -> Mapping[str, float]:
        """Share of one core since this was made, by name; processes that came or went meanwhile count in part."""
        passed_s = time.monotonic() - self._began_s
        return {
            name: max(0.0, used_s - self._before.get(name, 0.0)) / passed_s for name, used_s in self._used().items()
        }

    def _used(self) -> dict[str, float]:
        return {name: sum(map(processor_seconds, ids)) for name, ids in self._processes().items()}


def processor_seconds(process: int) -> float:
    """Processor time that a process has used, in seconds; 0 when it is gone."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def descendants(ancestor: int, word: str) -> list[int]:
    """Processes below `ancestor` whose command line holds `word`."""
    parents: dict[int, int] = {}
    lines: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(words[1])
            lines[int(folder.name)] = (folder / "cmdline").read_bytes().decode(errors="replace")
    found = []
    for process in parents:
        above = process
        while above not in (0, ancestor):
            above = parents.get(above, 0)
        if above == ancestor and word in lines[process]:
            found.append(process)
    return found


def parts_and(installation: Installation, others: Mapping[str, Sequence[int]]) -> dict[str, Sequence[int]]:
    """Process ids of the installation's parts, of the browsers below this process, and of others."""
    return {
        **{name: [process] for name, process in installation.children().items()},
        "chromium": descendants(os.getpid(), "chromium"),
        **others,
    }


def in_words(shares: Mapping[str, float]) -> str:
    """Shares as a line of text."""
    return "share of a core: " + ", ".join(f"{name} {100 * share:.0f} %" for name, share in shares.items())


async def post_until_answered(
    client: httpx.AsyncClient, address: str, body: Mapping[str, object], *, limit_s: float = 90.0
) -> httpx.Response:
    """POST again and again until the server answers at all; a server error counts as no answer."""
    async with asyncio.timeout(limit_s):
        while True:
            with contextlib.suppress(httpx.HTTPError):
                answer = await client.post(address, json=body)
                if answer.status_code < 500:
                    return answer
            await asyncio.sleep(0.05)
