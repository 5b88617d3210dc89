"""Daily living: what is set down, poured, cooked, opened and handled in a home."""

import numpy as np

from .dsp import (
    Signal,
    add,
    arch,
    band_noise,
    coloured_noise,
    curve,
    decay,
    drift,
    formants,
    harmonic,
    moving_formant,
    repeat,
    rolloff,
    room,
    samples,
    scatter,
    sine,
    steps,
    strike,
    unit,
)  # fmt: skip
from .kind import sound

Rng = np.random.Generator

CERAMIC = (1, 2.32, 3.9, 5.7, 7.4)
GLASS = (1, 1.72, 2.83, 4.1, 5.6)
WOOD = (1, 1.9, 3.2, 4.7, 6.9)
METAL = (1, 1.51, 2.24, 3.17, 4.46, 5.9)


def bubble(rng: Rng, low_hz: float = 400, high_hz: float = 1800) -> Signal:
    """A rising, quickly dying chirp: an air bubble in water."""
    n = samples(rng.uniform(0.02, 0.06))
    f = rng.uniform(low_hz, high_hz)
    return sine(f * curve(n, (0, 1), (1, rng.uniform(1.2, 1.7))), n) * decay(n, rng.uniform(0.03, 0.07))


def tick(rng: Rng, low_hz: float = 1800, high_hz: float = 5000, t60_s: float = 0.02) -> Signal:
    """A small dry click."""
    n = samples(t60_s * 1.6)
    ring = strike(rng, n, rng.uniform(low_hz, high_hz) / 2, (1, 1.7, 2.6), t60_s, noise=1.2, noise_hz=7000)
    return ring * np.linspace(1, 0, n)


def motor(rng: Rng, n: int, base_hz: float, harmonics: int = 24, power: float = 0.8) -> Signal:
    """A running electric motor: harmonics with uneven levels and a barely wandering pitch."""
    levels = rolloff(harmonics, power) * rng.uniform(0.3, 1.0, harmonics)
    return unit(harmonic(base_hz * drift(rng, n, 1.0, 0.99, 1.01), n, levels))


# -- struck and set down -------------------------------------------------------------------------


@sound("daily_living", "Dishes, pots, and pans; Tap; Chink, clink", (0.35, 0.8),
       "a ceramic mug set on a wooden table", "someone puts a coffee cup down on a table",
       "a cup placed gently on wood")  # fmt: skip
def cup_on_table(rng: Rng, n: int) -> Signal:
    out = strike(rng, n, rng.uniform(130, 210), WOOD, 0.14, noise=0.7, noise_hz=1800)
    add(out, strike(rng, n, rng.uniform(1100, 1700), CERAMIC, 0.12, noise=0.2), samples(0.004), 0.5)
    add(out, strike(rng, n, rng.uniform(1100, 1700), CERAMIC, 0.08), samples(rng.uniform(0.05, 0.1)), 0.25)
    return room(out, rng, t60_s=0.4, wet=0.25)


@sound("daily_living", "Glass; Chink, clink", (0.6, 1.4),
       "a drinking glass set down on a table", "someone puts an empty glass on a stone counter",
       "a glass placed softly, one light clink")  # fmt: skip
def glass_set_down(rng: Rng, n: int) -> Signal:
    base, gap, at, gain = rng.uniform(1700, 2500), n / 16_000 * 0.28, 0.0, 1.0
    out = strike(rng, n, rng.uniform(150, 220), WOOD, 0.1, noise=0.6, noise_hz=1500) * 0.45
    while gain > 0.06:  # it wobbles on its foot before it stands
        add(out, strike(rng, n, base, GLASS, 0.3, noise=0.15), samples(at), gain)
        at, gap, gain = at + gap, gap * 0.7, gain * 0.45
    return room(out, rng, t60_s=0.4, wet=0.15)


@sound("daily_living", "Dishes, pots, and pans; Cutlery, silverware; Clatter", (1.2, 4.0),
       "dishes clattering in a kitchen sink", "plates and cutlery rattle while someone washes up",
       "a stack of dishes being put away noisily")  # fmt: skip
