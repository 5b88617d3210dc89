"""By how much the bundled probe beats chance, with 95 % intervals.

    python benchmarks/probe_margins.py [--weights FILE] [--library LIB ...] [--streams 100] [--json FILE]

On renderings of known kinds with new seeds and voices, of kinds and voices that were kept out, and on the recordings of
libraries, under each policy by which any of them deserves a reply. The probe's intervals are a bootstrap over streams;
chance replies as often as is due, and its intervals are over draws.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from flows.probe import EXAMINATIONS
from pipeline.library.library import Library
from pipeline.seeds import rng
from pipeline.streaming.probe import load_probe
from pipeline.validation.probe.examples import Example
from pipeline.validation.probe.recordings import recordings
from pipeline.validation.probe.scenes import scenes
from pipeline.validation.probe.scores import chances, score
from schemas.probe import ProbeScenes
from schemas.taxonomy import Policy

RESAMPLED = 500
MEASURES = ("f1", "balanced_accuracy")


def main() -> None:
    """Examine the probe and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--weights", type=Path, help="Instead of the bundled ones.")
    parser.add_argument("--library", type=Path, nargs="*", default=[], help="Recordings; examined one by one.")
    parser.add_argument("--streams", type=int, default=100, help="Rendered streams of each examination.")
    parser.add_argument("--json", type=Path, help="Write the figures here.")
    arguments = parser.parse_args()
    draw = rng(0, 0, "probe margins")
    figures: dict[str, float] = {}
    table = Table("examined with", *(f"{measure}, {who}" for measure in MEASURES for who in ("probe", "chance")))
    for name, policy, examples in examinations(arguments.streams, arguments.library):
        probe = load_probe(arguments.weights, policy=policy)
        replies = [probe.listen(example.features).replies for example in examples]
        picked = [draw.integers(len(examples), size=len(examples)) for _ in range(RESAMPLED)]
        again = [score([replies[i] for i in some], [examples[i] for i in some]) for some in picked]
        whole, drawn, cells = score(replies, examples), list(chances(examples)), list[str]()
        for measure in MEASURES:
            for who, several in (("probe", again), ("chance", drawn)):
                values = [getattr(one, measure) for one in several]
                low, high = np.percentile(values, [2.5, 97.5])
                middle = getattr(whole, measure) if who == "probe" else np.mean(values)
                cells.append(f"{middle:.3f} [{low:.3f}, {high:.3f}]")
                for key, value in (("", middle), ("_low", low), ("_high", high)):
                    figures[f"{name}_{measure}_{who}{key}".replace(" ", "_")] = round(float(value), 3)
        table.add_row(name, *cells)
    Console(width=140).print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def examinations(streams: int, libraries: Sequence[Path]) -> Iterator[tuple[str, Policy, list[Example]]]:
    """What `streamaudio probe test` examines with, but for recordings in which nothing is due."""
    for name, part in EXAMINATIONS.items():
        yield name, "assist", list(scenes(part, streams, ProbeScenes(), seed=0))
    for library in libraries:
        for policy in ("strict", "assist"):
            examples = list(recordings(Library.open(library), policy=policy))
            if any(example.labels for example in examples):
                yield f"{library.name}, {policy}", policy, examples


if __name__ == "__main__":
    main()
