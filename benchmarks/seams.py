"""How audible our joins are, beside hard cuts of the same sounds in the same places.

    python benchmarks/seams.py [FOLDER] [--streams N] [--json FILE]

FOLDER holds recordings; without one the starter library's sounds are rendered. Each stream joins ten sounds without a
pause over a bed that is tiled. A jump of 1 is as smooth as the sounds around it (see pipeline/composition/seams.py).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.composition.mix import NoiseTrack, compose
from pipeline.composition.timeline import Element, lay_out
from pipeline.library.decode import SUFFIXES, decode
from pipeline.seeds import rng
from pipeline.synthesis.kinds import KINDS, render
from schemas.composition import CompositionParams

EVENTS, EVENT_SAMPLES = 10, 24_000


def sounds(folder: Path | None) -> list[np.ndarray]:
    """float32, 16 kHz, at least EVENT_SAMPLES each."""
    if folder is None:
        found = [render(kind, rng(0, kind, "seams"), duration_s=3.0) for kind in KINDS]
    else:
        found = [decode(p).samples for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES]
    return [sound for sound in found if len(sound) >= EVENT_SAMPLES and sound.any()]


def measure(clips: list[np.ndarray], streams: int, seams: str) -> dict[str, list[float]]:
    """Jumps by kind of join."""
    params = CompositionParams.model_validate({"seams": seams})
    jumps: dict[str, list[float]] = {"join": [], "edge": [], "tile": [], "worst of a stream": []}
    for stream in range(streams):
        draw = rng(0, stream, "seams")
        chosen = [clips[i] for i in draw.permutation(len(clips))[: EVENTS + 2]]
        elements = [Element(f"e{i}", _cut(clip, draw)) for i, clip in enumerate(chosen[:EVENTS])]
        elements.append(Element("bed", chosen[EVENTS], role="ambient", whole_stream=True))
        # Where nothing is crossfaded, events follow one another without a pause.
        placed = [replace(e, gap_samples=0) if seams == "cut" and e.role == "foreground" else e for e in elements]
        timeline = lay_out(placed, params=params, rng=rng(0, stream, "layout"))
        noise = [NoiseTrack("noise", [chosen[EVENTS + 1]], 20.0)]
        mix = compose(timeline, noise, params=params, rng=rng(0, stream, "mix"))
        for seam in mix.seams:
            jumps[seam.kind].append(seam.jump)
        jumps["worst of a stream"].append(mix.quality.max_seam_jump or 0.0)
    return jumps


def _cut(clip: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """A stretch that begins and ends in the middle of the sound, where a join is hardest."""
    start = int(np.argmax(np.abs(clip[: len(clip) - EVENT_SAMPLES // 2])))
    start = max(0, min(start, len(clip) - EVENT_SAMPLES) - int(draw.integers(2_000)))
    return clip[start : start + EVENT_SAMPLES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    clips = sounds(arguments.folder)
    if len(clips) < EVENTS + 2:
        parser.error(f"{str(arguments.folder)!r} holds {len(clips)} usable sounds; {EVENTS + 2} are needed")
    figures: dict[str, float] = {"streams": arguments.streams, "clips": len(clips)}
    print(f"{'jump at a seam':<22}{'crossfade':>24}{'hard cut':>24}")
    print(f"{'':<22}" + 2 * f"{'median':>8}{'p95':>8}{'max':>8}")
    measured = {seams: measure(clips, arguments.streams, seams) for seams in ("crossfade", "cut")}
    for kind in measured["crossfade"]:
        line = f"{kind:<22}"
        for seams, jumps in measured.items():
            for name, value in zip(("median", "p95", "max"), np.percentile(jumps[kind], [50, 95, 100]), strict=True):
                figures[f"{seams}_{kind.replace(' ', '_')}_{name}"] = float(value)
                line += f"{value:>8.2f}"
        print(line)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
