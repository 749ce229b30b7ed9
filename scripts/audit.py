"""Look for known weaknesses in the locked packages (pip-audit), where an advisory service answers.

A machine without such a service is told so in one line, and nothing fails: whether a service answers is found by asking
it for a package that is known to be weak. A weakness that is found fails with its name, unless it stands in
`audit_ignored.toml` with a reason and a date that has not passed. What was looked for today is not looked for again.

`python scripts/audit.py [--say] [LOCK_FILE]`: with `--say` a weakness is named and nothing fails, so that one that
became known overnight holds up no other change. `IMPETUS_AUDIT_OSV_URL` names another service that speaks OSV's query
API.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
IGNORED = Path(__file__).with_name("audit_ignored.toml")
DONE = ROOT / ".make" / "audited"
SAY = "--say"
PROBE = "jinja2==2.4.1"
"""Known to be weak since 2014 (GHSA-8r7q-cvjq-x353, CVE-2014-1402): a service that does not say so knows nothing."""
PROBE_LIMIT_S = 15
AUDIT_LIMIT_S = 150
SOCKET_LIMIT_S = 5


@dataclass(frozen=True, slots=True)
class Weakness:
    """A known weakness of a package that is locked."""

    package: str
    version: str
    ids: tuple[str, ...]
    """Its name in the service first, then its others (CVE, GHSA)."""
    mended_in: tuple[str, ...] = ()

    def __str__(self) -> str:
        mended = f"mended in {', '.join(self.mended_in)}" if self.mended_in else "not mended yet"
        return f"{self.package} {self.version}: {', '.join(self.ids)} ({mended})"


@dataclass(frozen=True, slots=True)
class Ignored:
    """A weakness that is lived with, why, and until when."""

    id: str
    reason: str
    until: datetime.date


def services() -> Sequence[tuple[str, Sequence[str]]]:
    """Names of advisory services in the order of asking, and how pip-audit is told."""
    if address := os.environ.get("IMPETUS_AUDIT_OSV_URL"):
        return [("the service of IMPETUS_AUDIT_OSV_URL", ("-s", "osv", "--osv-url", address))]
    return [("PyPI", ("-s", "pypi")), ("OSV", ("-s", "osv"))]


def asked(service: Sequence[str], requirements: Path, limit_s: float) -> list[Mapping[str, Any]] | None:
    """What a service says of the packages of a file; None if it does not answer in time."""
    command = [sys.executable, "-m", "pip_audit", *service, "--disable-pip", "--no-deps", "--format", "json",
               "--timeout", str(SOCKET_LIMIT_S), "--progress-spinner", "off", "-r", str(requirements)]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)  # noqa: S603 (pip-audit)
        return list(json.loads(done.stdout)["dependencies"])
    except (subprocess.TimeoutExpired, ValueError, KeyError, TypeError):
        return None


def weaknesses(answer: Sequence[Mapping[str, Any]]) -> list[Weakness]:
    """Those of an answer of pip-audit, each once."""
    return sorted(
        {
            Weakness(
                one["name"], one["version"], (found["id"], *found.get("aliases", ())), tuple(found["fix_versions"])
            )
            for one in answer
            for found in one.get("vulns", ())
        },
        key=str,
    )


def answering() -> tuple[str, Sequence[str]] | None:
    """The first service that knows what is known; None if there is none."""
    with tempfile.TemporaryDirectory(prefix="impetus-audit-") as folder:
        probe = Path(folder) / "probe.txt"
        probe.write_text(f"{PROBE}\n")
        for name, service in services():
            if weaknesses(asked(service, probe, PROBE_LIMIT_S) or []):
                return name, service
    return None


def ignored(file: Path = IGNORED) -> list[Ignored]:
    """What is lived with."""
    return [Ignored(**entry) for entry in tomllib.loads(file.read_text()).get("ignored", [])]


def unlived(found: Sequence[Weakness], lived_with: Sequence[Ignored], today: datetime.date) -> list[Weakness]:
    """Weaknesses that no entry lets pass today."""
    passing = {entry.id for entry in lived_with if entry.until >= today}
    return [weakness for weakness in found if not passing & set(weakness.ids)]


def main() -> int:
    """Look and say; 1 if a package is known to be weak, unless it is only to be said."""
    arguments = [argument for argument in sys.argv[1:] if argument != SAY]
    lock = Path(arguments[0]) if arguments else ROOT / "requirements.lock"
    today = datetime.datetime.now(datetime.UTC).date()
    mark = hashlib.sha256(lock.read_bytes() + IGNORED.read_bytes() + str(today).encode()).hexdigest()
    if DONE.is_file() and DONE.read_text().strip() == mark:
        print("Known weaknesses of packages: none (looked for earlier today)")
        return 0
    if (service := answering()) is None:
        print("Known weaknesses of packages: not looked for, no advisory service answers here (PyPI, OSV)")
        return 0
    name, options = service
    if (answer := asked(options, lock, AUDIT_LIMIT_S)) is None:
        print(f"Known weaknesses of packages: not looked for, {name} did not answer within {AUDIT_LIMIT_S} s")
        return 0
    lived_with = ignored()
    found = weaknesses(answer)
    left = unlived(found, lived_with, today)
    for weakness in left:
        print(f"Known weakness: {weakness}", file=sys.stderr)
    if left:
        print("Take newer versions (make lock UPGRADE=1), or enter it with a reason and a date in "
              "scripts/audit_ignored.toml.", file=sys.stderr)  # fmt: skip
        return 0 if SAY in sys.argv else 1
    unknown = [str(one["name"]) for one in answer if "skip_reason" in one]
    print(
        f"Known weaknesses of packages: none in {len(answer) - len(unknown)} packages"
        + (f", {len(found)} lived with until a date" if found else "")
        + (f"; {name} does not know {', '.join(unknown[:5])}{' ...' if len(unknown) > 5 else ''}" if unknown else "")
    )
    DONE.parent.mkdir(exist_ok=True)
    DONE.write_text(mark)
    return 0


if __name__ == "__main__":
    sys.exit(main())
