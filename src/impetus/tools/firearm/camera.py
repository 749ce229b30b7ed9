"""One camera's thread: connects, reads, looks, remembers some seconds, says what happened; alone with its faults."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from impetus.model import ImpetusError, InvalidInput
from impetus.tools.firearm.arrays import Booleans, Floats, Picture
from impetus.tools.firearm.confirmation import Event, Rules
from impetus.tools.firearm.health import WORDS, CameraState, Health
from impetus.tools.firearm.inference import Looks
from impetus.tools.firearm.masking import PublicView, close_up, jpeg
from impetus.tools.firearm.pipeline import CameraPipeline, Step
from impetus.tools.firearm.recording import Ring, clip
from impetus.tools.firearm.scenes.live import scene_of
from impetus.tools.firearm.settings import CameraSettings
from impetus.tools.firearm.sources import PICTURES, Frame, files_of, frames_of, from_picture, is_stream, read_picture
from impetus.tools.firearm.zones import Zones

WATCHED_S = 15.0
"""Somebody who looks at the wall asks again within this time."""
VIEW_EVERY_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
CONNECTING = threading.Semaphore(4)
"""So many cameras connect at once: two hundred that come back together would stand in each other's way."""
LAG_SKIP_S, LAG_GIVE_UP_S = 1.0, 15.0
MASKED_FRAMES = 6


@dataclass(frozen=True)
class MaskedFrame:
    """A frame of an event that anybody may see."""

    after_s: float
    """Since the event's first sight."""
    data: bytes
    boxes: tuple[tuple[float, float, float, float], ...]
    """Weapons, as shares of width and height."""
    score: float


@dataclass(frozen=True)
class Notice:
    """Something that happened in a camera."""

    camera: str
    what: str
    """`begun`, `clip`, `ended`, `state`."""
    event: Event | None = None
    start_ago_s: float = 0.0
    """How long before this notice the gun was first seen."""
    snapshot: bytes = b""
    """The whole picture, as JPEG, for those entitled."""
    close_up: bytes = b""
    """The gun, heads covered, as JPEG."""
    frames: tuple[MaskedFrame, ...] = ()
    clip: bytes = b""
    point: tuple[float, float] | None = None
    """Where the person or gun stands, as shares of width and height."""
    trust: float = 1.0


@dataclass
class Figures:
    """What a camera did, for the status board and the page."""

    frames: int = 0
    analysed: int = 0
    looked: int = 0
    skipped: int = 0
    connections: int = 0
    look_ms: float = 0.0
    """Smoothed milliseconds of a frame that the detector looked at."""
    size: tuple[int, int] = (0, 0)


@dataclass
class _Pending:
    event: Event
    since_s: float
    until_s: float
    frames: list[MaskedFrame] = field(default_factory=list)


