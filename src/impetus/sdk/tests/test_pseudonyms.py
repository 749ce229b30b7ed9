"""Protects: a pseudonym gives nothing away, is joined with nothing else, and nothing passes when its key is gone."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from impetus.model import ConfigurationError, Identifier, ManualClock
from impetus.sdk.pseudonyms import KEPT, ROTATED_AFTER, Pseudonyms

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


def make(home: Path, clock: ManualClock, tenant: str = "police", purpose: str = "plates") -> Pseudonyms:
    return Pseudonyms(home, tenant, purpose, clock)


def test_the_same_identifier_is_known_again_only_within_one_organisation_and_purpose(
    tmp_path: Path, clock: ManualClock
) -> None:
    ours = make(tmp_path, clock)
    pseudonym = ours.of("AB 123 CD")
    assert pseudonym == make(tmp_path, clock).of(" ab 123 cd ")
    assert ours.matches(pseudonym, "AB 123 CD")
    assert not ours.matches(pseudonym, "AB 123 CE")
    others = [make(tmp_path, clock, "fire").of("AB 123 CD"), make(tmp_path, clock, purpose="social").of("AB 123 CD")]
    assert len({pseudonym, *others}) == 3
    assert not make(tmp_path, clock, "fire").matches(pseudonym, "AB 123 CD")
    assert stat.S_IMODE((tmp_path / "secrets/pseudonyms/police/plates.json").stat().st_mode) == 0o600


def test_keys_are_rotated_and_destroyed(tmp_path: Path, clock: ManualClock) -> None:
    ours = make(tmp_path, clock)
    old = ours.of("someone")
    clock.advance(ROTATED_AFTER.total_seconds())
    new = ours.of("someone")
    assert new != old
    assert ours.matches(old, "someone")
    clock.advance((KEPT - ROTATED_AFTER).total_seconds())
    assert not ours.matches(old, "someone")
    assert not make(tmp_path, clock).matches(old, "someone")


def test_a_lost_or_damaged_key_lets_nothing_pass(tmp_path: Path, clock: ManualClock) -> None:
    ours = make(tmp_path, clock)
    ours.of("someone")
    file = tmp_path / "secrets/pseudonyms/police/plates.json"
    kept = file.read_bytes()
    file.unlink()
    for each in (ours, make(tmp_path, clock)):
        with pytest.raises(ConfigurationError, match="lost") as caught:
            each.of("someone")
        assert "someone" not in str(caught.value)
    file.write_bytes(b"{")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        make(tmp_path, clock).of("someone")
    file.write_bytes(kept)
    assert ours.of("someone") == make(tmp_path, clock).of("someone")


def test_a_clock_that_is_set_back_makes_no_second_key(tmp_path: Path, clock: ManualClock) -> None:
    before = make(tmp_path, clock).of("someone")
    clock.advance(-timedelta(days=400).total_seconds())
    assert make(tmp_path, clock).of("someone") == before


@given(st.text(min_size=4, max_size=200))
def test_any_identifier_gives_a_name_that_says_nothing_of_it(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    home = tmp_path_factory.getbasetemp() / "keys"
    pseudonym = make(home, ManualClock(NOW)).of(text)
    TypeAdapter(Identifier).validate_python(pseudonym)
    assert len(pseudonym) == 2 + 4 + 1 + 32
    assert text not in pseudonym
