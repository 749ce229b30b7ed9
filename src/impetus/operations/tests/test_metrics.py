"""Metrics, life and readiness: what Prometheus reads is true, and a dashboard asks for nothing that there is not."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from impetus.api.services import Services
from impetus.bus import open_bus
from impetus.bus.tests.messages import message
from impetus.hub import create_services
from impetus.model import ManualClock, Tenant
from impetus.operations.metrics import exposition, obstacle, serving
from impetus.operations.metrics_settings import MetricsSettings
from impetus.operations.tests.conftest import NOW
from impetus.settings import Settings
from impetus.store import open_store
from impetus.store.tests import samples
from tests.servers import free_port

DASHBOARD = Path(__file__).parents[4] / "deploy" / "grafana" / "impetus.json"


@pytest.fixture
async def hub(settings_of: Callable[..., Settings], clock: ManualClock) -> AsyncIterator[Services]:
    """The services of a hub with two organisations, an alert and some messages."""
    settings = settings_of()
    store, bus = await open_store(settings.store_url, clock), open_bus(settings.bus_url, clock)
    async with store.transaction() as transaction:
        for name in ("police", "fire"):
            await transaction.organisations.add(Tenant(id=name, name=name, created=NOW))
        await transaction.alerts.upsert("police", [samples.alert()], received=NOW, harm=samples.harm)
    await (await bus.subscribe("reader", ["*.alert.>"])).close()
    await bus.publish([message(number) for number in range(3)])
    await bus.set_aside("fire", "mqtt", "topic", b"?", "not JSON")
    yield create_services(settings, bus, store, clock)
    await bus.close()
    await store.close()


async def test_what_prometheus_reads_is_true(hub: Services) -> None:
    """Counts by organisation, how far consumers are, dead letters."""
    families = text_string_to_metric_families((await exposition(hub)).decode())
    values = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }
    assert values["impetus_bus_position", ()] == 3
    assert values["impetus_consumer_pending", (("consumer", "reader"),)] == 3
    assert values["impetus_dead_letters", (("organisation", "fire"),)] == 1
    assert values["impetus_dead_letters", (("organisation", "police"),)] == 0
    assert values["impetus_alerts", (("organisation", "police"), ("state", "new"))] == 1


async def test_served_on_a_port_of_their_own(hub: Services) -> None:
    """Whoever restarts the hub asks `/live`, whoever sends people there asks `/ready`."""
    async with serving(MetricsSettings(port=free_port()), hub) as port, httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{port}"
        assert (await client.get(f"{url}/live")).text == "ok\n"
        assert (await client.get(f"{url}/ready")).status_code == 200
        assert "impetus_bus_position" in (await client.get(f"{url}/metrics")).text
        assert (await client.get(f"{url}/etc/passwd")).status_code == 404
        assert (await client.post(f"{url}/metrics")).status_code == 405
        await hub.bus.close()
        answer = await client.get(f"{url}/ready")
        assert (answer.status_code, "closed" in answer.text) == (503, True)
        assert (await client.get(f"{url}/metrics")).status_code == 503
        assert (await client.get(f"{url}/live")).status_code == 200
    assert await obstacle(hub)


async def test_the_dashboard_asks_for_what_there_is(hub: Services) -> None:
    """Every metric in the dashboard's file is one that is served."""
    dashboard = json.loads(DASHBOARD.read_text())
    asked = set(re.findall(r"(impetus_\w+|process_\w+)", json.dumps([p["targets"] for p in dashboard["panels"]])))
    served = set(re.findall(r"^# TYPE (\w+)", (await exposition(hub)).decode(), re.MULTILINE))
    assert asked
    assert asked <= served
