"""People moving and in groups: steps, applause, crowds."""

import numpy as np

from .dsp import (
    Signal,
    add,
    band_noise,
    buzz,
    curve,
    decay,
    drift,
    formants,
    highpass,
    repeat,
    room,
    samples,
    scatter,
    steps,
    strike,
    unit,
)  # fmt: skip
from .human import clap, voiced
from .kind import sound

Rng = np.random.Generator


VOWELS = ((730, 1090), (300, 2200), (500, 1800), (450, 900))  # first two formants


def babble(rng: Rng, n: int, voices: int) -> Signal:
    """Many people talking at once, nobody understandable: syllables of formant-filtered voices."""
    out = np.zeros(n)
    fresh: list[Signal] = []
    for _ in range(min(voices, 4)):
        syllables, phrase = drift(rng, n, 4.5, -0.6, 1.0).clip(0), drift(rng, n, 0.5, -0.3, 1.0).clip(0)
        source = buzz(rng.choice([110, 130, 200, 230]) * drift(rng, n, 2.0, 0.85, 1.2), n)
        voice = 0.15 * band_noise(rng, n, 1500, 5000) * drift(rng, n, 5, -1, 1).clip(0)
        for first, second in VOWELS:
            spoken = unit(formants(source, (first, 110, 1), (second, 160, 0.6)))
            voice += spoken * drift(rng, n, 3.5, -0.5, 1.0).clip(0)
        fresh.append(voice * syllables * phrase)
    for i in range(voices):  # beyond four, the same talkers at another moment
        out += np.roll(fresh[i % 4], int(rng.integers(0, n))) * rng.uniform(0.3, 1.0)
    return out


# -- movement and groups -------------------------------------------------------------------------


@sound("human", "Walk, footsteps", (1.8, 6.0),
       "footsteps on a wooden floor", "someone walks across creaking floorboards in shoes",
       "steady hard-soled steps on wood")  # fmt: skip
def footsteps_wood(rng: Rng, n: int) -> Signal:
    base = rng.uniform(90, 140)

    def step() -> Signal:
        m, toe = samples(0.28), np.zeros(samples(0.28))
        heel = strike(rng, m, base, (1, 2.1, 3.7, 6.2), 0.13, noise=0.8, noise_hz=2500)
        add(
            toe,
            strike(rng, samples(0.15), base * 1.5, (1, 2.4, 4.1), 0.08, noise=1.0, noise_hz=4000),
            samples(rng.uniform(0.07, 0.1)),
            0.4,
        )
        return heel + toe

    return room(repeat(rng, n, steps(rng, n, rng.uniform(0.5, 0.62), tail_s=0.3), step), rng, t60_s=0.35, wet=0.2)


@sound("human", "Walk, footsteps; Crunch", (1.8, 6.0),
       "footsteps crunching on gravel", "someone walks along a gravel path",
       "crunchy steps over loose stones")  # fmt: skip
def footsteps_gravel(rng: Rng, n: int) -> Signal:
    def step() -> Signal:
        m = samples(rng.uniform(0.26, 0.34))
        crunch = scatter(
            rng,
            m,
            260,
            lambda: band_noise(rng, samples(0.012), rng.uniform(1200, 3500), 7000) * decay(samples(0.012), 0.01),
        )
        return unit(crunch) * curve(m, (0, 0), (0.12, 1), (0.35, 0.35), (0.55, 0.8), (1, 0))

    return repeat(rng, n, steps(rng, n, rng.uniform(0.5, 0.6), tail_s=0.36), step)


@sound("human", "Applause; Clapping; Crowd", (3.0, 12.0),
       "an audience applauding in a hall", "a crowd claps and the applause slowly fades",
       "warm applause from many hands")  # fmt: skip
def applause(rng: Rng, n: int) -> Signal:
    shower = scatter(rng, n, rng.uniform(140, 320), lambda: clap(rng), kinds=24, spread_db=18)
    return room(unit(shower), rng, t60_s=0.8, wet=0.25) * curve(n, (0, 0), (0.08, 1), (0.65, 0.9), (1, 0))


@sound("human", "Cheering; Crowd; Applause", (2.0, 6.0),
       "a crowd cheers and whoops", "cheering fans at a sports match", "an excited crowd roars with joy")  # fmt: skip
def crowd_cheer(rng: Rng, n: int) -> Signal:
    out = np.zeros(n)
    for _ in range(14):
        pitch = rng.uniform(180, 420) * drift(rng, n, 2, 0.8, 1.25)
        out += unit(voiced(rng, n, pitch, (rng.uniform(700, 950), 150, 3), (1350, 200, 2), breath=0.3)) * drift(
            rng, n, 1.2, 0, 1
        )
    roar = unit(band_noise(rng, n, 500, 2500)) * drift(rng, n, 1, 0.5, 1)
    return room(unit(out) + 0.8 * roar, rng, t60_s=0.9, wet=0.3) * curve(n, (0, 0), (0.15, 1), (0.6, 0.9), (1, 0))


@sound("human", "Crowd; Hubbub, speech noise, speech babble; Chatter", (4.0, 60.0),
       "the murmur of a crowd of people", "many people talking at once in a large hall",
       "indistinct chatter of a busy crowd", sustained=True)  # fmt: skip
def crowd_murmur(rng: Rng, n: int) -> Signal:
    return highpass(room(unit(babble(rng, n, 10)), rng, t60_s=0.9, wet=0.5), 120)
