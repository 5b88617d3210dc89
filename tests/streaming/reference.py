"""The released model's arithmetic and session once more, in plain NumPy, from its description alone: all that was heard
is encoded again for every frame, all keys are kept, float64. And checkpoints of many shapes that keep to the protocol
when decoded greedily, so that the two can be compared token for token."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from safetensors.torch import save_file
from scipy.special import erf
from tokenizers import Tokenizer, models

Array = NDArray[np.floating[Any]]

TEXT_END, TEXT_BEGIN, KEEP_SILENCE, ASSISTANT = 151_643, 151_644, 151_605, 151_602
PREFIX, CHUNK = (151_609, 151_611, 151_644, 151_644), (151_647, *[151_608] * 10, 151_602)
EMOTIONS = tuple(range(151_614, 151_620))
STAGES = [(k, k + 4, 1_000 + k) for k in range(4)]
"""Words that may stand first, second ... in a reply; 0 to 7 are the tokenizer's letters."""
SPOKEN = [KEEP_SILENCE, TEXT_BEGIN, TEXT_END, *EMOTIONS, *(word for words in STAGES for word in words)]
FLAGS = 3 + len(STAGES)
"""Dimensions of the residual stream that say what the newest token was; nothing in the network writes them."""
LETTERS = "abcdefgh"


@dataclass(frozen=True)
class Recipe:
    """A checkpoint's shape. `stored`: dtype of the decoder's tensors in their files."""

    width: int
    layers: int
    heads: int
    groups: int
    head_size: int
    inner: int
    rope_base: float
    eps: float
    block_size: int = 4_096
    padded: int | None = 151_680
    shards: int = 1
    stored: torch.dtype = torch.float32
    tower_width: int = 16
    tower_layers: int = 1
    tower_heads: int = 2
    n_window: int = 100
    positions: int = 1_500
    seed: int = 0
    speaks: float = 0.5
    """About this share of chunks is answered."""