class Camera(threading.Thread):
    """One camera, watched until `close`."""

    def __init__(
        self,
        settings: CameraSettings,
        detector: Looks,
        rules: Rules,
        tell: Callable[[Notice], None],
        *,
        zones: Zones | None = None,
        frames_a_s: float = 5.0,
        before_s: float = 4.0,
        after_s: float = 4.0,
        open_now: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(name=f"camera-{settings.id}", daemon=True)
        self.settings = settings
        self.health = Health()
        self.figures = Figures()
        self.problem = ""
        self.zones = zones or Zones()
        self._detector, self._rules, self._tell = detector, rules, tell
        self._rate = frames_a_s
        self._before_s, self._after_s = before_s, after_s
        self._open_now = open_now
        self._ring = Ring(before_s + after_s + 2.0)
        self._view = PublicView()
        self._unseen: Booleans | None = None
        self._masked: list[tuple[float, MaskedFrame]] = []
        self._pending: _Pending | None = None
        self._ending = threading.Event()
        self._watched_until_s = 0.0
        self._viewed_s = -np.inf
        self._shown = b""
        self._lock = threading.Lock()
        self._new_view = False

    def close(self) -> None:
        """Let go of the camera; its thread ends soon."""
        self._ending.set()

    def watch(self) -> None:
        """Somebody looks at the wall: make masked pictures for a while."""
        self._watched_until_s = time.monotonic() + WATCHED_S

    def accept_view(self) -> None:
        """What the camera shows now is where it should look."""
        self._new_view = True

    def masked(self) -> bytes:
        """The newest masked picture as JPEG; empty before the first."""
        with self._lock:
            return self._shown

    @property
    def words(self) -> str:
        """The state in words."""
        return self.problem or WORDS[self.health.state]

    def run(self) -> None:
        """Connect, watch, and connect again after a growing pause."""
        pause_s = FIRST_PAUSE_S
        while not self._ending.is_set():
            if not self._open_now():
                self._become(CameraState.PAUSED)
                self._ending.wait(5.0)
                continue
            started = time.monotonic()
            try:
                self._watch_once()
                self._become(CameraState.AWAY, "the stream ended")
            except InvalidInput as error:
                self._become(CameraState.BROKEN, str(error)[:200])
            except ImpetusError as error:
                self._become(CameraState.AWAY, str(error)[:200])
            except Exception as error:
                # Whatever a stream brings, it must not end the thread without a word.
                self._become(CameraState.BROKEN, f"{type(error).__name__}: {error}"[:200])
            if time.monotonic() - started > 30:
                pause_s = FIRST_PAUSE_S
            # Cameras that went away together come back apart.
            self._ending.wait(pause_s * random.uniform(0.7, 1.3))  # noqa: S311
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def _become(self, state: CameraState, problem: str = "") -> None:
        changed = state is not self.health.state
        self.health.state, self.problem = state, problem
        if changed:
            self._tell(Notice(self.settings.id, "state"))

    def _watch_once(self) -> None:
        pipeline = CameraPipeline(self._detector, self._rules, zones=self.zones)
        first_s: float | None = None
        due_s, least_lag = -np.inf, np.inf
        for frame in self._frames():
            now_s = time.monotonic()
            if self._ending.is_set() or not self._open_now():
                break
            self.figures.frames += 1
            self.figures.size = (frame.width, frame.height)
            first_s = now_s if first_s is None else first_s
            lag = (now_s - first_s) - frame.time_s
            least_lag = min(least_lag, lag)
            if is_stream(self.settings.address):
                if lag - least_lag > LAG_GIVE_UP_S:
                    raise InvalidInput("the camera's clock jumps, or this machine cannot keep up", hint="fewer frames")
                if lag - least_lag > LAG_SKIP_S:
                    self.figures.skipped += 1
                    continue
            if now_s < due_s - 0.005:
                continue
            due_s = max(due_s + 1 / self._rate, now_s)
            self._analyse(pipeline, frame, now_s - first_s)
        ended = pipeline.finish()
        if ended is not None:
            self._tell(Notice(self.settings.id, "ended", event=ended))
        self._flush_clip(np.inf)

    def _frames(self) -> Iterator[Frame]:
        """Frames as they come; of files and scenes, at their own pace."""
        address = self.settings.opened()
        self.figures.connections += 1
        if address.startswith("scene:"):
            yield from self._rendered(address)
        elif is_stream(address):
            with CONNECTING:
                frames = frames_of(address)
                first = next(frames, None)
            if first is not None:
                yield first
                yield from frames
        else:
            path = Path(address.removeprefix("file://"))
            begun = time.monotonic()
            base_s, number = 0.0, 0
            for file in files_of(path):
                if file.suffix.lower() in PICTURES:
                    frames = iter((from_picture(read_picture(file), number, 0.0),))
                else:
                    frames = frames_of(str(file))
                last_s = 0.0
                for frame in frames:
                    last_s = frame.time_s
                    self._ending.wait(max(0.0, begun + base_s + last_s - time.monotonic()))
                    yield Frame(number, base_s + last_s, frame.height, frame.width, frame.small, frame.picture)
                    number += 1
                base_s += last_s + 1 / self._rate

    def _rendered(self, address: str) -> Iterator[Frame]:
        scene = scene_of(address)
        begun = time.monotonic()
        number = 0
        while not self._ending.is_set():
            time_s = number / self._rate
            self._ending.wait(max(0.0, begun + time_s - time.monotonic()))
            yield from_picture(scene.frame(time_s).picture, number, time_s)
            number += 1

    def _analyse(self, pipeline: CameraPipeline, frame: Frame, time_s: float) -> None:
        if self._new_view:
            self._new_view = False
            self.health.accept_view()
            self._view.forget()
            pipeline.gate.forget()
        zones = self.zones
        if zones.hidden:
            inner = frame
            frame = Frame(
                frame.number,
                time_s,
                frame.height,
                frame.width,
                lambda: zones.hide(inner.small()),
                lambda: zones.hide(inner.picture()),
            )
        else:
            frame = Frame(frame.number, time_s, frame.height, frame.width, frame.small, frame.picture)
        begun = time.perf_counter()
        step = pipeline.step(frame)
        took_ms = 1_000 * (time.perf_counter() - begun)
        self.figures.analysed += 1
        if step.looked:
            self.figures.looked += 1
            self.figures.look_ms += (took_ms - self.figures.look_ms) * (0.1 if self.figures.look_ms else 1.0)
        before = self.health.state
        self.health.update(step.small, time_s)
        self.problem = ""
        if self.health.state is not before:
            self._tell(Notice(self.settings.id, "state"))
        self._see(step, time_s)
        self._follow(step, time_s)

    def _see(self, step: Step, time_s: float) -> None:
        """Keep the masked view up to date."""
        cells = step.change.cells
        if self._unseen is not None and self._unseen.shape == cells.shape:
            cells = cells | self._unseen
        watched = time.monotonic() < self._watched_until_s
        picture = step.picture
        if picture is None and watched and time_s - self._viewed_s >= VIEW_EVERY_S:
            picture = step.frame.picture()
        if picture is None:
            self._unseen = cells
            return
        self._unseen = None
        persons = [track.box for track in step.persons] + [track.box for track in step.weapons]
        doubtful = step.found.where(step.found.scores >= 0.1).boxes
        self._view.update(picture, cells, [*persons, *doubtful], time_s)
        if (watched and time_s - self._viewed_s >= VIEW_EVERY_S) or not self._shown or time_s - self._viewed_s > 30:
            self._viewed_s = time_s
            shown = self._view.shown([each.box for each in step.weapons if each.hits > 1], picture.shape[1])
            if shown is not None:
                with self._lock:
                    self._shown = jpeg(shown, 70)

    def _follow(self, step: Step, time_s: float) -> None:
        """Keep what an event needs, and tell of events."""
        if step.picture is not None:
            self._ring.add(step.picture, time_s)
            seen = [track for track in step.weapons if track.last_s == step.frame.time_s]
            if seen or self._pending is not None:
                self._keep_masked(step, [track.box for track in seen], time_s)
        if step.ended is not None:
            self._flush_clip(np.inf)
            self._tell(Notice(self.settings.id, "ended", event=step.ended))
        if step.begun is not None and step.picture is not None:
            self._begin(step, step.begun, step.picture, time_s)
        self._flush_clip(time_s)

    def _keep_masked(self, step: Step, boxes: list[Floats], time_s: float) -> None:
        height, width = step.frame.height, step.frame.width
        shown = self._view.shown(boxes, width)
        if shown is None:
            return
        shares = tuple(
            (float(b[0] / width), float(b[1] / height), float(b[2] / width), float(b[3] / height)) for b in boxes
        )
        score = max((track.seen[-1].score for track in step.weapons if track.seen), default=0.0)
        self._masked.append((time_s, MaskedFrame(0.0, jpeg(shown, 60), shares, score)))
        self._masked = [each for each in self._masked if time_s - each[0] <= self._before_s + self._after_s + 2][-60:]

    def _begin(self, step: Step, event: Event, picture: Picture, time_s: float) -> None:
        height, width = picture.shape[:2]
        persons = [track.box for track in step.persons]
        box = event.box
        foot = (float((box[0] + box[2]) / 2), float(box[3]))
        for person in persons:
            if person[0] <= foot[0] <= person[2] and person[1] <= foot[1] <= person[3] + 4:
                foot = (float((person[0] + person[2]) / 2), float(person[3]))
        self._pending = _Pending(event, event.start_s, time_s + self._after_s)
        self._tell(
            Notice(
                self.settings.id,
                "begun",
                event=event,
                start_ago_s=max(0.0, time_s - event.start_s),
                snapshot=jpeg(picture, 85),
                close_up=jpeg(close_up(picture, box, persons), 80),
                frames=self._chosen(event.start_s),
                point=(min(foot[0] / width, 1.0), min(foot[1] / height, 1.0)),
                trust=self.health.trust,
            )
        )

    def _chosen(self, since_s: float) -> tuple[MaskedFrame, ...]:
        """Some masked frames, evenly over the time."""
        kept = [each for each in self._masked if each[0] >= since_s - 1.0]
        if not kept:
            return ()
        places = sorted({round(each) for each in np.linspace(0, len(kept) - 1, MASKED_FRAMES)})
        return tuple(
            MaskedFrame(
                round(kept[place][0] - since_s, 2), kept[place][1].data, kept[place][1].boxes, kept[place][1].score
            )
            for place in places
        )

    def _flush_clip(self, time_s: float) -> None:
        pending = self._pending
        if pending is None or time_s < pending.until_s:
            return
        self._pending = None
        recorded = clip(self._ring.since(pending.since_s - self._before_s))
        self._tell(
            Notice(
                self.settings.id,
                "clip",
                event=pending.event,
                clip=recorded,
                frames=self._chosen(pending.since_s),
                trust=self.health.trust,
            )
        )


def within_hours(hours: str, local: datetime) -> bool:
    """Whether a local time lies in `07:00-23:00`; over midnight where the end is before the start.

    >>> within_hours("22:00-05:00", datetime(2026, 1, 1, 23, 30))
    True
    """
    if not hours:
        return True
    start, end = hours.split("-")
    now = f"{local:%H:%M}"
    return start <= now < end if start <= end else now >= start or now < end


__all__ = ["Camera", "Figures", "MaskedFrame", "Notice", "within_hours"]
