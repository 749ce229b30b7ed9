"""The bus on NATS JetStream keeps the contract, on a real server."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from impetus.bus import Bus, JetStreamSettings, open_bus
from impetus.bus.tests.contract import BackEnd, BusContract
from impetus.bus.tests.machine import BusMachine
from impetus.model import SystemClock
from tests.servers import NatsServer

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)


@dataclass(frozen=True)
class JetStreamBackEnd:
    """A log of its own name on a server that other tests use too."""

    server: str
    name: str = field(default_factory=lambda: f"test-{secrets.token_hex(6)}")

    @property
    def address(self) -> str:
        return f"{self.server}/{self.name}"

    def open(self, *, lag_messages: int | None = None, wait_s: float | None = None) -> Bus:
        changes: dict[str, float] = {}
        if lag_messages is not None:
            changes["lag_messages"] = lag_messages
        if wait_s is not None:
            changes["wait_s"] = wait_s
        return open_bus(self.address, SystemClock(), jetstream=JetStreamSettings.model_validate(changes))


class TestJetStreamBus(BusContract):
    """All of it."""

    @pytest.fixture
    def back_end(self, nats_server: NatsServer) -> BackEnd:
        return JetStreamBackEnd(nats_server.url)


class JetStreamMachine(BusMachine):
    """The state machine on JetStream."""

    server: ClassVar[str]

    @classmethod
    def new_back_end(cls, folder: Path) -> BackEnd:
        return JetStreamBackEnd(cls.server)


@pytest.mark.parametrize("examples", [5, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(1_800)])])
def test_whatever_is_done_the_durable_consumer_gets_what_it_must(nats_server: NatsServer, examples: int) -> None:
    """The state machine of the contract, on JetStream."""
    JetStreamMachine.server = nats_server.url
    run_state_machine_as_test(
        JetStreamMachine,
        settings=settings(max_examples=examples, stateful_step_count=25, deadline=None, phases=PHASES),
    )
