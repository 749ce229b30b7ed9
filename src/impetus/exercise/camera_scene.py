"""The demo city's cameras: rendered scenes that the tool `firearm` watches as it watches any camera.

In the demo without a scenario somebody with a gun comes by a while after the start; in an exercise the scenario says
when. Nothing of it is a recording: the tool renders frame by frame, at a low rate, and looks at it as at any camera.
The approval of the shipped model that stands here is for the demo's organisation.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from pydantic import JsonValue

from impetus.exercise.geography import Metres, to_degrees
from impetus.sdk import load_tools

ARMED_AFTER_S: Final = 150
"""The first armed passer-by comes so long after the camera was opened, and the next ones every two hours."""
FRAMES_A_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class RenderedCamera:
    """One camera of the demo city."""

    title: str
    seed: int
    place: Metres


CAMERAS: Final[Mapping[str, RenderedCamera]] = {
    "harbour-square-4": RenderedCamera("Harbour Square, mast 4", 19, (-255.0, -585.0)),
    "camera-2": RenderedCamera("City Hall Square, camera 2", 4, (-205.0, -385.0)),
}
ALONE: Final = "harbour-square-4"
"""The camera of the demo without a scenario."""
CALLED: Final = frozenset({"firearm"})
"""What can come into a picture when a scenario wants it."""
_SHA256: Final = re.compile(r"^sha256: ([0-9a-f]{64})$", re.MULTILINE)


def calls_of(home: Path, camera: str) -> Path:
    """The file to which a line is added for each thing that shall come into a camera's picture."""
    return home / "demo" / f"{camera}.calls"


def call(home: Path, camera: str, scene: str) -> None:
    """Let something come into a camera's picture now."""
    path = calls_of(home, camera)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{scene}\n")


def camera_settings(organisation: str, home: Path, directed: Collection[str] | None = None) -> dict[str, JsonValue]:
    """Settings of the tool `firearm` for the demo; without an approval where its model cannot be read.

    `directed`: the cameras of a scenario, which says what comes into their pictures; None: no scenario is played.
    """
    cameras: list[JsonValue] = []
    for id in directed or [ALONE]:
        camera = CAMERAS[id]
        longitude, latitude = to_degrees(camera.place)
        address = f"scene:{camera.seed}?a_minute=2&width=640"
        if directed is None:
            address += f"&armed_after_s={ARMED_AFTER_S}"
        else:
            address += f"&calls={quote(str(calls_of(home, id)))}"
        cameras.append(
            {"id": id, "title": camera.title, "address": address, "longitude": longitude, "latitude": latitude}
        )
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
