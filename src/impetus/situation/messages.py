"""Words for what is wrong with a message."""

from __future__ import annotations

from pydantic import ValidationError

SHOWN = 3


def validation_reason(error: ValidationError) -> str:
    """The first few fields that are wrong, without repeating what was sent."""
    problems = error.errors(include_url=False, include_input=False)
    parts = [f"{'.'.join(str(part) for part in one['loc'])[:100]}: {one['msg'][:200]}" for one in problems[:SHOWN]]
    more = f" (and {len(problems) - SHOWN} more)" if len(problems) > SHOWN else ""
    return "; ".join(parts) + more
