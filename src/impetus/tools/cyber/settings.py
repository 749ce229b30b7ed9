"""Settings of the tool `cyber`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from impetus.sdk import ToolSettings
from impetus.tools.cyber.countermeasures import Costs
from impetus.tools.cyber.likelihood import Assumptions


class CyberSettings(ToolSettings):
    """What a city may set."""

    model_file: Annotated[Path | None, Field(title="Model of the network")] = None
    """A YAML or JSON file as `impetus cyber schema` describes it; without one, alerts are joined but not placed."""
    scan_files: Annotated[tuple[Path, ...], Field(title="Reports of scanners")] = ()
    """Reports of Nmap, Greenbone, Nessus, CycloneDX and Wazuh that are merged into the model, and read again when a
    scanner writes a new one in their place."""
    knowledge_folder: Annotated[Path | None, Field(title="Folder of vulnerability knowledge")] = None
    """Files of NVD, CISA KEV and EPSS, as `impetus cyber update` fetches them."""
    eve_file: Annotated[Path | None, Field(title="Suricata EVE file")] = None
    """Followed as it grows, also over log rotation. Wazuh's alerts and Zeek's notices in JSON may stand in it too."""
    tcp_port: Annotated[int, Field(title="TCP port for alerts", ge=0, le=65_535)] = 0
    """Number of a port on which JSON lines (EVE, Wazuh, Zeek, also behind a syslog header) are taken; 0: none."""
    tcp_host: Annotated[str, Field(title="Address to listen on", max_length=255)] = "127.0.0.1"
    """Of the TCP port."""
    skew_s: Annotated[float, Field(title="Tolerated clock error in seconds", ge=0, le=86_400)] = 300.0
    """Alerts from further in the future than this are taken to be of now, counted, and shown."""
    worlds: Annotated[int, Field(title="Worlds", ge=64, le=65_536)] = 1_024
    """Number of Monte Carlo worlds."""
    budget: Annotated[float, Field(title="Budget of the plan", ge=0, le=1e9)] = 10.0
    """In points, the unit of the costs: the plan on the page is made for it."""
    assumptions: Annotated[Assumptions, Field(title="Assumptions")] = Assumptions()
    """How KEV, EPSS and CVSS become probabilities; each is a probability from 0 to 1 but `patience_days`."""
    costs: Annotated[Costs, Field(title="Costs")] = Costs()
    """Points of a measure for which the model names no cost."""
