"""Things that break, knock, slide, run and flow."""

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
    highpass,
    lowpass,
    phase,
    rolloff,
    room,
    samples,
    strike,
    times,
    unit,
)
from pipeline.synthesis.procedural.human import clap
from pipeline.synthesis.procedural.nature import GLASS, snap

from .kind import Rng, contour, ratio, repeated, seconds, varied

METAL_BAR = (1, 2.76, 5.4, 8.9)
WOOD = (1, 1.6, 2.3, 3.4, 4.9)


def sprinkled(rng: Rng, n: int, per_second: float, end: int) -> list[int]:
    """Random onsets, none in the last `end` samples."""
    return rng.integers(0, max(1, n - end), max(1, int(per_second * seconds(n)))).tolist()


# -- hazards -------------------------------------------------------------------------------------


@varied(0.45, 1.8)
def glass_breaking(rng: Rng, n: int) -> Signal:
    crash = unit(highpass(rng.standard_normal(n), ratio(rng, 600, 3500))) * decay(n, rng.uniform(0.08, 0.5))
    out = crash * rng.uniform(0.2, 1)
    blow = strike(
        rng,
        n,
        ratio(rng, 350, 1600),
        GLASS,
        rng.uniform(0.08, 0.5),
        noise=rng.uniform(0.5, 2),
        noise_hz=rng.uniform(4e3, 7e3),
    )
    add(out, blow, 0, rng.uniform(0.2, 1))
    fall = rng.uniform(0.5, 3)
    for delay_s in rng.exponential(seconds(n) * rng.uniform(0.08, 0.3), int(ratio(rng, 8, 90))):
        if delay_s < 0.85 * seconds(n):
            shard = strike(
                rng, samples(0.4), ratio(rng, 1200, 6000), GLASS, ratio(rng, 0.03, 0.4), noise=rng.uniform(0.1, 0.6)
            )
            add(out, shard, samples(0.01 + delay_s), rng.uniform(0.05, 0.7) * np.exp(-fall * delay_s))
    edge = curve(n, (0, 1), (0.8, 0.8), (1, 0))
    return room(out, rng, t60_s=rng.uniform(0.1, 0.8), wet=rng.uniform(0.02, 0.35)) * edge


@varied(2.0, 7.0)
def thunder_close(rng: Rng, n: int) -> Signal:
    rumble = unit(lowpass(coloured_noise(rng, n, rng.uniform(1.5, 2.3), low_hz=35), ratio(rng, 120, 700)))
    out = rumble * drift(rng, n, rng.uniform(1.5, 6), 0.3, 1) * rng.uniform(0.4, 1.2)
    for onset_s in (0.0, *rng.uniform(0.02, 1.2, rng.integers(2, 10))):
        m = samples(rng.uniform(0.2, 1.2))
        crack = unit(band_noise(rng, m, ratio(rng, 80, 400), ratio(rng, 1500, 7000), order=0.7))
        add(out, crack * decay(m, rng.uniform(0.15, 0.9)), samples(onset_s), rng.uniform(0.3, 1.1))
    return room(out, rng, t60_s=rng.uniform(0.6, 2.5), wet=rng.uniform(0.1, 0.5)) * curve(n, (0, 1), (0.6, 0.8), (1, 0))


@varied(0.5, 4.0)
def tyre_screech(rng: Rng, n: int) -> Signal:
    tremble = rng.uniform(0.01, 0.08)
    pitch = ratio(rng, 450, 2400) * contour(rng, n, 0.85, 1.15)
    pitch = pitch * drift(rng, n, rng.uniform(6, 40), 1 - tremble, 1 + tremble)
    out = np.zeros(n)
    for _ in range(rng.integers(1, 5)):
        slide = pitch * rng.uniform(0.7, 1.6) * drift(rng, n, rng.uniform(5, 30), 0.97, 1.03)
        out += harmonic(slide, n, rolloff(int(rng.integers(1, 6)), rng.uniform(0.3, 1.5))) * rng.uniform(0.3, 1)
    out = unit(out)
    if rng.random() < 0.5:
        middle = ratio(rng, 600, 3000)
        scrape = band_noise(rng, n, middle * rng.uniform(0.6, 0.9), middle * rng.uniform(1.1, 1.8), order=3)
        out = unit(out * rng.uniform(0.1, 1) + scrape * rng.uniform(0.1, 0.5))
    out = out + ratio(rng, 0.02, 0.6) / 3 * band_noise(rng, n, rng.uniform(200, 900), rng.uniform(3000, 7000))
    flutter = 1 + rng.uniform(0, 0.6) * np.sin(phase(drift(rng, n, 5, 15, 80), n))
    return out * flutter * arch(n, rng.uniform(0.01, 0.3), rng.uniform(0.1, 0.6))


