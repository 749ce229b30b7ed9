"""All that a tool may use of impetus, beside the model."""

from impetus.sdk.context import Context
from impetus.sdk.emission import check_alert
from impetus.sdk.manifest import AiActClass, Capability, Detector, Manifest, ToolInput, read_manifest
from impetus.sdk.registry import InstalledTool, load_tool, load_tools, local_tool
from impetus.sdk.testing import LocalContext
from impetus.sdk.tool import SettingsType, Tool, ToolSettings

__all__ = [
    "AiActClass",
    "Capability",
    "Context",
    "Detector",
    "InstalledTool",
    "LocalContext",
    "Manifest",
    "SettingsType",
    "Tool",
    "ToolInput",
    "ToolSettings",
    "check_alert",
    "load_tool",
    "load_tools",
    "local_tool",
    "read_manifest",
]
