"""Cases: who may open, agree to, refuse and close which kind, by when, and never alone where two have to agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from pydantic import JsonValue, ValidationError

from impetus.governance import audit
from impetus.governance.principal import Principal
from impetus.model import Clock, Conflict, InvalidInput, NotAllowed, NotFound, Permission, new_id
from impetus.model.case import EVENTS_LIMIT, Case, CaseAction, CaseEvent, CaseKind, CaseState
from impetus.store import Store, Transaction
from impetus.store.governance_documents import GovernanceDocument

OPEN_STATES: Final = (CaseState.OPEN.value, CaseState.AGREED.value)


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for one kind of case."""

    open: Permission
    decide: Permission
    """Needed to agree, refuse and close."""
    within: timedelta | None
    """It is due so long after it was opened; None: the caller says until when."""
    another: bool = True
    """Whoever opened it does not agree to it, refuse it or close it."""
    lasts: timedelta | None = None
    """What was agreed to ends so long after."""


RULES: Final[Mapping[CaseKind, Rule]] = MappingProxyType(
    {
        # The end is a person's to say, and so is the release; but not both by the same person.
        CaseKind.LEGAL_HOLD: Rule(Permission.DATA_PROTECTION_WRITE, Permission.DATA_PROTECTION_WRITE, None),
        # GDPR article 12(3): without undue delay and within one month.
        CaseKind.SUBJECT_REQUEST: Rule(
            Permission.CASES_READ, Permission.DATA_PROTECTION_DECIDE, timedelta(days=30), another=False
        ),
        CaseKind.BREAK_GLASS: Rule(Permission.EVIDENCE_READ, Permission.DATA_PROTECTION_DECIDE, timedelta(hours=72)),
        CaseKind.APPEAL: Rule(Permission.CASES_READ, Permission.DATA_PROTECTION_WRITE, timedelta(days=30)),
        CaseKind.RE_IDENTIFICATION: Rule(
            Permission.IDENTITIES_REVEAL, Permission.IDENTITIES_REVEAL, timedelta(hours=24), lasts=timedelta(hours=1)
        ),
        CaseKind.CHECKLIST: Rule(Permission.CASES_READ, Permission.CASES_READ, timedelta(days=30), another=False),
    }
)
BREAK_GLASS_LASTS: Final = timedelta(hours=1)