def dishes_clatter(rng: Rng, n: int) -> Signal:
    def hit() -> Signal:
        shape, low, high = (CERAMIC, 700, 1900) if rng.random() < 0.6 else (METAL, 1800, 3200)
        return strike(rng, samples(0.35), rng.uniform(low, high), shape, rng.uniform(0.1, 0.3), noise=0.4)

    starts = np.sort(rng.uniform(0.0, n / 16_000 - 0.35, max(6, int(n / 16_000 * 7))))
    return room(repeat(rng, n, starts, hit, spread_db=14), rng, t60_s=0.3, wet=0.2)


@sound("daily_living", "Coin (dropping); Bouncing; Ding", (0.8, 1.6),
       "a coin drops on the floor and spins", "a small metal coin falls and rings",
       "coin dropped on hard tiles")  # fmt: skip
def coin_drop(rng: Rng, n: int) -> Signal:
    out, at, gap, gain, base = np.zeros(n), 0.0, rng.uniform(0.2, 0.28), 1.0, rng.uniform(2600, 3600)
    while at < n / 16_000 - 0.1 and gap > 0.012:
        m = n - samples(at)
        add(out, strike(rng, m, base, (1, 1.53, 2.1), min(0.35, m / 16_000), noise=0.2), samples(at), gain)
        at, gap, gain = at + gap, gap * 0.78, gain * 0.8
    return out * curve(n, (0, 1), (0.8, 1), (1, 0))


@sound("daily_living", "Keys jangling; Jingle, tinkle", (0.8, 2.5),
       "a bunch of keys jangling", "someone shakes a metal key ring",
       "keys jingle as they are picked up")  # fmt: skip
def keys_jangle(rng: Rng, n: int) -> Signal:
    m = samples(0.18)
    shower = scatter(
        rng, n, 28, lambda: strike(rng, m, rng.uniform(2300, 4200), (1, 1.4, 1.9), 0.15, noise=0.3), spread_db=14
    )
    return unit(shower) * arch(n, 0.1, 0.3) * drift(rng, n, 4, 0.3, 1)


@sound("daily_living", "Chopping (food); Chop", (1.0, 4.0),
       "chopping vegetables on a cutting board", "a kitchen knife chops on wood",
       "someone slices carrots with quick cuts")  # fmt: skip
def chopping(rng: Rng, n: int) -> Signal:
    base = rng.uniform(170, 260)
    return repeat(rng, n, steps(rng, n, rng.uniform(0.22, 0.34)),
                  lambda: strike(rng, samples(0.18), base, WOOD, 0.09, noise=1.2, noise_hz=4500))  # fmt: skip


@sound("daily_living", "Knock; Door; Tap", (0.7, 1.1),
       "someone knocks on a wooden door", "three knocks at the door",
       "a firm knocking of knuckles on wood")  # fmt: skip
def door_knock(rng: Rng, n: int) -> Signal:
    base, period = rng.uniform(120, 190), min(rng.uniform(0.17, 0.26), (n / 16_000 - 0.2) / 3)
    out = repeat(
        rng, n, np.arange(3) * period, lambda: strike(rng, samples(0.22), base, WOOD, 0.13, noise=0.7, noise_hz=2200)
    )
    return room(out, rng, t60_s=0.25, wet=0.2) * curve(n, (0, 1), (0.85, 1), (1, 0))


@sound("daily_living", "Door; Slam", (0.7, 1.0),
       "a door closes with a click", "someone shuts a heavy wooden door", "a room door slams shut")  # fmt: skip
def door_close(rng: Rng, n: int) -> Signal:
    out = np.zeros(n)
    slam = strike(rng, n, rng.uniform(55, 85), (1, 1.7, 2.6, 4.4, 7.1), 0.45, noise=1.2, noise_hz=900)
    swing = unit(band_noise(rng, n, 200, 900)) * curve(n, (0, 0), (0.18, 0.08), (0.2, 0), (1, 0))
    at = int(n * 0.2)
    add(out, slam, at)
    add(out, tick(rng, 1500, 2600, 0.05), at + samples(0.03), 0.35)
    return room(out + swing, rng, t60_s=0.45, wet=0.3) * curve(n, (0, 1), (0.8, 1), (1, 0))


