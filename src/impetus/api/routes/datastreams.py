"""Datastreams with their newest reading and state, their readings and what was expected; readings that are sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from impetus.api.access import Caller, Hub
from impetus.api.body import json_body, read_json
from impetus.api.listing import Items, Paging, PathId, one, plain
from impetus.api.problem import invalid
from impetus.api.resource import Resource
from impetus.api.services import Services, note_trace
from impetus.governance.audit import append
from impetus.model import (
    Datastream,
    Envelope,
    InvalidInput,
    Observation,
    ObservationBatch,
    Permission,
    UtcTime,
    from_microseconds,
)
from impetus.situation.latest import Reading
from impetus.situation.sensors import SensorState, sensor_state

resource = Resource("/datastreams", "observations")
observations = Resource("/observations", "observations")

DEFAULT_SPAN = timedelta(hours=24)
POINTS_LIMIT = 20_000


class LatestReading(BaseModel):
    """The newest reading."""

    time: UtcTime
    value: float


class DatastreamView(Datastream):
    """A datastream, its newest reading and how it is doing."""

    latest: LatestReading | None = None
    state: SensorState


class SpanQuery(BaseModel):
    """Which part of a series, in how many points at most."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[
        AwareDatetime | None, Field(description="At this time or later; default: 24 h before `until`.")
    ] = None
    until: Annotated[AwareDatetime | None, Field(description="Before this time; default: the latest there are.")] = None
    points: Annotated[
        int, Field(ge=1, le=POINTS_LIMIT, description="Where there are more readings, they are put together.")
    ] = 1_000


class ObservationColumns(BaseModel):
    """Readings in columns of the same length; `low` and `high` are the least and greatest of those put together."""

    time: list[UtcTime]
    value: list[float]
    low: list[float]
    high: list[float]


class ExpectationSeries(BaseModel):
    """What was expected, in columns of the same length; `score` is how unusual the reading was, 0 to 1."""

    time: list[UtcTime]
    low: list[float]
    middle: list[float]
    high: list[float]
    score: list[float]


class ReadingsAccepted(BaseModel):
    """How many readings were taken in."""

    accepted: int


@resource.get("", Permission.OBSERVATIONS_READ, Items[DatastreamView])
async def list_datastreams(caller: Caller, hub: Hub, query: Annotated[Paging, Query()]) -> Response:
    """All sensors, with their newest reading and how they are doing."""
    async with hub.store.view() as transaction:
        page = await transaction.datastreams.list(caller.tenant, limit=query.limit, after=query.after)
        detectors = await transaction.alerts.open_detectors_by_source(caller.tenant)
    latest = hub.situation.readings.latest.of(caller.tenant)
    return plain(
        {
            "items": [_view(datastream, latest.get(datastream.id), detectors) for datastream in page.items],
            "next": page.next,
        }
    )


@resource.post("", Permission.ADMINISTRATION, Datastream, body=Datastream)
async def register_datastream(
    caller: Caller, hub: Hub, datastream: Annotated[Datastream, Depends(json_body(Datastream))]
) -> Response:
    """Register a sensor, or replace its description."""
    if datastream.lowest is not None and datastream.highest is not None and datastream.lowest > datastream.highest:
        raise InvalidInput("'lowest' is greater than 'highest'.", hint="Exchange them.")
    async with hub.store.transaction() as transaction:
        await transaction.datastreams.put(caller.tenant, [datastream])
        await append(
            transaction,
            tenant=caller.tenant,
            time=hub.clock.now(),
            actor=caller.actor,
            action="datastream.register",
            subject=f"datastream:{datastream.id}",
        )
    return one(datastream, status=201)


@resource.get("/{id}/observations", Permission.OBSERVATIONS_READ, ObservationColumns)
async def read_observations(caller: Caller, hub: Hub, id: PathId, query: Annotated[SpanQuery, Query()]) -> Response:
    """Readings of one sensor, in columns."""
    since, until = await _span(caller.tenant, hub, id, query)
    columns = await hub.store.readings.range(caller.tenant, id, since=since, until=until, points=query.points)
    return plain(
        {
            "time": [from_microseconds(time_us) for time_us in columns.time_us],
            "value": columns.value,
            "low": columns.low,
            "high": columns.high,
        }
    )


@resource.get("/{id}/expectations", Permission.OBSERVATIONS_READ, ExpectationSeries)
async def read_expectations(caller: Caller, hub: Hub, id: PathId, query: Annotated[SpanQuery, Query()]) -> Response:
    """What tools expected one sensor to read, in columns."""
    since, until = await _span(caller.tenant, hub, id, query)
    columns = await hub.store.expectations.range(caller.tenant, id, since=since, until=until, points=query.points)
    return plain(
        {
            "time": [from_microseconds(time_us) for time_us in columns.time_us],
            "low": columns.low,
            "middle": columns.middle,
            "high": columns.high,
            "score": columns.score,
        }
    )


@resource.get("/{id}", Permission.OBSERVATIONS_READ, DatastreamView)
async def read_datastream(caller: Caller, hub: Hub, id: PathId) -> Response:
    """One sensor."""
    async with hub.store.view() as transaction:
        datastream = await transaction.datastreams.get(caller.tenant, id)
        detectors = await transaction.alerts.open_detectors_by_source(caller.tenant)
    return plain(_view(datastream, hub.situation.readings.latest.of(caller.tenant).get(id), detectors))


async def _read_observations(request: Request) -> ObservationBatch:
    content = await read_json(request)
    # The form is told apart by a word that only one of them has, so that an error speaks of the form that was meant.
    model = ObservationBatch if b'"datastreams"' in content else Observation
    try:
        message = model.model_validate_json(content)
    except ValidationError as error:
        raise invalid(error, "body") from None
    return message if isinstance(message, ObservationBatch) else ObservationBatch.of([message])


@observations.post(
    "", Permission.OBSERVATIONS_WRITE, ReadingsAccepted, body=(Observation, ObservationBatch), status=202
)
async def send_observations(
    caller: Caller, hub: Hub, request: Request, batch: Annotated[ObservationBatch, Depends(_read_observations)]
) -> Response:
    """Send one reading or a batch in columns. All is on disk when this answers; if one reading is refused, all are."""
    await hub.situation.readings.check(caller.tenant, batch)
    note_trace(hub, caller.tenant, batch.datastreams, request.headers.get("traceparent"))
    if len(batch):
        await hub.bus.publish(
            [
                Envelope.wrap(
                    batch,
                    kind="observation",
                    tenant=caller.tenant,
                    origin="api",
                    time=hub.clock.now(),
                    partition=batch.datastreams[0],
                )
            ]
        )
    return plain({"accepted": len(batch)}, status=202)


def _view(datastream: Datastream, latest: Reading | None, detectors: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    state = sensor_state(detectors.get(datastream.id, ()), has_reading=latest is not None)
    reading = None if latest is None else {"time": from_microseconds(latest[0]), "value": latest[1]}
    return datastream.model_dump(mode="json") | {"latest": reading, "state": state.value}


async def _span(tenant: str, hub: Services, id: str, query: SpanQuery) -> tuple[datetime, datetime]:
    """The span that is asked for. Raises `NotFound` for a datastream that the organisation does not have."""
    async with hub.store.view() as transaction:
        await transaction.datastreams.get(tenant, id)
    until = query.until or hub.clock.now() + timedelta(minutes=5)
    since = query.since or until - DEFAULT_SPAN
    if since >= until:
        raise InvalidInput("'since' is not before 'until'.", hint="Give a span of time that has a length.")
    return since, until
