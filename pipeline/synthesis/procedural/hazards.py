"""Hazards: what breaks, falls, bursts or blows, and what is mistaken for it."""

from collections.abc import Callable, Sequence

import numpy as np

from .dsp import (
    RATE,
    Signal,
    add,
    band_noise,
    buzz,
    curve,
    drift,
    formants,
    lowpass,
    repeat,
    room,
    samples,
    scatter,
    sine,
    steps,
    strike,
    times,
    unit,
)  # fmt: skip
from .home import CERAMIC, GLASS, METAL, WOOD, bubble
from .kind import sound
from .nature import snap
from .traffic import passing

Rng = np.random.Generator

STONE = (1, 1.7, 2.9, 4.3)
PIPE = (1, 2.757, 5.404, 8.933)  # a free bar in bending


def between(rng: Rng, low: float, high: float) -> float:
    """A size, pitch or rate: every octave of the range equally likely."""
    return float(low * (high / low) ** rng.random())


def piece(rng: Rng, low_hz: float, high_hz: float, shape: Sequence[float], t60_s: float, *, noise: float = 1.0,
          noise_hz: float = 4000.0) -> Signal:  # fmt: skip
    """One of many things that fall or knock: its size and its ring drawn anew."""
    ring = t60_s * rng.uniform(0.4, 1)
    pitch = between(rng, low_hz, high_hz)
    return strike(rng, samples(ring + 0.03), pitch, shape, ring, noise=noise, noise_hz=noise_hz)


def strew(rng: Rng, n: int, at: Signal, make: Callable[[], Signal], *, spread_db: float = 14.0) -> Signal:
    """Impacts at relative times 0..1, of at most 20 makes, each at its own level; all end in time."""
    out, pool = np.zeros(n), [make()[:n] for _ in range(min(len(at), 20))]
    for start, which in zip(at, rng.integers(0, max(1, len(pool)), len(at)), strict=True):
        x = pool[which]
        add(out, x, int(start * (n - len(x))), 10 ** (-rng.uniform(0, spread_db) / 20))
    return unit(out)


def rumble(rng: Rng, n: int, cutoff_hz: float, *, turn_hz: float = 6.0) -> Signal:
    """Deep noise that heaves."""
    return unit(band_noise(rng, n, 55, cutoff_hz, order=1.5)) * drift(rng, n, turn_hz, 0.45, 1)


def blast(rng: Rng, n: int, size: float) -> Signal:
    """A pressure wave, positive then negative, and the fireball's roar; greater ones are deeper and last longer."""
    t, push = times(n), 0.003 * size
    wave = 1.5 * (1 - t / push) * np.exp(-t / push)
    crack = unit(band_noise(rng, n, 150, 6000, order=0.7)) * np.exp(-t / (0.05 * size))
    roar = rumble(rng, n, 700 / size, turn_hz=9) * np.exp(-t / (0.3 * size))
    return unit(wave + crack + 1.3 * roar)


def creak(rng: Rng, n: int, low_hz: float, high_hz: float, *bands: tuple[float, float, float]) -> Signal:
    """Stick and slip: an irregular train of jerks through a body."""
    return unit(formants(buzz(drift(rng, n, 6, low_hz, high_hz), n, open_quotient=0.15), *bands))


# -- blasts and the ground -----------------------------------------------------------------------


@sound("nature", "Explosion; Boom; Rumble", (1.2, 4.5),
       "a powerful explosion shakes everything", "a bomb detonates with a deafening boom",
       "a huge detonation, echoes and debris pattering down",
       criterion="hazard", counterpart="firework_burst")  # fmt: skip
def explosion(rng: Rng, n: int) -> Signal:
    out = np.tanh(rng.uniform(1, 4) * blast(rng, n, between(rng, 0.6, 3)))
    for _ in range(rng.integers(0, 4)):  # echoes
        add(out, lowpass(out, between(rng, 250, 1500)), samples(rng.uniform(0.15, 0.8)), rng.uniform(0.15, 0.5))
    shape = (STONE, GLASS, METAL)[rng.integers(3)]
    low = 250 if shape is STONE else 1200
    debris = strew(rng, n, rng.beta(1.6, 2.5, rng.integers(4, 45)), lambda: piece(rng, low, 4 * low, shape, 0.2))
    return (out + rng.uniform(0, 0.35) * debris) * curve(n, (0, 1), (0.7, 0.6), (1, 0))


