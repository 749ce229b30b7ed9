"""Firearms: the detector on held-out rendered pictures and on real ones, events on rendered sequences, masking, speed.

`IMPETUS_FIREARM_DATA` names another folder with `annotations.jsonl`, for pictures that were kept back;
`IMPETUS_FIREARM_MODEL` another model's YAML; `IMPETUS_FIREARM_PICTURES` how many rendered pictures,
`IMPETUS_FIREARM_SEQUENCES` how many armed sequences, `IMPETUS_FIREARM_HOURS` how many ordinary camera-hours and
`IMPETUS_FIREARM_CAMERAS_S` for how many seconds sixteen cameras are watched. Names of parts as arguments (`speed`,
`cameras`, `rendered`, `real`, `events`) measure only these.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.reporting import Figure, report
from impetus.tools.firearm.arrays import Floats, Picture
from impetus.tools.firearm.camera_settings import CameraSettings
from impetus.tools.firearm.confirmation import Rules
from impetus.tools.firearm.detections import WEAPON
from impetus.tools.firearm.evaluation import look_at
from impetus.tools.firearm.evaluation import report as judge
from impetus.tools.firearm.groups import Groups, Plan
from impetus.tools.firearm.heldout import rendered_pictures
from impetus.tools.firearm.inference import Model
from impetus.tools.firearm.model import SHIPPED
from impetus.tools.firearm.pipeline import CameraPipeline
from impetus.tools.firearm.samples import load, read_annotations
from impetus.tools.firearm.scenes.sequence import CameraScene, Incident
from impetus.tools.firearm.sources import frames_of, from_picture

DATA = Path(os.environ.get("IMPETUS_FIREARM_DATA", str(Path(__file__).resolve().parents[2] / "shared/data/firearm")))
MODEL = Path(os.environ.get("IMPETUS_FIREARM_MODEL", str(SHIPPED)))
PICTURES = int(os.environ.get("IMPETUS_FIREARM_PICTURES", "400"))
HOURS = float(os.environ.get("IMPETUS_FIREARM_HOURS", "0.25"))
SEQUENCES = int(os.environ.get("IMPETUS_FIREARM_SEQUENCES", "20"))
CAMERAS_S = float(os.environ.get("IMPETUS_FIREARM_CAMERAS_S", "60"))
CAMERAS, CAMERAS_RATE = 16, 5
EAGER = Rules(needed=2, window=4, threshold=0.02, least_probability=0.0, quiet_s=0.3)
"""Rules by which almost anything raises an alert: what is measured with them is time, not skill."""
SEQUENCE_S, RATE = 40.0, 4.0
SEED = 800_000
"""Scenes of training begin below, held-out pictures far above."""


@dataclass
class Counted:
    """Events and single frames on sequences."""

    armed: int = 0
    found: int = 0
    false: int = 0
    single_found: int = 0
    single_false: int = 0
    ordinary_s: float = 0.0


def main() -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    model = Model.read(MODEL)
    notes = [f"{model.contract.name} {model.contract.version}, sha256 {model.contract.sha256}, {model.provider}"]
    parts = {
        "speed": lambda: _speed(model),
        "cameras": lambda: asyncio.run(_cameras(model, notes)),
        "rendered": lambda: _rendered(model, notes),
        "real": lambda: _real(model, notes),
        "events": lambda: _events(model, notes),
    }
    figures: list[Figure] = []
    for name in sys.argv[1:] or parts:
        if name not in parts:
            sys.exit(f"there is no part {name!r}: name some of {', '.join(parts)}")
        figures += parts[name]()
    report("Firearm detection", figures, notes=notes)


def _speed(model: Model) -> list[Figure]:
    picture = np.random.default_rng(1).integers(0, 255, (416, 416, 3)).astype(np.uint8)
    model.look(picture)
    took = []
    for _ in range(60):
        begun = time.perf_counter()
        model.look(picture)
        took.append(time.perf_counter() - begun)
    figures = [Figure("pictures of 416 px", "/s", 130, 1 / float(np.median(took)))]
    for name, a_minute, asked in (("1080p H.264 with motion", 30.0, 25.0), ("1080p H.264 without", 0.0, 150.0)):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "scene.mp4"
            _write(path, CameraScene(SEED, width=1_920, height=1_080, a_minute=a_minute))
            pipeline = CameraPipeline(model)
            took = []
            begun = time.perf_counter()
            for frame in frames_of(str(path)):
                pipeline.step(frame)
                now = time.perf_counter()
                took.append(now - begun)
                begun = now
            figures.append(Figure(name, "frames/s", asked, 1 / float(np.median(took[5:]))))
    return figures


def _write(path: Path, scene: CameraScene, frames: int = 60, rate: int = 25) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = scene.width, scene.height, "yuv420p"
        stream.options = {"preset": "veryfast"}
        for _, rendered in scene.frames(60.0, 60.0 + frames / rate, float(rate)):
            for packet in stream.encode(av.VideoFrame.from_ndarray(rendered.picture, format="bgr24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


async def _cameras(model: Model, notes: list[str]) -> list[Figure]:
    """Sixteen cameras of 720p at 5 frames/s, four a process, on all cores of the machine: time and memory."""
    waits: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.mp4"
        scene = CameraScene(SEED, width=1_280, height=720, a_minute=20)
        _write(path, scene, frames=round(CAMERAS_S * CAMERAS_RATE), rate=CAMERAS_RATE)
        plan = Plan(MODEL, model.contract.sha256, EAGER, CAMERAS_RATE, 4.0, 4.0)
        cameras = [CameraSettings(id=f"c{number}", title="A", address=str(path)) for number in range(CAMERAS)]
        groups = Groups(plan, cameras, 4)
        groups.start({}, frozenset())
        begun = time.monotonic()
        resident: list[float] = []
        shared: list[float] = []
        while time.monotonic() - begun < CAMERAS_S + 5:
            await asyncio.sleep(0.01)
            while not groups.notices.empty():
                notice = groups.notices.get_nowait()
                if notice.what == "begun":
                    waits.append(time.monotonic() - notice.taken_s)
        for process in groups.processes:
            resident.append(_memory_mb(process, "Rss"))
            shared.append(_memory_mb(process, "Pss"))
        analysed = sum(each.figures.analysed for each in groups.standings.values())
        await groups.close()
    notes.append(
        f"sixteen cameras: {len(waits)} alerts, {analysed / CAMERAS / CAMERAS_S:.1f} frames/s analysed a camera, "
        f"memory with shared pages shared out {max(shared, default=float('nan')):.0f} MB"
    )
    return [
        Figure(
            "16 cameras: picture to alert, p95",
            "s",
            1.5,
            float(np.percentile(waits, 95)) if waits else float("nan"),
            at_most=True,
        ),
        Figure("memory of a process of 4 cameras", "MB", 150, max(resident, default=float("nan")), at_most=True),
    ]


def _memory_mb(process: int, what: str) -> float:
    for line in Path(f"/proc/{process}/smaps_rollup").read_text("utf-8").splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) / 1_024
    return float("nan")


def _rendered(model: Model, notes: list[str]) -> list[Figure]:
    judged = look_at(model, rendered_pictures(PICTURES))
    found = judge(judged, threshold=model.contract.thresholds.weapon)
    notes.append(f"rendered, held out, {found.pictures} pictures: {_sizes(found.recall_by_size)}")
    return [
        Figure("rendered: weapon AP50", "", 0.85, found.weapon_ap50.value, note=_interval(found.weapon_ap50)),
        Figure("rendered: person AP50", "", 0.85, found.person_ap50.value, note=_interval(found.person_ap50)),
        Figure("rendered: picture AUC", "", 0.85, found.auc.value, note=_interval(found.auc)),
    ]


def _real(model: Model, notes: list[str]) -> list[Figure]:
    if not (DATA / "annotations.jsonl").exists():
        notes.append(f"{DATA} is not there: nothing was measured on real pictures")
        return []
    judged = look_at(model, _annotated())
    found = judge(judged, threshold=model.contract.thresholds.weapon)
    notes.append(f"real validation part, {found.pictures} pictures: {_sizes(found.recall_by_size)}")
    return [
        Figure("real: weapon AP50", "", 0.30, found.weapon_ap50.value, note=_interval(found.weapon_ap50)),
        Figure("real: person AP50", "", 0.60, found.person_ap50.value, note=_interval(found.person_ap50)),
        Figure("real: picture AUC", "", 0.85, found.auc.value, note=_interval(found.auc)),
        Figure(
            "real: recall at 5 % false alarms",
            "",
            0.5,
            found.recall_at_5_percent.value,
            note=_interval(found.recall_at_5_percent),
        ),
    ]


def _annotated() -> Iterator[tuple[Picture, Floats, Floats]]:
    for annotated in read_annotations(DATA, "validation"):
        sample = load(annotated)
        yield sample.picture, sample.boxes, sample.kinds


def _events(model: Model, notes: list[str]) -> list[Figure]:
    counted = Counted()
    for number in range(SEQUENCES):
        _play(model, CameraScene(SEED + number, a_minute=3, incident=Incident(3.0)), SEQUENCE_S, counted, armed=True)
    cameras = max(1, round(HOURS * 3_600 / 300))
    for number in range(cameras):
        _play(model, CameraScene(SEED + 500 + number, a_minute=4), 300.0, counted, armed=False)
    hours = counted.ordinary_s / 3_600
    notes.append(
        f"{counted.armed} armed sequences, {hours:.2f} ordinary camera-hours; single frames at the same threshold: "
        f"recall {counted.single_found / max(counted.armed, 1):.2f}, {counted.single_false} false, events: "
        f"{counted.false} false"
    )
    fewer = counted.single_false / max(counted.false, 1)
    return [
        Figure("events: recall", "", 0.9, counted.found / max(counted.armed, 1)),
        Figure("events: false in 24 camera-hours", "", 1.0, counted.false / max(hours, 1e-9) * 24, at_most=True),
        Figure("events: fewer false than single frames", "times", 20.0, fewer),
    ]


def _play(model: Model, scene: CameraScene, length_s: float, counted: Counted, *, armed: bool) -> None:
    rules = Rules(threshold=model.contract.thresholds.weapon)
    pipeline = CameraPipeline(model, rules)
    events = singles = 0
    shows = False
    for number, (time_s, rendered) in enumerate(scene.frames(0.0, length_s, RATE)):
        shows |= any(truth.kind == "weapon" for truth in rendered.truths)
        step = pipeline.step(from_picture(rendered.picture, number, time_s))
        events += step.begun is not None
        singles += bool(len(step.found.of(WEAPON, rules.threshold)))
    if armed and shows:
        counted.armed += 1
        counted.found += events > 0
        counted.single_found += singles > 0
    if not armed:
        counted.false += events
        counted.single_false += singles
        counted.ordinary_s += length_s


def _interval(measure: object) -> str:
    low, high = getattr(measure, "low", float("nan")), getattr(measure, "high", float("nan"))
    return f"{low:.3f} to {high:.3f}"


def _sizes(rows: Sequence[tuple[str, int, float]]) -> str:
    return "recall by size " + ", ".join(f"{name} px {share:.2f} of {count}" for name, count, share in rows)


if __name__ == "__main__":
    main()
