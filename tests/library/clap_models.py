"""CLAP models of the real architectures with random weights, in both formats, small enough for a test.

The audio tower is HTSAT as published; the text tower is RoBERTa cut to one layer and few words.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tokenizers import pre_tokenizers
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, RobertaConfig, RobertaModel, RobertaTokenizer

from pipeline.library.clap_towers import clap_module

_LAYERS = {"tiny": (96, [2, 2, 6, 2]), "base": (128, [2, 2, 12, 2]), "shallow": (96, [1, 1, 1, 1])}
"""`shallow` is the first without its depth, for what is not about the architecture; laion-clap has no such."""


def write_tokenizer(folder: Path) -> int:
    """RoBERTa's byte-level BPE with every byte and no merges; the number of tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "<mask>"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    RobertaTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt")).save_pretrained(folder)
    return len(tokens)


def write_transformers(folder: Path, *, size: str = "tiny", fused: bool = False, seed: int = 0) -> ClapModel:
    """A folder as `save_pretrained` leaves it."""
    width, depths = _LAYERS[size]
    vocabulary = write_tokenizer(folder)
    config = ClapConfig(
        text_config={"vocab_size": vocabulary, "num_hidden_layers": 1, "intermediate_size": 512},
        audio_config={
            "patch_embeds_hidden_size": width,
            "hidden_size": 8 * width,
            "depths": depths,
            "enable_fusion": fused,
            "fusion_type": "aff_2d" if fused else None,
        },
    )
    torch.manual_seed(seed)
    model = ClapModel(config).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            # As large as trained weights, so that a wrong layer would show.
            if value.ndim > 1:
                value.normal_(std=0.06)
            elif "bias" in name:
                value.normal_(std=0.02)
        for name, value in model.named_buffers():
            if name.endswith("running_mean"):
                value.normal_(std=3.0)
            elif name.endswith("running_var"):
                value.uniform_(50, 300)
    model.save_pretrained(folder, safe_serialization=True)
    ClapFeatureExtractor(
        truncation="fusion" if fused else "rand_trunc", frequency_min=50, frequency_max=14_000
    ).save_pretrained(folder)
    return model


def write_laion(path: Path, model: ClapModel, monkeypatch: pytest.MonkeyPatch, **extra: object) -> None:
    """The same weights as laion-clap's trainer saves them, tokenizer files beside them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tokenizer(path.parent)
    state = _untrained(model, monkeypatch).state_dict()
    renamed = to_laion(model.state_dict())
    assert renamed.keys() <= state.keys()
    state = {f"module.{key}": value for key, value in (state | renamed).items()}
    state["module.text_branch.embeddings.position_ids"] = torch.arange(514)[None]
    torch.save({"epoch": 1, "name": "tiny", "state_dict": state, **extra}, path)


def _untrained(model: ClapModel, monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """laion-clap's own module of the same architecture."""
    module: Any = clap_module()
    config: Any = model.config
    audio, text = config.audio_config, config.text_config
    size = {96: "tiny", 128: "base"}[audio.patch_embeds_hidden_size]
    shape = json.loads((Path(module.__path__[0]) / "model_configs" / f"HTSAT-{size}.json").read_text())
    shape["text_cfg"]["model_type"] = "roberta"
    roberta = RobertaModel(
        RobertaConfig(
            vocab_size=text.vocab_size,
            num_hidden_layers=text.num_hidden_layers,
            intermediate_size=text.intermediate_size,
            max_position_embeddings=text.max_position_embeddings,
            type_vocab_size=1,
        )
    )
    monkeypatch.setattr(module.model, "RobertaModel", SimpleNamespace(from_pretrained=lambda name: roberta))
    fused = audio.enable_fusion
    made = module.model.CLAP(**shape, enable_fusion=fused, fusion_type="aff_2d" if fused else "None")
    monkeypatch.undo()
    return made


def to_laion(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state dict of transformers under laion-clap's names."""
    renamed: dict[str, torch.Tensor] = {}
    joined: set[str] = set()
    for key, value in state.items():
        if key.endswith(("position_ids", "token_type_ids")):
            continue
        name = key
        for old, new in _AUDIO if key.startswith("audio_model.") else _OTHER:
            name = name.replace(old, new)
        if ".attn.qkv." in name:
            joined.add(name)
        else:
            renamed[name] = value
    return renamed | {name: torch.cat(_query_key_value(name, state)) for name in joined}


def _query_key_value(laion: str, state: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
    layer, kind = laion.removeprefix("audio_branch.").split(".attn.qkv.")
    return [
        state[f"audio_model.audio_encoder.{layer}.attention.self.{part}.{kind}"] for part in ("query", "key", "value")
    ]


_AUDIO = (
    ("audio_model.audio_encoder.", "audio_branch."),
    (".batch_norm.", ".bn0."),
    ("layernorm_before", "norm1"),
    ("layernorm_after", "norm2"),
    ("attention.self.relative_position", "attn.relative_position"),
    ("attention.self.query", "attn.qkv"),
    ("attention.self.key", "attn.qkv"),
    ("attention.self.value", "attn.qkv"),
    ("attention.output.dense", "attn.proj"),
    ("intermediate.dense", "mlp.fc1"),
    ("output.dense", "mlp.fc2"),
)
_OTHER = (
    ("text_model.", "text_branch."),
    ("projection.linear1", "projection.0"),
    ("projection.linear2", "projection.2"),
)
