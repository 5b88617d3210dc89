"""One build at a time on a corpus: a lock on a local folder, a lease on an object store.

The lease is an object that only one writer can make (`If-None-Match`), and that its owner writes anew every few seconds
(`If-Match`). It says who holds it. Whoever finds it and sees it unchanged for `LEASE_S` of his own clock takes it over,
so no two machines' clocks are compared; where its owner was a process of this machine and is gone, at once. A lease
cannot stop an owner that was cut off longer than that and comes back; it spares double work. What keeps a corpus right
is that another recipe may not begin in it, and that equal builds put equal bytes.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import filelock
from upath import UPath

from pipeline.errors import BadInput
from pipeline.storage import S3, Location, filesystem, put_if

LEASE_S: Final = 30.0
RENEWALS: Final = 5
"""Renewals within `LEASE_S`."""

log = logging.getLogger(__name__)


@contextlib.contextmanager
def claimed(root: Location) -> Iterator[None]:
    """Hold `root` for one build. Object stores other than S3 know no conditions: there it is up to the person.

    Raises:
        BadInput: another build holds it.
    """
    if isinstance(root, Path):
        try:
            with filelock.FileLock(root / ".state" / "lock", timeout=0):
                yield
        except filelock.Timeout as error:
            raise BadInput(f"another build is writing to {str(root)!r}; wait for it or name another --out") from error
    elif root.protocol in S3:
        with _lease(root / ".state" / "lease.json", root):
            yield
    else:
        yield


@contextlib.contextmanager
def _lease(place: UPath, root: UPath) -> Iterator[None]:
    owner = {"host": socket.gethostname(), "pid": os.getpid(), "token": uuid.uuid4().hex}
    etag = _take(place, root, owner)
    over = threading.Event()

    def renew() -> None:
        nonlocal etag
        count = 0
        while not over.wait(LEASE_S / RENEWALS):
            count += 1
            try:
                new = put_if(place, _content(owner, count), etag)
            except Exception as error:  # noqa: BLE001 - an outage here is one of the next write, too, which tells it
                log.warning("the lease on %s was not renewed: %s", root, error)
                continue
            if new is None:
                log.warning("another build took %s over after an outage; both write the same bytes", root)
                etag = ""
                return
            etag = new

    renewing = threading.Thread(target=renew, name="lease", daemon=True)
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        if etag:
            with contextlib.suppress(FileNotFoundError):
                filesystem(place).rm_file(place.path)


def _content(owner: dict[str, Any], count: int) -> bytes:
    return json.dumps({**owner, "renewed": count}).encode()


def _take(place: UPath, root: UPath, owner: dict[str, Any]) -> str:
    """Make the lease, or take it over from a build that is gone; its etag."""
    seen, since = "", time.monotonic()
    while True:
        etag = put_if(place, _content(owner, 0), None)
        if etag is not None:
            return etag
        try:
            there = filesystem(place).info(place.path)["ETag"]
            holder = json.loads(filesystem(place).cat_file(place.path))
        except FileNotFoundError:
            continue
        if seen and there != seen:
            raise BadInput(
                f"another build (process {holder['pid']} on {holder['host']!r}) is writing to {str(root)!r}; "
                "wait for it or name another --out"
            )
        if _gone(holder) or time.monotonic() - since > LEASE_S:
            # Somebody who has taken it since made another etag of it.
            etag = put_if(place, _content(owner, 0), there)
            if etag is not None:
                return etag
        elif not seen:
            log.warning(
                "process %s on %r may be writing to %s; it is given %.0f s to show it",
                *(holder["pid"], holder["host"], root, LEASE_S),
            )
        seen = there
        time.sleep(LEASE_S / RENEWALS / 4)


def _gone(holder: dict[str, Any]) -> bool:
    if holder["host"] != socket.gethostname():
        return False
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