@sound("nature", "Rumble; Smash, crash; Crumpling, crinkling", (2.5, 7.0),
       "a building collapses in a cloud of dust", "walls and floors of a tower block cave in and crumble",
       "concrete slabs crash down as the house collapses",
       criterion="hazard", counterpart="gravel_shovelling")  # fmt: skip
def building_collapse(rng: Rng, n: int) -> Signal:
    peak = rng.uniform(0.25, 0.55)
    surge = curve(n, (0, 0.15), (peak, 1), (peak + 0.2, 0.7), (0.85, 0.15), (1, 0))
    length = n / RATE
    slabs = strew(rng, n, rng.beta(2, 2, int(length * rng.uniform(3, 9))),
                  lambda: piece(rng, 40, 150, WOOD, 0.6, noise=1.5, noise_hz=1200))  # fmt: skip
    rubble = strew(rng, n, rng.beta(2, 2, int(length * rng.uniform(15, 40))), lambda: piece(rng, 180, 1500, STONE, 0.1))
    steel = strew(rng, n, rng.beta(1.5, 3, rng.integers(1, 6)), lambda: piece(rng, 150, 500, PIPE, 0.9))
    dust = unit(band_noise(rng, n, 500, 6000, order=1)) * curve(n, (0, 0), (peak, 0.3), (peak + 0.25, 0.5), (1, 0))
    fall = 0.8 * rumble(rng, n, 350) + slabs + 0.8 * rubble + rng.uniform(0, 0.5) * steel
    return room(fall * surge + 0.5 * dust, rng, t60_s=0.8, wet=0.15) * curve(n, (0, 1), (0.9, 1), (1, 0))


@sound("nature", "Roar; Rumble; Whoosh, swoosh, swish", (4.0, 9.0),
       "an avalanche thunders down the mountain", "a slab avalanche breaks loose and rushes past",
       "a snow avalanche, a deep whump and a swelling roar",
       criterion="hazard", counterpart="waterfall_passing")  # fmt: skip
def avalanche(rng: Rng, n: int) -> Signal:
    closest, width = rng.uniform(0.5, 0.75), rng.uniform(0.12, 0.3)
    near = passing(n, closest, width)
    deep = rumble(rng, n, between(rng, 150, 450), turn_hz=rng.uniform(3, 10))
    powder = unit(band_noise(rng, n, 400, 5000, order=0.6)) * drift(rng, n, 4, 0.7, 1)
    out = deep * near + rng.uniform(0.5, 1.2) * powder * near**1.7
    whump = lowpass(snap(rng, 30, 0.5), between(rng, 80, 250))
    add(out, unit(whump), 0, rng.uniform(0.2, 0.7))
    return out * curve(n, (0, 1), (0.9, 0.8), (1, 0))


@sound("nature", "Rumble; Gurgling; Slosh", (3.0, 7.0),
       "a mudslide sweeps trees and boulders downhill", "a landslide of wet earth roars into the valley",
       "mud and debris flow, a landslide tearing trees away",
       criterion="hazard", counterpart="gravel_shovelling")  # fmt: skip
def mudslide(rng: Rng, n: int) -> Signal:
    surge = curve(n, (0, 0.05), (rng.uniform(0.2, 0.6), 1), (0.8, 0.6), (1, 0)) * drift(rng, n, 3, 0.6, 1)
    mud = unit(scatter(rng, n, between(rng, 60, 200), lambda: bubble(rng, 70, 450), kinds=30, spread_db=16))
    slurry = unit(lowpass(band_noise(rng, n, 80, 1800, order=1), between(rng, 500, 1600))) * drift(rng, n, 9, 0.3, 1)
    rocks = strew(rng, n, rng.beta(2, 2, int(n / RATE * rng.uniform(2, 9))), lambda: piece(rng, 60, 280, STONE, 0.2))
    twigs = strew(rng, n, rng.beta(2, 2, rng.integers(3, 15)), lambda: snap(rng, between(rng, 300, 1500), 0.06))
    return (mud + slurry + 0.8 * lowpass(rocks, 1200) + rng.uniform(0.1, 0.6) * twigs) * surge


