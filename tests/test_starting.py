"""A part is back soon: it imports what it uses and no more, and one that starts while its database server is away is
there as soon as the server is."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from impetus.app import opened_store
from impetus.model import SystemClock, Unavailable
from impetus.settings import Settings
from impetus.supervisor import Heartbeat
from tests.servers import PostgresqlServer


@pytest.fixture
def absent_server() -> Iterator[PostgresqlServer]:
    """A server that is not there yet, in a folder that its user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="impetus-postgresql-"))
    server = PostgresqlServer(folder, options=("fsync=off",))
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


async def test_a_part_waits_for_its_database_and_says_meanwhile_that_it_is_well(
    tmp_path: Path, absent_server: PostgresqlServer
) -> None:
    """Its supervisor does not take it for one that hangs; who asks by hand is told at once."""
    server = absent_server
    settings = Settings(home=tmp_path / "home", store=f"postgresql://impetus@{server.host}:{server.port}/postgres")
    with pytest.raises(Unavailable):
        async with opened_store(settings, SystemClock()):
            pass
    read_end, write_end = os.pipe()
    heartbeat = Heartbeat(write_end)

    async def start() -> bool:
        async with opened_store(settings, SystemClock(), heartbeat) as store, store.view() as transaction:
            return await transaction.organisations.find("nobody") is None

    starting = asyncio.create_task(start())
    assert await asyncio.to_thread(os.read, read_end, 1) == b"."
    await asyncio.to_thread(server.create)
    await asyncio.to_thread(server.start)
    assert await asyncio.wait_for(starting, 120)
    for end in (read_end, write_end):
        os.close(end)


PROGRAM = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*sorted(sys.modules))
"""


def test_a_worker_and_a_connector_import_nothing_of_the_hub() -> None:
    """What they import decides how soon they are back after they died; the hub's part is most of the program."""
    names = ("impetus.cli", "impetus.app", "impetus.connectors.mqtt.connector", "impetus.tools.cyber.worker")
    done = subprocess.run([sys.executable, "-c", PROGRAM, *names], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert set(names) <= loaded
    hub = {"fastapi", "uvicorn", "xmlschema", "fpdf", "jinja2", "SpiffWorkflow", "prometheus_client"}
    hub |= {"impetus.hub", "impetus.api.app", "impetus.ui", "impetus.situation.runtime", "impetus.response.runtime"}
    heavy = {"scipy", "numba", "pandas", "sklearn", "av", "cv2", "onnxruntime"}
    assert not loaded & (hub | heavy)


def test_what_parts_are_forked_from_has_no_thread_and_holds_no_file() -> None:
    """A forked process has no thread but one, and would share what is open with its siblings."""
    program = (
        "import os, threading; before = set(os.listdir('/proc/self/fd'))\nimport impetus.preloaded\n"
        "print(threading.active_count(), len(set(os.listdir('/proc/self/fd')) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "0"]
