"""A manifest is read strictly, its errors name file and field, and forbidden practices are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impetus.model import Category, ConfigurationError, DataClass, Role, Severity
from impetus.sdk.card import CARD_HEADINGS, check_card
from impetus.sdk.manifest import AiActClass, Capability, Manifest, forbidden_practice, read_manifest

VALID = """
id = "noise-level"
title = "Noise level"
summary = "Notices noise."
version = "0.1.0"
capability = "identifying-emerging-threats"
roles = ["operator"]
purposes = ["keeping watch over public sensors"]
personal_data = false
data_classes = ["operational"]
retention_days = 30
ai_act_class = "minimal"

[[inputs]]
kind = "observation"
observed_properties = ["sound-level"]

[[detectors]]
id = "loud"
title = "Loud"
category = "Safety"
max_severity = "Moderate"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "noise_level"
    folder.mkdir()
    return folder


def write(folder: Path, text: str) -> Path:
    (folder / "manifest.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_manifest_says_what_a_tool_may_do(folder: Path) -> None:
    manifest = read_manifest(write(folder, VALID))
    assert manifest.capability is Capability.IDENTIFYING_EMERGING_THREATS
    assert manifest.roles == (Role.OPERATOR,)
    assert manifest.data_classes == (DataClass.OPERATIONAL,)
    assert manifest.ai_act_class is AiActClass.MINIMAL
    assert manifest.observed_properties() == frozenset({"sound-level"})
    loud = manifest.detector("loud")
    assert loud is not None
    assert (loud.category, loud.max_severity) == (Category.SAFETY, Severity.MODERATE)
    assert manifest.detector("quiet") is None


def test_a_tool_without_inputs_gets_no_observations_and_one_without_a_list_gets_all(folder: Path) -> None:
    inputs = '[[inputs]]\nkind = "observation"\nobserved_properties = ["sound-level"]\n'
    assert read_manifest(write(folder, VALID.replace(inputs, ""))).observed_properties() == frozenset()
    everything = VALID.replace('observed_properties = ["sound-level"]', "")
    assert read_manifest(write(folder, everything)).observed_properties() is None


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('title = "Noise level"', "", "title: Field required"),
        ('title = "Noise level"', 'titel = "Noise level"', "titel: Extra inputs"),
        ("retention_days = 30", 'retention_days = "30"', "retention_days: "),
        ("retention_days = 30", "retention_days = -1", "retention_days: "),
        ("retention_days = 30", "retention_days = 2026-01-01", "retention_days: "),
        ("personal_data = false", "personal_data = 0", "personal_data: "),
        ('capability = "identifying-emerging-threats"', 'capability = "magic"', "capability: "),
        ('roles = ["operator"]', "roles = []", "roles: "),
        ('roles = ["operator"]', 'roles = ["king"]', "roles.0: "),
        ('category = "Safety"', 'category = "Danger"', "detectors.0.category: "),
        ('kind = "observation"', 'kind = "video"', "inputs.0.kind: "),
        ('version = "0.1.0"', 'version = "one"', "version: "),
        ('id = "noise-level"', 'id = "noise"', "differs from the folder's name 'noise-level'"),
        ('data_classes = ["operational"]', 'data_classes = ["personal"]', "personal_data is false, but"),
        ("personal_data = false", "personal_data = true", "personal_data is true, but"),
        ("[[detectors]]", "[[detectors]", "is not TOML"),
        (
            "keeping watch over public sensors",
            "facial recognition of passers-by",
            "forbidden practice: face recognition",
        ),
        ('title = "Loud"', 'title = "Social scoring"', "forbidden practice: social scoring"),
    ],
)
def test_an_error_names_the_file_and_the_field(folder: Path, old: str, new: str, named: str) -> None:
    assert old in VALID
    with pytest.raises(ConfigurationError) as caught:
        read_manifest(write(folder, VALID.replace(old, new, 1)))
    assert str(folder / "manifest.toml") in caught.value.message
    assert named in caught.value.message


def test_a_detector_declared_twice_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="declared twice"):
        read_manifest(write(folder, VALID + VALID[VALID.index("[[detectors]]") :]))


def test_a_missing_or_unreadable_manifest_is_an_error_with_words(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="is missing"):
        read_manifest(folder)
    (folder / "manifest.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_manifest(folder)


@given(st.text(max_size=200) | st.sampled_from(["id = 1", "a = nan", "a = [1, {b = 2}]", "detectors = 3", "[inputs]"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_gets_past_as_anything_but_a_configuration_error(folder: Path, text: str) -> None:
    (folder / "manifest.toml").write_text(text, encoding="utf-8", errors="replace")
    with pytest.raises(ConfigurationError):
        read_manifest(folder)


@pytest.mark.parametrize(
    "purpose",
    [
        "face-recognition",
        "Facial recognition in crowds",
        "recognise people by their face",
        "biometric identification of suspects",
        "re-identification across cameras",
        "social scoring of residents",
        "citizen trustworthiness score",
        "profiling of named persons",
        "profiling private individuals",
        "user profiling",
        "emotion recognition at work",
        "inferring staff emotions",
        "predictive policing",
        "predicting who will reoffend",
        "forecasting repeat offenders",
        "criminal risk forecast",
    ],
)
def test_a_forbidden_practice_is_recognised(purpose: str) -> None:
    assert forbidden_practice(purpose) is not None


@pytest.mark.parametrize(
    "purpose",
    [
        "traffic operations",
        "keeping watch over the city's public sensors",
        "detecting handguns and long guns in view",
        "surface water monitoring",
        "warning of threats to the city's computer systems",
        "predicting evacuation times",
        "ranking vulnerabilities by risk",
        "noticing overload of operators",
        "identifying the source of a release",
        "finding posts about threats to public events",
        "face masks: stock keeping in emergency stores",
    ],
)
def test_an_honest_purpose_is_not_taken_for_one(purpose: str) -> None:
    assert forbidden_practice(purpose) is None


def test_a_card_needs_every_section_with_text(folder: Path) -> None:
    assert len(check_card(folder)) == 1
    complete = "# Card\n" + "".join(f"\n## {heading}\n\nText.\n" for heading in CARD_HEADINGS)
    (folder / "README.md").write_text(complete)
    assert check_card(folder) == []
    (folder / "README.md").write_text(complete.replace("## Where it fails", "### Where it fails"))
    assert check_card(folder) == [f"{folder / 'README.md'} has no section '## Where it fails'"]
    (folder / "README.md").write_text(complete.replace("## Excluded use\n\nText.", "## excluded use ##\n\n"))
    assert check_card(folder) == [f"{folder / 'README.md'}: section 'Excluded use' is empty"]
    hidden = complete.replace("## Intended use\n\nText.", "```\n## Intended use\n\nText.\n```")
    (folder / "README.md").write_text(hidden)
    assert check_card(folder) == [f"{folder / 'README.md'} has no section '## Intended use'"]


def test_the_schema_of_a_manifest_describes_every_field() -> None:
    """The manifest is written by people who read the reference made from it."""
    properties = Manifest.model_json_schema()["properties"]
    assert {"id", "purposes", "ai_act_class", "tick_s"} <= set(properties)
