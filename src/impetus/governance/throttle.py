"""Failed log-ins slow down further ones: a state machine for each name and each network address."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from enum import StrEnum

from impetus.governance.settings import ThrottleSettings
from impetus.model import TooManyAttempts
from impetus.store import ThrottleRecord


class ThrottleKind(StrEnum):
    """What failed log-ins are counted for."""

    NAME = "name"
    ADDRESS = "address"


class LogInThrottled(TooManyAttempts):
    """Logging in failed too often; says when to try again."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message, hint=f"Try again in {retry_after_s} s.")
        self.retry_after_s = retry_after_s
        """Whole seconds, for HTTP's `Retry-After`."""


def wait_s(failures: int, free: int, settings: ThrottleSettings) -> float:
    """Seconds to wait after that many failures: none while they are free, then doubling up to the longest."""
    if failures < free:
        return 0.0
    doublings = min(failures - free, 64)
    return min(settings.first_wait_s * 2.0**doublings, settings.longest_wait_s)


def check(record: ThrottleRecord | None, now: datetime, settings: ThrottleSettings) -> None:
    """Raises `LogInThrottled` while a further attempt has to wait."""
    if record is None or _forgotten(record, now, settings):
        return
    # A clock that was set back must not make the wait longer than any wait can be.
    wait = min((record.blocked_until - now).total_seconds(), settings.longest_wait_s)
    if wait > 0:
        where = "with this name" if record.kind == ThrottleKind.NAME else "from this address"
        raise LogInThrottled(f"logging in {where} failed too often", retry_after_s=max(1, math.ceil(wait)))


def after_failure(
    record: ThrottleRecord | None, kind: ThrottleKind, key: str, now: datetime, settings: ThrottleSettings
) -> ThrottleRecord:
    """The record after one more failed attempt."""
    failures = 1 if record is None or _forgotten(record, now, settings) else record.failures + 1
    free = settings.free_attempts_name if kind is ThrottleKind.NAME else settings.free_attempts_address
    wait = timedelta(seconds=wait_s(failures, free, settings))
    return ThrottleRecord(kind=kind.value, key=key, failures=failures, last_failure=now, blocked_until=now + wait)


def _forgotten(record: ThrottleRecord, now: datetime, settings: ThrottleSettings) -> bool:
    return (now - record.last_failure).total_seconds() > settings.forget_s
