"""Broken input for every parser of what comes from outside: none may fail in a way of its own, and none may hang.

Inputs are made from good ones by cutting, doubling, swapping and inserting what breaks parsers, and some are noise. A
parser may answer, or refuse with an error that is meant for it; anything else is a crash. An input that takes longer
than the limit is a hang. Each run makes the same inputs from the same seed.

`python -m benchmarks fuzz` sends 20,000; `python -m benchmarks.fuzz --inputs 1000000` all that were asked for.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.fuzz_targets import Target, targets
from benchmarks.reporting import Figure, report

HANG_S = 5
"""Of the processor's time: that another program has the processor is no hang."""
WAIT_S = 120
"""By the clock: whatever it waits for."""
LONGEST_BYTES = 20_000
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
VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1.5,
        1e308,
        -1e308,
        10**30,
        float("nan"),
        float("inf"),
        "",
        "x",
        "\0",
        "\ud800",
        "9" * 400,
    ),
    *([], {}, [[]], [None], [0, 1], {"": None}, {"a": {"b": []}}, "2026-02-30", "0001-01-01T00:00:00+23:59", "../x"),
)
"""What a JSON document says in place of something else."""
WORD = re.compile(rb"[A-Za-z0-9_.:+-]+")
TIMES = (1, 1, 1, 2, 3, 6)
"""How often an input is broken: mostly once, so that what comes behind the first look is reached, too."""


class Hang(BaseException):
    """An input took longer than the limit; no parser's `except Exception` swallows it."""


@dataclass(slots=True)
class Outcome:
    """What became of the inputs."""

    inputs: int = 0
    refused: int = 0
    crashes: Counter[str] = field(default_factory=Counter)
    hangs: Counter[str] = field(default_factory=Counter)
    longest_s: float = 0.0
    slowest: str = ""


def broken(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """An input made from a good one; one in twenty is noise. Some keep their form, and say something else in it."""
    if chance.random() < 0.05:
        return chance.randbytes(chance.randrange(200))
    good = chance.choice(seeds)
    how = chance.random()
    if how < 0.3:
        with contextlib.suppress(ValueError):
            return json.dumps(_retyped(chance, json.loads(good))).encode()[:LONGEST_BYTES]
    if how < 0.55:
        return _reworded(chance, good)[:LONGEST_BYTES]
    data = bytearray(good)
    for _ in range(chance.choice(TIMES)):
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


def _retyped(chance: random.Random, document: Any) -> Any:
    """A JSON document with something else in a place or two."""
    for _ in range(chance.choice((1, 1, 2))):
        place: Any = None
        key: Any = None
        inside = document
        while isinstance(inside, dict | list) and inside and (place is None or chance.random() < 0.8):
            place, key = inside, chance.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
            inside = inside[key]
        if place is None:
            return chance.choice(VALUES)
        if isinstance(place, dict) and chance.random() < 0.1:
            del place[key]
        else:
            place[key] = chance.choice(VALUES)
    return document


def _reworded(chance: random.Random, data: bytes) -> bytes:
    """A text with another word in a place or two."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        words = list(WORD.finditer(data))
        if not words:
            return data
        word = chance.choice(words)
        other = chance.choice(TOKENS) if chance.random() < 0.6 else chance.choice(words).group()
        data = data[: word.start()] + other + data[word.end() :]
    return data


def run(inputs: int, seed: int, parsers: Sequence[Target]) -> Outcome:
    """Send inputs to all parsers, to each by its share."""
    chance, outcome = random.Random(seed), Outcome()
    shares = [parser.share for parser in parsers]

    def give_up(number: int, frame: FrameType | None) -> None:
        raise Hang

    for parser in parsers:  # loads what it needs, which takes longer than any input
        with contextlib.suppress(*parser.refusals):
            parser.read(parser.seeds[0])
    before: Any = [(kind, signal.signal(kind, give_up)) for kind in (signal.SIGALRM, signal.SIGPROF)]
    try:
        for _ in range(inputs):
            (target,) = chance.choices(parsers, shares)
            _one(target, broken(chance, target.seeds), outcome)
    finally:
        for kind, handler in before:
            signal.signal(kind, handler)
    return outcome


def _one(target: Target, data: bytes, outcome: Outcome) -> None:
    began_s = time.process_time()
    signal.alarm(WAIT_S)
    signal.setitimer(signal.ITIMER_PROF, HANG_S)
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
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
        lasted_s = time.process_time() - began_s
        if lasted_s > outcome.longest_s:
            outcome.longest_s, outcome.slowest = lasted_s, target.name
        outcome.inputs += 1


def main() -> int:
    """Send inputs and print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=20_261_121)
    parser.add_argument("--only", default="", help="parsers whose name holds this")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    began_s = time.perf_counter()
    # In memory where that can be had: a disk would be most of what is measured.
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="impetus-fuzz-", dir=place) as folder:
        parsers = [parser for parser in targets(Path(folder)) if arguments.only in parser.name]
        outcome = run(arguments.inputs, arguments.seed, parsers)
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
            f"{len(parsers)} parsers, seed {arguments.seed}; {outcome.refused} inputs refused, "
            f"{outcome.inputs - outcome.refused} read; {outcome.inputs / elapsed_s:.0f} inputs/s",
            *(f"{name}: {count}" for name, count in (outcome.crashes + outcome.hangs).most_common(20)),
        ],
    )
    return 1 if outcome.crashes or outcome.hangs else 0


if __name__ == "__main__":
    sys.exit(main())