class Cases:
    """Cases of the own organisation."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def open(
        self,
        by: Principal,
        kind: CaseKind,
        *,
        title: str,
        reason: str,
        subject: str = "",
        until: datetime | None = None,
        detail: Mapping[str, JsonValue] | None = None,
    ) -> Case:
        """Open a case. `until` is needed for kinds without a term of their own.

        Raises `InvalidInput` and `NotAllowed`.
        """
        rule = RULES[kind]
        by.require(rule.open)
        user = _person(by)
        now = self._clock.now()
        if not reason.strip():
            raise InvalidInput("reason: say why", hint="It stands in the case and in the audit log.")
        if rule.within is None and (until is None or until <= now):
            raise InvalidInput("until: say a time to come at which this ends")
        try:
            case = Case(
                id=new_id(),
                tenant=by.tenant,
                kind=kind,
                state=CaseState.OPEN,
                version=1,
                title=title,
                subject=subject,
                opened=now,
                opened_by=user,
                due=now + rule.within if rule.within else until,
                detail=dict(detail or {}),
                events=(_event(by, now, CaseAction.OPEN, reason),),
            )
        except ValidationError as error:
            first = error.errors()[0]
            raise InvalidInput(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        async with self._store.transaction() as transaction:
            await transaction.governance_documents.add(_document(case))
            await self._note(transaction, by, case, CaseAction.OPEN, reason)
        return case

    async def get(self, by: Principal, id: str) -> Case:
        """One case, for those whom it concerns. Raises `NotAllowed` and `NotFound`."""
        by.require(Permission.CASES_READ)
        async with self._store.view() as view:
            case = await _find(view, by.tenant, id)
        if not _concerns(by, case):
            raise NotFound("there is no such case", hint="It may be closed to you; ask the data-protection officer.")
        return case

    async def list(self, by: Principal, kind: CaseKind, *, all_states: bool = False) -> Sequence[Case]:
        """Cases of a kind that concern the caller, newest first. Raises `NotAllowed`."""
        by.require(Permission.CASES_READ)
        async with self._store.view() as view:
            found = await _cases(view, by.tenant, kind, () if all_states else OPEN_STATES)
        return [case for case in found if _concerns(by, case)]

    async def act(
        self,
        by: Principal,
        id: str,
        action: CaseAction,
        *,
        text: str = "",
        version: int,
        assignee: str | None = None,
        detail: Mapping[str, JsonValue] | None = None,
    ) -> Case:
        """Take a step. `detail` replaces what the case holds, for notes (a checklist's ticks).

        Raises `Conflict` for a step that does not fit or a case that changed, `InvalidInput`, `NotAllowed`,
        `NotFound`.
        """
        case = await self.get(by, id)
        user, rule, now = _person(by), RULES[case.kind], self._clock.now()
        if action is CaseAction.OPEN:
            raise InvalidInput("a case is opened once")
        if action in (CaseAction.AGREE, CaseAction.REFUSE, CaseAction.CLOSE):
            by.require(rule.decide)
            if rule.another and case.opened_by == user:
                raise NotAllowed("somebody else has to answer this case", hint="Two people, that is what it is for.")
            if not text.strip():
                raise InvalidInput("text: say why")
        if case.state.value not in OPEN_STATES:
            raise Conflict(f"this case is {case.state.value}", hint="Open a new one.")
        if action is CaseAction.AGREE and (rule.lasts is None or case.state is not CaseState.OPEN):
            raise Conflict("there is nothing to agree to")
        if action is CaseAction.AGREE and case.due is not None and now > case.due:
            raise Conflict("nobody agreed in time", hint="Open a new one.")
        if len(case.events) >= EVENTS_LIMIT:
            raise Conflict("this case is full", hint="Close it and open a new one.")
        changes: dict[str, object] = {"version": version + 1, "events": (*case.events, _event(by, now, action, text))}
        match action:
            case CaseAction.AGREE:
                changes |= {"state": CaseState.AGREED, "due": now + (rule.lasts or timedelta())}
            case CaseAction.REFUSE:
                changes["state"] = CaseState.REFUSED
            case CaseAction.CLOSE:
                changes["state"] = CaseState.CLOSED
            case CaseAction.ASSIGN:
                changes["assignee"] = assignee
        if detail is not None:
            if case.kind is not CaseKind.CHECKLIST:
                raise InvalidInput("detail: what this case says stands")
            changes["detail"] = dict(detail)
        if version != case.version:
            raise Conflict("somebody changed this meanwhile", hint="Look at it again, then decide.")
        try:
            changed = Case.model_validate(case.model_copy(update=changes).model_dump())
        except ValidationError as error:
            first = error.errors()[0]
            raise InvalidInput(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        async with self._store.transaction() as transaction:
            if assignee is not None and action is CaseAction.ASSIGN:
                await transaction.users.get(by.tenant, assignee)
            await transaction.governance_documents.change(_document(changed))
            await self._note(transaction, by, changed, action, text)
        return changed

    async def broke_glass(self, by: Principal, subject: str) -> bool:
        """Whether the caller opened an emergency access to this a short while ago."""
        if by.user is None:
            return False
        since = self._clock.now() - BREAK_GLASS_LASTS
        async with self._store.view() as view:
            found = await _cases(view, by.tenant, CaseKind.BREAK_GLASS, ())
        return any(
            case.opened_by == by.user.id and case.subject == subject and since <= case.opened <= self._clock.now()
            for case in found
        )

    async def _note(self, transaction: Transaction, by: Principal, case: Case, action: CaseAction, text: str) -> None:
        await audit.append(
            transaction,
            tenant=by.tenant,
            time=self._clock.now(),
            actor=by.actor,
            action=f"{case.kind.value}.{action.value}",
            subject=f"case:{case.id}",
            detail={"subject": case.subject, "reason": text, "state": case.state.value},
        )


async def holds_of(view: Transaction, tenant: str, now: datetime) -> Sequence[Case]:
    """Legal holds of an organisation that are in force."""
    found = await _cases(view, tenant, CaseKind.LEGAL_HOLD, OPEN_STATES)
    return [case for case in found if case.due is not None and now < case.due]


async def _find(view: Transaction, tenant: str, id: str) -> Case:
    for kind in CaseKind:
        try:
            document = await view.governance_documents.get(tenant, kind.value, id)
        except NotFound:
            continue
        return Case.model_validate_json(document.content)
    raise NotFound("there is no such case", hint="It may be another organisation's.")


async def _cases(view: Transaction, tenant: str, kind: CaseKind, states: Sequence[str]) -> Sequence[Case]:
    found = await view.governance_documents.list(tenant, kind.value, states=states)
    return [Case.model_validate_json(document.content) for document in found]


def _concerns(by: Principal, case: Case) -> bool:
    if case.tenant != by.tenant or by.user is None:
        return False
    if by.may(Permission.DATA_PROTECTION_DECIDE) or case.kind is CaseKind.CHECKLIST:
        return True
    return by.user.id in (case.opened_by, case.assignee) or (
        case.kind is not CaseKind.BREAK_GLASS and by.may(RULES[case.kind].decide)
    )


def _person(by: Principal) -> str:
    if by.user is None:
        raise NotAllowed("a case is a named person's", hint="Log in, or use a person's own token.")
    return by.user.id


def _event(by: Principal, time: datetime, action: CaseAction, text: str) -> CaseEvent:
    return CaseEvent(time=time, person=_person(by), person_name=by.name, action=action, text=text.strip())


def _document(case: Case) -> GovernanceDocument:
    return GovernanceDocument(
        tenant=case.tenant,
        id=case.id,
        kind=case.kind.value,
        state=case.state.value,
        version=case.version,
        opened=case.opened,
        due=case.due,
        content=case.model_dump_json(),
    )