@sound("nature", "Rumble; Rattle; Vibration", (3.5, 9.0),
       "an earthquake rattles everything in the house", "the ground trembles, an earthquake shaking cupboards",
       "earth tremor with rattling crockery and groaning walls",
       criterion="hazard", counterpart="truck_passing")  # fmt: skip
def earthquake(rng: Rng, n: int) -> Signal:
    rate, onset = rng.uniform(2.5, 7), rng.uniform(0.08, 0.4)  # the shear wave comes after the first tremble
    force = curve(n, (0, 0), (0.04, 0.2), (onset, 0.3), (onset + 0.08, 1), (0.7, 0.6), (1, 0)) * drift(
        rng, n, 2, 0.5, 1
    )
    swing = 0.55 + 0.45 * np.sin(2 * np.pi * np.cumsum(drift(rng, n, 2, rate * 0.8, rate * 1.2)) / RATE)
    beats = np.arange(0.01, 0.97, RATE / n / rate / 2)
    out = 1.1 * rumble(rng, n, between(rng, 90, 220)) * swing
    for low, shape in ((800, CERAMIC), (120, WOOD), (400, METAL), (1500, GLASS)):
        at = np.clip(np.repeat(beats, 2) + rng.uniform(0, 0.06, 2 * len(beats)) * RATE / n, 0, 1)
        rattle = strew(rng, n, at, lambda low=low, shape=shape: piece(rng, low, 3 * low, shape, 0.12, noise=0.6))
        out += rng.uniform(0, 0.6) * rattle
    return (out + rng.uniform(0, 0.4) * creak(rng, n, 10, 50, (500, 90, 2), (1100, 150, 1)) * swing) * force


# -- giving way ----------------------------------------------------------------------------------


@sound("nature", "Creak; Crack; Splinter; Wood", (1.8, 4.5),
       "a roof beam groans and gives way", "a wooden beam splinters and snaps over your head",
       "rafters creak, crack and give way", criterion="hazard", counterpart="planks_stacked")  # fmt: skip
def beam_snapping(rng: Rng, n: int) -> Signal:
    fail, body = rng.uniform(0.55, 0.75), between(rng, 250, 600)
    before = curve(n, (0, 0.15), (fail, 1), (min(1, fail + 0.03), 0), (1, 0))
    cracks = strew(rng, n, fail * (1 - rng.random(rng.integers(15, 60)) ** 3),  # ever faster until it fails
                   lambda: snap(rng, between(rng, 400, 2000), rng.uniform(0.01, 0.06)))  # fmt: skip
    strain = creak(rng, n, 12, between(rng, 40, 110), (body, 60, 2), (2.3 * body, 120, 1.5), (4.7 * body, 250, 1))
    out = (cracks + rng.uniform(0.2, 0.8) * strain) * before
    add(out, snap(rng, 200, 0.3), int(fail * n), 1.2)
    add(out, strike(rng, n, between(rng, 55, 140), WOOD, 0.5, noise=1.2, noise_hz=1500), int((fail + 0.04) * n), 0.9)
    late = fail + 0.05 + (0.95 - fail) * rng.beta(1, 2.5, rng.integers(3, 14))
    return room(out + 0.6 * strew(rng, n, late, lambda: piece(rng, 120, 700, WOOD, 0.15)), rng, wet=0.15) * curve(
        n, (0, 1), (0.9, 0.8), (1, 0)
    )


@sound("nature", "Dishes, pots, and pans; Shatter; Smash, crash", (1.0, 2.6),
       "a stack of plates crashes to pieces", "porcelain dishes smash on the floor and shatter",
       "a tray of crockery falls and breaks to pieces", criterion="hazard", counterpart="dishes_clatter")  # fmt: skip
