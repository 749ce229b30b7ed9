"""The guide to writing a tool names every field, method and check that there is."""

from __future__ import annotations

from pathlib import Path

import pytest

import impetus
from impetus.sdk import Context, Detector, Manifest, Tool
from impetus.sdk.card import CARD_HEADINGS
from impetus.sdk.manifest import AiActClass, Capability
from impetus.sdk.worker import OBSERVE_LIMIT_S

GUIDE = Path(impetus.__file__).parents[2] / "docs" / "guide" / "write-a-tool.md"


def public_members(cls: type) -> set[str]:
    return {name for name in vars(cls) if not name.startswith("_")}


@pytest.mark.parametrize(
    "word",
    sorted(
        {f"`{name}`" for name in {*Manifest.model_fields, *Detector.model_fields}}
        | {f"`{value}`" for value in [*Capability, *AiActClass]}
        | {f"`{name}`" for name in public_members(Context) | (public_members(Tool) - {"settings_type"})}
        | set(CARD_HEADINGS)
        | {f"more than {OBSERVE_LIMIT_S:.0f} s"}
    ),
)
def test_the_guide_names(word: str) -> None:
    assert word in GUIDE.read_text(encoding="utf-8")
