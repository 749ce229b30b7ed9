"""The tools that are installed: the entry-point group `impetus.tools`.

A tool's code is imported where it is run or asked, not where it is only listed: a tool may bring hundreds of megabytes
of libraries with it.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
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
    code: type[Tool[Any]] | EntryPoint | None
    """Its class, or where that is to be imported from; None if that is not known."""
    error: str = ""
    """Why it cannot run, as far as is known without importing it."""

    @property
    def broken(self) -> bool:
        return bool(self.error)

    @property
    def package(self) -> str | None:
        """The package that its worker lies in; None if it lies in none."""
        if self.code is None:
            return None
        module = self.code.__module__ if isinstance(self.code, type) else self.code.module
        return module.rpartition(".")[0] or None

    @property
    def tool_type(self) -> type[Tool[Any]] | None:
        """Its class where that is imported; see `imported`."""
        # Not by `EntryPoint`: the library importlib_metadata, once imported, puts a class of its own in its place.
        return self.code if isinstance(self.code, type) else None

    def usable(self) -> tuple[type[Tool[Any]], Manifest]:
        """Its class, imported if it is not yet, and its manifest. Raises `ConfigurationError` if it is broken."""
        checked = self.imported()
        if checked.tool_type is None or checked.manifest is None or checked.error:
            raise ConfigurationError(f"tool {self.id!r} cannot run: {checked.error}", hint="mend or uninstall it")
        return checked.tool_type, checked.manifest

    def imported(self) -> InstalledTool:
        """The same with its class imported, or with the error that this brought."""
        if self.error or self.code is None or isinstance(self.code, type):
            return self
        try:
            tool_type = self.code.load()
            if not (inspect.isclass(tool_type) and issubclass(tool_type, Tool)):
                raise ConfigurationError(f"{self.code.value} is not a subclass of impetus.sdk.Tool")
        except ImpetusError as error:
            return replace(self, code=None, error=str(error))
        except (Exception, SystemExit) as error:  # a plug-in may fail in any way; the others go on
            return replace(self, code=None, error=f"{self.code.value}: {type(error).__name__}: {error}")
        return replace(self, code=tool_type)


def load_tools() -> Mapping[str, InstalledTool]:
    """All installed tools by id, sorted, none imported; one whose manifest is wrong is listed with its error."""
    return load_entry_points(entry_points(group=GROUP))


def load_tool(id: str) -> InstalledTool:
    """One installed tool. Raises `impetus.model.NotFound` if there is none of that id."""
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
            tools[entry.name] = _find(entry)
        elif known.code is None or isinstance(known.code, type) or known.code.value != entry.value:
            error = f"two packages install a tool of this name, one as {entry.value}; uninstall one of them"
            tools[entry.name] = InstalledTool(entry.name, None, None, None, error)
    return tools


def _find(entry: EntryPoint) -> InstalledTool:
    folder: Path | None = None
    manifest: Manifest | None = None
    try:
        folder = _folder(entry.module)
        manifest = read_manifest(folder)
        if manifest.id != entry.name:
            raise ConfigurationError(f"its entry point is named {entry.name!r}, its manifest {manifest.id!r}")
    except ImpetusError as error:
        return InstalledTool(entry.name, folder, manifest, None, str(error))
    except (Exception, SystemExit) as error:  # a plug-in may fail in any way; the others go on
        return InstalledTool(entry.name, folder, manifest, None, f"{entry.value}: {type(error).__name__}: {error}")
    return InstalledTool(entry.name, folder, manifest, entry)


def _folder(module: str) -> Path:
    """The folder of the module that holds the tool, found without running the module itself."""
    if module in sys.modules and (file := sys.modules[module].__file__) is not None:
        return Path(file).parent
    specification = importlib.util.find_spec(module)
    if specification is None or specification.origin is None:
        raise ConfigurationError(f"module {module} cannot be found")
    return Path(specification.origin).parent
