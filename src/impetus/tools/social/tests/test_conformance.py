"""Protects what every tool must do: declared, documented, and upright with hostile input."""

from __future__ import annotations

import pytest

from impetus.sdk.conformance import CHECKS, Check
from impetus.sdk.registry import local_tool
from impetus.tools.social.worker import SocialTool


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_conformance(check: Check) -> None:
    check(local_tool(SocialTool))
