"""Side views of guns and of things that are held like them, in metres, with the trigger hand at the origin.

Outlines are invented proportions, varied by chance; none is drawn after a product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from impetus.tools.firearm.arrays import Floats

Chance = np.random.Generator
Colour = tuple[int, int, int]
"""Blue, green, red."""


@dataclass(frozen=True)
class Part:
    """One filled outline: `outline` is N x 2, forward (towards the muzzle) and up, in metres."""

    outline: Floats
    colour: Colour


@dataclass(frozen=True)
class Held:
    """Something in a hand."""

    kind: str
    parts: tuple[Part, ...]
    thickness_m: float
    support_m: tuple[float, float] | None = None
    """Where the other hand holds it, if it takes two."""
    weapon: bool = False


def _box(x0: float, y0: float, x1: float, y1: float) -> Floats:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def _metal(chance: Chance) -> Colour:
    if chance.random() < 0.15:
        level = int(chance.integers(130, 200))
        return (level, level, level)
    level = int(chance.integers(8, 70))
    tint = chance.integers(-6, 7, 3)
    blue, green, red = (int(max(0, level + each)) for each in tint)
    return (blue, green, red)


def _furniture(chance: Chance, metal: Colour) -> Colour:
    draw = chance.random()
    if draw < 0.55:
        return metal
    if draw < 0.85:
        red = int(chance.integers(70, 150))
        return (red // 4, red // 2, red)
    level = int(chance.integers(60, 130))
    return (level // 2, level, level * 4 // 5)


def pistol(chance: Chance) -> Held:
    """A self-loading pistol."""
    metal = _metal(chance)
    grip = metal if chance.random() < 0.7 else _furniture(chance, metal)
    length, height = chance.uniform(0.15, 0.23), chance.uniform(0.028, 0.04)
    lean, deep = chance.uniform(0.01, 0.04), chance.uniform(0.09, 0.125)
    slide = _box(-0.05, 0.025, length - 0.05, 0.025 + height)
    handle = np.array([(-0.045, 0.03), (0.012, 0.03), (0.005 - lean, 0.03 - deep), (-0.05 - lean, 0.03 - deep)])
    guard = np.array([(0.01, 0.028), (0.065, 0.028), (0.055, -0.005), (0.012, -0.008)])
    parts = [Part(handle, grip), Part(guard, metal), Part(slide, metal)]
    if chance.random() < 0.12:
        parts.append(Part(_box(length - 0.05, 0.03, length + 0.1, 0.06), metal))
    return Held("pistol", tuple(parts), 0.03, weapon=True)


def revolver(chance: Chance) -> Held:
    """A revolver."""
    metal = _metal(chance)
    length = chance.uniform(0.05, 0.16)
    barrel = _box(0.03, 0.035, 0.03 + length, 0.06)
    drum = _box(-0.012, 0.015, 0.04, 0.07)
    handle = np.array([(-0.04, 0.05), (-0.01, 0.03), (-0.03, -0.075), (-0.075, -0.07)])
    guard = np.array([(0.0, 0.02), (0.045, 0.02), (0.035, -0.015), (0.005, -0.015)])
    wood = _furniture(chance, metal)
    return Held(
        "revolver", (Part(handle, wood), Part(guard, metal), Part(barrel, metal), Part(drum, metal)), 0.035, weapon=True
    )


def carbine(chance: Chance) -> Held:
    """A rifle with a magazine before the trigger and a pistol grip."""
    metal = _metal(chance)
    wood = _furniture(chance, metal)
    barrel, stock = chance.uniform(0.42, 0.62), chance.uniform(0.22, 0.34)
    curve = chance.uniform(0.0, 0.07)
    parts = [
        Part(_box(0.2, 0.05, barrel, 0.068), metal),
        Part(_box(0.17, 0.03, 0.17 + chance.uniform(0.16, 0.28), 0.085), wood),
        Part(_box(-0.06, 0.015, 0.2, 0.085), metal),
        Part(
            np.array([(0.07, 0.03), (0.13, 0.03), (0.15 + curve, -chance.uniform(0.1, 0.19)), (0.08 + curve, -0.15)]),
            metal,
        ),
        Part(np.array([(-0.05, 0.03), (0.0, 0.03), (-0.02, -0.09), (-0.065, -0.085)]), wood),
        Part(np.array([(-0.06, 0.08), (-0.06, 0.03), (-stock, -0.06), (-stock, 0.07)]), wood),
    ]
    if chance.random() < 0.4:
        parts.append(Part(_box(0.02, 0.085, 0.14, 0.13), metal))
    return Held("carbine", tuple(parts), 0.05, support_m=(0.27, 0.03), weapon=True)


def shotgun(chance: Chance) -> Held:
    """A long gun without a magazine: shotgun or hunting rifle."""
    metal = _metal(chance)
    wood = _furniture(chance, metal)
    barrel, stock = chance.uniform(0.5, 0.75), chance.uniform(0.28, 0.38)
    if chance.random() < 0.25:
        barrel, stock = chance.uniform(0.28, 0.4), chance.uniform(0.1, 0.2)
    parts = (
        Part(_box(0.1, 0.045, barrel, 0.068), metal),
        Part(_box(0.15, 0.018, min(0.4, barrel - 0.06), 0.055), wood),
        Part(_box(-0.07, 0.01, 0.14, 0.07), metal),
        Part(np.array([(-0.05, 0.065), (-0.02, 0.01), (-stock, -0.075), (-stock, 0.045)]), wood),
    )
    return Held("shotgun", parts, 0.045, support_m=(0.25, 0.02), weapon=True)


def machine_pistol(chance: Chance) -> Held:
    """A short automatic weapon."""
    metal = _metal(chance)
    length = chance.uniform(0.2, 0.34)
    parts = [
        Part(_box(-0.09, 0.02, length - 0.06, 0.085), metal),
        Part(_box(length - 0.08, 0.04, length + 0.02, 0.06), metal),
        Part(np.array([(-0.03, 0.03), (0.015, 0.03), (0.0, -0.09), (-0.045, -0.085)]), metal),
        Part(_box(0.06, -chance.uniform(0.1, 0.19), 0.1, 0.03), metal),
    ]
    if chance.random() < 0.5:
        parts.append(Part(_box(-0.26, 0.03, -0.08, 0.06), metal))
    return Held("machine-pistol", tuple(parts), 0.045, support_m=(0.1, -0.02), weapon=True)


def _any_colour(chance: Chance) -> Colour:
    if chance.random() < 0.55:
        level = int(chance.integers(10, 90))
        return (level, level, level)
    blue, green, red = (int(each) for each in chance.integers(10, 245, 3))
    return (blue, green, red)


def telephone(chance: Chance) -> Held:
    """A telephone, upright in the hand."""
    high, wide = chance.uniform(0.12, 0.17), chance.uniform(0.06, 0.085)
    screen = int(chance.integers(20, 240))
    body = _box(-wide / 2, -0.02, wide / 2, high - 0.02)
    return Held(
        "telephone",
        (Part(body, _any_colour(chance)), Part(body * 0.85, (screen, screen, int(screen * 0.8)))),
        0.01,
    )


def stick(chance: Chance) -> Held:
    """An umbrella, stick or pipe: long and thin."""
    ahead, behind, wide = chance.uniform(0.3, 0.8), chance.uniform(0.02, 0.3), chance.uniform(0.015, 0.05)
    return Held("stick", (Part(_box(-behind, -wide / 2, ahead, wide / 2), _any_colour(chance)),), wide)


def drill(chance: Chance) -> Held:
    """A drill, hair-dryer or scanner: harmless, and close to a pistol's shape, but in colours and thicker."""
    colour = (int(chance.integers(0, 80)), int(chance.integers(60, 220)), int(chance.integers(120, 255)))
    body = np.array([(-0.08, 0.02), (0.09, 0.02), (0.1, 0.09), (-0.08, 0.1)])
    handle = _box(-0.05, -0.1, 0.0, 0.03)
    foot = _box(-0.07, -0.15, 0.04, -0.1)
    return Held("drill", (Part(handle, colour), Part(foot, (30, 30, 30)), Part(body, colour)), 0.07)


