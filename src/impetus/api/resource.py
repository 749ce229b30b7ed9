"""How routes are declared: each says who may call it, or the server does not start."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import Response
from starlette.routing import BaseRoute

from impetus.api.access import Access, Guard, Open
from impetus.api.problem import MEDIA_TYPE, JsonResponse, Problem
from impetus.model import ConfigurationError

PREFIX = "/api/v1"
ACCESS_KEY = "x-permission"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Awaitable[Response]])


@dataclass(frozen=True, slots=True)
class Declaration:
    """One route before it is part of an application."""

    method: str
    path: str
    access: Access
    endpoint: Callable[..., Awaitable[Response]]
    answer: type[BaseModel] | None
    body: type[BaseModel] | tuple[type[BaseModel], ...] | None
    status: int
    media_type: str


@dataclass(slots=True)
class Resource:
    """The routes of one resource, under `PREFIX`; `answer` and `body` are for the documentation of the API."""

    path: str
    tag: str
    declarations: list[Declaration] = field(default_factory=list)

    def get(
        self, path: str, access: Access, answer: type[BaseModel] | None = None, *, media_type: str = "application/json"
    ) -> Callable[[Endpoint], Endpoint]:
        """Declare a route that reads."""
        return self._declare("GET", path, access, answer, None, 200, media_type)

    def post(
        self,
        path: str,
        access: Access,
        answer: type[BaseModel] | None = None,
        *,
        body: type[BaseModel] | tuple[type[BaseModel], ...] | None = None,
        status: int = 201,
    ) -> Callable[[Endpoint], Endpoint]:
        """Declare a route that writes; `body` is what `impetus.api.body.json_body` reads."""
        return self._declare("POST", path, access, answer, body, status, "application/json")

    def put(
        self,
        path: str,
        access: Access,
        answer: type[BaseModel] | None = None,
        *,
        body: type[BaseModel] | tuple[type[BaseModel], ...] | None = None,
    ) -> Callable[[Endpoint], Endpoint]:
        """Declare a route that replaces what is there."""
        return self._declare("PUT", path, access, answer, body, 200, "application/json")

    def delete(self, path: str, access: Access, *, status: int = 204) -> Callable[[Endpoint], Endpoint]:
        """Declare a route that removes."""
        return self._declare("DELETE", path, access, None, None, status, "application/json")

    def _declare(
        self,
        method: str,
        path: str,
        access: Access,
        answer: type[BaseModel] | None,
        body: type[BaseModel] | tuple[type[BaseModel], ...] | None,
        status: int,
        media_type: str,
    ) -> Callable[[Endpoint], Endpoint]:
        def remember(endpoint: Endpoint) -> Endpoint:
            self.declarations.append(
                Declaration(method, PREFIX + self.path + path, access, endpoint, answer, body, status, media_type)
            )
            return endpoint

        return remember


def add_resources(app: FastAPI, resources: Iterable[Resource]) -> None:
    """Make the declared routes part of the application, each behind its guard."""
    bodies: list[type[BaseModel]] = []
    for resource in resources:
        for one in resource.declarations:
            extra: dict[str, Any] = {ACCESS_KEY: one.access.value}
            if one.body is not None:
                choices = one.body if isinstance(one.body, tuple) else (one.body,)
                bodies += choices
                extra["requestBody"] = _request_body(choices)
            if one.access is Open.PUBLIC:
                extra["security"] = []
            app.add_api_route(
                # An identifier may hold slashes; of addresses that begin alike the longest is declared first.
                one.path.replace("{id}", "{id:path}"),
                one.endpoint,
                methods=[one.method],
                dependencies=[Depends(Guard(one.access))],
                openapi_extra=extra,
                status_code=one.status,
                response_class=JsonResponse,
                responses=_responses(one),
                response_model=None,
                tags=[resource.tag],
                operation_id=one.endpoint.__name__.replace("_", "-"),
            )
    _describe(app, bodies)


def check_declared(routes: Iterable[BaseRoute]) -> None:
    """Raises `ConfigurationError` if a route of the API does not say who may call it, or has no guard for that."""
    for route in routes:
        path = getattr(route, "path", "")
        if not path.startswith("/api"):
            continue
        declared = (route.openapi_extra or {}).get(ACCESS_KEY) if isinstance(route, APIRoute) else None
        if declared is None or not isinstance(route, APIRoute):
            raise ConfigurationError(
                f"The route {path} does not declare who may call it.", hint="Declare it through impetus.api.Resource."
            )
        guards = [one.call.access.value for one in route.dependant.dependencies if isinstance(one.call, Guard)]
        if guards != [declared]:
            raise ConfigurationError(
                f"The route {path} declares '{declared}' but has no guard for it.",
                hint="Declare it through impetus.api.Resource.",
            )


def _request_body(choices: tuple[type[BaseModel], ...]) -> dict[str, Any]:
    references = [{"$ref": f"#/components/schemas/{one.__name__}"} for one in choices]
    schema = references[0] if len(references) == 1 else {"anyOf": references}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _responses(one: Declaration) -> dict[int | str, dict[str, Any]]:
    answer: dict[str, Any] = {"description": "Success"}
    if one.answer is not None:
        answer["model"] = one.answer
    elif one.status != 204:
        answer["content"] = {one.media_type: {}}
    return {one.status: answer, "default": {"description": "A problem", "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}}


_PROBLEM: Mapping[str, str] = {"$ref": f"#/components/schemas/{Problem.__name__}"}


def _describe(app: FastAPI, bodies: list[type[BaseModel]]) -> None:
    """Complete FastAPI's description with the bodies, the problem and the ways to authenticate."""
    generate = app.openapi
    described: list[type[BaseModel]] = [*dict.fromkeys(bodies), Problem]

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            description = generate()
            _, models = models_json_schema(
                [(one, "validation") for one in described],
                ref_template="#/components/schemas/{model}",
            )
            components = description.setdefault("components", {})
            schemas = components.setdefault("schemas", {})
            for name, schema in models.get("$defs", {}).items():
                schemas.setdefault(name, schema)
            components["securitySchemes"] = {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "impetus_session"},
            }
            description["security"] = [{"token": []}, {"session": []}]
            app.openapi_schema = description
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
