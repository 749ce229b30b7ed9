"""Protects every parser of what comes from outside: what once broke one is refused in words, and good input is read.

Found by `python -m benchmarks.fuzz`, which sends a million; each is kept here, as short as it can be said.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import fuzz_seeds as seeds
from benchmarks.fuzz import TOKENS
from benchmarks.fuzz_targets import Target, targets

FIRST_HOURS = "0001-01-01T00:00:00+23:59"
"""Before the calendar begins, in UTC."""
MANY_DIGITS = 10**400


@pytest.fixture(scope="module")
def parsers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    return {target.name: target for target in targets(tmp_path_factory.mktemp("parsers"))}


def changed(good: bytes, change: Callable[[Any], None]) -> bytes:
    """A good JSON document with something else in it."""
    document = json.loads(good)
    change(document)
    return json.dumps(document).encode()


BROKEN: dict[str, tuple[str, bytes]] = {
    "an alert of before the calendar": (
        "alert of the API",
        changed(seeds.ALERT, lambda alert: alert.update(onset=FIRST_HOURS)),
    ),
    "an anchor of before the calendar": (
        "anchors",
        json.dumps({"tenant": "a", "sequence": 5, "hash": "0" * 64, "time": FIRST_HOURS}).encode(),
    ),
    "a MISP event whose objects are words": (
        "MISP event",
        changed(seeds.MISP, lambda content: content["Event"].update(Object=["a"], Attribute="b", Tag=5)),
    ),
    "a Mastodon account that is a word": ("Mastodon", changed(seeds.MASTODON, lambda post: post.update(account="a"))),
    "a Jetstream commit of no time": ("Jetstream", seeds.JETSTREAM.replace(b"1700000000000000", b"Infinity")),
    "a zip that points before its beginning": ("zip", b"PK\x05\x06" + b"\0" * 8 + b"\xff" * 4 + b"\xff" * 4 + b"\0\0"),
    "a DXF drawing without a position": ("DXF", seeds.DXF.replace(b"10\n0.0\n20\n0.0", b"")),
    "a DXF drawing of no size": ("DXF", seeds.DXF.replace(b"40.0", b"nan")),
    "a DXF drawing in no unit": ("DXF", seeds.DXF.replace(b"70\n6", b"70\n9999")),
    "a venue at a number of hundreds of digits": (
        "venue",
        json.dumps(
            {
                "type": "FeatureCollection",
                "features": [
                    {
                        "type": "Feature",
                        "id": "a",
                        "properties": {"kind": "walkable"},
                        "geometry": {"type": "Polygon", "coordinates": [[[MANY_DIGITS, 1], [0, 0], [1, 0]]]},
                    }
                ],
            }
        ).encode(),
    ),
    "an alert table that is packed and broken": (
        "alert table, packed",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff" + b"\xff" * 40,
    ),
    "a contract with a date that does not exist": ("contract of a model", b"name: 2026-02-30T25:61:61Z\n"),
    "a box of hundreds of digits": (
        "annotations",
        changed(seeds.ANNOTATIONS, lambda line: line["objects"][0].update(box_xyxy=[MANY_DIGITS, 0, 1, 1])),
    ),
    "a picture with a name that no file can have": (
        "annotations",
        changed(seeds.ANNOTATIONS, lambda line: line.update(image="9" * 400)),
    ),
    "a video that is packed in no known way": ("video", b""),
    "a recording of no records": ("EDF", b""),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_once_broke_a_parser_is_refused_in_words(what: str, parsers: dict[str, Target]) -> None:
    name, data = BROKEN[what]
    target = parsers[name]
    if what == "a video that is packed in no known way":
        data = target.seeds[0].replace(b"mp4v", b"\0\0\0\0")
    if what == "a recording of no records":
        data = target.seeds[0][:236] + b"0       " + target.seeds[0][244:]
    assert data not in target.seeds
    # Some of it is set aside and the rest is read; but nothing else is raised.
    with contextlib.suppress(*target.refusals):
        target.read(data)


def test_good_input_of_each_parser_is_read(parsers: dict[str, Target]) -> None:
    """Or else the million inputs that are made of it would test the first line of a parser alone."""
    refused = {}
    logging.disable(logging.CRITICAL)
    try:
        for target in parsers.values():
            for seed in target.seeds:
                try:
                    target.read(seed)
                except target.refusals as error:
                    refused[target.name] = str(error)
    finally:
        logging.disable(logging.NOTSET)
    # The model itself does not stand beside its contract there.
    assert set(refused) == {"contract of a model"}, refused


def test_what_breaks_parsers_is_refused_by_each(parsers: dict[str, Target]) -> None:
    logging.disable(logging.CRITICAL)
    try:
        for target in parsers.values():
            for data in (*TOKENS, b"\xff" * 1_000):
                with contextlib.suppress(*target.refusals):
                    target.read(data)
    finally:
        logging.disable(logging.NOTSET)
