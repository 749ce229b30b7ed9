"""The demo city's cameras: rendered scenes that the tool `firearm` watches as it watches any camera.

In one of them somebody with a gun comes by a while after the start. Nothing of it is a recording: the tool renders
frame by frame, at a low rate. The approval of the shipped model that stands here is for the demo's organisation.
"""

from __future__ import annotations

import re
from typing import Final

from pydantic import JsonValue

from impetus.exercise.geography import Metres, to_degrees
from impetus.sdk import load_tools

ARMED_AFTER_S: Final = 150
"""The first armed passer-by comes so long after the camera was opened, and the next ones every two hours."""
FRAMES_A_S: Final = 2.0
SCENES: Final[tuple[tuple[str, str, int, Metres, bool], ...]] = (
    ("harbour-square-4", "Harbour Square, mast 4", 7, (-255.0, -585.0), True),
)
"""Short name, title, seed, place, whether somebody armed comes by."""
_SHA256: Final = re.compile(r"^sha256: ([0-9a-f]{64})$", re.MULTILINE)


def camera_settings(organisation: str) -> dict[str, JsonValue]:
    """Settings of the tool `firearm` for the demo; without an approval where its model cannot be read."""
    cameras: list[JsonValue] = []
    for id, title, seed, place, armed in SCENES:
        longitude, latitude = to_degrees(place)
        address = f"scene:{seed}?a_minute=2&width=640" + (f"&armed_after_s={ARMED_AFTER_S}" if armed else "")
        cameras.append({"id": id, "title": title, "address": address, "longitude": longitude, "latitude": latitude})
    found: dict[str, JsonValue] = {
        "organisations": [organisation],
        "frames_a_s": FRAMES_A_S,
        "cameras": cameras,
    }
    sha256 = _shipped_model()
    if sha256 is not None:
        approval: JsonValue = {
            "sha256": sha256,
            "person": "supervisor",
            "reason": "The demo city: rendered scenes of invented people; its evaluation is on the tool's card.",
        }
        found["approvals"] = [approval]
    return found


def _shipped_model() -> str | None:
    tool = load_tools().get("firearm")
    if tool is None or tool.folder is None:
        return None
    try:
        match = _SHA256.search((tool.folder / "models" / "rendered.yaml").read_text("utf-8"))
    except OSError:
        return None
    return match.group(1) if match else None