class Reference:
    """The model of a recipe."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        rng = np.random.default_rng(recipe.seed)
        self.lm, self.tower = _decoder_weights(recipe, rng), _tower_weights(recipe, rng)
        self._settle_on_both_answers(rng)

    # --- audio -------------------------------------------------------------------------------------------------------

    def frames(self, samples: Array) -> Array:
        """Features [chunks, 10, width] of whole chunks of samples, clamped at their own maximum."""
        mel = log_mel(samples)
        return np.stack([self._block(mel[:, start : start + 40]) for start in range(0, mel.shape[1], 40)])

    def newest(self, history: Array) -> Array:
        """Features [10, width] of the last chunk, after hearing all of `history`."""
        return self._block(log_mel(history)[:, -40:])

    def _block(self, mel: Array) -> Array:
        size = 2 * self.recipe.n_window
        hidden = np.concatenate([self._encoded(mel[:, start : start + size]) for start in range(0, 40, size)])
        pooled = (hidden[0::2] + hidden[1::2]) / 2
        w = self.tower
        normed = layer_norm(pooled, w["ln_post.weight"], w["ln_post.bias"])
        return normed @ w["proj.weight"].T + w["proj.bias"]

    def _encoded(self, mel: Array) -> Array:
        w, r = self.tower, self.recipe
        x = gelu(convolved(mel, w["conv1.weight"], w["conv1.bias"], stride=1))
        x = gelu(convolved(x, w["conv2.weight"], w["conv2.bias"], stride=2)).T
        half = r.tower_width // 2
        angles = np.outer(np.arange(len(x)), np.exp(-np.log(10_000) / (half - 1) * np.arange(half)))
        x = x + np.concatenate((np.sin(angles), np.cos(angles)), axis=1)
        size = r.tower_width // r.tower_heads
        for n in range(r.tower_layers):
            name = f"layers.{n}."
            h = layer_norm(x, w[name + "self_attn_layer_norm.weight"], w[name + "self_attn_layer_norm.bias"])
            q = h @ w[name + "self_attn.q_proj.weight"].T + w[name + "self_attn.q_proj.bias"]
            k = h @ w[name + "self_attn.k_proj.weight"].T
            v = h @ w[name + "self_attn.v_proj.weight"].T + w[name + "self_attn.v_proj.bias"]
            heads = []
            for i in range(r.tower_heads):
                part = slice(i * size, (i + 1) * size)
                heads.append(softmax(q[:, part] @ k[:, part].T / np.sqrt(size)) @ v[:, part])
            x = x + np.concatenate(heads, axis=1) @ w[name + "self_attn.out_proj.weight"].T
            x = x + w[name + "self_attn.out_proj.bias"]
            h = layer_norm(x, w[name + "final_layer_norm.weight"], w[name + "final_layer_norm.bias"])
            h = gelu(h @ w[name + "fc1.weight"].T + w[name + "fc1.bias"])
            x = x + h @ w[name + "fc2.weight"].T + w[name + "fc2.bias"]
        return x

    # --- decoder -----------------------------------------------------------------------------------------------------

    def begin(self) -> list[tuple[list[Array], list[Array]]]:
        """Keys and values per layer, none yet."""
        return [([], []) for _ in range(self.recipe.layers)]

    def feed(self, x: Array, first: int, past: list[tuple[list[Array], list[Array]]]) -> Array:
        """Hidden state behind the last of the embeddings `x`, which stand at positions from `first` on."""
        r, w = self.recipe, self.lm
        size = r.head_size
        positions = np.arange(first, first + len(x)).astype(np.float16).astype(np.float64)
        theta = 1.0 / r.rope_base ** (np.arange(0, size, 2) / size)
        angles = np.tile(np.outer(positions, theta), 2)

        def turned(h: Array) -> Array:
            swapped = np.concatenate((-h[:, size // 2 :], h[:, : size // 2]), axis=1)
            return h * np.cos(angles) + swapped * np.sin(angles)

        hidden_from = np.arange(first + len(x)) > np.arange(first, first + len(x))[:, None]
        for n, (keys, values) in enumerate(past):
            name = f"transformer.h.{n}."
            qkv = rms_norm(x, w[name + "norm_1.weight"], r.eps) @ w[name + "attn.qkv.weight"].T
            qkv = qkv + w[name + "attn.qkv.bias"]
            q, k, v = np.split(qkv, [r.heads * size, (r.heads + r.groups) * size], axis=1)
            keys.append(np.stack([turned(part) for part in np.split(k, r.groups, axis=1)]))
            values.append(np.stack(np.split(v, r.groups, axis=1)))
            every_key, every_value = np.concatenate(keys, axis=1), np.concatenate(values, axis=1)
            keys[:], values[:] = [every_key], [every_value]
            heads = []
            for i, part in enumerate(np.split(q, r.heads, axis=1)):
                group = i // (r.heads // r.groups)
                scores = turned(part) @ every_key[group].T / np.sqrt(size)
                heads.append(softmax(np.where(hidden_from, -np.inf, scores)) @ every_value[group])
            x = x + np.concatenate(heads, axis=1) @ w[name + "attn.proj.weight"].T
            h = rms_norm(x, w[name + "norm_2.weight"], r.eps)
            gate = h @ w[name + "mlp.fc_1.weight"].T
            x = x + (gate / (1 + np.exp(-gate)) * (h @ w[name + "mlp.fc_2.weight"].T)) @ w[name + "mlp.proj.weight"].T
        return rms_norm(x[-1], w["transformer.ln_f.weight"], r.eps)

    def embedded(self, ids: Sequence[int], frames: Array | None = None) -> Array:
        """Embeddings of `ids`; `frames` [10, width] replace those before the last id."""
        x = self.lm["transformer.wte.weight"][list(ids)].astype(np.float64)
        if frames is not None:
            x[-11:-1] = frames
        return x

    def drawn(self, hidden: Array) -> int:
        """The most probable token; of all others than these the weights are next to nothing."""
        return SPOKEN[int(np.argmax(self.lm["lm_head.weight"][SPOKEN] @ hidden))]

    # --- session -----------------------------------------------------------------------------------------------------

    def session(
        self, files: list[Array], prompt: str, *, online: bool, gap_s: float, budget: int = 4_096
    ) -> Iterator[tuple[int, bool, list[int], int]]:
        """Per chunk that is read: file, whether it is the silence after it, ids drawn, position of the last forward.
        Ends where a forward would need a position that the model does not have."""
        prefix = [*PREFIX, *map(LETTERS.index, prompt), TEXT_END]
        before, position, past, history = prefix, 0, self.begin(), np.zeros(0)
        for index, gap in ((i, gap) for i in range(len(files)) for gap in (False, True)):
            samples = np.zeros(int(gap_s * 16_000)) if gap else files[index]
            samples = np.pad(samples, (0, -len(samples) % 6_400))
            chunks = samples.reshape(-1, 6_400)
            whole = None if online or not len(chunks) else self.frames(samples)
            forwards = budget - (1 if position else len(prefix))
            for n, chunk in enumerate(chunks):
                if forwards <= 0:
                    break
                history = np.concatenate((history, chunk))
                frames = self.newest(history) if whole is None else whole[n]
                x, drawn = self.embedded([*before, *CHUNK], frames), list[int]()
                while True:
                    if position + len(x) > self.recipe.block_size:
                        if drawn:
                            yield index, gap, drawn, position - 1
                        return
                    hidden = self.feed(x, position, past)
                    position, forwards = position + len(x), forwards - 1
                    drawn.append(self.drawn(hidden))
                    x = self.embedded(drawn[-1:])
                    if drawn[-1] in (KEEP_SILENCE, TEXT_END) or forwards <= 0:
                        break
                before = drawn[-1:]
                yield index, gap, drawn, position - 1

    # --- files -------------------------------------------------------------------------------------------------------

    def write(self, folder: Path) -> Path:
        """The folder, as the release has it."""
        r = self.recipe
        language = {
            "name": "tiny", "hf_config": {}, "block_size": r.block_size, "n_layer": r.layers, "n_embd": r.width,
            "vocab_size": 151_643, "padding_multiple": 64, "padded_vocab_size": r.padded, "norm_class_name": "RMSNorm",
            "norm_eps": r.eps, "parallel_residual": False, "n_head": r.heads, "head_size": r.head_size,
            "n_query_groups": r.groups, "attn_bias": True, "rope_base": r.rope_base, "rotary_percentage": 1.0,
            "intermediate_size": r.inner, "bias": False, "mlp_class_name": "LLaMAMLP",
        }  # fmt: skip
        tower = {
            "num_mel_bins": 128, "d_model": r.tower_width, "encoder_layers": r.tower_layers,
            "encoder_attention_heads": r.tower_heads, "encoder_ffn_dim": 2 * r.tower_width, "n_window": r.n_window,
            "max_source_positions": r.positions, "output_dim": r.width,
        }  # fmt: skip
        (folder / "qwen25OmniConfig").mkdir(parents=True)
        (folder / "model_config.yaml").write_text(yaml.safe_dump(language))
        nested = {"thinker_config": {"audio_config": tower}}
        (folder / "qwen25OmniConfig" / "config.json").write_text(json.dumps(nested))
        (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": None, "bos_token": None}))
        letters = {letter: i for i, letter in enumerate(LETTERS)}
        Tokenizer(models.BPE(vocab=letters, merges=[])).save(str(folder / "tokenizer.json"))
        weight_map = {}
        for n in range(r.shards):
            file = f"model-{n + 1:05d}-of-{r.shards:05d}.safetensors"
            held = {k: torch.from_numpy(self.lm[k]).to(r.stored) for k in sorted(self.lm)[n :: r.shards]}
            save_file(held, folder / file)
            weight_map |= dict.fromkeys(held, file)
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
        state = {name: torch.from_numpy(values) for name, values in self.tower.items()}
        torch.save(state, folder / "any_ChunkwisedEncoder.pth")
        return folder

    def _settle_on_both_answers(self, rng: np.random.Generator) -> None:
        """Weigh TEXT_BEGIN so that both control tokens are drawn."""
        past, position, before, gains = self.begin(), 0, [*PREFIX, 0, 1, TEXT_END], []
        loudness = 10 ** rng.uniform(-3, -0.5, (16, 1))
        frames = self.frames((loudness * rng.standard_normal((16, 6_400))).ravel())
        head = self.lm["lm_head.weight"]
        for block in frames:
            x = self.embedded([*before, *CHUNK], block)
            hidden = self.feed(x, position, past)
            position, before = position + len(x), [KEEP_SILENCE]
            gains.append(float((head[TEXT_BEGIN] - head[KEEP_SILENCE]) @ hidden / hidden[0]))
        head[TEXT_BEGIN, 0] -= np.quantile(gains, 1 - self.recipe.speaks)
        head[TEXT_BEGIN] = _stored(head[TEXT_BEGIN], self.recipe.stored)


def log_mel(samples: Array) -> Array:
    """Whisper's, of whole chunks: [128, columns]."""
    padded = np.pad(samples, 200, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    columns = np.lib.stride_tricks.sliding_window_view(padded, 400)[: 160 * (len(samples) // 160) : 160]
    mel = slaney() @ (np.abs(np.fft.rfft(columns * window)) ** 2).T
    mel = np.log10(np.maximum(mel, 1e-10))
    return (np.maximum(mel, mel.max() - 8) + 4) / 4


def slaney() -> Array:
    """128 triangles of equal area between 0 and 8 kHz, linear below 1 kHz, logarithmic above."""

    def hertz(mel: Array) -> Array:
        return np.where(mel < 15, mel * 200 / 3, 1_000 * np.exp(np.log(6.4) / 27 * (mel - 15)))

    highest = 15 + np.log(8) / (np.log(6.4) / 27)
    edges = hertz(np.linspace(0, highest, 130))
    bins = np.arange(201) * 40.0
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]


def convolved(x: Array, weight: Array, bias: Array, *, stride: int) -> Array:
    padded = np.pad(x, ((0, 0), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=1)[:, ::stride]
    return np.einsum("oik,itk->ot", weight, windows) + bias[:, None]


def gelu(x: Array) -> Array:
    return x * 0.5 * (1 + erf(x / np.sqrt(2)))


def layer_norm(x: Array, weight: Array, bias: Array) -> Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5) * weight + bias


def rms_norm(x: Array, weight: Array, eps: float) -> Array:
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps) * weight


def softmax(x: Array) -> Array:
    weights = np.exp(x - x.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _decoder_weights(r: Recipe, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    def normal(*shape: int) -> NDArray[np.float32]:
        return rng.standard_normal(shape, dtype=np.float32) * np.float32(shape[-1] ** -0.5)

    rows = r.padded or -(-151_643 // 64) * 64
    head, embeddings = normal(rows, r.width), normal(rows, r.width)
    head *= np.float32(2**-6)
    embeddings *= 2
    embeddings[:, :FLAGS] = 0
    marks = {ASSISTANT: 0, TEXT_BEGIN: 1} | dict.fromkeys(EMOTIONS, 2)
    marks |= {word: 3 + stage for stage, words in enumerate(STAGES) for word in words}
    for token, flag in marks.items():
        embeddings[token, flag] = 8
    after = {0: (KEEP_SILENCE, TEXT_BEGIN), 1: (*EMOTIONS, *STAGES[0]), 2: STAGES[0]}
    after |= {3 + stage: (*words, TEXT_END) for stage, words in enumerate([*STAGES[1:], ()])}
    for token in {token for tokens in after.values() for token in tokens}:
        head[token] *= 2**7
        head[token, :FLAGS] = [4 if token in after[flag] else -4 for flag in range(FLAGS)]
    weights = {"lm_head.weight": head, "transformer.wte.weight": embeddings}
    weights["transformer.ln_f.weight"] = 1 + normal(r.width)
    for layer in range(r.layers):
        name = f"transformer.h.{layer}."
        inner = r.heads * r.head_size
        out, down = normal(r.width, inner), normal(r.width, r.inner)
        out[:FLAGS] = down[:FLAGS] = 0
        weights |= {
            name + "norm_1.weight": 1 + normal(r.width),
            name + "norm_2.weight": 1 + normal(r.width),
            name + "attn.qkv.weight": normal(inner + 2 * r.groups * r.head_size, r.width),
            name + "attn.qkv.bias": 12 * normal(inner + 2 * r.groups * r.head_size),
            name + "attn.proj.weight": out,
            name + "mlp.fc_1.weight": normal(r.inner, r.width),
            name + "mlp.fc_2.weight": normal(r.inner, r.width),
            name + "mlp.proj.weight": down,
        }
    return {key: _stored(value, r.stored) for key, value in weights.items()}


def _stored(values: NDArray[np.float32], dtype: torch.dtype) -> NDArray[np.float32]:
    """What is left of `values` in a file of `dtype`."""
    return torch.from_numpy(values).to(dtype).float().numpy()


def _tower_weights(r: Recipe, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    width, inner = r.tower_width, 2 * r.tower_width
    shapes: dict[str, tuple[int, ...]] = {
        "conv1.weight": (width, 128, 3), "conv1.bias": (width,), "conv2.weight": (width, width, 3),
        "conv2.bias": (width,), "ln_post.weight": (width,), "ln_post.bias": (width,),
        "proj.weight": (r.width, width), "proj.bias": (r.width,), "audio_bos_eos_token.weight": (2, r.width),
    }  # fmt: skip
    for layer in range(r.tower_layers):
        name = f"layers.{layer}."
        for letter in "qkv":
            shapes[f"{name}self_attn.{letter}_proj.weight"] = (width, width)
        for vector in ("self_attn.q_proj", "self_attn.v_proj", "self_attn.out_proj", "fc2"):
            shapes[f"{name}{vector}.bias"] = (width,)
        for norm in ("self_attn_layer_norm", "final_layer_norm"):
            shapes |= {f"{name}{norm}.weight": (width,), f"{name}{norm}.bias": (width,)}
        shapes |= {f"{name}self_attn.out_proj.weight": (width, width), f"{name}fc1.bias": (inner,)}
        shapes |= {f"{name}fc1.weight": (inner, width), f"{name}fc2.weight": (width, inner)}
    return {
        name: (rng.standard_normal(shape) * (np.prod(shape[1:]) ** -0.5 if len(shape) > 1 else 0.2)).astype(np.float32)
        + np.float32("norm.weight" in name or name == "ln_post.weight")
        for name, shape in shapes.items()
    }
