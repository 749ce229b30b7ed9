"""Protects: guessing gets slower with each failure and never locks anybody out for long, whatever the clock does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from impetus.governance import LogInThrottled, ThrottleSettings
from impetus.governance.throttle import ThrottleKind, after_failure, check, wait_s
from impetus.model import ManualClock
from impetus.store import ThrottleRecord
from impetus.store.tests.conftest import NOW

SETTINGS = ThrottleSettings()


def test_the_wait_doubles_up_to_the_longest() -> None:
    waits = [wait_s(failures, SETTINGS.free_attempts_name, SETTINGS) for failures in range(1, 20)]
    assert waits[:8] == [0, 0, 0, 0, 2, 4, 8, 16]
    assert waits == sorted(waits)
    assert waits[-1] == SETTINGS.longest_wait_s
    assert wait_s(10**9, 1, SETTINGS) == SETTINGS.longest_wait_s


def test_the_answer_says_when_to_try_again() -> None:
    record = ThrottleRecord(
        kind="name", key="anna", failures=5, last_failure=NOW, blocked_until=NOW + timedelta(seconds=7.2)
    )
    with pytest.raises(LogInThrottled, match="8 s") as caught:
        check(record, NOW, SETTINGS)
    assert caught.value.retry_after_s == 8
    check(record, NOW + timedelta(seconds=7.2), SETTINGS)
    check(None, NOW, SETTINGS)


def test_a_clock_that_was_set_back_by_years_makes_no_wait_longer_than_the_longest() -> None:
    record = after_failure(None, ThrottleKind.NAME, "anna", NOW, SETTINGS).model_copy(
        update={"failures": 9, "blocked_until": NOW + timedelta(days=4_000)}
    )
    with pytest.raises(LogInThrottled) as caught:
        check(record, NOW, SETTINGS)
    assert caught.value.retry_after_s <= SETTINGS.longest_wait_s


class Throttle(RuleBasedStateMachine):
    """Attempts that fail, time that passes, a clock that jumps: against a count kept by hand."""

    @initialize(kind=st.sampled_from(ThrottleKind))
    def begin(self, kind: ThrottleKind) -> None:
        self.kind = kind
        self.free = SETTINGS.free_attempts_name if kind is ThrottleKind.NAME else SETTINGS.free_attempts_address
        self.clock = ManualClock(NOW)
        self.record: ThrottleRecord | None = None
        self.failures = 0
        self.let_in = True

    def attempt(self) -> bool:
        try:
            check(self.record, self.clock.now(), SETTINGS)
        except LogInThrottled as error:
            self.retry_after_s = error.retry_after_s
            return False
        return True

    @rule(times=st.integers(1, 8))
    def fail(self, times: int) -> None:
        for _ in range(times):
            if not self.attempt():
                assert 1 <= self.retry_after_s <= SETTINGS.longest_wait_s
                continue
            before = self.record
            now = self.clock.now()
            forgotten = before is not None and (now - before.last_failure).total_seconds() > SETTINGS.forget_s
            self.failures = 1 if before is None or forgotten else self.failures + 1
            self.record = after_failure(before, self.kind, "key", now, SETTINGS)
            assert self.record.failures == self.failures
            assert self.attempt() == (self.failures < self.free)

    @rule()
    def succeed(self) -> None:
        if self.kind is ThrottleKind.NAME and self.attempt():
            self.record = None
            self.failures = 0

    @rule(seconds=st.one_of(st.floats(0, 2_000), st.just(SETTINGS.forget_s + 1)))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(seconds=st.floats(-400_000, -1))
    def set_the_clock_back(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @invariant()
    def nobody_waits_longer_than_the_longest_wait_once_the_clock_goes_on(self) -> None:
        if getattr(self, "record", None) is not None:
            assert self.record is not None
            check(self.record, self.record.blocked_until, SETTINGS)
            assert self.record.blocked_until - self.record.last_failure <= timedelta(seconds=SETTINGS.longest_wait_s)


Throttle.TestCase.settings = hypothesis_settings(max_examples=60, stateful_step_count=30)
TestThrottle = Throttle.TestCase
