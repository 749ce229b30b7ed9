"""One camera's thread: connects, looks, remembers some seconds, says what happened; alone with its faults."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from impetus.model import ImpetusError, InvalidInput
from impetus.tools.firearm.arrays import Booleans, Floats, Picture
from impetus.tools.firearm.camera_settings import CameraSettings
from impetus.tools.firearm.confirmation import Event, Rules
from impetus.tools.firearm.connecting import Turns
from impetus.tools.firearm.feed import frames
from impetus.tools.firearm.health import WORDS, CameraState, Health
from impetus.tools.firearm.inference import Looks
from impetus.tools.firearm.masking import PublicView, close_up, jpeg
from impetus.tools.firearm.notices import Figures, Found, MaskedFrame, Notice, Standing
from impetus.tools.firearm.pipeline import CameraPipeline, Step
from impetus.tools.firearm.recording import Ring, clip
from impetus.tools.firearm.sources import Frame, is_stream
from impetus.tools.firearm.zones import Zones

WATCHED_S = 15.0
"""Somebody who looks at the wall asks again within this time."""
VIEW_EVERY_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
LAG_SKIP_S, LAG_GIVE_UP_S = 1.0, 15.0
MASKED_FRAMES = 6
HOURS_EVERY_S = 1.0


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
        turns: Turns,
        *,
        zones: Zones | None = None,
        frames_a_s: float = 5.0,
        before_s: float = 4.0,
        after_s: float = 4.0,
        paused: bool = False,
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
        self._turns = turns
        self._going = threading.Event()
        if not paused:
            self._going.set()
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
        self._taken_s = 0.0

    def close(self) -> None:
        """Let go of the camera; its thread ends soon."""
        self._ending.set()

    def pause(self, paused: bool) -> None:
        """Whether this is an hour in which the camera is not watched."""
        if paused:
            self._going.clear()
        else:
            self._going.set()

    def watch(self) -> None:
        """Somebody looks at the wall: make masked pictures for a while."""
        self._watched_until_s = time.monotonic() + WATCHED_S

    def accept_view(self) -> None:
        """What the camera shows now is where it should look."""
        self._new_view = True

    def standing(self) -> Standing:
        """How it is now, with its newest masked picture."""
        with self._lock:
            picture = self._shown
        return Standing(
            camera=self.settings.id,
            state=self.health.state,
            words=self.problem or WORDS[self.health.state],
            trust=self.health.trust,
            figures=self.figures.model_copy(),
            picture=picture,
        )

    def run(self) -> None:
        """Connect, watch, and connect again after a growing pause."""
        pause_s = FIRST_PAUSE_S
        while not self._ending.is_set():
            if not self._going.is_set():
                self._become(CameraState.PAUSED)
                self._going.wait(HOURS_EVERY_S)
                continue
            started = time.monotonic()
            try:
                self._watch_once()
                if self._ending.is_set() or not self._going.is_set():
                    continue
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
            self._tell(Notice(camera=self.settings.id, what="state"))

    def _watch_once(self) -> None:
        """One connection. However it ends, an event that was open ends with it, and its clip is told."""
        pipeline = CameraPipeline(self._detector, self._rules, zones=self.zones)
        self.figures.connections += 1
        try:
            self._watch_frames(pipeline)
        finally:
            self._flush_clip(np.inf)
            ended = pipeline.finish()
            if ended is not None:
                self._tell(Notice(camera=self.settings.id, what="ended", event=Found.of(ended)))

    def _watch_frames(self, pipeline: CameraPipeline) -> None:
        first_s: float | None = None
        due_s, least_lag = -np.inf, np.inf
        for frame in frames(self.settings, self._rate, self._ending, self._turns):
            now_s = time.monotonic()
            if self._ending.is_set() or not self._going.is_set():
                return
            self.figures.frames += 1
            self.figures.size = (frame.width, frame.height)
            first_s = now_s if first_s is None else first_s
            lag = (now_s - first_s) - frame.time_s
            least_lag = min(least_lag, lag)
            if is_stream(self.settings.address) and lag - least_lag > LAG_GIVE_UP_S:
                raise InvalidInput("the camera's clock jumps, or this machine cannot keep up", hint="fewer frames")
            if lag - least_lag > LAG_SKIP_S and not self.settings.address.startswith("scene:"):
                # What is seen now counts, not what could be seen seconds ago. A rendered scene waits for whoever looks.
                self.figures.skipped += 1
                continue
            if now_s < due_s - 0.005:
                continue
            due_s = max(due_s + 1 / self._rate, now_s)
            # A picture that waited came earlier than it is looked at.
            self._taken_s = now_s - (lag - least_lag)
            pipeline.zones = self.zones
            self._analyse(pipeline, frame, now_s - first_s)

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
            self._tell(Notice(camera=self.settings.id, what="state"))
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
            self._tell(Notice(camera=self.settings.id, what="ended", event=Found.of(step.ended)))
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
        self._masked.append((time_s, MaskedFrame(after_s=0.0, data=jpeg(shown, 60), boxes=shares, score=score)))
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
                camera=self.settings.id,
                what="begun",
                event=Found.of(event),
                taken_s=self._taken_s,
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
            kept[place][1].model_copy(update={"after_s": round(kept[place][0] - since_s, 2)}) for place in places
        )

    def _flush_clip(self, time_s: float) -> None:
        pending = self._pending
        if pending is None or time_s < pending.until_s:
            return
        self._pending = None
        recorded = clip(self._ring.since(pending.since_s - self._before_s))
        self._tell(
            Notice(
                camera=self.settings.id,
                what="clip",
                event=Found.of(pending.event),
                clip=recorded,
                frames=self._chosen(pending.since_s),
                trust=self.health.trust,
            )
        )
