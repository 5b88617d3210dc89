"""Calls of animals that carry far: no danger, though some resemble a scream, a cry or a horn."""

import numpy as np

from .dsp import (
    Signal,
    add,
    arch,
    band_noise,
    buzz,
    curve,
    drift,
    formants,
    harmonic,
    moving_formant,
    rolloff,
    room,
    samples,
    unit,
)  # fmt: skip
from .human import voiced
from .kind import sound

Rng = np.random.Generator


@sound("nature", "Goat; Bleat; Livestock, farm animals, working animals", (0.6, 1.6),
       "a goat bleats", "a billy goat calling from its pen", "the shaky bleating of a young goat")  # fmt: skip
def goat_bleat(rng: Rng, n: int) -> Signal:
    shake = np.sin(2 * np.pi * rng.uniform(11, 18) * np.arange(n) / 16_000)
    pitch = rng.uniform(240, 520) * curve(n, (0, 0.85), (0.15, 1.1), (0.7, 1.0), (1, 0.8)) * (1 + 0.04 * shake)
    size = rng.uniform(0.8, 1.25)
    voice = voiced(rng, n, pitch, (900 * size, 140, 3), (1800 * size, 200, 2), (3100, 300, 1.5), breath=0.3)
    return unit(voice) * (0.55 + 0.45 * shake) * arch(n, 0.08, 0.25)


@sound("nature", "Donkey, ass; Livestock, farm animals, working animals", (2.4, 5.0),
       "a donkey brays", "a donkey's hee-haw from the paddock", "the see-saw braying of an old donkey")  # fmt: skip
def donkey_bray(rng: Rng, n: int) -> Signal:
    out, at, base, cycle = np.zeros(n), 0.0, rng.uniform(230, 330), rng.uniform(0.75, 1.05)
    while at + cycle < n / 16_000 + 0.05:
        drawn_in, out_again = samples(cycle * 0.42), samples(cycle * 0.5)
        high = voiced(rng, drawn_in, base * rng.uniform(2.2, 2.9) * curve(drawn_in, (0, 0.9), (1, 1.1)),
                      (1300, 250, 2), (2400, 350, 2), breath=1.2)  # fmt: skip
        low = voiced(rng, out_again, base * curve(out_again, (0, 1.05), (1, 0.8)),
                     (650, 140, 3), (1250, 200, 2), (2600, 350, 1), breath=0.5)  # fmt: skip
        add(out, unit(high) * arch(drawn_in, 0.3, 0.2), samples(at), 0.5)
        add(out, np.tanh(2 * unit(low)) * arch(out_again, 0.1, 0.3), samples(at + cycle * 0.45), rng.uniform(0.7, 1))
        at += cycle
    return room(out, rng, t60_s=0.4, wet=0.15)


@sound("nature", "Goose; Honk; Fowl", (0.4, 2.5),
       "a goose honks", "geese honking on the village pond", "a wild goose calls as it takes off")  # fmt: skip
def goose_honk(rng: Rng, n: int) -> Signal:
    out, at, base = np.zeros(n), 0.0, rng.uniform(330, 520)
    while (m := min(samples(rng.uniform(0.2, 0.4)), n - samples(at))) > 1600:
        pitch = base * curve(m, (0, 0.75), (0.3, 1.25), (1, 0.9)) * rng.uniform(0.95, 1.08)
        voice = voiced(rng, m, pitch, (1150, 150, 3), (1900, 220, 2.5), (3000, 350, 1), breath=0.3)
        add(out, np.tanh(1.8 * unit(voice)) * arch(m, 0.12, 0.3), samples(at), rng.uniform(0.6, 1))
        at += m / 16_000 + rng.uniform(0.08, 0.35)
    return out


@sound("nature", "Neigh, whinny; Horse", (1.2, 2.6),
       "a horse whinnies", "a mare neighs across the field", "the trembling neigh of a stallion")  # fmt: skip
def horse_whinny(rng: Rng, n: int) -> Signal:
    shake = np.sin(np.cumsum(curve(n, (0, 9), (1, 14)) * drift(rng, n, 3, 0.9, 1.1)) * 2 * np.pi / 16_000)
    fall = curve(n, (0, 0.7), (0.15, 1.3), (0.4, 1.1), (0.8, 0.6), (1, 0.4))
    pitch = rng.uniform(550, 950) * fall * (1 + 0.08 * shake)
    voice = voiced(rng, n, pitch, (1100, 220, 2.5), (2000, 300, 2), (3300, 450, 1.5), breath=0.35)
    return unit(voice) * (0.65 + 0.35 * shake) * arch(n, 0.1, 0.45)


@sound("nature", "Gull, seagull; Bird; Squawk", (0.9, 3.5),
       "a seagull cries over the harbour", "gulls squawk above a fishing boat",
       "the laughing squawk of a herring gull")  # fmt: skip
def seagull_cry(rng: Rng, n: int) -> Signal:
    out, at, base, quick = np.zeros(n), 0.0, rng.uniform(850, 1350), rng.uniform(0.7, 1.3)
    while (m := min(samples(rng.uniform(0.22, 0.55) * quick), n - samples(at))) > 1600:
        pitch = base * curve(m, (0, 0.7), (0.25, 1.2), (0.7, 1.05), (1, 0.75)) * drift(rng, m, 15, 0.97, 1.03)
        cry = harmonic(pitch, m, rolloff(7, 0.6)) + 0.15 * band_noise(rng, m, 1500, 6000)
        add(out, np.tanh(1.5 * unit(cry)) * arch(m, 0.15, 0.35), samples(at), rng.uniform(0.5, 1))
        at += m / 16_000 + rng.uniform(0.05, 0.25)
    return room(out, rng, t60_s=0.5, wet=0.15)


