"""The event log between processes: one protocol, several back ends."""

from pathlib import Path

from impetus.bus.embedded import EmbeddedBus
from impetus.bus.protocol import (
    DEAD_LETTER_BODY_LIMIT,
    Bus,
    ConsumerState,
    DeadLetter,
    Delivery,
    Start,
    Subscription,
)
from impetus.bus.settings import EmbeddedSettings
from impetus.model import Clock, ConfigurationError

__all__ = [
    "DEAD_LETTER_BODY_LIMIT",
    "Bus",
    "ConsumerState",
    "DeadLetter",
    "Delivery",
    "EmbeddedBus",
    "EmbeddedSettings",
    "Start",
    "Subscription",
    "open_bus",
]


def open_bus(url: str | Path, clock: Clock, settings: EmbeddedSettings | None = None) -> Bus:
    """The bus of that address: `sqlite:///absolute/path`, or a path. Raises ConfigurationError.

    It belongs to the event loop in which it is first used.
    """
    if isinstance(url, Path):
        return EmbeddedBus(url, clock, settings)
    scheme, separator, rest = url.partition("://")
    if not separator:
        return EmbeddedBus(Path(url), clock, settings)
    if scheme != "sqlite" or not rest.startswith("/") or rest == "/":
        raise ConfigurationError(
            f"{url!r} names no bus that is supported", hint="write sqlite:///absolute/path/bus.sqlite, or a path"
        )
    return EmbeddedBus(Path(rest), clock, settings)
