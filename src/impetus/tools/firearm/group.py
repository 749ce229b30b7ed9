"""A process of a few cameras: `python -m impetus.tools.firearm.group`, started and watched by the worker.

It reads what it shall do from its standard input and tells what happens on its standard output. When the worker is
gone, its input ends, and so does it.
"""

from __future__ import annotations

import os
import queue
import resource
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import BinaryIO

import cv2

from impetus.model import ImpetusError, InvalidInput
from impetus.tools.firearm.arrays import Picture
from impetus.tools.firearm.camera import Camera
from impetus.tools.firearm.connecting import Turns
from impetus.tools.firearm.detections import Detections
from impetus.tools.firearm.inference import Model, Window
from impetus.tools.firearm.model import Contract
from impetus.tools.firearm.notices import Notice
from impetus.tools.firearm.wire import Order, Start, ToWorker, packed, read

TELL_EVERY_S = 1.0
MOST_WAITING = 32
"""Notices that wait; a camera that has one more waits itself, so that nothing is lost and memory stays bounded."""
CLOSE_S = 3.0
MOST_MEMORY_BYTES = 4 * 1024**3
"""Of its own: a stream that makes FFmpeg ask for more breaks this process, not the machine."""


class OneAtATime:
    """A detector that several cameras share: looks at once would each hold memory, and none be sooner."""

    def __init__(self, model: Model) -> None:
        self._model, self._lock = model, threading.Lock()

    @property
    def contract(self) -> Contract:
        """What the model says of itself."""
        return self._model.contract

    def look(self, picture: Picture, windows: Sequence[Window] | None = None) -> Detections:
        """See `impetus.tools.firearm.inference.Looks`."""
        with self._lock:
            return self._model.look(picture, windows)


class Group:
    """The cameras of this process, as its orders say."""

    def __init__(self, start: Start, output: BinaryIO) -> None:
        """Raises `InvalidInput` where the model is not the one that was approved."""
        model = Model.read(start.model)
        if model.contract.sha256 != start.sha256:
            raise InvalidInput("the model's file is not the one that was approved", hint="approve the new one")
        detector = OneAtATime(model)
        self._output = output
        self._waiting: queue.Queue[Notice] = queue.Queue(MOST_WAITING)
        self._shown: dict[str, bytes | None] = {}
        self._ending = threading.Event()
        turns = Turns(start.turns)
        self._cameras = {
            post.camera.id: Camera(
                post.settings(),
                detector,
                start.rules,
                self._waiting.put,
                turns,
                zones=post.zones,
                frames_a_s=start.frames_a_s,
                before_s=start.before_s,
                after_s=start.after_s,
                paused=post.paused,
            )
            for post in start.posts
        }

    def run(self, orders: BinaryIO) -> None:
        """Watch until the orders end."""
        for camera in self._cameras.values():
            camera.start()
        threading.Thread(target=self._listen, args=(orders,), name="orders", daemon=True).start()
        while not self._ending.is_set():
            self._tell(self._next())
        for camera in self._cameras.values():
            camera.close()
        end_s = time.monotonic() + CLOSE_S
        while any(camera.is_alive() for camera in self._cameras.values()) and time.monotonic() < end_s:
            self._tell(self._next(0.1))
        while not self._waiting.empty():
            self._tell(self._next(0.1))

    def _next(self, wait_s: float = TELL_EVERY_S) -> Notice | None:
        with suppress(queue.Empty):
            return self._waiting.get(timeout=wait_s)
        return None

    def _tell(self, notice: Notice | None) -> None:
        standings = []
        for id, camera in self._cameras.items():
            standing = camera.standing()
            if standing.picture == self._shown.get(id):
                standing = standing.model_copy(update={"picture": None})
            else:
                self._shown[id] = standing.picture
            standings.append(standing)
        self._write(ToWorker(notices=() if notice is None else (notice,), standings=tuple(standings)))

    def _write(self, message: ToWorker) -> None:
        try:
            self._output.write(packed(message))
            self._output.flush()
        except BrokenPipeError:
            os._exit(0)

    def _listen(self, orders: BinaryIO) -> None:
        while (message := read(orders)) is not None:
            if isinstance(message.said, Order):
                self._obey(message.said)
        self._ending.set()

    def _obey(self, order: Order) -> None:
        for id, camera in self._cameras.items():
            if order.camera not in {"", id}:
                continue
            match order.what:
                case "watch":
                    camera.watch()
                case "zones":
                    camera.zones = order.zones
                case "accept-view":
                    camera.accept_view()
                case "pause" | "go-on":
                    camera.pause(order.what == "pause")


def main() -> int:
    """Obey the orders of the standard input."""
    # Whatever prints must not spoil the messages.
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    cv2.setNumThreads(1)
    orders = sys.stdin.buffer
    first = read(orders)
    if first is None or not isinstance(first.said, Start):
        return 1
    try:
        Group(first.said, output).run(orders)
    except ImpetusError as error:
        with suppress(BrokenPipeError):
            output.write(packed(ToWorker(problem=str(error)[:400])))
        return 2
    return 0


if __name__ == "__main__":
    # Threads that hang in a foreign library must not keep it alive.
    code = main()
    sys.stderr.flush()
    os._exit(code)
