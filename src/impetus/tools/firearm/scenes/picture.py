"""One rendered picture with what is true of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from impetus.tools.firearm.arrays import Picture
from impetus.tools.firearm.scenes.background import clutter, invent_background
from impetus.tools.firearm.scenes.composing import Box, Scene, Truth
from impetus.tools.firearm.scenes.degradation import degrade
from impetus.tools.firearm.scenes.drawing import Sprite, View, draw_person, draw_thing
from impetus.tools.firearm.scenes.figure import SKINS, Pose, invent_person, stand
from impetus.tools.firearm.scenes.weapons import HANDGUNS, HARMLESS, LONG_GUNS, Chance, Held, choose

HANDGUN_POSES = (Pose.AIM, Pose.AIM, Pose.AIM, Pose.LOW, Pose.LOW, Pose.HANG, Pose.HIP)
LONG_GUN_POSES = (Pose.SHOULDER, Pose.SHOULDER, Pose.PORT, Pose.HIP, Pose.LOW)
HARMLESS_POSES = {
    "telephone": (Pose.EAR, Pose.LOOK, Pose.LOOK, Pose.AIM),
    "stick": (Pose.RAISED, Pose.HANG, Pose.LOW, Pose.PORT),
    "drill": (Pose.LOW, Pose.HANG, Pose.AIM),
    "bottle": (Pose.LOOK, Pose.EAR, Pose.LOW),
    "bag": (Pose.WALK,),
    "camera": (Pose.EAR, Pose.LOOK, Pose.AIM),
    "book": (Pose.LOOK, Pose.HANG),
}
LEAST_PERSON_PX = 24.0
LEAST_ARMED_PX = 130.0
"""A pistol in the hand of somebody this tall is about 15 pixels long: less is beyond any detector of this size."""


@dataclass(frozen=True)
class Rendered:
    """A picture, its truth, and where heads are (to test masking with; no detector learns them)."""

    picture: Picture
    truths: tuple[Truth, ...]
    heads: tuple[Box, ...]


def arm(chance: Chance) -> tuple[Held, Pose]:
    """A gun and a pose with it."""
    if chance.random() < 0.58:
        return choose(HANDGUNS, chance), HANDGUN_POSES[int(chance.integers(len(HANDGUN_POSES)))]
    return choose(LONG_GUNS, chance), LONG_GUN_POSES[int(chance.integers(len(LONG_GUN_POSES)))]


def occupy(chance: Chance) -> tuple[Held | None, Pose]:
    """Something harmless in the hand, or nothing, and a pose with it."""
    draw = chance.random()
    if draw < 0.4:
        return None, Pose.WALK
    if draw < 0.5:
        return None, Pose.POINT
    name = list(HARMLESS)[int(chance.integers(len(HARMLESS)))]
    poses = HARMLESS_POSES[name]
    return HARMLESS[name](chance), poses[int(chance.integers(len(poses)))]


def invent_figure(chance: Chance, *, armed: bool, height_px: float, pitch: float) -> tuple[Sprite, bool]:
    """A person of a height in pixels, and whether they hold a gun."""
    person = invent_person(chance)
    thing, pose = arm(chance) if armed else occupy(chance)
    joints = stand(
        person,
        pose,
        phase=chance.random(),
        stride=chance.uniform(0, 1) if chance.random() < 0.7 else 0.0,
        support_m=thing.support_m if thing is not None else None,
        chance=chance,
    )
    view = View(chance.uniform(0, 2 * np.pi), pitch, chance.normal(0, 0.06))
    sprite = draw_person(person, joints, thing, view, pixels_per_m=height_px / person.height_m, chance=chance)
    return sprite, thing is not None and thing.weapon


def _close_up(scene: Scene, chance: Chance) -> None:
    """A thing near the camera, perhaps with a hand; half of them guns."""
    height, width = scene.picture.shape[:2]
    weapon = chance.random() < 0.6
    if weapon:
        thing = choose(HANDGUNS if chance.random() < 0.6 else LONG_GUNS, chance)
    else:
        thing = HARMLESS[list(HARMLESS)[int(chance.integers(len(HARMLESS)))]](chance)
    points = np.concatenate([part.outline for part in thing.parts])
    long = float(np.ptp(points, axis=0).max())
    size = float(np.exp(chance.uniform(np.log(30), np.log(0.9 * width))))
    yaw = (np.pi / 2 if chance.random() < 0.5 else -np.pi / 2) + chance.normal(0, 0.5)
    view = View(yaw, chance.normal(0.1, 0.35), chance.normal(0, 0.5))
    sprite = draw_thing(
        thing,
        view,
        pixels_per_m=size / long,
        hand=SKINS[int(chance.integers(len(SKINS)))] if chance.random() < 0.65 else None,
        sleeve=(int(chance.integers(10, 200)), int(chance.integers(10, 200)), int(chance.integers(10, 200))),
        chance=chance,
    )
    scene.put(
        sprite,
        chance.uniform(0.2, 0.8) * width,
        chance.uniform(0.2, 0.8) * height,
        weapon=weapon,
        person=False,
        shade=chance.uniform(0.7, 1.2),
    )


def _people(scene: Scene, chance: Chance, crowd: float) -> None:
    height, width = scene.picture.shape[:2]
    pitch = abs(chance.normal(0.15, 0.25)) if chance.random() < 0.8 else chance.uniform(0.5, 1.0)
    count = int(np.clip(chance.poisson(1.7 * crowd), 0, 10))
    least = np.log(LEAST_PERSON_PX)
    sizes = np.sort(np.exp(chance.uniform(least, np.log(1.05 * height), count)))
    for size in sizes:
        armed = chance.random() < 0.55
        tall = max(float(size), LEAST_ARMED_PX) if armed else float(size)
        if armed and chance.random() < 0.4:
            tall = float(np.exp(chance.uniform(np.log(LEAST_ARMED_PX), np.log(1.8 * height))))
        sprite, weapon = invent_figure(chance, armed=armed, height_px=tall, pitch=pitch)
        x = chance.uniform(0.04, 0.96) * width
        # Large figures are cut by the lower edge more often than by the upper one.
        y = chance.uniform(0.55 * tall, height + 0.55 * tall * (tall > 0.5 * height))
        scene.shadow(x, y, tall * 0.14, chance.uniform(0.1, 0.5))
        scene.put(sprite, x, y, weapon=weapon, person=True, shade=chance.uniform(0.7, 1.15))


def _occlude(scene: Scene, chance: Chance) -> None:
    """Posts, rails and benches before everybody."""
    height, width = scene.picture.shape[:2]
    for _ in range(int(chance.integers(1, 3))):
        colour = tuple(int(each) for each in chance.integers(10, 200, 3))
        if chance.random() < 0.6:
            x, wide = int(chance.uniform(0, width)), int(chance.integers(3, max(4, width // 14)))
            corners = ((x, 0), (x + wide, height))
        else:
            y = int(chance.uniform(0.5, 1) * height)
            corners = ((0, y), (width, y + int(chance.integers(3, max(4, height // 10)))))
        cv2.rectangle(scene.picture, *corners, colour, -1)
        scene.owners[corners[0][1] : corners[1][1], corners[0][0] : corners[1][0]] = 0


class Renderer:
    """Pictures one after the other from a seed; places are used several times, cut and mirrored anew.

    `crowd`: so many times as many people and close-ups; a network learns more from a full picture in the same time.
    """

    def __init__(self, seed: int, *, places: int = 200, crowd: float = 1.0) -> None:
        self._crowd = crowd
        self._chance = np.random.default_rng(seed)
        self._places: list[Picture] = []
        self._most = places

    def _place(self, width: int, height: int) -> Picture:
        chance = self._chance
        if len(self._places) < self._most or chance.random() < 0.03:
            place = invent_background(640, 480, chance)
            if len(self._places) < self._most:
                self._places.append(place)
            else:
                self._places[int(chance.integers(self._most))] = place
        place = self._places[int(chance.integers(len(self._places)))]
        share = chance.uniform(0.45, 1.0)
        wide = max(16, min(int(640 * share), int(480 * share * width / height)))
        high = max(16, min(480, int(wide * height / width)))
        left, top = int(chance.integers(640 - wide + 1)), int(chance.integers(480 - high + 1))
        cut = place[top : top + high, left : left + wide]
        if chance.random() < 0.5:
            cut = cut[:, ::-1]
        return np.ascontiguousarray(
            cv2.resize(np.ascontiguousarray(cut), (width, height), interpolation=cv2.INTER_LINEAR), np.uint8
        )

    def picture(self, width: int, height: int) -> Rendered:
        """The next picture."""
        chance = self._chance
        scene = Scene(self._place(width, height))
        clutter(scene.picture, chance, int(chance.integers(0, 6)))
        if chance.random() < 0.86:
            _people(scene, chance, self._crowd)
        for _ in range(max(1, round(self._crowd))):
            if chance.random() < 0.25:
                _close_up(scene, chance)
        if chance.random() < 0.2:
            _occlude(scene, chance)
        final = degrade(scene.picture, chance)
        return Rendered(final, scene.truths(final), scene.heads())

    def pictures(self, count: int, width: int, height: int) -> Iterator[Rendered]:
        """So many pictures."""
        for _ in range(count):
            yield self.picture(width, height)


def resized(rendered: Rendered, width: int, height: int) -> Rendered:
    """The same at another size."""
    across, down = width / rendered.picture.shape[1], height / rendered.picture.shape[0]
    picture = cv2.resize(rendered.picture, (width, height), interpolation=cv2.INTER_AREA)
    truths = tuple(
        replace(each, box=(each.box[0] * across, each.box[1] * down, each.box[2] * across, each.box[3] * down))
        for each in rendered.truths
    )
    return Rendered(np.asarray(picture, np.uint8), truths, rendered.heads)