@sound("daily_living", "Drawer open or close; Cupboard open or close", (0.7, 1.4),
       "a wooden drawer slides open and stops", "someone pulls a kitchen drawer",
       "a drawer closing with a rattle")  # fmt: skip
def drawer(rng: Rng, n: int) -> Signal:
    slide = scatter(rng, n, 350, lambda: strike(rng, samples(0.02), rng.uniform(300, 900), (1, 2.3), 0.015, noise=1.5))
    slide = unit(slide) + 0.4 * unit(band_noise(rng, n, 300, 1800))
    out = slide * curve(n, (0, 0), (0.08, 0.35), (0.6, 0.5), (0.66, 0), (1, 0))
    add(out, strike(rng, n, rng.uniform(110, 160), WOOD, 0.2, noise=0.9, noise_hz=2000), int(n * 0.65))
    add(out, tick(rng, 1200, 2400, 0.06), int(n * 0.68), 0.4)
    return out


@sound("daily_living", "Door", (0.9, 1.8),
       "a door opens with a click of the handle", "someone opens a wooden door",
       "the handle turns and a door swings open")  # fmt: skip
def door_open(rng: Rng, n: int) -> Signal:
    swing = unit(band_noise(rng, n, 150, 900)) * curve(n, (0, 0), (0.15, 0), (0.3, 0.16), (0.75, 0.1), (1, 0))
    latch = int(n * 0.1)
    add(swing, tick(rng, 900, 1800, 0.05), latch, 0.6)
    add(swing, tick(rng, 1500, 2800, 0.05), latch + samples(0.09), 0.8)
    add(
        swing,
        strike(rng, n - latch, rng.uniform(120, 180), WOOD, 0.12, noise=0.7, noise_hz=1500),
        latch + samples(0.1),
        0.7,
    )
    return room(swing, rng, t60_s=0.35, wet=0.25) * curve(n, (0, 1), (0.85, 1), (1, 0))


@sound("daily_living", "Sliding door; Scrape", (0.9, 2.0),
       "a window slides open in its frame", "someone pushes a sash window up",
       "a window latch clicks and the window opens")  # fmt: skip
def window_open(rng: Rng, n: int) -> Signal:
    slide = unit(band_noise(rng, n, 500, 3200)) + 0.5 * unit(band_noise(rng, n, 120, 400))
    out = slide * curve(n, (0, 0), (0.2, 0), (0.3, 0.3), (0.7, 0.22), (0.78, 0), (1, 0)) * drift(rng, n, 18, 0.4, 1)
    add(out, tick(rng, 1800, 3400, 0.04), int(n * 0.08), 0.7)
    add(out, strike(rng, n, rng.uniform(180, 260), WOOD, 0.15, noise=0.8, noise_hz=2500), int(n * 0.78), 0.8)
    return out


# -- liquids and cooking -------------------------------------------------------------------------


@sound("daily_living", "Water tap, faucet; Sink (filling or washing); Water", (2.5, 20.0),
       "water running from a kitchen tap", "an open faucet splashing into a sink",
       "tap water flows in a steady stream", sustained=True)  # fmt: skip
def water_tap(rng: Rng, n: int) -> Signal:
    jet = band_noise(rng, n, 1200, 6500, order=1) * drift(rng, n, 5, 0.8, 1)
    splash = scatter(rng, n, 260, lambda: bubble(rng, 600, 2600))
    return jet + 1.6 * splash + 0.6 * formants(jet, (rng.uniform(350, 600), 90, 3))


@sound("daily_living", "Pour; Fill (with liquid); Liquid", (1.5, 4.0),
       "water poured into a glass until it is full", "someone pours a drink into a cup",
       "liquid filling a mug, pitch rising")  # fmt: skip
def pouring(rng: Rng, n: int) -> Signal:
    stream = scatter(rng, n, 320, lambda: bubble(rng, 500, 1500)) + 0.25 * band_noise(rng, n, 800, 5000)
    level = curve(n, (0, rng.uniform(420, 560)), (1, rng.uniform(1500, 2100)))
    return (unit(moving_formant(stream, level, 110)) + 0.35 * unit(stream)) * arch(n, 0.06, 0.12)


