"""Checkpoints for the streaming tests: the golden one, and a smaller one that needs nothing from outside."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipeline.streaming.checkpoint import Model, inspect, load


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def write_checkpoint(
    folder: Path, configs: Path, language: dict[str, torch.Tensor], tower: dict[str, torch.Tensor]
) -> Path:
    """A folder as the release has it: two shards with an index, a state dict, configurations, tokenizer."""
    shutil.copytree(configs, folder)
    folder.chmod(0o755)
    names = sorted(language)
    shards = {
        "model-00001-of-00002.safetensors": names[: len(names) // 2],
        "model-00002-of-00002.safetensors": names[len(names) // 2 :],
    }
    for file, held in shards.items():
        save_file({name: language[name] for name in held}, folder / file)
    weight_map = {name: file for file, held in shards.items() for name in held}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    torch.save(tower, folder / "tiny_ChunkwisedEncoder.pth")
    return folder


@pytest.fixture(scope="session")
def golden(shared: Path) -> Path:
    return shared / "golden"


@pytest.fixture(scope="session")
def golden_folder(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint that golden/recipe.json describes."""
    maker = _module(golden / "make_checkpoint.py")
    recipe = json.loads((golden / "recipe.json").read_text())
    language, tower = (
        {name: torch.from_numpy(values) for name, values in maker.tensors(recipe, which).items()}
        for which in ("lm", "tower")
    )
    return write_checkpoint(tmp_path_factory.mktemp("golden") / "model", golden / "checkpoint", language, tower)


@pytest.fixture(scope="session")
def golden_model(golden_folder: Path) -> Model:
    return load(inspect(golden_folder))


@pytest.fixture(scope="session")
def expected(golden: Path) -> Any:
    """`expected("stream_long_fit")`: one of the golden files."""

    def read(name: str) -> Any:
        file = golden / "expected" / name
        return np.load(file) if name.endswith(".npz") else json.loads(file.with_suffix(".json").read_text())

    return read


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
