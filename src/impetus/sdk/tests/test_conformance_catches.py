"""The conformance suite fails the tools that it should fail."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

import pytest
from pydantic import Field

from impetus.model import ConfigurationError, ObservationBatch, new_id
from impetus.sdk import conformance
from impetus.sdk.registry import InstalledTool
from impetus.sdk.tests import sample
from impetus.sdk.tool import Tool, ToolSettings


class FragileTool(sample.GoodTool):
    """Does not expect a negative value."""

    tool_id: ClassVar[str] = "sample"

    async def observe(self, batch: ObservationBatch) -> None:
        if batch.value and min(batch.value) < 0:
            raise ValueError("negative")


class ForgetfulTool(sample.HighTool):
    """Does not notice what it has seen."""

    async def observe(self, batch: ObservationBatch) -> None:
        for time_us, value in zip(batch.time_us, batch.value, strict=True):
            if value > 900:
                alert = self.alert("x", time_us, value)
                await self.context.emit(alert.model_copy(update={"id": new_id()}))


class TrustingTool(sample.HighTool):
    """Believes every checkpoint."""

    async def start(self) -> None:
        saved = await self.context.load_checkpoint()
        if saved is not None:
            saved.decode("utf-8")
            assert saved.startswith(b"{")


class UntitledSettings(ToolSettings):
    limit: float = 1.0
    """In decibels."""


class UnitlessSettings(ToolSettings):
    limit: Annotated[float, Field(title="Limit")] = 1.0
    """The limit."""


class RequiredSettings(ToolSettings):
    limit: Annotated[float, Field(title="Limit")]
    """The limit, in decibels."""


def with_settings(settings: type[ToolSettings]) -> InstalledTool:
    return sample.installed(type("SomeTool", (Tool,), {"settings_type": settings}))


@pytest.mark.parametrize(
    ("check", "installed", "words"),
    [
        (conformance.check_manifest, InstalledTool("sample", None, None, None, "no such module"), "no such module"),
        (conformance.check_settings_are_documented, with_settings(UntitledSettings), "limit has no title"),
        (conformance.check_settings_are_documented, with_settings(UnitlessSettings), "name its unit"),
        (conformance.check_settings_are_documented, with_settings(RequiredSettings), "limit has no default"),
        (
            conformance.check_same_readings_give_the_same_alerts,
            sample.installed(ForgetfulTool),
            "different identifiers",
        ),
        (conformance.check_ignores_what_it_has_seen, sample.installed(ForgetfulTool), "raised an alert"),
    ],
)
def test_a_bad_tool_fails(check: conformance.Check, installed: InstalledTool, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check(installed)


def test_a_fragile_tool_fails() -> None:
    with pytest.raises(ValueError, match="negative"):
        conformance.check_survives_malformed_observations(sample.installed(FragileTool))


def test_a_trusting_tool_fails() -> None:
    with pytest.raises((AssertionError, UnicodeDecodeError)):
        conformance.check_survives_a_broken_checkpoint(sample.installed(TrustingTool))


def test_a_tool_that_emits_what_it_does_not_declare_fails() -> None:
    class Undeclared(sample.HighTool):
        detector: ClassVar[str] = "undeclared"

    with pytest.raises(ConfigurationError, match="not declared"):
        conformance.check_starts_and_stops(sample.installed(Undeclared))


def test_an_incomplete_card_fails(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Nothing")
    installed = InstalledTool("sample", tmp_path, sample.manifest("sample"), sample.HighTool)
    with pytest.raises(AssertionError, match="no section '## What it does'"):
        conformance.check_card_is_complete(installed)
