"""Decoding by hardware, where this machine has what for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import av
import structlog
from av.codec.hwaccel import HWAccel, hwdevices_available

log = structlog.get_logger(__name__)

Opened = TypeVar("Opened")

NODES = {"cuda": "/dev/nvidiactl", "vaapi": "/dev/dri/renderD128", "qsv": "/dev/dri/renderD128"}
"""By kind of device, the best first: the file that is there where a driver runs."""

_refused: set[str] = set()
"""Kinds that could not be opened in this process: they are not tried for each camera again."""


def device() -> str | None:
    """The kind of device that decodes here; None where the processor does."""
    known = set(hwdevices_available())
    for kind, node in NODES.items():
        if kind in known and kind not in _refused and Path(node).exists():
            return kind
    return None


def opened(opening: Callable[[HWAccel | None], Opened]) -> Opened:
    """What `opening` gives with the device that decodes here, or without one where that one refuses.

    A stream that the device cannot decode is decoded by the processor. Raises as `opening` does without a device.
    """
    kind = device()
    if kind is not None:
        try:
            return opening(HWAccel(kind, allow_software_fallback=True))
        except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
            try:
                without = opening(None)
            except Exception:
                raise error from None
            # The camera is well, so that it was the device.
            _refused.add(kind)
            log.warning("firearm.hardware_refused", kind=kind, reason=str(error)[:200])
            return without
    return opening(None)
