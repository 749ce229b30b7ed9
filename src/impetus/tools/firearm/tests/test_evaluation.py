"""Protects what people judge a model by: its figures, its curve, what it takes for what, and its worst mistakes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from impetus.sdk import LocalContext, local_tool
from impetus.tools.firearm import approving
from impetus.tools.firearm.confusion import MISTAKES, SIDE_PX, Confusion
from impetus.tools.firearm.detections import PERSON, WEAPON, Detections
from impetus.tools.firearm.evaluation import average_precision, judge, precision_recall
from impetus.tools.firearm.model import Thresholds
from impetus.tools.firearm.settings import FirearmSettings
from impetus.tools.firearm.tests.finder import always
from impetus.tools.firearm.worker import FirearmTool

PICTURE = np.full((416, 416, 3), 90, np.uint8)
GUN, MAN, BAG = (100.0, 100.0, 140.0, 120.0), (200.0, 50.0, 260.0, 250.0), (300.0, 300.0, 330.0, 330.0)


def found(*what: tuple[tuple[float, float, float, float], float, int]) -> Detections:
    return Detections(
        np.array([box for box, _, _ in what], np.float64).reshape(-1, 4),
        np.array([score for _, score, _ in what], np.float64),
        np.array([kind for _, _, kind in what], np.int64),
    )


def truths(*what: tuple[tuple[float, float, float, float], int]) -> tuple[Any, Any]:
    return np.array([box for box, _ in what], np.float64).reshape(-1, 4), np.array(
        [kind for _, kind in what], np.float64
    )


def test_everything_is_counted_once_as_what_it_was_taken_for() -> None:
    confusion = Confusion(Thresholds(person=0.3, weapon=0.3))
    boxes, kinds = truths((GUN, WEAPON), (MAN, PERSON))
    confusion.add(PICTURE, found((GUN, 0.9, WEAPON), (MAN, 0.8, PERSON), (BAG, 0.7, WEAPON)), boxes, kinds)
    confusion.add(PICTURE, found((MAN, 0.8, WEAPON), (GUN, 0.2, WEAPON)), boxes, kinds)
    confusion.add(PICTURE, found(), *truths())
    assert confusion.json() == {
        "person": {"person": 1, "weapon": 1, "nothing": 0},
        "weapon": {"person": 0, "weapon": 1, "nothing": 1},
        "nothing": {"person": 0, "weapon": 1, "nothing": 0},
    }
    assert [(each.missed, each.score) for each in confusion.mistakes()] == [(False, 0.8), (False, 0.7), (True, 0.0)]


def test_only_the_worst_mistakes_are_kept_as_small_pictures() -> None:
    confusion = Confusion(Thresholds(person=0.3, weapon=0.3))
    for number in range(3 * MISTAKES):
        box = (10.0, 10.0, 30.0 + 9 * number, 60.0)
        confusion.add(PICTURE, found((BAG, 0.4 + 0.01 * number, WEAPON)), *truths((box, WEAPON)))
    kept = confusion.mistakes()
    assert len(kept) == 2 * MISTAKES
    assert kept[0].score == pytest.approx(0.4 + 0.01 * (3 * MISTAKES - 1))
    missed = [each.size_px for each in kept if each.missed]
    assert missed == sorted(missed, reverse=True)
    for each in kept:
        picture = cv2.imdecode(np.frombuffer(each.picture, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert max(picture.shape[:2]) == SIDE_PX


def test_a_curve_ends_where_everything_was_found_and_holds_its_area() -> None:
    boxes, kinds = truths((GUN, WEAPON))
    judged = [
        judge(found((GUN, 0.9, WEAPON)), boxes, kinds),
        judge(found((BAG, 0.8, WEAPON)), *truths()),
        judge(found((GUN, 0.7, WEAPON)), boxes, kinds),
    ]
    recall, precision = precision_recall(judged, WEAPON)
    assert recall.tolist() == [0.5, 0.5, 1.0]
    assert precision.tolist() == pytest.approx([1.0, 2 / 3, 2 / 3])
    assert average_precision(judged, WEAPON) == pytest.approx(0.5 + 0.5 * 2 / 3)
    assert not len(precision_recall(judged, PERSON)[0])


async def test_an_evaluation_on_the_page_brings_curves_and_mistakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approving, "EVALUATED_PICTURES", 6)
    _, manifest = local_tool(FirearmTool).usable()
    context = LocalContext(manifest)
    tool = FirearmTool(context, FirearmSettings(model_file=always(tmp_path)))
    await tool.start()
    tool.model.evaluate()
    for _ in range(1_200):
        if any(result.content["evaluation"] for result in context.results if result.kind == "model"):
            break
        await asyncio.sleep(0.05)
    evaluation: Any = context.results[-1].content["evaluation"]
    await tool.stop()
    assert set(evaluation["curves"]) == {"person", "weapon"}
    assert sum(evaluation["confusion"]["weapon"].values()) == sum(
        row["weapons"] for row in evaluation["weapon_recall_by_size"]
    )
    assert evaluation["mistakes"]
    # The stand-in takes something for a weapon in each picture, and nobody for a person.
    assert len(evaluation["curves"]["weapon"]) > 1
    assert evaluation["curves"]["person"] == []
    assert all(each["picture"].startswith("data:image/jpeg;base64,") for each in evaluation["mistakes"])
