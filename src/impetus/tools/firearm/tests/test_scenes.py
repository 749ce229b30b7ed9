"""Protects rendered cameras: a scenario decides when somebody armed comes, and no file of calls ends a camera."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impetus.model import InvalidInput
from impetus.tools.firearm.scenes.live import Calls, scene_of
from impetus.tools.firearm.scenes.sequence import CameraScene


def weapons(scene: CameraScene, time_s: float) -> int:
    return sum(truth.kind == "weapon" for truth in scene.frame(time_s).truths)


def test_who_is_called_comes_shows_a_gun_and_goes() -> None:
    scene = scene_of("scene:7?a_minute=0&width=640")
    assert [weapons(scene, time_s) for time_s in (0.0, 60.0)] == [0, 0]
    scene.call(60.0)
    assert weapons(scene, 60.5) == 0  # walks in
    assert weapons(scene, 70.0) == 1
    assert weapons(scene, 85.0) == 0
    scene.call(200.0)
    assert weapons(scene, 210.0) == 1


def test_only_new_whole_lines_that_call_somebody_count(tmp_path: Path) -> None:
    file = tmp_path / "a camera.calls"
    file.write_text("firearm\n")
    calls = Calls(f"scene:7?calls={quote(str(file))}")
    assert calls.new() == 0  # what was there before the camera was opened
    with file.open("a") as more:
        more.write("firearm\ndragon\nfire")
    assert calls.new() == 1
    with file.open("a") as more:
        more.write("arm\n")
    assert [calls.new(), calls.new()] == [1, 0]
    file.write_text("")
    assert calls.new() == 0
    file.unlink()
    assert calls.new() == 0
    assert Calls("scene:7").new() == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=30_000), max_size=5))
def test_any_bytes_in_the_file_of_calls_are_passed_over(tmp_path: Path, parts: list[bytes]) -> None:
    file = tmp_path / "calls"
    file.write_bytes(b"")
    calls = Calls(f"scene:7?calls={quote(str(file))}")
    for part in parts:
        with file.open("ab") as more:
            more.write(part)
        assert calls.new() <= part.count(b"firearm") + 1
    for _ in range(1 + sum(map(len, parts)) // 5_000):
        calls.new()
    with file.open("ab") as more:
        more.write(b"\nfirearm\n")
    assert sum(calls.new() for _ in range(3)) >= 1


@pytest.mark.parametrize("address", ["scene:x", "scene:3?dragon=1", "scene:3?width=7", "scene:3?a_minute=many"])
def test_an_address_that_is_no_scene_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput, match="scene"):
        scene_of(address)
