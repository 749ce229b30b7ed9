"""Protects what every tool must do."""

from __future__ import annotations

import pytest

from impetus.sdk import local_tool
from impetus.sdk.conformance import CHECKS, Check
from impetus.tools.firearm.worker import FirearmTool


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_conformance(check: Check) -> None:
    """Manifest, card, settings, panels, and bad input of any kind."""
    check(local_tool(FirearmTool))
