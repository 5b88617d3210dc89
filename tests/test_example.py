"""The example trainer runs on a corpus as it is."""

import math
import subprocess
import sys
from pathlib import Path

from schemas.recipe import Recipe
from tests.flows.version_builds import build_here

ROOT = Path(__file__).resolve().parents[1]


def test_ten_steps_of_training(starter, tmp_path):
    recipe = Recipe.model_validate(
        {
            "name": "example",
            "streams": 2,
            "mixture": {"natural_hazard": 1},
            "splits": {"train": 1.0},
            "scene": {"duration_s": ["uniform", 12, 14]},
            "conditioning": "off",
        }
    )
    build_here(recipe, starter, tmp_path / "corpus")
    done = subprocess.run(
        [sys.executable, "examples/train_tiny.py", tmp_path / "corpus"],
        cwd=ROOT, env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    losses = [float(line.split()[-1]) for line in done.stdout.splitlines()]
    assert len(losses) == 10
    assert all(math.isfinite(loss) for loss in losses)
    assert min(losses[5:]) < losses[0]
