"""Large objects: on disk, or in S3-compatible storage. What comes in lies on this machine first, where it is checked."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.ports_objects import Objects


def open_objects(folder: Path, bucket: str, url: str) -> "Objects":
    """The storage that is set: `bucket` of S3 at `url`, or `folder` when there is none."""
    if bucket:
        from orchestrator.objects.s3 import S3Objects

        return S3Objects(bucket, url, folder)
    from orchestrator.objects.disk import DiskObjects

    return DiskObjects(folder)
