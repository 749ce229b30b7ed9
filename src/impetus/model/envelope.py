"""The envelope of everything on the bus: a CloudEvent (CNCF, 1.0) with extensions for tenant and partition."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, Field, StringConstraints

from impetus.model.alert import Alert
from impetus.model.base import Identifier, Line, Slug, UtcTime, Value, new_id
from impetus.model.handover import Handover
from impetus.model.health import Health
from impetus.model.incident import Assessment, Incident
from impetus.model.observation import ExpectationBatch, ObservationBatch
from impetus.model.procedure import ProcedureRun, SimulationRequest, Task
from impetus.model.request import RequestOutcome, ToolRequest
from impetus.model.result import ToolNotice, ToolResult
from impetus.model.sharing import Agreement, IncidentMessage, IncidentShare, SharedIncident
from impetus.model.verdict import Verdict

MessageType = TypeVar("MessageType", bound=BaseModel)

SYSTEM_TENANT = "system"
"""Tenant of messages about the system itself; no person belongs to it."""

MESSAGE_LIMIT_BYTES = 8 * 1024 * 1024
"""A larger body is refused by every bus."""

MESSAGES: Mapping[str, type[BaseModel]] = {
    "observation": ObservationBatch,
    "expectation": ExpectationBatch,
    "alert": Alert,
    "assessment": Assessment,
    "incident": Incident,
    "health": Health,
    "agreement": Agreement,
    "shared-incident": SharedIncident,
    "incident-share": IncidentShare,
    "incident-message": IncidentMessage,
    "task": Task,
    "procedure": ProcedureRun,
    "simulation-request": SimulationRequest,
    "handover": Handover,
    "tool-request": ToolRequest,
    "request-outcome": RequestOutcome,
    "request-notice": ToolNotice,
    "result": ToolResult,
    "result-notice": ToolNotice,
    "verdict": Verdict,
}
"""Kinds of messages and their types. A kind is the second token of a subject."""

Subject = Annotated[str, StringConstraints(max_length=300, pattern=r"^[a-z0-9-]+\.[a-z0-9-]+\.[A-Za-z0-9_:/@~-]+$")]


class Envelope(Value):
    """One message on the bus.

    `subject` is `TENANT.KIND.ORIGIN`, for example `municipality.observation.mqtt` or `municipality.alert.anomaly`.
    Messages of one `partition` (usually the source) are delivered in the order in which they were published.
    """

    specversion: Literal["1.0"] = "1.0"
    id: Identifier = Field(default_factory=new_id)
    source: Line
    """URI reference of the sender, e.g. `/tools/anomaly`."""
    type: Annotated[str, StringConstraints(pattern=r"^impetus\.[a-z0-9-]+\.v\d+$")]
    subject: Subject
    time: UtcTime
    tenant: Slug
    partition: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    datacontenttype: Literal["application/json"] = "application/json"
    data: Annotated[bytes, Field(max_length=MESSAGE_LIMIT_BYTES)]
    """The message as JSON, UTF-8."""

    @property
    def kind(self) -> str:
        """Second token of the subject."""
        return self.subject.split(".", 2)[1]

    @classmethod
    def wrap(
        cls,
        message: BaseModel,
        *,
        kind: str,
        tenant: str,
        origin: str,
        time: UtcTime,
        partition: str | None = None,
        id: str | None = None,
    ) -> Self:
        """Put a message of a kind in `MESSAGES` into an envelope; `origin` is the tool or connector that sends it."""
        return cls(
            id=id or new_id(),
            source=f"/{origin}",
            type=f"impetus.{kind}.v1",
            subject=f"{tenant}.{kind}.{origin}",
            time=time,
            tenant=tenant,
            partition=partition or origin,
            data=message.model_dump_json().encode(),
        )

    def open(self, message_type: builtins.type[MessageType]) -> MessageType:
        """The message inside. Raises `pydantic.ValidationError` if it does not have that type."""
        return message_type.model_validate_json(self.data)
