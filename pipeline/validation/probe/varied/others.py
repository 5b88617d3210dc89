"""Harmless sounds that no corpus has: what is new is not dangerous for being new."""

import numpy as np

from pipeline.synthesis.procedural.dsp import (
    Signal,
    add,
    arch,
    band_noise,
    buzz,
    coloured_noise,
    curve,
    decay,
    drift,
    formants,
    harmonic,
    modes,
    phase,
    rolloff,
    room,
    samples,
    strike,
    unit,
)
from pipeline.synthesis.procedural.nature import snap

from .kind import Rng, contour, other, ratio, repeated, seconds, swell
from .matter import METAL_BAR, WOOD, thump
from .signals import BELL, tune
from .voices import call, muzzle

# -- animals -------------------------------------------------------------------------------------


@other("nature", 0.15, 3.0)
def animal_call(rng: Rng, n: int) -> Signal:
    return call(rng, n, 50, 2500)


@other("nature", 0.3, 4.0)
def animal_calls(rng: Rng, n: int) -> Signal:
    pitch, size = ratio(rng, 60, 2500), ratio(rng, 0.3, 1.6)

    def one(m: int) -> Signal:
        voice = muzzle(rng, pitch * contour(rng, m, 0.7, 1.4), size, ratio(rng, 0.05, 1.5))
        return voice * arch(m, rng.uniform(0.05, 0.4), rng.uniform(0.2, 0.5))

    return repeated(rng, n, one, (0.08, 0.7), (0.03, 0.5))


@other("nature", 0.7, 3.0)
def horse_neigh(rng: Rng, n: int) -> Signal:
    pitch = ratio(rng, 500, 1500) * curve(n, (0, 0.7), (rng.uniform(0.1, 0.4), 1), (1, rng.uniform(0.3, 0.7)))
    shaken = pitch * (1 + rng.uniform(0.03, 0.2) * np.sin(phase(drift(rng, n, 2, 6, 16), n)))
    return muzzle(rng, shaken, ratio(rng, 0.6, 1.4), ratio(rng, 0.05, 1)) * swell(rng, n)


@other("nature", 0.25, 3.0)
def bird_screech(rng: Rng, n: int) -> Signal:
    top, fall = ratio(rng, 900, 4200), rng.uniform(0.5, 1)

    def one(m: int) -> Signal:
        pitch = top * curve(m, (0, rng.uniform(0.6, 1)), (rng.uniform(0.05, 0.4), 1), (1, fall))
        return muzzle(rng, pitch, ratio(rng, 0.2, 0.7), ratio(rng, 0.1, 1.5)) * arch(m, 0.1, 0.4)

    return repeated(rng, n, one, (0.2, 1.8), (0.05, 0.6))


@other("nature", 0.8, 5.0)
def wolf_howl(rng: Rng, n: int) -> Signal:
    pitch = ratio(rng, 220, 900) * curve(
        n, (0, rng.uniform(0.5, 0.9)), (rng.uniform(0.1, 0.4), 1), (0.8, rng.uniform(0.8, 1)), (1, 0.6)
    )
    tone = harmonic(pitch * drift(rng, n, 8, 0.985, 1.015), n, rolloff(int(rng.integers(2, 10)), rng.uniform(0.8, 2)))
    howl = unit(formants(tone, (ratio(rng, 400, 1200), 200, 2))) + rng.uniform(0, 0.5) * unit(tone)
    return room(howl * swell(rng, n), rng, t60_s=rng.uniform(0.3, 2.5), wet=rng.uniform(0.05, 0.6))


@other("nature", 0.3, 3.5)
def growl(rng: Rng, n: int) -> Signal:
    source = buzz(ratio(rng, 22, 110) * drift(rng, n, 15, 0.7, 1.4), n, open_quotient=rng.uniform(0.2, 0.8))
    source = unit(source) + rng.uniform(0.1, 1) * unit(band_noise(rng, n, 100, ratio(rng, 800, 4000)))
    throaty = (ratio(rng, 200, 700), 120, 2), (ratio(rng, 600, 1800), 200, 1.5), (ratio(rng, 1500, 3500), 300, 0.7)
    return formants(source, *throaty) * swell(rng, n)


# -- people and their music ----------------------------------------------------------------------


@other("human", 0.5, 4.0)
def singing(rng: Rng, n: int) -> Signal:
    return tune(rng, n, ("sung",))


