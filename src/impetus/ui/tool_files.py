"""The files that tools bring for their own pages (`static/` in a tool's folder): scripts, styles, pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from fastapi import FastAPI
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from impetus.sdk import InstalledTool
from impetus.sdk.panel import STATIC_FOLDER
from impetus.ui.rendering import fingerprint_of

MEDIA_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        ".js": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".json": "application/json",
        ".svg": "image/svg+xml",
        ".png": "image/png",
        ".jpg": "image/jpeg",
        ".webp": "image/webp",
        ".woff2": "font/woff2",
    }
)
"""What a tool may bring; anything else is not served."""


class ToolFiles(StaticFiles):
    """One tool's files. Their address changes with their content, so a browser asks for each once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        media_type = MEDIA_TYPES.get(PurePosixPath(path).suffix)
        if media_type is None:
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        response.headers["Content-Type"] = media_type
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        # Opened by itself, a picture or a script runs nothing.
        response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
        return response


def serve_tool_files(app: FastAPI, tools: Mapping[str, InstalledTool]) -> Mapping[str, str]:
    """Serve the files of every tool that has some; the address of each tool's."""
    addresses: dict[str, str] = {}
    for id, tool in tools.items():
        folder = None if tool.folder is None else tool.folder / STATIC_FOLDER
        if folder is not None and folder.is_dir():
            addresses[id] = f"/tool-files/{id}/{fingerprint_of(folder)}"
            app.mount(addresses[id], ToolFiles(directory=folder), name=f"tool-files-{id}")
    return addresses
