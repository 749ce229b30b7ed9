"""Publishes a few things to look at, and does what it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field

from impetus.model import InvalidInput, Place, Polygon, ToolRequest, ToolResult
from impetus.sdk import Tool, ToolSettings

HOSTILE = "<img src=x onerror=alert(1)>\u202e"


class Zone(BaseModel):
    """What to draw."""

    size: Annotated[int, Field(title="Size", ge=1, le=9)] = 1


class ReviewDesk(Tool[ToolSettings]):
    """Has three candidates and one zone, each greater than the last."""

    task_models: ClassVar[Mapping[str, type[BaseModel]]] = {"draw": Zone}

    async def start(self) -> None:
        for number in range(3):
            await self._candidate(str(number))
        await self._zone(1)

    async def handle(self, request: ToolRequest) -> str:
        if request.task == "draw":
            size = Zone.model_validate(request.content).size
            if size > 8:
                raise InvalidInput("nothing so large fits the map")
            await self._zone(size, revision=size)
            return f"A zone of size {size}"
        id = str(request.content.get("id", ""))
        if not id.startswith("candidate-"):
            raise InvalidInput(f"there is no candidate {id!r}")
        await self._candidate(id.removeprefix("candidate-"), revision=1, ended=self.context.clock.now())
        return f"{request.task}: {id}"

    async def _candidate(self, number: str, **more: Any) -> None:
        await self.context.publish(
            ToolResult(
                id=f"candidate-{number}",
                tool="review-desk",
                kind="candidate",
                title=f"Candidate {number} {HOSTILE}",
                time=self.context.clock.now(),
                content={"score": 0.5 + int(number) / 10, "link": "https://example.org/post"},
                **more,
            )
        )

    async def _zone(self, size: int, revision: int = 0) -> None:
        east, north = 10.75 + size / 500, 59.91 + size / 1000
        ring = ((10.75, 59.91), (east, 59.91), (east, north), (10.75, north), (10.75, 59.91))
        await self.context.publish(
            ToolResult(
                id="zone",
                revision=revision,
                tool="review-desk",
                kind="zone",
                title=f"Zone of size {size}",
                time=self.context.clock.now(),
                place=Place(geometry=Polygon(coordinates=(ring,))),
                content={
                    "curve": [{"minute": minute, "length_m": 40.0 * size * minute} for minute in range(12)],
                    "cells": [
                        {"hour": f"{hour} h", "day": day, "load": (hour * size) % 7}
                        for day in ("Mon", "Tue", "Wed")
                        for hour in range(8)
                    ],
                    "graph": {
                        "nodes": [{"id": str(node), "group": "host"} for node in range(size + 2)],
                        "edges": [{"source": "0", "target": str(node)} for node in range(1, size + 2)],
                    },
                },
            )
        )
