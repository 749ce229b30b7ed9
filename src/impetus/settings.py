"""All that can be set, in one place: from environment variables, then `impetus.toml` in the folder of all state."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from impetus.api.settings import ApiSettings
from impetus.bus import JetStreamSettings
from impetus.connectors.cot.settings import CotSettings
from impetus.connectors.mqtt.settings import MqttSettings
from impetus.exercise.settings import ExerciseSettings
from impetus.governance.settings import AccessSettings, KeepingSettings, StatisticsSettings
from impetus.model import ConfigurationError
from impetus.operations.metrics_settings import MetricsSettings
from impetus.operations.traces_settings import TracesSettings
from impetus.response.notification_settings import NotificationSettings
from impetus.situation.settings import SituationSettings

HOME_VARIABLE = "IMPETUS_HOME"
FILE_NAME = "impetus.toml"


class HttpSettings(BaseModel):
    """Where the pages and the HTTP interface are served."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: Annotated[
        str,
        Field(title="Address", description="Address to listen on; `0.0.0.0` lets other machines in.", max_length=253),
    ] = "127.0.0.1"
    port: Annotated[int, Field(title="Port", description="TCP port to listen on.", ge=1, le=65_535)] = 8600
    trusted_proxies: Annotated[
        str,
        Field(
            title="Trusted proxies",
            description="Addresses of proxies, with commas, whose word about the client's address is believed.",
            max_length=1_000,
        ),
    ] = ""


def default_home() -> Path:
    """The folder of all state, from `IMPETUS_HOME`."""
    return Path(os.environ.get(HOME_VARIABLE) or "~/.impetus").expanduser()


class Settings(BaseSettings):
    """All settings of an installation.

    Each can be given as an environment variable or in the file `impetus.toml` in the folder of all state; the
    environment wins. Lists and tables are JSON in the environment.
    """

    model_config = SettingsConfigDict(
        env_prefix="IMPETUS_", env_nested_delimiter="__", env_ignore_empty=True, extra="forbid", frozen=True
    )

    home: Annotated[
        Path,
        Field(title="Folder of all state", description="Log, store, evidence, checkpoints and secrets are kept here."),
    ] = Field(default_factory=default_home)
    timezone: Annotated[
        str,
        Field(title="Time zone", description="Time zone in which the pages show times, e.g. `Europe/Oslo`."),
    ] = "Europe/Rome"
    bus: Annotated[
        str | None,
        Field(
            title="Bus",
            description="Address of the log between processes, `sqlite:///FILE` or `nats://HOST:4222,HOST:4222`; "
            "none: `bus.sqlite` in the folder of all state.",
        ),
    ] = None
    nats: Annotated[JetStreamSettings, Field(title="NATS JetStream")] = JetStreamSettings()
    store: Annotated[
        str | None,
        Field(
            title="Store",
            description="Address of the database, `sqlite:///FILE` or `postgresql://USER@HOST/NAME`; "
            "none: `store.sqlite` in the folder of all state.",
        ),
    ] = None
    evidence: Annotated[
        str | None,
        Field(
            title="Evidence",
            description="Where evidence is kept, `s3://BUCKET/PREFIX?endpoint=https://HOST`; "
            "none: `evidence` in the folder of all state.",
        ),
    ] = None
    http: Annotated[HttpSettings, Field(title="HTTP")] = HttpSettings()
    metrics: Annotated[MetricsSettings, Field(title="Metrics")] = MetricsSettings()
    traces: Annotated[TracesSettings, Field(title="Traces")] = TracesSettings()
    api: Annotated[ApiSettings, Field(title="HTTP interface")] = ApiSettings()
    access: Annotated[AccessSettings, Field(title="Access")] = AccessSettings()
    statistics: Annotated[StatisticsSettings, Field(title="Statistics")] = StatisticsSettings()
    keeping: Annotated[KeepingSettings, Field(title="Keeping")] = KeepingSettings()
    situation: Annotated[SituationSettings, Field(title="Situation")] = SituationSettings()
    mqtt: Annotated[MqttSettings, Field(title="MQTT")] = MqttSettings()
    notification: Annotated[NotificationSettings, Field(title="Notification")] = NotificationSettings()
    cot: Annotated[CotSettings, Field(title="Cursor-on-Target")] = CotSettings()
    exercise: Annotated[ExerciseSettings, Field(title="Exercise")] = ExerciseSettings()
    connectors: Annotated[
        tuple[str, ...], Field(title="Connectors", description="The connectors that `impetus serve` runs.")
    ] = ("mqtt",)
    tools: Annotated[
        dict[str, dict[str, Any]],
        Field(title="Tools", description="Settings of each tool by its id; what a tool has, its card says."),
    ] = Field(default_factory=dict)
    disabled_tools: Annotated[
        tuple[str, ...], Field(title="Disabled tools", description="Installed tools that `impetus serve` does not run.")
    ] = ()

    @field_validator("timezone")
    @classmethod
    def _exists(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is no time zone; write it like Europe/Oslo")
        return value

    @field_validator("home")
    @classmethod
    def _is_absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the file."""
        file = TomlConfigSettingsSource(settings_cls, default_home() / FILE_NAME)
        return init_settings, env_settings, file

    @property
    def bus_url(self) -> str:
        """Address of the bus."""
        return self.bus or f"sqlite:///{self.home / 'bus.sqlite'}"

    @property
    def store_url(self) -> str:
        """Address of the store."""
        return self.store or f"sqlite:///{self.home / 'store.sqlite'}"


def read_settings(**changes: Any) -> Settings:
    """The settings of this process. Raises `ConfigurationError` that names each wrong one."""
    try:
        return Settings(**changes)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False, include_context=False)
        )
        raise ConfigurationError(
            f"settings are wrong: {wrong}", hint=f"mend the environment or {FILE_NAME}; see docs/reference/settings.md"
        ) from error
    except (ValueError, OSError) as error:
        raise ConfigurationError(
            f"settings cannot be read: {error}", hint=f"mend the environment or {default_home() / FILE_NAME}"
        ) from error
