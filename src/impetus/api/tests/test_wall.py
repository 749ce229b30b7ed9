"""Protects that the database's wall between organisations stands in every request, and lets through what is agreed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from impetus.api.app import create_api
from impetus.api.settings import ApiSettings, StreamSettings
from impetus.api.tests.conftest import Api, services_of
from impetus.api.tests.test_access import test_nothing_of_another_organisation_is_found  # noqa: F401
from impetus.situation.tests.house import opened_house
from impetus.store.tests.conftest import walled_database  # noqa: F401

pytestmark = pytest.mark.postgresql


@pytest.fixture
async def api(tmp_path: Path, walled_database: str) -> AsyncIterator[Api]:  # noqa: F811
    """The same application, on PostgreSQL as an ordinary user."""
    async with opened_house(tmp_path, store_url=walled_database) as house:
        services = services_of(house, tmp_path, settings=ApiSettings(stream=StreamSettings(check_interval_s=0.1)))
        api = Api(house, services, create_api(services))
        yield api
        for client in api.clients.values():
            await client.aclose()
