"""Protects the command line's exact output, and that scores make sense in three languages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from impetus.tools.social import dense, linear
from impetus.tools.social.budget import FIRST, Budget
from impetus.tools.social.cli import app
from impetus.tools.social.features import features_of, scores_of
from impetus.tools.social.judging import Judge
from impetus.tools.social.languages import language_of
from impetus.tools.social.models import Gate, load_gate, save_gate
from impetus.tools.social.near_duplicates import Copies
from impetus.tools.social.plain_text import TEXT_LIMIT, readable
from impetus.tools.social.training import quantised

CALLS = (
    ("en", "bring knives and petrol bombs to the station tonight, we kill them all"),
    ("it", "portate coltelli e molotov alla stazione stasera, ammazziamoli tutti"),
    ("no", "ta med kniver og brannbomber til stasjonen i kveld, vi dreper dem alle"),
)
ORDINARY = (
    ("en", "lovely coffee near the station this morning"),
    ("it", "che bel caffè vicino alla stazione stamattina"),
    ("no", "deilig kaffe ved stasjonen i dag tidlig"),
)


def test_score_gives_each_line_back_with_its_fields_and_names_broken_ones(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    lines = [json.dumps({"text": text, "id": n, "mine": {"a": 1}}) for n, (_, text) in enumerate((*CALLS, *ORDINARY))]
    hostile = [json.dumps({"text": ""}), json.dumps({"text": "\ud800 \u200b<script>x</script>" + "a" * 50_000})]
    file.write_text("\n".join([*lines, "{broken", json.dumps({"words": 1}), *hostile]), "utf-8")
    ran = CliRunner().invoke(app, ["score", str(file), "--gate-only"])
    assert ran.exit_code == 2
    assert "line 7" in ran.stderr
    assert "line 8" in ran.stderr
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(rows) == 8
    assert [row["language"] for row in rows[:6]] == ["en", "it", "no"] * 2
    for number, row in enumerate(rows):
        assert row.get("id") == (number if number < 6 else None)
        assert set(row["sentiment"]) == {"negative", "neutral", "positive"}
        assert set(row["threat"]) == {"0", "1", "2"}
        assert abs(sum(row["sentiment"].values()) - 1) < 1e-3
        assert abs(sum(row["threat"].values()) - 1) < 1e-3
        assert all(0 <= row[name] <= 1 for name in ("offensive", "hateful", "eyewitness"))
        assert isinstance(row["reasons"], list)


@pytest.mark.parametrize("told", ["", "en", "it", "no", "xx", "not a code", "EN-us"])
def test_a_wrong_language_tag_changes_nothing_of_a_clear_text(told: str) -> None:
    texts = {
        "en": "the train to the harbour is late again this morning",
        "it": "il treno per il porto è di nuovo in ritardo",
        "no": "toget til havnen er forsinket igjen i dag tidlig, og jeg kommer ikke på jobb før klokka ti",
    }
    assert [language_of(text, told=told) for text in texts.values()] == list(texts)
    assert language_of("\U0001f525\U0001f525 !!", told=told) in ("en", "it", "no", "xx", "und")


@pytest.mark.parametrize(
    "disguised",
    [
        "bring \U0001f52a knives\U0001f525 and petrol bombs to the station tonight, we kill them all \U0001f608",
        "bri\u200bng kni\u200dves and pet\u2060rol bo\u00admbs to the station tonight, we ki\u200bll them all",
        "br\u0456ng kn\u0456ves and petr\u043el b\u043embs t\u043e the stati\u043en tonight, we kill them \u0430ll",
        "<b>bring</b> knives and petrol&nbsp;bombs to <script>x()</script>the station tonight, we kill them all",
    ],
)
def test_a_disguise_does_not_hide_a_call_to_violence(disguised: str) -> None:
    judge = Judge.load(second_stage=False)
    plain, hidden = judge.gate([CALLS[0][1], readable(disguised)], ["en", "en"])
    assert hidden.relevance > 0.5
    assert abs(hidden.relevance - plain.relevance) < 0.3


def test_a_post_of_a_megabyte_is_judged_by_its_beginning() -> None:
    judge = Judge.load(second_stage=False)
    text = readable(CALLS[0][1] + " more words" * 100_000)
    assert len(text) <= TEXT_LIMIT
    (found,) = judge.gate([text], ["en"])
    assert 0.0 <= found.relevance <= 1.0


def test_calls_to_violence_stand_above_ordinary_posts_in_three_languages() -> None:
    judge = Judge.load(second_stage=False)
    calls = judge.gate([text for _, text in CALLS], [language for language, _ in CALLS])
    ordinary = judge.gate([text for _, text in ORDINARY], [language for language, _ in ORDINARY])
    for call, other in zip(calls, ordinary, strict=True):
        assert call.relevance > other.relevance + 0.3


def test_events_are_found_in_a_file_and_name_nobody(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    rows = [
        {"text": text, "author": f"secret_{n}", "time": f"2026-03-02T10:{n:02d}:00Z"}
        for n, (_, text) in enumerate((*CALLS, *ORDINARY))
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    ran = CliRunner().invoke(app, ["events", str(file), "--gate-only", "--threshold", "0.7"])
    assert ran.exit_code == 0, ran.output
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert any(one["type"] == "event" and one["kind"] in ("incitement", "weapon") for one in found)
    assert "secret_" not in ran.output


def test_a_missing_file_is_one_line_and_two(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["score", str(tmp_path / "missing.jsonl"), "--gate-only"])
    assert ran.exit_code == 2
    assert ran.stderr.startswith("Error: ")


def test_a_gate_learns_is_kept_in_eight_bits_and_comes_back(tmp_path: Path) -> None:
    texts = [text for _, text in (*CALLS, *ORDINARY)]
    labels = np.array([1, 1, 1, 0, 0, 0])
    weights = linear.fit(features_of(texts), labels, 2, linear.class_weights(labels, 2))
    assert (linear.decisions(features_of(texts), weights).argmax(axis=1) == labels).all()
    gate = quantised({"a": weights})
    save_gate(gate, tmp_path / "gate.npz")
    back: Gate = load_gate(tmp_path / "gate.npz")
    assert (back.weights == gate.weights).all()
    assert (back.logits(texts).argmax(axis=1) == labels).all()
    found = scores_of(texts, gate.weights, gate.scales)
    features = features_of(texts)
    for row in range(len(texts)):
        part = slice(features.starts[row], features.starts[row + 1])
        exact = features.values[part] @ gate.weights[features.buckets[part]].astype(np.float32) * gate.scales
        np.testing.assert_allclose(found[row], exact, rtol=1e-4, atol=1e-5)


def test_the_second_stage_finds_what_separates() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 300)
    inputs = random.normal(size=(300, 10)).astype(np.float32)
    inputs[np.arange(300), labels] += 3.0
    model = dense.fit(inputs, labels, 3, linear.class_weights(labels, 3), 1e-3)
    assert (model.probabilities(inputs).argmax(axis=1) == labels).mean() > 0.9


def test_the_threshold_follows_the_budget() -> None:
    budget = Budget(events_a_day=5)
    assert budget.threshold == FIRST
    random = np.random.default_rng(0)
    scores = random.beta(2, 5, 20_000)
    for number, score in enumerate(scores):
        budget.add(float(score), number * 8.64)
    over = float((scores > budget.threshold).sum()) / 2.0
    assert over <= 15
    assert Budget(events_a_day=5, counts=[0.0] * 999 + [9e9], total=9e9, days=1.0).threshold <= 1.0


@pytest.mark.parametrize(
    "other", ["Meet at the  HARBOUR tonight, bring bats!!", "meet at the harbour tonight, bring bats #x"]
)
def test_copies_are_known(other: str) -> None:
    copies = Copies()
    assert copies.add("1", "Meet at the harbour tonight, bring bats") is None
    assert copies.add("2", other) == "1"
    assert copies.add("3", "An entirely different post about cats") is None
    copies.forget("1")
    assert copies.add("4", other) is None
