"""The released checkpoint folder, as it is: sharded safetensors, the tower's state dict, configurations, tokenizer.

Nothing in it is run: tensors come from safetensors or from `torch.load(weights_only=True)`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers.models.qwen2.configuration_qwen2 import Qwen2Config
from transformers.models.qwen2.modeling_qwen2 import Qwen2Model, Qwen2RotaryEmbedding
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniAudioEncoderConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import (
    Qwen2_5OmniAudioEncoder,
    SinusoidsPositionEmbedding,
)

from pipeline.config import explain
from pipeline.errors import BadInput, MissingDependency
from pipeline.streaming.decoder import Decoder
from pipeline.streaming.encoder import Encoder
from pipeline.streaming.text import Text
from schemas.protocol import MAX_POSITIONS

WANTED = (
    "a checkpoint folder has model-*.safetensors with model.safetensors.index.json (or one model.safetensors), "
    "model_config.yaml, tokenizer.json, one *ChunkwisedEncoder.pth and qwen25OmniConfig/config.json"
)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
MAX_CONFIG_BYTES = 1_000_000
NAMES_SHOWN = 8

Positive = Annotated[int, Field(ge=1)]


class LanguageConfig(BaseModel):
    """What of model_config.yaml (litgpt's) decides the arithmetic. Other values than these are another model.

    Numbers that a file leaves out are litgpt's own.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    block_size: Positive = 4_096
    n_layer: Positive
    n_embd: Positive
    n_head: Positive
    n_query_groups: Positive | None = None
    intermediate_size: Positive
    vocab_size: Positive
    padding_multiple: Positive = 512
    padded_vocab_size: Positive | None = None
    head_size: Positive | None = None
    norm_eps: Annotated[float, Field(gt=0)] = 1e-5
    rope_base: Annotated[float, Field(gt=0)] = 10_000
    attn_bias: Literal[True] = True
    bias: Literal[False] = False
    lm_head_bias: Literal[False] = False
    norm_class_name: Literal["RMSNorm"] = "RMSNorm"
    mlp_class_name: Literal["LLaMAMLP"] = "LLaMAMLP"
    norm_qk: Literal[False] = False
    parallel_residual: Literal[False] = False
    post_attention_norm: Literal[False] = False
    post_mlp_norm: Literal[False] = False
    scale_embeddings: Literal[False] = False
    rotary_percentage: Literal[1] = 1
    rope_condense_ratio: Literal[1] = 1
    rope_adjustments: None = None
    sliding_window_size: None = None
    attention_scores_scalar: None = None
    attention_logit_softcapping: None = None
    final_logit_softcapping: None = None

    @property
    def vocabulary(self) -> int:
        return self.padded_vocab_size or -(-self.vocab_size // self.padding_multiple) * self.padding_multiple

    @property
    def head(self) -> int:
        return self.head_size or self.n_embd // self.n_head

    @property
    def groups(self) -> int:
        return self.n_query_groups or self.n_head

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor of the language model, as the release names it."""
        width, inner, heads = self.n_embd, self.intermediate_size, self.n_head * self.head
        rows = heads + 2 * self.groups * self.head
        shapes: dict[str, tuple[int, ...]] = {
            "lm_head.weight": (self.vocabulary, width),
            "transformer.wte.weight": (self.vocabulary, width),
            "transformer.ln_f.weight": (width,),
        }
        for layer in range(self.n_layer):
            shapes |= {
                f"transformer.h.{layer}.norm_1.weight": (width,),
                f"transformer.h.{layer}.attn.qkv.weight": (rows, width),
                f"transformer.h.{layer}.attn.qkv.bias": (rows,),
                f"transformer.h.{layer}.attn.proj.weight": (width, heads),
                f"transformer.h.{layer}.norm_2.weight": (width,),
                f"transformer.h.{layer}.mlp.fc_1.weight": (inner, width),
                f"transformer.h.{layer}.mlp.fc_2.weight": (inner, width),
                f"transformer.h.{layer}.mlp.proj.weight": (width, inner),
            }
        return shapes

    def qwen2(self) -> Qwen2Config:
        return Qwen2Config(
            vocab_size=self.vocabulary,
            hidden_size=self.n_embd,
            intermediate_size=self.intermediate_size,
            num_hidden_layers=self.n_layer,
            num_attention_heads=self.n_head,
            num_key_value_heads=self.groups,
            head_dim=self.head,  # pyright: ignore[reportCallIssue]
            rms_norm_eps=self.norm_eps,
            max_position_embeddings=self.block_size,
            rope_parameters={"rope_type": "default", "rope_theta": float(self.rope_base)},
        )


@dataclass(frozen=True, slots=True)
class Model:
    """Everything a session needs of a checkpoint."""

    encoder: Encoder
    decoder: Decoder
    text: Text
    block_size: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder that was looked at and not loaded."""

    folder: Path
    language: LanguageConfig
    tower: dict[str, Any]
    shards: dict[str, Path]
    """Tensor name -> file."""
    tower_file: Path

    def weights_bytes(self, dtype: torch.dtype) -> int:
        """Memory of the weights once loaded."""
        parameters = sum(torch.Size(shape).numel() for shape in self.language.shapes().values())
        return parameters * dtype.itemsize + self.tower_file.stat().st_size * dtype.itemsize // 4

    def session_bytes(self, dtype: torch.dtype, positions: int | None = None) -> int:
        """Memory of one session's keys and values with `positions` (those of a session by default) all used."""
        config = self.language
        rows = config.n_layer * 2 * config.groups * (positions or min(config.block_size, MAX_POSITIONS))
        return rows * config.head * dtype.itemsize

    @property
    def system_prompt(self) -> str | None:
        """What `system_prompt.txt` beside the weights says."""
        file = self.folder / "system_prompt.txt"
        return _small(file).strip() if file.is_file() else None


def find(name: str) -> Path:
    """The folder of a checkpoint: a path, or `owner/name` on the Hugging Face hub, fetched into its cache.

    Raises:
        BadInput: neither.
    """
    folder = Path(name)
    if folder.is_dir():
        return folder
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise BadInput(f"checkpoint {name!r} is no folder and no hub id (owner/name); {WANTED}")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    patterns = ["*.safetensors", "*.json", "*.yaml", "*ChunkwisedEncoder.pth", "*.txt", "qwen25OmniConfig/*"]
    try:
        return Path(snapshot_download(name, allow_patterns=patterns))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f"checkpoint {name!r} is no folder and the hub does not give it ({reason}); {WANTED}") from error


def inspect(folder: Path) -> Checkpoint:
    """Read the configurations and the names and shapes of all tensors, and load nothing.

    Raises:
        BadInput: a file is missing or unreadable, tensors are missing, unexpected or of another shape, or the
            configuration is another model's; the message lists them.
    """
    config_file = folder / "model_config.yaml"
    try:
        raw = yaml.safe_load(_small(config_file))
        language = LanguageConfig.model_validate(raw)
    except yaml.YAMLError as error:
        raise BadInput(f"{str(config_file)!r} is no YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise BadInput(f"{str(config_file)!r}: {explain(error, LanguageConfig)}") from error
    if language.n_head % language.groups or language.head % 2:
        raise BadInput(
            f"{str(config_file)!r}: {language.n_head} heads of {language.head} in {language.groups} groups cannot be; "
            "groups must divide the heads, and a head's size must be even"
        )
    tower_files = sorted(folder.glob("*ChunkwisedEncoder.pth"))
    if len(tower_files) != 1:
        found = [file.name for file in tower_files]
        raise BadInput(
            f"{str(folder)!r} has {found!r} for an audio encoder; exactly one *ChunkwisedEncoder.pth is needed"
        )
    tower = _json(folder / "qwen25OmniConfig" / "config.json").get("thinker_config", {}).get("audio_config")
    if not isinstance(tower, dict):
        raise BadInput(f"qwen25OmniConfig/config.json in {str(folder)!r} lacks thinker_config.audio_config")
    if tower.get("output_dim") != language.n_embd:
        raise BadInput(
            f"the audio tower gives {tower.get('output_dim')!r} values a frame and the language model takes "
            f"{language.n_embd!r}; take both from one release"
        )
    shards = _shards(folder)
    _compare("the language model", _shapes(shards), language.shapes())
    return Checkpoint(folder, language, tower, shards, tower_files[0])


def load(checkpoint: Checkpoint, *, dtype: str = "float32", device: str = "cpu", compiled: bool = False) -> Model:
    """Load a checkpoint.

    Args:
        dtype: float32 (exact), bfloat16 or float16.
        device: cpu, cuda, cuda:N or mps.
        compiled: run both networks through `torch.compile`.

    Raises:
        BadInput: an unknown dtype or device, or a tower file that does not fit.
    """
    if dtype not in DTYPES:
        raise BadInput(f"dtype {dtype!r} is none of {', '.join(DTYPES)}")
    place = _device(device)
    decoder = _decoder(checkpoint, DTYPES[dtype], place)
    tower = _tower(checkpoint, DTYPES[dtype], place)
    if compiled:
        decoder.model.compile(dynamic=True)
        tower.compile(dynamic=True)
    text = Text.open(checkpoint.folder)
    return Model(Encoder(tower), decoder, text, checkpoint.language.block_size)


def load_encoder(checkpoint: Checkpoint, *, device: str = "cpu") -> Encoder:
    """The audio tower alone, in float32.

    Raises:
        BadInput: an unknown device, or a tower file that does not fit.
    """
    return Encoder(_tower(checkpoint, torch.float32, _device(device)))


def _decoder(checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device) -> Decoder:
    language = checkpoint.language
    config = language.qwen2()
    with torch.device("meta"):
        model = Qwen2Model(config)
    state: dict[str, Tensor] = {}
    for file in sorted(set(checkpoint.shards.values())):
        with safe_open(file, framework="pt", device="cpu") as tensors:
            for name in (n for n, f in checkpoint.shards.items() if f == file):
                state |= renamed(name, tensors.get_tensor(name).to(device, dtype), language)
    head = state.pop("lm_head.weight")
    model.load_state_dict(state, assign=True)
    # The angles are no part of a state dict, and were made without memory.
    model.rotary_emb = Qwen2RotaryEmbedding(config).to(device)
    return Decoder(model.eval().requires_grad_(False), head)


def renamed(name: str, tensor: Tensor, language: LanguageConfig) -> dict[str, Tensor]:
    """One tensor of the release under the name, or the three names, that transformers has for it."""
    if name == "lm_head.weight":
        return {name: tensor}
    plain = {"transformer.wte.weight": "embed_tokens.weight", "transformer.ln_f.weight": "norm.weight"}
    if name in plain:
        return {plain[name]: tensor}
    layer, part = name.removeprefix("transformer.h.").split(".", 1)
    if part.startswith("attn.qkv."):
        kind = part.removeprefix("attn.qkv.")
        rows = [language.n_head * language.head, *[language.groups * language.head] * 2]
        split = zip("qkv", tensor.split(rows), strict=True)
        return {f"layers.{layer}.self_attn.{letter}_proj.{kind}": rows.contiguous() for letter, rows in split}
    parts = {
        "norm_1.weight": "input_layernorm.weight",
        "norm_2.weight": "post_attention_layernorm.weight",
        "attn.proj.weight": "self_attn.o_proj.weight",
        "mlp.fc_1.weight": "mlp.gate_proj.weight",
        "mlp.fc_2.weight": "mlp.up_proj.weight",
        "mlp.proj.weight": "mlp.down_proj.weight",
    }
    return {f"layers.{layer}.{parts[part]}": tensor}


def _tower(checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device) -> Qwen2_5OmniAudioEncoder:
    file = checkpoint.tower_file
    known = {key: value for key, value in checkpoint.tower.items() if key != "model_type"}
    try:
        config = Qwen2_5OmniAudioEncoderConfig(**known)
        with torch.device("meta"):
            tower = Qwen2_5OmniAudioEncoder(config)
    except (TypeError, ValueError) as error:
        raise BadInput(f"qwen25OmniConfig/config.json describes no audio tower: {error}") from error
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises pickle's, zip's and its own errors for a damaged or unsafe file
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BadInput(
            f"{str(file)!r} is no plain state dict of tensors ({reason}); fetch the release's file"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise BadInput(f"{str(file)!r} holds no plain state dict of tensors; fetch the release's file")
    wanted = {name: tuple(tensor.shape) for name, tensor in tower.state_dict().items()}
    _compare("the audio tower", {name: tuple(tensor.shape) for name, tensor in state.items()}, wanted)
    tower.load_state_dict({name: tensor.to(device, dtype) for name, tensor in state.items()}, assign=True)
    tower.positional_embedding = SinusoidsPositionEmbedding(config.max_source_positions, config.d_model).to(device)
    return tower.eval().requires_grad_(False)


def _shards(folder: Path) -> dict[str, Path]:
    index, single = folder / "model.safetensors.index.json", folder / "model.safetensors"
    if index.is_file():
        names = _json(index).get("weight_map")
        if not isinstance(names, dict) or not all(isinstance(file, str) for file in names.values()):
            raise BadInput(f"{str(index)!r} lacks weight_map, a mapping of tensor names to files")
        outside = sorted({file for file in names.values() if Path(file).name != file})
        if outside:
            raise BadInput(f"{str(index)!r} names {outside[0]!r}; a shard lies beside its index")
        missing = sorted({file for file in names.values() if not (folder / file).is_file()})
        if missing:
            raise BadInput(f"{str(folder)!r} lacks {_listed(missing)}, which its index names; fetch them")
        return {name: folder / file for name, file in names.items()}
    if single.is_file():
        with _opened(single) as tensors:
            return dict.fromkeys(tensors.keys(), single)
    raise BadInput(f"{str(folder)!r} has neither {index.name} nor {single.name}; {WANTED}")


def _shapes(shards: dict[str, Path]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for file in sorted(set(shards.values())):
        with _opened(file) as tensors:
            held = set(tensors.keys())
            for name in (n for n, f in shards.items() if f == file):
                if name not in held:
                    raise BadInput(f"{file.name!r} lacks {name!r}, which the index says it holds; fetch both again")
                shapes[name] = tuple(tensors.get_slice(name).get_shape())
    return shapes


def _opened(file: Path) -> Any:
    try:
        return safe_open(file, framework="pt", device="cpu")
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{str(file)!r} is no safetensors file ({error}); fetch it again") from error


def _compare(what: str, found: dict[str, tuple[int, ...]], wanted: dict[str, tuple[int, ...]]) -> None:
    missing, unexpected = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    wrong = [
        f"{name} is {list(found[name])}, not {list(shape)}"
        for name, shape in wanted.items()
        if name in found and found[name] != shape
    ]
    faults = [
        f"{len(names)} {kind}: {_listed(names)}"
        for kind, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", wrong))
        if names
    ]
    if faults:
        raise BadInput(f"the tensors of {what} do not fit its configuration; {'; '.join(faults)}")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BadInput(f"device {name!r} is unknown; use cpu, cuda, cuda:N or mps") from error
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device.type not in available:
        raise BadInput(f"device {name!r} is unknown; use cpu, cuda, cuda:N or mps")
    if not available[device.type]:
        raise MissingDependency(f"device {name!r} is not available here; use cpu (`streamaudio doctor` shows GPUs)")
    return device


def _small(file: Path) -> str:
    if not file.is_file():
        raise BadInput(f"{str(file)!r} is missing; {WANTED}")
    if file.stat().st_size > MAX_CONFIG_BYTES:
        raise BadInput(f"{str(file)!r} has {file.stat().st_size} bytes; at most {MAX_CONFIG_BYTES} are read")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{str(file)!r} is no UTF-8 text; fetch it again") from error


def _json(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(_small(file))
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadInput(f"{str(file)!r} is no JSON: {error}") from error
    if not isinstance(data, dict):
        raise BadInput(f"{str(file)!r} holds {type(data).__name__}; it must be a mapping")
    return data
