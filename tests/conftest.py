"""What every test runs under: no network but loopback, no model hub, one thread, a Prefect home of its own."""

import os
import shutil
import tempfile
from pathlib import Path

import filelock
import pytest
from hypothesis import settings

# Set before anything imports prefect, torch or transformers, which read them once; child processes inherit them.
PREFECT_HOME = tempfile.mkdtemp(prefix="streamaudio-prefect-")
os.environ.update(
    PREFECT_HOME=PREFECT_HOME,
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    PREFECT_LOGGING_LEVEL="ERROR",
    PREFECT_LOGGING_SERVER_LEVEL="ERROR",
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="180",
    HF_HUB_OFFLINE="1",
    OMP_NUM_THREADS="1",
)

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_unconfigure() -> None:
    shutil.rmtree(PREFECT_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder beside the repository that holds real recordings, golden vectors and the acceptance checker."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("../shared is absent: real recordings are not part of this repository")
    return folder


@pytest.fixture(scope="session")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded library, rendered once for all test processes. Read only."""
    from flows.starter import make_starter

    base = tmp_path_factory.getbasetemp()
    shared_by_workers = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    with filelock.FileLock(shared_by_workers / "starter.lock"):
        return make_starter(shared_by_workers / "starter", lambda stage, done, total: None)
