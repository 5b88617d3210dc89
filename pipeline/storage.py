"""Where corpora and libraries lie: folders of this machine, or an object store that fsspec knows, such as S3.

A local file appears whole by a rename, an object by one put. Keys and endpoints come from the environment or from
fsspec's configuration, never from a URL, which a log or a manifest may repeat.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import fsspec
import platformdirs
from upath import UPath

from pipeline.errors import BadInput, EndpointDown, MissingDependency

In = TypeVar("In")
Out = TypeVar("Out")
Location = Path | UPath
"""A path of this machine, or of an object store."""
S3: Final = ("s3", "s3a")
LOOK_UPS: Final = 32
"""So many objects are looked up at once; each takes a store some 20 ms."""
PARTS_AT_ONCE: Final = 2
"""Parts of 50 MiB that an upload holds in memory."""


def location(given: str) -> Location:
    """The path that a person means: `s3://bucket/key`, another URL of fsspec's, or a local path.

    Raises:
        BadInput: a URL that holds a key or a query, or whose kind fsspec does not know.
        MissingDependency: the package that reaches such URLs is not installed.
    """
    kind, separator, rest = given.partition("://")
    if not separator:
        return Path(given)
    if kind in ("file", "local"):
        return Path(rest)
    if "@" in rest.partition("/")[0] or "?" in rest:
        raise BadInput(
            f"a {kind} URL may hold neither credentials nor a query; put keys and endpoint into the environment"
        )
    if not rest.strip("/") or ".." in rest.split("/"):
        raise BadInput(f"{given!r} names no place; write {kind}://BUCKET/FOLDER")
    try:
        fsspec.get_filesystem_class(kind)
    except ValueError as error:
        raise BadInput(f"{given!r}: fsspec knows no {kind!r}; use s3://BUCKET/FOLDER or a local path") from error
    except ImportError as error:
        extra = "pip install 'streamaudio-builder[s3]'" if kind in S3 else str(error)
        raise MissingDependency(f"{given!r} needs a package that is not installed: {extra}") from error
    # What others write must be seen at once.
    return UPath(given.rstrip("/"), use_listings_cache=False)


def filesystem(place: UPath) -> Any:
    """The filesystem of `place`, of this process: one made before a fork must not be used after it."""
    return fsspec.filesystem(place.protocol, **place.storage_options)


def scratch(root: Location) -> Path:
    """A folder of this machine for what only a running build needs."""
    if isinstance(root, Path):
        return root / ".state"
    return (
        platformdirs.user_cache_path("streamaudio-builder") / "builds" / hashlib.sha256(str(root).encode()).hexdigest()
    )


def read(place: Location) -> bytes | None:
    """The content of a file, None where there is none."""
    try:
        return place.read_bytes() if isinstance(place, Path) else filesystem(place).cat_file(place.path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def size(place: Location) -> int | None:
    """Bytes of a file, None where there is none."""
    if isinstance(place, Path):
        return place.stat().st_size if place.is_file() else None
    try:
        return filesystem(place).info(place.path)["size"]
    except FileNotFoundError:
        return None


def files_below(root: Location, folder: str) -> set[str]:
    """Files and symbolic links in a folder and all below it, by their path from `root`."""
    if isinstance(root, Path):
        found = (root / folder).rglob("*")
        return {path.relative_to(root).as_posix() for path in found if path.is_symlink() or path.is_file()}
    store = filesystem(root)
    return {name.removeprefix(root.path).lstrip("/") for name in store.find((root / folder).path)}


def each(function: Callable[[In], Out], items: Iterable[In], *, at: Location) -> Iterator[Out]:
    """`map` of what looks at files below `at`: in an object store many at once, in order; few results are in memory."""
    if isinstance(at, Path):
        yield from map(function, items)
        return
    with ThreadPoolExecutor(LOOK_UPS, thread_name_prefix="look-up") as pool:
        rest = iter(items)
        while some := list(islice(rest, 4 * LOOK_UPS)):
            yield from pool.map(function, some)


def copy(root: Location, source: str, target: str) -> None:
    """Give a file a second path below `root`: by a hard link, or by a copy that the object store makes itself."""
    if isinstance(root, Path):
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        (root / target).unlink(missing_ok=True)
        os.link(root / source, root / target)
    else:
        filesystem(root).cp_file((root / source).path, (root / target).path)


def delete(place: Location) -> None:
    """Delete a file; one that is not there is no error."""
    with contextlib.suppress(FileNotFoundError):
        place.unlink() if isinstance(place, Path) else filesystem(place).rm_file(place.path)


def delete_below(folder: Location) -> None:
    """Delete a folder and all below it; one that is not there is no error."""
    if isinstance(folder, Path):
        shutil.rmtree(folder, ignore_errors=True)
        return
    # One by one: a recursive deletion of fsspec's takes a bracket in a folder's name for a pattern.
    list(each(lambda name: delete(folder / name), files_below(folder, ""), at=folder))


def put(place: UPath, data: bytes) -> None:
    """Replace an object."""
    filesystem(place).pipe_file(place.path, data)


def put_file(place: UPath, file: Path) -> None:
    """Replace an object with a file's content; what fails half-way leaves nothing, large files go in parts."""
    several: dict[str, Any] = {"max_concurrency": PARTS_AT_ONCE} if place.protocol in S3 else {}
    filesystem(place).put_file(str(file), place.path, **several)


