"""What all messages and values share: immutability, strictness, bounded text, UTC times, time-ordered identifiers."""

from __future__ import annotations

import os
import time
import uuid
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints

IMPETUS_NAMESPACE = uuid.UUID("6a1f4d0e-6d1c-5e55-9c0c-1a9e70c17a11")


def new_id() -> str:
    """A fresh identifier that sorts by creation time (UUID version 7, RFC 9562)."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | (random >> 68 & 0xFFF) << 64 | 0b10 << 62
    return str(uuid.UUID(int=value | random & 0x3FFF_FFFF_FFFF_FFFF))


def derived_id(*parts: str) -> str:
    """The same identifier for the same parts, always (UUID version 5, RFC 9562).

    What is derived from a message that may be delivered twice is named this way, so that it is kept once.
    """
    return str(uuid.uuid5(IMPETUS_NAMESPACE, "\x1f".join(parts)))


def _to_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:  # the first or last hours of the calendar, with an offset
        raise ValueError("this time is outside the calendar") from error


UtcTime = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A moment: needs an offset on the way in, is UTC afterwards."""

Identifier = Annotated[
    str,
    StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9_:/@~-]*(\.[A-Za-z0-9_:/@~-]+)*$"),
]
"""A name that machines use: of a datastream, a tool, a tenant. No spaces, no leading or trailing dot."""

Slug = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9-]*$")]
"""A short name in lower case that may stand in a bus subject and in an address: of a tenant, a tool, a message kind."""

Line = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]
"""One line of text for people."""

Text = Annotated[str, StringConstraints(max_length=10_000)]
"""Text for people, of any number of lines."""


class Value(BaseModel):
    """An immutable value; unknown fields are refused, so that a misspelt field is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)
