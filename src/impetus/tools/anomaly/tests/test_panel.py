"""The panels are declared so that the platform can draw them."""

from __future__ import annotations

from impetus.model import Role
from impetus.sdk import load_tool
from impetus.sdk.panel import load_panels


def test_panels_load_and_an_operator_sees_them() -> None:
    panels = load_panels(load_tool("anomaly"))
    assert [panel.id for panel in panels] == ["streams", "unusual", "maintenance"]
    assert all(panel.visible(Role.OPERATOR, ()) for panel in panels)
