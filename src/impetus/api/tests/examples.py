"""Bodies that pass the checks of a route, made from the route's own model: what is sent must get past the form."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError

TRIED = ("2030-01-01T00:00:00Z", "2030-01-01", "08:00", "a", "a" * 64, "police", "fire", "PT1M", "application/json")
WORKSHEET: Mapping[str, Any] = {
    "purposes": ["alerting the control room"],
    "legal_basis": "gdpr-6-1-e",
    "legal_reference": "Public Safety Ordinance, section 4",
    "data_classes": ["personal"],
    "persons": "people in the square",
    "sources": ["a camera of a partner"],
    "retention_days": 30,
    "necessity": "calls come late",
    "proportionality": "few pictures, masked",
    "risks": [{"title": "A false alert", "likelihood": 2, "severity": 2, "measure": "a person decides"}],
    "responsible": "Head of the control room",
    "contact": "privacy@example.org",
}
"""A complete worksheet of a tool that runs elsewhere."""
_numbers = itertools.count(1)


def body_for(model: type[BaseModel], stranger: str) -> Mapping[str, Any] | None:
    """A body that the model accepts: with all fields, or with those only that must be there; None if neither is
    accepted. `stranger` is put wherever an identifier fits, but for the body's own `id`."""
    schema = _schema(model)
    for everything in (True, False):
        body = _value(schema, schema.get("$defs", {}), stranger, everything, "")
        try:
            model.model_validate_json(json.dumps(body))
        except ValidationError:
            continue
        return dict(body)
    return None


@lru_cache
def _schema(model: type[BaseModel]) -> Mapping[str, Any]:
    return model.model_json_schema()


def _value(schema: Mapping[str, Any], kinds: Mapping[str, Any], stranger: str, everything: bool, name: str) -> Any:
    if "$ref" in schema:
        return _value(kinds[schema["$ref"].rsplit("/", 1)[-1]], kinds, stranger, everything, name)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            some = [one for one in schema[choice] if one.get("type") != "null"]
            return _value(some[0], kinds, stranger, everything, name)
    match schema.get("type"):
        case "object":
            required = schema.get("required", ())
            return {
                key: _value(one, kinds, stranger, everything, key)
                for key, one in schema.get("properties", {}).items()
                if everything or key in required
            }
        case "array":
            if "prefixItems" in schema:
                return [_value(one, kinds, stranger, everything, name) for one in schema["prefixItems"]]
            count = max(schema.get("minItems", 0), 1 if everything else 0)
            return [_value(schema.get("items", {}), kinds, stranger, everything, name) for _ in range(count)]
        case "integer" | "number":
            return max(schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1, 1)
        case "boolean":
            return True
        case "string":
            return _text(schema, stranger, name)
        case _:
            return {}


def _text(schema: Mapping[str, Any], stranger: str, name: str) -> str:
    # What is made gets a name of its own: a body that gives back what it was sent tells nothing.
    first = f"own-{next(_numbers)}" if name == "id" else stranger
    least, most = schema.get("minLength", 0), schema.get("maxLength", 10_000)
    for tried in (first, *TRIED):
        fits = least <= len(tried) <= most and re.search(schema.get("pattern", ""), tried)
        if fits and ("format" not in schema or ":" in tried or tried[:1].isdigit()):
            return tried
    return "x" * int(least)
