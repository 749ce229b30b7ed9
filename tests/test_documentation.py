"""What is documented is what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts.generate_reference import REFERENCE, reference

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "CONTRIBUTING.md", "docs/getting-started.md")
COMMAND_LINE = re.compile(r"^\$ (.+)$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)")


def test_reference_is_what_the_code_says() -> None:
    generated = reference()
    committed = {
        path.relative_to(REFERENCE).as_posix(): path.read_text() for path in REFERENCE.rglob("*") if path.is_file()
    }
    stale = sorted(name for name, text in generated.items() if committed.get(name) != text)
    assert not stale, f"docs/reference is not what the code says; run `make reference`: {stale}"
    assert set(committed) == set(generated), "docs/reference holds pages that nothing generates; run `make reference`"


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES)
def test_make_commands_of_a_page_exist(page: str) -> None:
    used = {
        target
        for line in COMMAND_LINE.findall((ROOT / page).read_text())
        for target in re.findall(r"\bmake ([a-z][a-z-]*)", line)
    }
    assert used <= make_targets()


@pytest.mark.parametrize("page", PAGES)
def test_impetus_commands_of_a_page_exist(page: str) -> None:
    documented = re.findall(r"^## (impetus .+)$", reference()["commands.md"], re.MULTILINE)
    for line in COMMAND_LINE.findall((ROOT / page).read_text()):
        if line.startswith(".venv/bin/impetus "):
            assert any(line.startswith(f".venv/bin/{command}") for command in documented), line


def test_readme_names_the_two_commands() -> None:
    commands = COMMAND_LINE.findall((ROOT / "README.md").read_text())
    assert [command.split()[:2] for command in commands[:2]] == [["make", "demo"], ["make", "test"]]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"])
def test_links_of_a_page_outside_the_site_lead_somewhere(page: str) -> None:
    # mkdocs checks the links between the pages of the site.
    missing = [link for link in LINK.findall((ROOT / page).read_text()) if not (ROOT / link).exists()]
    assert not missing


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "adr"
    index = (folder / "index.md").read_text()
    assert not [path.name for path in folder.glob("[0-9]*.md") if f"]({path.name})" not in index]
