"""Requests to the tool, and what other tools and people say: results and verdicts."""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from impetus.model import (
    Envelope,
    InvalidInput,
    RequestOrigin,
    RequestOutcome,
    RequestState,
    ToolRequest,
    ToolResult,
    Verdict,
    derived_id,
)
from impetus.sdk.hosting import HostedTool, describe
from impetus.sdk.lane import Lane, first_problem
from impetus.sdk.manifest import InputKind, Manifest, TaskKind

TEXT_LIMIT = 10_000


class RequestLane(Lane):
    """Calls `Tool.handle`, beside whatever else the tool does, and tells what came of it."""

    async def deal(self, envelope: Envelope, *, careful: bool = False) -> str | None:
        try:
            request = envelope.open(ToolRequest)
        except ValidationError as error:
            return f"not a request: {first_problem(error)}"
        hosted = await self.host_of(envelope.tenant)
        if hosted is None:
            reason = self._worker.hosts.obstacle(envelope.tenant)
            hosted = f"the tool does not work for {envelope.tenant}{f': {reason}' if reason else ''}"
        if isinstance(hosted, str):
            await self._tell(envelope.tenant, request, RequestState.FAILED, hosted)
            return hosted
        try:
            reason, text = await self._handle(hosted, request, envelope.id, careful)
        except InvalidInput as refusal:
            await self._tell(envelope.tenant, request, RequestState.FAILED, str(refusal))
            # The person reads it there; of what nobody sees asked, nobody would know.
            return None if request.origin is RequestOrigin.PERSON else str(refusal)
        state = RequestState.FAILED if reason else RequestState.DONE
        await self._tell(envelope.tenant, request, state, reason or text)
        return reason or None

    async def deal_carefully(self, envelope: Envelope) -> str | None:
        return await self.deal(envelope, careful=True)

    async def gave_up(self, envelope: Envelope, reason: str) -> None:
        try:
            await self._tell(envelope.tenant, envelope.open(ToolRequest), RequestState.FAILED, reason)
        except ValidationError:
            return  # nobody could read it, so nobody waits for it

    async def _handle(self, hosted: HostedTool, request: ToolRequest, id: str, careful: bool) -> tuple[str, str]:
        """Why it failed (empty if it did not), and what the tool says. Raises `InvalidInput` if it is refused."""
        manifest = self._worker.manifest
        task = manifest.task(request.task) if request.tool == manifest.id else None
        if task is None:
            return f"{manifest.id} has no task {request.task!r}", ""
        check_content(hosted.tool.task_models.get(task.id), request)
        reason, text = "", None
        for attempt in (1, 2):
            with hosted.context.refusals() as refused:
                try:
                    text = await self._patiently(
                        hosted.context.tenant, lambda: self._call(hosted, request, task, id, careful)
                    )
                    reason = ""
                except InvalidInput:
                    raise
                except Exception as error:  # whatever a tool does, the worker goes on
                    reason = describe(error)
                    self.tell_failure(hosted, "handle", attempt, error)
            if refused:
                return "; ".join(refused.values()), ""
            if not reason:
                return "", str(text or "")[:TEXT_LIMIT]
        return reason, ""

    async def _call(
        self, hosted: HostedTool, request: ToolRequest, task: TaskKind, id: str, careful: bool
    ) -> str | None:
        call = self._worker.calls.limited
        if careful:
            async with self._worker.turn:
                with self._suspect.holding(id):
                    return await call(hosted.tool.handle(request), task.limit_s)
        with self._suspect.holding(id):
            return await call(hosted.tool.handle(request), task.limit_s)

    async def _tell(self, tenant: str, request: ToolRequest, state: RequestState, text: str) -> None:
        worker = self._worker
        now = worker.clock.now()
        outcome = RequestOutcome(
            id=request.id,
            tool=worker.manifest.id,
            task=request.task,
            state=state,
            text=text[:TEXT_LIMIT],
            time=now,
        )
        envelope = Envelope.wrap(
            outcome,
            kind="request-outcome",
            tenant=tenant,
            origin=worker.manifest.id,
            time=now,
            partition=request.id,
            id=derived_id("request-outcome", worker.manifest.id, tenant, request.id, state.value),
        )
        await worker.outgoing.add([envelope])


class NewsLane(Lane):
    """Calls `Tool.result` and `Tool.verdict`."""

    async def deal(self, envelope: Envelope) -> str | None:
        manifest = self._worker.manifest
        news: Verdict | ToolResult
        try:
            news = envelope.open(Verdict) if envelope.kind == "verdict" else envelope.open(ToolResult)
        except ValidationError as error:
            return f"not a {envelope.kind}: {first_problem(error)}"
        if isinstance(news, ToolResult) and (not manifest.reads_result(news.tool, news.kind) or news.person):
            return None  # of that tool it reads other kinds; what is one person's own is nobody else's
        hosted = await self.host_of(envelope.tenant)
        if not isinstance(hosted, HostedTool):
            return hosted
        tool = hosted.tool
        if isinstance(news, Verdict):
            verdict = news
            return await self.twice(hosted, envelope.id, "verdict", lambda: tool.verdict(verdict)) or None
        result = news
        return await self.twice(hosted, envelope.id, "result", lambda: tool.result(result)) or None


def news_subjects(manifest: Manifest) -> tuple[str, ...]:
    """What `NewsLane` of a tool reads; empty if its manifest asks for neither results nor verdicts."""
    results = {f"*.result.{given.tool}" for given in manifest.inputs if given.kind is InputKind.RESULT}
    return (*sorted(results), *((f"*.verdict.{manifest.id}",) if manifest.reads_verdicts else ()))


def check_content(model: type[BaseModel] | None, request: ToolRequest) -> None:
    """Raises `InvalidInput` if the content is not what the task takes."""
    if model is None:
        return
    try:
        model.model_validate(request.content)
    except ValidationError as error:
        raise InvalidInput(
            f"the content of the request does not fit the task {request.task!r}: {first_problem(error)}"
        ) from error
