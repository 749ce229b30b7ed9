"""The guide to writing a tool names every field, method and check that there is."""

from __future__ import annotations

from pathlib import Path

import pytest

import impetus
from impetus.sdk import Context, Detector, EvidenceUse, InputKind, Manifest, ResultKind, TaskKind, Tool, ToolInput
from impetus.sdk.calls import OBSERVE_LIMIT_S
from impetus.sdk.card import CARD_HEADINGS
from impetus.sdk.manifest import AiActClass, Capability

GUIDE = Path(impetus.__file__).parents[2] / "docs" / "guide" / "write-a-tool.md"


def public_members(cls: type) -> set[str]:
    return {name for name in vars(cls) if not name.startswith("_")}


@pytest.mark.parametrize(
    "word",
    sorted(
        {
            f"`{name}`"
            for model in (Manifest, Detector, ToolInput, ResultKind, TaskKind, EvidenceUse)
            for name in model.model_fields
        }
        | {f"`{value}`" for value in [*Capability, *AiActClass, *InputKind]}
        | {f"`{name}`" for name in public_members(Context) | (public_members(Tool) - {"settings_type"})}
        | set(CARD_HEADINGS)
        | {f"more than {OBSERVE_LIMIT_S:.0f} s"}
    ),
)
def test_the_guide_names(word: str) -> None:
    assert word in GUIDE.read_text(encoding="utf-8")
