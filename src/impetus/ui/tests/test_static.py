"""Protects the scripts and sheets that no compiler looks at."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impetus.ui.rendering import STATIC
from impetus.ui.security import image_host, own_path
from impetus.ui.text import DECEPTIVE

SCRIPTS = sorted((STATIC / "js").rglob("*.js"))
LINE_LIMIT = 300


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_short_imports_what_exists_and_writes_no_markup(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") < LINE_LIMIT
    for name in re.findall(r'from "(\.[^"]+)"', text):
        assert (path.parent / name).resolve().is_file(), name
    for names, module in re.findall(r'import \{([^}]+)\} from "(\.[^"]+)"', text):
        exported = (path.parent / module).resolve().read_text(encoding="utf-8")
        for name in (each.split(" as ")[0].strip() for each in names.split(",")):
            listed = rf"export \{{[^}}]*\b{name}\b"
            declared = rf"export (?:async )?(?:const|let|function|class) {name}\b"
            assert re.search(f"{declared}|{listed}", exported), f"{module} exports no {name}"
            assert len(re.findall(rf"\b{name}\b", text)) > 1, f"{name} is imported and not used"
    # Text from outside may never become markup, and the policy forbids evaluated text.
    assert not re.search(r"\.innerHTML\s*=|insertAdjacentHTML|document\.write|\beval\(|new Function\(", text)


def test_scripts_and_server_agree_on_what_deceives() -> None:
    script = (STATIC / "js" / "dom.js").read_text(encoding="utf-8")
    found = re.search(r"const DECEPTIVE = /(\[[^\]]+\])/g", script)
    assert found
    pattern = re.compile(found.group(1).encode().decode("unicode_escape"))
    for code in (*range(0x3000), 0xFEFF):
        assert bool(pattern.match(chr(code))) == bool(DECEPTIVE.match(chr(code))), hex(code)


def test_every_icon_that_is_used_is_drawn() -> None:
    drawn = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "icons.svg").read_text(encoding="utf-8")))
    templates = "\n".join(path.read_text(encoding="utf-8") for path in (STATIC.parent / "templates").rglob("*.html"))
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
    used = set(re.findall(r'\b(?:icon|empty)\("([a-z]+)"', templates + scripts))
    assert used
    assert used <= drawn


def tokens() -> dict[str, str]:
    sheet = (STATIC / "css" / "tokens.css").read_text(encoding="utf-8")
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", sheet))


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("surface", ["surface-0", "surface-1", "surface-2", "surface-3"])
@pytest.mark.parametrize(
    "ink",
    [
        *("ink-1", "ink-2", "ink-3", "ink-4", "accent", "good", "warn", "bad"),
        *(f"severity-{name}" for name in ("extreme", "severe", "moderate", "minor", "unknown")),
    ],
)
def test_text_stands_out_from_its_ground(ink: str, surface: str) -> None:
    # WCAG 2.2 AA, success criterion 1.4.3.
    assert contrast(tokens()[ink], tokens()[surface]) >= 4.5


def test_white_stands_out_on_the_main_button() -> None:
    assert contrast("#ffffff", tokens()["accent-strong"]) >= 4.5


@pytest.mark.parametrize("state", ["ok", "anomalous", "silent", "stuck"])
def test_a_sensors_mark_stands_out_from_the_map(state: str) -> None:
    # WCAG 2.2 AA, success criterion 1.4.11.
    for ground in ("map-land", "map-block", "map-water", "map-green"):
        assert contrast(tokens()[f"sensor-{state}"], tokens()[ground]) >= 3


@given(st.text(max_size=60))
def test_the_way_back_never_leaves_the_host(path: str) -> None:
    target = own_path(path)
    assert target.startswith("/")
    assert not target.startswith(("//", "/\\"))
    assert "\n" not in target


@given(st.text(max_size=60))
def test_a_tile_address_cannot_write_the_policy(address: str) -> None:
    host = image_host(address)
    assert host is None or not set(host) & set(" ;,'\"\n\r")
