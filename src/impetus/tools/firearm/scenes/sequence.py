"""A camera that stands still and people who pass it: rendered frame by frame, one of them perhaps with a gun.

Everything follows from the seed and the time, so that a moment looks the same whenever it is asked for. The demo's
camera shows such a scene; events and false alarms are counted on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from impetus.tools.firearm.arrays import Picture
from impetus.tools.firearm.scenes.background import invent_background, unevenness
from impetus.tools.firearm.scenes.composing import Scene
from impetus.tools.firearm.scenes.drawing import View, draw_person
from impetus.tools.firearm.scenes.figure import Person, Pose, invent_person, stand
from impetus.tools.firearm.scenes.picture import Rendered, arm, occupy
from impetus.tools.firearm.scenes.weapons import Held

STOP_S = 14.0
"""So long does somebody armed stand with the gun out."""
CALLED_SPEED = 0.12
"""Widths of the picture a second of somebody who was called."""
MOST_CALLED = 10
SLOT_S = 10.0
"""Arrivals are drawn for slots of this length, so that a moment needs no history."""
LONGEST_S = 90.0
"""Nobody needs longer to cross the picture."""


@dataclass(frozen=True)
class Passer:
    """Somebody who crosses the picture."""

    person: Person
    thing: Held | None
    pose: Pose
    seed: int
    start_s: float
    foot: float
    """Where the feet are, as a share of the picture's height."""
    height: float
    """As a share of the picture's height."""
    rightward: bool
    speed: float
    """Widths of the picture a second."""
    armed: bool

    def at(self, time_s: float) -> tuple[float, bool, bool] | None:
        """Place across (share of the width), whether walking, whether the gun is out; None outside of the picture."""
        since = time_s - self.start_s
        walked = since
        standing = False
        if self.armed:
            until = 0.5 / self.speed
            standing = until <= since < until + STOP_S
            walked = since if since < until else max(until, since - STOP_S)
        share = -0.1 + self.speed * walked
        if since < 0 or share > 1.1:
            return None
        return (share if self.rightward else 1 - share), not standing, self.armed and standing


@dataclass(frozen=True)
class Incident:
    """When somebody with a gun comes: first after so many seconds, and then so often; never, if `first_s` is None."""

    first_s: float | None = None
    every_s: float = 7_200.0

    def starts(self, low_s: float, high_s: float) -> list[float]:
        """Those that begin in a time."""
        if self.first_s is None or high_s <= self.first_s:
            return []
        first = max(0, int(np.ceil((low_s - self.first_s) / self.every_s)))
        found = []
        while (start := self.first_s + first * self.every_s) < high_s:
            found.append(start)
            first += 1
        return found


