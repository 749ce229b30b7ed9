"""A worker in a process of its own: `python -m impetus.sdk.tests.worker_process TOOL HOME`.

It writes the number of its heartbeats into the file `HOME/TOOL.beats`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from impetus.sdk.tests import sample
from impetus.sdk.tests.rig import open_rig
from impetus.sdk.worker import run_worker


async def main(name: str, home: Path) -> None:
    beats = 0

    def beat() -> None:
        nonlocal beats
        beats += 1
        (home / f"{name}.beats").write_text(str(beats))

    async with open_rig(home) as rig:
        tool = sample.installed(sample.TOOLS[name], name)
        await rig.approve(tool, "municipality")
        await run_worker(tool, rig.bus, rig.store, rig.clock, home, {}, heartbeat=beat)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
