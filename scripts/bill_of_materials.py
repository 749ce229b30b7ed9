"""Write the bill of materials: every package of the lock files as CycloneDX 1.5, with its version and hashes."""

from __future__ import annotations

import base64
import json
import re
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def python_packages(lock: str) -> Iterator[dict[str, Any]]:
    """Components of a requirements file with hashes."""
    for block in re.split(r"\n(?=[A-Za-z0-9])", lock):
        if (found := PINNED.match(block)) is None:
            continue
        name, version = found["name"].lower(), found["version"]
        yield {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{version}",
            "hashes": [{"alg": "SHA-256", "content": value} for value in sorted(set(HASH.findall(block)))],
        }


def npm_packages(lock: str) -> Iterator[dict[str, Any]]:
    """Components of a package-lock.json."""
    for path, package in sorted(json.loads(lock)["packages"].items()):
        if not path:
            continue
        name, version = path.rsplit("node_modules/", 1)[1], package["version"]
        algorithm, _, digest = package.get("integrity", "").partition("-")
        component: dict[str, Any] = {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:npm/{name.replace('@', '%40')}@{version}",
        }
        if algorithm == "sha512":
            component["hashes"] = [{"alg": "SHA-512", "content": base64.b64decode(digest).hex()}]
        yield component


def bill() -> dict[str, Any]:
    """The whole bill; the same for the same lock files."""
    locks = [(ROOT / name).read_text() for name in ("requirements.lock", "package-lock.json")]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, ''.join(locks))}",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "impetus"}},
        "components": [*python_packages(locks[0]), *npm_packages(locks[1])],
    }


def main() -> None:
    """Write it to the file that is named, or to standard output."""
    text = json.dumps(bill(), indent=1) + "\n"
    if len(sys.argv) > 1:
        Path(sys.argv[1]).parent.mkdir(parents=True, exist_ok=True)
        Path(sys.argv[1]).write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
