"""The web pages: server-rendered, fed by the same interface that anyone may use."""

from impetus.ui.application import mount_ui

__all__ = ["mount_ui"]
