"""How many wrong labels `validate --audit` finds: some are planted, rows are flagged from the most doubtful down.

    python benchmarks/planted.py [--streams N] [--share S] [--json FILE]

Proactive streams from the starter library. In a share of the rows (5 %) one label is made wrong: a reply is moved by 3
to 8 chunks, a reply is taken away, or a benign sound is answered. The probes of the audit are trained on these labels,
the wrong ones among them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from studio import Built, Studio, recipe

from flows.starter import find_library
from pipeline.seeds import rng
from pipeline.streaming.probe import load_probe
from pipeline.validation.probe.audit import audit_examples
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=400)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    torch.set_num_threads(1)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        starter = find_library(None, "starter", lambda what, done, total: None)
        studio = Studio(starter, recipe(a.streams), Path(scratch))
        examples, planted = plant(studio.full(studio.train), a.share, a.seed)
    ranked = [doubted.row for doubted in audit_examples(examples, begin=load_probe(), seed=a.seed)]
    figures: dict[str, float] = {"streams": len(examples), "planted": len(planted)}
    print(f"{len(examples)} streams, {len(planted)} with a wrong label\n")
    print(f"{'flagged':>8}{'found':>8}" + "".join(f"{kind:>14}" for kind in KINDS))
    for share in FLAGGED:
        flagged = set(ranked[: round(share * len(ranked))])
        found = {kind: [name in flagged for name, k in planted.items() if k == kind] for kind in KINDS}
        everything = float(np.mean([name in flagged for name in planted]))
        figures[f"found_at_{share:g}"] = everything
        print(f"{share:>8.1%}{everything:>8.0%}" + "".join(f"{np.mean(found[kind]):>14.0%}" for kind in KINDS))
    figures["minutes"] = (time.perf_counter() - started) / 60
    print(f"\n{figures['minutes']:.1f} minutes")
    if a.json is not None:
        a.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
