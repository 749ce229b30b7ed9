"""From joints and outlines in space to a small picture with transparency and with what each pixel shows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from impetus.tools.firearm.arrays import Floats, Mask, Picture
from impetus.tools.firearm.scenes.figure import Joints, Person
from impetus.tools.firearm.scenes.weapons import Chance, Colour, Held

NOTHING, BODY, THING, FACE = 0, 80, 160, 240
"""What a pixel shows; far apart, so that a pixel at an edge is told by the nearest."""
OVERSAMPLING = 2.0
LARGEST_PX = 420.0
"""Patches are drawn no larger than this and then enlarged: a very near figure needs no more detail."""
SHIFT = 3
"""Fractional bits of coordinates that are given to OpenCV."""


@dataclass(frozen=True)
class Sprite:
    """A figure or thing, drawn.

    `left`, `top`: where its first pixel lies relative to its foot point (or to the middle of a thing alone).
    `head`: box around the head, relative to the same point; None for a thing alone.
    """

    colour: Floats
    """Blue, green, red, already multiplied by `alpha`."""
    alpha: Floats
    shows: Mask
    left: int
    top: int
    head: tuple[float, float, float, float] | None
    hand: tuple[float, float]
    """Where the hand that holds is."""
    thing_area: float
    """Pixels that the thing would cover if nothing hid it."""


@dataclass(frozen=True)
class View:
    """How a figure is seen: body turned by `yaw`, camera looking down by `pitch`, rolled by `roll`, in radians."""

    yaw: float
    pitch: float
    roll: float = 0.0

    def matrix(self) -> Floats:
        """3 x 3: rows give right, down and depth (away from the camera) of a point in the figure's space."""
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        turn = np.array(((cos, -sin, 0.0), (sin, cos, 0.0), (0.0, 0.0, 1.0)))
        # The camera looks along +x of the turned space: right is -y, down is -z.
        look = np.array(((0.0, -1.0, 0.0), (0.0, 0.0, -1.0), (1.0, 0.0, 0.0)))
        cos, sin = np.cos(self.pitch), np.sin(self.pitch)
        tilt = np.array(((1.0, 0.0, 0.0), (0.0, cos, -sin), (0.0, sin, cos)))
        cos, sin = np.cos(self.roll), np.sin(self.roll)
        roll = np.array(((cos, -sin, 0.0), (sin, cos, 0.0), (0.0, 0.0, 1.0)))
        return np.asarray(roll @ tilt @ look @ turn)


