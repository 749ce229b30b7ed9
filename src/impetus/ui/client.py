"""The pages' way to data: the same REST interface that anyone may use, called inside the process.

A page is only a client. It sees what the person's session lets the interface show and nothing else, so that the pages
have no rules of their own about who may read or do what.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Scope

from impetus.model import ImpetusError

PREFIX = "/api/v1"
FORWARDED_HEADERS = ("cookie", "x-csrf-token", "user-agent", "origin", "sec-fetch-site", "host", "x-forwarded-for")


class ApiProblem(ImpetusError):
    """The interface refused a call; carries what its RFC 9457 problem says."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(
            str(problem.get("detail") or problem.get("title") or status), hint=str(problem.get("hint") or "")
        )
        self.http_status = status
        self.heading = str(problem.get("title") or "")
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Reply:
    """What the interface answered."""

    status: int
    headers: Headers
    body: bytes

    def json(self) -> Any:
        """The decoded body; None if it is empty."""
        return json.loads(self.body) if self.body else None


class Client:
    """Calls the interface in the name of whoever sent a request."""

    def __init__(self, app: ASGIApp, request: Request, *, csrf: str | None = None) -> None:
        """`csrf` stands in for the header of that name where a plain form was sent."""
        self._app = app
        self._scope = request.scope
        self._headers = [(name, value) for name, value in request.headers.raw if name.decode() in FORWARDED_HEADERS]
        if csrf is not None:
            self._headers.append((b"x-csrf-token", csrf.encode("latin-1", "replace")))

    async def get(self, path: str, **query: str | int | None) -> Any:
        """The JSON at `path` (below the interface's prefix; it may carry a query itself). Raises `ApiProblem`."""
        path, _, own_query = path.partition("?")
        given = urlencode({name: value for name, value in query.items() if value is not None})
        return (await self.call("GET", path, query="&".join(part for part in (own_query, given) if part))).json()

    async def send(self, method: str, path: str, body: object = None) -> Reply:
        """Call with a JSON body. Raises `ApiProblem`."""
        return await self.call(method, path, body=None if body is None else json.dumps(body).encode())

    async def call(self, method: str, path: str, *, query: str = "", body: bytes | None = None) -> Reply:
        """One call. Raises `ApiProblem` for every answer from 400 on."""
        headers = list(self._headers)
        if body is not None:
            headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        full_path = PREFIX + path
        scope: Scope = {
            **{name: self._scope.get(name) for name in ("asgi", "client", "server", "scheme", "http_version", "state")},
            "type": "http",
            "method": method,
            "path": full_path,
            "raw_path": full_path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": headers,
        }
        reply = await _call(self._app, scope, body or b"")
        if reply.status >= 400:
            raise ApiProblem(reply.status, _problem(reply))
        return reply


def _problem(reply: Reply) -> Mapping[str, Any]:
    try:
        problem = reply.json()
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) else {"title": f"The server answered {reply.status}"}


async def _call(app: ASGIApp, scope: Scope, body: bytes) -> Reply:
    status = 500
    headers = Headers()
    chunks: list[bytes] = []
    request_sent = False

    async def receive() -> Message:
        nonlocal request_sent
        if request_sent:
            await asyncio.Event().wait()  # the caller stays connected until it has its answer
        request_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = Headers(raw=list(message.get("headers", [])))
        elif message["type"] == "http.response.body":
            chunks.append(message.get("body", b""))

    await app(scope, receive, send)
    return Reply(status, headers, b"".join(chunks))
