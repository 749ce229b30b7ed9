"""The files that deploy impetus fit its commands and settings; what can be checked without the engines is."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from impetus.app import CONNECTORS
from impetus.operations.deployment import Plan, commands, environment, files, write
from impetus.sdk import load_tools
from impetus.settings import Settings


def test_the_environment_is_one_that_the_settings_take(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each variable is a setting, and says what the plan says."""
    plan = Plan(port=9000, settings={"IMPETUS_TIMEZONE": "Europe/Oslo"})
    values = environment(plan, bus="nats://nats:4222", store="postgresql://impetus@db/impetus", host="127.0.0.1")
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.http.port, settings.timezone, settings.metrics.port) == (9000, "Europe/Oslo", plan.metrics_port)
    assert settings.bus_url == "nats://nats:4222"
    assert settings.api.secure_cookies


def test_every_process_is_one_that_there_is() -> None:
    """Tools and connectors of the plan exist."""
    plan = Plan()
    assert set(plan.tools) <= set(load_tools())
    assert set(plan.connectors) <= set(CONNECTORS)
    assert list(commands(Plan(tools={"anomaly": 0}))) == ["hub", "connector-mqtt"]


def test_compose_is_yaml_with_a_service_a_process() -> None:
    content = yaml.safe_load(files(Plan())["compose/compose.yaml"])
    assert set(content["services"]) == {*commands(Plan()), "nats", "postgresql"}
    used = {secret for service in content["services"].values() for secret in service.get("secrets", [])}
    assert used == set(content["secrets"])
    assert all("password" not in str(value).lower() for value in content["services"]["hub"]["environment"].values())


def test_the_chart_takes_its_values_and_closes_what_it_opens() -> None:
    """Helm itself is not run here: templates use values that exist, and their blocks are balanced."""
    written = files(Plan())
    values = yaml.safe_load(written["helm/impetus/values.yaml"])
    yaml.safe_load(written["helm/impetus/Chart.yaml"])
    yaml.safe_load(written["helm/impetus/templates/service.yaml"])
    template = written["helm/impetus/templates/processes.yaml"]
    for path in re.findall(r"\.Values\.([A-Za-z_.]+)", template):
        place = values
        for part in path.split("."):
            assert part in place, path
            place = place[part]
    assert len(re.findall(r"{{-? *(?:range|if|with)\b", template)) == len(re.findall(r"{{-? *end\b", template))


def test_units_are_written_and_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    """With systemd's own verifier, where there is one."""
    plan = Plan(program="/bin/true", user="root", settings={"IMPETUS_MQTT__CONNECTIONS": '[{"kind": "embedded"}]'})
    paths = write(plan, tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in paths} == set(files(plan))
    unit = tmp_path / "systemd/impetus.service"
    assert '"IMPETUS_MQTT__CONNECTIONS=[{\\"kind\\": \\"embedded\\"}]"' in unit.read_text()
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("there is no systemd-analyze here")
    outcome = subprocess.run([verifier, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    assert "impetus.service" not in outcome.stderr, outcome.stderr
