"""Protects: of a tool's folder only the files for browsers are served, as what they are, and they run nowhere else."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from impetus.sdk import InstalledTool
from impetus.ui.tool_files import serve_tool_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tool's folder with files that may and files that may not be served."""
    static = tmp_path / "tool" / "static"
    (static / "inner").mkdir(parents=True)
    (static / "plan.js").write_text("export function mount() {}")
    (static / "inner" / "look.css").write_text("p { color: red }")
    (static / "mark.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    (static / "page.html").write_text("<script>alert(1)</script>")
    (static / "code.py").write_text("secret = 1")
    (tmp_path / "tool" / "manifest.toml").write_text("id = 'x'")
    (tmp_path / "secret.js").write_text("secret")
    (static / "link.js").symlink_to(tmp_path / "secret.js")
    return tmp_path / "tool"


async def test_only_files_for_browsers_are_served(folder: Path) -> None:
    app = FastAPI()
    tools = {
        "air": InstalledTool("air", folder, None, None),
        "bare": InstalledTool("bare", folder.parent, None, None),
        "broken": InstalledTool("broken", None, None, None, "no folder"),
    }
    addresses = serve_tool_files(app, tools)
    assert set(addresses) == {"air"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as browser:
        script = await browser.get(f"{addresses['air']}/plan.js")
        assert script.headers["content-type"] == "text/javascript; charset=utf-8"
        assert script.headers["x-content-type-options"] == "nosniff"
        assert "immutable" in script.headers["cache-control"]
        assert (await browser.get(f"{addresses['air']}/inner/look.css")).status_code == 200
        picture = await browser.get(f"{addresses['air']}/mark.svg")
        assert "sandbox" in picture.headers["content-security-policy"]
        for path in ("page.html", "code.py", "no-such.js", "../manifest.toml", "..%2fmanifest.toml", "link.js", ""):
            assert (await browser.get(f"{addresses['air']}/{path}")).status_code == 404, path
        assert (await browser.post(f"{addresses['air']}/plan.js")).status_code == 405


def test_the_address_changes_with_the_content(folder: Path) -> None:
    tools = {"air": InstalledTool("air", folder, None, None)}
    before = serve_tool_files(FastAPI(), tools)["air"]
    assert serve_tool_files(FastAPI(), tools)["air"] == before
    (folder / "static" / "plan.js").write_text("export function mount() { return null; }")
    assert serve_tool_files(FastAPI(), tools)["air"] != before
