from pathlib import Path

import pytest

from tests.factories import Handmade


@pytest.fixture(scope="session")
def handmade(tmp_path_factory: pytest.TempPathFactory) -> Handmade:
    """The corpus made by hand, and the library its clips come from."""
    return Handmade.make(tmp_path_factory.mktemp("handmade"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where a test writes its corpus."""
    return tmp_path / "corpus"
