"""Protects the figures that a control room keeps an eye on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from impetus.model import AlertAction, Severity, SystemClock, to_microseconds
from impetus.situation.decisions import AlertDecision
from impetus.situation.figures import count_reporting
from impetus.situation.tests.house import House, a_datastream, an_alert


async def test_open_alerts_and_the_time_to_the_first_decision(house: House) -> None:
    alerts = [
        an_alert(source=severity, severity=severity) for severity in (Severity.SEVERE, Severity.MINOR, Severity.EXTREME)
    ]
    await house.situation.alerts.ingest("municipality", alerts)
    olivia = house.person("olivia")
    await house.situation.alerts.decide(olivia, alerts[0].id, AlertDecision(action=AlertAction.CONFIRM, version=1))
    await house.situation.alerts.decide(olivia, alerts[1].id, AlertDecision(action=AlertAction.ACKNOWLEDGE, version=1))
    figures = await house.situation.figures.of("municipality")
    assert (figures.alerts_open, figures.alerts_serious) == (2, 1)
    assert figures.acknowledge_mean_s == pytest.approx(0, abs=60)
    assert (await house.situation.figures.of("police")).acknowledge_mean_s is None


def test_a_sensor_reports_while_its_last_reading_is_recent_for_it() -> None:
    now = SystemClock().now()
    registered = {
        "quick": a_datastream(id="quick", interval_s=10.0),
        "slow": a_datastream(id="slow", interval_s=600.0),
        "never": a_datastream(id="never"),
    }
    latest = {id: (to_microseconds(now - timedelta(seconds=60)), 1.0) for id in ("quick", "slow")}
    assert count_reporting(registered, latest, now) == 1
