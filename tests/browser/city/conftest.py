"""The demo city that the tests in this folder share.

One worker runs them all (`conftest.py` of the repository), and the city ends with the last of them: two cities and two
browsers are as much as two cores carry.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.installation import Installation, running_demo

TOOLS = ("anomaly",)
"""Tools that the pages' tests need."""


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The demo city, with its sensors sending."""
    with running_demo(tmp_path_factory.mktemp("demo"), tools=TOOLS) as installation:
        yield installation
