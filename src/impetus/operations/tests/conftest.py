"""An installation on disk, without processes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from impetus.model import ManualClock
from impetus.settings import HOME_VARIABLE, Settings

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def settings_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Settings with a home of that name below the test's folder."""

    def make(name: str = "home", **changes: Any) -> Settings:
        home = tmp_path / name
        home.mkdir(exist_ok=True)
        monkeypatch.setenv(HOME_VARIABLE, str(home))
        return Settings(home=home, **changes)

    return make
