"""All that a tool may use of impetus, beside the model."""

from impetus.sdk.context import Context
from impetus.sdk.duty import Duty, DutyBoard
from impetus.sdk.emission import check_alert
from impetus.sdk.manifest import (
    AiActClass,
    Capability,
    Detector,
    EvidenceUse,
    InputKind,
    Manifest,
    OwnUse,
    ResultKind,
    TaskKind,
    ToolAsked,
    ToolInput,
    read_manifest,
)
from impetus.sdk.own import Consent, OwnEntry, OwnFolders, OwnView
from impetus.sdk.registry import InstalledTool, load_tool, load_tools, local_tool
from impetus.sdk.testing import LocalContext
from impetus.sdk.tool import SettingsType, Tool, ToolSettings

__all__ = [
    "AiActClass",
    "Capability",
    "Consent",
    "Context",
    "Detector",
    "Duty",
    "DutyBoard",
    "EvidenceUse",
    "InputKind",
    "InstalledTool",
    "LocalContext",
    "Manifest",
    "OwnEntry",
    "OwnFolders",
    "OwnUse",
    "OwnView",
    "ResultKind",
    "SettingsType",
    "TaskKind",
    "Tool",
    "ToolAsked",
    "ToolInput",
    "ToolSettings",
    "check_alert",
    "load_tool",
    "load_tools",
    "local_tool",
    "read_manifest",
]
