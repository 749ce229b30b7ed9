"""A person as a jointed figure: proportions and clothes by chance, a pose, and where the hands are.

Space: x forward, y left, z up, in metres, feet at z = 0. A figure has no face: nobody is drawn after anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from impetus.tools.firearm.arrays import Floats
from impetus.tools.firearm.scenes.weapons import Chance, Colour


class Pose(StrEnum):
    """What the arms do."""

    WALK = "walk"
    HANG = "hang"
    """One hand at the side, pointing down."""
    LOW = "low"
    """Before the belly, pointing forward and down."""
    AIM = "aim"
    """Stretched out at the height of the shoulders."""
    SHOULDER = "shoulder"
    """A long gun at the shoulder."""
    HIP = "hip"
    PORT = "port"
    """Across the chest."""
    EAR = "ear"
    LOOK = "look"
    """Something small held before the chest, as a telephone is read."""
    POINT = "point"
    """An arm stretched out, perhaps with nothing in the hand."""
    RAISED = "raised"
    """A hand above the head, as with an umbrella."""


@dataclass(frozen=True)
class Person:
    """What stays the same of one person."""

    height_m: float
    girth: float
    skin: Colour
    hair: Colour
    top: Colour
    legs: Colour
    shoes: Colour
    coat: bool
    hood: bool
    backpack: Colour | None
    left_handed: bool


SKINS: tuple[Colour, ...] = ((170, 200, 235), (140, 175, 215), (105, 140, 190), (70, 105, 150), (45, 65, 105))
HAIRS: tuple[Colour, ...] = ((20, 20, 25), (30, 45, 70), (70, 120, 160), (120, 120, 120), (50, 80, 110))


def _cloth(chance: Chance) -> Colour:
    draw = chance.random()
    if draw < 0.4:
        level = int(chance.integers(10, 75))
        return (level + int(chance.integers(0, 20)), level, level)
    if draw < 0.6:
        level = int(chance.integers(120, 240))
        return (level, level, level)
    blue, green, red = (int(each) for each in chance.integers(15, 220, 3))
    return (blue, green, red)


def invent_person(chance: Chance) -> Person:
    """Proportions and clothes by chance."""
    return Person(
        height_m=float(np.clip(chance.normal(1.72, 0.09), 1.45, 2.0)),
        girth=float(chance.uniform(0.85, 1.3)),
        skin=SKINS[int(chance.integers(len(SKINS)))],
        hair=HAIRS[int(chance.integers(len(HAIRS)))],
        top=_cloth(chance),
        legs=_cloth(chance),
        shoes=_cloth(chance),
        coat=bool(chance.random() < 0.25),
        hood=bool(chance.random() < 0.2),
        backpack=_cloth(chance) if chance.random() < 0.2 else None,
        left_handed=bool(chance.random() < 0.15),
    )


@dataclass(frozen=True)
class Joints:
    """Points of a figure, each an array of 3, and how what it holds lies: `forward` and `up` of the thing."""

    head: Floats
    neck: Floats
    shoulders: tuple[Floats, Floats]
    """Right, left; so also below."""
    elbows: tuple[Floats, Floats]
    hands: tuple[Floats, Floats]
    hips: tuple[Floats, Floats]
    knees: tuple[Floats, Floats]
    feet: tuple[Floats, Floats]
    forward: Floats
    up: Floats


def _point(x: float, y: float, z: float) -> Floats:
    return np.array((x, y, z))


def _unit(vector: Floats) -> Floats:
    return vector / max(float(np.sqrt(vector @ vector)), 1e-9)


def _elbow(shoulder: Floats, hand: Floats, upper_m: float, lower_m: float, towards: Floats) -> tuple[Floats, Floats]:
    """Elbow and reachable hand of an arm of two bones; the elbow bends `towards`."""
    reach = hand - shoulder
    length = float(np.sqrt(reach @ reach))
    limit = (upper_m + lower_m) * 0.999
    if length > limit:
        reach, length = reach * (limit / length), limit
    length = max(length, abs(upper_m - lower_m) + 1e-3)
    along = (upper_m**2 - lower_m**2 + length**2) / (2 * length)
    aside = float(np.sqrt(max(upper_m**2 - along**2, 0.0)))
    axis = _unit(reach)
    bend = _unit(towards - axis * float(towards @ axis))
    return shoulder + axis * along + bend * aside, shoulder + reach


def _main_hand(pose: Pose, tall: float, swing: float, chance: Chance) -> tuple[Floats, Floats, Floats]:
    """Hand, and forward and up of what it holds; the figure is right-handed here (right is -y)."""

    def shake(scale: float = 1.0) -> Floats:
        return chance.normal(0.0, 0.03 * scale, 3)

    up = _point(0, 0, 1)
    match pose:
        case Pose.HANG:
            hand = _point(0.05 + 0.12 * swing, -0.27, 0.47 * tall)
            forward = _point(0.35 + 0.2 * chance.normal(), 0.1 * chance.normal(), -1)
            up = _point(1, 0, 0.3)
        case Pose.LOW:
            hand = _point(0.32, -0.06, 0.6 * tall)
            forward = _point(1, 0.2 * chance.normal(), -0.6)
        case Pose.AIM | Pose.POINT:
            hand = _point(0.58, chance.uniform(-0.2, 0.02), (0.8 + 0.04 * chance.normal()) * tall)
            forward = _point(1, 0.06 * chance.normal(), 0.12 * chance.normal())
        case Pose.SHOULDER:
            hand = _point(0.24, -0.13, 0.79 * tall)
            forward = _point(1, 0.14, 0.1 * chance.normal())
        case Pose.HIP:
            hand = _point(0.14, -0.24, 0.58 * tall)
            forward = _point(1, 0.12, 0.15 * chance.normal())
        case Pose.PORT:
            hand = _point(0.22, -0.14, 0.6 * tall)
            sign = 1.0 if chance.random() < 0.65 else -0.8
            forward = _point(0.15, 0.8, 0.7 * sign)
            up = _point(0.3, -0.6, 0.7)
        case Pose.EAR:
            hand = _point(0.06, -0.13, 0.9 * tall)
            forward, up = _point(0.3, -1, 0), _point(0.35, 0, 1)
        case Pose.LOOK:
            hand = _point(0.3, -0.05, 0.7 * tall)
            forward, up = _point(0.2, 1, 0.1), _point(0.7, 0, 0.8)
        case Pose.RAISED:
            hand = _point(0.15, -0.2, 1.02 * tall)
            forward, up = _point(0.2, 0.1, 1), _point(1, 0, 0)
        case _:
            hand = _point(0.05 + 0.22 * swing, -0.25, 0.47 * tall)
            forward, up = _point(1, 0, -0.2), _point(0.2, 0, 1)
    return hand + shake(), _unit(forward + shake(2.0)), up


def stand(
    person: Person, pose: Pose, *, phase: float, stride: float, support_m: tuple[float, float] | None, chance: Chance
) -> Joints:
    """The joints of a person.

    `phase`: 0..1 in the gait; `stride`: 0 stands still, 1 walks fast. `support_m`: where on the thing held the other
    hand lies; None where it is free. The same chance gives the same pose.
    """
    tall = person.height_m
    swing = float(np.sin(2 * np.pi * phase)) * stride
    wide = 0.105 * tall * (0.7 + 0.3 * person.girth)
    shoulders = (_point(0, -wide, 0.815 * tall), _point(0, wide, 0.815 * tall))
    hips = (_point(0, -0.055 * tall, 0.52 * tall), _point(0, 0.055 * tall, 0.52 * tall))
    lean = chance.normal(0.02, 0.03)
    head = _point(0.03 + lean, 0.02 * chance.normal(), 0.935 * tall)
    hand, forward, up = _main_hand(pose, tall, -swing, chance)
    up = _unit(up - forward * float(up @ forward))
    free = _point(0.05 + 0.2 * swing, 0.25, 0.47 * tall) + chance.normal(0, 0.03, 3)
    if support_m is not None:
        free = hand + forward * support_m[0] + up * support_m[1]
    elif pose is Pose.AIM and chance.random() < 0.6:
        free = hand + _point(-0.01, 0.03, -0.03)
    upper, lower = 0.17 * tall, 0.235 * tall
    right_elbow, right_hand = _elbow(shoulders[0], hand, upper, lower, _point(-0.2, -0.6, -1))
    left_elbow, left_hand = _elbow(shoulders[1], free, upper, lower, _point(-0.3, 0.5, -1))
    feet, knees = [], []
    for side, sign in ((-1.0, 1.0), (1.0, -1.0)):
        forward_m = 0.3 * swing * sign
        lift = 0.1 * stride * max(0.0, float(np.cos(2 * np.pi * phase)) * sign)
        foot = _point(forward_m, side * 0.06 * tall, 0.03 + lift)
        knee, foot = _elbow(hips[0 if side < 0 else 1], foot, 0.26 * tall, 0.255 * tall, _point(1, 0, 0))
        feet.append(foot)
        knees.append(knee)
    joints = Joints(
        head=head,
        neck=_point(lean / 2, 0, 0.85 * tall),
        shoulders=shoulders,
        elbows=(right_elbow, left_elbow),
        hands=(right_hand, left_hand),
        hips=hips,
        knees=(knees[0], knees[1]),
        feet=(feet[0], feet[1]),
        forward=forward,
        up=up,
    )
    return _mirrored(joints) if person.left_handed else joints


def _mirrored(joints: Joints) -> Joints:
    """The same with left and right exchanged in space; the first of each pair stays the hand that holds."""
    turn = np.array((1.0, -1.0, 1.0))

    def both(pair: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        return pair[0] * turn, pair[1] * turn

    return Joints(
        joints.head * turn,
        joints.neck * turn,
        both(joints.shoulders),
        both(joints.elbows),
        both(joints.hands),
        both(joints.hips),
        both(joints.knees),
        both(joints.feet),
        joints.forward * turn,
        joints.up * turn,
    )
