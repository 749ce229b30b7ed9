"""The results that the tool's page shows: cameras, events, models."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime

from pydantic import JsonValue

from impetus.model import EvidenceReference, Place, Status, ToolResult, derived_id
from impetus.tools.firearm.camera_settings import CameraSettings
from impetus.tools.firearm.kept import KeptCamera
from impetus.tools.firearm.model import Contract
from impetus.tools.firearm.notices import Found, MaskedFrame, Standing
from impetus.tools.firearm.sources import shown

CONTENT_BYTES = 220_000


class Revisions:
    """Numbers that grow, also over restarts."""

    def __init__(self) -> None:
        self._number = 0

    def next(self, now: datetime) -> int:
        """The next one."""
        self._number += 1
        return int(now.timestamp() * 1_000) * 10 + self._number % 10


def camera_result(
    *,
    tenant: str,
    revision: int,
    now: datetime,
    camera: CameraSettings,
    standing: Standing,
    picture: bytes,
    kept: KeptCamera,
    place: Place | None,
    event: bool,
) -> ToolResult:
    """How a camera is, with its masked picture."""
    figures = standing.figures
    return ToolResult(
        id=derived_id(tenant, "firearm-camera", camera.id),
        revision=revision,
        tool="firearm",
        kind="camera",
        title=camera.title,
        time=now,
        place=place,
        content={
            "camera": camera.id,
            "address": shown(camera.address),
            "state": standing.state.value,
            "words": standing.words,
            "trust": round(standing.trust, 3),
            "picture": data_url(picture),
            "size": list(figures.size),
            "frames": figures.frames,
            "analysed": figures.analysed,
            "looked": figures.looked,
            "skipped": figures.skipped,
            "connections": figures.connections,
            "look_ms": round(figures.look_ms, 1),
            "event": event,
            "hours": camera.hours,
            "zones": kept.zones.model_dump(mode="json"),
            "calibrated": bool(kept.picture),
            "calibration": {"picture": _json(kept.picture), "map": _json(kept.map)},
        },
    )


def masked_frames(frames: tuple[MaskedFrame, ...]) -> list[JsonValue]:
    """Masked frames as the page takes them, as many as a result holds."""
    chosen: list[dict[str, JsonValue]] = [
        {
            "after_s": frame.after_s,
            "picture": data_url(frame.data),
            "boxes": _json(frame.boxes),
            "score": round(frame.score, 3),
        }
        for frame in frames
    ]
    while sum(len(str(frame["picture"])) for frame in chosen) > CONTENT_BYTES:
        chosen.pop(len(chosen) // 2)
    return [*chosen]


def event_result(
    *,
    alert: str,
    revision: int,
    camera: CameraSettings,
    contract: Contract,
    event: Found,
    confidence: float,
    onset: datetime,
    place: Place | None,
    evidence: tuple[EvidenceReference, ...],
    status: Status,
    close_up: bytes,
    frames: list[JsonValue],
    threshold: float,
) -> ToolResult:
    """An event's masked frames, and why it was raised."""
    return ToolResult(
        id=derived_id(alert, "event"),
        revision=revision,
        tool="firearm",
        kind="event",
        title=f"Possible firearm: {camera.title}",
        time=onset,
        place=place,
        alert=alert,
        status=status,
        evidence=evidence,
        content={
            "camera": camera.id,
            "confidence": round(confidence, 4),
            "hits": event.hits,
            "window": event.window,
            "size_px": round(event.size_px, 1),
            "length_s": round(event.confirmed_s - event.start_s, 2),
            "threshold": threshold,
            "close_up": data_url(close_up),
            "frames": frames,
            "model": contract.name,
            "sha256": contract.sha256,
        },
    )


def model_result(
    *,
    tenant: str,
    revision: int,
    now: datetime,
    contract: Contract,
    provider: str,
    approval: Mapping[str, str] | None,
    evaluation: Mapping[str, JsonValue],
) -> ToolResult:
    """The model in use: what it is not for, its evaluation, who approved it."""
    return ToolResult(
        id=derived_id(tenant, "firearm-model", contract.sha256),
        revision=revision,
        tool="firearm",
        kind="model",
        title=f"{contract.name} {contract.version}",
        time=now,
        content={
            "sha256": contract.sha256,
            "not_for": contract.not_for,
            "provider": provider,
            "licence": contract.licence,
            "licence_notice": contract.licence_notice() or "",
            "data": contract.data,
            "command": contract.command,
            "decoder": contract.decoder.value,
            "state": "approved" if approval else "waits for approval",
            "approval": dict(approval or {}),
            "evaluation": dict(evaluation),
            "recorded": contract.evaluation,
        },
    )


def data_url(data: bytes) -> str:
    """A JPEG as an address that the page shows; empty where there is none."""
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}" if data else ""


def _json(value: object) -> JsonValue:
    found: JsonValue = json.loads(json.dumps(value))
    return found
