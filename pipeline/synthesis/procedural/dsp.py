"""Building blocks of the procedural sounds: noise, tones, modes, envelopes, grains.

Signals are float64 1-D arrays at 16 kHz inside this package; lengths are in samples (`n`), times in
seconds, frequencies in hertz. Everything is pure: randomness comes from the `rng` passed in.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq
from scipy.signal import fftconvolve, lfilter, sosfilt

RATE = 16_000
NYQUIST = RATE / 2

Signal = np.ndarray


def samples(seconds: float) -> int:
    """Seconds to a whole number of samples."""
    return round(seconds * RATE)


def times(n: int) -> Signal:
    """Time of each sample in seconds."""
    return np.arange(n) / RATE


def unit(x: Signal) -> Signal:
    """Scale to a peak of 1; silence stays silence."""
    peak = np.max(np.abs(x), initial=0.0)
    return x / peak if peak > 0 else x


# -- noise ---------------------------------------------------------------------------------------


def shaped_noise(rng: np.random.Generator, n: int, gain: Callable[[Signal], Signal]) -> Signal:
    """Gaussian noise of unit RMS whose magnitude spectrum follows `gain(frequencies)`.

    The filter is circular: the noise has no onset.
    """
    whole = next_fast_len(n, real=True)
    spectrum = np.asarray(rfft(rng.standard_normal(whole))) * gain(rfftfreq(whole, 1 / RATE))
    x = np.asarray(irfft(spectrum, whole))[:n]
    return x / (np.sqrt(np.mean(x**2)) + 1e-12)


def band_noise(rng: np.random.Generator, n: int, low_hz: float, high_hz: float, *, order: float = 2.0) -> Signal:
    """Noise between two frequencies with Butterworth-like skirts."""

    def gain(f: Signal) -> Signal:
        below = (low_hz / np.maximum(f, 1e-3)) ** (2 * order)
        above = (f / high_hz) ** (2 * order)
        return 1 / np.sqrt((1 + below) * (1 + above))

    return shaped_noise(rng, n, gain)


def coloured_noise(rng: np.random.Generator, n: int, exponent: float, *, low_hz: float = 30.0) -> Signal:
    """Noise with power falling as 1/f**exponent above `low_hz` (1 is pink, 2 is brown)."""
    return shaped_noise(rng, n, lambda f: np.maximum(f, low_hz) ** (-exponent / 2) * (f > low_hz / 3))


def drift(rng: np.random.Generator, n: int, rate_hz: float, low: float = 0.0, high: float = 1.0) -> Signal:
    """A smooth random curve within [low, high] that turns about `rate_hz` times a second."""
    points = rng.uniform(low, high, max(4, int(n / RATE * rate_hz) + 4))
    position = np.linspace(1, len(points) - 2, n)
    left = position.astype(int)
    blend = position - left
    blend = blend * blend * (3 - 2 * blend)
    return points[left] * (1 - blend) + points[left + 1] * blend


# -- tones ---------------------------------------------------------------------------------------


def phase(frequency_hz: Signal | float, n: int) -> Signal:
    """Running phase in radians of a (changing) frequency."""
    return 2 * np.pi * np.cumsum(np.broadcast_to(np.asarray(frequency_hz, float), (n,))) / RATE


def sine(frequency_hz: Signal | float, n: int) -> Signal:
    """A sine whose frequency may change over time."""
    return np.sin(phase(frequency_hz, n))


def harmonic(frequency_hz: Signal | float, n: int, amplitudes: Sequence[float] | Signal) -> Signal:
    """Harmonics 1, 2, 3 ... of a (changing) frequency; those above 7.5 kHz are left out."""
    frequency = np.broadcast_to(np.asarray(frequency_hz, float), (n,))
    angle, top = phase(frequency, n), float(frequency.max())
    out = np.zeros(n)
    for k, amplitude in enumerate(amplitudes, start=1):
        if k * top < 7500:
            out += amplitude * np.sin(k * angle)
    return out


def rolloff(count: int, power: float) -> Signal:
    """Amplitudes k**-power of the first `count` harmonics."""
    return np.arange(1, count + 1, dtype=float) ** -power


def buzz(frequency_hz: Signal | float, n: int, *, open_quotient: float = 0.6) -> Signal:
    """A voice-like pulse train (glottal pulses, differentiated): rich in harmonics, changing pitch."""
    turn = (phase(frequency_hz, n) / (2 * np.pi)) % 1.0
    inside = np.clip(turn / open_quotient, 0, 1)
    flow = np.where(turn < open_quotient, inside**2 * (1 - inside) * 6.75, 0.0)
    return np.diff(flow, prepend=flow[0]) * 20


# -- envelopes -----------------------------------------------------------------------------------


def curve(n: int, *points: tuple[float, float]) -> Signal:
    """Straight lines through (relative time 0..1, value) points."""
    at, value = zip(*points, strict=True)
    return np.interp(np.linspace(0, 1, n), at, value)


def arch(n: int, attack: float = 0.2, release: float = 0.4) -> Signal:
    """Rises over `attack` of the length, holds, falls over `release` of it; smooth corners."""
    line = curve(n, (0, 0), (attack, 1), (1 - release, 1), (1, 0))
    return np.sin(line * np.pi / 2) ** 2


def decay(n: int, t60_s: float, *, attack_s: float = 0.001) -> Signal:
    """Exponential fall of 60 dB in `t60_s` after a short linear attack."""
    t = times(n)
    return np.exp(-6.91 * t / t60_s) * np.minimum(1, t / attack_s + 1e-3)


# -- filters -------------------------------------------------------------------------------------


def resonate(x: Signal, frequency_hz: float, bandwidth_hz: float) -> Signal:
    """Two-pole resonator with roughly unit gain at its peak."""
    radius = np.exp(-np.pi * bandwidth_hz / RATE)
    angle = 2 * np.pi * min(frequency_hz, 7600) / RATE
    gain = (1 - radius) * np.sqrt(1 - 2 * radius * np.cos(2 * angle) + radius**2)
    return np.asarray(lfilter([gain], [1, -2 * radius * np.cos(angle), radius**2], x))


def formants(x: Signal, *bands: tuple[float, float, float]) -> Signal:
    """Parallel resonators (frequency, bandwidth, gain): a vocal tract or a body."""
    return sum((g * resonate(x, f, b) for f, b, g in bands), np.zeros_like(x))


def moving_formant(x: Signal, frequency_hz: Signal, bandwidth_hz: float, *, step: int = 160) -> Signal:
    """A resonator whose frequency changes every 10 ms."""
    out, state = np.empty_like(x), np.zeros(2)
    radius = np.exp(-np.pi * bandwidth_hz / RATE)
    for start in range(0, len(x), step):
        angle = 2 * np.pi * min(float(frequency_hz[start]), 7600) / RATE
        gain = (1 - radius) * np.sqrt(1 - 2 * radius * np.cos(2 * angle) + radius**2)
        out[start : start + step], state = lfilter(
            [gain], [1, -2 * radius * np.cos(angle), radius**2], x[start : start + step], zi=state
        )
    return out


def lowpass(x: Signal, cutoff_hz: float) -> Signal:
    """Second-order Butterworth low-pass."""
    return _butterworth(x, cutoff_hz, high=False)


def highpass(x: Signal, cutoff_hz: float) -> Signal:
    """Second-order Butterworth high-pass."""
    return _butterworth(x, cutoff_hz, high=True)


def _butterworth(x: Signal, cutoff_hz: float, *, high: bool) -> Signal:
    k = np.tan(np.pi * cutoff_hz / RATE)
    norm = 1 + np.sqrt(2) * k + k * k
    b = np.array([1, -2, 1]) if high else np.array([1, 2, 1]) * k * k
    sos = np.concatenate([b / norm, [1, 2 * (k * k - 1) / norm, (1 - np.sqrt(2) * k + k * k) / norm]])
    return np.asarray(sosfilt(sos[None, :], x))


def room(x: Signal, rng: np.random.Generator, *, t60_s: float = 0.4, wet: float = 0.25) -> Signal:
    """Add a decaying noise tail (a small room, a hall); same length, the tail beyond it is dropped."""
    tail = samples(t60_s)
    response = lowpass(rng.standard_normal(tail), 4500) * np.exp(-6.91 * np.arange(tail) / tail)
    response /= np.sqrt(np.sum(response**2))
    return x + wet * fftconvolve(x, response)[: len(x)]


# -- impacts and grains --------------------------------------------------------------------------


def modes(n: int, frequencies_hz: Sequence[float] | Signal, t60_s: Sequence[float] | Signal,
          amplitudes: Sequence[float] | Signal) -> Signal:  # fmt: skip
    """Sum of decaying sines: a struck object (modal synthesis)."""
    out, t = np.zeros(n), times(n)
    for f, t60, a in zip(frequencies_hz, t60_s, amplitudes, strict=True):
        if f < 7600:
            live = min(n, samples(t60 * 1.3) + 1)
            out[:live] += a * np.sin(2 * np.pi * f * t[:live]) * np.exp(-6.91 * t[:live] / t60)
    return out


def strike(
    rng: np.random.Generator, n: int, base_hz: float, ratios: Sequence[float], t60_s: float, *,
    damping: float = 0.5, noise: float = 0.3, noise_hz: float = 3000.0,
) -> Signal:  # fmt: skip
    """One struck object: modes at `base_hz` times `ratios` (slightly detuned) and a click of contact.

    Higher modes die faster by `damping` (0 all alike, 1 inversely with frequency).
    """
    ratio = np.asarray(ratios, float) * rng.uniform(0.985, 1.015, len(ratios))
    amplitude = rng.uniform(0.5, 1.0, len(ratios)) * ratio**-0.4
    x = modes(n, base_hz * ratio, t60_s * ratio**-damping, amplitude)
    contact = min(n, samples(0.02))
    click = lowpass(rng.standard_normal(contact), noise_hz) * decay(contact, 0.015)
    x[:contact] += noise * unit(click) * np.max(np.abs(x))
    return unit(x)


def add(out: Signal, x: Signal, at: int, gain: float = 1.0) -> None:
    """Mix `x` into `out` at a sample, dropping what falls outside."""
    start, stop = max(0, at), min(len(out), at + len(x))
    if stop > start:
        out[start:stop] += gain * x[start - at : stop - at]


def add_around(out: Signal, x: Signal, at: int, gain: float = 1.0) -> None:
    """Mix `x` into `out` at a sample, wrapping past the end: for beds without a seam."""
    x = x[: len(out)]
    at %= len(out)
    head = min(len(x), len(out) - at)
    out[at : at + head] += gain * x[:head]
    out[: len(x) - head] += gain * x[head:]


def scatter(
    rng: np.random.Generator, n: int, per_second: float, grain: Callable[[], Signal], *,
    kinds: int = 12, spread_db: float = 12.0,
) -> Signal:  # fmt: skip
    """A Poisson shower of grains: `kinds` of them rendered, each sown at random times and levels.

    Circular, so that it has no seam.
    """
    count = max(1, rng.poisson(per_second * n / RATE))
    which = rng.integers(0, kinds, count)
    at = rng.integers(0, n, count)
    level = 10 ** (-rng.uniform(0, spread_db, count) / 20) * rng.choice([-1.0, 1.0], count)
    out = np.zeros(n)
    for kind in range(kinds):
        mine = which == kind
        if mine.any():
            x = grain()[:n]
            place = (at[mine, None] + np.arange(len(x))) % n
            out += np.bincount(place.ravel(), (level[mine, None] * x).ravel(), minlength=n)
    return out


def repeat(
    rng: np.random.Generator, n: int, starts_s: Sequence[float] | Signal, make: Callable[[], Signal], *,
    spread_db: float = 3.0,
) -> Signal:  # fmt: skip
    """Freshly made sounds at given times, each a little louder or softer."""
    out = np.zeros(n)
    for start in starts_s:
        add(out, make(), samples(start), 10 ** (-rng.uniform(0, spread_db) / 20))
    return out


def steps(
    rng: np.random.Generator, n: int, period_s: float, *, jitter: float = 0.08, tail_s: float = 0.2
) -> list[float]:
    """Start times of a nearly regular series that fills the length; each sound lasts about `tail_s`."""
    span = max(0.0, n / RATE - tail_s)
    count = max(1, round(span / period_s) + 1)
    ticks = np.linspace(0, span, count)
    ticks[1:-1] += rng.uniform(-jitter, jitter, max(0, count - 2)) * period_s
    return list(ticks)


def beeps(n: int, pattern_s: Sequence[float] | Signal, on_s: float) -> Signal:
    """A 0..1 gate that opens for `on_s` at each time of a pattern, stretched to end with the last beep."""
    fitting = [start for start in pattern_s if start + on_s <= n / RATE] or [0.0]
    stretch = n / RATE / (fitting[-1] + on_s)
    gate = np.zeros(n)
    for start in fitting:
        length = samples(on_s * stretch)
        edge = min(samples(0.004), length // 4)
        pulse = np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / edge)
        add(gate, pulse, samples(start * stretch))
    return gate
