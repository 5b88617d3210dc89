"""The probe: a small causal model that hears when a sound deserves a reply, without words; see docs/probe.md.

samples -> log-mel (20 ms) -> level -> four convolutions -> one vector per chunk -> GRU -> what ended, what sounds

It looks 0 samples ahead of a chunk's end. `listen` hears a whole stream at once, `step` the same chunk by chunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.errors import BadInput
from pipeline.streaming.logmel import checked
from pipeline.streaming.session import Decision
from schemas.probe import ProbeRecipe
from schemas.protocol import CHUNK_SAMPLES, KEEP_SILENCE, SAMPLE_RATE, TEXT_BEGIN
from schemas.taxonomy import Policy

BANDS, WINDOW, HOP = 64, 512, 320
FRAMES: Final = CHUNK_SAMPLES // HOP
"""Mel frames per chunk."""
TAIL: Final = WINDOW - HOP
"""Samples of the past in a chunk's first frame."""
QUIETEST, RELEASE = -5.0, 0.02
"""Of the level, log10 of power: its least value (-50 dBFS), and by how much it falls per chunk (0.2 dB)."""
CHANNELS, STRIDES = (1, 32, 48, 96, 128), (2, 1, 2, 1)
FRAME_WIDTH, WIDTH = 192, 256

CRITERIA: Final = ("distress", "hazard", "equipment", "signal", "emotion")
"""What the bundled probe answers; `emotion` only under the policy assist."""
FAMILIES: Final = (
    *("quiet", "speech", "music", "people", "home", "machines", "traffic", "nature", "place"),
    *CRITERIA,
)
"""What it hears in the foreground."""
BUNDLED: Final = "probe.safetensors"


class Memory(NamedTuple):
    """What the network remembers, for a batch of streams: the last inputs of each convolution, and the GRU's state."""

    convs: tuple[Tensor, ...]
    """Per convolution [batch, channels, 1 or 2, bands]."""
    hidden: Tensor
    """[1, batch, 256]"""


