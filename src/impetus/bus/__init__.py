"""The event log between processes: one protocol, several back ends."""

from impetus.bus.protocol import (
    DEAD_LETTER_BODY_LIMIT,
    Bus,
    ConsumerState,
    DeadLetter,
    Delivery,
    Start,
    Subscription,
)

__all__ = ["DEAD_LETTER_BODY_LIMIT", "Bus", "ConsumerState", "DeadLetter", "Delivery", "Start", "Subscription"]
