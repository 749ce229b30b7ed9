"""One alert for one event: hysteresis, updates and cool-down."""

from __future__ import annotations

from dataclasses import replace

import pytest

from impetus.tools.anomaly.episodes import Change, Episode, EpisodeRules, Reading, advance

RULES = EpisodeRules(strong=5.0, weak=4.0, needed=3, window=5, update_s=30.0, cool_down_s=600.0)


def reading(time_s: float, rarity: float) -> Reading:
    return Reading(time_s=time_s, value=1.0, rarity=rarity, low=0.0, middle=0.5, high=0.9, feature=0)


def run(rarities: list[float], *, before: Episode | None = None) -> tuple[list[Change], list[Episode]]:
    """Readings a minute apart; what happened at each, and the episodes that ended."""
    bits, changes, ended = list[bool](), list[Change](), list[Episode]()
    episode: Episode | None = None
    first_s = 0.0
    for number, rarity in enumerate(rarities):
        unusual = rarity >= RULES.weak
        if unusual and not any(bits[-RULES.window + 1 :]):
            first_s = 60.0 * number
        bits.append(unusual)
        episode, change = advance(
            episode,
            reading(60.0 * number, rarity),
            RULES,
            detector="level",
            count=sum(bits[-RULES.window :]),
            first_s=first_s,
            before=before,
        )
        changes.append(change)
        if episode is not None and change in ("opened", "worse"):
            episode = replace(episode, revision=episode.revision + 1, sent_rarity=episode.rarity, sent_s=60.0 * number)
        if episode is not None and change == "ended":
            ended.append(episode)
            before, episode = episode, None
    return changes, ended


def test_one_weak_reading_is_no_alert_and_three_of_five_are() -> None:
    assert "opened" not in run([0, 4.5, 0, 0, 0, 4.5, 0])[0]
    assert run([0, 4.5, 0, 4.5, 4.5])[0] == ["none", "none", "none", "none", "opened"]


def test_one_strong_reading_is_an_alert() -> None:
    assert run([0, 5.5])[0][-1] == "opened"


def test_the_onset_is_the_first_unusual_reading_of_the_stretch() -> None:
    _, ended = run([0, 4.5, 0, 4.5, 4.5, 0, 0, 0, 0, 0])
    assert (ended[0].onset_s, ended[0].ended_s, ended[0].readings) == (60.0, 240.0, 3)


def test_a_dip_does_not_split_an_event() -> None:
    """Hysteresis: it ends only when nothing was unusual for a whole window."""
    changes, ended = run([5.5, 4.5, 0, 0, 4.5, 0, 0, 0, 0, 0])
    assert changes.count("opened") == 1
    assert [episode.ended_s for episode in ended] == [240.0]


def test_it_is_brought_up_to_date_only_when_clearly_worse() -> None:
    changes, _ = run([5.0, 5.3, 5.9, 6.1, 6.2, 7.2])
    assert changes == ["opened", "none", "none", "worse", "none", "worse"]


@pytest.mark.parametrize(("rarity", "opened"), [(5.2, 1), (6.5, 2)])
def test_cool_down_lets_only_the_clearly_rarer_through(rarity: float, opened: int) -> None:
    assert run([5.0, 0, 0, 0, 0, 0, rarity])[0].count("opened") == opened


def test_after_the_cool_down_it_may_alert_again() -> None:
    assert run([5.0, *[0.0] * 15, 5.0])[0].count("opened") == 2


def test_an_episode_survives_as_json() -> None:
    """It is part of the checkpoint."""
    episode = run([5.0, 0, 0, 0, 0, 0])[1][0]
    assert Episode(**episode.to_json()) == episode
