"""Protects the command line's exact output, which others' programs read."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
from typer.testing import CliRunner

from impetus.tools.firearm.cli import app
from impetus.tools.firearm.scenes.sequence import CameraScene, Incident


def lines(*arguments: str) -> list[dict[str, object]]:
    """What the command printed."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_detect_of_a_folder(tmp_path: Path) -> None:
    """A line a picture in the order of names, with class, score and box; a broken one is set aside, not fatal."""
    scene = CameraScene(3, width=320, height=180, a_minute=60)
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), scene.frame(60.0 + 5 * number).picture)
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    found = lines("detect", str(tmp_path), "--json")
    assert [line["frame"] for line in found] == ["0.jpg", "1.jpg", "2.jpg"]
    for line in found:
        assert set(line) == {"frame", "time_s", "objects"}
        objects = line["objects"]
        assert isinstance(objects, list)
        for each in objects:
            assert set(each) == {"class", "score", "box_xyxy"}
            assert each["class"] in {"person", "weapon"}
            left, top, right, bottom = each["box_xyxy"]
            assert 0 <= left < right <= 320
            assert 0 <= top < bottom <= 180


def test_detect_of_a_video(tmp_path: Path) -> None:
    """A line an analysed frame, with its number and time."""
    path = tmp_path / "a.mp4"
    scene = CameraScene(3, width=320, height=180, a_minute=30, incident=Incident(0.0))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for _, rendered in scene.frames(0, 4, 5):
            for packet in stream.encode(av.VideoFrame.from_ndarray(rendered.picture, format="bgr24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    found = [line for line in lines("detect", str(path), "--every", "2", "--json") if "event" not in line]
    assert [line["frame"] for line in found] == list(range(0, 20, 2))
    assert found[1]["time_s"] == 0.4


def test_errors_are_one_line(tmp_path: Path) -> None:
    """What is not there, or no model, ends with 2 and one line."""
    for arguments in (["detect", str(tmp_path / "none")], ["detect", str(tmp_path), "--model", str(tmp_path / "m.pt")]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1


def test_evaluate_compares(tmp_path: Path) -> None:
    """Figures with intervals on annotated pictures."""
    scene = CameraScene(3, width=320, height=180, a_minute=60)
    entries = []
    for number in range(4):
        rendered = scene.frame(60.0 + 5 * number)
        cv2.imwrite(str(tmp_path / f"{number}.png"), rendered.picture)
        entries.append(
            {
                "image": f"{number}.png",
                "split": "validation",
                "objects": [{"class": each.kind, "box_xyxy": list(each.box)} for each in rendered.truths],
            }
        )
    (tmp_path / "annotations.jsonl").write_text("\n".join(json.dumps(entry) for entry in entries), "utf-8")
    (found,) = lines("evaluate", "--data", str(tmp_path))
    assert found["pictures"] == 4
    person = found["person_ap50"]
    assert isinstance(person, dict)
    assert 0 <= person["low"] <= person["value"] <= person["high"] <= 1
