"""Whatever is asked of any route, by whoever: no server error, and an answer in the form of a problem."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from schemathesis.generation import GenerationMode

from impetus.api.tests.conftest import Api

PREFIX = "/api/v1"
SERVER_ERROR = 500
STREAMS = ("/stream",)
"""They do not end by themselves."""


def cases_of(operation: Any, count: int) -> list[Any]:
    """Requests that the description allows, and as many that it does not."""
    found: list[Any] = []
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @settings(
            max_examples=count,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def gather(case: Any) -> None:
            found.append(case)

        try:
            gather()
        except Exception:  # nothing can be made that breaks the description of a route without parameters
            if mode is GenerationMode.POSITIVE:
                raise
    return found


def operations(app: Any) -> Iterator[Any]:
    described: Any = schemathesis.openapi.from_dict(app.openapi())
    for result in described.get_all_operations():
        operation = result.ok()
        if not any(part in operation.path for part in STREAMS):
            yield operation


async def send(client: httpx.AsyncClient, case: Any) -> httpx.Response:
    """The request as it is, as far as HTTP can carry it."""
    body = case.body
    content = body if isinstance(body, bytes) else None
    if content is None and isinstance(body, dict | list | str | int | float | bool):
        content = json.dumps(body, default=str).encode()
    headers = {
        name: value
        for name, value in (case.headers or {}).items()
        if name.isascii() and str(value).isprintable() and str(value).isascii() and name.lower() != "authorization"
    }
    if content is not None:
        headers["Content-Type"] = "application/json"
    path = case.formatted_path.removeprefix(PREFIX)
    return await client.request(case.method, path, params=case.query or None, content=content, headers=headers)


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(1, marks=pytest.mark.timeout(600)),
        pytest.param(40, marks=[pytest.mark.slow, pytest.mark.timeout(7_200)]),
    ],
)
async def test_no_request_is_a_server_error(api: Api, count: int) -> None:
    """As an administrator, who may do most; and without a log-in."""
    person, nobody = await api.person("ada"), api.client()
    sent = 0
    wrong: list[str] = []
    for operation in operations(api.app):
        for case in cases_of(operation, count):
            if case.path.endswith("/session") and case.method == "DELETE":
                continue  # it would log out
            for client in (person, nobody):
                try:
                    answer = await send(client, case)
                except (httpx.InvalidURL, UnicodeError, ValueError):
                    continue  # no client can send that
                sent += 1
                if answer.status_code >= SERVER_ERROR:
                    wrong.append(f"{case.method} {answer.url}: {answer.status_code} {answer.text[:300]}")
    assert not wrong, "\n".join(wrong[:20])
    assert sent > 100
