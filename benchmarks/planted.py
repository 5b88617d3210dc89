"""How many wrong labels `validate --audit` finds: some are planted, rows are flagged from the most doubtful down.

    python benchmarks/planted.py [--streams N] [--share S] [--seeds N] [--json FILE]

Proactive streams from the starter library. In a share of the rows (5 %) one label is made wrong: a reply is moved by 3
to 8 chunks, a reply is taken away, or a benign sound is answered. The probes of the audit are trained on these labels,
the wrong ones among them. Every seed has streams, wrong labels, folds and training of its own.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import binomtest
from studio import Built, Studio, recipe

from flows.starter import find_library
from pipeline.seeds import rng
from pipeline.streaming.probe import load_probe
from pipeline.validation.probe.audit import Doubted, audit_examples
from pipeline.validation.probe.examples import Example, Label

KINDS = ("moved", "taken away", "added")
SHIFT_CHUNKS = (3, 8)
FLAGGED = (0.02, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5)


def plant(examples: Built, share: float, seed: int) -> tuple[Built, dict[str, str]]:
    """The examples with wrong labels in a share of them, and which of them have what."""
    draw, planted = rng(seed, 0, "planted"), dict[str, str]()
    wrong = list(examples)
    for i in draw.permutation(len(examples)):
        if len(planted) == round(share * len(examples)):
            break
        kind = KINDS[len(planted) % len(KINDS)]
        changed = spoilt(examples[i], kind, draw)
        if changed is not None:
            wrong[i] = changed
            planted[changed.name] = kind
    return wrong, planted


def spoilt(example: Example, kind: str, draw: np.random.Generator) -> Example | None:
    """The example with one wrong label; None where it has none to spoil."""
    benign = [o for o in example.occasions if o.answer is None]
    if kind == "added":
        if not benign:
            return None
        occasion = benign[int(draw.integers(len(benign)))]
        occasions = tuple(replace(o, answer="respond") if o is occasion else o for o in example.occasions)
        added = Label(occasion.last_chunk, "respond", example.sub_task)
        return replace(example, occasions=occasions, labels=(*example.labels, added))
    if not example.labels:
        return None
    label = example.labels[int(draw.integers(len(example.labels)))]
    others = tuple(other for other in example.labels if other is not label)
    if kind == "taken away":
        occasions = tuple(replace(o, answer=None) if o.last_chunk == label.chunk else o for o in example.occasions)
        return replace(example, labels=others, occasions=occasions)
    shift = int(draw.integers(SHIFT_CHUNKS[0], SHIFT_CHUNKS[1] + 1)) * (1 if draw.random() < 0.5 else -1)
    chunk = label.chunk + shift
    if not 0 <= chunk < example.chunks:
        chunk = label.chunk - shift
    if not 0 <= chunk < example.chunks:
        return None
    return replace(example, labels=(*others, replace(label, chunk=chunk)))


@dataclass(frozen=True, slots=True)
class Trial:
    """One corpus with wrong labels, as the audit ranks it."""

    ranked: Sequence[Doubted]
    planted: dict[str, str]

    def flagged(self, share: float) -> set[str]:
        """The most doubtful rows."""
        return {doubted.row for doubted in self.ranked[: round(share * len(self.ranked))]}

    def contradicted(self) -> set[str]:
        """The rows that `validate --audit` names."""
        return {doubted.row for doubted in self.ranked if doubted.contradicted}

    def found(self, flagged: set[str], kind: str | None = None) -> list[bool]:
        """Per row with a wrong label (of one kind) whether it is flagged."""
        return [row in flagged for row, of in self.planted.items() if kind in (None, of)]


def trial(streams: int, share: float, seed: int) -> Trial:
    """Build, plant and audit."""
    with tempfile.TemporaryDirectory() as scratch:
        starter = find_library(None, "starter", lambda what, done, total: None)
        wanted = recipe(streams)
        studio = Studio(starter, wanted.model_copy(update={"seed": wanted.seed + seed}), Path(scratch))
        examples, planted = plant(studio.full(studio.train), share, seed)
    return Trial(audit_examples(examples, begin=load_probe(), seed=seed), planted)


def line(name: str, trials: Sequence[Trial], flagged: Callable[[Trial], set[str]]) -> dict[str, float]:
    """Print how many wrong labels are among the flagged rows, and return it flat."""
    per_seed = [float(np.mean(t.found(flagged(t)))) for t in trials]
    hits = [hit for t in trials for hit in t.found(flagged(t))]
    pooled = binomtest(sum(hits), len(hits)).proportion_ci(method="wilson")
    mean, spread = float(np.mean(per_seed)), float(np.std(per_seed, ddof=1)) if len(trials) > 1 else 0.0
    kinds = [float(np.mean([hit for t in trials for hit in t.found(flagged(t), kind)])) for kind in KINDS]
    print(
        f"{name:>14}{mean:>8.0%} ± {spread:<6.0%}[{pooled.low:.0%}, {pooled.high:.0%}]   "
        f"{' '.join(f'{share:.0%}' for share in per_seed):<20}" + "".join(f"{share:>12.0%}" for share in kinds)
    )
    key = f"found_at_{name}"
    return {key: mean, f"{key}_sd": spread, f"{key}_low": pooled.low, f"{key}_high": pooled.high} | {
        f"{key} {kind}": share for kind, share in zip(KINDS, kinds, strict=True)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=400)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    torch.set_num_threads(1)
    started, trials = time.perf_counter(), list[Trial]()
    for seed in range(a.seeds):
        trials.append(trial(a.streams, a.share, seed))
        found = np.mean(trials[-1].found(trials[-1].flagged(0.1)))
        print(
            f"seed {seed}: {len(trials[-1].ranked)} streams, {len(trials[-1].planted)} with a wrong label, "
            f"{found:.0%} of them among the 10 % most doubtful",
            flush=True,
        )
    print(
        f"\n{'flagged':>14}{'found ± deviation, 95 %, per seed':>40}{'':>5}" + "".join(f"{kind:>12}" for kind in KINDS)
    )
    figures: dict[str, float] = {"streams": sum(len(t.ranked) for t in trials), "seeds": a.seeds}
    figures["planted"] = sum(len(t.planted) for t in trials)
    for share in FLAGGED:
        figures |= line(f"{share:g}", trials, lambda t, share=share: t.flagged(share))
    figures |= line("contradicted", trials, Trial.contradicted)
    figures["contradicted"] = sum(len(t.contradicted()) for t in trials) / figures["streams"]
    print(f"\nnamed by `validate --audit` (contradicted): {figures['contradicted']:.1%} of the rows")
    figures["minutes"] = (time.perf_counter() - started) / 60
    print(f"{figures['minutes']:.1f} minutes")
    if a.json is not None:
        a.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
