"""What the console's own traffic says of load: what one holds, what waits, how fast decisions follow each other."""

from __future__ import annotations

from impetus.sdk import Duty, DutyBoard

WAITING_BEARABLE = 2.0
"""Alerts that wait, for each operator, that are no strain yet."""
FEWEST_DECISIONS = 3
FAST_PAUSE_S = 20.0
MOST = 3.0


def console_logit(duty: Duty, board: DutyBoard, *, usual_cap: int) -> float:
    """Log odds of high load by the console alone, from -3 to 3: a hint that no data was fitted to.

    Half of what one may hold, and two waiting for each operator, are taken for even odds.

    >>> console_logit(Duty(person="a", held=0, cap=10), DutyBoard(operators=5), usual_cap=10)
    -3.0
    >>> console_logit(Duty(person="a", held=10, cap=10), DutyBoard(operators=5, waiting=30), usual_cap=10)
    3.0
    """
    held = duty.held / max(duty.cap or usual_cap, 1)
    waiting = board.waiting / max(board.operators, 1) / WAITING_BEARABLE
    hectic = 0.0
    if duty.decisions >= FEWEST_DECISIONS and duty.pause_s is not None:
        hectic = max(0.0, 1 - duty.pause_s / FAST_PAUSE_S) + duty.switches / duty.decisions * 0.5
    corrections = min(duty.corrections, 2) * 0.5
    logit = 4 * (held - 0.5) + 1.5 * (min(waiting, 2.5) - 1) + hectic + corrections
    return max(-MOST, min(MOST, logit))
