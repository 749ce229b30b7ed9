"""Tools are found by entry point; a broken one is listed with its error and disturbs no other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from impetus.model import ConfigurationError, NotFound
from impetus.sdk.new_tool import create_tool
from impetus.sdk.registry import GROUP, load_entry_points, load_tool, load_tools


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a fresh tool `spare-tool`, importable."""
    folder = create_tool("spare-tool", tmp_path)
    monkeypatch.syspath_prepend(str(folder))
    yield folder / "spare_tool"
    for module in [name for name in sys.modules if name.partition(".")[0] == "spare_tool"]:
        del sys.modules[module]


def entry(value: str = "spare_tool.worker:SpareToolTool", name: str = "spare-tool") -> EntryPoint:
    return EntryPoint(name=name, value=value, group=GROUP)


def test_a_tool_is_found_with_its_manifest(folder: Path) -> None:
    found = load_entry_points([entry()])["spare-tool"]
    assert not found.broken, found.error
    tool_type, manifest = found.usable()
    assert tool_type.__name__ == "SpareToolTool"
    assert manifest.id == "spare-tool"
    assert found.folder == folder


@pytest.mark.parametrize(
    ("file", "text", "error"),
    [
        ("worker.py", "import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("worker.py", "1 / 0", "ZeroDivisionError"),
        ("worker.py", "def broken(:", "SyntaxError"),
        ("worker.py", "raise SystemExit(3)", "SystemExit"),
        ("worker.py", "", "AttributeError"),
        ("worker.py", "SpareToolTool = 3", "not a subclass of impetus.sdk.Tool"),
        ("__init__.py", "raise RuntimeError('no')", "RuntimeError: no"),
        ("manifest.toml", "id = 3", "manifest.toml: id: "),
    ],
)
def test_a_broken_tool_is_listed_with_its_error(folder: Path, file: str, text: str, error: str) -> None:
    (folder / file).write_text(text)
    found = load_entry_points([entry(), entry("nowhere.at.all:Tool", "nowhere")])
    assert set(found) == {"nowhere", "spare-tool"}
    broken = found["spare-tool"].imported()
    assert error in broken.error
    with pytest.raises(ConfigurationError, match="cannot run"):
        broken.usable()


def test_an_entry_point_under_another_name_is_refused(folder: Path) -> None:
    found = load_entry_points([entry(name="other-tool")])["other-tool"]
    assert "its entry point is named 'other-tool'" in found.error
    assert found.manifest is not None


def test_two_packages_with_one_name_are_refused(folder: Path) -> None:
    """Which one runs must not depend on the order of the path."""
    (folder / "second.py").write_text("from spare_tool.worker import SpareToolTool\nclass Second(SpareToolTool): ...")
    found = load_entry_points([entry(), entry("spare_tool.second:Second")])["spare-tool"]
    assert "two packages" in found.error
    assert not load_entry_points([entry(), entry()])["spare-tool"].broken


def test_an_unknown_tool_is_not_found_and_the_known_ones_are_named() -> None:
    with pytest.raises(NotFound) as caught:
        load_tool("no-such-tool")
    assert "anomaly" in caught.value.hint


def test_the_installed_tools_are_usable() -> None:
    tools = load_tools()
    assert "anomaly" in tools
    assert {name: tool.imported().error for name, tool in tools.items() if tool.imported().broken} == {}


def test_what_is_listed_is_not_imported() -> None:
    """A tool may bring hundreds of megabytes; a process that only lists it shall not carry them."""
    listing = (
        "import sys; from impetus.sdk import load_tools; tools = load_tools(); "
        "print([name for name in sys.modules if name.startswith('impetus.tools.') and name.endswith('.worker')])"
    )
    printed = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
