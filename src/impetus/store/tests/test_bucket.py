"""Evidence in a bucket: the same promises as on disk, against a server that speaks S3."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from impetus.model import ConfigurationError, InvalidInput, NotFound, Unavailable
from impetus.store import EvidenceStore
from impetus.store.bucket import BucketEvidence, open_evidence
from impetus.store.evidence import EvidenceAltered
from tests.servers import free_port


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server that speaks S3 on a loopback port."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port())
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def evidence(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> EvidenceStore:
    """An empty bucket there."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="city")
    return open_evidence(f"s3://city/evidence?endpoint={endpoint}", Path())


async def test_what_was_put_is_got_by_its_name_and_by_its_organisation_only(evidence: EvidenceStore) -> None:
    """Twice is once; another organisation has nothing of it; what was removed is gone."""
    assert isinstance(evidence, BucketEvidence)
    sha256 = await evidence.put("police", b"picture")
    assert sha256 == hashlib.sha256(b"picture").hexdigest() == await evidence.put("police", b"picture")
    assert await evidence.get("police", sha256) == b"picture"
    with pytest.raises(NotFound):
        await evidence.get("fire", sha256)
    assert await evidence.remove("police", sha256)
    assert not await evidence.remove("police", sha256)
    with pytest.raises(NotFound):
        await evidence.get("police", sha256)


@pytest.mark.parametrize(("tenant", "sha256"), [("..", "a" * 64), ("police", "../" * 20), ("police/x", "a" * 64)])
async def test_no_name_leads_elsewhere(evidence: EvidenceStore, tenant: str, sha256: str) -> None:
    with pytest.raises(NotFound):
        await evidence.get(tenant, sha256)


async def test_an_object_that_somebody_changed_is_not_handed_out(evidence: EvidenceStore, endpoint: str) -> None:
    sha256 = await evidence.put("police", b"picture")
    key = f"evidence/police/{sha256[:2]}/{sha256}"
    boto3.client("s3", endpoint_url=endpoint).put_object(Bucket="city", Key=key, Body=b"another")
    with pytest.raises(EvidenceAltered):
        await evidence.get("police", sha256)


async def test_what_cannot_be_is_said(evidence: EvidenceStore, endpoint: str) -> None:
    """Too large, no bucket, no server's address."""
    with pytest.raises(InvalidInput):
        await evidence.put("police", b" " * (64 * 1024 * 1024 + 1))
    with pytest.raises(Unavailable):
        await open_evidence(f"s3://absent?endpoint={endpoint}", Path()).put("police", b"picture")
    for address in ("city/evidence", "s3://", "https://city"):
        with pytest.raises(ConfigurationError):
            open_evidence(address, Path())
