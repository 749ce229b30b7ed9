"""The embedded bus keeps the contract."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from impetus.bus import Bus, EmbeddedSettings, open_bus
from impetus.bus.tests.contract import BackEnd, BusContract
from impetus.bus.tests.machine import BusMachine
from impetus.model import SystemClock

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
"""All but the explanation, which traces every line and would take minutes."""


@dataclass(frozen=True)
class EmbeddedBackEnd:
    """A log in one file."""

    address: str

    def open(self, *, lag_messages: int | None = None, wait_s: float | None = None) -> Bus:
        settings = EmbeddedSettings()
        if lag_messages is not None:
            settings = replace(settings, lag_messages=lag_messages)
        if wait_s is not None:
            settings = replace(settings, wait_s=wait_s)
        return open_bus(self.address, SystemClock(), settings)


class TestEmbeddedBus(BusContract):
    """All of it."""

    @pytest.fixture
    def back_end(self, tmp_path: Path) -> BackEnd:
        return EmbeddedBackEnd(f"sqlite://{tmp_path}/bus.sqlite")


class EmbeddedMachine(BusMachine):
    """The state machine on the embedded bus."""

    @staticmethod
    def new_back_end(folder: Path) -> BackEnd:
        return EmbeddedBackEnd(f"sqlite://{folder}/bus.sqlite")


@pytest.mark.parametrize("examples", [10, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(1_200)])])
def test_whatever_is_done_the_durable_consumer_gets_what_it_must(examples: int) -> None:
    """The state machine of the contract, on the embedded bus."""
    run_state_machine_as_test(
        EmbeddedMachine, settings=settings(max_examples=examples, stateful_step_count=30, deadline=None, phases=PHASES)
    )
