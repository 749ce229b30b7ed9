"""Protects the way from frames to one event: the gate, k of n, one event however long, and forgetting."""

from __future__ import annotations

import numpy as np
import pytest

from impetus.tools.firearm.confirmation import Rules
from impetus.tools.firearm.detections import WEAPON, Detections
from impetus.tools.firearm.gate import PIXELS_A_S, WindowPlan
from impetus.tools.firearm.inference import Window
from impetus.tools.firearm.pipeline import CameraPipeline
from impetus.tools.firearm.scenes.sequence import CameraScene, Incident
from impetus.tools.firearm.sources import from_picture
from impetus.tools.firearm.tests.oracle import Oracle
from impetus.tools.firearm.tracking import Tracker


def played(scene: CameraScene, oracle: Oracle, start_s: float, end_s: float, rate: float = 4.0) -> tuple[int, int]:
    """Events begun and ended."""
    pipeline = CameraPipeline(oracle)
    begun = ended = 0
    for number, (time_s, rendered) in enumerate(scene.frames(start_s, end_s, rate)):
        oracle.truth = rendered
        step = pipeline.step(from_picture(rendered.picture, number, time_s))
        begun += step.begun is not None
        ended += step.ended is not None
    ended += pipeline.finish() is not None
    return begun, ended


def test_an_armed_passer_by_is_one_event() -> None:
    """One event begins and ends, although the gun is seen in dozens of frames."""
    scene = CameraScene(8, width=320, height=180, a_minute=0, incident=Incident(2.0))
    assert played(scene, Oracle(), 2, 40, rate=3.0) == (1, 1)


def test_nobody_armed_is_no_event() -> None:
    """People with telephones and umbrellas raise nothing when the detector finds no gun."""
    scene = CameraScene(5, width=320, height=180, a_minute=20)
    assert played(scene, Oracle(), 10, 18) == (0, 0)


def test_an_empty_scene_is_hardly_looked_at() -> None:
    """The gate lets next to nothing through where nothing moves, but everything is looked at now and then."""
    oracle = Oracle()
    played(CameraScene(8, width=320, height=180, a_minute=0), oracle, 0, 25)
    assert 2 <= oracle.looks <= 6


def test_single_frames_are_no_event() -> None:
    """Three sure frames of eight are not enough where four are needed; the fourth is."""
    tracker = Tracker(WEAPON, sure=0.35)
    box = np.array([[10.0, 10, 40, 30]])
    pipeline = CameraPipeline(Oracle(), Rules())
    events = pipeline._events
    begun = None
    for frame in range(8):
        found = (
            Detections(box, np.array([0.9]), np.array([WEAPON]))
            if frame in (0, 2, 4)
            else Detections(box[:0], np.zeros(0), np.zeros(0, np.int64))
        )
        tracks = tracker.update(found, frame, frame * 0.2)
        begun, _ = events.update(tracks, frame * 0.2)
        assert begun is None
    tracks = tracker.update(Detections(box, np.array([0.9]), np.array([WEAPON])), 8, 1.6)
    found_again = [track.number for track in tracks]
    assert found_again == [1]


def test_a_track_is_forgotten() -> None:
    """After a pause nothing of a track is left, and the next gun has another number."""
    tracker = Tracker(WEAPON, sure=0.35)
    found = Detections(np.array([[10.0, 10, 40, 30]]), np.array([0.9]), np.array([WEAPON]))
    none = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))
    tracker.update(found, 0, 0.0)
    tracker.update(none, 1, 3.0)
    assert tracker.tracks == []
    assert tracker.update(found, 2, 3.2)[0].number == 2


def test_where_nobody_looked_nothing_was_missed() -> None:
    """A track outside of the windows that a frame had time for keeps its frames; one within them has a miss."""
    found = Detections(np.array([[10.0, 10, 40, 30]]), np.array([0.9]), np.array([WEAPON]))
    none = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))
    tracker = Tracker(WEAPON, sure=0.35)
    tracker.update(found, 0, 0.0)
    (track,) = tracker.update(none, 1, 0.2, [Window(200, 0, 400, 200)])
    assert [each.score for each in track.seen] == [0.9]
    (track,) = tracker.update(none, 2, 0.4, [Window(0, 0, 100, 100)])
    assert [each.score for each in track.seen] == [0.9, 0.0]


@pytest.mark.parametrize("rate", [5, 25, 60])
def test_many_frames_a_second_are_not_looked_at_more(rate: int) -> None:
    """What is looked at in a second of video is bounded, whatever moves; the clock may jump meanwhile."""
    plan = WindowPlan()
    pixels = 0.0
    everywhere = [(0.0, 0.0, 1_920.0, 1_080.0)]
    for frame in range(10 * rate):
        if plan.may_look(frame / rate):
            windows = plan.choose(1_080, 1_920, everywhere, whole=False)
            pixels += sum((one.right - one.left) * (one.bottom - one.top) * one.scale**2 for one in windows)
    assert 0.5 * PIXELS_A_S < pixels / 10 < 1.1 * PIXELS_A_S
    assert plan.may_look(-5_000.0)


def test_a_clock_that_jumps_back_begins_anew() -> None:
    """Frames from the past neither raise nor crash."""
    oracle = Oracle()
    scene = CameraScene(5, width=320, height=180, a_minute=10)
    pipeline = CameraPipeline(oracle)
    for number, time_s in enumerate((0.0, 0.2, 1e6, 0.1, -50.0, float(2**40))):
        rendered = scene.frame(abs(time_s) % 60)
        oracle.truth = rendered
        assert pipeline.step(from_picture(rendered.picture, number, time_s)).begun is None
