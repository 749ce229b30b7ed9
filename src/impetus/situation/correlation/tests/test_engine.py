"""Protects the engine: what belongs together, what teaches, what lowers trust, and that no input breaks it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impetus.model import Alert, Category, InvalidInput, ModelReference, Place, Point, Polygon, Severity, Status
from impetus.situation.correlation.calibration import (
    Calibration,
    Prior,
    Recalibration,
    Verdict,
    expected_calibration_error,
    reliability,
)
from impetus.situation.correlation.evidence import Piece, fuse
from impetus.situation.correlation.following import Following
from impetus.situation.correlation.grouping import Grouping
from impetus.situation.correlation.groups import Group
from impetus.situation.correlation.reasons import MOST_REASONS, reasons
from impetus.situation.correlation.repeating import Repeating
from impetus.situation.correlation.rules import default_rules, read_rules, write_rules
from impetus.situation.correlation.signal import signal_of
from impetus.situation.correlation.tying import real

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def an_alert(**changes: Any) -> Alert:
    return Alert(
        **{
            "tool": "anomaly",
            "detector": "level",
            "source": "sensor-1",
            "headline": "Unusual",
            "category": Category.SAFETY,
            "severity": Severity.SEVERE,
            "confidence": 0.7,
            "onset": NOW,
            "sent": NOW,
            "place": Place(geometry=Point(coordinates=(10.4, 63.4))),
            "model": ModelReference(name="m", version="1"),
            **changes,
        }
    )


def a_grouping() -> Grouping:
    return Grouping(default_rules(), Calibration())


def take(grouping: Grouping, *alerts: Alert, incident: str | None = None, received: datetime | None = None) -> Group:
    group = None
    for alert in alerts:
        signal = signal_of(alert, probability=alert.confidence, received=received or max(alert.sent, NOW))
        group = grouping.take(signal, incident=incident)
    grouping.changed()
    assert group is not None
    return group


def camera(**changes: Any) -> Alert:
    return an_alert(
        **{"tool": "firearm", "detector": "handgun", "source": "camera-1", "category": Category.SECURITY, **changes}
    )


def test_alerts_of_two_tools_at_one_place_are_one_group_and_likelier_together() -> None:
    grouping = a_grouping()
    alone = take(grouping, camera()).probability
    group = take(grouping, an_alert())
    assert len(group.tracks) == 2
    assert group.probability > alone
    assert 1 < len(reasons(group, grouping.trust)) <= MOST_REASONS


def test_what_is_far_away_long_ago_or_only_an_exercise_stays_apart() -> None:
    for apart in (
        an_alert(place=Place(geometry=Point(coordinates=(10.6, 63.4)))),
        an_alert(onset=NOW - timedelta(hours=3), sent=NOW - timedelta(hours=3)),
        an_alert(status=Status.EXERCISE),
    ):
        grouping = a_grouping()
        one = take(grouping, camera())
        assert take(grouping, apart) is not one


def test_ten_thousand_copies_are_one_track_that_is_hardly_likelier() -> None:
    grouping = a_grouping()
    first = take(grouping, camera(confidence=0.4)).probability
    copies = [camera(confidence=0.4, onset=NOW + timedelta(seconds=number)) for number in range(10_000)]
    group = None
    for alert in copies:
        group = grouping.take(signal_of(alert, probability=0.4, received=NOW + timedelta(hours=3)))
        assert group is not None
    grouping.changed()
    assert group is not None
    assert (len(group.tracks), group.size) == (1, 10_001)
    assert abs(group.probability - first) < 0.02
    assert len(grouping) == 10_001


def repeats(count: int) -> list[Alert]:
    """One sensor's, a minute apart, of changing confidence."""
    moments = [NOW + timedelta(minutes=number) for number in range(count)]
    return [
        an_alert(id=f"r{number}", onset=moment, sent=moment, confidence=0.3 + 0.1 * (number % 4))
        for number, moment in enumerate(moments)
    ]


def test_of_what_repeats_for_long_the_older_is_only_counted_and_says_as_much() -> None:
    """However long a sensor goes on, it holds no more memory; nothing that is shown of it changes."""
    whole, bounded = a_grouping(), Grouping(default_rules(), Calibration(), held_at_most=40)
    alerts = repeats(500)
    one, other = take(whole, alerts[0]), take(bounded, alerts[0])
    for alert in alerts[1:]:
        assert (take(whole, alert), take(bounded, alert)) == (one, other)
        assert len(bounded) <= 41
    assert len(whole) == 500
    assert (len(one.tracks), one.size) == (len(other.tracks), other.size) == (1, 500)
    assert abs(one.probability - other.probability) < 1e-9
    assert reasons(one, whole.trust) == reasons(other, bounded.trust)
    assert bounded.group_of("r2") is None
    # A person finds one to be true that is only counted: it counts as what it is, and once.
    found = signal_of(alerts[2], probability=0.5, received=NOW + timedelta(hours=9), verdict=True)
    assert bounded.take(found) is other
    bounded.changed()
    assert other.confirmed
    assert other.size == 500