class Network(nn.Module):
    """About 0.94 million parameters. `answers` are the classes of reply; class 0 is none."""

    def __init__(self, answers: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, 3, stride=(stride, 2), padding=(0, 1), bias=False)
            for i, o, stride in zip(CHANNELS, CHANNELS[1:], STRIDES, strict=False)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(o) for o in CHANNELS[1:])
        self.frame = nn.Linear(CHANNELS[-1] * BANDS // 16, FRAME_WIDTH)
        self.chunk = nn.Linear(FRAME_WIDTH * FRAMES // 4, WIDTH)
        self.gru = nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.dropout = nn.Dropout(0.2)
        self.answer = nn.Linear(2 * WIDTH, answers + 1)
        self.family = nn.Linear(2 * WIDTH, len(FAMILIES))

    def new_memory(self, batch: int = 1) -> Memory:
        """Of streams that have not begun."""
        convs, bands = [], BANDS
        for channels, stride in zip(CHANNELS, STRIDES, strict=False):
            convs.append(torch.zeros(batch, channels, 3 - stride, bands))
            bands //= 2
        return Memory(tuple(convs), torch.zeros(1, batch, WIDTH))

    def forward(self, features: Tensor, memory: Memory) -> tuple[Tensor, Tensor, Memory]:
        """Logits of answers [batch, chunks, 1 + answers] and of families [batch, chunks, 14] from features
        [batch, 20 * chunks, 64]."""
        x, kept = features[:, None].contiguous(memory_format=torch.channels_last), []
        for conv, norm, before in zip(self.convs, self.norms, memory.convs, strict=True):
            x = torch.cat((before, x), dim=2)
            kept.append(x[:, :, -before.shape[2] :])
            x = F.relu(norm(conv(x)))
        x = F.relu(self.frame(x.transpose(1, 2).flatten(2)))
        x = self.dropout(F.relu(self.chunk(x.reshape(len(x), -1, self.chunk.in_features))))
        past, hidden = self.gru(x, memory.hidden)
        both = torch.cat((x, self.dropout(past)), dim=-1)
        return self.answer(both), self.family(both), Memory(tuple(kept), hidden)


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What a chunk was heard as.

    `respond` is the probability that a reply is due here, in [0, 1]; `answers` the part of each answer in it,
    `families` the probabilities of FAMILIES.
    """

    respond: float
    answers: NDArray[np.float32]
    families: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Where a stream stands: 0.2 MB whatever its length.

    `tail` float32 [192] are the last samples, `level` the loudness that the next chunk is measured against, `armed`
    says that a reply may be given: after one, not before its cause is over. `judgement` is that of the newest chunk.
    """

    memory: Memory
    tail: NDArray[np.float32]
    level: float = QUIETEST
    armed: bool = True
    chunks: int = 0
    judgement: Judgement | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A whole stream: `respond` [chunks], `answers` [chunks, answers] and `families` [chunks, 14], as in Judgement;
    `replies`, the chunks in which the probe replies."""

    respond: NDArray[np.float32]
    answers: NDArray[np.float32]
    families: NDArray[np.float32]
    replies: tuple[int, ...]


class Card(BaseModel):
    """What the weights say about themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answers: tuple[str, ...] = CRITERIA
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Probability from which a reply is given."""
    trained: ProbeRecipe | None = None
    """How, where it was on scenes of its own."""


class Probe:
    """Weights and the rule by which they reply. Holds no stream's state: one serves any number."""

    def __init__(self, network: Network, card: Card, *, policy: Policy = "strict") -> None:
        """Under `strict` the answer "emotion" is none."""
        self.network = network.eval()
        self.card = card
        self.policy: Policy = policy
        self._answers = [1 + i for i, name in enumerate(card.answers) if policy == "assist" or name != "emotion"]

    def start(self) -> State:
        """A stream of which nothing was heard."""
        return State(self.network.new_memory(), np.zeros(TAIL, np.float32))

    @torch.inference_mode()
    def step(self, chunk: NDArray[np.float32], state: State) -> tuple[Decision, State]:
        """Hear one chunk: float32 [6400], 16 kHz mono in [-1, 1]. `state` is not changed.

        Returns:
            The decision, which has one control id and no text, and the state for the next chunk.

        Raises:
            BadInput: another length or type, NaN, infinity, or samples far beyond [-1, 1].
        """
        mel = log_mel(np.concatenate((state.tail, checked(chunk))))
        features, levels = levelled(mel, state.level)
        answers, families, memory = self.network(features[None], state.memory)
        respond, parts, heard = self._probabilities(answers, families)
        judgement = Judgement(float(respond[0]), parts[0], heard[0])
        replies, armed = self._rule(judgement.respond, state.armed)
        decision = Decision(
            state.chunks,
            "response" if replies else "silent",
            (TEXT_BEGIN if replies else KEEP_SILENCE,),
            None,
            "",
            state.chunks,
        )
        return decision, State(memory, chunk[-TAIL:].copy(), levels[-1], armed, state.chunks + 1, judgement)

    @torch.inference_mode()
    def listen(self, features: Tensor) -> Heard:
        """Hear a whole stream: `features_of` its samples."""
        answers, families, _ = self.network(features[None].float(), self.network.new_memory())
        respond, parts, heard = self._probabilities(answers, families)
        return Heard(respond, parts, heard, self.replies(respond))

    def replies(self, respond: Sequence[float] | NDArray[np.float32]) -> tuple[int, ...]:
        """Chunks in which a reply is given to these probabilities."""
        armed, chunks = True, list[int]()
        for chunk, probability in enumerate(respond):
            reply, armed = self._rule(float(probability), armed)
            if reply:
                chunks.append(chunk)
        return tuple(chunks)

    def _rule(self, respond: float, armed: bool) -> tuple[bool, bool]:
        reply = armed and respond >= self.card.threshold
        return reply, not reply and (armed or respond < self.card.threshold / 2)

    def _probabilities(
        self, answers: Tensor, families: Tensor
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        parts = answers[0].softmax(-1)
        return parts[:, self._answers].sum(-1).numpy(), parts[:, 1:].numpy(), families[0].softmax(-1).numpy()


def features_of(samples: NDArray[np.float32]) -> Tensor:
    """What the network hears of a stream of whole chunks, 16 kHz mono: float32 [20 * chunks, 64].

    Raises:
        BadInput: no whole number of chunks.
    """
    if not len(samples) or len(samples) % CHUNK_SAMPLES:
        raise BadInput(f"{len(samples)} samples are no whole number of chunks of {CHUNK_SAMPLES}; pad with zeros")
    return levelled(log_mel(np.concatenate((np.zeros(TAIL, np.float32), samples))), QUIETEST)[0]


def log_mel(samples: NDArray[np.float32]) -> Tensor:
    """log10 of mel power [frames, 64]; frame i covers samples [320 i, 320 i + 512)."""
    spectrum = torch.stft(torch.from_numpy(samples), WINDOW, HOP, window=_hann(), center=False, return_complex=True)
    return (_filters() @ spectrum.abs().square()).clamp(min=1e-7).log10().T


def levelled(mel: Tensor, level: float) -> tuple[Tensor, list[float]]:
    """Mel frames relative to the loudness so far, roughly in [-2, 2], and that loudness after each chunk.

    The level jumps up to a chunk's mean power and falls slowly, so that no gain of a microphone matters and a sound is
    as loud as it is beside what was heard before.
    """
    chunks = mel.reshape(-1, FRAMES, BANDS)
    loudness = (10**chunks).mean(dim=(1, 2)).log10().tolist()
    levels = list[float]()
    for now in loudness:
        level = max(now, level - RELEASE, QUIETEST)
        levels.append(level)
    relative = chunks - torch.tensor(levels, dtype=mel.dtype)[:, None, None]
    return relative.clamp(min=-5.0).add(1.5).reshape(-1, BANDS), levels


def save_weights(probe: Probe, path: Path) -> None:
    """Write weights in half precision, with their card."""
    tensors = {name: tensor.half().contiguous() for name, tensor in _weights(probe.network).items()}
    save_file(tensors, path, metadata={"card": probe.card.model_dump_json()})


def load_probe(path: Path | None = None, *, policy: Policy = "strict", threshold: float | None = None) -> Probe:
    """The probe of a file that `save_weights` wrote; without one the bundled probe.

    `threshold`, in (0, 1), is the probability from which it replies; without it that of the file.

    Raises:
        BadInput: not such a file, or no such threshold.
    """
    if threshold is not None and not 0 < threshold < 1:
        raise BadInput(
            f"a threshold of {threshold:g} is no probability between 0 and 1; a lower one replies more often"
        )
    path = path or Path(str(resources.files("pipeline.streaming"))) / BUNDLED
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            card = Card.model_validate_json((file.metadata() or {}).get("card", "null"))
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118  (no mapping)
    except (SafetensorError, OSError, ValidationError) as error:
        raise BadInput(
            f"{str(path)!r} holds no probe ({' '.join(str(error).split())[:200]}); "
            "give a file that `streamaudio probe train` wrote"
        ) from error
    network = Network(len(card.answers))
    expected = _weights(network)
    if {n: t.shape for n, t in tensors.items()} != {n: t.shape for n, t in expected.items()}:
        raise BadInput(f"{str(path)!r} holds weights of another network; train the probe again with this version")
    network.load_state_dict(tensors, strict=False)
    if threshold is not None:
        card = card.model_copy(update={"threshold": threshold})
    return Probe(network, card, policy=policy)


def save_state(state: State, path: Path) -> None:
    """Write where a stream stands, as safetensors; `load_state` goes on with it."""
    tensors = {f"conv{i}": conv for i, conv in enumerate(state.memory.convs)}
    tensors |= {"hidden": state.memory.hidden, "tail": torch.from_numpy(state.tail)}
    facts = _Facts(level=state.level, armed=state.armed, chunks=state.chunks)
    save_file({n: t.contiguous() for n, t in tensors.items()}, path, metadata={"state": facts.model_dump_json()})


def load_state(path: Path, probe: Probe) -> State:
    """Read what `save_state` wrote; the judgement of the last chunk is not kept.

    Raises:
        BadInput: not such a file.
    """
    fresh = probe.start()
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            facts = _Facts.model_validate_json((file.metadata() or {}).get("state", "null"))
            convs = tuple(file.get_tensor(f"conv{i}") for i in range(len(fresh.memory.convs)))
            hidden, tail = file.get_tensor("hidden"), file.get_tensor("tail").numpy()
    except (SafetensorError, OSError, ValidationError) as error:
        raise BadInput(f"{str(path)!r} is no saved state of a probe ({' '.join(str(error).split())[:200]})") from error
    return replace(fresh, memory=Memory(convs, hidden), tail=tail, **facts.model_dump())


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    level: float
    armed: bool
    chunks: int


def _weights(network: Network) -> dict[str, Tensor]:
    return {name: t for name, t in network.state_dict().items() if not name.endswith("num_batches_tracked")}


@lru_cache(maxsize=1)
def _hann() -> Tensor:
    return torch.hann_window(WINDOW)


@lru_cache(maxsize=1)
def _filters() -> Tensor:
    """Mel bands [64, 257]."""
    return torchaudio.functional.melscale_fbanks(
        WINDOW // 2 + 1, 60.0, SAMPLE_RATE / 2, BANDS, SAMPLE_RATE, norm="slaney", mel_scale="htk"
    ).T.contiguous()
