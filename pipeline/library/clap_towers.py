"""The two towers of a CLAP model (Wu et al., ICASSP 2023, arXiv 2211.06687), from either format of its weights.

A laion-clap `.pt` is loaded into laion-clap's own architecture, a folder with safetensors into that of transformers.
Neither way runs code from a file, asks a hub for what is not needed, or picks crops at random: both get windows of
exactly `WINDOW_S` seconds, so that equal weights give equal vectors.
"""

import importlib.util
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from types import ModuleType, SimpleNamespace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import BadInput, MissingDependency
from pipeline.library import checkpoints

RATE_HZ = 48_000
WINDOW_S = 10
WINDOW = WINDOW_S * RATE_HZ
MAX_TOKENS = 77
"""To which laion-clap cuts a text, and with which its models were trained."""
LAION_SUFFIXES = frozenset({".pt", ".pth", ".ckpt"})

_HTSAT = {96: "tiny", 128: "base", 256: "large"}
_STALE = "text_branch.embeddings.position_ids"
_TEXT = "text_branch."
_TOKENIZER = "roberta-base"


class Towers(Protocol):
    """A model in evaluation mode; vectors are not normalised yet."""

    @property
    def dimension(self) -> int: ...

    def audio(self, windows: Tensor) -> Tensor:
        """float32 samples at 48 kHz, (batch, `WINDOW`) -> (batch, dimension)."""
        ...

    def text(self, text: str) -> Tensor:
        """One text -> (dimension,)."""
        ...


def open_towers(checkpoint: Path, tokenizer: str | None, device: torch.device) -> Towers:
    """Load a file or folder that `checkpoints.find` found.

    Args:
        checkpoint: a laion-clap `.pt`, or a folder with config.json, safetensors and tokenizer files.
        tokenizer: folder or hub id of the RoBERTa tokenizer of a `.pt`; None looks beside the file, then for
            `roberta-base`.
        device: where the model runs.

    Raises:
        BadInput: no CLAP model of a known architecture, or its weights are not plain tensors.
    """
    if checkpoint.is_dir():
        return _TransformersTowers(checkpoint, device)
    if checkpoint.suffix not in LAION_SUFFIXES:
        raise BadInput(
            f"checkpoint {str(checkpoint)!r} is no CLAP model; give a laion-clap .pt file or a folder that "
            "transformers' save_pretrained wrote"
        )
    return _LaionTowers(checkpoint, tokenizer, device)


def weight_files(checkpoint: Path) -> list[Path]:
    """The files that determine the vectors of a checkpoint."""
    return checkpoints.weights(checkpoint) if checkpoint.is_dir() else [checkpoint]


