"""HTTP: REST under `/api/v1`, server-sent events, OpenAPI."""

from impetus.api.access import Access, Caller, Guard, Hub, Open
from impetus.api.app import create_api
from impetus.api.resource import check_declared
from impetus.api.services import Services, running
from impetus.api.settings import ApiSettings

__all__ = [
    "Access",
    "ApiSettings",
    "Caller",
    "Guard",
    "Hub",
    "Open",
    "Services",
    "check_declared",
    "create_api",
    "running",
]
