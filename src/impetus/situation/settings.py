"""Settings of how alerts, readings and health reports are taken in and how long they are kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from impetus.model import Role, Status


class SituationSettings(BaseModel):
    """Settings of how alerts, readings and health reports are taken in and how long they are kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Annotated[
        Status,
        Field(
            title="Status of alerts",
            description="Given to every alert that arrives as real; `Exercise` in the installation of an exercise.",
        ),
    ] = Status.ACTUAL
    alert_batch: Annotated[
        int,
        Field(
            title="Alerts a transaction",
            description="Most alerts that are stored at once.",
            ge=1,
            le=1_000,
        ),
    ] = 100
    reading_batch: Annotated[
        int,
        Field(
            title="Batches a transaction",
            description="Most batches of readings stored at once.",
            ge=1,
            le=1_000,
        ),
    ] = 100
    ahead_s: Annotated[
        float,
        Field(
            title="Time ahead",
            json_schema_extra={"unit": "s"},
            description="An alert or a reading further in the future than this is refused.",
            ge=1,
            le=86_400,
        ),
    ] = 300.0
    behind_days: Annotated[
        float,
        Field(
            title="Time behind",
            json_schema_extra={"unit": "d"},
            description="An alert or a reading older than this is refused.",
            ge=0.01,
            le=36_500,
        ),
    ] = 400.0
    repeats_within_s: Annotated[
        float,
        Field(
            title="Repeats, in time",
            json_schema_extra={"unit": "s"},
            description="An alert that begins this near to an open one of the same detector and source is shown as its "
            "repeat; 0 joins nothing.",
            ge=0,
            le=86_400,
        ),
    ] = 900.0
    repeats_within_m: Annotated[
        float,
        Field(
            title="Repeats, in place",
            json_schema_extra={"unit": "m"},
            description="Repeats are at most this far from the alert that they repeat.",
            ge=0,
            le=100_000,
        ),
    ] = 200.0
    held_at_most: Annotated[
        dict[Role, Annotated[int, Field(ge=1, le=1_000)]],
        Field(
            title="Alerts held at once, by role",
            description="How many acknowledged alerts a person of a role may hold; more needs a supervisor's override.",
        ),
    ] = {Role.OPERATOR: 10, Role.SUPERVISOR: 20}
    held_at_most_otherwise: Annotated[
        int,
        Field(
            title="Alerts held at once, other roles",
            description="The same for roles that are not named there.",
            ge=1,
            le=1_000,
        ),
    ] = 15
    holders_interval_s: Annotated[
        float,
        Field(
            title="Holders checked",
            json_schema_extra={"unit": "s"},
            description="How often alerts of people who can no longer work on them are returned to the queue.",
            ge=0.05,
            le=3_600,
        ),
    ] = 5.0
    silent_s: Annotated[
        float,
        Field(
            title="Silent part",
            json_schema_extra={"unit": "s"},
            description="A part that said nothing for so long is shown as stopped.",
            ge=1,
            le=3_600,
        ),
    ] = 15.0
    health_bus_hours: Annotated[
        float,
        Field(
            title="Health on the bus",
            json_schema_extra={"unit": "h"},
            description="How long reports of health stay in the log.",
            ge=0.05,
            le=8_760,
        ),
    ] = 1.0
    readings_bus_hours: Annotated[
        float,
        Field(
            title="Readings on the bus",
            json_schema_extra={"unit": "h"},
            description="How long readings and expectations stay in the log; replays reach back that far.",
            ge=0.05,
            le=87_600,
        ),
    ] = 24.0
    messages_bus_days: Annotated[
        float,
        Field(
            title="Messages on the bus",
            json_schema_extra={"unit": "d"},
            description="How long alerts, incidents, decisions and all other messages stay in the log; the store keeps "
            "alerts, incidents and decisions for good.",
            ge=0.05,
            le=36_500,
        ),
    ] = 30.0
    readings_days: Annotated[
        float,
        Field(
            title="Readings in the store",
            json_schema_extra={"unit": "d"},
            description="How long readings and expectations are kept.",
            ge=0.01,
            le=36_500,
        ),
    ] = 90.0
    retention_interval_s: Annotated[
        float,
        Field(
            title="Retention interval",
            json_schema_extra={"unit": "s"},
            description="How often what is too old is removed.",
            ge=1,
            le=86_400,
        ),
    ] = 300.0