class _TransformersTowers:
    def __init__(self, folder: Path, device: torch.device) -> None:
        from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

        checkpoints.weights(folder)
        config = json.loads((folder / "config.json").read_text("utf-8"))
        if config.get("model_type") != "clap":
            raise BadInput(
                f"checkpoint {str(folder)!r} has the model type {config.get('model_type')!r}; it must be 'clap'"
            )
        try:
            loaded: Any = ClapModel.from_pretrained(
                folder, use_safetensors=True, local_files_only=True, output_loading_info=True
            )
            self._features = ClapFeatureExtractor.from_pretrained(folder, local_files_only=True)
            self._tokenize = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise BadInput(
                f"checkpoint {str(folder)!r} cannot be loaded ({_one_line(error)}); fetch it again"
            ) from error
        model, found = loaded
        if found["missing_keys"]:  # which transformers would fill with noise
            first = min(found["missing_keys"])
            raise BadInput(f"checkpoint {str(folder)!r} lacks the weights {first!r}; fetch it again")
        if self._features.sampling_rate != RATE_HZ or self._features.nb_max_samples != WINDOW:
            raise BadInput(
                f"checkpoint {str(folder)!r} listens to {self._features.max_length_s} s at "
                f"{self._features.sampling_rate} Hz; only {WINDOW_S} s at {RATE_HZ} Hz is supported"
            )
        self._model = model.to(device).eval()
        self._device = device
        self.dimension = int(model.config.projection_dim)

    def audio(self, windows: Tensor) -> Tensor:
        features = self._features(list(windows.cpu().numpy()), sampling_rate=RATE_HZ, return_tensors="pt")
        # A fusion model's extractor marks a random window as longer than it is, which training wanted.
        shorter = torch.zeros_like(features["is_longer"])
        found = self._model.get_audio_features(features["input_features"].float().to(self._device), is_longer=shorter)
        return _pooled(found)

    def text(self, text: str) -> Tensor:
        tokens = self._tokenize(text, truncation=True, max_length=MAX_TOKENS, return_tensors="pt").to(self._device)
        return _pooled(
            self._model.get_text_features(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
        )[0]


def _pooled(output: Any) -> Tensor:
    return output if isinstance(output, Tensor) else output.pooler_output


class _LaionTowers:
    def __init__(self, path: Path, tokenizer: str | None, device: torch.device) -> None:
        state = _plain_tensors(path)
        module = clap_module()
        size, self._fused = _architecture(state, path)
        config = json.loads((_folder(module) / "model_configs" / f"HTSAT-{size}.json").read_text("utf-8"))
        self._audio = config["audio_cfg"]
        with _text_tower_of(state, module):
            model = module.model.CLAP(
                embed_dim=config["embed_dim"],
                audio_cfg=self._audio,
                text_cfg=config["text_cfg"] | {"model_type": "roberta"},
                joint_embed_shape=len(state["audio_projection.2.bias"]),
                enable_fusion=self._fused,
                fusion_type="aff_2d" if self._fused else "None",
            )
        try:
            model.load_state_dict(state)
        except RuntimeError as error:
            raise BadInput(
                f"checkpoint {str(path)!r} does not fit HTSAT-{size} with RoBERTa ({_one_line(error)}); "
                "use a laion-clap checkpoint of that architecture"
            ) from error
        self._model = model.to(device).eval()
        self._tokenize = _roberta_tokenizer(path, tokenizer)
        self._device = device
        self.dimension = int(model.joint_embed_shape)

    def audio(self, windows: Tensor) -> Tensor:
        sound = windows.to(self._device)
        given = {"waveform": sound, "longer": torch.zeros(len(sound), 1, dtype=torch.bool)}
        if self._fused:
            # A window is never longer than the model's own: the four views of a fusion model are the same.
            given["mel_fusion"] = self._mel(sound)[:, None].expand(-1, 4, -1, -1)
        return self._model.audio_projection(self._model.encode_audio(given, device=self._device)["embedding"])

    def text(self, text: str) -> Tensor:
        tokens = self._tokenize(text, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        return self._model.encode_text(tokens, device=self._device)[0]

    def _mel(self, sound: Tensor) -> Tensor:
        """Log-mel as laion-clap's fusion models were trained on, (batch, frames, bands)."""
        from torchaudio.transforms import AmplitudeToDB, MelSpectrogram

        audio = self._audio
        mel = MelSpectrogram(
            sample_rate=audio["sample_rate"],
            n_fft=audio["window_size"],
            win_length=audio["window_size"],
            hop_length=audio["hop_size"],
            n_mels=audio["mel_bins"],
            f_min=audio["fmin"],
            f_max=audio["fmax"],
        ).to(sound.device)
        return AmplitudeToDB(top_db=None)(mel(sound)).transpose(1, 2)


def _plain_tensors(path: Path) -> dict[str, Tensor]:
    """The state dict of a training checkpoint. Only tensors and numpy numbers are unpickled."""
    scalar: Any = np.float64(0).__reduce__()[0]
    kinds = [np.dtype, np.dtypes.Float64DType, np.dtypes.Float32DType, np.dtypes.Int64DType]
    numbers = [*((scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")), *kinds]
    try:
        with torch.serialization.safe_globals(numbers):
            content = torch.load(path, map_location="cpu", weights_only=True)
        found = content.get("state_dict", content)
        state = {key.removeprefix("module."): value for key, value in found.items()}
    except (UnpicklingError, RuntimeError, ValueError, EOFError, AttributeError, KeyError) as error:
        raise BadInput(
            f"checkpoint {str(path)!r} is no file of plain weights ({_one_line(error)}); nothing else is unpickled"
        ) from error
    state.pop(_STALE, None)
    return state


def _architecture(state: dict[str, Tensor], path: Path) -> tuple[str, bool]:
    """(size of HTSAT, whether it fuses views of long audio), read off the weights."""
    patches = state.get("audio_branch.patch_embed.proj.weight")
    words = state.get(_TEXT + "embeddings.word_embeddings.weight")
    if patches is None or words is None or len(patches) not in _HTSAT or "audio_projection.2.bias" not in state:
        raise BadInput(
            f"checkpoint {str(path)!r} is no laion-clap model of HTSAT and RoBERTa; "
            "others (PANN, BERT) are not supported"
        )
    return _HTSAT[len(patches)], any(key.startswith("audio_branch.patch_embed.fusion_model.") for key in state)


def clap_module() -> ModuleType:
    """laion-clap's model code. `import laion_clap` itself would ask the hub for three tokenizers, import loggers
    and trainers, and put its folders on sys.path."""
    if "clap_module" in sys.modules:
        return sys.modules["clap_module"]
    package = importlib.util.find_spec("laion_clap")
    if package is None or not package.submodule_search_locations:
        raise MissingDependency("a laion-clap checkpoint needs the package laion-clap; pip install 'laion-clap==1.1.7'")
    folder = Path(package.submodule_search_locations[0]) / "clap_module"
    spec = importlib.util.spec_from_file_location(
        "clap_module", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["clap_module"] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules["clap_module"]
        raise
    return module


def _folder(module: ModuleType) -> Path:
    assert module.__file__ is not None
    return Path(module.__file__).parent


@contextmanager
def _text_tower_of(state: dict[str, Tensor], module: ModuleType) -> Iterator[None]:
    """laion-clap fetches roberta-base only to overwrite its weights; here it is built from the weights' shapes."""
    from transformers import RobertaConfig, RobertaModel

    words = state[_TEXT + "embeddings.word_embeddings.weight"]
    layers = {key.split(".")[3] for key in state if key.startswith(_TEXT + "encoder.layer.")}
    config = RobertaConfig(
        vocab_size=len(words),
        hidden_size=words.shape[1],
        num_hidden_layers=len(layers),
        num_attention_heads=words.shape[1] // 64,
        intermediate_size=len(state[_TEXT + "encoder.layer.0.intermediate.dense.bias"]),
        max_position_embeddings=len(state[_TEXT + "embeddings.position_embeddings.weight"]),
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    )
    original = module.model.RobertaModel
    module.model.RobertaModel = SimpleNamespace(from_pretrained=lambda name: RobertaModel(config))
    try:
        yield
    finally:
        module.model.RobertaModel = original


def _roberta_tokenizer(checkpoint: Path, named: str | None) -> Any:
    from transformers import RobertaTokenizer

    beside = any((checkpoint.parent / name).is_file() for name in ("tokenizer.json", "vocab.json"))
    folder = checkpoints.find(named) if named else checkpoint.parent if beside else _default_tokenizer(checkpoint)
    try:
        return RobertaTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"tokenizer {str(folder)!r} cannot be loaded ({_one_line(error)}); fetch it again") from error


def _default_tokenizer(checkpoint: Path) -> Path:
    try:
        return checkpoints.find(_TOKENIZER)
    except BadInput as error:
        raise BadInput(
            f"checkpoint {str(checkpoint)!r} needs the tokenizer of {_TOKENIZER}: put its vocab.json, merges.txt and "
            f"tokenizer_config.json beside it, or give --tokenizer FOLDER ({error})"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
