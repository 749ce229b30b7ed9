"""The tools that are installed: the entry-point group `impetus.tools`."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from impetus.model import ConfigurationError, ImpetusError, NotFound
from impetus.sdk.manifest import Manifest, read_manifest
from impetus.sdk.tool import Tool

GROUP = "impetus.tools"


@dataclass(frozen=True, slots=True)
class InstalledTool:
    """A tool that was found: usable, or broken and why."""

    id: str
    folder: Path | None
    """Where its manifest and card lie; None if that could not be found out."""
    manifest: Manifest | None
    """None if the manifest is wrong."""
    tool_type: type[Tool[Any]] | None
    error: str = ""
    """Why it cannot run; empty if it can."""

    @property
    def broken(self) -> bool:
        return bool(self.error)

    def usable(self) -> tuple[type[Tool[Any]], Manifest]:
        """Its class and manifest. Raises `ConfigurationError` if it is broken."""
        if self.tool_type is None or self.manifest is None or self.error:
            raise ConfigurationError(f"tool {self.id!r} cannot run: {self.error}", hint="mend or uninstall it")
        return self.tool_type, self.manifest


def load_tools() -> Mapping[str, InstalledTool]:
    """All installed tools by id, sorted; one that fails to import is listed with its error and disturbs no other."""
    return load_entry_points(entry_points(group=GROUP))


def load_tool(id: str) -> InstalledTool:
    """One installed tool. Imports no other. Raises `impetus.model.NotFound` if there is none of that id."""
    found = load_entry_points(entry_points(group=GROUP, name=id))
    if id not in found:
        known = ", ".join(sorted(entry.name for entry in entry_points(group=GROUP))) or "none"
        raise NotFound(f"there is no tool {id!r}", hint=f"installed: {known}")
    return found[id]


def local_tool(tool_type: type[Tool[Any]]) -> InstalledTool:
    """A tool that is imported but perhaps not installed, with the manifest beside its module.

    Raises `ConfigurationError` if the manifest is wrong.
    """
    folder = Path(inspect.getfile(tool_type)).parent
    manifest = read_manifest(folder)
    return InstalledTool(manifest.id, folder, manifest, tool_type)


def load_entry_points(entries: Iterable[EntryPoint]) -> Mapping[str, InstalledTool]:
    """The tools behind entry points, by id, sorted."""
    tools: dict[str, InstalledTool] = {}
    for entry in sorted(entries, key=lambda entry: entry.name):
        known = tools.get(entry.name)
        if known is None:
            tools[entry.name] = _load(entry)
        elif known.tool_type is None or _qualified_name(known.tool_type) != entry.value:
            error = f"two packages install a tool of this name, one as {entry.value}; uninstall one of them"
            tools[entry.name] = InstalledTool(entry.name, None, None, None, error)
    return tools


def _load(entry: EntryPoint) -> InstalledTool:
    folder: Path | None = None
    manifest: Manifest | None = None
    try:
        folder = _folder(entry.module)
        manifest = read_manifest(folder)
        if manifest.id != entry.name:
            raise ConfigurationError(f"its entry point is named {entry.name!r}, its manifest {manifest.id!r}")
        tool_type = entry.load()
        if not (inspect.isclass(tool_type) and issubclass(tool_type, Tool)):
            raise ConfigurationError(f"{entry.value} is not a subclass of impetus.sdk.Tool")
    except ImpetusError as error:
        return InstalledTool(entry.name, folder, manifest, None, str(error))
    except (Exception, SystemExit) as error:  # a plug-in may fail in any way; the others go on
        return InstalledTool(entry.name, folder, manifest, None, f"{entry.value}: {type(error).__name__}: {error}")
    return InstalledTool(entry.name, folder, manifest, tool_type)


def _folder(module: str) -> Path:
    """The folder of the module that holds the tool, found without running the module itself."""
    if module in sys.modules and (file := sys.modules[module].__file__) is not None:
        return Path(file).parent
    specification = importlib.util.find_spec(module)
    if specification is None or specification.origin is None:
        raise ConfigurationError(f"module {module} cannot be found")
    return Path(specification.origin).parent


def _qualified_name(tool_type: type[Tool[Any]]) -> str:
    return f"{tool_type.__module__}:{tool_type.__qualname__}"
