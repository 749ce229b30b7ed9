"""MQTT in: single readings and data arrays, QoS 1, from a sender in another process onto a real bus on disk."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import orjson
import uvloop

from benchmarks.reporting import Figure, report
from impetus.bus import open_bus
from impetus.connectors.mqtt.arrival import Source
from impetus.connectors.mqtt.connector import run_connector
from impetus.connectors.mqtt.listener import Listener
from impetus.connectors.mqtt.settings import EmbeddedListener, MqttSettings
from impetus.exercise.city import load_datastreams
from impetus.exercise.load import connect_packet, publish_packet
from impetus.model import ObservationBatch, SystemClock, Tenant
from impetus.store import open_store

RUNS = 3
DATASTREAMS = 1_000
RATE = 2_000
STEADY_S = 5.0
FLOOD_MESSAGES = 60_000
HISTORY_READINGS = 240_000
ARRAY_READINGS = 2_000
HAND_OVER_S = 0.01
PUBACK_BYTES = 4


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of the connector reached."""

    messages_per_s: float
    cores: float
    """Share of one core that the connector took."""
    lost: int


def send(port: int, packets: Sequence[bytes], rate: float | None) -> float:
    """Send QoS 1 packets, so many a second or as fast as the receiver takes them, and wait for all acknowledgements.

    Returns how many seconds that took. Runs in a process of its own.
    """
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(connect_packet("benchmark", None, None))
        connection.recv(4)
        began, sent = time.monotonic(), 0
        while sent < len(packets):
            due = len(packets) if rate is None else min(len(packets), int((time.monotonic() - began) * rate))
            if due > sent:
                connection.sendall(b"".join(packets[sent:due]))
                sent = due
            time.sleep(HAND_OVER_S)
        missing = len(packets) * PUBACK_BYTES
        while missing:
            answer = connection.recv(65_536)
            if not answer:
                raise ConnectionError("the listener closed the connection")
            missing -= len(answer)
        return time.monotonic() - began


def single_readings(count: int) -> list[bytes]:
    """PUBLISH packets with one SensorThings Observation each."""
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    return [
        publish_packet(
            f"v1.1/Datastreams(load-{number % DATASTREAMS + 1:05d})/Observations".encode(),
            b'{"phenomenonTime":"%s","result":%d.5}' % (moment.encode(), 40 + number % 30),
            number % 65_535 + 1,
        )
        for number in range(count)
    ]


def data_arrays(readings: int) -> list[bytes]:
    """PUBLISH packets with 2,000 readings each, of 100 datastreams at 20 times."""
    start = datetime.now(UTC) - timedelta(days=14)
    packets: list[bytes] = []
    for first in range(0, readings, ARRAY_READINGS):
        times = [(start + timedelta(minutes=5 * (first // 100 + step))).isoformat() for step in range(20)]
        payload = [
            {
                "Datastream": {"@iot.id": f"load-{number:05d}"},
                "components": ["phenomenonTime", "result"],
                "dataArray": [[moment, 40.0 + number % 30] for moment in times],
            }
            for number in range(1, 101)
        ]
        packets.append(publish_packet(b"v1.1/CreateObservations", orjson.dumps(payload), len(packets) + 1))
    return packets


async def measure(home: Path, packets: Sequence[bytes], readings: int, rate: float | None) -> Run:
    """Run the connector until all readings are on the bus."""
    clock = SystemClock()
    store = await open_store(f"sqlite:///{home / 'store.sqlite'}", clock)
    async with store.transaction() as transaction:
        await transaction.organisations.add(Tenant(id="municipality", name="City", created=clock.now()))
        await transaction.datastreams.put("municipality", load_datastreams(DATASTREAMS))
    bus = open_bus(home / "bus.sqlite", clock)
    stop = asyncio.Event()
    started: asyncio.Future[Sequence[Source]] = asyncio.get_running_loop().create_future()
    settings = MqttSettings(connections=(EmbeddedListener(port=0, anonymous=True),))
    task = asyncio.create_task(
        run_connector(settings, home=home, bus=bus, store=store, clock=clock, stop=stop, started=started.set_result)
    )
    (listener, *_) = await started
    assert isinstance(listener, Listener)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        await asyncio.get_running_loop().run_in_executor(
            pool, time.sleep, 0
        )  # the process starts before the clock does
        began_cpu_s = time.process_time()
        took_s = await asyncio.get_running_loop().run_in_executor(pool, send, listener.port, packets, rate)
        took_cpu_s = time.process_time() - began_cpu_s
    stop.set()
    await task
    kept = 0
    async for delivery in bus.replay(["municipality.observation.mqtt"], since=datetime(2020, 1, 1, tzinfo=UTC)):
        kept += len(delivery.envelope.open(ObservationBatch))
    await bus.close()
    await store.close()
    return Run(len(packets) / took_s, took_cpu_s / took_s, readings - kept)


def runs(packets: Sequence[bytes], readings: int, rate: float | None = None) -> list[Run]:
    """Several runs, each with a bus and a store of its own."""
    found = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            found.append(uvloop.run(measure(Path(folder), packets, readings, rate)))
    return found


def main() -> None:
    """Measure and print."""
    count = int(RATE * STEADY_S)
    steady = runs(single_readings(count), count, RATE)
    flood = runs(single_readings(FLOOD_MESSAGES), FLOOD_MESSAGES)
    history = runs(data_arrays(HISTORY_READINGS), HISTORY_READINGS)
    lost = max(run.lost for run in [*steady, *flood, *history])
    report(
        "MQTT listener and connector, onto a bus on disk",
        [
            Figure("single readings, steady", "1/s", 0.95 * RATE, median(run.messages_per_s for run in steady)),
            Figure(f"core taken at {RATE:,} readings/s", "", 0.5, median(run.cores for run in steady), at_most=True),
            Figure("single readings, as fast as they go", "1/s", 5_000, median(run.messages_per_s for run in flood)),
            Figure(
                "readings in data arrays",
                "1/s",
                32_000,
                median(run.messages_per_s for run in history) * ARRAY_READINGS,
                note="two weeks of the demo city are 480,000",
            ),
            Figure("readings lost", "", 0, lost, at_most=True),
        ],
        notes=[f"medians of {RUNS} runs; QoS 1, acknowledged when on the bus; the sender is a process beside it"],
    )


if __name__ == "__main__":
    main()
