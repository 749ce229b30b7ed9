"""Chatter of the demo city: everyday posts, and among them a call to violence, written into a file as a source would.

Names, accounts and words are invented. The tool `social` reads the file as it grows (JSON Lines), so that everything
from the door on is the live code.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from impetus.exercise.geography import to_degrees
from impetus.model import Clock

FILE = "demo/posts.jsonl"
"""Below the home."""
EVERY_S, EXERCISE_EVERY_S = 4.0, 10.0
"""Between everyday posts, by the clock: in an exercise, which may run faster, there are fewer."""
LOOK_S = 0.5
KEPT_BYTES = 2_000_000
"""The file is begun anew from this size."""
INVESTIGATION = "harbour-events"
PLACES: Mapping[str, tuple[float, float]] = {
    "Harbour Promenade": (-200.0, -470.0),
    "Station Square": (-610.0, 450.0),
    "Market Square": (-400.0, -190.0),
    "City Hall Square": (-205.0, -335.0),
    "Stadium Park": (-1500.0, -390.0),
}
"""Where they are, in metres from the city's middle."""
ORDINARY: Sequence[tuple[str, str]] = (
    ("en", "Lovely evening at {p}, best gelato in town"),
    ("en", "Bus 4 to {p} is late again, ten minutes and counting"),
    ("en", "Anybody up for a run along {p} tomorrow morning?"),
    ("en", "The concert near {p} was the bomb, what a night"),
    ("en", "Lost a grey scarf around {p}, please write if you found it"),
    ("en", "Traffic is slow at {p}, take the ring road"),
    ("it", "Che bel tramonto a {p} stasera"),
    ("it", "Autobus in ritardo a {p}, come sempre"),
    ("it", "Qualcuno viene al mercato di {p} domani mattina?"),
    ("it", "Ottimo caffè vicino a {p}, provatelo"),
    ("no", "Nydelig kveld ved {p}, endelig sol"),
    ("no", "Bussen til {p} er forsinket igjen"),
    ("no", "Noen som vil spise lunsj ved {p} i morgen?"),
    ("no", "Kampen ved {p} i kveld blir bra"),
)
PLANTED: Sequence[tuple[float, str, str, str]] = (
    (40.0, "voice-1", "en", "Everyone to Harbour Promenade tonight, bring bats and petrol bombs, we smash it all"),
    (52.0, "voice-2", "en", "Harbour Promenade tonight, bring knives. They deserve to bleed, no mercy"),
    (61.0, "voice-3", "it", "Tutti a Harbour Promenade stasera, portate spranghe e molotov, bruciamo tutto"),
    (
        75.0,
        "voice-4",
        "en",
        "RT @voice-1: Everyone to Harbour Promenade tonight, bring bats and petrol bombs, we smash it",
    ),
    (88.0, "voice-5", "no", "Alle til Harbour Promenade i kveld, ta med balltre og brannbomber, vi skal knuse alt"),
    (100.0, "voice-6", "en", "attack the police at Harbour Promenade tonight, we fight, share this"),
)
"""Seconds after the start, account, language, text."""


async def play(
    file: Path, clock: Clock, stop: asyncio.Event, *, planted: bool = True, every_s: float = EVERY_S
) -> None:
    """Write posts until `stop` is set; a run begins with an empty file. The same start gives the same posts."""
    started = clock.now()
    chosen = random.Random(7)  # noqa: S311 - a demo, no secret
    start_s = clock.monotonic_s()
    waiting = list(PLANTED) if planted else []
    number = ordinary = 0
    _begin(file)
    while not stop.is_set():
        elapsed_s = clock.monotonic_s() - start_s
        lines = []
        while waiting and waiting[0][0] <= elapsed_s:
            after_s, account, language, text = waiting.pop(0)
            lines.append((after_s, account, language, text))
        while ordinary * every_s <= elapsed_s:
            language, frame = chosen.choice(ORDINARY)
            account = f"neighbour-{chosen.randrange(400)}"
            lines.append((ordinary * every_s, account, language, frame.format(p=chosen.choice(list(PLACES)))))
            ordinary += 1
        for after_s, account, language, text in sorted(lines):
            number += 1
            _write(file, _post(number, account, language, text, started + timedelta(seconds=after_s)))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await stop.wait()


def _post(number: int, account: str, language: str, text: str, time: datetime) -> dict[str, object]:
    return {
        "id": f"demo-{time:%Y%m%dT%H%M%S}-{number}",
        "author": f"@{account}@chatter.example",
        "time": time.isoformat(),
        "lang": language,
        "text": text,
    }


def _begin(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"")


def _write(file: Path, post: Mapping[str, object]) -> None:
    if file.exists() and file.stat().st_size > KEPT_BYTES:
        file.write_bytes(b"")
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(post, ensure_ascii=False) + "\n")


def demo_settings(home: Path, clock: Clock, organisation: str) -> dict[str, Any]:
    """Settings of the tool `social` for the demo city: one source and one approved investigation."""
    places = [(name, *to_degrees(position)) for name, position in PLACES.items()]
    return {
        "organisations": [organisation],
        "sources": [
            {
                "id": "city-chatter",
                "title": "City chatter (invented)",
                "kind": "file",
                "address": str(home / FILE),
                "terms": "Invented posts of the demo city",
                "terms_confirmed_by": "Demo administrator",
                "every_s": 2,
            }
        ],
        "investigations": [
            {
                "id": INVESTIGATION,
                "title": "Safety of the harbour festival",
                "purpose": "Notice calls to violence around the harbour festival early",
                "legal_basis": "Public Safety Ordinance of Aurelia, section 4",
                "until": (clock.now() + timedelta(days=14)).isoformat(),
                "author": "Demo analyst",
                "approver": "Elena Ricci, data protection",
                "watching": {"places": list(PLACES), "languages": ["en", "it", "no"], "everything": True},
            }
        ],
        "places": [{"name": name, "longitude": east, "latitude": north} for name, east, north in places],
    }
