"""A log is read by whoever looks after the machine: an outage is a line of it, a fault of the program a traceback."""

from __future__ import annotations

import json

import pytest
import structlog

from impetus.app import configure_logging
from impetus.model import Unavailable


def test_a_server_that_is_away_is_told_in_a_line_and_a_fault_with_where_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = structlog.get_config()
    try:
        configure_logging()
        log = structlog.get_logger("test")
        for error in (Unavailable("the database does not answer"), ValueError("a fault")):
            try:
                raise error
            except Exception as caught:
                log.warning("consumer waits", exc_info=caught)
                log.exception("background task failed")
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    finally:
        structlog.configure(**before)
    assert [("exception" in line, line.get("error")) for line in lines] == [
        (False, "the database does not answer"),
        (False, "the database does not answer"),
        (True, None),
        (True, None),
    ]
