"""`impetus new-tool` writes a tool that works as it is, and refuses names that would not."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import impetus
from impetus.model import Conflict, ImpetusError, InvalidInput
from impetus.sdk.new_tool import create_tool, validate_name


def test_the_new_tool_passes_its_tests_and_the_conformance_suite(tmp_path: Path) -> None:
    folder = create_tool("noise-level", tmp_path / "tools")
    source = str(Path(impetus.__file__).parent.parent)
    outcome = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": source, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "18 passed" in outcome.stdout


def test_the_new_tool_is_typed_strictly_and_formatted(tmp_path: Path) -> None:
    folder = create_tool("water-level-2", tmp_path)
    source = str(Path(impetus.__file__).parent.parent)
    for command in (
        ["ruff", "check", "--isolated", "--line-length=120", "."],
        ["ruff", "format", "--isolated", "--line-length=120", "--check", "."],
        ["mypy", "--strict", "--cache-dir", str(tmp_path / "mypy"), "--explicit-package-bases", "water_level_2"],
    ):
        outcome = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=folder,
            env={**os.environ, "MYPYPATH": f"{source}:."},
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_the_new_tool_can_be_found_when_installed(tmp_path: Path) -> None:
    """The entry point names the class that is there."""
    folder = create_tool("noise-level", tmp_path)
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    module, tool_class = project["project"]["entry-points"]["impetus.tools"]["noise-level"].split(":")
    path = folder / (module.replace(".", "/") + ".py")
    assert f"class {tool_class}(Tool[" in path.read_text()


@pytest.mark.parametrize(
    "name",
    ["", "Noise", "noise_level", "noise level", "../evil", "-x", "x-", "a--b", "1st", "é", "class", "json", "numpy"],
)
def test_a_bad_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        create_tool(name, tmp_path)
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_long_name_is_refused() -> None:
    with pytest.raises(InvalidInput, match="too long"):
        validate_name("a" * 41)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    create_tool("noise-level", tmp_path)
    with pytest.raises(Conflict):
        create_tool("noise-level", tmp_path)
    with pytest.raises(Conflict, match="installed"):
        create_tool("anomaly", tmp_path)


def test_a_destination_that_is_a_file_is_an_error_with_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ImpetusError):
        create_tool("noise-level", tmp_path / "file")
