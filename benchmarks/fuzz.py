"""Broken input for every parser of what comes from outside: none may fail in a way of its own, and none may hang.

Inputs are made from good ones by cutting, doubling, swapping and inserting what breaks parsers, and some are noise. A
parser may answer, or refuse with an error that is meant for it; anything else is a crash. An input that takes longer
than the limit is a hang. Each run makes the same inputs from the same seed.

`python -m benchmarks fuzz` sends 20,000; `python -m benchmarks.fuzz --inputs 1000000` all that were asked for.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from pydantic import ValidationError

from benchmarks.reporting import Figure, report
from impetus.connectors.cap.reading import read_cap
from impetus.connectors.cot.event import read_event
from impetus.connectors.mqtt import payload
from impetus.connectors.mqtt.packets import Decoder
from impetus.model import Alert, Envelope, ImpetusError
from impetus.response.reading import read_procedure
from impetus.situation.correlation.rules import read_rules
from impetus.store.paging import read_cursor, write_cursor
from impetus.tools.air.drivers import parse_line as parse_instrument
from impetus.tools.cti.items import read_feed, read_posts
from impetus.tools.cyber.network import parse_network
from impetus.tools.cyber.sensors import parse_line as parse_ids_line
from impetus.tools.evacuation.features import parse_features
from impetus.tools.evacuation.importing import from_osm
from impetus.tools.evacuation.scenario import parse_scenario
from impetus.tools.social.files import read_csv, read_lines

HANG_S = 5
LONGEST_BYTES = 20_000
SOURCE = Path(__file__).parents[1] / "src" / "impetus"
TOKENS = (
    *(b"", b"\0", b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", "\u202e\u0000".encode(), b"\r\n", b"-1", b"0", b"1e999"),
    *(b"NaN", b"Infinity", b"null", b"true", b"[]", b"{}", b'"', b"'", b"<", b">", b"]]>", b"<!--", b"&amp;", b"&#0;"),
    *(b"9" * 400, b"[" * 300, b"{" * 300, b"<a>" * 100, b"A" * 5_000, b"%s%n", b"../../etc/passwd", b"*a", b"&a [*a]"),
    *(
        b"2026-02-30T25:61:61Z",
        b"0000-00-00",
        b"9999-12-31T23:59:59+14:00",
        b"1970-01-01",
        b"!!python/object:os.system",
    ),
)

CAP = (
    b'<?xml version="1.0"?><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>a-1</identifier>'
    b"<sender>fire@city.example</sender><sent>2026-11-21T12:00:00+01:00</sent><status>Actual</status>"
    b"<msgType>Alert</msgType><scope>Public</scope><info><category>Fire</category><event>Smoke</event>"
    b"<urgency>Immediate</urgency><severity>Severe</severity><certainty>Observed</certainty>"
    b"<area><areaDesc>Harbour</areaDesc><circle>58.14,7.99 0.5</circle></area></info></alert>"
)
COT = (
    b'<event version="2.0" uid="unit-1" type="a-f-G" how="m-g" time="2026-11-21T12:00:00Z" '
    b'start="2026-11-21T12:00:00Z" stale="2026-11-21T12:05:00Z"><point lat="58.1" lon="8.0" hae="10" ce="5" le="5"/>'
    b'<detail><contact callsign="Unit 1"/><remarks>on the way</remarks></detail></event>'
)
CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05abcde"
PUBLISH = b"\x32\x0f\x00\x03a/b\x00\x01" + b'{"a":1.5}'[:8]
DATA_ARRAYS = json.dumps(
    [
        {
            "Datastream": {"@iot.id": "one"},
            "components": ["phenomenonTime", "result"],
            "dataArray": [["2026-11-21T08:00:00Z", 21.5], ["2026-11-21T08:01:00Z", None]],
        }
    ]
).encode()
EVE = (
    b'{"timestamp":"2026-11-21T12:00:00.000000+0100","event_type":"alert","src_ip":"10.0.0.5","dest_ip":"10.0.0.9",'
    b'"alert":{"signature_id":2001219,"signature":"ET SCAN","category":"Attempted Recon","severity":2}}'
)
ALERT = (
    b'{"tool":"anomaly","detector":"level","source":"one","headline":"High","category":"Transport","confidence":0.5,'
    b'"onset":"2026-11-21T12:00:00Z","sent":"2026-11-21T12:00:01Z","model":{"name":"m","version":"1"}}'
)
RSS = (
    b'<rss version="2.0"><channel><title>t</title><item><title>One</title><link>https://example.org/1</link>'
    b"<description>text &amp; more</description><pubDate>Sat, 21 Nov 2026 12:00:00 GMT</pubDate></item></channel></rss>"
)
OSM = (
    b'<osm version="0.6"><node id="1" lat="58.1" lon="8.0"/><node id="2" lat="58.1" lon="8.001"/>'
    b'<node id="3" lat="58.101" lon="8.001"/><node id="4" lat="58.101" lon="8.0"/><way id="9"><nd ref="1"/>'
    b'<nd ref="2"/><nd ref="3"/><nd ref="4"/><nd ref="1"/><tag k="highway" v="pedestrian"/>'
    b'<tag k="area" v="yes"/></way></osm>'
)


class Hang(BaseException):
    """An input took longer than the limit; no parser's `except Exception` swallows it."""


