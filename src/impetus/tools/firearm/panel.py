"""The panels of this tool: the camera wall, events to review, the camera editor, the model."""

from __future__ import annotations

from collections.abc import Sequence

from impetus.model import Role
from impetus.sdk.panel import Column, Form, Format, Panel, Table
from impetus.tools.firearm.wanted import ApprovalWanted, Nothing

CAMERAS = (
    Column(field="title", title="Camera"),
    Column(field="content.state", title="State", format=Format.STATE),
    Column(field="content.words", title="What it does"),
    Column(field="content.analysed", title="Frames analysed", format=Format.NUMBER),
    Column(field="content.looked", title="Looked at", format=Format.NUMBER),
    Column(field="content.look_ms", title="ms a frame", format=Format.NUMBER),
    Column(field="content.trust", title="Trust", format=Format.PERCENT),
)
MODELS = (
    Column(field="title", title="Model"),
    Column(field="content.not_for", title="Not for"),
    Column(field="content.state", title="State", format=Format.STATE),
    Column(field="content.approval.person", title="Approved by"),
    Column(field="content.licence", title="Licence"),
    Column(field="content.licence_notice", title="What it binds to"),
    Column(field="content.data", title="Trained on"),
    Column(field="content.evaluation.weapon_ap50.value", title="Weapon AP50", format=Format.PERCENT),
    Column(field="content.evaluation.person_ap50.value", title="Person AP50", format=Format.PERCENT),
    Column(field="content.evaluation.ms_a_picture", title="ms a picture", format=Format.NUMBER),
    Column(field="content.provider", title="Runs on"),
    Column(field="content.sha256", title="SHA-256"),
)


def panels() -> Sequence[Panel]:
    """Declared once; drawn for each person by what they may read."""
    return [
        Panel(
            id="wall",
            title="Cameras",
            summary="The empty place, and flat shapes where somebody is: nobody can be recognised here.",
            module="wall.js",
        ),
        Panel(
            id="events",
            title="Events",
            summary="Masked frames of each event. A person confirms or dismisses; before that, nothing is passed on.",
            roles=(Role.OPERATOR, Role.SUPERVISOR),
            module="events.js",
        ),
        Panel(
            id="editor",
            title="Zones and calibration",
            summary="Areas that are watched or never looked at, and four points that give a camera's ground a place.",
            roles=(Role.SUPERVISOR,),
            module="editor.js",
        ),
        Panel(
            id="state",
            title="State",
            widgets=(
                Table(
                    title="Cameras",
                    source="/tools/firearm/results?kind=camera&limit=200",
                    columns=CAMERAS,
                    limit=200,
                    empty="No camera is analysed: none is set, or the model is not approved",
                    span=2,
                ),
            ),
        ),
        Panel(
            id="model",
            title="Model",
            summary="No model is used before it was evaluated and a person approved it.",
            roles=(Role.SUPERVISOR, Role.DATA_PROTECTION_OFFICER),
            widgets=(
                Table(
                    title="Models",
                    source="/tools/firearm/results?kind=model&limit=20",
                    columns=MODELS,
                    empty="No model could be loaded",
                    span=2,
                ),
                Form(title="Evaluate", model=Nothing, task="evaluate-model", submit="Evaluate the model in use"),
                Form(title="Approve", model=ApprovalWanted, task="approve-model", submit="Approve"),
                Form(title="Withdraw", model=ApprovalWanted, task="withdraw-model", submit="Withdraw the approval"),
            ),
        ),
        Panel(
            id="evaluation",
            title="Evaluation",
            summary="How the model in use did on rendered pictures that it had not seen, and its worst mistakes.",
            roles=(Role.SUPERVISOR, Role.DATA_PROTECTION_OFFICER),
            module="evaluation.js",
        ),
    ]
