"""What a listener or a broker hands to the connector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class Arrival:
    """One MQTT message."""

    connection: int
    """Position of its connection in the settings."""
    topic: str
    payload: bytes
    """Of a payload that is too large: its head."""
    size_bytes: int
    """Size of the whole payload."""
    acknowledge: Callable[[], None] | None = None
    """Tells the sender that the message is dealt with; None where the sender does not ask (QoS 0)."""


class Sink(Protocol):
    """Takes messages in. When it is full it asks its sources to pause; what comes nevertheless is still taken."""

    @property
    def is_overfull(self) -> bool:
        """Whether a source that cannot be paused must hand on nothing more."""
        ...

    def accept(self, arrival: Arrival) -> None:
        """Take a message; never raises and never waits."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether sources should pause."""
        ...


class Source(Protocol):
    """Where messages come from."""

    async def start(self) -> None:
        """Begin to listen, or to try to connect. Raises ConfigurationError if that can never work."""
        ...

    def pause(self) -> None:
        """Hand on no more messages for now, where the source can."""
        ...

    def resume(self) -> None:
        """Go on after `pause`."""
        ...

    async def close(self) -> None:
        """Stop; acknowledgements may still be given after `pause` and before this."""
        ...

    @property
    def lost(self) -> int:
        """Messages that could be neither taken nor held back."""
        ...

    @property
    def trouble(self) -> str | None:
        """What is wrong with the source in words for people; None if all is well."""
        ...
