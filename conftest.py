"""What every test may use."""

from __future__ import annotations

import importlib.util
import os

import pytest
import structlog
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

pytest_plugins = ["tests.servers"]

# A busy machine is slow; that is no failure of the code under test.
TOLERANT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The quick suite tries the same examples each time: what it says of a change is said of that change.
settings.register_profile("repeatable", TOLERANT, derandomize=True)
# `make test-all` looks for new ones.
settings.register_profile("searching", TOLERANT)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

# The default draws every frame with its variables, which takes seconds for one deep traceback.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

# Alembic runs these itself; they cannot be imported for their examples.
collect_ignore_glob = ["src/impetus/store/migrations/*"]
if importlib.util.find_spec("torch") is None:
    # Training alone needs it, and it is in no lock file.
    collect_ignore_glob += [
        f"src/impetus/tools/firearm/{name}.py" for name in ("learning", "network", "pytorch", "training")
    ]

MARKER_OF_FIXTURE = {
    "mosquitto_server": "mosquitto",
    "nats_server": "nats",
    "secure_mosquitto_server": "mosquitto",
    "postgresql_server": "postgresql",
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the servers that it uses, so that `-m "not postgresql"` leaves them out."""
    for item in items:
        for fixture, marker in MARKER_OF_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)


SHARED_CITY = "tests/browser/city/"


class Scheduling(LoadFileScheduling):  # type: ignore[misc]  # xdist says nothing of its types
    """Each file to one worker, and all files that share a running city to one."""

    def _split_scope(self, nodeid: str) -> str:
        return SHARED_CITY if nodeid.startswith(SHARED_CITY) else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """In place of `--dist loadfile`."""
    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None
