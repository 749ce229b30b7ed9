"""The event log between processes: one protocol, several back ends."""

from pathlib import Path

from impetus.bus.embedded import EmbeddedBus
from impetus.bus.jetstream.settings import JetStreamSettings
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

NATS_SCHEMES = ("nats", "tls")

__all__ = [
    "DEAD_LETTER_BODY_LIMIT",
    "Bus",
    "ConsumerState",
    "DeadLetter",
    "Delivery",
    "EmbeddedBus",
    "EmbeddedSettings",
    "JetStreamSettings",
    "Start",
    "Subscription",
    "open_bus",
]


def open_bus(
    url: str | Path,
    clock: Clock,
    settings: EmbeddedSettings | None = None,
    jetstream: JetStreamSettings | None = None,
) -> Bus:
    """The bus of that address: `sqlite:///absolute/path`, a path, or `nats://HOST[:PORT][,HOST...][/NAME]`.

    NAME is what streams and subjects begin with, if it is not the one in the settings.

    It belongs to the event loop in which it is first used. Raises ConfigurationError.
    """
    if isinstance(url, Path):
        return EmbeddedBus(url, clock, settings)
    scheme, separator, rest = url.partition("://")
    if not separator:
        return EmbeddedBus(Path(url), clock, settings)
    if scheme in NATS_SCHEMES and rest.strip("/"):
        # Imported here: who does not use it need not wait for it.
        from impetus.bus.jetstream.bus import JetStreamBus

        hosts, _, name = rest.partition("/")
        servers = [f"{scheme}://{host.strip()}" for host in hosts.split(",") if host.strip()]
        chosen = jetstream or JetStreamSettings()
        if name:
            chosen = JetStreamSettings.model_validate({**chosen.model_dump(), "name": name})
        return JetStreamBus(servers, clock, chosen)
    if scheme != "sqlite" or not rest.startswith("/") or rest == "/":
        raise ConfigurationError(
            f"{url!r} names no bus that is supported",
            hint="write sqlite:///absolute/path/bus.sqlite, a path, or nats://HOST:4222",
        )
    return EmbeddedBus(Path(rest), clock, settings)
