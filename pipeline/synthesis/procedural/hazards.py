"""Hazards: what breaks, falls, bursts or blows, and what is mistaken for it."""

from collections.abc import Callable, Sequence

import numpy as np

from .dsp import (
    RATE,
    Signal,
    add,
    arch,
    band_noise,
    buzz,
    curve,
    decay,
    drift,
    formants,
    highpass,
    lowpass,
    moving_formant,
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
from .human import voiced
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
    return strike(rng, samples(ring + 0.03), between(rng, low_hz, high_hz), shape, ring, noise=noise, noise_hz=noise_hz)


def strew(rng: Rng, n: int, at: Signal, make: Callable[[], Signal], *, spread_db: float = 14.0) -> Signal:
    """Impacts at relative times 0..1, of at most 20 makes, at levels of their own; none straggles, all end in time."""
    out, pool = np.zeros(n), [make()[:n] for _ in range(min(len(at), 20))]
    at = np.sort(at)
    at = at[:1] + np.append(0, np.cumsum(np.minimum(np.diff(at), 0.4 * RATE / n)))
    for start, i in zip(at, rng.integers(0, max(1, len(pool)), len(at)), strict=True):
        add(out, pool[i], int(start * (n - len(pool[i]))), 10 ** (-rng.uniform(0, spread_db) / 20))
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
    jerks = buzz(drift(rng, n, 6, low_hz, high_hz), n, open_quotient=0.15)
    return unit(highpass(formants(jerks, *bands), 90))


# -- blasts and the ground -----------------------------------------------------------------------


@sound("nature", "Explosion; Boom; Rumble", (1.2, 4.5),
       "a powerful explosion shakes everything", "a bomb detonates with a deafening boom",
       "a huge detonation, echoes and debris", criterion="hazard", counterpart="firework_burst")  # fmt: skip
def explosion(rng: Rng, n: int) -> Signal:
    out = np.tanh(rng.uniform(1, 4) * blast(rng, n, between(rng, 0.6, 3)))
    for _ in range(rng.integers(0, 4)):  # echoes
        add(out, lowpass(out, between(rng, 250, 1500)), samples(rng.uniform(0.15, 0.8)), rng.uniform(0.15, 0.5))
    shape, low = ((STONE, 250), (GLASS, 1300), (METAL, 700))[rng.integers(3)]
    debris = strew(rng, n, rng.beta(1.6, 2.5, rng.integers(4, 45)), lambda: piece(rng, low, 4 * low, shape, 0.2))
    return (out + rng.uniform(0, 0.35) * debris) * curve(n, (0, 1), (0.7, 0.6), (1, 0))


@sound("nature", "Rumble; Smash, crash; Crushing", (2.5, 7.0),
       "a building collapses in a cloud of dust", "walls and floors of a tower block cave in and crumble",
       "a tower collapses, slabs crashing down", criterion="hazard", counterpart="gravel_shovelling")  # fmt: skip
def building_collapse(rng: Rng, n: int) -> Signal:
    peak = rng.uniform(0.25, 0.55)
    surge = curve(n, (0, 0.15), (peak, 1), (peak + 0.2, 0.7), (0.85, 0.15), (1, 0))
    slabs = strew(rng, n, rng.beta(2, 2, int(n / RATE * rng.uniform(3, 9))),
                  lambda: piece(rng, 40, 150, WOOD, 0.6, noise=1.5, noise_hz=1200))  # fmt: skip
    count = int(n / RATE * rng.uniform(15, 40))
    rubble = strew(rng, n, rng.beta(2, 2, count), lambda: piece(rng, 180, 1500, STONE, 0.1))
    steel = strew(rng, n, rng.beta(1.5, 3, rng.integers(1, 6)), lambda: piece(rng, 150, 500, PIPE, 0.9))
    dust = unit(band_noise(rng, n, 500, 6000, order=1)) * curve(n, (0, 0), (peak, 0.3), (peak + 0.25, 0.5), (1, 0))
    fall = 0.8 * rumble(rng, n, 350) + slabs + 0.8 * rubble + rng.uniform(0, 0.5) * steel
    return room(fall * surge + 0.5 * dust, rng, t60_s=0.8, wet=0.15) * curve(n, (0, 1), (0.9, 1), (1, 0))


@sound("nature", "Roar; Rumble; Whoosh, swoosh, swish", (4.0, 9.0),
       "an avalanche thunders down the mountain", "a slab avalanche breaks loose and rushes past",
       "a deep whump, then a roaring avalanche", criterion="hazard", counterpart="waterfall_passing")  # fmt: skip
def avalanche(rng: Rng, n: int) -> Signal:
    near = passing(n, rng.uniform(0.5, 0.75), rng.uniform(0.12, 0.3))
    deep = rumble(rng, n, between(rng, 150, 450), turn_hz=rng.uniform(3, 10))
    powder = unit(band_noise(rng, n, 400, 5000, order=0.6)) * drift(rng, n, 4, 0.7, 1)
    out = deep * near + rng.uniform(0.5, 1.2) * powder * near**1.7
    add(out, unit(lowpass(snap(rng, 30, 0.5), between(rng, 80, 250))), 0, rng.uniform(0.2, 0.7))  # the slab lets go
    return out * curve(n, (0, 1), (0.9, 0.8), (1, 0))


@sound("nature", "Rumble; Gurgling; Slosh", (3.0, 7.0),
       "a mudslide sweeps trees and boulders downhill", "a landslide of wet earth roars into the valley",
       "a landslide tearing trees away", criterion="hazard", counterpart="gravel_shovelling")  # fmt: skip
def mudslide(rng: Rng, n: int) -> Signal:
    surge = curve(n, (0, 0.05), (rng.uniform(0.2, 0.6), 1), (0.8, 0.6), (1, 0)) * drift(rng, n, 3, 0.6, 1)
    mud = unit(scatter(rng, n, between(rng, 60, 200), lambda: bubble(rng, 70, 450), kinds=30, spread_db=16))
    slurry = unit(lowpass(band_noise(rng, n, 80, 1800, order=1), between(rng, 500, 1600))) * drift(rng, n, 9, 0.3, 1)
    rocks = strew(rng, n, rng.beta(2, 2, int(n / RATE * rng.uniform(2, 9))), lambda: piece(rng, 60, 280, STONE, 0.2))
    twigs = strew(rng, n, rng.beta(2, 2, rng.integers(3, 15)), lambda: snap(rng, between(rng, 300, 1500), 0.06))
    return (mud + slurry + 0.8 * lowpass(rocks, 1200) + rng.uniform(0.1, 0.6) * twigs) * surge


@sound("nature", "Rumble; Rattle; Vibration", (3.5, 9.0),
       "an earthquake rattles everything in the house", "the ground trembles, an earthquake shaking cupboards",
       "earth tremor with rattling crockery", criterion="hazard", counterpart="truck_passing")  # fmt: skip
def earthquake(rng: Rng, n: int) -> Signal:
    rate, onset = rng.uniform(2.5, 7), rng.uniform(0.08, 0.4)  # the shear wave comes after the first tremble
    force = curve(n, (0, 0), (0.04, 0.2), (onset, 0.3), (onset + 0.08, 1), (0.7, 0.6), (1, 0))
    force *= drift(rng, n, 2, 0.5, 1)
    swing = 0.55 + 0.45 * np.sin(2 * np.pi * np.cumsum(drift(rng, n, 2, rate * 0.8, rate * 1.2)) / RATE)
    beats = np.arange(0.01, 0.97, RATE / n / rate / 2)
    out = 1.1 * rumble(rng, n, between(rng, 90, 220)) * swing
    for low, shape in ((800, CERAMIC), (120, WOOD), (400, METAL), (1500, GLASS)):
        at = np.clip(np.repeat(beats, 2) + rng.uniform(0, 0.06, 2 * len(beats)) * RATE / n, 0, 1)
        out += rng.uniform(0, 0.6) * strew(rng, n, at, lambda f=low, s=shape: piece(rng, f, 3 * f, s, 0.12, noise=0.6))
    return (out + rng.uniform(0, 0.4) * creak(rng, n, 10, 50, (500, 90, 2), (1100, 150, 1)) * swing) * force


# -- giving way ----------------------------------------------------------------------------------


@sound("nature", "Creak; Crack; Splinter; Wood", (1.8, 4.5),
       "a roof beam groans and gives way", "a wooden beam splinters and snaps over your head",
       "rafters creak, crack and give way", criterion="hazard", counterpart="chopping")  # fmt: skip
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
    out += 0.6 * strew(rng, n, late, lambda: piece(rng, 120, 700, WOOD, 0.15))
    return room(out, rng, wet=0.15) * curve(n, (0, 1), (0.9, 0.8), (1, 0))


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


@sound("nature", "Smash, crash; Breaking; Car", (1.0, 3.2),
       "a car crash with crunching metal", "two cars collide head-on",
       "a violent collision, bodywork crumpling", criterion="hazard", counterpart="bowling_pins")  # fmt: skip
def car_crash(rng: Rng, n: int) -> Signal:
    brake, tyre = rng.choice([0.0, 0.3, 0.5]), between(rng, 550, 1100)
    hit = rng.uniform(0.05, 0.3) if brake else 0.0
    skid = creak(rng, n, tyre * 0.92, tyre * 1.08, (1000, 200, 2), (2100, 300, 1))
    out = brake * skid * curve(n, (0, 0), (0.02, 1), (hit + 0.02, 1), (hit + 0.04, 0), (1, 0))
    bang = blast(rng, n, rng.uniform(0.5, 1.1)) + strike(rng, n, between(rng, 60, 130), METAL, 0.5, noise=1.5)
    add(out, bang, int(hit * n), 0.8)
    crush = hit + (0.95 - hit) * rng.beta(0.8, 5, rng.integers(20, 60))
    out += strew(rng, n, crush, lambda: piece(rng, 140, 1300, METAL, 0.14, noise=1.5, noise_hz=6000))
    tinkle = hit + (1 - hit) * rng.beta(1.2, 2.5, rng.integers(10, 50))
    out += rng.uniform(0.2, 0.6) * strew(rng, n, tinkle, lambda: piece(rng, 2200, 5500, GLASS, 0.15, noise=0.3))
    return np.tanh(1.5 * room(out, rng, t60_s=0.5, wet=0.1)) * curve(n, (0, 1), (0.85, 0.8), (1, 0))


@sound("nature", "Smash, crash; Clatter; Thump, thud", (1.4, 3.5),
       "a loaded shelf topples over with a crash", "a tall bookcase tips over and everything crashes down",
       "a wall cupboard tips over with its load", criterion="hazard", counterpart="bowling_pins")  # fmt: skip
def shelf_toppling(rng: Rng, n: int) -> Signal:
    hit = rng.uniform(0.1, 0.45)
    out = rng.uniform(0.1, 0.5) * creak(rng, n, 25, 90, (600, 90, 2), (1500, 200, 1)) * (np.arange(n) < hit * n)
    add(out, strike(rng, n, between(rng, 50, 120), WOOD, 0.5, noise=1.5, noise_hz=1200), int(hit * n))
    for low, shape, t60_s in ((90, WOOD, 0.1), (450, METAL, 0.25), (1300, GLASS, 0.25), (700, CERAMIC, 0.12)):
        at = hit + (0.97 - hit) * rng.beta(1, rng.uniform(2, 6), rng.integers(0, 22))
        out += rng.uniform(0.2, 1) * strew(rng, n, at, lambda f=low, s=shape, t=t60_s: piece(rng, f, 3.2 * f, s, t))
    return room(out, rng, wet=0.15) * curve(n, (0, 1), (0.88, 0.8), (1, 0))


@sound("nature", "Clang; Smash, crash; Clatter", (1.8, 5.0),
       "a scaffold collapses in a rain of steel poles", "scaffolding gives way, tubes clanging on the pavement",
       "scaffold poles and boards come crashing down", criterion="hazard", counterpart="wind_chimes")  # fmt: skip
def scaffold_collapse(rng: Rng, n: int) -> Signal:
    early, late, base = rng.uniform(1, 2), rng.uniform(1.8, 4), between(rng, 130, 420)
    poles = strew(rng, n, rng.beta(early, late, rng.integers(8, 30)), lambda: piece(rng, base, 3 * base, PIPE, 0.9))
    boards = strew(rng, n, rng.beta(early, late, rng.integers(4, 16)), lambda: piece(rng, 80, 320, WOOD, 0.2))
    out = poles + rng.uniform(0.3, 1) * boards + 0.3 * rumble(rng, n, 300) * arch(n, 0.2, 0.5)
    return room(out, rng, t60_s=0.6, wet=0.15) * curve(n, (0, 1), (0.85, 0.8), (1, 0))


@sound("nature", "Creak; Crack", (2.5, 7.0),
       "a steel bridge groans and buckles under load", "the steel structure creaks ominously and cables snap",
       "girders of a pier groan as it gives way", criterion="hazard", counterpart="swing_creaking")  # fmt: skip
def girders_groaning(rng: Rng, n: int) -> Signal:
    out, body = np.zeros(n), between(rng, 120, 320)
    for start in np.linspace(0, 0.6, rng.integers(3, 6)):
        m = int(n * rng.uniform(0.35, 0.5))
        jerks = buzz(between(rng, 25, 130) * curve(m, (0, 1), (0.5, rng.uniform(0.6, 1.8)), (1, 0.8)), m)
        bands = [(body * r, 15 + 8 * r, 2 / r) for r in (1, 1.7, 2.9, 4.4, 6.3, 9.2)]
        add(out, unit(formants(jerks * drift(rng, m, 25, 0.3, 1), *bands)) * arch(m, 0.3, 0.4), int(start * n), 0.6)
    for start in rng.uniform(0.3, 0.85, rng.integers(1, 5)):  # a cable parts: the high part of its wave comes first
        m = samples(0.6)
        twang = sine(between(rng, 1500, 4500) * np.exp(-np.linspace(0, 3.2, m)), m) * decay(m, 0.5)
        add(out, twang + np.pad(snap(rng, 500, 0.06), (0, m))[:m], int(start * n), rng.uniform(0.4, 1))
    return room(out, rng, t60_s=1.2, wet=0.25) * curve(n, (0, 1), (0.88, 1), (1, 0))


@sound("nature", "Crack; Glass", (0.9, 3.0),
       "a windscreen cracks from side to side", "a stone hits the windshield and the crack spreads",
       "laminated glass cracks bit by bit", criterion="hazard", counterpart="ice_cubes")  # fmt: skip
def windscreen_cracking(rng: Rng, n: int) -> Signal:
    out = rng.uniform(0, 1) * strike(rng, n, between(rng, 160, 480), (1, 1.6, 2.2, 3.1), 0.12, noise=2, noise_hz=3500)
    for start in np.arange(0.0, 0.8, rng.uniform(0.15, 0.5) * RATE / n):
        at = np.minimum(1, start + rng.exponential(0.05, rng.integers(5, 25)))
        run = strew(rng, n, at, lambda: piece(rng, 2500, 6500, GLASS, 0.05, noise=1.5, noise_hz=7500), spread_db=20)
        out += rng.uniform(0.3, 1) * run
    return out * curve(n, (0, 1), (0.9, 0.9), (1, 0))


# -- weather, water, fire, animals ---------------------------------------------------------------


@sound("nature", "Roar; Wind; Rumble", (4.0, 10.0),
       "a tornado roars past tearing up everything", "a twister passes over with the roar of a hundred engines",
       "the funnel of a tornado hurls debris about", criterion="hazard", counterpart="waterfall_passing")  # fmt: skip
def tornado(rng: Rng, n: int) -> Signal:
    turn = 2 * np.pi * np.cumsum(drift(rng, n, 1, 1.5, rng.uniform(3, 8))) / RATE
    roar = unit(band_noise(rng, n, 50, between(rng, 300, 1500), order=0.8)) * (1 + rng.uniform(0.2, 0.7) * np.sin(turn))
    whistle = moving_formant(band_noise(rng, n, 300, 4000), drift(rng, n, 0.8, 300, between(rng, 600, 1800)), 50)
    hits = rng.beta(2.5, 2.5, int(n / RATE * rng.uniform(1, 7)))
    wreck = strew(rng, n, hits, lambda: piece(rng, 90, 1200, (WOOD, METAL)[rng.integers(2)], 0.2))
    out = roar + rng.uniform(0.1, 0.6) * unit(whistle) + rng.uniform(0.2, 0.8) * wreck
    return out * passing(n, rng.uniform(0.4, 0.65), rng.uniform(0.15, 0.45))


@sound("nature", "Wind; Rain", (4.0, 10.0),
       "a hurricane shrieks around the house", "hurricane gusts slam the shutters and lash rain",
       "a typhoon screeching and banging at the walls", criterion="hazard", counterpart="wind")  # fmt: skip
def hurricane(rng: Rng, n: int) -> Signal:
    gust = drift(rng, n, rng.uniform(0.5, 1.4), 0.25, 1) ** 1.5
    air, out = band_noise(rng, n, 150, 6000, order=0.5), np.zeros(n)
    for f in rng.uniform(350, 1500, 3):  # wires and gaps sing higher in stronger wind
        out += rng.uniform(0.3, 1) * unit(moving_formant(air, f * (0.6 + 0.8 * gust), 40))
    bangs = strew(rng, n, rng.random(rng.integers(2, 16)), lambda: piece(rng, 90, 400, WOOD, 0.15, noise=1.5))
    lash = unit(band_noise(rng, n, 1800, 7500)) * drift(rng, n, 6, 0.3, 1) * gust
    out += unit(air) + rng.uniform(0.2, 0.9) * lash + rng.uniform(0.3, 1.5) * bangs
    return out * gust * arch(n, 0.08, 0.15)


@sound("nature", "Roar; Water; Gush", (3.0, 8.0),
       "a flash flood surges through the street", "floodwater bursts in, rolling stones and driftwood",
       "brown floodwater rushes down a gorge", criterion="hazard", counterpart="waterfall_passing")  # fmt: skip
def flash_flood(rng: Rng, n: int) -> Signal:
    crest = rng.uniform(0.15, 0.6)
    rise = curve(n, (0, 0.05), (crest, rng.uniform(0.2, 0.6)), (crest + 0.06, 1), (0.85, 0.7), (1, 0))
    low, high = between(rng, 70, 250), between(rng, 1200, 5000)
    torrent = unit(band_noise(rng, n, low, high, order=0.7)) * drift(rng, n, 8, 0.5, 1)
    boil = unit(scatter(rng, n, between(rng, 80, 300), lambda: bubble(rng, 90, 800), kinds=30))
    stones = strew(rng, n, rng.beta(2.5, 2, rng.integers(5, 60)), lambda: piece(rng, 250, 1000, STONE, 0.06))
    return (torrent + rng.uniform(0.3, 0.9) * boil + rng.uniform(0.1, 0.8) * lowpass(stones, 1600)) * rise


@sound("nature", "Fire; Roar; Crackle", (4.0, 10.0),
       "a wildfire roars through dry brush", "a forest fire leaps from tree to tree, bark exploding",
       "flames of a bushfire sweep up the hillside", criterion="hazard", counterpart="fire_crackle")  # fmt: skip
def wildfire(rng: Rng, n: int) -> Signal:
    flare = drift(rng, n, rng.uniform(0.6, 1.8), 0.3, 1)
    roar = unit(band_noise(rng, n, 50, between(rng, 400, 1600), order=0.8)) * drift(rng, n, rng.uniform(5, 12), 0.3, 1)
    roar += rng.uniform(0.1, 0.4) * unit(band_noise(rng, n, 1200, 7000))
    crackle = unit(scatter(rng, n, between(rng, 50, 300), lambda: snap(rng, between(rng, 500, 3000), 0.015),
                           kinds=24, spread_db=24))  # fmt: skip
    sap = strew(rng, n, rng.random(rng.integers(2, 12)), lambda: snap(rng, between(rng, 80, 600), 0.1))
    return (roar + crackle * flare + rng.uniform(0.2, 1) * sap) * flare * arch(n, 0.1, 0.2)


@sound("nature", "Rattle; Snake; Hiss", (1.0, 4.5),
       "a rattlesnake buzzes its tail close by", "a rattlesnake hisses and rattles beside the path",
       "a coiled viper rattles, about to strike", criterion="hazard", counterpart="lawn_sprinkler")  # fmt: skip
def rattlesnake(rng: Rng, n: int) -> Signal:
    rate = rng.uniform(35, 90) * curve(n, (0, 0.7), (0.2, 1), (0.8, 1), (1, 0.8)) * drift(rng, n, 12, 0.93, 1.07)
    turn = np.cumsum(rate) / RATE
    swing = np.where(turn % 2 < 1, 1.0, rng.uniform(0.4, 1)) * np.exp(-rng.uniform(4, 12) * (turn % 1))
    horn = formants(rng.standard_normal(n), (rng.uniform(2500, 4500), 900, 2), (rng.uniform(5000, 7000), 1500, 2))
    level = drift(rng, n, rng.uniform(1, 4), rng.uniform(0.2, 0.9), 1) * arch(n, 0.1, 0.15)
    hiss = unit(band_noise(rng, n, 2000, 7500)) * drift(rng, n, 1.5, -1, 1).clip(0)
    return unit(highpass(horn, 1500) * swing) * level + rng.uniform(0, 0.4) * hiss * arch(n, 0.2, 0.2)


@sound("nature", "Bee, wasp, etc.; Buzz; Insect", (1.8, 6.0),
       "a swarm of angry wasps attacks", "hornets swarm out of their nest and attack",
       "a disturbed wasp nest, hundreds swarm out to attack", criterion="hazard", counterpart="bee_buzz")  # fmt: skip
def wasp_swarm(rng: Rng, n: int) -> Signal:
    out, size = np.zeros(n), between(rng, 0.7, 1.3)  # hornets are larger and beat slower
    for _ in range(rng.integers(4, 10)):
        pitch = rng.uniform(160, 270) / size * drift(rng, n, 4, 0.85, 1.2) * drift(rng, n, 25, 0.98, 1.02)
        wings = highpass(buzz(pitch, n, open_quotient=rng.uniform(0.4, 0.7)), 200)
        out += unit(wings) * drift(rng, n, rng.uniform(0.7, 3), 0.1, 1) ** 3  # each darts near and away
    return out * curve(n, (0, 0), (rng.uniform(0.1, 0.5), 1), (0.85, 0.9), (1, 0))


@sound("nature", "Growling; Canidae, dogs, wolves", (1.6, 5.0),
       "a dog attacks with furious snarls and barking", "a vicious dog lunges, snarling violently",
       "the furious snarling of an attacking guard dog", criterion="hazard", counterpart="dog_panting")  # fmt: skip
def snarling_attack(rng: Rng, n: int) -> Signal:
    size, at = between(rng, 0.75, 1.5), rng.uniform(0.0, 0.5)
    throat = (550 / size, 150, 3), (1300 / size, 220, 2.5), (2700, 400, 1.5)
    snarl = voiced(rng, n, between(rng, 60, 130) / size * drift(rng, n, 10, 0.75, 1.3), *throat, breath=0.6)
    flutter = 0.6 + 0.4 * np.sin(2 * np.pi * np.cumsum(drift(rng, n, 4, 22, 45)) / RATE)
    out = np.tanh(3 * unit(snarl)) * flutter * drift(rng, n, 2.5, 0.3, 0.9) * arch(n, 0.05, 0.1)
    while at < n / RATE - 0.3:
        m = samples(rng.uniform(0.14, 0.28))
        pitch = rng.uniform(330, 460) / size * curve(m, (0, 0.7), (0.25, 1.2), (1, 0.6)) * drift(rng, m, 40, 0.9, 1.1)
        bark = unit(voiced(rng, m, pitch, *throat, breath=0.6))
        add(out, np.tanh(3 * bark) * curve(m, (0, 0), (0.1, 1), (0.6, 0.6), (1, 0)), samples(at), rng.uniform(0.8, 1.5))
        at += rng.uniform(0.25, 1.0)
    return out


@sound("nature", "Roar; Roaring cats (lions, tigers); Growling", (1.1, 3.2),
       "a bear roars close by and charges", "an angry bear growling a few steps away",
       "a lion roars menacingly right behind you", criterion="hazard", counterpart="cow_moo")  # fmt: skip
def bear_roar(rng: Rng, n: int) -> Signal:
    shape = curve(n, (0, 0.7), (rng.uniform(0.15, 0.4), 1.2), (0.7, 1), (1, 0.7))
    pitch = between(rng, 50, 160) * shape * drift(rng, n, 35, 0.75, 1.25)  # a chaotic throat
    throat = buzz(pitch, n) + rng.uniform(0.3, 1) * band_noise(rng, n, 150, 4500)
    mouth = between(rng, 320, 650) * shape
    voice = sum(g * unit(moving_formant(throat, mouth * r, 120 * r)) for r, g in ((1, 1.0), (2.3, 0.7), (4.5, 0.4)))
    rough = 1 + rng.uniform(0.3, 0.8) * np.sin(2 * np.pi * np.cumsum(drift(rng, n, 6, 18, 50)) / RATE)
    level = curve(n, (0, 0), (0.12, 0.9), (0.35, 1), (0.7, 0.6), (1, 0))
    return room(np.tanh(1.5 * voice * rough), rng, wet=0.15) * level


# -- what is mistaken for them -------------------------------------------------------------------


@sound("nature", "Fireworks; Burst, pop; Crackle", (1.2, 3.5),
       "a firework bursts and crackles in the sky", "a festive rocket whistles up and pops into stars",
       "new year's fireworks popping and fizzing")  # fmt: skip
def firework_burst(rng: Rng, n: int) -> Signal:
    pop = int(n * rng.uniform(0.02, 0.5))
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
    blade = between(rng, 500, 1500)

    def stroke() -> Signal:
        m = samples(1.1)
        rub = unit(formants(band_noise(rng, m, 800, 6500), (blade, 90, 2), (blade * 2.3, 160, 2), (5000, 900, 1)))
        push = rub * curve(m, (0, 0), (0.08, 0.7), (0.3, 0.5), (0.34, 0), (1, 0))
        toss = 0.55 + 0.43 * rng.beta(1.2, 2, rng.integers(25, 70))
        return push + 0.7 * strew(rng, m, toss, lambda: piece(rng, 900, 4000, STONE, 0.03, noise_hz=6000))

    return repeat(rng, n, steps(rng, n, rng.uniform(0.9, 1.25), tail_s=1.15), stroke) * curve(
        n, (0, 1), (0.97, 1), (1, 0)
    )


@sound("nature", "Clatter; Roll; Knock", (1.4, 3.5),
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


@sound("nature", "Creak; Squeak", (2.0, 7.0),
       "a playground swing creaks back and forth", "an empty swing creaking on its chains",
       "the slow squeak of a garden swing")  # fmt: skip
def swing_creaking(rng: Rng, n: int) -> Signal:
    out, body, pitch = np.zeros(n), between(rng, 350, 1100), between(rng, 45, 160)
    for i, start in enumerate(steps(rng, n, rng.uniform(0.55, 0.8), tail_s=0.5)):
        m = samples(rng.uniform(0.35, 0.5))
        low = pitch * (1.3 if i % 2 else 1)  # forth is higher than back
        half = creak(rng, m, low, 1.4 * low, (body, 40, 2), (2.4 * body, 90, 1.5), (5.1 * body, 200, 1))
        add(out, half * arch(m, 0.3, 0.4), samples(start))
    return out


@sound("nature", "Glass; Chink, clink", (0.7, 2.5),
       "ice cubes dropped into a tumbler", "ice cubes swirl and clink in a drink",
       "someone stirs lemonade with ice cubes")  # fmt: skip
def ice_cubes(rng: Rng, n: int) -> Signal:
    base = between(rng, 1500, 2800)  # the wall rings at one pitch, a little lower where the cubes lean
    clinks = strew(rng, n, np.append(0, rng.beta(1.2, 1.5, rng.integers(2, 12))),
                   lambda: piece(rng, base * 0.93, base, GLASS, 0.16, noise=0.5, noise_hz=6000))  # fmt: skip
    slosh = unit(scatter(rng, n, 25, lambda: bubble(rng, 500, 1600))) * arch(n, 0.1, 0.4)
    return clinks + rng.uniform(0, 0.3) * slosh


@sound("nature", "Spray; Water; Clicking", (1.2, 6.0),
       "a lawn sprinkler ticks round and round", "water jets from a sprinkler on the lawn",
       "chk-chk-chk of a garden sprinkler")  # fmt: skip
def lawn_sprinkler(rng: Rng, n: int) -> Signal:
    fast = (np.linspace(0, 1, n) + rng.random()) % 1 > rng.uniform(0.6, 0.9)  # the quick way back
    turn = np.cumsum(np.where(fast, rng.uniform(10, 18), rng.uniform(2.5, 7))) / RATE
    jet = unit(band_noise(rng, n, rng.uniform(1200, 2500), 7500)) * (0.15 + np.exp(-rng.uniform(2, 8) * (turn % 1)))
    beats = np.flatnonzero(np.diff(np.floor(turn))) / n
    knocks = strew(rng, n, beats, lambda: piece(rng, 900, 1800, METAL, 0.04), spread_db=4)
    return (jet + rng.uniform(0.2, 0.8) * knocks) * arch(n, 0.08, 0.12)


@sound("nature", "Pant; Dog; Domestic animals, pets", (1.5, 5.0),
       "a dog pants happily after a walk", "a panting dog rests in the shade",
       "quick panting of a dog, tongue out")  # fmt: skip
def dog_panting(rng: Rng, n: int) -> Signal:
    size, rate = between(rng, 0.7, 1.5), rng.uniform(3, 6)
    turn = np.cumsum(rate * drift(rng, n, 1, 0.85, 1.15)) / RATE
    air = band_noise(rng, n, 500, 6000)
    out_breath = unit(formants(air, (900 / size, 250, 2), (1900 / size, 350, 2), (4200, 700, 1)))
    in_breath = unit(formants(air, (1500 / size, 300, 2), (3200 / size, 500, 2)))
    push = np.sin(2 * np.pi * turn)
    return (out_breath * push.clip(0) + rng.uniform(0.2, 0.7) * in_breath * (-push).clip(0)) * arch(n, 0.08, 0.12)
