"""A recorded run in small: positions as steps of a decimetre, deflated, in parts that fit into results."""

from __future__ import annotations

import base64
import zlib

import numpy as np

from impetus.tools.evacuation.ground import Ground
from impetus.tools.evacuation.outcome import Outcome

PART_BYTES = 150_000
PARTS_LIMIT = 30
UNIT_M = 0.1
FRAME_S = 2.0
GONE = -32768


def encode(outcome: Outcome, ground: Ground) -> tuple[dict[str, object], list[str]]:
    """What describes the run, and its data in parts (base64 of one deflated stream of little-endian int16).

    The stream holds, frame by frame, x and then y of everybody in decimetres east and north of the venue's middle;
    -32768 stands for those who are out.
    """
    people = outcome.people
    every = max(1, round(FRAME_S))
    while True:
        frames = [frame for number, frame in enumerate(outcome.frames) if number % every == 0]
        table = np.full((len(frames), 2, people), GONE, dtype="<i2")
        for number, (_, x, y) in enumerate(frames):
            known = np.isfinite(x)
            table[number, 0, known] = np.clip(np.round(x[known] / UNIT_M), -32000, 32000)
            table[number, 1, known] = np.clip(np.round(y[known] / UNIT_M), -32000, 32000)
        # Differences from frame to frame are small numbers, which deflate well; they wrap around as int16 do.
        steps = table.copy()
        steps[1:] = table[1:] - table[:-1]
        packed = zlib.compress(steps.tobytes(), 6)
        if len(packed) <= PART_BYTES * PARTS_LIMIT or len(frames) <= 10:
            break
        every *= 2
    parts = [
        base64.b64encode(packed[start : start + PART_BYTES]).decode()
        for start in range(0, max(len(packed), 1), PART_BYTES)
    ]
    head: dict[str, object] = {
        "people": people,
        "frames": len(frames),
        "frame_s": float(every),
        "unit_m": UNIT_M,
        "longitude": ground.longitude,
        "latitude": ground.latitude,
        "parts": len(parts),
    }
    return head, parts
