"""The model in use: evaluated, approved by a person, withdrawn. Without an approval no camera is opened."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from impetus.model import ImpetusError, InvalidInput, Unavailable
from impetus.sdk import Context
from impetus.tools.firearm.confirmation import Rules
from impetus.tools.firearm.confusion import Confusion
from impetus.tools.firearm.detections import NAMES, PERSON, WEAPON
from impetus.tools.firearm.evaluation import Judged, look_at, precision_recall, report
from impetus.tools.firearm.heldout import rendered_pictures
from impetus.tools.firearm.inference import Model
from impetus.tools.firearm.kept import Memory
from impetus.tools.firearm.model import SHIPPED
from impetus.tools.firearm.publishing import Revisions, data_url, model_result
from impetus.tools.firearm.settings import FirearmSettings

EVALUATED_PICTURES = 200
CURVE_POINTS = 60


class ModelInUse:
    """The model of the settings, and whether it may be used."""

    def __init__(self, context: Context, memory: Memory, settings: FirearmSettings, revisions: Revisions) -> None:
        self._context, self._memory, self._settings, self._revisions = context, memory, settings, revisions
        self._model: Model | None = None
        self._evaluating: asyncio.Task[None] | None = None
        self._stopping = False
        self.problem = ""
        """Why there is none."""

    @property
    def path(self) -> Path:
        """Its YAML."""
        return self._settings.model_file or SHIPPED

    async def load(self) -> None:
        """Read and check it; `problem` says why where that fails."""
        try:
            self._model = await asyncio.to_thread(_read if self.path == SHIPPED else Model.read, self.path)
        except ImpetusError as error:
            self.problem = str(error)[:400]
        await self.publish()

    async def stop(self) -> None:
        """End an evaluation that is under way."""
        self._stopping = True
        if self._evaluating is not None:
            await self._evaluating

    @property
    def model(self) -> Model:
        """The model; raises `Unavailable` where there is none."""
        if self._model is None:
            raise Unavailable("there is no model", hint=self.problem or "see the settings")
        return self._model

    @property
    def rules(self) -> Rules:
        """When a track becomes an event."""
        return Rules(
            needed=self._settings.needed_frames,
            window=self._settings.window_frames,
            threshold=self.model.contract.thresholds.weapon,
            least_probability=self._settings.least_confidence,
            quiet_s=self._settings.quiet_s,
        )

    def approval(self) -> dict[str, str] | None:
        """Who approved it; None if nobody did, or there is none."""
        if self._model is None:
            return None
        sha256 = self._model.contract.sha256
        if sha256 in self._memory.kept.approved:
            return self._memory.kept.approved[sha256]
        for given in self._settings.approvals:
            if given.sha256 == sha256:
                return {"person": given.person, "time": "", "reason": given.reason}
        return None

    async def approve(self, sha256: str, person: str, reason: str) -> None:
        """A person approves it; raises `InvalidInput` where it is another one, or no evaluation is recorded."""
        self._check(sha256)
        if sha256 not in self._memory.kept.evaluations and not self.model.contract.evaluation:
            raise InvalidInput("there is no recorded evaluation of it", hint="evaluate it first")
        now = self._context.clock.now().isoformat(timespec="seconds")
        approval = {"person": person, "time": now, "reason": reason}
        await self._memory.change(approved={**self._memory.kept.approved, sha256: approval})

    async def withdraw(self, sha256: str) -> None:
        """A person takes the approval back; raises `InvalidInput` where there is none that was given here."""
        self._check(sha256)
        approved = dict(self._memory.kept.approved)
        if approved.pop(sha256, None) is None:
            raise InvalidInput("it was not approved here", hint="see the tool's settings")
        await self._memory.change(approved=approved)

    def _check(self, sha256: str) -> None:
        if self._model is None or self._model.contract.sha256 != sha256:
            raise InvalidInput("this is not the model in use", hint="load the page again")

    def evaluate(self) -> None:
        """Begin an evaluation; it goes on beside the cameras, and its figures are published when they are there."""
        model = self.model
        if self._evaluating is None or self._evaluating.done():
            self._evaluating = asyncio.create_task(self._evaluate(model))

    async def _evaluate(self, model: Model) -> None:
        figures = await asyncio.to_thread(self._figures, model)
        if figures is None:
            return
        recorded: dict[str, JsonValue] = {
            "time": self._context.clock.now().isoformat(timespec="seconds"),
            "data": f"{EVALUATED_PICTURES} rendered pictures, held out",
            **json.loads(json.dumps(figures)),
        }
        await self._memory.change(evaluations={**self._memory.kept.evaluations, model.contract.sha256: recorded})
        await self.publish()

    def _figures(self, model: Model) -> dict[str, object] | None:
        """The figures of a model, its curves and mistakes; None where the tool was stopped before they were there."""
        judged: list[Judged] = []
        confusion = Confusion(model.contract.thresholds)
        for each in rendered_pictures(EVALUATED_PICTURES):
            if self._stopping:
                return None
            judged += look_at(model, [each], confusion.add)
        return {
            **report(judged, threshold=model.contract.thresholds.weapon, draws=100).json(),
            "curves": {NAMES[kind]: _curve(judged, kind) for kind in (PERSON, WEAPON)},
            "confusion": confusion.json(),
            "mistakes": [
                {
                    "missed": mistake.missed,
                    "score": round(mistake.score, 3),
                    "size_px": round(mistake.size_px),
                    "picture": data_url(mistake.picture),
                }
                for mistake in confusion.mistakes()
            ],
        }

    async def publish(self) -> None:
        """Bring what the page shows up to date."""
        if self._model is None:
            return
        contract = self._model.contract
        now = self._context.clock.now()
        await self._context.publish(
            model_result(
                tenant=self._context.tenant,
                revision=self._revisions.next(now),
                now=now,
                contract=contract,
                provider=self._model.provider,
                approval=self.approval(),
                evaluation=self._memory.kept.evaluations.get(contract.sha256, {}),
            )
        )


def _curve(judged: Sequence[Judged], kind: int) -> list[list[float]]:
    """Recall and precision at about `CURVE_POINTS` places."""
    recall, precision = precision_recall(judged, kind)
    if not len(recall):
        return []
    places = np.unique(np.linspace(0, len(recall) - 1, CURVE_POINTS).round().astype(np.int64))
    return [[round(float(recall[place]), 3), round(float(precision[place]), 3)] for place in places]


@cache
def _read(path: Path) -> Model:
    """The shipped model: it holds no state, so one serves all organisations."""
    return Model.read(path)
