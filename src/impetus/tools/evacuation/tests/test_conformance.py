"""The tool keeps what every tool promises: the conformance suite."""

from __future__ import annotations

import pytest

from impetus.sdk import local_tool
from impetus.sdk.conformance import CHECKS, Check
from impetus.tools.evacuation.worker import EvacuationTool


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_conformance(check: Check) -> None:
    check(local_tool(EvacuationTool))