def bottle(chance: Chance) -> Held:
    """A bottle or a cup."""
    high, wide = chance.uniform(0.1, 0.28), chance.uniform(0.05, 0.09)
    colour = _any_colour(chance)
    parts = [Part(_box(-wide / 2, -0.06, wide / 2, high * 0.65 - 0.06), colour)]
    if high > 0.18:
        parts.append(Part(_box(-wide / 5, high * 0.6 - 0.06, wide / 5, high - 0.06), colour))
    return Held("bottle", tuple(parts), wide)


def bag(chance: Chance) -> Held:
    """A bag or case that hangs from the hand."""
    high, wide = chance.uniform(0.2, 0.45), chance.uniform(0.2, 0.5)
    return Held("bag", (Part(_box(-wide / 2, -high - 0.08, wide / 2, -0.08), _any_colour(chance)),), 0.12)


def camera(chance: Chance) -> Held:
    """A camera: a dark box with a lens."""
    dark = int(chance.integers(10, 60))
    parts = (
        Part(_box(-0.03, -0.03, 0.04, 0.07), (dark, dark, dark)),
        Part(_box(0.04, -0.005, chance.uniform(0.07, 0.2), 0.05), (dark + 15, dark + 15, dark + 15)),
    )
    return Held("camera", parts, 0.12)


def book(chance: Chance) -> Held:
    """A sheet, book or tablet."""
    high, wide = chance.uniform(0.15, 0.32), chance.uniform(0.12, 0.25)
    return Held("book", (Part(_box(-wide / 2, -0.05, wide / 2, high - 0.05), _any_colour(chance)),), 0.02)


HANDGUNS: tuple[Callable[[Chance], Held], ...] = (pistol, pistol, pistol, revolver)
LONG_GUNS: tuple[Callable[[Chance], Held], ...] = (carbine, carbine, shotgun, machine_pistol)
HARMLESS: Mapping[str, Callable[[Chance], Held]] = MappingProxyType(
    {
        "telephone": telephone,
        "stick": stick,
        "drill": drill,
        "bottle": bottle,
        "bag": bag,
        "camera": camera,
        "book": book,
    }
)


def choose(makers: tuple[Callable[[Chance], Held], ...], chance: Chance) -> Held:
    """One of them, by chance."""
    return makers[int(chance.integers(len(makers)))](chance)