def crockery_crash(rng: Rng, n: int) -> Signal:
    first, low = min(0.6, between(rng, 0.1, 0.6) * RATE / n), between(rng, 450, 1100)
    plates = strew(rng, n, first * rng.random(rng.integers(4, 20)),
                   lambda: piece(rng, low, 2 * low, CERAMIC, 0.12, noise=1.6, noise_hz=7000), spread_db=8)  # fmt: skip
    shards = strew(rng, n, np.minimum(1, first * rng.random(60) + rng.exponential(0.12, 60)),
                   lambda: piece(rng, 1800, 5500, CERAMIC, 0.09, noise=0.5, noise_hz=7000), spread_db=24)  # fmt: skip
    out = plates + rng.uniform(0.5, 1) * shards
    at, gap, gain = first * n / RATE + 0.1, rng.uniform(0.08, 0.16), rng.uniform(0, 0.4)
    while at < n / RATE - 0.1 and gap > 0.02:  # a rim that rolls to rest
        add(out, piece(rng, low * 1.4, low * 1.5, CERAMIC, 0.1, noise=0.3), samples(at), gain)
        at, gap, gain = at + gap, gap * 0.86, gain * 0.88
    return room(out, rng, t60_s=0.4, wet=0.15) * curve(n, (0, 1), (0.85, 0.8), (1, 0))


@sound("nature", "Crash; Breaking; Car; Smash, crash", (1.0, 3.2),
       "a car crash with crunching metal", "two cars collide head-on",
       "a violent collision, bodywork crumpling", criterion="hazard", counterpart="bowling_pins")  # fmt: skip
def car_crash(rng: Rng, n: int) -> Signal:
    hit = rng.uniform(0.0, 0.3)
    skid = creak(rng, n, 500, between(rng, 700, 1100), (1000, 200, 2), (2100, 300, 1))
    out = rng.choice([0.0, 0.3, 0.5]) * skid * curve(n, (0, 0), (0.02, 1), (hit + 0.02, 1), (hit + 0.04, 0), (1, 0))
    bang = blast(rng, n, rng.uniform(0.5, 1.1)) + strike(rng, n, between(rng, 60, 130), METAL, 0.5, noise=1.5)
    add(out, bang, int(hit * n), 0.8)
    crush = hit + (0.95 - hit) * rng.beta(0.8, 5, rng.integers(20, 60))
    out += strew(rng, n, crush, lambda: piece(rng, 140, 1300, METAL, 0.14, noise=1.5, noise_hz=6000))
    tinkle = hit + (1 - hit) * rng.beta(1.2, 2.5, rng.integers(10, 50))
    out += rng.uniform(0.2, 0.6) * strew(rng, n, tinkle, lambda: piece(rng, 2200, 5500, GLASS, 0.15, noise=0.3))
    return np.tanh(1.5 * room(out, rng, t60_s=0.5, wet=0.1)) * curve(n, (0, 1), (0.85, 0.8), (1, 0))


# -- what is mistaken for them -------------------------------------------------------------------


@sound("nature", "Fireworks; Burst, pop; Crackle", (1.2, 3.5),
       "a firework bursts and crackles in the sky", "a festive rocket whistles up and pops into stars",
       "new year's fireworks popping and fizzing")  # fmt: skip
def firework_burst(rng: Rng, n: int) -> Signal:
    pop = int(n * rng.uniform(0.25, 0.5))
    climb = sine(between(rng, 900, 2500) * curve(n, (0, 0.8), (0.5, rng.uniform(0.9, 1.8)), (1, 1)), n)
    hiss = unit(band_noise(rng, n, 1500, 6000))
    out = (rng.uniform(0, 0.2) * climb + 0.12 * hiss) * (np.arange(n) < pop) * curve(n, (0, 0), (0.2, 1), (1, 1))
    add(out, lowpass(blast(rng, n, rng.uniform(0.3, 0.7)), between(rng, 700, 4000)), pop)
    stars = pop / n + (1 - pop / n) * rng.beta(1.5, 2, rng.integers(10, 90))
    out += rng.uniform(0.2, 0.7) * strew(rng, n, stars, lambda: snap(rng, between(rng, 800, 3000), 0.012))
    return room(out, rng, t60_s=1.2, wet=0.25) * curve(n, (0, 1), (0.8, 0.7), (1, 0))


