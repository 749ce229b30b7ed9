"""Subjects `TENANT.KIND.ORIGIN`, the patterns that choose among them, and the names of durable consumers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from impetus.model import ConfigurationError

_TOKEN = re.compile(r"[A-Za-z0-9_:/@~-]+")
_DURABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_:-]{0,127}")
_LENGTH = 3


@dataclass(frozen=True, slots=True)
class SubjectPattern:
    """A parsed pattern; None stands for any token."""

    tenant: str | None
    kind: str | None
    origin: str | None

    @classmethod
    def parse(cls, pattern: str) -> SubjectPattern:
        """`*` stands for one token, a last `>` for one or more. Raises ConfigurationError if nothing can match."""
        tokens = pattern.split(".")
        open_ended = tokens[-1] == ">"
        if open_ended:
            tokens.pop()
        fits = len(tokens) < _LENGTH if open_ended else len(tokens) == _LENGTH
        if not fits or any(part != "*" and not _TOKEN.fullmatch(part) for part in tokens):
            raise ConfigurationError(
                f"{pattern!r} is no subject pattern",
                hint="write TENANT.KIND.ORIGIN, with * for any one part and > for all that follow",
            )
        chosen = [None if part == "*" else part for part in tokens]
        tenant, kind, origin = chosen + [None] * (_LENGTH - len(chosen))
        return cls(tenant, kind, origin)

    def matches(self, tenant: str, kind: str, origin: str) -> bool:
        """Whether a subject of these three tokens is chosen."""
        return (
            (self.tenant is None or self.tenant == tenant)
            and (self.kind is None or self.kind == kind)
            and (self.origin is None or self.origin == origin)
        )


def parse_patterns(subjects: Sequence[str]) -> tuple[SubjectPattern, ...]:
    """All patterns of a subscription, at least one. Raises ConfigurationError."""
    if isinstance(subjects, str) or not subjects:
        raise ConfigurationError(
            "a subscription needs a list of at least one subject pattern", hint='for example [">"]'
        )
    return tuple(dict.fromkeys(SubjectPattern.parse(subject) for subject in subjects))


def check_durable(durable: str) -> str:
    """The name itself. Raises ConfigurationError for one that some back end could not hold."""
    if not _DURABLE.fullmatch(durable):
        raise ConfigurationError(
            f"{durable!r} cannot name a durable consumer",
            hint="use up to 128 letters, digits, underscores, colons and hyphens, a letter or digit first",
        )
    return durable