class Patch:
    """What is drawn into: shapes collected with their depth, then painted from far to near."""

    def __init__(self, matrix: Floats, pixels_per_m: float, light: tuple[float, float]) -> None:
        self._matrix = matrix
        self._scale = pixels_per_m
        self._light = light
        self._shapes: list[tuple[float, int, Floats, Floats, Colour, int]] = []

    def project(self, point: Floats) -> Floats:
        """Right, down (in pixels of the patch, from the origin) and depth (in metres)."""
        seen = self._matrix @ point
        return np.array((seen[0] * self._scale, seen[1] * self._scale, seen[2]))

    def limb(self, start: Floats, end: Floats, start_m: float, end_m: float, colour: Colour, shows: int = BODY) -> None:
        """A tapered limb between two points."""
        a, b = self.project(start), self.project(end)
        radii = np.array((start_m, end_m)) * self._scale
        self._shapes.append(((a[2] + b[2]) / 2, 0, np.array((a[:2], b[:2])), radii, colour, shows))

    def area(self, points: Floats, colour: Colour, shows: int, *, nearer_m: float = 0.0) -> None:
        """A filled outline given by points in space (N x 3)."""
        seen = points @ self._matrix.T
        depth = float(seen[:, 2].mean()) - nearer_m
        self._shapes.append((depth, 1, seen[:, :2] * self._scale, np.zeros(0), colour, shows))

    def paint(self) -> tuple[Picture, Floats, float]:
        """4 channels (the last is what a pixel shows), the first corner, and the area that THING would cover."""
        low = np.array((1e9, 1e9))
        high = -low
        for _, _, points, radii, _, _ in self._shapes:
            margin = float(radii.max()) if radii.size else 0.0
            low = np.minimum(low, points.min(axis=0) - margin)
            high = np.maximum(high, points.max(axis=0) + margin)
        corner = np.floor(low) - 2
        width, height = (np.ceil(high - corner) + 3).astype(int)
        canvas = np.zeros((int(height), int(width), 4), np.uint8)
        alone = np.zeros((int(height), int(width)), np.uint8)
        for _, kind, points, radii, colour, shows in sorted(self._shapes, key=lambda shape: -shape[0]):
            if kind == 0:
                self._limb(canvas, points - corner, radii, colour, shows)
            else:
                fixed = np.round((points - corner) * (1 << SHIFT)).astype(np.int32)
                cv2.fillPoly(canvas, [fixed], (*colour, shows), cv2.LINE_8, SHIFT)
                if shows == THING:
                    cv2.fillPoly(alone, [fixed], 255, cv2.LINE_8, SHIFT)
        return canvas, corner, float(np.count_nonzero(alone))

    def _limb(self, canvas: Picture, at: Floats, radii: Floats, colour: Colour, shows: int) -> None:
        along = at[1] - at[0]
        angle = float(np.arctan2(along[1], along[0]))
        cos, sin = np.cos(angle), np.sin(angle)
        turned = _HALVES @ np.array(((cos, sin), (-sin, cos)))
        offset = np.array(self._light) * (radii.max() * 0.25)
        rims = np.repeat(radii, len(_HALVES) // 2)[:, None] * turned
        middles = np.repeat(at, len(_HALVES) // 2, axis=0)
        for share, shift, gain, lift in ((1.0, 0.0, 0.72, 0.0), (0.82, 0.6, 1.0, 0.0), (0.4, 1.4, 1.25, 8.0)):
            fixed = ((middles + offset * shift + rims * share) * (1 << SHIFT)).astype(np.int32)
            shade = tuple(min(255, int(level * gain + lift)) for level in colour)
            cv2.fillConvexPoly(canvas, fixed, (*shade, shows), cv2.LINE_8, SHIFT)


_AROUND = np.linspace(np.pi / 2, 3 * np.pi / 2, 7)
_HALVES = np.stack(
    (np.cos(np.concatenate((_AROUND, _AROUND + np.pi))), np.sin(np.concatenate((_AROUND, _AROUND + np.pi)))), 1
)
"""The rim of a limb that points right, as unit vectors: half around its start, half around its end."""


def hold(patch: Patch, thing: Held, at: Floats, forward: Floats, up: Floats) -> None:
    """Put a thing into the patch: its outlines twice, a thickness apart, so that it is seen from above as well."""
    aside = np.cross(forward, up)
    for side, shade in ((-0.5, 0.75), (0.5, 1.0)):
        for number, part in enumerate(thing.parts):
            points = at + part.outline[:, :1] * forward + part.outline[:, 1:] * up + aside * (side * thing.thickness_m)
            blue, green, red = (int(level * shade) for level in part.colour)
            patch.area(points, (blue, green, red), THING, nearer_m=0.03 + 0.0005 * number)


def _finish(
    patch: Patch, oversampling: float, chance: Chance, head: Floats | None, head_m: float, scale: float, hand: Floats
) -> Sprite:
    canvas, corner, thing_area = patch.paint()
    height, width = canvas.shape[:2]
    shows = np.ascontiguousarray(canvas[:, :, 3])
    small = (max(1, round(width / oversampling)), max(1, round(height / oversampling)))
    how = cv2.INTER_AREA if oversampling >= 1 else cv2.INTER_LINEAR
    canvas[:, :, 3] = np.where(shows > 0, 255, 0)
    soft = cv2.resize(canvas, small, interpolation=how)
    # Folds of cloth and uneven light: a coarse field of brightness, enlarged.
    field: Floats = chance.normal(1.0, 0.1, (max(2, small[1] // 12), max(2, small[0] // 12))).astype(np.float32)
    field = cv2.resize(field, small, interpolation=cv2.INTER_LINEAR)
    left, top = corner / oversampling
    box = None
    if head is not None:
        middle, radius = patch.project(head)[:2] / oversampling, head_m * scale
        box = (
            float(middle[0] - radius),
            float(middle[1] - radius),
            float(middle[0] + radius),
            float(middle[1] + radius),
        )
    place = patch.project(hand)[:2] / oversampling
    return Sprite(
        np.minimum(soft[:, :, :3] * field[:, :, None], 255.0),
        soft[:, :, 3] * np.float32(1 / 255),
        np.asarray(cv2.resize(shows, small, interpolation=cv2.INTER_NEAREST)),
        round(float(left)),
        round(float(top)),
        box,
        (float(place[0]), float(place[1])),
        thing_area / oversampling**2,
    )


def draw_person(
    person: Person, joints: Joints, thing: Held | None, view: View, *, pixels_per_m: float, chance: Chance
) -> Sprite:
    """A person, perhaps with something in the hand; the foot point (0, 0, 0) is the sprite's origin."""
    oversampling = OVERSAMPLING
    if pixels_per_m * 2.0 * oversampling > LARGEST_PX:
        oversampling = max(LARGEST_PX / (pixels_per_m * 2.0), 0.5)
    angle = chance.uniform(0, 2 * np.pi)
    patch = Patch(view.matrix(), pixels_per_m * oversampling, (float(np.cos(angle)), -abs(float(np.sin(angle)))))
    fat = person.girth
    torso_m = 0.1 * fat
    middle_hip = (joints.hips[0] + joints.hips[1]) / 2
    chest = (joints.shoulders[0] + joints.shoulders[1]) / 2 - np.array((0, 0, 0.08))
    for side in (0, 1):
        patch.limb(joints.hips[side], joints.knees[side], 0.085 * fat, 0.06 * fat, person.legs)
        patch.limb(joints.knees[side], joints.feet[side], 0.06 * fat, 0.042, person.legs)
        patch.limb(joints.feet[side], joints.feet[side] + np.array((0.15, 0, -0.01)), 0.045, 0.035, person.shoes)
        patch.limb(joints.shoulders[side], joints.elbows[side], 0.058 * fat, 0.048 * fat, person.top)
        patch.limb(joints.elbows[side], joints.hands[side], 0.046 * fat, 0.034, person.top)
        patch.limb(joints.hands[side], joints.hands[side], 0.045, 0.045, person.skin)
        inner = joints.shoulders[side] * np.array((1, 0.65, 1)) - np.array((0, 0, 0.06))
        patch.limb(inner, joints.hips[side], torso_m * 0.95, torso_m * 0.9, person.top)
    patch.limb(chest, middle_hip, torso_m * 1.2, torso_m * 1.1, person.top)
    if person.coat:
        down = middle_hip - np.array((0, 0, 0.28))
        patch.limb(middle_hip, down, torso_m * 1.3, torso_m * 1.6, person.top)
    if person.backpack is not None:
        behind = np.array((-0.2, 0, 0))
        patch.limb(chest + behind, middle_hip + behind + np.array((0, 0, 0.12)), 0.14, 0.15, person.backpack)
    patch.limb(joints.neck - np.array((0, 0, 0.06)), joints.neck, 0.055, 0.05, person.skin)
    head_m = 0.068 * person.height_m
    patch.limb(joints.head, joints.head + np.array((0.02, 0, -0.03)), head_m * 0.9, head_m * 0.8, person.skin, FACE)
    cap = person.top if person.hood else person.hair
    patch.limb(
        joints.head + np.array((-0.035, 0, 0.03)),
        joints.head + np.array((-0.03, 0, 0.045)),
        head_m * 0.95,
        head_m * 0.85,
        cap,
        FACE,
    )
    if thing is not None:
        hold(patch, thing, joints.hands[0], joints.forward, joints.up)
    return _finish(patch, oversampling, chance, joints.head, head_m * 1.25, pixels_per_m, joints.hands[0])


def draw_thing(
    thing: Held, view: View, *, pixels_per_m: float, hand: Colour | None, sleeve: Colour, chance: Chance
) -> Sprite:
    """A thing alone, perhaps in a hand of which the forearm is seen."""
    oversampling = OVERSAMPLING
    if pixels_per_m * 0.8 * oversampling > LARGEST_PX:
        oversampling = max(LARGEST_PX / (pixels_per_m * 0.8), 0.5)
    patch = Patch(view.matrix(), pixels_per_m * oversampling, (0.7, -0.7))
    zero = np.zeros(3)
    forward, up = np.array((1.0, 0, 0)), np.array((0, 0, 1.0))
    hold(patch, thing, zero, forward, up)
    if hand is not None:
        wrist = np.array((-0.1, chance.normal(0, 0.04), -0.06))
        elbow = wrist + np.array((-0.25, chance.normal(0, 0.1), chance.uniform(-0.2, 0.02)))
        towards = np.array((0.0, -0.02 if chance.random() < 0.5 else 0.03, -0.02))
        patch.limb(towards, wrist, 0.04, 0.034, hand)
        patch.limb(wrist, elbow, 0.04, 0.06, sleeve)
        if thing.support_m is not None:
            there = np.array((thing.support_m[0], 0.02, thing.support_m[1] - 0.01))
            patch.limb(there, there + np.array((-0.05, 0.03, -0.04)), 0.038, 0.036, hand)
            patch.limb(there + np.array((-0.05, 0.03, -0.04)), there + np.array((-0.3, 0.1, -0.2)), 0.04, 0.06, sleeve)
    return _finish(patch, oversampling, chance, None, 0.0, pixels_per_m, zero)
