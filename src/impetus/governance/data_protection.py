"""The data-protection register: worksheets that begin with what a tool's manifest says, and the officer's decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from impetus.governance import audit
from impetus.governance.duties import duties_of
from impetus.governance.principal import Principal
from impetus.model import (
    Category,
    Clock,
    Conflict,
    DataClass,
    InvalidInput,
    NotAllowed,
    NotFound,
    Permission,
    Role,
    Severity,
)
from impetus.model.data_protection import (
    LONGEST_APPROVAL,
    DataProtectionRecord,
    Decision,
    LegalBasis,
    Outcome,
    RecordState,
    Risk,
    Worksheet,
)
from impetus.sdk import AiActClass, InstalledTool, Manifest
from impetus.sdk.approval import fingerprint, obstacle
from impetus.sdk.manifest import Capability, Detector, InputKind, forbidden_practice
from impetus.store import Store

MOST_RETENTION: Final = "more than the {days} days that the tool's manifest allows"


@dataclass(frozen=True, slots=True)
class RegisterEntry:
    """One tool at one organisation."""

    tool: str
    manifest: Manifest
    record: DataProtectionRecord | None
    state: RecordState
    obstacle: str | None
    """Why the tool does not run now; None if it may."""
    duties: Sequence[str]
    """What the EU's AI Act asks for, by the tool's class."""

    @property
    def worksheet(self) -> Worksheet:
        """The worksheet as it stands, or as the manifest pre-fills it."""
        return self.record.draft if self.record else prefilled(self.manifest)


def prefilled(manifest: Manifest) -> Worksheet:
    """A worksheet with all that the manifest already says; what only people know is left empty."""
    sources = [f"{given.kind.value}: {', '.join(given.observed_properties) or 'all'}" for given in manifest.inputs]
    if manifest.own is not None:
        sources.append(f"consenting staff: {manifest.own.title}")
    if any(task.person for task in manifest.tasks):
        sources.append("the person who asks")
    return Worksheet(
        purposes=manifest.purposes,
        legal_basis=None if manifest.personal_data else LegalBasis.NO_PERSONAL_DATA,
        data_classes=manifest.data_classes,
        sources=tuple(sources),
        recipients=tuple(f"role: {role.value}" for role in manifest.roles),
        retention_days=manifest.retention_days,
        risks=tuple(_risks(manifest)),
    )


def elsewhere(tool: str) -> Manifest:
    """What stands for the manifest of a tool that runs elsewhere: nothing is known of it, so the worst is assumed."""
    return Manifest(
        id=tool,
        title=f"{tool} (runs elsewhere)",
        summary="Runs outside this installation and sends its alerts over the HTTP interface.",
        version="0.0.0",
        capability=Capability.EMERGENCY_MANAGEMENT,
        roles=(Role.SUPERVISOR,),
        purposes=("alerting the control room",),
        personal_data=True,
        data_classes=(DataClass.PERSONAL,),
        retention_days=365,
        ai_act_class=AiActClass.LIMITED,
        detectors=(
            Detector(
                id="any",
                title="Whatever it notices",
                description="What it sends; its supplier has to say what that is.",
                category=Category.SECURITY,
                max_severity=Severity.EXTREME,
            ),
        ),
    )


def _risks(manifest: Manifest) -> Sequence[Risk]:
    """Risks that follow from what is declared; the measure is for a person to write."""
    classes = set(manifest.data_classes)
    found = []
    if manifest.detectors:
        found.append(Risk(title="People act on a false alert", likelihood=3, severity=2))
    if classes & {DataClass.PERSONAL, DataClass.SENSITIVE}:
        found.append(Risk(title="Somebody reads personal data without need", likelihood=2, severity=3))
    if DataClass.SENSITIVE in classes:
        found.append(Risk(title="Special categories of data become known", likelihood=2, severity=4))
    if DataClass.PSEUDONYMOUS in classes:
        found.append(Risk(title="A person is recognised behind a pseudonym", likelihood=2, severity=3))
    if manifest.evidence is not None:
        found.append(Risk(title="Pictures show people who have nothing to do with it", likelihood=3, severity=3))
    if manifest.own is not None or any(given.kind is InputKind.DUTY for given in manifest.inputs):
        found.append(Risk(title="Staff feel watched, or do not dare to refuse", likelihood=3, severity=3))
    return found


class DataProtection:
    """The register of the own organisation."""

    def __init__(self, store: Store, clock: Clock, tools: Mapping[str, InstalledTool]) -> None:
        self._store = store
        self._clock = clock
        self._manifests = {id: tool.manifest for id, tool in tools.items() if tool.manifest is not None}

    async def register(self, by: Principal) -> Sequence[RegisterEntry]:
        """All installed tools with their entries. Raises `NotAllowed`."""
        by.require(Permission.DATA_PROTECTION_READ)
        return await self.of_organisation(by.tenant)

    async def of_organisation(self, tenant: str) -> Sequence[RegisterEntry]:
        """The same for the public register, which shows of it what was approved."""
        async with self._store.view() as view:
            records = {record.tool: record for record in await view.data_protection.list(tenant)}
        now = self._clock.now()
        known = {id: elsewhere(id) for id in records} | dict(self._manifests)
        return [_entry(manifest, records.get(id), now) for id, manifest in sorted(known.items())]

    async def require_approval(self, tenant: str, tool: str) -> None:
        """Raises `NotAllowed` unless the tool may run for the organisation now, wherever it runs."""
        async with self._store.view() as view:
            record = await view.data_protection.find(tenant, tool)
        if reason := obstacle(self._manifests.get(tool) or elsewhere(tool), record, self._clock.now()):
            raise NotAllowed(
                f"nothing is taken from the tool '{tool}': {reason}",
                hint="The data-protection officer approves tools in the register, those that run elsewhere too.",
            )

    async def entry(self, by: Principal, tool: str) -> RegisterEntry:
        """The entry of one tool; for those who fill in worksheets also of one that is not installed: it runs elsewhere.

        Raises `NotAllowed` and `NotFound`.
        """
        by.require(Permission.DATA_PROTECTION_READ)
        async with self._store.view() as view:
            record = await view.data_protection.find(by.tenant, tool)
        strange = record is None and not by.may(Permission.DATA_PROTECTION_WRITE)
        manifest = self._manifest(tool) if strange else self._manifests.get(tool) or elsewhere(tool)
        return _entry(manifest, record, self._clock.now())

    async def write(self, by: Principal, tool: str, worksheet: Worksheet, version: int) -> RegisterEntry:
        """Keep a worksheet as the draft; an approval that is in force stands until the officer decides anew.

        The first worksheet of a tool that is not installed enters one that runs elsewhere and sends its alerts here.

        `version` is that of the entry the caller saw, 0 if there was none. Raises `Conflict`, `InvalidInput`,
        `NotAllowed` and `NotFound`.
        """
        by.require(Permission.DATA_PROTECTION_WRITE)
        manifest = self._manifests.get(tool) or elsewhere(tool)
        for purpose in worksheet.purposes:
            if practice := forbidden_practice(purpose):
                raise InvalidInput(f"purposes: {purpose!r} is a forbidden practice: {practice}")
        if worksheet.retention_days > manifest.retention_days:
            raise InvalidInput(f"retention_days: {MOST_RETENTION.format(days=manifest.retention_days)}")
        if not set(manifest.data_classes) <= set(worksheet.data_classes):
            raise InvalidInput("data_classes: the tool reads or emits more than the worksheet names")
        async with self._store.transaction() as transaction:
            old = await transaction.data_protection.find(by.tenant, tool)
            _same(old, version)
            now = self._clock.now()
            if old is None:
                record = DataProtectionRecord(
                    tenant=by.tenant, tool=tool, version=1, draft=worksheet, updated=now, updated_by=by.name
                )
            else:
                record = old.model_copy(
                    update={"draft": worksheet, "version": old.version + 1, "updated": now, "updated_by": by.name}
                )
            await transaction.data_protection.put(record)
            await audit.append(
                transaction,
                tenant=by.tenant,
                time=now,
                actor=by.actor,
                action="data-protection.write",
                subject=f"tool:{tool}",
                detail={"version": record.version},
            )
        return _entry(manifest, record, now)

    async def decide(
        self, by: Principal, tool: str, outcome: Outcome, *, reason: str, until: datetime | None, version: int
    ) -> RegisterEntry:
        """Approve the draft for a time, refuse it, or withdraw an approval. A data-protection officer's word.

        Raises `Conflict` if the worksheet lacks something or changed meanwhile, `InvalidInput`, `NotAllowed` and
        `NotFound`.
        """
        by.require(Permission.DATA_PROTECTION_DECIDE)
        if by.user is None:
            raise NotAllowed("a named person decides on data protection")
        manifest = self._manifests.get(tool) or elsewhere(tool)
        now = self._clock.now()
        if not reason.strip():
            raise InvalidInput("reason: say why", hint="It stands in the register and in the audit log.")
        if outcome is Outcome.APPROVED:
            if until is None or not now < until <= now + LONGEST_APPROVAL:
                raise InvalidInput("until: an approval ends at a time to come, within three years")
        else:
            until = None
        async with self._store.transaction() as transaction:
            old = await transaction.data_protection.find(by.tenant, tool)
            _same(old, version)
            if old is None:
                self._manifest(tool)
                raise Conflict("there is no worksheet yet", hint="Fill it in first.")
            if outcome is Outcome.APPROVED and (lacking := old.draft.lacking()):
                raise Conflict(f"the worksheet lacks: {', '.join(lacking)}", hint="Fill in what is missing.")
            if outcome is Outcome.WITHDRAWN and old.state(now) is not RecordState.APPROVED:
                raise Conflict("there is no approval to withdraw")
            decision = Decision(
                outcome=outcome,
                person=by.user.id,
                person_name=by.user.full_name,
                time=now,
                reason=reason.strip(),
                until=until,
            )
            changes: dict[str, object] = {"decision": decision, "version": old.version + 1}
            if outcome is Outcome.APPROVED:
                changes |= {
                    "approved": old.draft,
                    "fingerprint": fingerprint(manifest),
                    "tool_version": manifest.version,
                }
            record = old.model_copy(update=changes)
            await transaction.data_protection.put(record)
            await audit.append(
                transaction,
                tenant=by.tenant,
                time=now,
                actor=by.actor,
                action=f"data-protection.{outcome.value}",
                subject=f"tool:{tool}",
                detail={
                    "reason": decision.reason,
                    "until": until.isoformat() if until else None,
                    "version": record.version,
                    "fingerprint": record.fingerprint,
                },
            )
        return _entry(manifest, record, now)

    def _manifest(self, tool: str) -> Manifest:
        found = self._manifests.get(tool)
        if found is None:
            raise NotFound(f"There is no tool '{tool}'.", hint=f"Installed: {', '.join(self._manifests) or 'none'}.")
        return found


def _same(old: DataProtectionRecord | None, version: int) -> None:
    if (old.version if old else 0) != version:
        raise Conflict("somebody changed this entry meanwhile", hint="Look at it again, then decide.")


def _entry(manifest: Manifest, record: DataProtectionRecord | None, now: datetime) -> RegisterEntry:
    return RegisterEntry(
        tool=manifest.id,
        manifest=manifest,
        record=record,
        state=record.state(now) if record else RecordState.DRAFT,
        obstacle=obstacle(manifest, record, now),
        duties=duties_of(manifest.ai_act_class),
    )