@other("human", 0.2, 1.5)
def lips(rng: Rng, n: int) -> Signal:
    pops = repeated(rng, n, lambda m: snap(rng, ratio(rng, 300, 2500), seconds(m)), (0.02, 0.1), (0.03, 0.3))
    breath = unit(band_noise(rng, n, ratio(rng, 200, 2000), ratio(rng, 3000, 7500)))
    return unit(pops) * rng.uniform(0.1, 1) + rng.uniform(0.05, 1) * breath * swell(rng, n)


@other("music", 0.5, 4.0)
def brass(rng: Rng, n: int) -> Signal:
    return tune(rng, n, ("brass",))


@other("human", 0.15, 2.0)
def referee_whistle(rng: Rng, n: int) -> Signal:
    rate, depth = rng.uniform(15, 60), rng.uniform(0, 0.05)
    pitch = ratio(rng, 1800, 4500) * (1 + depth * np.sin(phase(rate, n)))
    tone = harmonic(pitch, n, (1, rng.uniform(0, 0.4))) * (
        1 - rng.uniform(0, 0.8) * (0.5 + 0.5 * np.sin(phase(rate, n)))
    )
    return (unit(tone) + rng.uniform(0, 0.4) * unit(band_noise(rng, n, 1500, 7000))) * arch(n, 0.05, 0.15)


@other("music", 0.3, 4.0)
def cymbal(rng: Rng, n: int) -> Signal:
    length_s = ratio(rng, 0.15, 4)
    plate = modes(n, np.exp(rng.uniform(np.log(300), np.log(7500), 60)), np.full(60, length_s), rng.uniform(0.2, 1, 60))
    hiss = band_noise(rng, n, ratio(rng, 1500, 5000), 7900) * decay(n, length_s * rng.uniform(0.3, 1))
    return unit(plate) * rng.uniform(0.1, 1) + unit(hiss) * rng.uniform(0.2, 1)


@other("music", 0.5, 6.0)
def bell_toll(rng: Rng, n: int) -> Signal:
    base, length_s = ratio(rng, 120, 1200), ratio(rng, 0.6, 6)

    def toll(m: int) -> Signal:
        return strike(rng, m, base, BELL, length_s, noise=rng.uniform(0, 0.6), noise_hz=5000)

    return room(repeated(rng, n, toll, (0.5, 3), (0, 0.5)), rng, t60_s=rng.uniform(0.2, 2), wet=rng.uniform(0, 0.4))


@other("music", 0.1, 3.0)
def drum(rng: Rng, n: int) -> Signal:
    base, bright = ratio(rng, 45, 500), ratio(rng, 500, 7500)

    def hit(m: int) -> Signal:
        skin = strike(
            rng, m, base, (1, 1.59, 2.14, 2.65), ratio(rng, 0.08, 0.8), noise=rng.uniform(0.2, 3), noise_hz=bright
        )
        return skin + rng.uniform(0, 0.8) * unit(band_noise(rng, m, 1000, 7000)) * decay(m, ratio(rng, 0.05, 0.3))

    return repeated(rng, n, hit, (0.1, 0.5), (0.02, 0.5))


# -- things --------------------------------------------------------------------------------------


@other("daily_living", 0.1, 2.5)
def shaken(rng: Rng, n: int) -> Signal:
    low, high = ratio(rng, 800, 4000), rng.uniform(5000, 7900)

    def one(m: int) -> Signal:
        grains = band_noise(rng, m, low, high) * (rng.random(m) < rng.uniform(0.02, 0.5))
        return unit(grains) * arch(m, rng.uniform(0.05, 0.5), 0.4)

    return repeated(rng, n, one, (0.04, 0.3), (0.01, 0.3))


@other("daily_living", 0.3, 5.0)
def creak(rng: Rng, n: int) -> Signal:
    rate = contour(rng, n, ratio(rng, 10, 80), ratio(rng, 60, 900)) * drift(rng, n, 12, 0.8, 1.25)
    pulses = buzz(rate, n, open_quotient=rng.uniform(0.05, 0.5)) + 0.02 * band_noise(rng, n, 500, 6000)
    body = [(ratio(rng, 300, 5000), ratio(rng, 40, 300), rng.uniform(0.5, 2)) for _ in range(rng.integers(2, 6))]
    squeak = unit(formants(pulses, *body)) * drift(rng, n, rng.uniform(2, 10)) ** 2
    return room(squeak, rng, t60_s=rng.uniform(0.1, 1.2), wet=rng.uniform(0.05, 0.4)) * arch(n, 0.05, 0.1)


