"""`impetus new-tool NAME`: writes a working tool that passes its tests, to be changed into something useful."""

from __future__ import annotations

import importlib.util
import keyword
import re
import shutil
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from string import Template
from types import MappingProxyType

from impetus.model import ConfigurationError, Conflict, InvalidInput
from impetus.sdk.registry import GROUP

NAME_PATTERN = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
NAME_LIMIT = 40

TEMPLATES: Mapping[str, str] = MappingProxyType(
    {
        "pyproject.toml": "pyproject.toml",
        "init.py": "{package}/__init__.py",
        "manifest.toml": "{package}/manifest.toml",
        "settings.py": "{package}/settings.py",
        "limit.py": "{package}/limit.py",
        "tasks.py": "{package}/tasks.py",
        "worker.py": "{package}/worker.py",
        "panel.py": "{package}/panel.py",
        "README.md": "{package}/README.md",
        "test_limit.py": "{package}/tests/test_limit.py",
        "test_worker.py": "{package}/tests/test_worker.py",
    }
)
"""Files in `template/` (with `.txt` after the name) and where they go."""


def create_tool(name: str, destination: Path) -> Path:
    """Write the folder `destination/name` with an installable package of one tool, and return it.

    Raises:
        InvalidInput: the name is not usable.
        Conflict: the folder exists, or a tool of that name is installed.
        ConfigurationError: the folder cannot be written.
    """
    package = validate_name(name)
    if any(entry.name == name for entry in entry_points(group=GROUP)):
        raise Conflict(f"a tool {name!r} is installed already", hint="choose another name")
    folder = destination / name
    words = name.split("-")
    values = {
        "name": name,
        "package": package,
        "title": " ".join(words).capitalize(),
        "tool_class": "".join(word.capitalize() for word in words) + "Tool",
        "settings_class": "".join(word.capitalize() for word in words) + "Settings",
    }
    templates = files("impetus.sdk") / "template"
    written = {
        target.format(package=package): Template((templates / f"{source}.txt").read_text("utf-8")).substitute(values)
        for source, target in TEMPLATES.items()
    }
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise Conflict(f"{folder} exists already", hint="choose another name or destination") from error
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be created: {error.strerror}") from error
    try:
        for target, text in written.items():
            path = folder / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)  # half a tool would be in the way of the next try
        raise ConfigurationError(f"{folder} cannot be written: {error.strerror}") from error
    return folder


def validate_name(name: str) -> str:
    """The package name that goes with a tool's name. Raises `InvalidInput` with what a name looks like.

    >>> validate_name("noise-level")
    'noise_level'
    """
    hint = "use words in lower case joined by hyphens, for example noise-level"
    if not NAME_PATTERN.fullmatch(name):
        raise InvalidInput(f"{name[:80]!r} is no name for a tool", hint=hint)
    if len(name) > NAME_LIMIT:
        raise InvalidInput(f"{name[:80]!r} is too long for a tool's name", hint=f"use at most {NAME_LIMIT} characters")
    package = name.replace("-", "_")
    if keyword.iskeyword(package) or package in sys.stdlib_module_names or _importable(package):
        raise InvalidInput(f"{name!r} is the name of a Python module", hint="choose another name")
    return package


def _importable(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return True
