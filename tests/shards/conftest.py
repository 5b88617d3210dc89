from pathlib import Path

import pytest

from tests.factories import Handmade


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The nine streams made by hand as a finished corpus. Read only."""
    folder = tmp_path_factory.mktemp("handmade")
    return Handmade.make(folder).write(folder / "corpus")
