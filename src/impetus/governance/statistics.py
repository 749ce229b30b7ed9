"""Figures about people that leave the organisation, with a guarantee: differential privacy, a ledger, a floor.

Each figure is the mean of a counter's readings over an hour or a day. One passing changes one figure by one at most,
so a person with at most `passes` passings changes a release by `passes` in all, and discrete Laplace noise of scale
`passes / epsilon` makes it epsilon-differentially private for that person (Dwork and Roth, *The Algorithmic Foundations
of Differential Privacy*, 2014, section 3.3). Releases add up (their theorem 3.16), so their epsilons are booked against
a budget that renews with a sliding window. The same request gives the same release again, so that asking
often does not wash the noise out. A figure leaves only if it lies so far above the floor of k people that one of fewer
than k would get there by noise once in a thousand times; this looks at the noisy figure only and costs nothing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import numpy

from impetus.governance import audit
from impetus.governance.audit import canonical
from impetus.governance.noise import Mechanism, with_noise
from impetus.governance.principal import Principal
from impetus.governance.settings import StatisticsSettings
from impetus.model import Clock, Conflict, InvalidInput, NotAllowed, NotFound, Permission, to_microseconds
from impetus.model.statistics import COUNTED, StatisticsLedger, StatisticsRelease, StatisticsRequest
from impetus.store import Store, Transaction
from impetus.store.governance_documents import GovernanceDocument

KIND: Final = "statistics-release"
BELOW_FLOOR: Final = 0.001
"""Probability with which a figure of fewer people than the floor may still be released."""


class Statistics:
    """Releases of the own organisation, and what they have cost."""

    def __init__(
        self, store: Store, clock: Clock, settings: StatisticsSettings, *, mechanism: Mechanism = with_noise
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._mechanism = mechanism

    async def release(self, by: Principal, request: StatisticsRequest) -> StatisticsRelease:
        """Draw noise, book the loss and keep the release; a request that was answered before gets the same answer.

        Raises `Conflict` when the budget does not suffice, `InvalidInput`, `NotAllowed`, `NotFound` and what the
        mechanism raises.
        """
        by.require(Permission.STATISTICS_RELEASE)
        if by.user is None:
            raise NotAllowed("figures are released by a person", hint="Log in, or use a person's own token.")
        id = _digest(request)
        async with self._store.view() as view:
            known = await _find(view, by.tenant, id)
            if known is not None:
                return known
            for datastream in request.datastreams:
                found = await view.datastreams.get(by.tenant, datastream)
                if found.observed_property not in COUNTED:
                    raise InvalidInput(
                        f"{datastream} measures {found.observed_property}, which does not count people",
                        hint=f"Counted are: {', '.join(sorted(COUNTED))}.",
                    )
            _affordable(await self._ledger(view, by.tenant), request.epsilon)
        if request.until == request.since:
            raise InvalidInput("until: there is no time between 'since' and 'until'")
        if request.until > self._clock.now():
            raise InvalidInput("until: the time asked for is not over yet")
        means = await self._means(by.tenant, request)
        # Cells without readings get noise as well: whether there are any is the sensor's matter, nobody's passing.
        noisy = await self._mechanism(
            [0 if mean is None else math.floor(mean + 0.5) for mean in means], request.epsilon, request.passes
        )
        scale = request.passes / request.epsilon
        floor = self._settings.floor + math.ceil(scale * math.log(1 / BELOW_FLOOR))
        shown = [None if mean is None or figure < floor else figure for mean, figure in zip(means, noisy, strict=True)]
        now = self._clock.now()
        made = StatisticsRelease(
            id=id,
            request=request,
            released=now,
            released_by=by.user.full_name,
            epsilon=request.epsilon,
            noise_scale=scale,
            floor=floor,
            figures=tuple(tuple(shown[begin : begin + request.cells]) for begin in range(0, len(shown), request.cells)),
        )
        async with self._store.transaction() as transaction:
            # Whoever books at the same time waits here.
            await transaction.audit.lock_head(by.tenant)
            known = await _find(transaction, by.tenant, id)
            if known is not None:
                return known
            _affordable(await self._ledger(transaction, by.tenant), request.epsilon)
            await transaction.governance_documents.add(_document(by.tenant, made))
            await audit.append(
                transaction,
                tenant=by.tenant,
                time=now,
                actor=by.actor,
                action="statistics.release",
                subject=f"statistics:{id}",
                detail={
                    "recipient": request.recipient,
                    "epsilon": request.epsilon,
                    "datastreams": len(request.datastreams),
                    "since": request.since.isoformat(),
                    "until": request.until.isoformat(),
                },
            )
        return made

    async def ledger(self, by: Principal) -> StatisticsLedger:
        """What was spent, and of how much. Raises `NotAllowed`."""
        by.require(Permission.DATA_PROTECTION_READ)
        async with self._store.view() as view:
            return await self._ledger(view, by.tenant)

    async def releases(self, by: Principal) -> Sequence[StatisticsRelease]:
        """The newest releases of the own organisation. Raises `NotAllowed`."""
        by.require(Permission.DATA_PROTECTION_READ)
        async with self._store.view() as view:
            return await _releases(view, by.tenant)

    async def _ledger(self, view: Transaction, tenant: str) -> StatisticsLedger:
        window = timedelta(days=self._settings.window_days)
        begin = self._clock.now() - window
        spent = math.fsum(one.epsilon for one in await _releases(view, tenant) if one.released > begin)
        return StatisticsLedger(budget=self._settings.budget, window_days=self._settings.window_days, spent=spent)

    async def _means(self, tenant: str, request: StatisticsRequest) -> Sequence[float | None]:
        """The mean of each cell, row after row; None where nothing was measured."""
        rows = {datastream: number for number, datastream in enumerate(request.datastreams)}
        sums = numpy.zeros((len(rows), request.cells))
        counts = numpy.zeros((len(rows), request.cells), numpy.int64)
        begin, width = to_microseconds(request.since), request.cell.span.total_seconds() * 1e6
        async for batch in self._store.readings.history(
            tenant, request.since, request.until, datastreams=set(request.datastreams)
        ):
            row = numpy.array([rows[name] for name in batch.datastreams])[numpy.array(batch.index, numpy.int64)]
            cell = ((numpy.array(batch.time_us, numpy.int64) - begin) // int(width)).astype(numpy.int64)
            numpy.add.at(sums, (row, cell), numpy.maximum(0.0, numpy.array(batch.value)))
            numpy.add.at(counts, (row, cell), 1)
        means = sums / numpy.maximum(counts, 1)
        return [float(mean) if count else None for mean, count in zip(means.ravel(), counts.ravel(), strict=True)]


def _affordable(ledger: StatisticsLedger, epsilon: float) -> None:
    if epsilon > ledger.left + 1e-9:
        raise Conflict(
            f"the privacy budget does not suffice: {ledger.left:.2f} of {ledger.budget:.2f} is left",
            hint=f"Ask for fewer figures with a smaller epsilon, or wait: it renews over {ledger.window_days} days.",
        )


def _digest(request: StatisticsRequest) -> str:
    """The same for requests that ask for the same figures, whoever they are for and whatever they are called."""
    content = request.model_dump(mode="json", exclude={"title", "recipient"})
    content["datastreams"] = sorted(content["datastreams"])
    return hashlib.sha256(canonical(content).encode()).hexdigest()


async def _find(view: Transaction, tenant: str, id: str) -> StatisticsRelease | None:
    try:
        document = await view.governance_documents.get(tenant, KIND, id)
    except NotFound:
        return None
    return StatisticsRelease.model_validate_json(document.content)


async def _releases(view: Transaction, tenant: str) -> Sequence[StatisticsRelease]:
    found = await view.governance_documents.list(tenant, KIND)
    return [StatisticsRelease.model_validate_json(document.content) for document in found]


def _document(tenant: str, made: StatisticsRelease) -> GovernanceDocument:
    return GovernanceDocument(
        tenant=tenant,
        id=made.id,
        kind=KIND,
        state="released",
        version=1,
        opened=made.released,
        due=None,
        content=made.model_dump_json(),
    )
