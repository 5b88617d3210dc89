"""What is built to be heard, horns, sirens, bells of phones, and what is played."""

import numpy as np

from pipeline.synthesis.procedural.dsp import (
    Signal,
    add,
    arch,
    band_noise,
    coloured_noise,
    curve,
    drift,
    formants,
    harmonic,
    phase,
    rolloff,
    room,
    samples,
    sine,
    strike,
    times,
    unit,
)
from pipeline.synthesis.procedural.traffic import doppler, passing

from .kind import Rng, contour, ratio, repeated, seconds, swell, varied
from .voices import throat

TWO_TONES = ((1.0,), (1.0, 1.12), (1.0, 1.19), (1.0, 1.25), (1.0, 1.33), (1.0, 1.5))
CHORDS = ((1.0, 1.26, 1.5), (1.0, 1.19, 1.5, 1.78), *TWO_TONES[2:])
BELL = (0.5, 1, 1.19, 1.5, 2, 2.74, 3.8, 5.2)
SCALE = (0, 2, 4, 5, 7, 9, 11, 12, 14, 16)


def honk(rng: Rng, n: int, pitch_hz: Signal | float, chord: tuple[float, ...]) -> Signal:
    """Horns that sound together, each with a timbre of its own, more or less overblown."""
    out = np.zeros(n)
    for step in chord:
        onset = curve(n, (0, rng.uniform(0.9, 1)), (rng.uniform(0.02, 0.1), 1), (1, 1)) * drift(
            rng, n, 10, 0.997, 1.003
        )
        count = int(rng.integers(8, 30))
        timbre = rolloff(count, rng.uniform(0.1, 1.1)) * rng.uniform(0.15, 1, count)
        out += harmonic(pitch_hz * step * rng.uniform(0.99, 1.01) * onset, n, timbre) * rng.uniform(0.5, 1)
    out = unit(out)
    if rng.random() < 0.6:
        body = formants(out, (ratio(rng, 500, 3000), rng.uniform(200, 800), 2))
        out = unit(body + rng.uniform(0.1, 1) * out)
    return np.tanh(out * ratio(rng, 0.3, 4))


def blasts(rng: Rng, n: int, count: int) -> Signal:
    """On and off, `count` times on."""
    lengths = rng.uniform(0.5, 1.5, 2 * count - 1)
    edges = np.concatenate(([0], np.cumsum(lengths / lengths.sum() * n))).astype(int)
    gate = np.zeros(n)
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        m = end - begin
        add(gate, np.minimum(1, np.minimum(np.arange(m), np.arange(m)[::-1]) / samples(0.012)), int(begin))
    return gate


# -- warnings ------------------------------------------------------------------------------------


@varied(0.35, 2.5)
def horn_close(rng: Rng, n: int) -> Signal:
    chord = TWO_TONES[rng.integers(len(TWO_TONES))]
    return honk(rng, n, ratio(rng, 260, 560), chord) * blasts(rng, n, int(rng.choice((1, 1, 1, 2, 2, 3))))


@varied(1.0, 4.0)
def train_horn(rng: Rng, n: int) -> Signal:
    blown = honk(rng, n, ratio(rng, 190, 420), CHORDS[rng.integers(len(CHORDS))]) * blasts(
        rng, n, int(rng.integers(1, 3))
    )
    return room(blown, rng, t60_s=rng.uniform(0.3, 2), wet=rng.uniform(0.1, 0.5))


@varied(1.8, 8.0)
def emergency_siren(rng: Rng, n: int) -> Signal:
    t, style = times(n), rng.integers(5)
    low, period = ratio(rng, 350, 950), ratio(rng, 0.15, 5)
    turn = t / period + rng.uniform()
    octaves = rng.uniform(0.35, 1.5)
    if style == 0:  # wail
        height = 0.5 - 0.5 * np.cos(2 * np.pi * turn)
    elif style == 1:  # yelp
        height = turn % 1
    elif style == 2:  # two tones
        height, octaves = np.round((t / max(period, 0.5)) % 1), rng.uniform(0.25, 0.6)
    elif style == 3:  # up and down in straight lines
        height = np.abs(2 * (turn % 1) - 1)
    else:  # wound up once
        height = np.minimum(1, t / rng.uniform(1, 3))
    pitch = low * 2 ** (octaves * height) * doppler(n, rng.uniform(0.2, 0.8), 0.25, rng.uniform(0, 0.06))
    count = int(rng.integers(4, 16))
    tone = unit(harmonic(pitch, n, rolloff(count, rng.uniform(0.3, 1.6)) * rng.uniform(0.2, 1, count)))
    tone = np.tanh(tone * ratio(rng, 0.3, 4))
    if rng.random() < 0.4:  # a second one
        other = low * rng.uniform(0.7, 1.4) * 2 ** (0.5 - 0.5 * np.cos(2 * np.pi * t / ratio(rng, 0.3, 5)))
        tone = unit(tone) + rng.uniform(0.2, 0.7) * unit(harmonic(other, n, rolloff(6, 1)))
    tone = room(unit(tone), rng, t60_s=rng.uniform(0.2, 2), wet=rng.uniform(0.05, 0.7))
    road = rng.uniform(0, 0.1) * coloured_noise(rng, n, 1)
    return unit(tone) * passing(n, rng.uniform(0.2, 0.8), rng.uniform(0.3, 1.5)) + road


