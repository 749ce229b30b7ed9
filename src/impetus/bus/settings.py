"""What can be set on the embedded bus."""

from __future__ import annotations

from dataclasses import dataclass

_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class EmbeddedSettings:
    """Limits of the embedded log. The defaults suit one machine that carries a city."""

    partitions: int = 16
    """Partitions that the members of one durable name share, 1 to 62; kept in the file when it is made."""
    power_safe: bool = True
    """Flush the disk at each commit of messages, so that a power cut loses nothing that was published.

    Without it a power cut may lose the last moments; killing processes loses nothing either way.
    """
    queue_messages: int = 10_000
    queue_bytes: int = 64 * _MEBIBYTE
    """What one process lets wait to be written; beyond either bound `publish` waits."""
    lag_messages: int = 2_000_000
    lag_bytes: int = 8 * 1024 * _MEBIBYTE
    """How far the slowest durable consumer may fall behind before publishers must wait."""
    wait_s: float = 10.0
    """How long `publish` waits under pressure before it raises `Unavailable`."""
    size_limit_bytes: int | None = None
    """Greatest size of the log file; None leaves it to the disk."""
    dead_letters_per_tenant: int = 20_000
    """When there are more, the oldest go, with a warning in the log."""
