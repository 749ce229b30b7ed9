"""Correlation: how far tools are to be believed, and the rules by which alerts are put together."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.body import json_body
from impetus.api.listing import PathSlug, one, plain
from impetus.api.resource import Resource
from impetus.model import Permission
from impetus.situation.correlation.rules import TEXT_LIMIT
from impetus.situation.ruling import NewRules, RulesView

resource = Resource("/rules", "correlation")
of_tool = Resource("/tools", "correlation")


class TrialRules(BaseModel):
    """Rules to try over last week's alerts."""

    model_config = ConfigDict(extra="forbid")

    content: Annotated[str, Field(max_length=TEXT_LIMIT)]
    """YAML or JSON."""


class TieTrialView(BaseModel):
    """What one tie would have done."""

    title: str
    pairs: int
    pairs_share: float
    links: int


class ExampleView(BaseModel):
    """One candidate that the rules would have made."""

    title: str
    alerts: int
    probability: float
    reasons: list[str]


class TrialView(BaseModel):
    """What rules would have done with last week's alerts."""

    alerts: int
    items: int
    """What an operator would have had to look at."""
    candidates: int
    largest: int
    """Alerts in the largest group."""
    ties: list[TieTrialView]
    doubted: int
    """Alerts whose source would have been trusted less."""
    requests: int
    """Alerts of a kind that makes a request once it reaches the state."""
    examples: list[ExampleView]
    warnings: list[str]
    refusals: list[str]
    """Why these rules may not go live."""


class EstimateView(BaseModel):
    """What is believed of a detector, or of one of its sources."""

    detector: str
    source: str | None
    confirmed: int
    dismissed: int
    precision: float
    low: float
    high: float


class BinView(BaseModel):
    """Alerts whose probability lay in [low, high)."""

    low: float
    high: float
    count: int
    predicted: float
    observed: float


class CalibrationView(BaseModel):
    """How far a tool is to be believed, learnt from people's verdicts."""

    tool: str
    verdicts: int
    estimates: list[EstimateView]
    reliability: list[BinView]
    """Of the probabilities that were shown."""
    error: float
    """Expected calibration error of the probabilities that were shown."""
    raw_error: float
    """The same of the confidences that the tool gave."""


@of_tool.get("/{id}/calibration", Permission.TOOLS_READ, CalibrationView)
async def read_calibration(caller: Caller, hub: Hub, id: PathSlug) -> Response:
    """How often each detector of a tool was right, by source, and whether its probabilities held. A tool that nobody
    judged yet has its card's figures."""
    return plain(asdict(await hub.situation.rules.calibration(caller.tenant, id)))


@resource.get("", Permission.TOOLS_READ, RulesView)
async def read_rules(caller: Caller, hub: Hub) -> Response:
    """The rules in force; version 0 means those of the house."""
    return one(await hub.situation.rules.get(caller.tenant))


@resource.put("", Permission.RULES_DECIDE, RulesView, body=NewRules)
async def change_rules(caller: Caller, hub: Hub, new: Annotated[NewRules, Depends(json_body(NewRules))]) -> Response:
    """Put rules into force. Rules that tie nearly everything are refused, with the numbers."""
    return one(await hub.situation.rules.put(caller, new))


@resource.post("/trial", Permission.RULES_DECIDE, TrialView, body=TrialRules, status=200)
async def try_rules(
    caller: Caller, hub: Hub, wanted: Annotated[TrialRules, Depends(json_body(TrialRules))]
) -> Response:
    """What rules would have done with last week's alerts; nothing changes."""
    return plain(asdict(await hub.situation.rules.trial(caller.tenant, wanted.content)))
