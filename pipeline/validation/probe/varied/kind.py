"""How a varied renderer registers, and the draws that all of them share."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.synthesis.procedural.dsp import RATE, Signal, add, curve, drift, samples

Rng = np.random.Generator
Renderer = Callable[[Rng, int], Signal]

VARIED: dict[str, tuple[Renderer, tuple[float, float] | None]] = {}
"""Renderer of each kind, and the lengths in seconds that it draws from; None for those of the kind."""


def varied(*duration_s: float) -> Callable[[Renderer], Renderer]:
    """Register `(rng, n) -> n samples` for the kind that the function is named after."""

    def register(renderer: Renderer) -> Renderer:
        VARIED[renderer.__name__] = renderer, (duration_s[0], duration_s[1]) if duration_s else None
        return renderer

    return register


@dataclass(frozen=True, slots=True)
class Other:
    """A benign kind that the synthesizer has not, taught so that it is left alone."""

    renderer: Renderer
    domain: str
    duration_s: tuple[float, float]


OTHERS: dict[str, Other] = {}


def other(domain: str, low_s: float, high_s: float) -> Callable[[Renderer], Renderer]:
    """Register `(rng, n) -> n samples` as a kind of its own, of `low_s` to `high_s` seconds."""

    def register(renderer: Renderer) -> Renderer:
        OTHERS[renderer.__name__] = Other(renderer, domain, (low_s, high_s))
        return renderer

    return register


def ratio(rng: Rng, low: float, high: float) -> float:
    """Uniform in its logarithm: frequencies, levels, lengths."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def contour(rng: Rng, n: int, low: float, high: float) -> Signal:
    """Straight lines through a few random values, corners rounded over 30 ms."""
    turns = np.sort(rng.uniform(0.08, 0.92, rng.integers(2, 5)))
    at = [0.0, *turns.tolist(), 1.0]
    values = rng.uniform(low, high, len(at))
    values[-1] *= rng.uniform(0.6, 1)
    width = samples(0.03)
    line = np.pad(curve(n, *zip(at, values.tolist(), strict=True)), width, mode="edge")
    return np.convolve(line, np.ones(width) / width, "same")[width:-width]


def swell(rng: Rng, n: int) -> Signal:
    """An envelope that comes and goes, and trembles in between."""
    rise, fall = rng.uniform(0.01, 0.25), rng.uniform(0.1, 0.6)
    line = curve(n, (0, 0), (rise, 1), (1 - fall, 1), (1, 0))
    return np.sin(line * np.pi / 2) ** 2 * drift(rng, n, rng.uniform(2, 9), rng.uniform(0.4, 0.9), 1)


def repeated(
    rng: Rng, n: int, part: Callable[[int], Signal], length_s: tuple[float, float], gap_s: tuple[float, float]
) -> Signal:
    """Parts one after another, as many as fit, some of them the same again; one at least."""
    out, at = np.zeros(n), 0
    one = part(samples(rng.uniform(*length_s)))
    while at == 0 or at + len(one) <= n:
        add(out, one, at, rng.uniform(0.5, 1))
        at += len(one) + samples(rng.uniform(*gap_s))
        if rng.random() < 0.4:
            one = part(samples(rng.uniform(*length_s)))
    return out


def seconds(n: int) -> float:
    """How long `n` samples last."""
    return n / RATE