def test_in_a_flood_from_everywhere_the_groups_that_were_quiet_for_longest_are_let_go_of() -> None:
    """A thousand sources that each say something once do not push out the one that goes on."""
    grouping = Grouping(default_rules(), Calibration(), held_at_most=100)
    first = take(grouping, an_alert(source="goes-on", id="first"))
    for number in range(1_000):
        moment = NOW + timedelta(seconds=number)
        take(grouping, an_alert(source=f"sensor-{number}", place=None, onset=moment, sent=moment))
        if number % 20 == 0:
            assert take(grouping, an_alert(source="goes-on", onset=moment, sent=moment)) is first
        assert len(grouping) <= 101
    assert first.size == 51
    assert len(list(grouping.groups())) <= 101


def test_a_huge_polygon_is_no_place_and_ties_nothing() -> None:
    ring = ((9.0, 62.0), (12.0, 62.0), (12.0, 65.0), (9.0, 65.0), (9.0, 62.0))
    huge = camera(place=Place(geometry=Polygon(coordinates=(ring,))))
    signal = signal_of(huge, probability=0.7, received=NOW)
    assert signal.where is None
    assert signal.too_wide
    grouping = a_grouping()
    assert take(grouping, huge) is not take(grouping, an_alert())


def test_without_a_place_a_shared_name_ties() -> None:
    grouping = a_grouping()
    host = an_alert(
        tool="cyber", detector="intrusion", source="host-1", category=Category.INFRA, place=None, entities=("camera-1",)
    )
    assert take(grouping, host) is take(grouping, camera(place=None))
    assert take(grouping, camera(source="camera-2", place=None)) is not grouping.group_of(host.id)


def test_an_alert_older_than_the_horizon_stays_single_and_a_late_one_finds_its_group() -> None:
    grouping = a_grouping()
    group = take(grouping, camera())
    late = an_alert(onset=NOW + timedelta(minutes=1), sent=NOW + timedelta(minutes=1))
    assert take(grouping, late, received=NOW + timedelta(hours=5)) is group
    old = an_alert(source="sensor-9", onset=NOW - timedelta(days=3), sent=NOW - timedelta(days=3))
    assert grouping.take(signal_of(old, probability=0.5, received=NOW)) is None


def test_a_forecast_counts_from_when_it_was_told() -> None:
    future = camera(onset=NOW + timedelta(days=30))
    assert signal_of(future, probability=0.5, received=NOW).begin_s == NOW.timestamp()


def test_an_intrusion_lowers_trust_in_the_camera_it_names_and_says_so() -> None:
    trusted, doubted = a_grouping(), a_grouping()
    host = an_alert(
        tool="cyber",
        detector="intrusion",
        source="host-1",
        category=Category.INFRA,
        place=None,
        entities=("camera-1",),
        confidence=0.9,
    )
    take(doubted, host)
    group = take(doubted, camera(confidence=0.9))
    signal = signal_of(camera(confidence=0.9), probability=0.9, received=NOW)
    assert doubted.trust.believed(signal) < 0.5 < trusted.trust.believed(signal)
    assert any("trusted" in line for line in reasons(group, doubted.trust))
    # No line says how likely it was before its source was doubted.
    first, *_, last = reasons(take(trusted, camera(confidence=0.9)), doubted.trust)
    assert first.endswith(f"({round(100 * doubted.trust.believed(signal))} % likely true)")
    assert "camera-1 is trusted" in last


def test_what_always_follows_ties_sooner_and_what_never_does_ties_later() -> None:
    after, never = (("rule", ("cyber", "intrusion"), ("anomaly", name)) for name in ("silence", "level"))
    following = Following(remembered_s=86_400.0)
    for number in range(200):
        # Twenty minutes after each onset; the other kind at any time, as often as by chance.
        following.saw(after, 1_200.0, 3_600.0, -1.0)
        following.saw(never, (number + 0.5) / 200 * 3 * 3_600.0, 3_600.0, -1.0)
    assert following.correction(after, 1 / 3) > 0.5
    assert following.correction(never, 1 / 3) < -1.0
    assert following.correction(("another rule", *after[1:]), 1 / 3) == 0.0
    following.fade(0.0)
    following.fade(365 * 86_400.0)
    assert abs(following.correction(never, 1 / 3)) < 0.1


def test_repeats_that_vary_are_worth_more_than_copies() -> None:
    copies, looks = Repeating(), Repeating()
    for repeating, confidences in ((copies, (0.2, 0.2)), (looks, (0.2, 0.8))):
        for number in range(100):
            flip = number % 2 == 1
            first, then = (1.0 - one if flip else one for one in confidences)
            group = take(a_grouping(), camera(confidence=first))
            track = next(iter(group.tracks.values()))
            repeating.saw(track, signal_of(camera(), probability=then, received=NOW), 0.0)
    kind = ("firearm", "handgun", "Security")
    assert copies.worth(kind, 1) == looks.worth(kind, 1) == 1.0
    assert 1.0 < copies.worth(kind, 4) < 1.2 < 3.0 < looks.worth(kind, 4) < 4.0


