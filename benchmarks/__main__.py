"""Run the benchmarks one after another: `python -m benchmarks [NAME ...]`; all of them where no name is given."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
HELPERS = {"faults", "fuzz_seeds", "fuzz_targets", "load", "machines", "reporting", "screens"}


def machine() -> str:
    """One line that says what the figures were taken on."""
    processor = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.split(":", 1)[1].strip()
            break
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{processor}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def how(returncode: int) -> str:
    """In words how a process ended: what is killed leaves no traceback."""
    if returncode > 0:
        return f"exit status {returncode}"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"killed by signal {-returncode}"


def main(names: list[str]) -> int:
    available = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in HELPERS and path.stem[0] != "_")
    if unknown := sorted(set(names) - set(available)):
        print(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(available)}.", file=sys.stderr)
        return 2
    print(f"Machine: {machine()}", flush=True)
    failed = []
    for name in names or available:
        print(f"\n{name}", flush=True)
        # A process of its own each, so that no benchmark warms or burdens the next.
        ended = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=FOLDER.parent, check=False).returncode
        if ended:
            failed.append(f"{name} ({how(ended)})")
    if failed:
        print(f"\nFailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