@varied(0.8, 4.0)
def tree_cracking(rng: Rng, n: int) -> Signal:
    out, breaks = np.zeros(n), rng.uniform(0.1, 0.6)
    for at in rng.beta(2, 2, int(ratio(rng, 10, 150))) * breaks * 1.3:
        add(out, snap(rng, ratio(rng, 200, 2500), ratio(rng, 0.01, 0.1)), int(at * n), ratio(rng, 0.1, 1))
    creak = buzz(drift(rng, n, 5, 12, ratio(rng, 40, 120)), n, open_quotient=rng.uniform(0.1, 0.3))
    wood = (ratio(rng, 250, 900), 80, 2), (ratio(rng, 700, 2500), 130, 2)
    out += (
        rng.uniform(0, 0.8) * unit(formants(creak, *wood)) * curve(n, (0, 0.5), (breaks, 1), (breaks + 0.1, 0), (1, 0))
    )
    leaves = unit(band_noise(rng, n, ratio(rng, 500, 2000), 7000))
    out += rng.uniform(0, 0.8) * leaves * curve(n, (0, 0), (breaks, 0.1), (breaks + 0.2, 1), (1, 0))
    add(out, thump(rng, samples(0.8)), int(n * min(0.9, breaks + rng.uniform(0.05, 0.25))), rng.uniform(0.3, 1.5))
    return room(out, rng, t60_s=rng.uniform(0.2, 1.2), wet=rng.uniform(0, 0.4))


@varied(1.2, 6.0)
def rockfall(rng: Rng, n: int) -> Signal:
    out, surge = np.zeros(n), rng.uniform(0.15, 0.6)
    for at in rng.beta(1.5, 1.5 * (1 - surge) / surge, int(ratio(rng, 8, 60) * seconds(n))):
        rock = strike(
            rng,
            samples(0.3),
            ratio(rng, 70, 1200),
            WOOD,
            ratio(rng, 0.03, 0.25),
            noise=rng.uniform(0.8, 3),
            noise_hz=ratio(rng, 1000, 6000),
        )
        add(out, rock, int(at * n * 0.95), ratio(rng, 0.1, 1))
    rumble = unit(lowpass(coloured_noise(rng, n, rng.uniform(1, 2.2), low_hz=40), ratio(rng, 150, 1500)))
    out = unit(out) + rng.uniform(0.1, 1.2) * rumble * drift(rng, n, 6, 0.3, 1)
    return room(out, rng, t60_s=rng.uniform(0.3, 1.5), wet=rng.uniform(0.05, 0.5)) * curve(
        n, (0, 0.2), (surge, 1), (1, 0)
    )


@varied(1.5, 8.0)
def hailstorm(rng: Rng, n: int) -> Signal:
    base, material = ratio(rng, 250, 2500), WOOD if rng.random() < 0.6 else METAL_BAR
    stones = [
        strike(
            rng, samples(0.12), base * ratio(rng, 0.5, 2), material, ratio(rng, 0.02, 0.12), noise=1.5, noise_hz=6000
        )
        for _ in range(12)
    ]
    out = np.zeros(n)
    for at in sprinkled(rng, n, ratio(rng, 25, 250), 800):
        add(out, stones[rng.integers(12)], at, ratio(rng, 0.1, 1))
    return unit(out) + rng.uniform(0, 0.3) * unit(band_noise(rng, n, 600, 6000))


# -- at home -------------------------------------------------------------------------------------


def thump(rng: Rng, m: int) -> Signal:
    return strike(
        rng,
        m,
        ratio(rng, 50, 500),
        WOOD,
        ratio(rng, 0.04, 0.4),
        noise=rng.uniform(0.5, 3),
        noise_hz=ratio(rng, 600, 6000),
    )


