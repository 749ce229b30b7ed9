"""Fixtures of the situation's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from impetus.situation.tests.house import House, opened_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A bus, a store and people; nothing runs in the background."""
    async with opened_house(tmp_path) as opened:
        yield opened
