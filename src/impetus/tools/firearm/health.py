"""What is wrong with a camera's picture: frozen, covered, moved, dark, blurred; and how much that takes off trust."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from impetus.tools.firearm.arrays import Floats, Mask

FROZEN_S = 10.0
COVERED_S = 3.0
MOVED_S = 5.0
LEAST_LIGHT, LEAST_CONTRAST = 12.0, 6.0
LEAST_LIKENESS = 0.35
SHARP_ENOUGH = 4.0
"""Mean strength of edges from which a picture counts as sharp, in levels a pixel of the small copy."""


class CameraState(StrEnum):
    """How a camera is."""

    STARTING = "starting"
    GOOD = "good"
    FROZEN = "frozen"
    COVERED = "covered"
    MOVED = "moved"
    DARK = "dark"
    AWAY = "away"
    BROKEN = "broken"
    PAUSED = "paused"


WORDS = {
    CameraState.STARTING: "is being connected",
    CameraState.GOOD: "works",
    CameraState.FROZEN: "shows the same picture again and again",
    CameraState.COVERED: "shows next to nothing: covered, or out of focus",
    CameraState.MOVED: "looks elsewhere than before",
    CameraState.DARK: "is too dark to see anything",
    CameraState.AWAY: "does not answer",
    CameraState.BROKEN: "sends what cannot be read",
    CameraState.PAUSED: "is not watched at this hour",
}


@dataclass
class Health:
    """One camera's health, from its small grey copies (uint8, height x width)."""

    state: CameraState = CameraState.STARTING
    trust: float = 1.0
    """By what the confidence of its alerts is multiplied: less in poor light, blur and noise."""
    _last: Mask | None = None
    _same_since_s: float | None = None
    _covered_since_s: float | None = None
    _moved_since_s: float | None = None
    _reference: Floats | None = None
    _frames: int = 0

    def update(self, small: Mask, time_s: float) -> bool:
        """Take a copy; whether the state changed."""
        before = self.state
        light, contrast = float(small.mean()), float(small.std())
        edges = _edges(small)
        self.trust = float(np.clip(light / 40.0, 0.4, 1.0) * np.clip(edges.mean() / SHARP_ENOUGH, 0.5, 1.0))
        same = self._last is not None and self._last.shape == small.shape and bool((self._last == small).all())
        self._same_since_s = self._since(self._same_since_s, same, time_s)
        self._last = small
        covered = contrast < LEAST_CONTRAST and light >= LEAST_LIGHT
        self._covered_since_s = self._since(self._covered_since_s, covered, time_s)
        moved = self._moved(edges)
        self._moved_since_s = self._since(self._moved_since_s, moved, time_s)
        if light < LEAST_LIGHT:
            self.state = CameraState.DARK
        elif self._long(self._same_since_s, FROZEN_S, time_s):
            self.state = CameraState.FROZEN
        elif self._long(self._covered_since_s, COVERED_S, time_s):
            self.state = CameraState.COVERED
        elif self._long(self._moved_since_s, MOVED_S, time_s):
            self.state = CameraState.MOVED
        else:
            self.state = CameraState.GOOD
        return self.state is not before

    def accept_view(self) -> None:
        """A person says that the camera looks where it should: what it shows now is the reference."""
        self._reference = None
        self._frames = 0
        self._moved_since_s = None

    def _moved(self, edges: Floats) -> bool:
        self._frames += 1
        if self._reference is None or self._reference.shape != edges.shape:
            self._reference = edges
            return False
        a, b = self._reference - self._reference.mean(), edges - edges.mean()
        size = float(np.sqrt((a * a).sum() * (b * b).sum()))
        likeness = float((a * b).sum()) / size if size > 1e-6 else 1.0
        if likeness >= LEAST_LIKENESS:
            share = 0.1 if self._frames < 50 else 0.005
            self._reference = self._reference + (edges - self._reference) * np.float32(share)
        return likeness < LEAST_LIKENESS

    @staticmethod
    def _since(since: float | None, holds: bool, now_s: float) -> float | None:
        if not holds:
            return None
        return now_s if since is None or now_s < since else since

    @staticmethod
    def _long(since: float | None, least_s: float, now_s: float) -> bool:
        return since is not None and now_s - since >= least_s


def _edges(small: Mask) -> Floats:
    grey = cv2.GaussianBlur(small, (0, 0), 1.0).astype(np.float32)
    across = cv2.Sobel(grey, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    return np.asarray(cv2.magnitude(across, down) / 8)
