"""Evidence in a bucket of S3-compatible storage, for installations of several machines."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from impetus.model import ConfigurationError, NotFound, Unavailable
from impetus.store.evidence import EVIDENCE_LIMIT_BYTES, SHA256, TENANT, EvidenceAltered, EvidenceStore

CONNECT_S = 5
READ_S = 30
ATTEMPTS = 3


class BucketEvidence(EvidenceStore):
    """Blobs as objects `PREFIX/TENANT/AB/SHA256`: the storage checks them on the way in, impetus on the way out.

    Key and secret come from where S3 programs look for them: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, a file,
    or the machine's own role.
    """

    def __init__(self, client: Any, bucket: str, prefix: str, *, limit_bytes: int = EVIDENCE_LIMIT_BYTES) -> None:
        super().__init__(Path(), limit_bytes=limit_bytes)
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._largest = limit_bytes

    async def remove(self, tenant: str, sha256: str) -> bool:
        """Remove the blob; false if there was none. Retention calls this."""
        return await asyncio.to_thread(self._remove, tenant, sha256)

    def _key(self, tenant: str, sha256: str) -> str:
        if not TENANT.fullmatch(tenant) or not SHA256.fullmatch(sha256):
            raise NotFound("there is no such evidence", hint="Evidence is named by the SHA-256 of its content.")
        return f"{self._prefix}{tenant}/{sha256[:2]}/{sha256}"

    def _there(self, key: str) -> bool:
        from botocore.exceptions import ClientError

        try:
            self._client.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if _is_missing(error):
                return False
            raise
        return True

    def _write(self, tenant: str, data: bytes) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        digest = hashlib.sha256(data)
        key = self._key(tenant, digest.hexdigest())
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=data,
                ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
            )
        except (BotoCoreError, ClientError) as error:
            raise _unavailable("stored", error) from error
        return digest.hexdigest()

    def _read(self, tenant: str, sha256: str) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError

        key = self._key(tenant, sha256)
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            # One byte more than allowed tells an object that somebody made longer, without reading all of it.
            data: bytes = body.read(self._largest + 1)
        except ClientError as error:
            if _is_missing(error):
                raise NotFound("there is no such evidence", hint="It may have passed its retention time.") from None
            raise _unavailable("read", error) from error
        except BotoCoreError as error:
            raise _unavailable("read", error) from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise EvidenceAltered(
                f"the evidence {sha256} is no longer what was stored",
                hint="Somebody or something changed the object. Do not rely on it; restore it from a backup.",
            )
        return data

    def _remove(self, tenant: str, sha256: str) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        key = self._key(tenant, sha256)
        try:
            if not self._there(key):
                return False
            self._client.delete_object(Bucket=self._bucket, Key=key)
        except (BotoCoreError, ClientError) as error:
            raise _unavailable("removed", error) from error
        return True


def open_evidence(address: str | None, folder: Path) -> EvidenceStore:
    """The evidence at `s3://BUCKET[/PREFIX][?endpoint=https://HOST]`, or in `folder` if there is no address.

    Raises `ConfigurationError` for an address that cannot be used, or where boto3 is not installed.
    """
    if address is None:
        return EvidenceStore(folder)
    parts = urlsplit(address)
    endpoint = parse_qs(parts.query).get("endpoint", [None])[0]
    if parts.scheme != "s3" or not parts.hostname:
        raise ConfigurationError(
            f"{address!r} names no storage for evidence", hint="write s3://BUCKET/PREFIX?endpoint=https://HOST"
        )
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise ConfigurationError("evidence on S3 needs boto3", hint="install impetus[s3]") from error
    config = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"max_attempts": ATTEMPTS})
    client = boto3.client("s3", endpoint_url=endpoint, config=config)
    prefix = parts.path.strip("/")
    return BucketEvidence(client, parts.hostname, f"{prefix}/" if prefix else "")


def _is_missing(error: Any) -> bool:
    return str(error.response.get("Error", {}).get("Code")) in ("404", "NoSuchKey", "NotFound")


def _unavailable(what: str, error: Exception) -> Unavailable:
    return Unavailable(
        f"the evidence cannot be {what}: {str(error).splitlines()[0][:300]}",
        hint="Look at the storage, its address and its key.",
    )
