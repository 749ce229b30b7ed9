"""The data-protection register, the cases of governance, and what the public may know of both."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue
from starlette.responses import Response

from impetus.api.access import Caller, Hub, Open
from impetus.api.body import json_body
from impetus.api.listing import Items, PathId, PathSlug, items_response, one, plain
from impetus.api.resource import Resource
from impetus.governance.data_protection import RegisterEntry
from impetus.model import Line, Permission
from impetus.model.case import Case, CaseAction, CaseKind
from impetus.model.data_protection import Outcome, Worksheet

register = Resource("/data-protection", "data protection")
cases = Resource("/cases", "data protection")
public = Resource("/public-register", "data protection")


class EntryView(BaseModel):
    """One tool of the register, as the own organisation has it."""

    tool: str
    title: str
    summary: str
    state: str
    """`draft`, `approved`, `lapsed`, `refused` or `withdrawn`."""
    runs: bool
    obstacle: str
    """Why it does not run."""
    version: int
    """0 before anybody filled in the worksheet."""
    lacking: list[str]
    """What has to be filled in before it can be approved."""
    ai_act_class: str
    duties: list[str]
    worksheet: Worksheet
    approved: Worksheet | None
    decision: dict[str, Any] | None
    manifest: dict[str, Any]


class Written(BaseModel):
    """A worksheet that was filled in."""

    model_config = ConfigDict(extra="forbid")

    worksheet: Worksheet
    version: Annotated[int, Field(ge=0)]
    """Of the entry as it was seen; 0 for the first."""


class OfficerDecision(BaseModel):
    """What the data-protection officer says."""

    model_config = ConfigDict(extra="forbid")

    outcome: Outcome
    reason: Annotated[str, Field(min_length=1, max_length=2_000)]
    until: AwareDatetime | None = None
    version: Annotated[int, Field(ge=0)]


class NewCase(BaseModel):
    """A case to open."""

    model_config = ConfigDict(extra="forbid")

    kind: CaseKind
    title: Line
    reason: Annotated[str, Field(min_length=1, max_length=4_000)]
    subject: Annotated[str, Field(max_length=300)] = ""
    until: AwareDatetime | None = None
    detail: Annotated[dict[str, JsonValue], Field(default_factory=dict)]


class CaseStep(BaseModel):
    """A step in a case."""

    model_config = ConfigDict(extra="forbid")

    action: CaseAction
    text: Annotated[str, Field(max_length=4_000)] = ""
    assignee: Annotated[str | None, Field(max_length=128)] = None
    detail: dict[str, JsonValue] | None = None
    version: Annotated[int, Field(ge=1)]


class NewComparison(BaseModel):
    """A pseudonym, and what it may stand for."""

    model_config = ConfigDict(extra="forbid")

    pseudonym: Annotated[str, Field(max_length=64)]
    identifier: Annotated[str, Field(min_length=1, max_length=300)]


class Compared(BaseModel):
    """What became of a comparison."""

    same: bool
    """False too when the key of the pseudonym is destroyed."""


class CaseQuery(BaseModel):
    """Which cases to list."""

    model_config = ConfigDict(extra="forbid")

    kind: CaseKind
    all: bool = False


class PublicEntry(BaseModel):
    """What the public may know of one tool at one organisation."""

    tool: str
    title: str
    summary: str
    purposes: list[str]
    legal_basis: str
    legal_reference: str
    data_classes: list[str]
    persons: str
    sources: list[str]
    recipients: list[str]
    retention_days: int
    necessity: str
    responsible: str
    contact: str
    ai_act_class: str
    duties: list[str]
    since: str
    until: str
    figures: dict[str, Any]


class PublicOrganisation(BaseModel):
    """The approved tools of an organisation."""

    id: str
    name: str
    tools: list[PublicEntry]


@register.get("", Permission.DATA_PROTECTION_READ, Items[EntryView])
async def list_register(caller: Caller, hub: Hub) -> Response:
    """All installed tools as the own organisation's register has them."""
    return plain({"items": [_view(entry) for entry in await hub.data_protection.register(caller)], "next": None})


@register.get("/{tool}", Permission.DATA_PROTECTION_READ, EntryView)
async def read_register_entry(caller: Caller, hub: Hub, tool: PathSlug) -> Response:
    """One tool's entry; before anybody filled it in, what its manifest says."""
    return plain(_view(await hub.data_protection.entry(caller, tool)))


