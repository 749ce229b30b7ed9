"""The conditions of decisions: comparisons of one answer with given values. Never evaluated as a program."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from impetus.model import InvalidInput

_COMPARISON = re.compile(r"\s*([a-z][a-z0-9_]{0,62})\s*==\s*(?:'([a-z0-9_]{1,63})'|\"([a-z0-9_]{1,63})\")\s*")
LENGTH_LIMIT = 500
HINT = "Write it as  answer == 'value',  or several of these with 'or' between, all about the same answer."


@dataclass(frozen=True, slots=True)
class Condition:
    """True when the answer `field` is one of `values`."""

    field: str
    values: frozenset[str]

    def holds(self, answers: Mapping[str, object]) -> bool:
        """Whether it is true of these answers; an answer that is missing makes it false."""
        return answers.get(self.field) in self.values


def parse_condition(text: str) -> Condition:
    """Read `verdict == 'confirmed' or verdict == 'likely'`. Raises `InvalidInput` for anything else.

    >>> parse_condition("verdict == 'yes'").holds({"verdict": "yes"})
    True
    """
    if len(text) > LENGTH_LIMIT:
        raise InvalidInput(f"a condition is longer than {LENGTH_LIMIT} characters", hint=HINT)
    fields: set[str] = set()
    values: set[str] = set()
    for part in text.split(" or "):
        match = _COMPARISON.fullmatch(part)
        if match is None:
            raise InvalidInput(f"the condition {text.strip()[:100]!r} cannot be read", hint=HINT)
        fields.add(match[1])
        values.add(match[2] or match[3])
    if len(fields) != 1:
        raise InvalidInput(f"the condition {text.strip()[:100]!r} is about several answers", hint=HINT)
    return Condition(fields.pop(), frozenset(values))
