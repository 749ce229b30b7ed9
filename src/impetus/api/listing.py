"""Lists on the wire, and the query parameters that all lists share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from impetus.api.problem import JsonResponse
from impetus.model import Identifier, Slug

ItemType = TypeVar("ItemType")

PathId = Annotated[Identifier, Path(description="Identifier.")]
PathSlug = Annotated[Slug, Path(description="Short name.")]


class Items(BaseModel, Generic[ItemType]):
    """A page of a list."""

    items: list[ItemType]
    next: str | None = Field(default=None, description="Pass it as `after` for the next page; null on the last one.")


class Paging(BaseModel):
    """Query parameters of every list. Unknown parameters are refused, so that a misspelt filter is noticed."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=1_000, description="Items on one page.")] = 100
    after: Annotated[str | None, Field(max_length=1_000, description="The `next` of the page before.")] = None


def items_response(items: Iterable[BaseModel], next: str | None = None, *, status: int = 200) -> JsonResponse:
    """A page of a list; each item is written by its own model."""
    return raw_items((item.model_dump_json().encode() for item in items), next, status=status)


def raw_items(items: Iterable[bytes], next: str | None = None, *, status: int = 200) -> JsonResponse:
    """A page of a list whose items are JSON already."""
    following = JsonResponse(None).render(next)
    return JsonResponse(b'{"items":[' + b",".join(items) + b'],"next":' + following + b"}", status_code=status)


def part(content: BaseModel | bytes) -> orjson.Fragment:
    """A message, or JSON that is there already, as a part of a greater answer."""
    return orjson.Fragment(content if isinstance(content, bytes) else content.model_dump_json().encode())


def one(model: BaseModel, *, status: int = 200, headers: dict[str, str] | None = None) -> JsonResponse:
    """One message, written by its own model."""
    return JsonResponse(model.model_dump_json().encode(), status_code=status, headers=headers)


def plain(content: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> JsonResponse:
    """Anything that orjson writes."""
    return JsonResponse(content, status_code=status, headers=headers)
