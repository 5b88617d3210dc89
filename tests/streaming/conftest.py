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
import yaml
from safetensors.torch import save_file
from tokenizers import Tokenizer, models
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniAudioEncoderConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder

from pipeline.streaming.checkpoint import Model, inspect, load
from pipeline.streaming.session import LISTENING, State
from schemas.protocol import CHUNK_SAMPLES, EMOTION_IDS, KEEP_SILENCE, TEXT_BEGIN, TEXT_END


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


WIDTH, LAYERS, INNER, HEADS, GROUPS = 16, 2, 24, 2, 1
WORDS = "abcdefgh"


def tiny_configs(folder: Path, *, layers: int = LAYERS) -> Path:
    """The files of a checkpoint folder that are no weights, for the smallest model that has the protocol's ids."""
    language = {
        "block_size": 4096, "n_layer": layers, "n_embd": WIDTH, "n_head": HEADS, "n_query_groups": GROUPS,
        "head_size": WIDTH // HEADS, "intermediate_size": INNER, "vocab_size": 151_650, "padded_vocab_size": 151_680,
        "attn_bias": True, "norm_eps": 1e-6, "rope_base": 1_000_000,
    }  # fmt: skip
    tower = {
        "num_mel_bins": 128, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 24, "d_model": WIDTH,
        "max_source_positions": 100, "n_window": 100, "output_dim": WIDTH,
    }  # fmt: skip
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(WORDS)}, merges=[]))
    (folder / "qwen25OmniConfig").mkdir(parents=True)
    (folder / "model_config.yaml").write_text(yaml.safe_dump(language))
    (folder / "qwen25OmniConfig" / "config.json").write_text(json.dumps({"thinker_config": {"audio_config": tower}}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": None}))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def tiny_weights(*, layers: int = LAYERS) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Random weights for `tiny_configs`, under the release's names."""
    rng = torch.Generator().manual_seed(1)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=rng) * (shape[-1] ** -0.5 if len(shape) > 1 else 0.3)

    language = {
        "lm_head.weight": normal(151_680, WIDTH),
        "transformer.wte.weight": normal(151_680, WIDTH),
        "transformer.ln_f.weight": 1 + normal(WIDTH),
    }
    for layer in range(layers):
        rows = (HEADS + 2 * GROUPS) * WIDTH // HEADS
        name = f"transformer.h.{layer}."
        language |= {
            name + "norm_1.weight": 1 + normal(WIDTH),
            name + "norm_2.weight": 1 + normal(WIDTH),
            name + "attn.qkv.weight": normal(rows, WIDTH),
            name + "attn.qkv.bias": normal(rows),
            name + "attn.proj.weight": normal(WIDTH, WIDTH),
            name + "mlp.fc_1.weight": normal(INNER, WIDTH),
            name + "mlp.fc_2.weight": normal(INNER, WIDTH),
            name + "mlp.proj.weight": normal(WIDTH, INNER),
        }
    config = Qwen2_5OmniAudioEncoderConfig(
        num_mel_bins=128, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=24, d_model=WIDTH,
        max_source_positions=100, n_window=100, output_dim=WIDTH,
    )  # fmt: skip
    tower = {
        key: normal(*value.shape) + (value.ndim == 1)
        for key, value in Qwen2_5OmniAudioEncoder(config).state_dict().items()
    }
    return language, tower


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiny")
    return write_checkpoint(root / "model", tiny_configs(root / "configs"), *tiny_weights())


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> Model:
    """A random model; it needs a `talk` to keep to the protocol."""
    return load(inspect(tiny_folder))


def talk(logits: torch.Tensor, state: State) -> int:
    """Of the tokens that may stand there one that the logits choose; a reply ends after 6 ids at most."""
    if state.phase == LISTENING:
        # Two logits that noise moves past one another: those of the control tokens are far apart at random.
        return TEXT_BEGIN if logits[8] > logits[5] else KEEP_SILENCE
    if len(state.reply) == 1:
        return max(EMOTION_IDS.values(), key=lambda token: float(logits[token]))
    if len(state.reply) > 5:
        return TEXT_END
    return max((*range(len(WORDS)), TEXT_END), key=lambda token: float(logits[token]))


def noise(chunks: int, seed: int = 0) -> np.ndarray:
    """Noise whose loudness changes from chunk to chunk: float32 [chunks, 6400]."""
    rng = np.random.default_rng(seed)
    loudness = 10 ** rng.uniform(-3, -0.5, (chunks, 1))
    return np.clip(loudness * rng.standard_normal((chunks, CHUNK_SAMPLES)), -1, 1).astype(np.float32)


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