@sound("nature", "Scrape; Crunch; Tools", (1.5, 6.0),
       "a shovel digs into gravel and tips it out", "someone shovels gravel into a wheelbarrow",
       "the scrape and patter of a spade in grit")  # fmt: skip
def gravel_shovelling(rng: Rng, n: int) -> Signal:
    period, blade = rng.uniform(0.9, 1.25), between(rng, 500, 1500)

    def stroke() -> Signal:
        m = samples(1.1)
        rub = unit(formants(band_noise(rng, m, 800, 6500), (blade, 90, 2), (blade * 2.3, 160, 2), (5000, 900, 1)))
        push = rub * curve(m, (0, 0), (0.08, 0.7), (0.3, 0.5), (0.34, 0), (1, 0))
        toss = 0.55 + 0.43 * rng.beta(1.2, 2, rng.integers(25, 70))
        return push + 0.7 * strew(rng, m, toss, lambda: piece(rng, 900, 4000, STONE, 0.03, noise_hz=6000))

    return repeat(rng, n, steps(rng, n, period, tail_s=1.15), stroke) * curve(n, (0, 1), (0.97, 1), (1, 0))


@sound("nature", "Wood; Thump, thud; Tap", (0.6, 3.0),
       "a wooden plank is laid on a pile of boards", "someone stacks planks one by one",
       "planks clack as they are stacked neatly")  # fmt: skip
def planks_stacked(rng: Rng, n: int) -> Signal:
    base, lag = between(rng, 150, 450), rng.uniform(0.03, 0.12)

    def plank() -> Signal:  # one end, then the other
        x = np.zeros(samples(0.45))
        for i, start in enumerate((0.0, lag, lag + rng.uniform(0.05, 0.1))):
            add(x, piece(rng, base, base * 1.25, WOOD, 0.18, noise_hz=2500), samples(start), 0.7**i)
        return x

    starts = steps(rng, n, rng.uniform(0.45, 0.7), tail_s=0.45)
    return room(repeat(rng, n, starts, plank), rng, wet=0.15) * curve(n, (0, 1), (0.95, 1), (1, 0))


@sound("nature", "Bowling; Clatter; Roll", (1.4, 3.5),
       "a bowling ball rolls and knocks over the pins", "ten pins clatter at a bowling alley",
       "a strike at the bowling lane")  # fmt: skip
def bowling_pins(rng: Rng, n: int) -> Signal:
    hit, body = rng.uniform(0.35, 0.6), between(rng, 450, 800)
    ball = unit(lowpass(band_noise(rng, n, 60, 900), 500)) * drift(rng, n, 9, 0.7, 1)
    out = rng.uniform(0.2, 0.5) * ball * curve(n, (0, 0.1), (hit, 1), (min(1, hit + 0.08), 0), (1, 0))
    at = hit + (0.97 - hit) * rng.beta(0.8, rng.uniform(3, 6), rng.integers(10, 28))
    out += strew(rng, n, at, lambda: piece(rng, body, body * 1.9, WOOD, 0.13, noise_hz=5000), spread_db=16)
    return room(out, rng, t60_s=0.7, wet=0.25) * curve(n, (0, 1), (0.88, 0.9), (1, 0))


@sound("nature", "Waterfall; Water", (3.0, 9.0),
       "a waterfall heard while walking past", "the rush of a waterfall swells and recedes",
       "white water pouring over a ledge")  # fmt: skip
def waterfall_passing(rng: Rng, n: int) -> Signal:
    fall = unit(band_noise(rng, n, between(rng, 150, 500), between(rng, 2500, 7000), order=0.7))
    spray = unit(scatter(rng, n, 250, lambda: bubble(rng, 300, 2200), kinds=30, spread_db=16))
    near = passing(n, rng.uniform(0.35, 0.65), rng.uniform(0.25, 0.6))
    return (fall * drift(rng, n, 2, 0.85, 1) + rng.uniform(0.2, 0.7) * spray) * near
