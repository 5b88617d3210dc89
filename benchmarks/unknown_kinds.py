"""How well a probe knows when to reply to kinds of sounds it was never taught, with each kind kept out once.

    python benchmarks/unknown_kinds.py [--folds 4] [--streams 300] [--examined 100] [--json FILE]

The kinds, dangers of each criterion and benign ones, are dealt into folds. For each fold a probe is trained on scenes
of all other kinds (`--streams`, a third of the bundled one's), and examined on scenes that hold the fold's kinds
alone, spoken over by voices it does not know. The figures are over all folds' scenes together, with 95 % bootstrap
intervals over scenes.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from pipeline.seeds import rng
from pipeline.streaming.probe import CRITERIA
from pipeline.synthesis.kinds import KINDS
from pipeline.validation.probe.examples import Example
from pipeline.validation.probe.scenes import answer_of, scenes
from pipeline.validation.probe.scores import occasions_met, score
from pipeline.validation.probe.training import train
from schemas.probe import ProbeScenes, ProbeTraining

RESAMPLED = 200
Replies = Sequence[Sequence[int]]


def dealt(folds: int) -> list[frozenset[str]]:
    """The kinds of each fold; each has its part of every class, and of the sounds that can lie under a scene."""
    draw, hands = rng(0, 0, "unknown kinds"), [set[str]() for _ in range(folds)]
    classes: dict[tuple[str | None, str, bool], list[str]] = {}
    for kind in KINDS.values():
        classes.setdefault((answer_of(kind.name), kind.domain, kind.sustained), []).append(kind.name)
    names = [name for members in classes.values() for name in draw.permutation(sorted(members)).tolist()]
    for i, name in enumerate(names):
        hands[i % folds].add(name)
    return [frozenset(hand) for hand in hands]


def main() -> None:
    """Train and examine fold by fold, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--streams", type=int, default=300)
    parser.add_argument("--examined", type=int, default=100)
    parser.add_argument("--json", type=Path, help="Write the figures here.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    examples, heard = list[Example](), list[Sequence[int]]()
    for number, kinds in enumerate(dealt(arguments.folds)):
        begun = time.process_time()
        params = ProbeScenes(streams=arguments.streams, tuned_on=60)
        taught = list(scenes("train", params.streams, params, seed=number, held_out=kinds))
        tuned = list(scenes("tune", params.tuned_on, params, seed=number, held_out=kinds))
        probe = train(taught, answers=CRITERIA, params=ProbeTraining(epochs=8), seed=number, tune=tuned)
        held = list(scenes("kinds", arguments.examined, params, seed=number, held_out=kinds))
        replies = [probe.listen(example.features).replies for example in held]
        examples += held
        heard += replies
        print(f"fold {number}: F1 {score(replies, held).f1:.3f}, {time.process_time() - begun:.0f} s", flush=True)
    figures = table(heard, examples)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def table(heard: Replies, examples: Sequence[Example]) -> dict[str, list[float]]:
    """Print, and return, what the probes, silence and chance come to."""
    draw = rng(0, 0, "unknown kinds chance")
    rate = sum(len(e.labels) for e in examples) / sum(e.chunks for e in examples)
    often = sum(map(len, heard)) / sum(e.chunks for e in examples)
    listeners: dict[str, Replies] = {
        "probe": heard,
        "always silent": [()] * len(examples),
        "chance, as often as due": [np.flatnonzero(draw.random(e.chunks) < rate).tolist() for e in examples],
        "chance, as often as the probe": [np.flatnonzero(draw.random(e.chunks) < often).tolist() for e in examples],
    }
    figures: dict[str, list[float]] = {}
    for name, replies in listeners.items():
        whole = score(replies, examples)
        resampled = [draw.integers(len(examples), size=len(examples)) for _ in range(RESAMPLED)]
        again = [score([replies[i] for i in chosen], [examples[i] for i in chosen]) for chosen in resampled]
        for key in ("f1", "precision", "recall", "balanced_accuracy", "false_per_hour"):
            low, high = np.percentile([getattr(scores, key) for scores in again], [2.5, 97.5])
            figures[f"{name}: {key}"] = [round(float(value), 3) for value in (getattr(whole, key), low, high)]
        told = ", ".join(
            f"{key.split(': ')[1]} {value}" for key, value in figures.items() if key.startswith(f"{name}: ")
        )
        print(f"{name}: {told}")
    for criterion in CRITERIA:
        met = [
            answered
            for chunks, example in zip(heard, examples, strict=True)
            for occasion, (due, answered) in zip(example.occasions, occasions_met(chunks, example, set()), strict=True)
            if due and occasion.answer == criterion
        ]
        figures[f"answered: {criterion}"] = [sum(met), len(met)]
        print(f"{criterion}: {sum(met)} of {len(met)} answered")
    return figures


if __name__ == "__main__":
    main()
