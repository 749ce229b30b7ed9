"""Reading the body of a request straight into a model, with the strict parser of pydantic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from impetus.api.problem import invalid

ModelType = TypeVar("ModelType", bound=BaseModel)


async def read_json(request: Request) -> bytes:
    """The body of a request that says it is JSON.

    A page of another site cannot send that media type without asking first, so this also guards against forged
    requests.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(415, "The body must be JSON and say so: Content-Type: application/json.")
    return await request.body()


def json_body(model: type[ModelType]) -> Callable[[Request], Awaitable[ModelType]]:
    """A dependency that reads the body as `model`; what does not fit is answered with 422 and what is wrong."""
    adapter = TypeAdapter(model)

    async def read(request: Request) -> ModelType:
        content = await read_json(request)
        try:
            return adapter.validate_json(content)
        except ValidationError as error:
            raise invalid(error, "body") from None

    return read
