"""Protects people: no pixel of a head reaches a default view."""

from __future__ import annotations

import numpy as np
import pytest

from impetus.tools.firearm.gate import MotionGate
from impetus.tools.firearm.masking import BLOCKS, SHADE, PublicView, close_up, mosaic
from impetus.tools.firearm.scenes.sequence import CameraScene
from impetus.tools.firearm.sources import from_picture

EMPTY_S = 30


def heads_that_show(scene: CameraScene, wanted: int) -> tuple[int, int]:
    """Heads looked at, and heads of which a pixel is neither the empty place nor the shade."""
    gate, view = MotionGate(), PublicView()
    empty = CameraScene(scene._seed, width=scene.width, height=scene.height, a_minute=0)
    time_s = 0.0
    for step in range(EMPTY_S * 2):
        time_s = step / 2
        picture = empty.frame(time_s).picture
        change = gate.update(from_picture(picture, step, time_s).small())
        view.update(picture, change.cells, [], time_s)
    known = view.shown()
    assert known is not None
    heads = showing = 0
    begin_s = 200.0
    step = 0
    while heads < wanted:
        rendered = scene.frame(begin_s + step / 2)
        step += 1
        time_s += 0.5
        change = gate.update(from_picture(rendered.picture, step, time_s).small())
        # The detector finds nobody at all here: masking must not need it.
        view.update(rendered.picture, change.cells, [], time_s)
        shown = view.shown()
        assert shown is not None
        away = np.abs(shown.astype(int) - known.astype(int)).max(axis=2) > 40
        foreign = away & (shown != np.array(SHADE)).any(axis=2)
        for x0, y0, x1, y1 in rendered.heads:
            if x1 - x0 >= 6 and y1 - y0 >= 6:
                heads += 1
                showing += bool(foreign[int(y0) : int(y1) + 1, int(x0) : int(x1) + 1].any())
    return heads, showing


def test_no_head_shows() -> None:
    """A hundred rendered heads, with a detector that finds nobody."""
    heads, showing = heads_that_show(CameraScene(31, width=480, height=270, a_minute=25), 100)
    assert heads >= 100
    assert showing == 0


@pytest.mark.slow
def test_none_of_a_thousand_heads_shows() -> None:
    """A thousand, in five places."""
    found = [heads_that_show(CameraScene(seed, width=480, height=270, a_minute=25), 200) for seed in range(41, 46)]
    assert sum(heads for heads, _ in found) >= 1_000
    assert sum(showing for _, showing in found) == 0


def test_a_place_that_is_not_known_yet_is_a_coarse_mosaic() -> None:
    """The first view of a camera holds no detail: people may stand in it."""
    picture = CameraScene(31, width=480, height=270, a_minute=60).frame(100.0).picture
    view = PublicView()
    view.update(picture, np.zeros((1, 1), np.bool_), [], 0.0)
    shown = view.shown()
    assert shown is not None
    assert (shown == mosaic(picture)).all()
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) <= BLOCKS * BLOCKS


def test_a_close_up_covers_heads() -> None:
    """The upper part of each person near the gun is covered; without a person all is a mosaic."""
    picture = np.full((200, 200, 3), 200, np.uint8)
    person, weapon = np.array([40.0, 40, 120, 190]), np.array([60.0, 45, 110, 100])
    near = close_up(picture, weapon, [person])
    assert (near[: near.shape[0] // 3] == np.array(SHADE)).all(axis=2).mean() > 0.8
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3)).astype(np.uint8)
    assert len(np.unique(close_up(noise, weapon, []).reshape(-1, 3), axis=0)) <= 36
