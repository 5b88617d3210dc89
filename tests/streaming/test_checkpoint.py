"""Checkpoint folders: what is missing or wrong is said, and nothing in them is run."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from pipeline.errors import BadInput, MissingDependency
from pipeline.streaming.checkpoint import find, inspect, load
from pipeline.streaming.text import Text

SECOND = "model-00002-of-00002.safetensors"


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return shutil.copytree(tiny_folder, tmp_path / "model")


def edit(file: Path, **changes: Any) -> None:
    config = yaml.safe_load(file.read_text()) | changes
    file.write_text(yaml.safe_dump(config))


def test_one_file_instead_of_shards(folder: Path) -> None:
    shards = sorted(folder.glob("model-*.safetensors"))
    save_file({k: v for shard in shards for k, v in load_file(shard).items()}, folder / "model.safetensors")
    for file in (*shards, folder / "model.safetensors.index.json"):
        file.unlink()
    assert load(inspect(folder)).block_size == 4096


def test_memory_is_known_before_loading(folder: Path) -> None:
    checkpoint = inspect(folder)
    loaded = load(checkpoint)
    weights = sum(p.numel() * 4 for m in (loaded.decoder.model, loaded.encoder.tower) for p in m.parameters())
    weights += loaded.decoder.head.numel() * 4
    assert checkpoint.weights_bytes(torch.float32) == pytest.approx(weights, rel=0.01)
    cache = loaded.decoder.new_cache(4096).rows
    assert checkpoint.session_bytes(torch.float32) == cache.numel() * 4


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_other_precisions(folder: Path, dtype: str) -> None:
    model = load(inspect(folder), dtype=dtype)
    frames = model.encoder(torch.zeros(2, 128, 40))
    assert frames.shape == (2, 10, 16)
    assert frames.dtype == getattr(torch, dtype)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("model_config.yaml", "model_config.yaml' is missing; a checkpoint folder has"),
        ("model.safetensors.index.json", "has neither model.safetensors.index.json nor model.safetensors"),
        (SECOND, rf"lacks {SECOND}, which its index names"),
        ("tiny_ChunkwisedEncoder.pth", r"has \[\] for an audio encoder"),
        ("qwen25OmniConfig/config.json", "config.json' is missing"),
    ],
)
def test_missing_files(folder: Path, missing: str, message: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(BadInput, match=message):
        inspect(folder)


@pytest.mark.parametrize("missing", ["tokenizer.json", "tokenizer_config.json"])
def test_missing_tokenizer(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(BadInput, match=missing):
        load(inspect(folder))


def test_missing_and_unexpected_tensors_are_listed(folder: Path) -> None:
    tensors = load_file(folder / SECOND)
    tensors["extra.weight"] = tensors.pop("transformer.ln_f.weight")
    save_file(tensors, folder / SECOND)
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    del index["weight_map"]["transformer.ln_f.weight"]
    index["weight_map"]["extra.weight"] = SECOND
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BadInput, match=r"1 missing: transformer.ln_f.weight; 1 unexpected: extra.weight"):
        inspect(folder)


def test_wrong_shapes_are_listed(folder: Path) -> None:
    edit(folder / "model_config.yaml", padded_vocab_size=151_936)
    with pytest.raises(BadInput, match=r"2 of another shape: lm_head.weight is \[151680, 16\], not \[151936, 16\]"):
        inspect(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"norm_class_name": "LayerNorm"}, "norm_class_name = 'LayerNorm'"),
        ({"parallel_residual": True}, "parallel_residual = True"),
        ({"n_layer": 0}, "n_layer = 0"),
        ({"rope_condense_ratio": 2}, "rope_condense_ratio = 2"),
        ({"n_head": 3, "n_query_groups": 2}, "3 heads of 8 in 2 groups cannot be"),
        ({"head_size": 7}, "2 heads of 7 in 1 groups cannot be"),
    ],
)
def test_another_model_s_configuration(folder: Path, changes: dict[str, Any], message: str) -> None:
    edit(folder / "model_config.yaml", **changes)
    with pytest.raises(BadInput, match=message):
        inspect(folder)


def test_numbers_that_are_left_out_are_litgpt_s(folder: Path) -> None:
    edit(folder / "model_config.yaml", norm_eps=None, rope_base=None, block_size=None, head_size=None)
    config = yaml.safe_load((folder / "model_config.yaml").read_text())
    kept = {key: value for key, value in config.items() if value is not None}
    (folder / "model_config.yaml").write_text(yaml.safe_dump(kept))
    language = inspect(folder).language
    assert (language.norm_eps, language.rope_base, language.block_size, language.head) == (1e-5, 10_000, 4_096, 8)


def test_a_tower_of_another_shape(folder: Path) -> None:
    config = folder / "qwen25OmniConfig" / "config.json"
    nested = json.loads(config.read_text())
    nested["thinker_config"]["audio_config"]["max_source_positions"] = 19
    config.write_text(json.dumps(nested))
    with pytest.raises(BadInput, match="takes 128 bands and 19 positions, not 128 bands and at least 20"):
        load(inspect(folder))


@pytest.mark.parametrize(
    ("config", "generation", "text", "ids"),
    [
        ({"eos_token": {"content": "h"}}, None, "abhh", [0, 1, 7]),
        ({"eos_token": None}, {"eos_token_id": 7, "bos_token_id": 0}, "abh", [1]),
        ({}, {"eos_token_id": [6, 7]}, "abh", [0, 1, 7]),
        ({"bos_token": "c", "add_bos_token": True}, {"bos_token_id": 0}, "ab", [2, 0, 1]),
    ],
)
def test_begin_and_end_of_text(
    folder: Path, config: dict[str, Any], generation: dict[str, Any] | None, text: str, ids: list[int]
) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    assert Text.open(folder).encode(text) == ids


def test_an_index_that_points_elsewhere(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"lm_head.weight": "../../secret.safetensors"}}))
    with pytest.raises(BadInput, match="a shard lies beside its index"):
        inspect(folder)


class Bomb:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.file,))


def test_code_in_a_pickle_is_not_run(folder: Path, tmp_path: Path) -> None:
    (folder / "tiny_ChunkwisedEncoder.pth").write_bytes(pickle.dumps({"conv1.weight": Bomb(tmp_path / "ran")}))
    with pytest.raises(BadInput, match="no plain state dict of tensors"):
        load(inspect(folder))
    torch.save({"conv1.weight": Bomb(tmp_path / "ran")}, folder / "tiny_ChunkwisedEncoder.pth")
    with pytest.raises(BadInput, match="no plain state dict of tensors"):
        load(inspect(folder))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["model-00001-of-00002.safetensors", "tiny_ChunkwisedEncoder.pth"])
def test_damaged_files(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:500])
    with pytest.raises(BadInput, match=name.split(".")[0]):
        load(inspect(folder))


def test_devices_and_precisions_that_are_not_there(folder: Path) -> None:
    checkpoint = inspect(folder)
    for device in ("tpu", "xpu9x"):
        with pytest.raises(BadInput, match="use cpu, cuda"):
            load(checkpoint, device=device)
    if not torch.cuda.is_available():
        with pytest.raises(MissingDependency, match="'cuda' is not available"):
            load(checkpoint, device="cuda")
    with pytest.raises(BadInput, match="'int8' is none of float32"):
        load(checkpoint, dtype="int8")


def test_neither_folder_nor_hub_id(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no folder and no hub id"):
        find(str(tmp_path / "nowhere"))
    with pytest.raises(BadInput, match="the hub does not give it"):
        find("nobody/nothing")


def test_hub_ids_are_found_in_the_cache(tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = tmp_path / "models--somebody--tiny" / "snapshots" / ("0" * 40)
    shutil.copytree(tiny_folder, snapshot)
    (tmp_path / "models--somebody--tiny" / "refs").mkdir()
    (tmp_path / "models--somebody--tiny" / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert inspect(find("somebody/tiny")).language.block_size == 4096
