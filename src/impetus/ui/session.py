"""Who looks at a page: the session behind the cookie, asked of the interface, and what follows from it for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from impetus.model import Permission, Role
from impetus.sdk import InstalledTool, Manifest
from impetus.ui import languages, security
from impetus.ui.client import ApiProblem, Client
from impetus.ui.navigation import sections_for
from impetus.ui.rendering import Renderer

LANGUAGE_COOKIE = "impetus_language"

CARETAKERS = frozenset({Role.ADMINISTRATOR, Role.DATA_PROTECTION_OFFICER})
"""They see every tool, whomever it is for."""


PROFILE = "/profile"


class SecondFactorFirst(Exception):
    """The person's role must have a second factor; nothing but the profile, where it is set up, is shown before."""


class LogInFirst(Exception):
    """Nobody is logged in; the person is sent to the log-in page and comes back."""


@dataclass
class Site:
    """What all pages share."""

    app: FastAPI
    renderer: Renderer
    tools: Mapping[str, InstalledTool]
    """Installed tools by id: their panels are shown."""
    tool_files: Mapping[str, str] = field(default_factory=dict)
    """Addresses under which the tools' own files are served, by tool."""
    exercise: str = ""
    """Title of the exercise that this installation plays; empty in the real operation."""
    map_settings: Mapping[str, Any] | None = None
    """The interface's `/map/settings`, kept after the first page that asked: it does not change while we run."""

    def language(self, request: Request, preferred: str | None = None) -> str:
        """The language of a page: chosen in this browser, else the person's own, else the browser's."""
        chosen = request.cookies.get(LANGUAGE_COOKIE)
        return languages.choose(chosen, preferred, accept=request.headers.get("accept-language", ""))


@dataclass
class Visit:
    """One request for a page by somebody who is logged in."""

    site: Site
    request: Request
    client: Client
    session: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def permissions(self) -> frozenset[str]:
        return frozenset(self.session.get("permissions", ()))

    @property
    def user(self) -> Mapping[str, Any]:
        user: Mapping[str, Any] = self.session.get("user") or {}
        return user

    @property
    def language(self) -> str:
        return self.site.language(self.request, str(self.user.get("language") or ""))

    @property
    def zone(self) -> str:
        return str(self.settings.get("time_zone") or "UTC")

    @property
    def tools(self) -> Sequence[Manifest]:
        """Tools whose pages are for this person: of the own role, all of them for those who look after the house."""
        if not self.may(Permission.TOOLS_READ):
            return ()
        role = self.user.get("role")
        manifests = (tool.manifest for tool in self.site.tools.values() if tool.manifest is not None)
        found = [one for one in manifests if role in one.roles or role in CARETAKERS]
        return sorted(found, key=lambda one: one.title)

    def may(self, permission: Permission) -> bool:
        return permission.value in self.permissions

    def page(self, template: str, page: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """A whole page inside the shell, or a part of one (its template does not extend the shell)."""
        hosts = [
            host
            for key in ("tiles", "wms")
            if (host := security.image_host(str(self.settings.get(key) or ""))) is not None
        ]
        return self.site.renderer.page(
            template,
            self.language,
            status=status,
            image_hosts=hosts,
            page=page,
            exercise=self.site.exercise,
            visit=self,
            sections=sections_for(self.permissions),
            may=lambda name: name in self.permissions,
            zone=self.zone,
            data={
                "csrf": self.session.get("csrf", ""),
                "language": self.language,
                "messages": f"{self.site.renderer.static_path}/messages/{self.language}.json",
                "page": page,
                "permissions": sorted(self.permissions),
                "person": {key: self.user.get(key) for key in ("id", "name", "full_name", "role")},
                "map": dict(self.settings),
                "zone": self.zone,
                "exercise": self.site.exercise,
            },
            **context,
        )


async def open_visit(site: Site, request: Request) -> Visit:
    """The session behind a request. Raises `LogInFirst` if there is none."""
    client = Client(site.app, request)
    try:
        session = await client.get("/session")
        if site.map_settings is None and not session.get("second_factor_missing"):
            site.map_settings = await _map_settings(client)
    except ApiProblem as problem:
        if problem.http_status == 401:
            raise LogInFirst from problem
        raise
    if session.get("second_factor_missing") and not request.url.path.startswith(PROFILE):
        raise SecondFactorFirst
    return Visit(site, request, client, session, site.map_settings or {})


async def _map_settings(client: Client) -> Mapping[str, Any] | None:
    try:
        settings: Mapping[str, Any] = await client.get("/map/settings")
    except ApiProblem as problem:
        if problem.http_status in (403, 404):  # this role sees no map; another visitor will tell
            return None
        raise
    return settings


def to_log_in(request: Request) -> Response:
    """Send the person to the log-in page and back afterwards; htmx follows its own header."""
    if "hx-request" in request.headers:
        return Response(status_code=204, headers={"HX-Redirect": "/login"})
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = "/login" if here == "/" or request.method != "GET" else f"/login?next={quote(here, safe='/')}"
    return RedirectResponse(target, 303)
