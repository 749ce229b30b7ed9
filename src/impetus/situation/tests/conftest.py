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


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
async def any_house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """The same on each database: for what several people do at once, since only one of them writes one at a time."""
    url = None if request.param == "sqlite" else str(request.getfixturevalue("fresh_database"))
    async with opened_house(tmp_path, store_url=url) as opened:
        yield opened
