"""What leaves by the interface for those who have no part in the investigation: free text is scrubbed on the way."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, Final

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from impetus.governance import Principal
from impetus.model import Permission
from impetus.model.scrubbing import KEYS_KEPT, scrub, scrub_json

FREE_TEXT: Final = tuple(
    f"/api/v1/{name}"
    for name in (
        "alerts", "incidents", "decisions", "handovers", "results", "requests", "dead-letters", "map",
        "shared-incidents", "stream", "procedures", "tasks", "notifications", "tools", "dashboards",
        "statistics", "public-statistics",
    )
)  # fmt: skip
"""Where texts are that tools, the outside world or investigators wrote."""


KEPT_OF_LETTERS: Final = KEYS_KEPT - {"subject"}
"""What a letter came by is a name that the outside world chose."""


class ExitFilter:
    """ASGI middleware: who may not open evidence reads scrubbed text, whatever the route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not str(scope["path"]).startswith(FREE_TEXT):
            await self._app(scope, receive, send)
            return
        # A call that our own pages make brings the state of theirs, or none; each finds out anew who asks.
        state = scope["state"] = {**(scope.get("state") or {})}
        state.pop("principal", None)
        letters = str(scope["path"]).startswith("/api/v1/dead-letters")
        outlet = _Outlet(state, send, KEPT_OF_LETTERS if letters else KEYS_KEPT)
        await self._app(scope, receive, outlet.send)


class _Outlet:
    """Passes one answer on, scrubbed if it has to be."""

    def __init__(self, state: Mapping[str, Any], send: Send, kept: Set[str]) -> None:
        self._state = state
        self._kept = kept
        self._send = send
        self._start: Message | None = None
        self._kind = ""
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._kind = self._kind_of(message)
            if self._kind in ("", "stream"):
                await self._send(message)
            else:
                self._start = message
            return
        if message["type"] != "http.response.body" or not self._kind:
            await self._send(message)
        elif self._kind == "stream":
            await self._send({**message, "body": _scrub_events(message.get("body", b""))})
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish()

    async def _finish(self) -> None:
        if self._kind == "json":
            body = orjson.dumps(scrub_json(orjson.loads(bytes(self._body)), kept=self._kept)) if self._body else b""
        else:
            body = scrub(self._body.decode("utf-8", errors="replace")).encode()
        if self._start is None:
            raise RuntimeError("an answer without a beginning")
        MutableHeaders(scope=self._start)["content-length"] = str(len(body))
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": body})

    def _kind_of(self, message: Message) -> str:
        """How this answer is to be scrubbed; empty if not at all."""
        principal = self._state.get("principal")
        if isinstance(principal, Principal) and principal.may(Permission.EVIDENCE_READ):
            return ""
        media_type = Headers(raw=list(message.get("headers", ()))).get("content-type", "").partition(";")[0]
        if media_type == "text/event-stream":
            return "stream"
        if media_type.endswith("json"):
            return "json"
        return "text" if media_type.startswith("text/") or media_type.endswith("xml") else ""


def _scrub_events(body: bytes) -> bytes:
    """Server-sent events with the JSON of each `data:` line scrubbed; frames come whole."""
    lines = []
    for line in body.split(b"\n"):
        if line.startswith(b"data:"):
            try:
                line = b"data: " + orjson.dumps(scrub_json(orjson.loads(line[5:])))
            except orjson.JSONDecodeError:
                line = b"data: " + scrub(line[5:].decode("utf-8", errors="replace")).encode()
        lines.append(line)
    return b"\n".join(lines)
