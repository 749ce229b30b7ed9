"""One camera's way from a frame to an event: gate, windows, detector, tracks, confirmation."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from impetus.tools.firearm.arrays import Mask, Picture
from impetus.tools.firearm.confirmation import Event, Events, Rules
from impetus.tools.firearm.detections import PERSON, WEAPON, Detections, nothing
from impetus.tools.firearm.gate import Change, MotionGate, WindowPlan
from impetus.tools.firearm.inference import Looks, Window
from impetus.tools.firearm.sources import Frame
from impetus.tools.firearm.tracking import Track, Tracker
from impetus.tools.firearm.zones import Zones

WHOLE_EVERY_S = 10.0
"""So often everything is looked at, moved or not."""


@dataclass(frozen=True)
class Step:
    """What one frame gave."""

    frame: Frame
    small: Mask
    change: Change
    looked: bool
    """Whether the detector looked at anything."""
    found: Detections
    """What it found now; persons where it did not look are where they were last seen."""
    weapons: tuple[Track, ...]
    persons: tuple[Track, ...]
    begun: Event | None
    ended: Event | None
    picture: Picture | None
    """The picture, where it was needed."""


@dataclass
class CameraPipeline:
    """What one camera's frames go through, in order; nothing of it leaves this camera."""

    detector: Looks
    rules: Rules | None = None
    gate: MotionGate = field(default_factory=MotionGate)
    zones: Zones = field(default_factory=Zones)

    def __post_init__(self) -> None:
        contract = self.detector.contract
        if self.rules is None:
            self.rules = Rules(threshold=contract.thresholds.weapon)
        self._events = Events(self.rules, contract.calibration)
        self._weapons = Tracker(WEAPON, sure=self.rules.threshold)
        self._persons = Tracker(PERSON, sure=contract.thresholds.person)
        self._plan = WindowPlan()
        self._whole_s = -np.inf
        self._last_s = -np.inf

    def step(self, frame: Frame) -> Step:
        """Take the next frame."""
        if not -1.0 <= frame.time_s - self._last_s <= 60.0:
            # The clock jumped: what was followed then has nothing to do with now.
            self._whole_s = -np.inf
        self._last_s = frame.time_s
        small = frame.small()
        change = self.gate.update(small)
        across, down = frame.width / small.shape[1], frame.height / small.shape[0]
        regions = [(x0 * across, y0 * down, x1 * across, y1 * down) for x0, y0, x1, y1 in change.boxes]
        for track in self._weapons.tracks:
            box = track.at(frame.time_s)
            side = max(float((box[2:] - box[:2]).max()) * 2, 96.0)
            middle = (box[:2] + box[2:]) / 2
            regions.append(
                (
                    float(middle[0] - side / 2),
                    float(middle[1] - side / 2),
                    float(middle[0] + side / 2),
                    float(middle[1] + side / 2),
                )
            )
        windows: list[Window] = []
        if self._plan.may_look(frame.time_s):
            whole = frame.time_s - self._whole_s >= WHOLE_EVERY_S
            if whole:
                self._whole_s = frame.time_s
            windows = self._plan.choose(frame.height, frame.width, regions, whole=whole)
        picture = frame.picture() if windows else None
        found = self.detector.look(picture, windows) if picture is not None else nothing()
        found = self._counted(found, frame)
        weapons = self._weapons.update(found, frame.number, frame.time_s, windows)
        persons = self._persons.update(found, frame.number, frame.time_s, windows)
        begun, ended = self._events.update(weapons, frame.time_s)
        return Step(frame, small, change, bool(windows), found, tuple(weapons), tuple(persons), begun, ended, picture)

    def _counted(self, found: Detections, frame: Frame) -> Detections:
        """Without guns outside of the zones that are watched."""
        if not self.zones.watched or not len(found):
            return found
        middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2 / np.array((frame.width, frame.height))
        inside = np.array([self.zones.counts(x, y) for x, y in middles])
        return found.where((found.kinds != WEAPON) | inside)

    @property
    def event(self) -> Event | None:
        """The event that is open."""
        return self._events.open

    def finish(self) -> Event | None:
        """The end of the stream."""
        return self._events.finish()
