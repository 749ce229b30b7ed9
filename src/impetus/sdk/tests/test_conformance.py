"""Every installed tool keeps the rules that the platform relies on."""

from __future__ import annotations

import pytest

from impetus.sdk.conformance import CHECKS, Check
from impetus.sdk.registry import InstalledTool, load_tools


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("installed", load_tools().values(), ids=lambda installed: installed.id)
def test_conformance(installed: InstalledTool, check: Check) -> None:
    check(installed)
