"""What a demo's installation is made of: its settings, in the environment so that all its processes see the same."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from impetus.connectors.mqtt.settings import EmbeddedListener
from impetus.exercise import intrusion, posts
from impetus.exercise.base_map import FILE as BASE_MAP
from impetus.exercise.base_map import OPEN_SPACE
from impetus.exercise.camera_scene import ALONE, camera_settings
from impetus.exercise.geography import ORIGIN_LATITUDE, ORIGIN_LONGITUDE
from impetus.exercise.scenario import ScanInject, Scenario, VideoInject
from impetus.exercise.seed import CITY
from impetus.exercise.shift import SETTINGS as WORKLOAD
from impetus.exercise.threat_feed import demo_settings
from impetus.model import ConfigurationError, SystemClock, Unavailable
from impetus.settings import HOME_VARIABLE, Settings, read_settings

DEFAULT_HOME = "~/.impetus-demo"
LOAD_VARIABLE = "IMPETUS_DEMO_READINGS_PER_SECOND"
FEED_VARIABLE = "IMPETUS_DEMO_FEED_PORT"
WORKLOAD_VARIABLE = "IMPETUS_TOOLS__WORKLOAD"
CTI_VARIABLE = "IMPETUS_TOOLS__CTI"
CYBER_VARIABLE = "IMPETUS_TOOLS__CYBER"
FIREARM_VARIABLE = "IMPETUS_TOOLS__FIREARM"
AIR_VARIABLE = "IMPETUS_TOOLS__AIR"
SOCIAL_VARIABLE = "IMPETUS_TOOLS__SOCIAL"
POSTS = posts.FILE
"""Below the home: the file of public posts that the tool `social` reads."""
EVE = "demo/eve.json"
"""Below the home: the file into which the demo's intrusion detection system writes."""
SCAN = "demo/scan.xml"
"""Below the home: the newest report of the demo's scanner."""
NOTHING_SCANNED = '<?xml version="1.0"?>\n<nmaprun scanner="nmap"></nmaprun>\n'


def prepare(
    port: int | None = None, readings_per_second: float | None = None, scenario: Scenario | None = None
) -> Settings:
    """Settings of the demo, in the environment so that all its processes see the same; `scenario` is played in it.

    Raises `Unavailable` if the port is taken and `ConfigurationError` for settings that leave the sensors no listener.
    """
    home = Path(os.environ.setdefault(HOME_VARIABLE, DEFAULT_HOME)).expanduser()
    os.environ[HOME_VARIABLE] = str(home)
    if port is not None:
        os.environ["IMPETUS_HTTP__PORT"] = str(port)
    if readings_per_second is not None:
        os.environ[LOAD_VARIABLE] = str(readings_per_second)
    connection = {"kind": "embedded", "tenant": CITY, "host": "127.0.0.1", "port": free_port()}
    os.environ.setdefault("IMPETUS_MQTT__CONNECTIONS", json.dumps([connection]))
    if CTI_VARIABLE not in os.environ:
        feed_port = free_port()
        os.environ[FEED_VARIABLE] = str(feed_port)
        speed = float(os.environ.get("IMPETUS_EXERCISE__SPEED", "1"))
        os.environ[CTI_VARIABLE] = json.dumps(demo_settings(feed_port, max(5.0, 10 / speed)))
    cyber = {"organisations": [CITY], "model_file": str(intrusion.MODEL), "eve_file": str(home / EVE)}
    if scenario is not None and any(isinstance(inject, ScanInject) for inject in scenario.injects):
        cyber["scan_files"] = [str(home / SCAN)]
        # Of an earlier run nothing is known, and nothing is missing before the first report comes.
        (home / SCAN).parent.mkdir(parents=True, exist_ok=True)
        (home / SCAN).write_text(NOTHING_SCANNED, encoding="utf-8")
    os.environ.setdefault(CYBER_VARIABLE, json.dumps(cyber))
    os.environ.setdefault(SOCIAL_VARIABLE, json.dumps(posts.demo_settings(home, SystemClock(), CITY)))
    os.environ.setdefault(FIREARM_VARIABLE, json.dumps(camera_settings(CITY, home, _cameras(scenario))))
    os.environ.setdefault(AIR_VARIABLE, json.dumps({"open_space_file": str(OPEN_SPACE)}))
    os.environ.setdefault(WORKLOAD_VARIABLE, json.dumps(dict(WORKLOAD)))
    # So that a channel can be tried with a receiver of one's own; the demo serves nobody else.
    os.environ.setdefault("IMPETUS_NOTIFICATION__INTERNAL_ADDRESSES", json.dumps(["127.0.0.1"]))
    os.environ.setdefault("IMPETUS_API__MAP__BASE", str(BASE_MAP))
    os.environ.setdefault("IMPETUS_API__MAP__LONGITUDE", str(ORIGIN_LONGITUDE))
    os.environ.setdefault("IMPETUS_API__MAP__LATITUDE", str(ORIGIN_LATITUDE))
    settings = read_settings()
    listener_of(settings)
    _require_free(settings.http.host, settings.http.port)
    return settings


def _cameras(scenario: Scenario | None) -> Sequence[str] | None:
    """The cameras into whose pictures something comes; None: no scenario says."""
    if scenario is None:
        return None
    named = {inject.camera for inject in scenario.injects if isinstance(inject, VideoInject)}
    return sorted(named) or [ALONE]


def listener_of(settings: Settings) -> EmbeddedListener:
    """The listener to which the city's sensors send. Raises `ConfigurationError` if there is none."""
    for connection in settings.mqtt.connections:
        if isinstance(connection, EmbeddedListener):
            return connection
    raise ConfigurationError(
        "the demo's sensors need the embedded MQTT listener, and the settings name none",
        hint="unset IMPETUS_MQTT__CONNECTIONS",
    )


def _require_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Unavailable(
                f"port {port} of {host} cannot be used: {error.strerror}",
                hint="stop what uses it, or choose another with --port",
            ) from error


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