@other("daily_living", 0.1, 2.5)
def metal_clank(rng: Rng, n: int) -> Signal:
    base, material = ratio(rng, 200, 4000), rng.uniform(1, 9, 6)

    def clank(m: int) -> Signal:
        ratios = METAL_BAR if rng.random() < 0.3 else (1.0, *material)
        return strike(rng, m, base, ratios, ratio(rng, 0.05, 1.2), noise=rng.uniform(0.1, 2), noise_hz=6000)

    return room(repeated(rng, n, clank, (0.1, 0.9), (0, 0.4)), rng, t60_s=rng.uniform(0.1, 1), wet=rng.uniform(0, 0.4))


@other("daily_living", 0.08, 2.0)
def wood_knock(rng: Rng, n: int) -> Signal:
    base, length_s = ratio(rng, 80, 1800), ratio(rng, 0.02, 0.25)

    def knock(m: int) -> Signal:
        return strike(rng, m, base * rng.uniform(0.9, 1.1), WOOD, length_s, noise=rng.uniform(0.3, 3), noise_hz=4000)

    return repeated(rng, n, knock, (0.06, 0.3), (0.02, 0.5))


@other("daily_living", 0.4, 3.0)
def ball_bounce(rng: Rng, n: int) -> Signal:
    out, at, gap, loss = np.zeros(n), 0.0, rng.uniform(0.2, 0.7), rng.uniform(0.6, 0.9)
    bounce = thump(rng, samples(0.25))
    while at < seconds(n) - 0.05 and gap > 0.03:
        add(out, bounce, samples(at), gap)
        at, gap = at + gap, gap * loss
    return out


@other("daily_living", 0.05, 0.6)
def plop(rng: Rng, n: int) -> Signal:
    pitch = ratio(rng, 200, 3000) * curve(n, (0, 1), (1, ratio(rng, 0.4, 3)))
    return (
        harmonic(pitch, n, (1, rng.uniform(0, 0.4))) * decay(n, ratio(rng, 0.03, 0.5))
        + 0.1 * snap(rng, 2000, seconds(n))[:n]
    )


@other("daily_living", 0.15, 1.5)
def whoosh(rng: Rng, n: int) -> Signal:
    low, high = ratio(rng, 100, 2000), ratio(rng, 2500, 7900)
    one, other_one = band_noise(rng, n, low, high / 2), band_noise(rng, n, 2 * low, high)
    blend = arch(n, rng.uniform(0.2, 0.7), 0.2)
    return (one * (1 - blend) + other_one * blend) * arch(n, rng.uniform(0.2, 0.6), rng.uniform(0.2, 0.4))


@other("nature", 0.3, 2.5)
def splash(rng: Rng, n: int) -> Signal:
    out = unit(band_noise(rng, n, ratio(rng, 150, 1000), ratio(rng, 3000, 7900))) * curve(
        n, (0, 0), (rng.uniform(0.02, 0.2), 1), (0.4, rng.uniform(0.1, 0.5)), (1, 0)
    )
    for at in rng.uniform(0.1, 0.9, int(ratio(rng, 3, 40))):
        m = samples(rng.uniform(0.01, 0.08))
        drop = harmonic(ratio(rng, 300, 3000) * curve(m, (0, 1), (1, rng.uniform(1, 1.8))), m, (1,)) * decay(m, 0.06)
        add(out, drop, int(at * n), rng.uniform(0.05, 0.5))
    return out


@other("equipment", 0.3, 5.0)
def motor_whirr(rng: Rng, n: int) -> Signal:
    speed = ratio(rng, 30, 900) * contour(rng, n, rng.uniform(0.4, 1), 1.1)
    whine = unit(harmonic(speed, n, rolloff(int(rng.integers(3, 25)), rng.uniform(0.2, 1.2))))
    rattle = unit(band_noise(rng, n, ratio(rng, 300, 2000), 7000)) * (
        1 + rng.uniform(0, 0.8) * np.sin(phase(speed / 4, n))
    )
    air = coloured_noise(rng, n, rng.uniform(0, 2))
    return (whine * rng.uniform(0.2, 1) + rng.uniform(0, 0.5) * rattle + rng.uniform(0, 0.1) * air) * arch(n, 0.1, 0.15)
