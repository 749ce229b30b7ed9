"""Name and password of the embedded listener: set, or made at the first start and kept for this installation."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from impetus.connectors.mqtt.settings import EmbeddedListener
from impetus.model import ConfigurationError

DEFAULT_NAME = "sensors"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What sensors log in with."""

    name: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(name={self.name!r}, password=...)"


def listener_credentials(home: Path, settings: EmbeddedListener) -> Credentials | None:
    """What the listener asks for; None where it lets everybody in.

    Without a name in the settings, `home/secrets/mqtt.json` holds them, made with a random password where missing.
    Safe to call from several processes at once. Raises ConfigurationError if the file cannot be used.
    """
    if settings.anonymous:
        return None
    if settings.name is not None and settings.password is not None:
        return Credentials(settings.name, settings.password.get_secret_value())
    file = home / "secrets" / "mqtt.json"
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            _create(file, {"name": DEFAULT_NAME, "password": secrets.token_urlsafe(18)})
        document = json.loads(file.read_text(encoding="utf-8"))
        return Credentials(str(document["name"]), str(document["password"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"the listener's password in {file} cannot be read: {error}", hint="remove the file to have a new one made"
        ) from error


def _create(file: Path, document: dict[str, str]) -> None:
    """Write whole or not at all; the first of several processes wins."""
    draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(document, stream)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(draft, file)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