@varied(0.25, 1.5)
def door_close(rng: Rng, n: int) -> Signal:
    out = np.zeros(n)
    for at in rng.uniform(0, 0.4, rng.integers(1, 5)):
        add(out, thump(rng, samples(0.4)), int(at * n), rng.uniform(0.3, 1))
    if rng.random() < 0.5:
        add(out, unit(band_noise(rng, n // 2, 200, 3000)) * arch(n // 2, 0.3, 0.3), 0, rng.uniform(0.02, 0.3))
    return room(out, rng, t60_s=rng.uniform(0.1, 1), wet=rng.uniform(0.05, 0.5))


@varied(0.4, 3.0)
def door_open(rng: Rng, n: int) -> Signal:
    creak = buzz(contour(rng, n, 20, ratio(rng, 60, 500)), n, open_quotient=rng.uniform(0.1, 0.5))
    wood = (ratio(rng, 300, 900), 80, 2), (ratio(rng, 900, 2500), 150, 2), (ratio(rng, 2000, 4500), 250, 1)
    out = unit(formants(creak, *wood)) * drift(rng, n, 6, 0, 1) * rng.uniform(0.1, 1)
    add(out, thump(rng, samples(0.3)), int(n * rng.uniform(0, 0.7)), rng.uniform(0.3, 1))
    return room(out, rng, t60_s=0.3, wet=0.2)


@varied()
def footsteps_wood(rng: Rng, n: int) -> Signal:
    base, bright = ratio(rng, 60, 350), ratio(rng, 300, 5000)

    def step(m: int) -> Signal:
        length_s, noise = ratio(rng, 0.03, 0.15), rng.uniform(0.8, 3)
        return strike(rng, m, base * rng.uniform(0.9, 1.1), (1, 1.7, 2.6, 3.9), length_s, noise=noise, noise_hz=bright)

    return repeated(rng, n, step, (0.12, 0.2), (0.15, 0.7))


@varied()
def keyboard_typing(rng: Rng, n: int) -> Signal:
    def key(m: int) -> Signal:
        return strike(rng, m, ratio(rng, 700, 4000), (1, 1.5, 2.7), ratio(rng, 0.01, 0.05), noise=2, noise_hz=7000)

    return repeated(rng, n, key, (0.03, 0.06), (0.02, 0.3))


@varied()
def dishes_clatter(rng: Rng, n: int) -> Signal:
    out = np.zeros(n)
    for at in rng.uniform(0, 0.8, rng.integers(1, 14)):
        material = GLASS if rng.random() < 0.5 else METAL_BAR
        dish = strike(
            rng, samples(0.5), ratio(rng, 400, 4500), material, ratio(rng, 0.04, 0.6), noise=rng.uniform(0.1, 1)
        )
        add(out, dish, int(at * n), rng.uniform(0.2, 1))
    return out


# -- machines, hands, fire, water, sky -----------------------------------------------------------


@varied()
def engine_start(rng: Rng, n: int) -> Signal:
    firing = harmonic(
        ratio(rng, 18, 140) * contour(rng, n, 0.7, 1.5), n, rolloff(40, rng.uniform(0.1, 1)) * rng.uniform(0.2, 1, 40)
    )
    body = (
        np.tanh(unit(firing) * ratio(rng, 0.5, 3)) * drift(rng, n, 3, 0.4, 1) * curve(n, (0, 0.3), (0.3, 1), (1, 0.6))
    )
    return body + rng.uniform(0.01, 0.16) * coloured_noise(rng, n, 1)


@varied()
def helicopter(rng: Rng, n: int) -> Signal:
    beat = np.abs(np.sin(np.pi * rng.uniform(8, 30) * times(n))) ** rng.uniform(1, 6)
    whine = unit(harmonic(ratio(rng, 60, 400), n, rolloff(12, rng.uniform(0.3, 1))))
    air = unit(band_noise(rng, n, 500, 6000))
    blades = unit(coloured_noise(rng, n, rng.uniform(0.5, 2))) * beat
    return blades + rng.uniform(0.1, 1) * whine + rng.uniform(0.05, 0.5) * air


@varied()
def applause(rng: Rng, n: int) -> Signal:
    out = np.zeros(n)
    for at in sprinkled(rng, n, ratio(rng, 15, 400), 800):
        add(out, clap(rng), at, rng.uniform(0.2, 1))
    return (unit(out) + rng.uniform(0, 0.8) * unit(band_noise(rng, n, 600, 4000))) * drift(
        rng, n, rng.uniform(0.5, 3), 0.5, 1
    )


@varied()
def fire_crackle(rng: Rng, n: int) -> Signal:
    out = np.zeros(n)
    for at in sprinkled(rng, n, ratio(rng, 5, 120), 400):
        add(out, snap(rng, ratio(rng, 300, 3000), ratio(rng, 0.004, 0.04)), at, ratio(rng, 0.05, 1))
    roar = unit(coloured_noise(rng, n, rng.uniform(0.3, 1.6))) * drift(rng, n, 3, 0.4, 1)
    return unit(out) + rng.uniform(0.02, 0.6) * roar


@varied()
def stream(rng: Rng, n: int) -> Signal:
    band = ratio(rng, 200, 2000), ratio(rng, 2500, 7900)
    out = unit(band_noise(rng, n, *band, order=rng.uniform(0.4, 1.5)))
    out = out * drift(rng, n, rng.uniform(0.5, 8), rng.uniform(0.2, 0.9), 1)
    for at in sprinkled(rng, n, ratio(rng, 1, 60), 1600):
        m = samples(rng.uniform(0.01, 0.09))
        drop = harmonic(ratio(rng, 400, 3000) * curve(m, (0, 1), (1, rng.uniform(1, 1.6))), m, (1,)) * decay(m, 0.06)
        add(out, drop, at, rng.uniform(0.1, 0.8))
    return out


@varied()
def water_tap(rng: Rng, n: int) -> Signal:
    return stream(rng, n)


@varied()
def thunder_distant(rng: Rng, n: int) -> Signal:
    rumble = unit(lowpass(coloured_noise(rng, n, rng.uniform(1.8, 2.6), low_hz=25), ratio(rng, 80, 300)))
    return rumble * drift(rng, n, rng.uniform(1, 4), 0.1, 1) * arch(n, rng.uniform(0.1, 0.4), 0.5)
