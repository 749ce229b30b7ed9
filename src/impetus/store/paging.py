"""Opaque cursors: where a page ended, so that the next one begins there whatever was added meanwhile."""

from __future__ import annotations

import base64
import binascii
import json

from impetus.model import InvalidInput

PAGE_LIMIT = 1_000
"""Items that one page may hold."""

CursorKey = int | float | str


def bounded(limit: int) -> int:
    """The page size that is used for the one that was asked for."""
    if limit < 1:
        raise InvalidInput(f"a page of {limit} items was asked for", hint=f"Ask for 1 to {PAGE_LIMIT}.")
    return min(limit, PAGE_LIMIT)


def write_cursor(order: str, key: CursorKey, id: str) -> str:
    """A cursor that stands just after the item with this sort key and id."""
    return base64.urlsafe_b64encode(json.dumps([order, key, id]).encode()).decode().rstrip("=")


def read_cursor(order: str, cursor: str) -> tuple[int | float, str]:
    """Sort key and id of the item that the cursor stands after. Raises `InvalidInput` for anything else."""
    error = InvalidInput("the cursor `after` is not one of this list", hint="Begin again without it.")
    if len(cursor) > 1_000:
        raise error
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError) as reason:
        raise error from reason
    match parts:
        case [str(written), int() | float() as key, str(id)] if (
            written == order and not isinstance(key, bool) and -(2**62) < key < 2**62 and "\0" not in id
        ):
            return key, id
        case _:
            raise error
