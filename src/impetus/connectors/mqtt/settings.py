"""What can be set about the MQTT connector: each field has a title, a description and, where it has one, a unit."""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from impetus.connectors.mqtt.mapping import JsonMapping
from impetus.model import Slug


def _unit(symbol: str) -> dict[str, Any]:
    """The unit of a number, for the generated documentation and forms."""
    return {"unit": symbol}


class ProtocolVersion(StrEnum):
    """Which MQTT to speak to a broker."""

    V311 = "3.1.1"
    V5 = "5"


class ConnectionSettings(BaseModel):
    """What an own listener and a foreign broker have in common: whose readings they are and how they are read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: Annotated[
        Slug, Field(title="Organisation", description="The organisation whose sensors are heard on this connection.")
    ] = "municipality"
    sensorthings: Annotated[
        bool,
        Field(
            title="SensorThings topics",
            description="Read SensorThings topics: `v1.1/Datastreams(ID)/Observations`, `v1.1/CreateObservations`.",
        ),
    ] = True
    sensorthings_prefix: Annotated[
        str,
        Field(
            title="SensorThings prefix",
            description="What stands before `Datastreams(ID)` in SensorThings topics.",
            max_length=200,
            pattern=r"^[^#+]+$",
        ),
    ] = "v1.1"
    mappings: Annotated[
        tuple[JsonMapping, ...],
        Field(
            title="Mappings",
            description="How payloads of other topics are read; the first mapping whose topic fits is used.",
            max_length=200,
        ),
    ] = ()


class EmbeddedListener(ConnectionSettings):
    """A listener inside the connector: sensors connect to impetus itself, no broker is needed."""

    kind: Annotated[
        Literal["embedded"], Field(title="Kind", description="`embedded`: sensors connect to impetus itself.")
    ] = "embedded"
    host: Annotated[str, Field(title="Address", description="Address to listen on.", max_length=253)] = "127.0.0.1"
    port: Annotated[
        int, Field(title="Port", description="TCP port to listen on; 0 takes a free one.", ge=0, le=65_535)
    ] = 1883
    name: Annotated[
        str | None,
        Field(title="User name", description="Name that sensors log in with; none: one made at the first start."),
    ] = None
    password: Annotated[
        SecretStr | None,
        Field(
            title="Password",
            description="Password that sensors log in with; none: a random one in `IMPETUS_HOME/secrets/mqtt.json`.",
        ),
    ] = None
    anonymous: Annotated[
        bool,
        Field(
            title="Without password",
            description="Let sensors in without name and password; on a loopback address only.",
        ),
    ] = False
    certificate_file: Annotated[
        Path | None,
        Field(title="Certificate", description="PEM file with the listener's certificate chain; turns TLS on."),
    ] = None
    key_file: Annotated[Path | None, Field(title="Key", description="PEM file with the certificate's private key.")] = (
        None
    )
    max_connections: Annotated[
        int, Field(title="Connections", description="Sensors that may be connected at once.", ge=1, le=100_000)
    ] = 2_000

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.anonymous and not _is_loopback(self.host):
            raise ValueError(
                f"anonymous sensors are only let in on a loopback address, not on {self.host}: set name and password"
            )
        if (self.name is None) != (self.password is None):
            raise ValueError("give both name and password, or neither")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("give both certificate_file and key_file, or neither")
        return self


class ExternalBroker(ConnectionSettings):
    """A broker that the city runs already."""

    kind: Annotated[Literal["broker"], Field(title="Kind", description="`broker`: impetus subscribes to a broker.")] = (
        "broker"
    )
    url: Annotated[
        str,
        Field(
            title="Address of the broker",
            description="`mqtt://HOST[:1883]`, or `mqtts://HOST[:8883]` for TLS.",
            examples=["mqtts://broker.city.example:8883"],
            max_length=500,
        ),
    ]
    name: Annotated[str | None, Field(title="User name", description="Name to log in to the broker with.")] = None
    password: Annotated[
        SecretStr | None, Field(title="Password", description="Password to log in to the broker with.")
    ] = None
    password_file: Annotated[
        Path | None,
        Field(title="Password file", description="File whose first line is the password, instead of `password`."),
    ] = None
    ca_file: Annotated[
        Path | None,
        Field(
            title="Certificate authority",
            description="PEM file with the authority that signed the broker's certificate; none: the system's.",
        ),
    ] = None
    client_id: Annotated[
        str,
        Field(
            title="Client identifier",
            description="Names the session that the broker keeps while impetus is away; one connector, one identifier.",
            min_length=1,
            max_length=64,
        ),
    ] = "impetus-connector"
    topics: Annotated[
        tuple[str, ...],
        Field(
            title="Topic filters",
            description="What to subscribe to; empty: what the SensorThings setting and the mappings need.",
            max_length=200,
        ),
    ] = ()
    qos: Annotated[
        Literal[0, 1],
        Field(
            title="Quality of service", description="1: at least once, kept by the broker while away; 0: at most once."
        ),
    ] = 1
    protocol: Annotated[
        ProtocolVersion,
        Field(
            title="MQTT version",
            description="`5` lets many readings be on their way at once; `3.1.1` is for old brokers and slower.",
        ),
    ] = ProtocolVersion.V5
    session_expiry_s: Annotated[
        int,
        Field(
            title="Session kept",
            description="How long the broker keeps readings while impetus is away (MQTT 5).",
            ge=0,
            le=86_400 * 30,
            json_schema_extra=_unit("s"),
        ),
    ] = 86_400
    keep_alive_s: Annotated[
        int,
        Field(
            title="Keep-alive",
            description="A dead connection is noticed after one and a half times this.",
            ge=5,
            le=3_600,
            json_schema_extra=_unit("s"),
        ),
    ] = 30
    reconnect_max_s: Annotated[
        float,
        Field(
            title="Longest wait before reconnecting",
            description="Waits double from 0.5 s up to this, each shortened by up to half at random.",
            ge=0.5,
            le=3_600,
            json_schema_extra=_unit("s"),
        ),
    ] = 30.0

    @field_validator("url")
    @classmethod
    def _is_mqtt_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise ValueError(f"{value!r} is no broker's address: write mqtt://HOST:1883 or mqtts://HOST:8883")
        if parts.username or parts.password:
            raise ValueError("name and password do not belong into the address: use the settings name and password")
        if parts.port is None and parts.netloc.endswith(":"):
            raise ValueError(f"{value!r} has no port after the colon")
        return value

    @property
    def host(self) -> str:
        """Host name or address of the broker."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """TCP port of the broker."""
        return urlsplit(self.url).port or (8883 if self.is_tls else 1883)

    @property
    def is_tls(self) -> bool:
        """Whether the address asks for TLS."""
        return urlsplit(self.url).scheme == "mqtts"


Connection = Annotated[EmbeddedListener | ExternalBroker, Field(discriminator="kind")]


class MqttSettings(BaseModel):
    """The MQTT connector: connections, limits and how readings are grouped on their way to the bus."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connections: Annotated[
        tuple[Connection, ...],
        Field(title="Connections", description="Where readings come from.", min_length=1, max_length=50),
    ] = (EmbeddedListener(),)
    max_payload_bytes: Annotated[
        int,
        Field(
            title="Largest payload",
            description="A larger payload is set aside unread.",
            ge=1_024,
            le=64 * 1024 * 1024,
            json_schema_extra=_unit("B"),
        ),
    ] = 1024 * 1024
    max_ahead_s: Annotated[
        float,
        Field(
            title="Furthest in the future",
            description="A reading whose time is further ahead than this is set aside.",
            ge=0,
            le=86_400,
            json_schema_extra=_unit("s"),
        ),
    ] = 300.0
    max_age_days: Annotated[
        float,
        Field(
            title="Oldest",
            description="A reading older than this is set aside.",
            gt=0,
            le=36_500,
            json_schema_extra=_unit("d"),
        ),
    ] = 400.0
    flush_ms: Annotated[
        float,
        Field(
            title="Grouping time",
            description="Readings are grouped for this long before they go on the bus together.",
            ge=1,
            le=5_000,
            json_schema_extra=_unit("ms"),
        ),
    ] = 20.0
    flush_readings: Annotated[
        int,
        Field(title="Grouping size", description="So many readings go on the bus together at most.", ge=1, le=50_000),
    ] = 2_000
    partitions: Annotated[
        int,
        Field(
            title="Partitions",
            description="Groups that datastreams are divided into; several workers of one tool share them.",
            ge=1,
            le=256,
        ),
    ] = 4
    spool_messages: Annotated[
        int,
        Field(
            title="Waiting messages",
            description="Messages kept in memory while the bus takes none; beyond it, senders are made to wait.",
            ge=100,
            le=10_000_000,
        ),
    ] = 20_000
    spool_bytes: Annotated[
        int,
        Field(
            title="Waiting bytes",
            description="Payload bytes kept in memory while the bus takes none; beyond it, senders are made to wait.",
            ge=1024 * 1024,
            le=16 * 1024**3,
            json_schema_extra=_unit("B"),
        ),
    ] = 64 * 1024 * 1024
    registry_refresh_s: Annotated[
        float,
        Field(
            title="Datastreams read again",
            description="How often the registered datastreams are read from the store.",
            ge=0.5,
            le=3_600,
            json_schema_extra=_unit("s"),
        ),
    ] = 5.0


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
