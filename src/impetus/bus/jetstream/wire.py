"""Messages as NATS carries them: CloudEvents 1.0 in the binary mode of the NATS protocol binding.

The body is the message; what the envelope says stands in headers `ce-...`, percent-encoded as the binding asks. The
subject is `NAME.m.SLOT.TENANT.KIND.ORIGIN`, so that servers choose by any part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, unquote

from impetus.bus.subjects import SubjectPattern
from impetus.model import Envelope

MESSAGE_ID = "Nats-Msg-Id"
"""The server ignores a message whose id it remembers."""
_SAFE = " !#$&'()*+,-./:;<=>?@[]^_`{|}~"


@dataclass(frozen=True, slots=True)
class Names:
    """Names of the streams and subjects of one installation."""

    prefix: str

    @property
    def log(self) -> str:
        """Stream of the messages."""
        return f"{self.prefix}-log"

    @property
    def state(self) -> str:
        """Stream of the consumers' states, the newest of each."""
        return f"{self.prefix}-state"

    @property
    def letters(self) -> str:
        """Stream of the dead letters."""
        return f"{self.prefix}-letters"

    def message(self, slot: int | str, subject: str) -> str:
        """Where a message is published."""
        return f"{self.prefix}.m.{slot}.{subject}"

    def group(self, durable: str) -> str:
        """Where the state of a durable consumer is kept."""
        return f"{self.prefix}.s.group.{durable}"

    @property
    def setting(self) -> str:
        """Where what all processes must agree on is kept."""
        return f"{self.prefix}.s.setting"

    def notice(self, durable: str) -> str:
        """Where members say that others should look."""
        return f"{self.prefix}.n.{durable}"

    def letter(self, tenant: str) -> str:
        """Where the dead letters of a tenant are."""
        return f"{self.prefix}.d.{tenant}"


def headers_of(envelope: Envelope) -> dict[str, str]:
    """The envelope without its body."""
    return {
        MESSAGE_ID: quote(envelope.id, safe=_SAFE),
        "ce-specversion": envelope.specversion,
        "ce-id": quote(envelope.id, safe=_SAFE),
        "ce-source": quote(envelope.source, safe=_SAFE),
        "ce-type": envelope.type,
        "ce-subject": envelope.subject,
        "ce-time": envelope.time.isoformat(),
        "ce-tenant": envelope.tenant,
        "ce-partition": quote(envelope.partition, safe=_SAFE),
        "content-type": envelope.datacontenttype,
    }


def envelope_of(headers: Mapping[str, str], body: bytes) -> Envelope:
    """Back from headers and body. Raises KeyError or ValueError for what impetus did not send."""
    return Envelope(
        id=unquote(headers["ce-id"]),
        source=unquote(headers["ce-source"]),
        type=headers["ce-type"],
        subject=headers["ce-subject"],
        time=datetime.fromisoformat(headers["ce-time"]),
        tenant=headers["ce-tenant"],
        partition=unquote(headers["ce-partition"]),
        data=body,
    )


def slot_and_subject(nats_subject: str) -> tuple[int, str]:
    """Slot and subject of a message by where it was published."""
    _, _, slot, subject = nats_subject.split(".", 3)
    return int(slot), subject


def matches(patterns: Sequence[SubjectPattern], subject: str) -> bool:
    """Whether one of the patterns chooses that subject."""
    tokens = subject.split(".", 2)
    return len(tokens) == 3 and any(pattern.matches(*tokens) for pattern in patterns)


def common_filter(names: Names, patterns: Sequence[SubjectPattern], slot: int | str = "*") -> str:
    """The narrowest one filter for the server that chooses all that the patterns choose.

    Debian's server takes one filter a consumer; what it lets through besides is sorted out here.
    """

    def common(tokens: set[str | None]) -> str:
        return next(iter(tokens)) or "*" if len(tokens) == 1 else "*"

    parts = [
        common({pattern.tenant for pattern in patterns}),
        common({pattern.kind for pattern in patterns}),
        common({pattern.origin for pattern in patterns}),
    ]
    return names.message(slot, ".".join(parts))
