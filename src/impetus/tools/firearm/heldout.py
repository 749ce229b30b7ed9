"""Rendered pictures that no training sees: other seeds, other places."""

from __future__ import annotations

from collections.abc import Iterator

from impetus.tools.firearm.arrays import Floats, Picture
from impetus.tools.firearm.scenes.composing import as_arrays
from impetus.tools.firearm.scenes.picture import Renderer

HELD_OUT_SEED = 900_000_000_001
"""Training's seeds are far below."""
RENDERED_SIDE = 416


def rendered_pictures(
    count: int, *, seed: int = HELD_OUT_SEED, side: int = RENDERED_SIDE
) -> Iterator[tuple[Picture, Floats, Floats]]:
    """Held-out pictures with boxes (N x 4) and kinds (N)."""
    for rendered in Renderer(seed, places=max(20, count // 4)).pictures(count, side, side):
        yield (rendered.picture, *as_arrays(rendered.truths))
