"""What can be set about notification."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class NotificationSettings(BaseModel):
    """Settings of how people are told, and of CAP messages to other houses."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    exercise: Annotated[
        bool,
        Field(
            title="Exercise",
            description="Nothing here is real: messages say so, and go only through channels that are for exercises.",
        ),
    ] = False
    address: Annotated[
        str,
        Field(
            title="Address of the pages",
            description="Where the pages are served, for the link in messages; empty for none.",
            max_length=300,
            pattern=r"^(https?://[^\s<>]+)?$",
        ),
    ] = ""
    send_timeout_s: Annotated[
        float,
        Field(
            title="Time to send",
            json_schema_extra={"unit": "s"},
            description="A channel that takes longer counts as hanging and is given up.",
            ge=1,
            le=120,
        ),
    ] = 15.0
    internal_addresses: Annotated[
        tuple[Annotated[str, Field(max_length=300)], ...],
        Field(
            title="Internal addresses",
            description="`HOST:PORT`, or `HOST` with all its ports, inside the own network that channels may reach, "
            "for example the mail server; all others there are refused.",
            max_length=50,
        ),
    ] = ()
    processes: Annotated[
        int, Field(title="Processes", description="How many messages are sent at the same time.", ge=1, le=16)
    ] = 2
    attempts: Annotated[
        int,
        Field(title="Attempts", description="How often a message is tried before it counts as failed.", ge=1, le=10),
    ] = 4
    retry_first_s: Annotated[
        float,
        Field(
            title="First retry",
            json_schema_extra={"unit": "s"},
            description="Wait before the second attempt; each further wait is twice as long.",
            ge=1,
            le=600,
        ),
    ] = 15.0
    log_days: Annotated[
        float,
        Field(
            title="Delivery log",
            json_schema_extra={"unit": "d"},
            description="How long the text and the outcome of each message are kept. That somebody was called, and who "
            "acknowledged it, is kept as long as the alert or incident.",
            ge=1,
            le=36_500,
        ),
    ] = 90.0
    cap_domain: Annotated[
        str,
        Field(
            title="CAP sender",
            description="Stands after the organisation in the `sender` of CAP messages: ORGANISATION@DOMAIN.",
            max_length=200,
            pattern=r"^[A-Za-z0-9.-]+$",
        ),
    ] = "impetus.invalid"