@sound("nature", "Turkey; Gobble; Fowl", (0.8, 1.8),
       "a turkey gobbles", "gobbling of a farmyard turkey", "a tom turkey gives its rolling gobble")  # fmt: skip
def turkey_gobble(rng: Rng, n: int) -> Signal:
    rate = rng.uniform(9, 13)
    roll = np.abs(np.sin(np.cumsum(curve(n, (0, 1.25), (1, 0.85)) * rate) * np.pi / 16_000))
    pitch = rng.uniform(420, 620) * (0.75 + 0.5 * roll) * curve(n, (0, 1), (0.3, 1.15), (1, 0.8))
    throat = moving_formant(buzz(pitch, n), (900 + 700 * roll) * rng.uniform(0.9, 1.1), 180)
    return unit(throat) * (0.25 + 0.75 * roll) * arch(n, 0.08, 0.25)


@sound("nature", "Pig; Oink; Livestock, farm animals, working animals", (0.4, 2.4),
       "a pig oinks", "a sow grunts in the sty", "short oinking grunts of a farmyard pig")  # fmt: skip
def pig_oink(rng: Rng, n: int) -> Signal:
    out, at, rate = np.zeros(n), 0.0, rng.uniform(55, 95)
    while (m := min(samples(rng.uniform(0.14, 0.32)), n - samples(at))) > 1600:
        snort = buzz(
            rate * curve(m, (0, 0.9), (0.5, 1.3), (1, 0.8)) * drift(rng, m, 30, 0.8, 1.2), m, open_quotient=0.3
        )
        nose = formants(snort + 0.5 * band_noise(rng, m, 200, 3000), (380, 110, 3), (1150, 180, 2.5), (2300, 300, 1))
        add(out, unit(nose) * arch(m, 0.2, 0.4), samples(at), rng.uniform(0.6, 1))
        at += m / 16_000 + rng.uniform(0.06, 0.3)
    return out


@sound("nature", "Bird; Squawk; Bird vocalization, bird call, bird song", (0.4, 1.4),
       "a parrot squawks in its cage", "a cockatoo gives a raucous squawk",
       "one rough squawk from a macaw")  # fmt: skip
def parrot_squawk(rng: Rng, n: int) -> Signal:
    pitch = (
        rng.uniform(650, 1200) * curve(n, (0, 0.8), (0.2, 1.2), (0.6, 1.0), (1, 0.7)) * drift(rng, n, 70, 0.85, 1.15)
    )
    voice = voiced(rng, n, pitch, (1700, 400, 2.5), (2900, 500, 2.5), (4300, 700, 1.5), breath=0.8)
    return np.tanh(2.5 * unit(voice)) * arch(n, 0.06, 0.3)


@sound("nature", "Peafowl; Bird vocalization, bird call, bird song; Squawk", (0.8, 2.6),
       "a peacock calls in the park", "peafowl mewing from a garden wall",
       "the drawn-out may-awe of a peacock")  # fmt: skip
def peacock_call(rng: Rng, n: int) -> Signal:
    out, at, base = np.zeros(n), 0.0, rng.uniform(600, 850)
    while (m := min(samples(rng.uniform(0.55, 0.85)), n - samples(at))) > 4800:
        pitch = base * curve(m, (0, 0.7), (0.45, 1.35), (0.75, 1.25), (1, 0.7))
        voice = voiced(rng, m, pitch, (1000, 180, 2.5), (1900, 250, 2.5), (3000, 350, 1), breath=0.15)
        add(out, np.tanh(1.5 * unit(voice)) * arch(m, 0.2, 0.3), samples(at), rng.uniform(0.7, 1))
        at += m / 16_000 + rng.uniform(0.1, 0.35)
    return room(out, rng, t60_s=0.6, wet=0.2)


@sound("nature", "Cluck; Chicken, rooster; Fowl", (0.8, 3.5),
       "a hen clucks", "chickens clucking around the coop", "a broody hen cluck-cluck-clucks")  # fmt: skip
def hen_cluck(rng: Rng, n: int) -> Signal:
    out, at, base = np.zeros(n), 0.0, rng.uniform(380, 620)
    while (m := min(samples(rng.uniform(0.06, 0.14)), n - samples(at))) > 900:
        long = rng.random() < 0.2 and at + 0.5 < n / 16_000
        m = samples(rng.uniform(0.3, 0.45)) if long else m
        pitch = base * (curve(m, (0, 0.8), (0.6, 1.7), (1, 1.2)) if long else curve(m, (0, 1.2), (1, 0.75)))
        voice = voiced(rng, m, pitch, (1000, 180, 3), (2000, 300, 2), (3200, 400, 1), breath=0.3)
        add(out, unit(voice) * arch(m, 0.1, 0.4), samples(at), rng.uniform(0.5, 1))
        at += m / 16_000 + rng.uniform(0.12, 0.4)
    return out
