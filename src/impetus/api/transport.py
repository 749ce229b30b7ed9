"""What holds for every request before any route sees it: bounded bodies, security headers, no fault that tells."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from impetus.api.problem import internal, respond

SECURITY_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
"""On every answer."""

API_HEADERS: Mapping[str, str] = {
    # An answer of the API is never a page: whatever text it carries, a browser may do nothing with it.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cache-Control": "no-store",
}
"""On every answer of the API beside those; pages bring their own policy."""

API_PREFIX = "/api/"


class _TooLarge(Exception):
    """The body went over its limit while it was read."""


class Transport:
    """ASGI middleware, outermost: limits the body, adds the security headers, turns any fault into a problem.

    `limits` maps a path to its own limit in bytes; all other paths have `limit_bytes`.
    """

    def __init__(self, app: ASGIApp, limit_bytes: int, limits: Mapping[str, int]) -> None:
        self._app = app
        self._limit_bytes = limit_bytes
        self._limits = dict(limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = str(scope["path"])
        limit = self._limits.get(path, self._limit_bytes)
        seen = 0
        started = False

        async def bounded_receive() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    raise _TooLarge
            return message

        async def guarded_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if path.startswith(API_PREFIX):
                    for name, value in API_HEADERS.items():
                        headers.setdefault(name, value)
            await send(message)

        try:
            declared = Headers(scope=scope).get("content-length", "0")
            if not declared.isdigit() or int(declared[:20]) > limit:
                raise _TooLarge
            await self._app(scope, bounded_receive, guarded_send)
        except _TooLarge:
            if started:
                raise
            answer = respond(
                "too-large",
                "The request is too large",
                413,
                f"The body is larger than the {limit} bytes that this address takes.",
                hint="Send less at once.",
                instance=path,
                # What is left of the body is not read, so the connection cannot be used again.
                headers={"Connection": "close"},
            )
            await answer(scope, receive, guarded_send)
        except ClientDisconnect:
            pass  # whoever asked has gone while asking: there is nobody to answer, and nothing to mend
        except Exception as error:
            if started:
                raise
            await internal(path, error)(scope, receive, guarded_send)
