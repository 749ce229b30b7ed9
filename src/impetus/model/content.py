"""Free JSON inside a message: an object of bounded length that every JSON reader understands."""

from __future__ import annotations

import json

from pydantic import AfterValidator, JsonValue


def bounded_json(limit_bytes: int) -> AfterValidator:
    """Checks a `dict[str, JsonValue]`: standard JSON (no NaN, no lone surrogates) of at most `limit_bytes` as UTF-8."""

    def check(content: dict[str, JsonValue]) -> dict[str, JsonValue]:
        try:
            size = len(json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode())
        except RecursionError as error:
            raise ValueError("the content is nested too deeply") from error
        if size > limit_bytes:
            raise ValueError(f"the content has {size} bytes as JSON; {limit_bytes} are allowed")
        return content

    return AfterValidator(check)
