"""Puts the pages onto the application that serves the interface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from impetus.model import ConfigurationError, ImpetusError
from impetus.ui import (
    dashboard_pages,
    data_protection_pages,
    exercise_pages,
    forms,
    guide_pages,
    languages,
    notification_pages,
    oversight_pages,
    pages,
    report_pages,
    sharing_pages,
    shift_pages,
)
from impetus.ui.client import ApiProblem, Client
from impetus.ui.dashboards import PanelRegistry, role_layouts
from impetus.ui.rendering import STATIC, Renderer
from impetus.ui.session import PROFILE, LogInFirst, SecondFactorFirst, Site, open_visit, to_log_in
from impetus.ui.tool_files import serve_tool_files

if TYPE_CHECKING:
    from impetus.api.services import Services

FOR_EVER = "public, max-age=31536000, immutable"


class KeptFiles(StaticFiles):
    """Files whose address changes with their content: a browser asks for each once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = FOR_EVER
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def mount_ui(app: FastAPI, services: Services) -> None:
    """Add all pages and their files to the application that already serves `/api/v1`.

    The pages ask that interface for everything; of `services` they use the installed tools, which declare panels.
    Raises `ConfigurationError` if the browser libraries were not copied in.
    """
    _check_libraries(STATIC / "vendor")
    site = Site(
        app,
        Renderer(services.clock.now, exercise=services.exercise.title),
        services.tools,
        serve_tool_files(app, services.tools),
        services.exercise.title,
    )
    static_path = site.renderer.static_path

    @app.get(static_path + "/messages/{language}.json", include_in_schema=False)
    async def messages(language: str) -> Response:
        known = language if language in languages.LANGUAGES else languages.DEFAULT_LANGUAGE
        return JSONResponse(dict(languages.script_messages(known)), headers={"Cache-Control": FOR_EVER})

    app.mount(static_path, KeptFiles(directory=STATIC), name="static")
    registry = PanelRegistry.create(services.tools)
    services.dashboards.show(registry.kinds, role_layouts())
    app.include_router(dashboard_pages.router(site, registry))
    app.include_router(report_pages.router(site))
    app.include_router(pages.router(site))
    app.include_router(forms.router(site))
    app.include_router(sharing_pages.router(site))
    app.include_router(shift_pages.router(site))
    app.include_router(notification_pages.router(site))
    app.include_router(data_protection_pages.router(site))
    app.include_router(guide_pages.router(site))
    app.include_router(exercise_pages.router(site))
    app.include_router(oversight_pages.router(site))

    @app.exception_handler(LogInFirst)
    async def log_in_first(request: Request, error: Exception) -> Response:
        return to_log_in(request)

    @app.exception_handler(SecondFactorFirst)
    async def second_factor_first(request: Request, error: Exception) -> Response:
        if "hx-request" in request.headers:
            return Response(status_code=204, headers={"HX-Redirect": PROFILE})
        return RedirectResponse(PROFILE, 303)

    @app.exception_handler(ApiProblem)
    async def refused(request: Request, error: ApiProblem) -> Response:
        if error.http_status == 401:
            return to_log_in(request)
        if error.http_status == 503 and not await _answers(site, request):
            if "hx-request" in request.headers:
                return Response(status_code=204)  # what is on the screen stays
            return site.renderer.page(
                "pages/unavailable.html", site.language(request), status=503, problem=error, here=request.url.path
            )
        try:
            visit = await open_visit(site, request)
        except (LogInFirst, ImpetusError):
            return to_log_in(request)
        return pages.problem_page(visit, error)


async def _answers(site: Site, request: Request) -> bool:
    """Whether the interface can say who somebody is: without the database no page can be shown at all."""
    try:
        await Client(site.app, request).get("/session")
    except ApiProblem as problem:
        return problem.http_status != 503
    return True


def _check_libraries(folder: Path) -> None:
    try:
        versions = json.loads((folder / "versions.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            "the browser libraries are missing", hint="run `make` or `python scripts/vendor_assets.py`"
        ) from error
    if not versions.get("packages"):
        raise ConfigurationError("the browser libraries are incomplete", hint="run `python scripts/vendor_assets.py`")
