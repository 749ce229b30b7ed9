"""Where scenes play: streets, squares, corridors and shelves, drawn from numbers; no person is in them."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from impetus.tools.firearm.arrays import Floats, Picture
from impetus.tools.firearm.scenes.weapons import Chance, Colour

NOISE_SIDE = 512


@cache
def _noise_bank() -> tuple[Floats, ...]:
    """Fields of unevenness of several scales, mean 0 and deviation 1; the same in each process."""
    chance = np.random.default_rng(20_240_601)
    bank = []
    for cells in (6, 16, 48, 160, 512):
        field: Floats = chance.normal(size=(cells, cells)).astype(np.float32)
        field = cv2.resize(field, (NOISE_SIDE * 2, NOISE_SIDE * 2), interpolation=cv2.INTER_CUBIC)
        bank.append((field - field.mean()) / field.std())
    return tuple(bank)


def unevenness(height: int, width: int, scale: int, chance: Chance) -> Floats:
    """A field height x width with mean about 0 and deviation 1; `scale` 0 (coarse) to 4 (a pixel)."""
    field = _noise_bank()[scale]
    side = field.shape[0]
    top, left = int(chance.integers(side)), int(chance.integers(side))
    if top + height <= side and left + width <= side:
        return field[top : top + height, left : left + width]
    rows = (np.arange(height) + top) % side
    columns = (np.arange(width) + left) % side
    return np.asarray(field[rows[:, None], columns[None, :]])


def _colour(chance: Chance, low: int = 30, high: int = 220, grey: float = 0.6) -> Colour:
    level = int(chance.integers(low, high))
    spread = 8 if chance.random() < grey else 60
    blue, green, red = (int(np.clip(level + each, 5, 250)) for each in chance.integers(-spread, spread + 1, 3))
    return (blue, green, red)


def _quad(picture: Picture, points: list[tuple[float, float]], colour: Colour) -> None:
    cv2.fillPoly(picture, [np.round(np.array(points)).astype(np.int32)], colour, cv2.LINE_AA)


def _facade(picture: Picture, left: int, right: int, bottom: int, chance: Chance) -> None:
    wall = _colour(chance, 50, 200)
    top = int(bottom * chance.uniform(-0.2, 0.5))
    cv2.rectangle(picture, (left, top), (right, bottom), wall, -1)
    across, down = int(chance.integers(18, 60)), int(chance.integers(22, 70))
    glass = _colour(chance, 10, 140)
    lit = _colour(chance, 150, 250)
    wide, high = int(across * chance.uniform(0.4, 0.75)), int(down * chance.uniform(0.4, 0.75))
    for x in range(left + 6, right - wide, across):
        for y in range(top + 6, bottom - high, down):
            cv2.rectangle(picture, (x, y), (x + wide, y + high), lit if chance.random() < 0.15 else glass, -1)
            if wide > 14:
                cv2.rectangle(picture, (x, y), (x + wide, y + high), tuple(int(c * 0.7) for c in wall), 2)


def _street(picture: Picture, chance: Chance) -> None:
    height, width = picture.shape[:2]
    horizon = int(height * chance.uniform(0.1, 0.6))
    sky, ground = _colour(chance, 90, 250), _colour(chance, 50, 170, 0.85)
    picture[:horizon] = sky
    x = -int(chance.integers(0, 80))
    while x < width:
        wide = int(chance.integers(60, 260))
        if chance.random() < 0.85:
            _facade(picture, x, x + wide, horizon + 2, chance)
        x += wide
    picture[horizon:] = ground
    vanish = (chance.uniform(-0.3, 1.3) * width, float(horizon))
    for _ in range(int(chance.integers(2, 9))):
        foot = chance.uniform(-0.6, 1.6) * width
        across = chance.uniform(2, 60)
        mark = _colour(chance, 60, 230, 0.9)
        _quad(picture, [vanish, (foot, float(height)), (foot + across, float(height))], mark)
    for _ in range(int(chance.integers(0, 5))):
        _vehicle(picture, horizon, chance)


def _vehicle(picture: Picture, horizon: int, chance: Chance) -> None:
    height, width = picture.shape[:2]
    foot = chance.uniform(horizon + 6, height)
    long = max(20.0, (foot - horizon) * chance.uniform(0.8, 1.6) + 15)
    x = chance.uniform(-0.2, 1.0) * width
    body, high = _colour(chance, 20, 220, 0.4), long * 0.32
    _quad(
        picture,
        [(x, foot), (x + long, foot), (x + long, foot - high * 0.6), (x, foot - high * 0.6)],
        body,
    )
    roof = [(x + long * 0.15, foot - high * 0.55), (x + long * 0.85, foot - high * 0.55)]
    _quad(picture, [*roof, (x + long * 0.7, foot - high), (x + long * 0.28, foot - high)], _colour(chance, 10, 90))
    for share in (0.2, 0.8):
        centre = (int(x + long * share), int(foot))
        cv2.circle(picture, centre, max(2, int(long * 0.08)), (15, 15, 15), -1, cv2.LINE_AA)


def _room(picture: Picture, chance: Chance) -> None:
    height, width = picture.shape[:2]
    picture[:] = _colour(chance, 60, 230)
    x0, x1 = width * chance.uniform(0.1, 0.45), width * chance.uniform(0.55, 0.9)
    y0, y1 = height * chance.uniform(0.02, 0.3), height * chance.uniform(0.35, 0.75)
    _quad(picture, [(0, height), (width, height), (x1, y1), (x0, y1)], _colour(chance, 40, 200))
    _quad(picture, [(0, 0), (width, 0), (x1, y0), (x0, y0)], _colour(chance, 120, 250))
    _quad(picture, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)], _colour(chance, 70, 230))
    line = _colour(chance, 40, 200)
    for share in np.linspace(-1.5, 2.5, int(chance.integers(4, 22))):
        start = (int(x0 + (x1 - x0) * share), int(y1))
        end = (int(width / 2 + (share - 0.5) * width * 2.2), height)
        if 0 <= share <= 1:
            cv2.line(picture, start, end, line, 1, cv2.LINE_AA)
    for _ in range(int(chance.integers(1, 6))):
        x = chance.uniform(0, width)
        wide, top = chance.uniform(15, 90), chance.uniform(y0, y1)
        cv2.rectangle(
            picture, (int(x), int(top)), (int(x + wide), int(top + chance.uniform(20, 200))), _colour(chance), -1
        )


def _square(picture: Picture, chance: Chance) -> None:
    height, width = picture.shape[:2]
    picture[:] = _colour(chance, 60, 200, 0.9)
    line = _colour(chance, 50, 190, 0.9)
    step = int(chance.integers(14, 70))
    slant = chance.uniform(-0.6, 0.6)
    for offset in range(-width, 2 * width, step):
        cv2.line(picture, (offset, 0), (int(offset + slant * height), height), line, 1, cv2.LINE_AA)
    for offset in range(0, height, step):
        cv2.line(picture, (0, offset), (width, int(offset + slant * 20)), line, 1, cv2.LINE_AA)
    if chance.random() < 0.6:
        wall = int(height * chance.uniform(0.05, 0.3))
        x = 0
        while x < width:
            wide = int(chance.integers(60, 260))
            _facade(picture, x, x + wide, wall, chance)
            x += wide


def _shelves(picture: Picture, chance: Chance) -> None:
    height, width = picture.shape[:2]
    picture[:] = _colour(chance, 60, 220)
    rows = int(chance.integers(2, 7))
    floor = int(height * chance.uniform(0.6, 0.95))
    high = floor / rows
    for row in range(rows):
        bottom = int((row + 1) * high)
        x = 0
        while x < width:
            wide, tall = int(chance.integers(6, 40)), int(high * chance.uniform(0.4, 0.9))
            cv2.rectangle(picture, (x, bottom - tall), (x + wide, bottom), _colour(chance, 20, 240, 0.2), -1)
            x += wide + int(chance.integers(0, 12))
        cv2.rectangle(picture, (0, bottom), (width, bottom + 4), _colour(chance, 60, 220), -1)
    picture[floor:] = _colour(chance, 50, 200)


PLACES = (_street, _street, _room, _square, _shelves)


def clutter(picture: Picture, chance: Chance, count: int) -> None:
    """Harmless angular shapes: brackets, pipes, handles, signs; some have the outline of an L, as guns have."""
    height, width = picture.shape[:2]
    for _ in range(count):
        x, y = chance.uniform(0, width), chance.uniform(0, height)
        size = float(np.exp(chance.uniform(np.log(8), np.log(max(20.0, 0.35 * width)))))
        angle = chance.uniform(0, 2 * np.pi) if chance.random() < 0.5 else float(chance.integers(4)) * np.pi / 2
        colour = _colour(chance, 5, 110) if chance.random() < 0.6 else _colour(chance, 20, 240, 0.3)
        turn = np.array(((np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))))
        thin = chance.uniform(0.05, 0.3)
        draw = chance.random()
        if draw < 0.5:
            outlines = [np.array(((0, 0), (1, 0), (1, thin), (0, thin)))]
        elif draw < 0.7:
            # An L with legs of like length and thickness, unlike a pistol's short grip.
            outlines = [
                np.array(((0, 0), (1, 0), (1, thin), (0, thin))),
                np.array(((0, 0), (thin, 0), (thin, chance.uniform(0.7, 1.4)), (0, chance.uniform(0.7, 1.4)))),
            ]
        elif draw < 0.85:
            around = np.linspace(0, 2 * np.pi, 14)
            outlines = [np.stack((np.cos(around), np.sin(around) * chance.uniform(0.3, 1)), 1) * 0.5]
        else:
            outlines = [chance.uniform(-0.6, 0.6, (int(chance.integers(3, 7)), 2))]
        for outline in outlines:
            points = outline * size @ turn.T + (x, y)
            cv2.fillPoly(picture, [np.round(points * 8).astype(np.int32)], colour, cv2.LINE_AA, 3)


def _tree(picture: Picture, chance: Chance) -> None:
    height, width = picture.shape[:2]
    x, y = chance.uniform(0, width), chance.uniform(0, height * 0.5)
    size = chance.uniform(20, 110)
    cv2.line(picture, (int(x), int(y)), (int(x), int(y + size * 2.5)), (40, 55, 70), max(2, int(size * 0.12)))
    for _ in range(14):
        green = int(chance.integers(40, 130))
        spot = (int(x + chance.normal() * size * 0.45), int(y + chance.normal() * size * 0.35))
        cv2.circle(picture, spot, int(size * chance.uniform(0.15, 0.4)), (green // 2, green, green // 2), -1)


def invent_background(width: int, height: int, chance: Chance) -> Picture:
    """An empty place, height x width x 3."""
    picture: Picture = np.zeros((height, width, 3), np.uint8)
    PLACES[int(chance.integers(len(PLACES)))](picture, chance)
    for _ in range(int(chance.integers(0, 4))):
        _tree(picture, chance)
    clutter(picture, chance, int(chance.integers(2, 28)))
    if chance.random() < 0.6:
        picture = cv2.GaussianBlur(picture, (0, 0), chance.uniform(0.4, 1.6))
    light = 1.0 + 0.12 * unevenness(height, width, 0, chance) + 0.05 * unevenness(height, width, 1, chance)
    grain = chance.uniform(0, 9) * unevenness(height, width, 3, chance)
    grain = grain + chance.uniform(0, 9) * unevenness(height, width, 2, chance)
    lit = picture * light[:, :, None] + grain[:, :, None]
    return np.clip(lit, 0, 255).astype(np.uint8)
