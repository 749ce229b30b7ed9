"""A rendered scene as a camera: the address `scene:SEED?armed_after_s=60&every_s=7200&a_minute=4&width=640&night=1`."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from impetus.model import InvalidInput
from impetus.tools.firearm.scenes.sequence import CameraScene, Incident

KNOWN = frozenset({"armed_after_s", "every_s", "a_minute", "width", "night"})


def scene_of(address: str) -> CameraScene:
    """The scene of an address; raises `InvalidInput` where it is not written as it should be."""
    parts = urlsplit(address)
    try:
        values = {name: float(given[0]) for name, given in parse_qs(parts.query).items()}
        seed = int(parts.path)
    except ValueError as error:
        raise InvalidInput(f"{address} is no scene: {error}", hint="write it as in scene:3?armed_after_s=60") from error
    if parts.scheme != "scene" or seed < 0 or not set(values) <= KNOWN:
        raise InvalidInput(f"{address} is no scene", hint="write it as in scene:3?armed_after_s=60")
    width = int(values.get("width", 640))
    if not 160 <= width <= 1_920 or not 0 <= values.get("a_minute", 4.0) <= 60 or values.get("every_s", 7_200.0) < 60:
        raise InvalidInput(f"{address} asks for a scene that is not rendered", hint="160 to 1920 pixels, 60 a minute")
    return CameraScene(
        seed,
        width=width,
        height=width * 9 // 16,
        a_minute=values.get("a_minute", 4.0),
        incident=Incident(values.get("armed_after_s"), values.get("every_s", 7_200.0)),
        night=bool(values.get("night", 0.0)),
    )
