"""The rules that hold for the repository as a whole."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
INTERFACE = ROOT / "src" / "impetus" / "ui"
VENDOR = INTERFACE / "static" / "vendor"
LARGEST_FILE_BYTES = 2 * 1024 * 1024
LARGEST_WEIGHTS_BYTES = 10_000_000
"""Of a model that is shipped: small ones only."""
LICENCE_NAMES = ("LICENSE", "LICENCE", "COPYING", "OFL")


def tracked_files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def lock_names() -> set[str]:
    """Normalised names of all locked Python packages."""
    lock = (ROOT / "requirements.lock").read_text()
    return {normalised(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE)}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", ["requirements.lock", "package-lock.json", ".npmrc"])
def test_lock_files_and_npm_settings_hold_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(--index|--extra-index|--find-links|registry)", text, re.MULTILINE)


def test_npm_lock_holds_no_address_to_fetch_from() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert not [name for name, entry in packages.items() if "resolved" in entry]


def test_every_locked_python_package_has_a_hash() -> None:
    entries = re.split(r"^(?=[A-Za-z0-9])", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
    assert not [entry.split()[0] for entry in entries if "==" in entry and "--hash=sha256:" not in entry]


def test_every_locked_npm_package_has_a_hash() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert not [name for name, entry in packages.items() if name and "integrity" not in entry]


def test_every_declared_python_package_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = [
        *project["project"]["dependencies"],
        *(entry for extra in project["project"].get("optional-dependencies", {}).values() for entry in extra),
        *project["dependency-groups"]["development"],
    ]
    names = {normalised(match.group()) for entry in declared if (match := re.match(r"[A-Za-z0-9._-]+", entry))}
    assert names - lock_names() - {"impetus"} == set(), "run `make lock`"


def test_npm_packages_are_named_exactly() -> None:
    versions = json.loads((ROOT / "package.json").read_text())["dependencies"].values()
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)


def test_no_tracked_file_is_large() -> None:
    def limit(path: Path) -> int:
        return LARGEST_WEIGHTS_BYTES if path.suffix in {".npz", ".onnx"} else LARGEST_FILE_BYTES

    assert not [path.relative_to(ROOT) for path in tracked_files() if path.stat().st_size > limit(path)]


def test_nothing_that_is_built_is_tracked() -> None:
    built = {"node_modules", "__pycache__", ".venv", "site", "dist", "vendor"}
    assert not [path for path in tracked_files() if built & set(path.relative_to(ROOT).parts)]


def test_every_browser_library_carries_its_licence() -> None:
    packages = json.loads((VENDOR / "versions.json").read_text())["packages"]
    locked = json.loads((ROOT / "package.json").read_text())["dependencies"]
    assert {name: entry["version"] for name, entry in packages.items()} == locked
    for name, entry in packages.items():
        assert entry["license"]
        licences = [path for path in (VENDOR / name).iterdir() if path.name.upper().startswith(LICENCE_NAMES)]
        assert licences, f"{name} has no licence file"


def own_web_files() -> Iterator[Path]:
    for path in INTERFACE.rglob("*"):
        if path.suffix in {".html", ".jinja", ".j2", ".css", ".js", ".mjs", ".svg"} and VENDOR not in path.parents:
            yield path


# What makes a browser fetch: an element's address, a style's url() or import, a module's import, a request.
FETCHES = re.compile(
    r"""<(?:script|link|img|iframe|source|video|audio|object|embed)\b[^>]*?\b(?:src|href|srcset|data)\s*=\s*["']?\s*(?:https?:)?//
      | url\(\s*["']?\s*(?:https?:)?//
      | @import\s+["']\s*(?:https?:)?//
      | \bimport\b[^;\n]*["'](?:https?:)?//
      | \b(?:fetch|EventSource|WebSocket|Worker|importScripts)\(\s*["'`](?:https?:|wss?:)?//
    """,
    re.VERBOSE | re.IGNORECASE,
)
INLINE_SCRIPT = re.compile(
    r"<script(?![^>]*\bsrc\s*=)(?![^>]*\btype\s*=\s*[\"']application/json)[^>]*>\s*\S", re.IGNORECASE
)
INLINE_HANDLER = re.compile(r"<[a-z][^>]*\son[a-z]+\s*=", re.IGNORECASE)


def test_pages_load_nothing_from_another_host() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in own_web_files()
        for match in FETCHES.finditer(path.read_text())
    ]
    assert not wrong


def test_templates_hold_no_inline_script() -> None:
    templates = [path for path in own_web_files() if path.suffix in {".html", ".jinja", ".j2"}]
    wrong = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in templates
        for pattern in (INLINE_SCRIPT, INLINE_HANDLER)
        for match in pattern.finditer(path.read_text())
    ]
    assert not wrong


def test_no_folder_of_code_is_called_utils() -> None:
    banned = {"utils", "util", "helpers", "misc", "common"}
    assert not [path for path in (ROOT / "src").rglob("*.py") if path.stem in banned or path.parent.name in banned]


def changing_calls(source: str) -> list[str]:
    """What a test's `parametrize` decorators call that answers differently each time: the clock, chance."""
    decorators = [
        decorator
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for decorator in node.decorator_list
        if "parametrize" in ast.unparse(decorator).partition("(")[0]
    ]
    calls = [call for decorator in decorators for call in ast.walk(decorator) if isinstance(call, ast.Call)]
    names = [ast.unparse(call.func) for call in calls]
    return [name for name in names if re.search(r"(^|\.)(time|now|utcnow|today|uuid\d|token_\w+|getpid)$", name)]


def test_the_names_of_tests_are_the_same_at_each_collection() -> None:
    """Workers that collect in different seconds must find the same names, or no test is run at all."""
    assert changing_calls('@pytest.mark.parametrize("at", [int(time.time())])\ndef test_it(at): ...') == ["time.time"]
    assert not {
        str(path.relative_to(ROOT)): calls
        for path in tracked_files()
        if path.name.startswith("test_") and path.suffix == ".py"
        if (calls := changing_calls(path.read_text()))
    }
