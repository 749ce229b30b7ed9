"""What a promoted item becomes: STIX objects with their marking, indicators among them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, cast

from impetus.model import ToolResult, derived_id
from impetus.tools.cti.case import indicators_of, observed
from impetus.tools.cti.entities import Entity, EntityKind
from impetus.tools.cti.indicators import IndicatorType
from impetus.tools.cti.stix import Tlp, indicator_objects, report_objects
from impetus.tools.cti.techniques import Technique

BY_A_PERSON = "Reviewed and promoted by a person."


def intelligence_of(
    case: ToolResult, now: datetime, *, because: str = BY_A_PERSON, types: Collection[IndicatorType] = ()
) -> tuple[ToolResult, int]:
    """The result that is offered to others, and how many indicators are in it.

    `because` says in the report who promoted it; `types` are those that become indicators, all of them if there is
    none.
    """
    content = cast(dict[str, Any], case.content)
    tlp = Tlp(content["tlp"])
    indicators = [one for one in indicators_of(content) if not types or one.type in types]
    relevance = float(content["first_relevance"])
    objects = report_objects(
        title=case.title,
        text=case.id,
        time=now,
        published=datetime.fromisoformat(content["published"]) if content["published"] else case.time,
        indicators=observed(content),
        entities=[Entity(0, 0, EntityKind(one["kind"]), one["name"]) for one in content["entities"]],
        techniques=[Technique(one["technique"], one["score"], 0, 0) for one in content["techniques"]],
        tlp=tlp,
        references=[one["url"] for one in content["sources"] if one["url"].startswith(("https://", "http://"))],
        labels=[content["kind"]],
    )
    made = indicator_objects(
        indicators, time=now, tlp=tlp, item=case.id, title=case.title, confidence=round(100 * min(1.0, relevance))
    )
    distinct = {one["id"]: one for one in (*objects, *made)}
    report = next(one for one in distinct.values() if one["type"] == "report")
    report["description"] = because
    report["object_refs"] = sorted(id for id in distinct if not id.startswith(("report--", "marking-definition--")))
    intelligence = ToolResult(
        id=derived_id("cti-intelligence", case.id),
        tool="cti",
        kind="intelligence",
        title=case.title,
        time=now,
        alert=case.alert,
        content={"tlp": tlp.value, "item": case.id, "grade": content["grade"], "objects": list(distinct.values())},
    )
    return intelligence, sum(one["type"] == "indicator" for one in made)
