"""The import contracts in pyproject.toml hold, and a breach of each is noticed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([program, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)


def test_imports_run_downward() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("schemas.row", "pipeline.errors"),
        ("schemas.row", "prompts"),
        ("pipeline.errors", "pipeline.library"),
        ("pipeline.language", "pipeline.planning"),
        ("pipeline.planning", "pipeline.grounding"),
        ("pipeline.streaming", "pipeline.scene"),
        ("pipeline.shards", "prefect"),
        ("pipeline.scene", "flows"),
        ("pipeline.unplaced", "numpy"),
    ],
)
def test_breach_is_noticed(tmp_path: Path, module: str, imported: str) -> None:
    modules = {module, imported, "flows", "pipeline", "prompts", "schemas"} - {"numpy", "prefect"}
    for name in modules:
        file = tmp_path.joinpath(*name.split(".")) / "__init__.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"import {imported}\n" if name == module else "")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    result = lint_imports(tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert module in result.stdout