@sound("daily_living", "Boiling; Kettle whistle; Steam", (3.0, 8.0),
       "a kettle boils and begins to whistle", "water boiling in a whistling kettle",
       "a stove kettle rumbling, then a rising whistle")  # fmt: skip
def boiling_kettle(rng: Rng, n: int) -> Signal:
    boil = scatter(rng, n, 120, lambda: bubble(rng, 150, 600)) + 0.5 * band_noise(rng, n, 200, 2500)
    pitch = rng.uniform(1700, 2300) * curve(n, (0, 0.75), (0.45, 0.8), (0.7, 1), (0.92, 1.02), (1, 0.85))
    whistle = harmonic(pitch * drift(rng, n, 12, 0.995, 1.005), n, (1, 0.35, 0.15))
    steam = unit(band_noise(rng, n, 2000, 7000)) * 0.3
    return unit(boil) * curve(n, (0, 0), (0.08, 0.5), (0.9, 0.5), (1, 0)) + (unit(whistle) + steam) * curve(
        n, (0, 0), (0.4, 0), (0.65, 0.6), (0.93, 0.7), (1, 0))  # fmt: skip


@sound("daily_living", "Frying (food); Sizzle", (3.0, 20.0),
       "food sizzling in a frying pan", "oil crackles while something fries", "bacon frying in a hot pan",
       sustained=True)  # fmt: skip
def frying(rng: Rng, n: int) -> Signal:
    def pop() -> Signal:
        m = samples(rng.uniform(0.003, 0.01))
        return unit(band_noise(rng, m, rng.uniform(2000, 4500), 7500) * decay(m, 0.008))

    hiss = band_noise(rng, n, 2500, 7800, order=1) * drift(rng, n, 3, 0.6, 1)
    return 0.12 * hiss + scatter(rng, n, rng.uniform(90, 180), pop, kinds=20, spread_db=24)


@sound("daily_living", "Hiss; Pop; Spray", (0.5, 2.0),
       "a soda can cracks open with a short fizz", "someone opens a can of beer",
       "a bottle opened, a brief fizzing hiss")  # fmt: skip
def can_opening(rng: Rng, n: int) -> Signal:
    fizz = unit(band_noise(rng, n, 3000, 7600)) * curve(n, (0, 0), (0.03, 1), (0.2, 0.35), (0.5, 0.12), (1, 0))
    add(fizz, strike(rng, n, rng.uniform(900, 1500), METAL, 0.1, noise=1), 0, 0.9)
    return fizz


@sound("daily_living", "Toilet flush; Water; Gush", (3.0, 6.0),
       "a toilet flushes", "water rushing down a flushing toilet", "the flush of a toilet in a bathroom")  # fmt: skip
def toilet_flush(rng: Rng, n: int) -> Signal:
    rush = band_noise(rng, n, 250, 4500, order=1) * drift(rng, n, 8, 0.6, 1)
    gurgle = unit(scatter(rng, n, 60, lambda: bubble(rng, 150, 500)))
    body = unit(rush + 0.8 * formants(rush, (420, 120, 3), (900, 200, 1)))
    flow = curve(n, (0, 0), (0.06, 1), (0.45, 0.9), (0.7, 0.2), (1, 0))
    return room(body * flow + 0.5 * gurgle * curve(n, (0, 0), (0.45, 0.3), (0.7, 0.8), (1, 0)), rng, t60_s=0.4)


# -- clocks, keys, paper -------------------------------------------------------------------------


@sound("daily_living", "Tick-tock; Tick; Clock", (3.0, 30.0),
       "a wall clock ticking", "the steady tick-tock of a clock", "a mantel clock ticks in a quiet room",
       sustained=True)  # fmt: skip
def clock_tick(rng: Rng, n: int) -> Signal:
    out, pitch, period = np.zeros(n), rng.uniform(1500, 2600), rng.choice([0.5, 1.0])
    for i, start in enumerate(np.arange(0.05, n / 16_000 - 0.1, period)):
        beat = strike(
            rng, samples(0.08), pitch * (1.0 if i % 2 else 0.82), (1, 1.6, 2.4), 0.05, noise=0.8, noise_hz=6000
        )
        add(out, beat, samples(start), 1.0 if i % 2 else 0.8)
    return out + 0.002 * coloured_noise(rng, n, 1)


