"""Errors on the wire: problem details as RFC 9457 has them, for everything that can go wrong."""

from __future__ import annotations

import http
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from impetus.model import ImpetusError, InvalidInput, NotAuthenticated, TooManyAttempts, Unavailable, new_id
from impetus.model.scrubbing import scrub
from impetus.store import VersionConflict

MEDIA_TYPE = "application/problem+json"
SHOWN_ERRORS = 20
"""Fields that are wrong beyond these are only counted."""

_CODES: Mapping[int, tuple[str, str, str]] = {
    400: ("malformed", "The request cannot be read", "Send valid JSON in UTF-8."),
    404: ("not-found", "Not found", "The addresses are listed in /api/v1/openapi.json."),
    405: ("method-not-allowed", "This address does not take that method", "See the Allow header."),
    413: ("too-large", "The request is too large", "Send less at once."),
    415: ("media-type", "This media type is not taken", "Send JSON as application/json."),
}

log = structlog.get_logger(__name__)


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field(description="What kind of problem it is, `urn:impetus:problem:CODE`.")
    title: str = Field(description="The kind in words.")
    status: int = Field(description="HTTP status.")
    detail: str = Field(description="What is wrong here.")
    hint: str = Field(default="", description="What to do.")
    instance: str = Field(default="", description="The address that was asked.")
    errors: list[dict[str, str]] = Field(
        default=[], description="The fields that are wrong, each with `field` and `message`."
    )


class JsonResponse(Response):
    """JSON, written by orjson; the charset is always UTF-8."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return content if isinstance(content, bytes) else orjson.dumps(content)


def problem_body(
    code: str, title: str, status: int, detail: str, *, hint: str = "", instance: str = "", **extra: Any
) -> bytes:
    """One problem as JSON; `extra` members are added as RFC 9457 section 3.2 allows."""
    body = {
        "type": f"urn:impetus:problem:{code}",
        "title": title,
        "status": status,
        # An error may repeat what was sent, and is shown to anybody.
        "detail": scrub(detail),
        "hint": scrub(hint),
        "instance": instance,
        **extra,
    }
    return orjson.dumps(body, default=str)


def respond(
    code: str,
    title: str,
    status: int,
    detail: str,
    *,
    hint: str = "",
    instance: str = "",
    headers: Mapping[str, str] | None = None,
    **extra: Any,
) -> Response:
    """One problem as a response."""
    return Response(
        problem_body(code, title, status, detail, hint=hint, instance=instance, **extra),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers=dict(headers) if headers else None,
    )


def from_error(error: ImpetusError, instance: str) -> Response:
    """The problem that an error of ours describes.

    A conflict about a version says where the thing stands now, in the member `current`.
    """
    headers: dict[str, str] = {}
    if isinstance(error, NotAuthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="impetus"'
    if isinstance(error, TooManyAttempts | Unavailable):
        wait_s = getattr(error, "retry_after_s", None)
        headers["Retry-After"] = str(max(1, round(wait_s)) if wait_s is not None else 5)
    extra: dict[str, Any] = {}
    if isinstance(error, VersionConflict):
        extra["current"] = {"state": error.state, "version": error.version, "handled_by": error.handled_by}
    return respond(
        error.code,
        error.title,
        error.status,
        error.message,
        hint=error.hint,
        instance=instance,
        headers=headers,
        **extra,
    )


def from_validation(errors: Sequence[Any], instance: str) -> Response:
    """The problem that a failed validation describes; what was sent is not repeated."""
    shown = [
        {"field": ".".join(str(part)[:100] for part in error["loc"])[:300], "message": str(error["msg"])[:500]}
        for error in errors[:SHOWN_ERRORS]
    ]
    first = shown[0] if shown else {"field": "", "message": "not valid"}
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    place = f"{first['field']}: " if first["field"] else ""
    return respond(
        InvalidInput.code,
        InvalidInput.title,
        InvalidInput.status,
        f"{place}{first['message']}{more}",
        hint="The form of every message is described in /api/v1/openapi.json.",
        instance=instance,
        errors=shown,
    )


def internal(instance: str, error: BaseException) -> Response:
    """The problem for a fault of ours: says nothing of the inside, and names a reference that the log has too."""
    reference = new_id()
    log.error("request failed", reference=reference, instance=instance, exc_info=error)
    return respond(
        "internal",
        "Something went wrong inside",
        500,
        "This was not your fault; it is written in the log.",
        hint=f"Tell your administrator this reference: {reference}",
        instance=instance,
        reference=reference,
    )


def add_error_handlers(app: FastAPI) -> None:
    """Let every error of the application leave as a problem."""

    async def on_error(request: Request, error: Exception) -> Response:
        if not isinstance(error, ImpetusError):
            raise error
        if error.status >= 500 and not isinstance(error, Unavailable):
            return internal(request.url.path, error)
        return from_error(error, request.url.path)

    async def on_request_validation(request: Request, error: Exception) -> Response:
        if not isinstance(error, RequestValidationError):
            raise error
        return from_validation(error.errors(), request.url.path)

    async def on_http(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        code, title, hint = _CODES.get(error.status_code, ("error", _phrase(error.status_code), ""))
        return respond(
            code,
            title,
            error.status_code,
            str(error.detail),
            hint=hint,
            instance=request.url.path,
            headers=error.headers,
        )

    app.add_exception_handler(ImpetusError, on_error)
    app.add_exception_handler(RequestValidationError, on_request_validation)
    app.add_exception_handler(HTTPException, on_http)


def invalid(error: ValidationError, place: str) -> RequestValidationError:
    """A failed validation of a part of the request, as FastAPI reports its own; `place` is `body` or `query`."""
    return RequestValidationError(
        [{**one, "loc": (place, *one["loc"])} for one in error.errors(include_url=False, include_input=False)]
    )


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Error"
