"""The status board: what each part of the system last said of itself, and which parts fell silent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from impetus.model import Clock, Health, HealthState


class HealthBoard:
    """Keeps the newest report of each part; a part that says nothing for `silent_s` counts as stopped."""

    def __init__(self, clock: Clock, silent_s: float) -> None:
        self._clock = clock
        self._silent_s = silent_s
        self._reports: dict[str, Health] = {}
        self._heard_s: dict[str, float] = {}

    def report(self, health: Health) -> None:
        """Take in a report. The order of arrival counts, not the time in it: a clock may jump."""
        known = self._reports.get(health.part)
        if known is not None and known.restarts > health.restarts:
            # Only the supervisor counts restarts; the part itself begins at nought each time.
            health = health.model_copy(update={"restarts": known.restarts})
        self._reports[health.part] = health
        # How long ago a report came is measured here, so that the clock of another machine may differ; a report that
        # waited on the bus while this process was down counts from when it was written.
        waited_s = max(0.0, (self._clock.now() - health.time) / timedelta(seconds=1))
        self._heard_s[health.part] = self._clock.monotonic_s() - min(waited_s, self._silent_s)

    def board(self) -> Sequence[Health]:
        """All parts by name, as they are now."""
        return [self._judge(self._reports[part]) for part in sorted(self._reports)]

    def part(self, name: str) -> Health | None:
        """One part as it is now; None if it was never heard of."""
        report = self._reports.get(name)
        return None if report is None else self._judge(report)

    def fallen_silent(self) -> Sequence[Health]:
        """Parts that said they run and have fallen silent, as they are now."""
        return [
            now
            for now in self.board()
            if now.state is HealthState.STOPPED and self._reports[now.part].state is not HealthState.STOPPED
        ]

    def _judge(self, report: Health) -> Health:
        silent_s = self._clock.monotonic_s() - self._heard_s[report.part]
        if report.state is HealthState.STOPPED or silent_s < self._silent_s:
            return report
        text = f"Nothing was heard of it for {silent_s:.0f} s; it is restarted if it does not come back."
        return report.model_copy(update={"state": HealthState.STOPPED, "text": text})
