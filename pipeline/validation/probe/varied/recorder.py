"""What becomes of a sound on its way into a file."""

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from pipeline.synthesis.procedural.dsp import RATE, Signal, coloured_noise, drift, resonate, unit

from .kind import Rng, ratio

STEPS = 100
"""Of each sign: a little less than eight bits."""


def recorded(samples: np.ndarray, rng: Rng) -> np.ndarray:
    """`samples` through a microphone, a room's first echoes, a loudspeaker, a noisy or coarse file; each now and then.

    Float32 of the same length, peak 0.85.
    """
    x: Signal = samples.astype(np.float64)
    if rng.random() < 0.5:
        x = np.asarray(sosfilt(butter(4, ratio(rng, 2500, 7600), fs=RATE, output="sos"), x))
    if rng.random() < 0.35:
        x = np.asarray(sosfilt(butter(2, ratio(rng, 60, 500), "high", fs=RATE, output="sos"), x))
    if rng.random() < 0.4:
        for _ in range(rng.integers(1, 4)):
            x = x + resonate(x, ratio(rng, 150, 6000), ratio(rng, 80, 600)) * rng.uniform(-0.7, 2)
    if rng.random() < 0.25:
        x = np.tanh(unit(x) * ratio(rng, 1, 8))
    if rng.random() < 0.3:
        echoes = np.zeros(RATE * 15 // 100)
        count = rng.integers(3, 30)
        echoes[rng.integers(20, len(echoes), count)] = rng.normal(0, 0.3, count)
        echoes[0] = 1.0
        x = fftconvolve(x, echoes)[: len(x)]
    x = unit(x)
    if rng.random() < 0.3:
        hiss = coloured_noise(rng, len(x), rng.uniform(0, 2)) * 10 ** (rng.uniform(-45, -12) / 20)
        x = x + hiss * np.sqrt(np.mean(x**2))
    if rng.random() < 0.15:
        x = np.round(x * STEPS) / STEPS
    if rng.random() < 0.3:
        x = x * drift(rng, len(x), rng.uniform(1, 6), rng.uniform(0.2, 0.7), 1)
    return (0.85 * unit(x)).astype(np.float32)
