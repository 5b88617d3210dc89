"""Teaching a probe from examples, on the processor, reproducibly from a seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.errors import BadInput
from pipeline.seeds import derive, rng
from pipeline.streaming.probe import BANDS, FRAMES, Card, Network, Probe
from pipeline.validation.probe.examples import Example
from pipeline.validation.probe.scores import best_threshold
from schemas.probe import ProbeTraining

WINDOW_CHUNKS = 64
"""Longest stretch of a stream in a step (25.6 s); the GRU begins anew in each."""
LATE_WEIGHT = 0.5
"""The chunk after a label counts as right, too: an end that falls late in a chunk is only heard in the next."""
EARLY_WEIGHT = 0.3
"""Silence in the chunk before a label is asked for less strictly."""
REPLY_WEIGHT = 2.0
FAMILY_WEIGHT = 0.5


def train(
    examples: Sequence[Example],
    *,
    answers: Sequence[str],
    params: ProbeTraining,
    seed: int,
    begin: Probe | None = None,
    odds: Mapping[str, float] | None = None,
    tune: Sequence[Example] = (),
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Probe:
    """A probe of `answers` from `examples`; with `begin` it goes on from that one's ears.

    `odds` multiply those of an answer when training is over. The threshold is the one with the best F1 on `tune`, 0.5
    without. Equal arguments give equal weights on one machine with one number of threads.

    Raises:
        BadInput: no example has a label.
    """
    if not any(example.labels for example in examples):
        raise BadInput(f"{len(examples)} streams without a reply teach nothing; give streams that are answered")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, 0, "probe weights"))
        network = Network(len(answers))
        if begin is not None:
            kept = {n: t for n, t in begin.network.state_dict().items() if not n.startswith("answer.")}
            network.load_state_dict(kept, strict=False)
        _fit(network, examples, answers, params, seed, on_progress)
    with torch.no_grad():
        for answer, factor in (odds or {}).items():
            network.answer.bias[1 + answers.index(answer)] += math.log(factor)
    probe = Probe(network, Card(answers=tuple(answers)), policy="assist")
    if tune:
        card = probe.card.model_copy(update={"threshold": best_threshold(probe, tune)})
        probe = Probe(network, card, policy="assist")
    return probe


def _fit(
    network: Network,
    examples: Sequence[Example],
    answers: Sequence[str],
    params: ProbeTraining,
    seed: int,
    on_progress: Callable[[int, int], None],
) -> None:
    draw = rng(seed, 0, "probe training")
    targets = [_targets(example, answers) for example in examples]
    window_chunks = min(WINDOW_CHUNKS, max(example.chunks for example in examples))
    windows = [(i, start) for i, e in enumerate(examples) for start in _starts(e.chunks, window_chunks)]
    steps = params.epochs * -(-len(windows) // params.batch)
    # Muon takes matrices: the kernels as such, on the same memory. What gives the answers stays with AdamW.
    kernels = [
        (p, nn.Parameter(p.detach().flatten(1)))
        for name, p in network.named_parameters()
        if p.ndim > 1 and not name.startswith(("answer.", "family."))
    ]
    others = [p for p in network.parameters() if all(p is not kernel for kernel, _ in kernels)]
    muon = torch.optim.Muon(
        [matrix for _, matrix in kernels],
        lr=params.rate,
        weight_decay=params.decay,
        adjust_lr_fn="match_rms_adamw",
    )
    adam = torch.optim.AdamW(others, lr=params.rate, weight_decay=params.decay)
    schedules = [
        torch.optim.lr_scheduler.OneCycleLR(o, params.rate, total_steps=steps, pct_start=0.15) for o in (muon, adam)
    ]
    network.train()
    done = 0
    for _ in range(params.epochs):
        order = draw.permutation(len(windows))
        for at in range(0, len(order), params.batch):
            batch = [windows[i] for i in order[at : at + params.batch]]
            stretches = [_window(examples[i], targets[i], start, window_chunks, draw) for i, start in batch]
            loss = _loss(network, stretches, draw)
            network.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            for kernel, matrix in kernels:
                matrix.grad = None if kernel.grad is None else kernel.grad.flatten(1)
            for optimizer in (muon, adam):
                optimizer.step()
            for schedule in schedules:
                schedule.step()
            done += 1
            on_progress(done, steps)
    network.eval()


def _starts(chunks: int, window_chunks: int) -> range:
    """Where windows of a stream begin; the last may be short."""
    return range(0, max(1, chunks - window_chunks // 4), window_chunks)


@dataclass(frozen=True, slots=True, eq=False)
class _Targets:
    """Per chunk the right answer (0 is none), how much it counts, and what sounds."""

    answers: np.ndarray
    weights: np.ndarray
    families: np.ndarray


def _targets(example: Example, answers: Sequence[str]) -> _Targets:
    right, weights = np.zeros(example.chunks, np.int64), np.ones(example.chunks, np.float32)
    for label in example.labels:
        if label.chunk + 1 < example.chunks:
            right[label.chunk + 1], weights[label.chunk + 1] = (
                answers.index(label.answer) + 1,
                LATE_WEIGHT * REPLY_WEIGHT,
            )
        if label.chunk:
            weights[label.chunk - 1] = min(weights[label.chunk - 1], EARLY_WEIGHT)
    for label in example.labels:
        right[label.chunk], weights[label.chunk] = answers.index(label.answer) + 1, REPLY_WEIGHT
    return _Targets(right, weights, example.families)


def _window(
    example: Example, targets: _Targets, start: int, window_chunks: int, draw: np.random.Generator
) -> tuple[Tensor, _Targets]:
    """A stretch of `window_chunks` from about `start`; what lies past the stream's end counts nothing."""
    shift = int(draw.integers(window_chunks // 2)) if start else 0
    begin = max(0, min(start - shift, example.chunks - window_chunks // 4))
    stop = min(begin + window_chunks, example.chunks)
    missing = window_chunks - (stop - begin)
    features = F.pad(example.features[begin * FRAMES : stop * FRAMES].float(), (0, 0, 0, missing * FRAMES))
    cut = _Targets(
        np.pad(targets.answers[begin:stop], (0, missing)),
        np.pad(targets.weights[begin:stop], (0, missing)),
        np.pad(targets.families[begin:stop], (0, missing), constant_values=-1),
    )
    return features, cut


def _loss(network: Network, batch: Sequence[tuple[Tensor, _Targets]], draw: np.random.Generator) -> Tensor:
    features = _varied(torch.stack([features for features, _ in batch]), draw)
    answers, families, _ = network(features, network.new_memory(len(batch)))
    right = torch.from_numpy(np.stack([t.answers for _, t in batch])).flatten()
    weights = torch.from_numpy(np.stack([t.weights for _, t in batch])).flatten()
    heard = torch.from_numpy(np.stack([t.families for _, t in batch])).flatten()
    loss = (F.cross_entropy(answers.flatten(0, 1), right, reduction="none") * weights).sum() / weights.sum()
    if bool((heard >= 0).any()):
        loss = loss + FAMILY_WEIGHT * F.cross_entropy(families.flatten(0, 1), heard, ignore_index=-1)
    return loss


def _varied(features: Tensor, draw: np.random.Generator) -> Tensor:
    """Another microphone for each stream (a smooth curve of about 4 dB, a level of about 3), and now and then a band
    that is missing."""
    count = len(features)
    knots = draw.normal(0, 0.4, (count, 6))
    curves = np.stack([np.interp(np.linspace(0, 5, BANDS), np.arange(6), knot) for knot in knots])
    features = features + torch.from_numpy((curves + draw.normal(0, 0.3, (count, 1))).astype(np.float32))[:, None]
    for i in np.flatnonzero(draw.random(count) < 0.5):
        first, width = int(draw.integers(BANDS - 10)), int(draw.integers(2, 10))
        features[i, :, first : first + width] = features[i].mean()
    return features
