"""Plays an intrusion detection system into a Suricata EVE file: everyday noise, and an intrusion that ends at a camera.

The rules of the noise are those of any network: a few signatures that fire every day. The intrusion comes from the
internet over the web portal to the video recorder and a camera. All addresses and texts are invented.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from impetus.model import Clock

HISTORY = timedelta(days=3)
FIRST_S, EVERY_S = 90.0, 7_200.0
"""The first intrusion comes so long after the start, and the next ones so long after each other."""
MODEL = Path(__file__).with_name("network.yaml")
ATTACKER = "203.0.113.66"
NOISE = (
    (2210010, "SURICATA STREAM invalid ack", "10.40.1.10", 40),
    (2230010, "SURICATA TLS invalid record/traffic", "10.40.1.11", 25),
    (2013504, "ET POLICY GNU/Linux APT User-Agent Outbound", "10.40.1.12", 6),
    (2027757, "ET DNS Query for .to TLD", "10.40.2.21", 4),
)
"""Signature, words, host, alerts a day."""
ATTACK = (
    (0, 2024364, "ET SCAN Possible Nmap User-Agent Observed", ATTACKER, "10.40.1.10", 30),
    (20, 2034647, "ET EXPLOIT Apache log4j RCE Attempt", ATTACKER, "10.40.1.10", 8),
    (40, 2019284, "ET ATTACK_RESPONSE Output of id command from web shell", "10.40.1.10", "10.40.1.10", 4),
    (60, 2006546, "ET SCAN SSH lateral login from server zone", "10.40.1.10", "10.40.4.2", 6),
    (80, 2029021, "ET EXPLOIT Camera firmware replaced over RTSP maintenance", "10.40.4.2", "10.40.4.11", 5),
)
"""Seconds after the start, signature, words, from, to, number of alerts."""


def noise(begin: datetime, end: datetime, seed: int) -> Iterator[dict[str, object]]:
    """Everyday alerts in a time, in order."""
    chance = random.Random(seed)  # noqa: S311
    minutes = int((end - begin).total_seconds() // 60)
    for minute in range(minutes):
        for signature, words, host, daily in NOISE:
            if chance.random() < daily / 1_440:
                yield event(
                    begin + timedelta(minutes=minute, seconds=chance.random() * 59), signature, words, host, host
                )


def attack(begin: datetime) -> Iterator[tuple[float, dict[str, object]]]:
    """The intrusion: seconds after its start, and the alert."""
    for after, signature, words, source, target, count in ATTACK:
        for number in range(count):
            after_s = after + number * 0.5
            yield after_s, event(begin + timedelta(seconds=after_s), signature, words, source, target)


def event(time: datetime, signature: int, words: str, source: str, target: str) -> dict[str, object]:
    """One alert as Suricata writes it (EVE JSON)."""
    return {
        "timestamp": time.isoformat(),
        "event_type": "alert",
        "src_ip": source,
        "dest_ip": target,
        "proto": "TCP",
        "alert": {"signature_id": signature, "signature": words, "severity": 2, "action": "allowed"},
    }


def append(path: Path, events: Iterator[dict[str, object]]) -> None:
    """Write alerts at the end of an EVE file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(one) + "\n" for one in events)


async def play(path: Path, clock: Clock, stop: asyncio.Event, *, attacks: bool = True) -> None:
    """Three days of noise at once, then noise and, with `attacks`, an intrusion now and then, until `stop`."""
    started = clock.now()
    if not await asyncio.to_thread(path.exists):
        append(path, noise(started - HISTORY, started, seed=1))
    begun_s, minute = clock.monotonic_s(), 0
    pending: list[tuple[float, dict[str, object]]] = []
    next_s = FIRST_S
    while not stop.is_set():
        now_s = clock.monotonic_s() - begun_s
        if attacks and now_s >= next_s:
            pending = [(next_s + after_s, one) for after_s, one in attack(clock.now())]
            next_s += EVERY_S
        append(path, iter([one for due_s, one in pending if due_s <= now_s]))
        pending = [(due_s, one) for due_s, one in pending if due_s > now_s]
        while now_s // 60 > minute:
            begin = started + timedelta(minutes=minute)
            minute += 1
            append(path, noise(begin, begin + timedelta(minutes=1), seed=1_000 + minute))
        await asyncio.sleep(1.0)