@varied(3.0, 10.0)
def storm_siren(rng: Rng, n: int) -> Signal:
    if rng.random() < 0.5:  # wound up, held, run down
        height = curve(
            n,
            (0, rng.uniform(0.2, 0.6)),
            (rng.uniform(0.1, 0.4), 1),
            (rng.uniform(0.6, 0.9), 1),
            (1, rng.uniform(0.3, 0.9)),
        )
    else:  # up and down
        height = rng.uniform(0.5, 0.8) + 0.25 * (1 - np.cos(2 * np.pi * times(n) / rng.uniform(2, 6)))
    tone = honk(rng, n, ratio(rng, 280, 700) * height, ((1.0,), (1.0, 1.2), (1.0, 1.33), (1.0, 1.5))[rng.integers(4)])
    far = room(unit(tone), rng, t60_s=rng.uniform(0.5, 2.5), wet=rng.uniform(0.2, 0.8))
    edges = curve(n, (0, 0), (rng.uniform(0.03, 0.2), 1), (rng.uniform(0.7, 0.95), 1), (1, 0))
    return far * edges * drift(rng, n, rng.uniform(0.4, 2), rng.uniform(0.4, 0.8), 1)


def pulsed(rng: Rng, n: int, tone: Signal, every_s: tuple[float, float], group: tuple[int, int]) -> Signal:
    """A tone that comes in groups of equal beeps."""
    period, on = rng.uniform(*every_s), rng.uniform(0.25, 0.8)
    beeps, pause = int(rng.integers(*group)), rng.uniform(0, 3) * rng.integers(2)
    turn = times(n) % (period * (beeps + pause)) / period
    gate = ((turn % 1 < on) & (turn < beeps)).astype(float)
    width = samples(rng.uniform(0.002, 0.012))
    return tone * np.convolve(gate, np.ones(width) / width, "same")


@varied(1.2, 6.0)
def smoke_alarm(rng: Rng, n: int) -> Signal:
    pitch = ratio(rng, 2000, 4000) * (1 + rng.uniform(0, 0.15) * (times(n) * ratio(rng, 2, 12) % 1) * rng.integers(2))
    tone = harmonic(pitch, n, (1, rng.uniform(0, 0.6), rng.uniform(0, 0.3)))
    piercing = np.tanh(unit(tone) * ratio(rng, 0.5, 4))
    return room(pulsed(rng, n, piercing, (0.12, 1.1), (1, 5)), rng, t60_s=rng.uniform(0.1, 1), wet=rng.uniform(0, 0.4))


@varied(1.5, 6.0)
def reversing_beeper(rng: Rng, n: int) -> Signal:
    timbre = rolloff(int(rng.integers(1, 8)), rng.uniform(0.3, 1.5))
    tone = np.tanh(unit(harmonic(ratio(rng, 700, 1800), n, timbre)) * ratio(rng, 0.5, 3))
    return room(pulsed(rng, n, tone, (0.6, 1.3), (1, 2)), rng, t60_s=rng.uniform(0.1, 1), wet=rng.uniform(0, 0.5))


@varied(1.5, 6.0)
def crossing_bell(rng: Rng, n: int) -> Signal:
    base, length_s = ratio(rng, 450, 1500), ratio(rng, 0.3, 1.5)
    every, out = rng.uniform(0.15, 0.55), np.zeros(n)
    for at in np.arange(0, max(every, seconds(n) - 0.3), every):
        clang = strike(rng, samples(0.8), base, BELL, length_s, noise=rng.uniform(0.05, 0.8), noise_hz=6000)
        add(out, clang, samples(at), rng.uniform(0.7, 1))
    return out


@varied(0.4, 5.0)
def microwave_beep(rng: Rng, n: int) -> Signal:
    tone = harmonic(ratio(rng, 800, 3500), n, (1, rng.uniform(0, 0.3)))
    return pulsed(rng, n, tone, (0.3, 1.3), (1, 6))


