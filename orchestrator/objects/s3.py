"""Large objects in S3-compatible storage (ports.Objects). The only importer of boto3. Passwords come from where boto3 finds them
(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, the role of a pod or machine)."""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from orchestrator.errors import Unavailable
from orchestrator.objects.disk import CHUNK, place_in
from orchestrator.objects.incoming import Incoming, Landing

PART = 32 * 1024**2  #: bytes of one part; S3 takes 10,000 of them
UNREAD = 24 * 3600.0  #: seconds that a copy for builders is kept after its last use
_MISSING = ("404", "NoSuchKey", "NotFound")
_FAILURES = (BotoCoreError, Boto3Error, ClientError, HTTPClientError, OSError)


class S3Objects:
    """`bucket`: BUCKET or BUCKET/PREFIX; `url`: of a service other than Amazon's. `local`: directory of this machine for
    what comes in and for copies that builders read."""

    def __init__(self, bucket: str, url: str, local: Path) -> None:
        self._bucket, _, prefix = bucket.partition("/")
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        config = Config(
            retries={"max_attempts": 4, "mode": "standard"},
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=64,
            s3={"addressing_style": "path"} if url else {},
            # Services that are not Amazon's know no checksum trailers.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        self._s3 = boto3.session.Session().client("s3", endpoint_url=url or None, config=config)
        self._transfer = TransferConfig(multipart_threshold=2 * PART, multipart_chunksize=PART, max_concurrency=4)
        self._landing = Landing(local / "incoming", self._keep)
        self._copies = local / "copies"
        self._copies.mkdir(parents=True, exist_ok=True, mode=0o700)

    def receive(self, name: str = "") -> Incoming:
        return self._landing.receive(name)

    def size(self, place: str) -> int | None:
        try:
            return self._s3.head_object(Bucket=self._bucket, Key=self._key(place))["ContentLength"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _MISSING:
                return None
            raise _unavailable(error) from None
        except _FAILURES as error:
            raise _unavailable(error) from None

    def read(self, place: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        if end is not None and end <= start:
            return iter(())
        wanted = {"Range": f"bytes={start}-{'' if end is None else end - 1}"} if start or end is not None else {}
        try:
            body = self._s3.get_object(Bucket=self._bucket, Key=self._key(place), **wanted)["Body"]
        except _FAILURES as error:
            raise _unavailable(error) from None
        return _pieces(body)

    def path(self, place: str) -> str:
        copy = self._copies / place
        try:
            if not copy.exists():
                fresh = copy.with_name(f"{place}.{secrets.token_hex(4)}")
                try:
                    self._s3.download_file(self._bucket, self._key(place), str(fresh), Config=self._transfer)
                    fresh.chmod(0o400)
                    fresh.rename(copy)
                finally:
                    fresh.unlink(missing_ok=True)
            os.utime(copy)
        except _FAILURES as error:
            raise _unavailable(error) from None
        return str(copy)

    def remove(self, place: str) -> None:
        try:
            self._s3.delete_object(Bucket=self._bucket, Key=self._key(place))
        except _FAILURES as error:
            raise _unavailable(error) from None

    def tidy(self) -> None:
        self._landing.tidy()
        before = time.time() - UNREAD
        for copy in self._copies.iterdir():
            with suppress(OSError):
                if copy.stat().st_mtime < before:
                    copy.unlink()

    def _key(self, place: str) -> str:
        return self._prefix + place_in(place)

    def _keep(self, path: Path, place: str) -> None:
        try:
            self._s3.upload_file(str(path), self._bucket, self._key(place), Config=self._transfer)
        except _FAILURES as error:
            raise _unavailable(error) from None


def _pieces(body) -> Iterator[bytes]:
    try:
        yield from body.iter_chunks(CHUNK)
    except _FAILURES as error:
        raise _unavailable(error) from None
    finally:
        body.close()


def _unavailable(error: Exception) -> Unavailable:
    code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
    return Unavailable(f"the S3 storage of large files failed: {code or type(error).__name__}")
