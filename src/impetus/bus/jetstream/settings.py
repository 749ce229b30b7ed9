"""What can be set on the bus on NATS JetStream."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

_MEBIBYTE = 1024 * 1024


class JetStreamSettings(BaseModel):
    """How to reach the NATS servers, and the limits of the log there. Used when `bus` is a `nats://` address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[
        str,
        Field(
            title="Name",
            description="Streams and subjects begin with it, so that several installations may share one account.",
            pattern=r"^[a-z][a-z0-9-]{0,30}$",
        ),
    ] = "impetus"
    domain: Annotated[
        str,
        Field(
            title="JetStream domain",
            description="Domain whose streams are used, over a leaf node for example; none: the connected server's.",
            pattern=r"^[A-Za-z0-9_-]{0,64}$",
        ),
    ] = ""
    user: Annotated[str, Field(title="User", description="Name to log in with.", max_length=200)] = ""
    password: Annotated[SecretStr, Field(title="Password", description="Password to log in with.")] = SecretStr("")
    password_file: Annotated[
        Path | None, Field(title="Password file", description="File with the password, in place of it.")
    ] = None
    certificate_authority: Annotated[
        Path | None,
        Field(title="Certificate authority", description="PEM file that servers are checked against; turns TLS on."),
    ] = None
    certificate: Annotated[
        Path | None, Field(title="Certificate", description="PEM file by which servers know this installation.")
    ] = None
    key: Annotated[Path | None, Field(title="Key", description="Private key of the certificate.")] = None
    replicas: Annotated[
        int,
        Field(title="Replicas", description="Servers that keep each message: 3 in a cluster of three.", ge=1, le=5),
    ] = 1
    partitions: Annotated[
        int,
        Field(
            title="Partitions",
            description="Partitions that the members of a consumer share; kept from when the log is made.",
            ge=1,
            le=62,
        ),
    ] = 16
    duplicate_window_s: Annotated[
        float,
        Field(
            title="Duplicate window",
            description="Seconds for which the servers remember ids, so that a message published twice counts once.",
            ge=1,
            le=86_400,
        ),
    ] = 3_600.0
    size_limit_bytes: Annotated[
        int | None,
        Field(title="Greatest size", description="Bytes that the log may take; none leaves it to the servers.", ge=1),
    ] = None
    lag_messages: Annotated[
        int,
        Field(
            title="Lag in messages",
            description="How far the slowest consumer may fall behind before publishers must wait.",
            ge=1,
        ),
    ] = 2_000_000
    lag_bytes: Annotated[
        int,
        Field(title="Lag in bytes", description="The same in bytes; below it no consumer is looked at.", ge=1),
    ] = 8 * 1024 * _MEBIBYTE
    wait_s: Annotated[
        float,
        Field(
            title="Wait",
            description="Seconds that publishing waits for servers or under pressure before it fails.",
            gt=0,
            le=300,
        ),
    ] = 10.0
    dead_letters_per_tenant: Annotated[
        int, Field(title="Dead letters", description="Dead letters kept of each organisation; the oldest go.", ge=1)
    ] = 20_000
