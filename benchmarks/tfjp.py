"""Speed of TFJP alone, in times real time on one core.

    OMP_NUM_THREADS=1 python benchmarks/tfjp.py [FOLDER] [--json FILE]

FOLDER holds recordings (searched for WAV, FLAC and Ogg); without one the clips are rendered: bursts over silence, over
faint noise and over loud noise. Decoding and resampling are not timed. Each clip counts with the best of its runs, as
the rest is the machine's other work.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np
import soundfile
import torch
import torchaudio

from pipeline.conditioning.stft import HOP, WINDOW
from pipeline.conditioning.tfjp import Profile, condition
from schemas.conditioning import TfjpParams
from schemas.protocol import SAMPLE_RATE

PROFILES: tuple[Profile, ...] = ("sfx", "speech", "ambient")
RUNS = 15


def recorded(folder: Path) -> list[np.ndarray]:
    """Every recording under `folder`, 16 kHz mono."""
    clips = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".wav", ".flac", ".ogg"}):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        clips.append(torchaudio.functional.resample(torch.from_numpy(samples.mean(axis=1)), rate, SAMPLE_RATE).numpy())
    return clips


def rendered(count: int = 60) -> list[np.ndarray]:
    """Clips of 5 s: three bursts over silence, noise at -65 dBFS or noise at -35 dBFS, a third each."""
    clips = []
    for index in range(count):
        rng = np.random.default_rng(index)
        clip = (0.0, 10 ** (-65 / 20), 10 ** (-35 / 20))[index % 3] * rng.standard_normal(5 * SAMPLE_RATE)
        for start in rng.integers(0, 4 * SAMPLE_RATE, 3):
            length = int(rng.integers(2_000, 12_000))
            clip[start : start + length] += 0.2 * rng.standard_normal(length) * np.hanning(length)
        clips.append(np.clip(clip, -1, 1).astype(np.float32))
    return clips


def measure(clips: list[np.ndarray], profile: Profile) -> dict[str, float]:
    """Times real time (median, slowest tenth, whole), share denoised and share at the cap."""
    params = TfjpParams()
    best = np.full(len(clips), np.inf)
    results = [condition(clip, profile=profile, params=params) for clip in clips]
    for _ in range(RUNS):
        for index, clip in enumerate(clips):
            start = time.perf_counter()
            condition(clip, profile=profile, params=params)
            best[index] = min(best[index], time.perf_counter() - start)
    seconds = np.array([len(clip) for clip in clips]) / SAMPLE_RATE
    return {
        "median_x": float(np.median(seconds / best)),
        "p10_x": float(np.percentile(seconds / best, 10)),
        "whole_x": float(seconds.sum() / best.sum()),
        "denoised": float(np.mean([result.iterations > 0 for result in results])),
        "capped": float(np.mean([result.hit_cap for result in results])),
    }


def stft_speed(clip: np.ndarray) -> float:
    """Times real time of one bare transform: says how fast the machine is at the moment."""
    samples, window, best = torch.from_numpy(clip), torch.hann_window(WINDOW), np.inf
    for _ in range(20 * RUNS):
        start = time.perf_counter()
        torch.stft(samples, WINDOW, HOP, window=window, return_complex=True)
        best = min(best, time.perf_counter() - start)
    return len(clip) / SAMPLE_RATE / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    clips = recorded(arguments.folder) if arguments.folder else rendered()
    if not clips:
        parser.error(f"{str(arguments.folder)!r} holds no WAV, FLAC or Ogg file; name another folder")
    figures: dict[str, float] = {"clips": len(clips), "stft_x": stft_speed(clips[len(clips) // 2])}
    print(f"TFJP alone, {len(clips)} clips, one core, best of {RUNS}; x real time")
    print(f"(one torch.stft of the same frames, repeated on one clip, runs at {figures['stft_x']:,.0f})")
    print(f"{'profile':<10}{'median':>9}{'p10':>9}{'whole':>9}{'denoised':>11}{'capped':>9}")
    for profile in PROFILES:
        row = measure(clips, profile)
        figures |= {f"{profile}_{name}": value for name, value in row.items()}
        print(
            f"{profile:<10}{row['median_x']:>9,.0f}{row['p10_x']:>9,.0f}{row['whole_x']:>9,.0f}"
            f"{row['denoised']:>11.1%}{row['capped']:>9.1%}"
        )
    long = np.resize(np.concatenate(clips), 600 * SAMPLE_RATE)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    condition(long, profile="sfx", params=TfjpParams())
    figures["ten_minutes_s"] = time.perf_counter() - start
    figures["ten_minutes_mb"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"one clip of 10 min: {figures['ten_minutes_s']:.2f} s, {figures['ten_minutes_mb']:.0f} MB more at its peak")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