@register.put("/{tool}", Permission.DATA_PROTECTION_WRITE, EntryView, body=Written)
async def write_register_entry(
    caller: Caller, hub: Hub, tool: PathSlug, written: Annotated[Written, Depends(json_body(Written))]
) -> Response:
    """Keep the worksheet as a draft."""
    return plain(_view(await hub.data_protection.write(caller, tool, written.worksheet, written.version)))


@register.post("/{tool}/decisions", Permission.DATA_PROTECTION_DECIDE, EntryView, body=OfficerDecision)
async def decide_register_entry(
    caller: Caller, hub: Hub, tool: PathSlug, decision: Annotated[OfficerDecision, Depends(json_body(OfficerDecision))]
) -> Response:
    """Approve until a time, refuse, or withdraw. Without a valid approval the tool does not run."""
    entry = await hub.data_protection.decide(
        caller, tool, decision.outcome, reason=decision.reason, until=decision.until, version=decision.version
    )
    return plain(_view(entry), status=201)


@cases.get("", Permission.CASES_READ, Items[Case])
async def list_cases(caller: Caller, hub: Hub, query: Annotated[CaseQuery, Query()]) -> Response:
    """Cases of a kind that concern the caller; without `all` those that wait for somebody."""
    return items_response(await hub.cases.list(caller, query.kind, all_states=query.all))


@cases.post("", Permission.CASES_READ, Case, body=NewCase)
async def open_case(caller: Caller, hub: Hub, wanted: Annotated[NewCase, Depends(json_body(NewCase))]) -> Response:
    """Open a case: a hold, a request of a person, an emergency access, an appeal, a comparison, a checklist."""
    case = await hub.cases.open(
        caller,
        wanted.kind,
        title=wanted.title,
        reason=wanted.reason,
        subject=wanted.subject,
        until=wanted.until,
        detail=wanted.detail,
    )
    return one(case, status=201)


@cases.post("/{id}/steps", Permission.CASES_READ, Case, body=CaseStep)
async def step_case(
    caller: Caller, hub: Hub, id: PathId, step: Annotated[CaseStep, Depends(json_body(CaseStep))]
) -> Response:
    """Note, assign, agree, refuse or close."""
    case = await hub.cases.act(
        caller,
        id,
        step.action,
        text=step.text,
        version=step.version,
        assignee=step.assignee,
        detail=step.detail,
    )
    return one(case, status=201)


@cases.post("/{id}/comparisons", Permission.IDENTITIES_REVEAL, Compared, body=NewComparison)
async def compare_pseudonym(
    caller: Caller, hub: Hub, id: PathId, wanted: Annotated[NewComparison, Depends(json_body(NewComparison))]
) -> Response:
    """Whether a pseudonym stands for an identifier: for the two people who agreed on it, within an hour."""
    same = await hub.comparisons.compare(caller, id, wanted.pseudonym, wanted.identifier)
    return plain({"same": same}, status=201)


@cases.get("/{id}", Permission.CASES_READ, Case)
async def read_case(caller: Caller, hub: Hub, id: PathId) -> Response:
    """One case that concerns the caller."""
    return one(await hub.cases.get(caller, id))


@public.get("", Open.PUBLIC, Items[PublicOrganisation])
async def read_public_register(hub: Hub) -> Response:
    """Which tools run, why, on what data, and who answers for them: for anybody, without logging in."""
    return plain({"items": await hub.public_register.read(), "next": None})


def _view(entry: RegisterEntry) -> dict[str, Any]:
    record = entry.record
    return {
        "tool": entry.tool,
        "title": entry.manifest.title,
        "summary": entry.manifest.summary,
        "state": entry.state.value,
        "runs": entry.obstacle is None,
        "obstacle": entry.obstacle or "",
        "version": record.version if record else 0,
        "lacking": list(entry.worksheet.lacking()),
        "ai_act_class": entry.manifest.ai_act_class.value,
        "duties": list(entry.duties),
        "worksheet": entry.worksheet.model_dump(mode="json"),
        "approved": record.approved.model_dump(mode="json") if record and record.approved else None,
        "decision": record.decision.model_dump(mode="json") if record and record.decision else None,
        "manifest": entry.manifest.model_dump(mode="json"),
    }