class CameraScene:
    """One camera's place, light and passers-by."""

    def __init__(
        self,
        seed: int,
        *,
        width: int = 640,
        height: int = 360,
        a_minute: float = 4.0,
        incident: Incident | None = None,
        night: bool = False,
    ) -> None:
        """`a_minute`: passers-by a minute in the mean."""
        self._seed = seed
        self.width, self.height = width, height
        self._a_minute = a_minute
        self._incident = incident or Incident()
        chance = np.random.default_rng(seed)
        place = invent_background(640, 480, chance)
        top = int(chance.integers(0, 480 - 360 + 1))
        self._place = np.ascontiguousarray(
            cv2.resize(place[top : top + 360], (width, height), interpolation=cv2.INTER_LINEAR), np.uint8
        )
        self._pitch = float(chance.uniform(0.05, 0.5))
        self._near = float(chance.uniform(0.45, 0.75))
        gain = chance.uniform(0.3, 0.5) if night else chance.uniform(0.75, 1.15)
        self._light = np.clip(np.arange(256) * gain + chance.uniform(0, 12), 0, 255).astype(np.uint8)
        self._grain = float(chance.uniform(4, 9) if night else chance.uniform(1, 4))
        self._known: dict[int, list[Passer]] = {}
        self._called: list[Passer] = []

    @property
    def empty(self) -> Picture:
        """The place with nobody in it, without noise."""
        return np.asarray(cv2.LUT(self._place, self._light), np.uint8)

    def _arrivals(self, slot: int) -> list[Passer]:
        if slot < 0:
            return []
        if slot not in self._known:
            if len(self._known) > 64:
                self._known.clear()
            chance = np.random.default_rng((self._seed, slot))
            count = int(chance.poisson(self._a_minute * SLOT_S / 60))
            found = [self._passer(chance, slot * SLOT_S + chance.uniform(0, SLOT_S), False) for _ in range(count)]
            found += [
                self._passer(np.random.default_rng((self._seed, slot, 7)), start, True)
                for start in self._incident.starts(slot * SLOT_S, (slot + 1) * SLOT_S)
            ]
            self._known[slot] = found
        return self._known[slot]

    def call(self, time_s: float) -> None:
        """Let somebody armed come in now: the gun is out in four seconds, and after twenty-four they are gone."""
        chance = np.random.default_rng((self._seed, len(self._called), 11))
        passer = replace(self._passer(chance, time_s, True), speed=CALLED_SPEED)
        self._called = [*(one for one in self._called if time_s - one.start_s < LONGEST_S), passer][-MOST_CALLED:]

    def _passer(self, chance: np.random.Generator, start_s: float, armed: bool) -> Passer:
        thing, pose = arm(chance) if armed else occupy(chance)
        foot = float(chance.uniform(0.62, 0.98) if armed else chance.uniform(0.5, 1.0))
        return Passer(
            invent_person(chance),
            thing,
            pose,
            int(chance.integers(2**31)),
            start_s,
            foot,
            self._near * (0.25 + 0.75 * foot**2),
            bool(chance.random() < 0.5),
            float(chance.uniform(0.04, 0.12)),
            armed,
        )

    def passers(self, time_s: float) -> list[tuple[Passer, float, bool, bool]]:
        """Who is in the picture at a moment, with place, walking, gun out; from far to near."""
        last = int(time_s // SLOT_S)
        everybody = [*self._called]
        for slot in range(last - int(LONGEST_S / SLOT_S), last + 1):
            everybody += self._arrivals(slot)
        found = [(passer, *where) for passer in everybody if (where := passer.at(time_s)) is not None]
        return sorted(found, key=lambda each: each[0].foot)

    def frame(self, time_s: float) -> Rendered:
        """The picture at a moment, and what is true of it."""
        scene = Scene(self._place.copy())
        for passer, across, walking, out in self.passers(time_s):
            thing, pose = passer.thing, passer.pose
            if passer.armed and not out:
                thing, pose = None, Pose.WALK
            chance = np.random.default_rng(passer.seed)
            joints = stand(
                passer.person,
                pose,
                phase=(time_s * 0.9 + passer.seed % 7 / 7) % 1 if walking else 0.0,
                stride=0.8 if walking else 0.0,
                support_m=thing.support_m if thing is not None else None,
                chance=chance,
            )
            heading = (-np.pi / 2 if passer.rightward else np.pi / 2) + chance.normal(0, 0.3)
            if out:
                heading += float(0.35 * np.sin(time_s * 0.4 + passer.seed % 10))
            tall = passer.height * self.height
            sprite = draw_person(
                passer.person,
                joints,
                thing,
                View(float(heading), self._pitch),
                pixels_per_m=tall / passer.person.height_m,
                chance=chance,
            )
            x, y = across * self.width, passer.foot * self.height
            scene.shadow(x, y, tall * 0.14, 0.3)
            scene.put(sprite, x, y, weapon=thing is not None and thing.weapon, person=True, shade=0.95)
        picture = cv2.LUT(scene.picture, self._light)
        noise = np.random.default_rng((self._seed, int(time_s * 1_000)))
        grain = (unevenness(self.height, self.width, 4, noise) * self._grain).astype(np.int16)[:, :, None]
        picture = np.clip(picture.astype(np.int16) + grain, 0, 255).astype(np.uint8)
        return Rendered(picture, scene.truths(), scene.heads())

    def frames(self, start_s: float, end_s: float, rate: float) -> Iterator[tuple[float, Rendered]]:
        """Frames at an even rate a second."""
        for number in range(int((end_s - start_s) * rate)):
            time_s = start_s + number / rate
            yield time_s, self.frame(time_s)
