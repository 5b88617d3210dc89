"""What an installation contains and what it needs."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("flows", "pipeline", "prompts", "schemas")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (ROOT / folder).rglob("*.py")


def third_party_imports(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top not in {*PACKAGES, "tests"}:
                yield top


def test_every_folder_of_modules_is_a_package() -> None:
    # Otherwise a wheel lacks it and the import contracts do not see it, while a checkout works.
    folders = {module.parent for module in modules(*PACKAGES)}
    assert sorted(str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").exists()) == []


def test_every_import_is_declared() -> None:
    # What arrives only through another package leaves with it.
    requirements = chain(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    declared = {canonicalize_name(Requirement(text).name) for text in requirements}
    providers = packages_distributions()
    undeclared = {
        f"{module.relative_to(ROOT)}: {name}"
        for module in modules(*PACKAGES, "tests")
        for name in third_party_imports(module)
        if declared.isdisjoint(canonicalize_name(provider) for provider in providers.get(name, [name]))
    }
    assert sorted(undeclared) == []