def test_what_is_certain_of_a_network_does_not_vouch_for_the_place_of_each_sensor_on_it() -> None:
    grouping = a_grouping()
    host = {"tool": "cyber", "detector": "intrusion", "category": Category.INFRA, "place": None}
    group = None
    for number in range(3):
        group = take(grouping, an_alert(**host, source=f"host-{number}", entities=("network-1",), confidence=0.99))
    seen = take(grouping, camera(entities=("network-1",), confidence=0.3))
    assert seen is group
    assert seen.afar
    on_it = next(track for track in seen.tracks.values() if track.tool == "firearm")
    assert real(on_it, afar=True) > 0.9
    assert real(on_it, afar=False) < 0.3


def test_the_same_evidence_again_adds_little() -> None:
    one = Piece("firearm", "camera-1", 0.7, 0.3, 1.0)
    other = Piece("social", "feed", 0.7, 0.3, 1.0)
    alone, twice, two = (fuse(pieces).log_odds for pieces in ([one], [one, one], [one, other]))
    assert twice - alone < 0.2 * (two - alone)
    assert fuse([one] * 10_000).log_odds - alone < 0.5


def test_verdicts_move_the_source_most_the_detector_less_and_another_tool_not_at_all() -> None:
    calibration = Calibration({("firearm", "handgun"): Prior(0.6, 10)})
    before = calibration.probability("firearm", "handgun", "good", 0.7)
    verdict = Verdict("firearm", "handgun", "bad", 0.7, correct=False)
    for _ in range(20):
        calibration.learn(verdict)
    bad = calibration.probability("firearm", "handgun", "bad", 0.7)
    good = calibration.probability("firearm", "handgun", "good", 0.7)
    assert bad < good < before
    untouched = Calibration().probability("air", "release", "bad", 0.7)
    assert calibration.probability("air", "release", "bad", 0.7) == untouched
    for _ in range(20):
        calibration.unlearn(verdict)
    assert abs(calibration.probability("firearm", "handgun", "bad", 0.7) - before) < 0.05


def test_reliability_and_its_error() -> None:
    diagram = reliability([(0.9, True)] * 9 + [(0.9, False)] + [(0.1, False)] * 10)
    assert [(one.count, one.observed) for one in diagram] == [(10, 0.0), (10, 0.9)]
    assert abs(expected_calibration_error(diagram) - 0.05) < 1e-9
    assert expected_calibration_error([]) == 0.0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.floats(-6, 6), st.booleans()), max_size=60))
def test_straightening_never_breaks_and_keeps_the_order(outcomes: list[tuple[float, bool]]) -> None:
    straight = Recalibration()
    straight.learn(outcomes)
    said = [straight.probability(log_odds) for log_odds in (-5.0, -1.0, 0.0, 1.0, 5.0)]
    assert said == sorted(said)
    assert all(0 < one < 1 for one in said)


def test_the_rules_of_the_house_are_written_and_read_alike() -> None:
    rules = default_rules()
    assert read_rules(write_rules(rules)) == rules


ACT = st.tuples(
    st.sampled_from(["take", "join", "separate", "fix", "retire", "revive"]), st.integers(0, 7), st.integers(0, 2)
)


@settings(max_examples=30, deadline=None)
@given(st.lists(ACT, max_size=30))
def test_whatever_people_do_each_alert_is_in_one_group_and_hand_made_splits_hold(
    acts: list[tuple[str, int, int]],
) -> None:
    grouping = a_grouping()
    alerts = [camera(id=f"a{n}", source=f"camera-{n % 4}", confidence=0.5) for n in range(8)]
    separated: dict[str, set[str]] = {}
    for act, number, incident_number in acts:
        alert, incident = alerts[number], f"incident-{incident_number}"
        if act == "take":
            grouping.take(signal_of(alert, probability=0.5, received=NOW))
        elif act == "join":
            grouping.join(alert.id, incident)
            separated.get(alert.id, set()).discard(incident)
        elif act == "separate":
            grouping.separate(alert.id, incident)
            separated.setdefault(alert.id, set()).add(incident)
        else:
            getattr(grouping, act)(incident)
        grouping.changed()
        seen = [id for group in grouping.groups() for id in group.alerts()]
        assert len(seen) == len(set(seen)) == len(grouping)
        for group in grouping.groups():
            assert group.size == len(group.alerts())
            for id in group.alerts():
                assert group.incident not in separated.get(id, set())


@pytest.mark.parametrize("text", ["a: 0000-00-00", "a: 2026-02-30", "{", "- 1", "a: &a [*a]"])
def test_what_is_no_set_of_rules_is_refused_in_words(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_rules(text)