@dataclass(frozen=True, slots=True)
class Target:
    """One parser."""

    name: str
    read: Callable[[bytes], object]
    seeds: Sequence[bytes]
    refusals: tuple[type[Exception], ...] = (ImpetusError,)


@dataclass(slots=True)
class Outcome:
    """What became of the inputs."""

    inputs: int = 0
    refused: int = 0
    crashes: Counter[str] = field(default_factory=Counter)
    hangs: Counter[str] = field(default_factory=Counter)
    longest_s: float = 0.0
    slowest: str = ""


def text(data: bytes) -> str:
    """As a file or a request gives it."""
    return data.decode("utf-8", "replace")


def _json(data: bytes) -> object:
    """What a JSON file holds; what is none is its reader's to refuse, not the parser's behind it."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return text(data)


def _packets(data: bytes) -> object:
    decoder = Decoder(max_payload_bytes=4_096)
    return [decoder.feed(data[start : start + 7]) for start in range(0, len(data), 7)]


def targets() -> Sequence[Target]:
    """Every parser of what comes from outside and can be called without files and processes."""
    procedures = [path.read_bytes() for path in sorted((SOURCE / "response" / "procedures").glob("*.bpmn"))[:3]]
    venues = [path.read_bytes() for path in sorted((SOURCE / "tools/evacuation/venues").glob("*.geojson"))[:2]]
    rules = [path.read_bytes() for path in sorted((SOURCE / "situation").rglob("*.yaml"))[:2]] or [b"{}"]
    arrival = {"arrival_us": 1_800_000_000_000_000, "max_bytes": 1_000_000}
    reading = b'{"result": 21.5, "phenomenonTime": "2026-11-21T08:00:00Z"}'
    envelope = Envelope(
        source="/a", type="impetus.alert.v1", subject="a.alert.b", time="2026-11-21T08:00:00Z", tenant="a",  # type: ignore[arg-type]
        partition="p", data=ALERT,
    )  # fmt: skip
    message = envelope.model_dump_json().encode()
    skipped: Counter[str] = Counter()
    return (
        Target("MQTT packets", _packets, (CONNECT + PUBLISH,)),
        Target("SensorThings Observation", lambda data: payload.parse_observation(data, "one", **arrival), (reading,)),
        Target("SensorThings data arrays", lambda data: payload.parse_data_arrays(data, **arrival), (DATA_ARRAYS,)),
        Target("CAP 1.2", read_cap, (CAP,)),
        Target("Cursor on Target", read_event, (COT,)),
        Target("BPMN procedure", read_procedure, procedures),
        Target("correlation rules", lambda data: read_rules(text(data)), rules),
        Target("alert of the API", Alert.model_validate_json, (ALERT,), (ValidationError,)),
        Target("message of the log", Envelope.model_validate_json, (message,), (ValidationError,)),
        Target("list cursor", lambda data: read_cursor("time", text(data)), (write_cursor("time", 1, "id").encode(),)),
        Target("RSS and Atom", lambda data: read_feed(data, "feed"), (RSS,)),
        Target("pastes", lambda data: read_posts(data, "posts"), (b'[{"title": "a", "text": "b"}]',)),
        Target("posts as JSON Lines", lambda data: read_lines(text(data).splitlines(), "posts"), (b'{"text": "a"}\n',)),
        Target("posts as CSV", lambda data: read_csv(text(data), "posts"), (b"text,author,time\nhello,anna,2026\n",)),
        Target("IDS alert", lambda data: parse_ids_line(data, skipped), (EVE,)),
        Target("network model", lambda data: parse_network(text(data)), (b"hosts:\n  - id: web\n    zone: dmz\n",)),
        Target("instrument line", lambda data: parse_instrument(text(data)), (b"2026-11-21T08:00:00Z,12.5,CFU/L",)),
        Target("OpenStreetMap", lambda data: from_osm(data, "square"), (OSM,)),
        Target("venue", lambda data: parse_features(_json(data)), venues),
        Target("evacuation scenario", lambda data: parse_scenario(text(data)), (b"venue: square\npeople: 500\n",)),
    )


def broken(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """An input made from a good one; one in ten is noise."""
    if chance.random() < 0.1:
        return chance.randbytes(chance.randrange(200))
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.randint(1, 40))
        match chance.randrange(6):
            case 0:
                data[at:end] = b""
            case 1:
                data[at:at] = data[at:end] * chance.randint(1, 5)
            case 2:
                data[at:end] = chance.choice(TOKENS)
            case 3:
                data[at:at] = chance.choice(TOKENS)
            case 4 if data:
                data[at % len(data)] ^= 1 << chance.randrange(8)
            case _:
                other = chance.choice(seeds)
                start = chance.randrange(len(other) + 1)
                data[at:end] = other[start : start + 200]
    return bytes(data[:LONGEST_BYTES])


def run(inputs: int, seed: int, *, parsers: Sequence[Target] | None = None) -> Outcome:
    """Send inputs to all parsers in turn."""
    chance, outcome = random.Random(seed), Outcome()
    parsers = parsers or targets()

    def give_up(number: int, frame: FrameType | None) -> None:
        raise Hang

    before: Any = signal.signal(signal.SIGALRM, give_up)
    try:
        for number in range(inputs):
            target = parsers[number % len(parsers)]
            _one(target, broken(chance, target.seeds), outcome)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return outcome


def _one(target: Target, data: bytes, outcome: Outcome) -> None:
    began_s = time.perf_counter()
    signal.alarm(HANG_S)
    try:
        target.read(data)
    except target.refusals:
        outcome.refused += 1
    except Hang:
        outcome.hangs[target.name] += 1
        print(f"hang: {target.name}: {data[:300]!r}", file=sys.stderr)
    except Exception as error:  # that is what is looked for
        if not outcome.crashes[f"{target.name}: {type(error).__name__}"]:
            print(f"crash: {target.name}: {type(error).__name__}: {error}"[:300], data[:300], file=sys.stderr)
        outcome.crashes[f"{target.name}: {type(error).__name__}"] += 1
    finally:
        signal.alarm(0)
        lasted_s = time.perf_counter() - began_s
        if lasted_s > outcome.longest_s:
            outcome.longest_s, outcome.slowest = lasted_s, target.name
        outcome.inputs += 1


def main() -> int:
    """Send inputs and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=20_261_121)
    arguments = parser.parse_args()
    began_s = time.perf_counter()
    outcome = run(arguments.inputs, arguments.seed)
    elapsed_s = time.perf_counter() - began_s
    report(
        "Broken input for every parser",
        [
            Figure("inputs", "", arguments.inputs, outcome.inputs),
            Figure("crashes", "", 0, outcome.crashes.total(), at_most=True),
            Figure("hangs", "", 0, outcome.hangs.total(), at_most=True),
            Figure("longest", "s", HANG_S, outcome.longest_s, at_most=True, note=outcome.slowest),
        ],
        notes=[
            f"{len(targets())} parsers, seed {arguments.seed}; {outcome.refused} inputs refused, "
            f"{outcome.inputs - outcome.refused} read; {outcome.inputs / elapsed_s:.0f} inputs/s",
            *(f"{name}: {count}" for name, count in (outcome.crashes + outcome.hangs).most_common(20)),
        ],
    )
    return 1 if outcome.crashes or outcome.hangs else 0


if __name__ == "__main__":
    sys.exit(main())