@sound("daily_living", "Computer keyboard; Typing; Clicking", (2.0, 20.0),
       "someone typing on a computer keyboard", "fast typing, keys clacking", "keyboard clicks in an office",
       sustained=True)  # fmt: skip
def keyboard_typing(rng: Rng, n: int) -> Signal:
    def key() -> Signal:
        m = samples(0.12)
        out = strike(rng, m, rng.uniform(350, 600), WOOD, 0.03, noise=1.5, noise_hz=6000)
        add(out, tick(rng, 2500, 4500), samples(rng.uniform(0.05, 0.09)), 0.35)
        return out

    gaps = rng.gamma(3.0, 0.05, int(n / 16_000 * 9) + 4) + 0.02
    pauses = np.where(rng.random(len(gaps)) < 0.07, rng.uniform(0.3, 0.7, len(gaps)), 0)
    starts = 0.05 + np.cumsum(gaps + pauses) - gaps[0]
    return repeat(rng, n, starts[starts < n / 16_000 - 0.18], key, spread_db=8)


@sound("daily_living", "Clicking", (0.22, 0.35),
       "a single mouse click", "someone clicks a computer mouse once",
       "one short click of a mouse button")  # fmt: skip
def mouse_click(rng: Rng, n: int) -> Signal:
    out = np.zeros(n)
    add(out, tick(rng, 2500, 4200, 0.015), 0)
    add(out, tick(rng, 3000, 5000, 0.012), samples(rng.uniform(0.06, 0.09)), 0.6)
    return out


@sound("daily_living", "Rustle; Crumpling, crinkling", (0.4, 0.9),
       "a page of a book is turned", "someone turns over a sheet of paper",
       "paper page flipping with a rustle")  # fmt: skip
def page_turn(rng: Rng, n: int) -> Signal:
    crackle = scatter(rng, n, 900, lambda: tick(rng, 2500, 6500, 0.004), spread_db=20)
    swish = unit(band_noise(rng, n, 1500, 6500)) * 0.5 + unit(crackle)
    return (
        swish * curve(n, (0, 0), (0.15, 0.5), (0.35, 0.25), (0.6, 1), (0.75, 0.4), (1, 0)) * drift(rng, n, 18, 0.4, 1)
    )


@sound("daily_living", "Zipper (clothing)", (0.4, 1.0),
       "a zipper is pulled up", "someone zips a jacket", "the quick rising buzz of a zip fastener")  # fmt: skip
def zipper(rng: Rng, n: int) -> Signal:
    rate = curve(n, (0, 70), (0.2, 150), (0.8, 260), (1, 320)) * rng.uniform(0.8, 1.2)
    teeth = np.diff(np.floor(np.cumsum(rate) / 16_000), prepend=0.0)
    grit = np.convolve(teeth, band_noise(rng, 40, 1500, 7000) * np.linspace(1, 0, 40))[:n]
    return formants(grit + 0.02 * band_noise(rng, n, 1500, 7000), (2400, 700, 2), (4800, 1200, 2)) * arch(n, 0.08, 0.1)


@sound("daily_living", "Scissors", (0.5, 2.2),
       "scissors cutting paper", "someone snips with a pair of scissors",
       "the metallic snip of scissors")  # fmt: skip
def scissors(rng: Rng, n: int) -> Signal:
    def snip() -> Signal:
        m = samples(0.3)
        blade = unit(band_noise(rng, m, 2500, 7500)) * curve(m, (0, 0), (0.1, 0.3), (0.55, 0.8), (0.62, 0), (1, 0))
        add(
            blade,
            strike(rng, samples(0.12), rng.uniform(2600, 3600), METAL, 0.07, noise=1, noise_hz=7000),
            int(m * 0.6),
        )
        return blade

    return repeat(rng, n, steps(rng, n, rng.uniform(0.4, 0.5), tail_s=0.32), snip)
