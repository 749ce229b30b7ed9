"""Protects the rules and the calibration over HTTP: validated, tried before they go live, changed by one at a time."""

from __future__ import annotations

from impetus.api.tests.conftest import Api
from impetus.model import AlertAction, Place, Point
from impetus.situation.decisions import AlertDecision
from impetus.situation.runtime import running
from impetus.situation.tests.house import an_alert, eventually

EVERYTHING = "ties:\n- {title: all, distance_m: 5000, minutes: 1440}\n"


async def test_rules_are_read_changed_and_two_people_do_not_overwrite_each_other(api: Api) -> None:
    sofia, olivia = await api.person("sofia"), await api.person("olivia")
    house = (await sofia.get("/rules")).json()
    assert house["version"] == 0
    assert house["rules"]["ties"]
    assert (await olivia.put("/rules", json={"content": "{}", "version": 0})).status_code == 403
    changed = await sofia.put("/rules", json={"content": house["content"], "version": 0})
    assert changed.status_code == 200
    assert changed.json()["version"] == 1
    assert changed.json()["updated_by"] == "Sofia Example"
    late = await sofia.put("/rules", json={"content": "{}", "version": 0})
    assert late.status_code == 409


async def test_rules_that_are_wrong_are_refused_with_the_field(api: Api) -> None:
    sofia = await api.person("sofia")
    for content, word in (
        ("ties: [{title: a, distance_m: -1}]", "distance_m"),
        ("ties: {", "YAML"),
        ("ties: [{title: a, distance_m: null, shared_entity: false}]", "nothing can tie"),
        ("trust: [{title: a, cause: {}, lowers: {}}]", "cause"),
        ("a: &x 1\nb: *x", "references"),
        ("colour: red", "colour"),
    ):
        answer = await sofia.post("/rules/trial", json={"content": content})
        assert answer.status_code == 422
        assert word in answer.json()["detail"], answer.json()


async def test_a_rule_that_matches_everything_is_refused_with_the_numbers(api: Api) -> None:
    alerts = [
        an_alert(source=f"sensor-{number}", place=Place(geometry=Point(coordinates=(8.0 + number / 5_000, 58.1))))
        for number in range(60)
    ]
    await api.house.situation.alerts.ingest("municipality", alerts)
    sofia = await api.person("sofia")
    trial = (await sofia.post("/rules/trial", json={"content": EVERYTHING})).json()
    assert trial["alerts"] == 60
    assert trial["ties"][0]["pairs_share"] > 0.9
    assert any("100%" in refusal for refusal in trial["refusals"]), trial["refusals"]
    refused = await sofia.put("/rules", json={"content": EVERYTHING, "version": 0})
    assert refused.status_code == 422
    assert "100%" in refused.json()["detail"]
    assert (await sofia.get("/rules")).json()["version"] == 0


async def test_the_calibration_of_a_tool_follows_the_verdicts(api: Api) -> None:
    situation = api.house.situation
    alerts = [an_alert(source=f"sensor-{number}") for number in range(6)]
    olivia = await api.person("olivia")
    async with running(situation):
        await situation.alerts.ingest("municipality", alerts)
        for number, alert in enumerate(alerts):
            action = AlertAction.CONFIRM if number < 2 else AlertAction.DISMISS
            await situation.alerts.decide(
                api.house.person("olivia"), alert.id, AlertDecision(action=action, reason="seen", version=1)
            )

        async def judged() -> dict[str, object] | None:
            answer = (await olivia.get("/tools/anomaly/calibration")).json()
            return answer if answer["verdicts"] == 6 else None

        found = await eventually(judged)
    level = next(one for one in found["estimates"] if one["detector"] == "level" and one["source"] is None)
    assert (level["confirmed"], level["dismissed"]) == (2, 4)
    assert level["low"] < level["precision"] < level["high"]
    assert sum(one["count"] for one in found["reliability"]) == 6
