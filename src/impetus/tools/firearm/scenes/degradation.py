"""What lies between a scene and the file of it: light, colour, optics, sensor noise and compression."""

from __future__ import annotations

import cv2
import numpy as np

from impetus.tools.firearm.arrays import Picture
from impetus.tools.firearm.scenes.background import unevenness
from impetus.tools.firearm.scenes.weapons import Chance


def degrade(picture: Picture, chance: Chance) -> Picture:
    """The same scene as some camera would give it; size stays."""
    height, width = picture.shape[:2]
    night = chance.random() < 0.15
    gain = chance.uniform(0.45, 0.8) if night else chance.uniform(0.7, 1.25)
    gamma = chance.uniform(0.75, 1.3)
    levels = np.arange(256) / 255.0
    balance = chance.uniform(0.9, 1.1, 3)
    lift = chance.uniform(0, 35)
    table = np.stack(
        [np.clip(255 * gain * each * levels**gamma + lift * (1 - levels), 0, 255) for each in balance], axis=-1
    ).astype(np.uint8)
    picture = cv2.LUT(picture, table.reshape(1, 256, 3))
    if chance.random() < 0.15:
        grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    draw = chance.random()
    if draw < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), chance.uniform(0.4, 1.1))
    elif draw < 0.42:
        length = int(chance.integers(2, 5))
        kernel = np.eye(length) if chance.random() < 0.3 else np.zeros((length, length))
        if not kernel.any():
            kernel[length // 2] = 1
        picture = cv2.filter2D(picture, -1, kernel / kernel.sum())
    if chance.random() < 0.2:
        share = chance.uniform(0.5, 0.9)
        small = cv2.resize(picture, (int(width * share), int(height * share)), interpolation=cv2.INTER_AREA)
        picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    strength = chance.uniform(3, 10) if night else chance.uniform(0, 6)
    if strength > 1:
        # Offset by a level so that darkening and brightening both stay in unsigned bytes.
        grain = (unevenness(height, width, 4, chance) * strength).astype(np.int16)[:, :, None]
        picture = np.clip(picture.astype(np.int16) + grain, 0, 255).astype(np.uint8)
    if chance.random() < 0.8:
        quality = int(chance.integers(35, 96))
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
        if decoded is not None:
            picture = np.asarray(decoded, np.uint8)
    return picture