def put_files(folder: UPath, files: Sequence[Path]) -> None:
    """Put files into a folder under their names, many at once."""
    filesystem(folder).put([str(file) for file in files], [(folder / file.name).path for file in files])


def put_if(place: UPath, data: bytes, etag: str | None) -> str | None:
    """Replace an object of S3 only where it still is `etag`, or make it where it must be new (None).

    Returns the new etag, None where somebody else was first.
    """
    condition: dict[str, Any] = {"mode": "create"} if etag is None else {"IfMatch": etag}
    try:
        return filesystem(place).pipe_file(place.path, data, **condition)["ETag"]
    except (FileExistsError, FileNotFoundError):
        return None
    except OSError as error:
        response = getattr(error.__cause__, "response", {})
        if response.get("Error", {}).get("Code") in ("PreconditionFailed", "ConditionalRequestConflict"):
            return None
        raise


def abort_uploads(folder: UPath) -> None:
    """End uploads in parts below `folder` that a killed process left; they are in no listing, and are paid for."""
    if folder.protocol not in S3:
        return
    store = filesystem(folder)
    bucket, key, _ = store.split_path(folder.path)
    while True:
        found = store.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=f"{key}/")
        for left in found.get("Uploads", []):
            store.call_s3("abort_multipart_upload", Bucket=bucket, Key=left["Key"], UploadId=left["UploadId"])
        if not found.get("IsTruncated"):
            return


@contextlib.contextmanager
def local_file(place: Location) -> Iterator[Path]:
    """The file itself, or a copy of the object under its name while it is looked at."""
    if isinstance(place, Path):
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="streamaudio-") as folder:
        copy = Path(folder) / place.name
        filesystem(place).get_file(place.path, str(copy))
        yield copy


@contextlib.contextmanager
def outages_told() -> Iterator[None]:
    """Say in one line that a store cannot be reached, after its client has tried several times."""
    try:
        yield
    except _client_errors() as error:
        reason = " ".join(str(error).split())
        raise EndpointDown(
            f"the object store cannot be used ({reason}); finished work is kept: look at the network, "
            "AWS_ENDPOINT_URL and the credentials in the environment, then run the same again"
        ) from error


def _client_errors() -> tuple[type[Exception], ...]:
    # Known only where a store was asked.
    client = sys.modules.get("botocore.exceptions")
    return () if client is None else (client.BotoCoreError,)