@varied()
def phone_ring(rng: Rng, n: int) -> Signal:
    if rng.random() < 0.3:
        return tune(rng, n, ("pipe",))
    pitch, timbre, t = ratio(rng, 400, 3000), rolloff(int(rng.integers(1, 6)), 1), times(n)
    first, second = harmonic(pitch, n, timbre), harmonic(pitch * rng.uniform(1.05, 1.5), n, timbre)
    ringing = np.where((t * rng.uniform(8, 30)) % 1 < 0.5, first, second)
    return ringing * (t % rng.uniform(1, 3) < rng.uniform(0.4, 1.2))


# -- played and sung -----------------------------------------------------------------------------


def note(rng: Rng, m: int, pitch_hz: float, timbre: str) -> Signal:
    """A sung note, or one of brass, strings or pipes."""
    pitch = pitch_hz * (1 + rng.uniform(0, 0.015) * sine(rng.uniform(4, 7), m) * curve(m, (0, 0), (0.3, 1), (1, 1)))
    if timbre == "sung":
        tone = throat(rng, pitch, breath=ratio(rng, 0.01, 0.15))
    elif timbre == "brass":
        blown = harmonic(pitch, m, rolloff(20, rng.uniform(0.2, 1)))
        tone = unit(formants(blown, (rng.uniform(800, 1800), 600, 2))) + 0.3 * unit(blown)
    elif timbre == "strings":
        bowed = harmonic(pitch, m, rolloff(20, rng.uniform(0.7, 1.3)) * rng.uniform(0.2, 1, 20))
        tone = unit(bowed) + 0.02 * band_noise(rng, m, 1000, 6000)
    else:
        tone = harmonic(pitch, m, rolloff(int(rng.integers(1, 8)), rng.uniform(0.5, 2)))
    return unit(tone) * arch(m, rng.uniform(0.01, 0.15), rng.uniform(0.1, 0.4))


def tune(rng: Rng, n: int, timbres: tuple[str, ...] = ("sung", "brass", "strings", "pipe")) -> Signal:
    """One to six notes of a scale, now and then over a held one."""
    timbre, base = timbres[rng.integers(len(timbres))], ratio(rng, 130, 700)
    out, at = np.zeros(n), 0.0
    for part in rng.dirichlet(np.full(rng.integers(1, 7), 4.0)) * seconds(n):
        m = samples(part * rng.uniform(0.85, 1))
        if m > 1200:
            pitch = base * 2 ** (SCALE[rng.integers(len(SCALE))] / 12)
            add(out, note(rng, m, pitch, timbre), samples(at), rng.uniform(0.6, 1))
        at += part
    if rng.random() < 0.3:
        add(out, note(rng, n, base * 2 ** (rng.choice((0, 4, 7, 12)) / 12), timbre), 0, rng.uniform(0.3, 0.8))
    return room(out, rng, t60_s=rng.uniform(0.2, 1.5), wet=rng.uniform(0.05, 0.4))


@varied(0.5, 5.0)
def organ_chord(rng: Rng, n: int) -> Signal:
    return tune(rng, n)


@varied(0.5, 5.0)
def flute_melody(rng: Rng, n: int) -> Signal:
    return tune(rng, n)


@varied(0.3, 3.0)
def whistling(rng: Rng, n: int) -> Signal:
    if rng.random() < 0.5:
        return tune(rng, n, ("pipe", "sung"))
    tone = harmonic(contour(rng, n, 700, 2600), n, (1, rng.uniform(0, 0.2)))
    return tone * swell(rng, n) + 0.02 * band_noise(rng, n, 800, 6000)


# -- chirps --------------------------------------------------------------------------------------


@varied()
def birds_chirp(rng: Rng, n: int) -> Signal:
    def chirp(m: int) -> Signal:
        return harmonic(ratio(rng, 1200, 5500) * contour(rng, m, 0.7, 1.4), m, (1, rng.uniform(0, 0.3))) * arch(m)

    return repeated(rng, n, chirp, (0.06, 0.4), (0.02, 0.8))


@varied()
def crickets(rng: Rng, n: int) -> Signal:
    pitch, pulse, group, t = ratio(rng, 1800, 6500), rng.uniform(0.02, 0.08), rng.uniform(0.15, 1.2), times(n)
    one = sine(pitch * drift(rng, n, 3, 0.99, 1.01), n) * (0.5 + 0.5 * np.sin(phase(1 / pulse, n)))
    one = one * (t / group % 1 < rng.uniform(0.3, 1))
    other = sine(pitch * rng.uniform(0.7, 1.3), n) * (0.5 + 0.5 * np.sin(phase(0.8 / pulse, n)))
    return one + rng.uniform(0, 1) * other + rng.uniform(0, 0.3) * coloured_noise(rng, n, 1)
