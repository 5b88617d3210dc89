"""Faults: machines, pipes and wires that fail, their alarms, and what is mistaken for them."""

import numpy as np
from scipy.signal import fftconvolve

from .dsp import (
    RATE,
    Signal,
    add,
    arch,
    band_noise,
    beeps,
    coloured_noise,
    curve,
    decay,
    drift,
    formants,
    harmonic,
    highpass,
    lowpass,
    modes,
    moving_formant,
    repeat,
    rolloff,
    room,
    samples,
    scatter,
    sine,
    strike,
    times,
    unit,
)  # fmt: skip
from .home import METAL, WOOD, bubble, motor, tick
from .kind import sound
from .nature import snap

Rng = np.random.Generator


# -- shared sources ------------------------------------------------------------------------------


def turns(rng: Rng, n: int, rate_hz: Signal | float, jitter: float = 0.0) -> Signal:
    """Times in seconds at which something comes round, each early or late by up to `jitter` of a mean turn."""
    angle = np.cumsum(np.broadcast_to(np.asarray(rate_hz, float), (n,))) / RATE
    at = np.flatnonzero(np.diff(np.floor(angle), prepend=-1.0)) / RATE
    return np.abs(at + jitter * rng.uniform(-1, 1, len(at)) * n / RATE / len(at))


def struck(rng: Rng, n: int, starts_s: Signal, hit: Signal, uneven: float = 0.5) -> Signal:
    """The same hit at each time, softer by up to `uneven`: for rapid series."""
    at = np.round(starts_s * RATE).astype(int)
    impulses = np.zeros(n)
    impulses[at[at < n]] = 1 - uneven * rng.random(np.sum(at < n))
    return fftconvolve(impulses, hit)[:n]


def jet(rng: Rng, n: int, low_hz: float, high_hz: float) -> Signal:
    """A fluid under pressure through a torn hole: turbulence, and how the hole and the wall colour it."""
    air = unit(band_noise(rng, n, low_hz, high_hz, order=rng.uniform(0.6, 1.6)))
    hole = unit(formants(air, (rng.uniform(1.5 * low_hz, 0.8 * high_hz), rng.uniform(60, 500), 1)))
    return (air + rng.uniform(0, 0.7) * hole) * drift(rng, n, rng.uniform(5, 30), rng.uniform(0.4, 0.9), 1)


def report(rng: Rng, n: int, low_hz: float, high_hz: float, t60_s: float) -> Signal:
    """A bang: noise that starts at once, its brightness dying before its weight."""
    low, high = band_noise(rng, n, low_hz, low_hz * 4, order=1), band_noise(rng, n, low_hz * 2, high_hz, order=0.7)
    return unit(unit(low) * decay(n, t60_s) + unit(high) * decay(n, t60_s * 0.45))


def mains(rng: Rng) -> float:
    """Twice the mains frequency: what iron, relays and arcs buzz at."""
    return float(rng.choice([100, 120]))


# -- under pressure ------------------------------------------------------------------------------


@sound("equipment", "Steam; Hiss; Roar", (1.5, 5.0),
       "a heating pipe ruptures and steam roars out", "steam bursts out of a split boiler pipe",
       "steam blasts from a ruptured valve", criterion="equipment", counterpart="coffee_machine")  # fmt: skip
def steam_burst(rng: Rng, n: int) -> Signal:
    roar = jet(rng, n, rng.uniform(200, 1100), rng.uniform(3500, 7600))
    pipe = formants(roar, *((rng.uniform(90, 260) * k, 50 * k, 1 / k) for k in (1, 2, 3, 5)))
    wet = scatter(rng, n, rng.uniform(2, 22), lambda: report(rng, 2000, 200, 4000, 0.12), spread_db=10)
    flow = curve(n, (0, 0.2), (0.015, 1), (rng.uniform(0.2, 0.7), rng.uniform(0.45, 1)), (1, 0))
    out = (unit(roar) + rng.uniform(0.2, 1) * unit(pipe) + rng.uniform(0, 0.5) * unit(wet)) * flow
    add(out, report(rng, n, rng.uniform(80, 250), 6000, rng.uniform(0.1, 0.4)), 0, rng.uniform(0.4, 1.8))
    return out


@sound("equipment", "Water; Gush; Splash, splatter", (2.0, 6.0),
       "a water pipe bursts and sprays all over the floor", "a burst water main gushes and splatters",
       "water gushes from a broken hose and splatters the walls",
       criterion="equipment", counterpart="water_tap")  # fmt: skip
def water_pipe_burst(rng: Rng, n: int) -> Signal:
    spray = unit(jet(rng, n, rng.uniform(350, 1200), rng.uniform(3000, 6500)))
    splat = scatter(rng, n, rng.uniform(30, 90), lambda: report(rng, 1500, rng.uniform(150, 600), 6000, 0.09))
    puddle = unit(scatter(rng, n, 150, lambda: bubble(rng, 250, 1400), spread_db=16)) * curve(n, (0, 0), (1, 1))
    flow = curve(n, (0, 0.1), (rng.uniform(0.01, 0.15), 1), (0.85, rng.uniform(0.6, 1)), (1, 0))
    out = (spray + rng.uniform(0.3, 1.2) * unit(splat) + rng.uniform(0.2, 0.8) * puddle) * flow
    for start in np.sort(rng.uniform(0, 0.25, rng.integers(1, 4))):  # the pipe jumps in its clamps
        add(out, strike(rng, samples(0.3), rng.uniform(90, 260), METAL, 0.2, noise=1.5), samples(start), 1.2)
    return out


@sound("equipment", "Hiss; Whoosh, swoosh, swish; Whip", (1.5, 4.5),
       "a burst air hose whips about wildly", "a torn compressed air hose escapes and thrashes around",
       "a ruptured air hose lashes to and fro",
       criterion="equipment", counterpart="bicycle_pump")  # fmt: skip
def air_hose_whip(rng: Rng, n: int) -> Signal:
    rate, air = rng.uniform(3, 10), band_noise(rng, n, 500, 7500, order=0.7)
    swing = np.abs(np.sin(np.cumsum(drift(rng, n, 4, 0.5, 1.5) * rate) * np.pi / RATE))
    away = moving_formant(air, rng.uniform(900, 1600) + rng.uniform(1500, 4000) * swing, rng.uniform(250, 900))
    out = (unit(away) + 0.35 * unit(highpass(air, 2500))) * (0.25 + swing) * curve(n, (0, 1), (0.8, 0.7), (1, 0))
    base = rng.uniform(110, 420)
    for start in turns(rng, n, rate * rng.uniform(0.5, 1), 0.5)[1:]:
        slap = strike(rng, samples(0.12), base, (1, 1.9, 3.1, 4.6), 0.07, noise=2, noise_hz=3500)
        add(out, slap, samples(start), rng.uniform(0.1, 1.1) * (1 - start * RATE / n))
    add(out, report(rng, n, 150, 6000, 0.12), 0, rng.uniform(0.6, 1.5))
    return out


@sound("equipment", "Rumble; Boiling; Bang", (3.0, 7.0),
       "an overheating boiler rumbles and bangs", "a boiler bangs and knocks as if about to burst",
       "the overheated water heater thumps, dangerously close to bursting",
       criterion="equipment", counterpart="boiling_kettle")  # fmt: skip
def boiler_banging(rng: Rng, n: int) -> Signal:
    tank, heat = rng.uniform(70, 210), curve(n, (0, rng.uniform(0.2, 0.8)), (0.8, 1), (0.93, 0.9), (1, 0))
    boil = formants(band_noise(rng, n, 40, 700, order=1), *((tank * k, 12 * k, 1) for k in (1, 1.6, 2.3, 3.4)))
    seethe = scatter(rng, n, rng.uniform(40, 160), lambda: bubble(rng, 120, 500), spread_db=14)
    out = (unit(boil) * drift(rng, n, rng.uniform(3, 9), 0.4, 1) + rng.uniform(0.1, 0.6) * unit(seethe)) * heat
    if rng.random() < 0.5:
        sing = harmonic(rng.uniform(250, 750) * drift(rng, n, 2, 0.97, 1.03) * (0.8 + 0.2 * heat), n, (1, 0.3, 0.1))
        out += 0.3 * sing * heat**3
    for start in turns(rng, n, rng.uniform(1.2, 5) * (0.4 + 0.6 * heat), 0.8):
        knock = strike(rng, samples(0.5), tank * rng.choice([1, 1.6, 2.6]), METAL, rng.uniform(0.1, 0.4), noise=1.2)
        add(out, knock, samples(start), rng.uniform(0.3, 1.6))
    return room(out, rng, t60_s=rng.uniform(0.2, 0.7), wet=0.2) * curve(n, (0, 1), (0.9, 1), (1, 0))


# -- wires, batteries, fire ----------------------------------------------------------------------


@sound("equipment", "Hum; Buzz; Bang", (1.5, 4.5),
       "a power transformer hums louder and blows with a bang", "the pole's transformer buzzes and blows up in sparks",
       "a humming substation transformer arcs and blows",
       criterion="equipment", counterpart="electric_shaver")  # fmt: skip
def transformer_blowing(rng: Rng, n: int) -> Signal:
    at = int(n * rng.uniform(0.4, 0.7))
    hum = harmonic(mains(rng), at, rolloff(14, rng.uniform(0.3, 1)) * rng.uniform(0.2, 1, 14))
    strain = curve(at, (0, rng.uniform(0.3, 1)), (0.7, 1.5), (1, rng.uniform(3, 8)))
    arcs = unit(band_noise(rng, at, 1500, 7000)) * np.abs(unit(hum)) ** 3
    out = np.zeros(n)
    add(out, unit(np.tanh(strain * unit(hum)) + 0.2 * strain * arcs), 0, rng.uniform(0.6, 1.3))
    out *= curve(n, (0, 0), (0.05, 0.6), (0.4, 1), (1, 1))
    add(out, report(rng, n - at, rng.uniform(40, 140), 7000, rng.uniform(0.3, 0.9)), at, 1.5)
    left = curve(n - at, (0, 1), (0.5, 0.25), (1, 0))
    fizz = scatter(rng, n - at, rng.uniform(15, 90), lambda: snap(rng, rng.uniform(600, 2500), 0.015), spread_db=18)
    add(out, fizz * left, at, rng.uniform(0.3, 0.9))
    return room(out, rng, t60_s=rng.uniform(0.3, 1.2), wet=0.2) * curve(n, (0, 1), (0.9, 1), (1, 0))


@sound("equipment", "Hiss; Sizzle; Pop", (1.5, 4.0),
       "a swollen battery pack pops and vents fiercely", "lithium cells sizzle and pop as the battery burns",
       "a phone battery catches fire, popping and fizzing",
       criterion="equipment", counterpart="soda_fizz")  # fmt: skip
def battery_venting(rng: Rng, n: int) -> Signal:
    heat = curve(n, (0, 0.1), (rng.uniform(0.1, 0.4), 0.4), (0.6, 1), (1, 0.2))
    frying = scatter(rng, n, rng.uniform(80, 250), lambda: snap(rng, rng.uniform(2000, 4500), 0.006), spread_db=20)
    out = rng.uniform(0.2, 0.5) * unit(frying) * heat
    for at in np.sort(rng.uniform(0.08, 0.8, rng.integers(1, 6))):  # cell after cell
        m = int(n * (1 - at))
        flame = unit(band_noise(rng, m, 60, 500)) * drift(rng, m, 14, 0.2, 1) * rng.uniform(0, 0.8)
        vent = unit(jet(rng, m, rng.uniform(900, 2500), rng.uniform(5000, 7800))) + flame
        add(out, vent * decay(m, rng.uniform(0.6, 3), attack_s=0.01), n - m, rng.uniform(0.5, 1))
        add(out, report(rng, m, rng.uniform(250, 700), 7500, rng.uniform(0.03, 0.12)), n - m, rng.uniform(0.4, 1))
    return out * curve(n, (0, 1), (0.85, 0.8), (1, 0))


@sound("equipment", "Fire; Roar; Crackle", (3.0, 8.0),
       "a house fire roars and spreads through the rooms", "curtains and furniture burning fiercely, flames roaring",
       "a kitchen ablaze, the flames roaring and beams cracking",
       criterion="equipment", counterpart="fire_crackle")  # fmt: skip
def house_fire(rng: Rng, n: int) -> Signal:
    draught = drift(rng, n, rng.uniform(4, 12), 0.35, 1) * drift(rng, n, 0.8, 0.5, 1)
    roar = coloured_noise(rng, n, rng.uniform(1.0, 1.8), low_hz=rng.uniform(60, 180)) * draught
    flutter = formants(roar, *((rng.uniform(70, 500), 60, 1) for _ in range(3)))
    burn = scatter(rng, n, rng.uniform(25, 80), lambda: snap(rng, rng.uniform(400, 2500), 0.02), spread_db=22)
    beams = scatter(rng, n, rng.uniform(0.5, 2.5), lambda: report(rng, 4000, rng.uniform(90, 300), 5000, 0.15))
    grow = curve(n, (0, rng.uniform(0.1, 0.6)), (0.5, rng.uniform(0.6, 1)), (0.85, 1), (1, 0))
    return room((unit(roar) + 0.7 * unit(flutter) + rng.uniform(0.3, 0.8) * burn + 0.5 * beams) * grow, rng, t60_s=0.4)


# -- machines that break -------------------------------------------------------------------------


@sound("equipment", "Rattle; Mechanical fan; Clatter", (2.0, 6.0),
       "a broken fan blade clatters against its cage", "a damaged ventilator blade slaps the housing at every turn",
       "a fan with a snapped blade hammers its guard",
       criterion="equipment", counterpart="sewing_machine")  # fmt: skip
def fan_broken_blade(rng: Rng, n: int) -> Signal:
    run = curve(n, (0, rng.uniform(0.4, 1)), (0.25, 1), (0.8, 1), (1, rng.uniform(0.3, 0.8)))
    wobble = rng.uniform(5, 19) * run * drift(rng, n, 2, 0.9, 1.1)
    shape, base, ring = (METAL, rng.uniform(350, 1300), 0.12) if rng.random() < 0.6 else (WOOD, 300.0, 0.05)
    base, hits = base * rng.uniform(0.6, 1.5), turns(rng, n, wobble, 0.08)
    hits = np.concatenate([hits, hits[:: rng.integers(1, 4)] + rng.uniform(0.015, 0.03)])
    clatter = repeat(rng, n, hits, lambda: strike(rng, samples(0.16), base, shape, ring, noise=1.5, noise_hz=4500),
                     spread_db=rng.uniform(3, 12))  # fmt: skip
    whoosh = unit(band_noise(rng, n, 150, 2200, order=1)) * (1 + np.sin(2 * np.pi * np.cumsum(wobble * 3) / RATE))
    hum = harmonic(mains(rng), n, rolloff(6, 1))
    return (clatter + rng.uniform(0.1, 0.35) * whoosh + 0.06 * hum) * arch(n, 0.04, 0.12)


@sound("equipment", "Bang; Thump, thud; Rattle", (3.0, 7.0),
       "an unbalanced washing machine bangs violently", "a washer off balance thumps and walks across the tiles",
       "the spinning washer shakes apart, drum banging violently",
       criterion="equipment", counterpart="tumbling_shoes")  # fmt: skip
def washer_unbalanced(rng: Rng, n: int) -> Signal:
    spin = rng.uniform(3.5, 8) * curve(n, (0, rng.uniform(0.4, 0.9)), (0.7, 1), (0.9, 0.9), (1, 0.5))
    grow = curve(n, (0, rng.uniform(0.1, 1)), (rng.uniform(0.2, 0.8), 1), (0.93, rng.uniform(0.4, 1)), (1, 0))
    casing, drum = rng.uniform(160, 480), rng.uniform(45, 95)
    out = 0.3 * unit(harmonic(spin * rng.uniform(30, 60), n, rolloff(14, 0.7) * rng.uniform(0.3, 1, 14)))
    for start in turns(rng, n, spin, 0.1):
        m = samples(0.3)
        bang = strike(rng, m, drum, (1, 1.7, 2.8, 4.3), 0.22, noise=1.2, noise_hz=900)
        add(bang, strike(rng, m, casing, METAL, 0.12, noise=1.5, noise_hz=4000), samples(rng.uniform(0, 0.03)), 0.8)
        add(out, bang, samples(start), rng.uniform(0.6, 1.3))
    loose = scatter(rng, n, 40, lambda: tick(rng, 700, 2500, 0.04), spread_db=12)
    return (out + 0.3 * unit(loose) * drift(rng, n, 8, 0, 1)) * grow


@sound("equipment", "Hum; Squeal; Electric motor", (2.0, 5.0),
       "an overheating electric motor strains and seizes", "a pump motor seizes up, howling down to a stall",
       "a motor slows under strain and seizes with a shudder",
       criterion="equipment", counterpart="blender")  # fmt: skip
def motor_seizing(rng: Rng, n: int) -> Signal:
    stop = rng.uniform(0.6, 0.85)
    fall = curve(n, (0, 1), (rng.uniform(0.05, 0.5), rng.uniform(0.7, 1)), (stop, rng.uniform(0.1, 0.45)), (1, 0.1))
    catch = 1 - rng.uniform(0.1, 0.5) * (1 - fall) * (drift(rng, n, 9, -1, 1) > 0.3)
    speed, live = fall * lowpass(catch, 25), lowpass((np.linspace(0, 1, n) < stop) * 1.0, 60)
    levels = rolloff(24, rng.uniform(0.3, 0.8)) * rng.uniform(0.2, 1, 24)
    whine = unit(harmonic(rng.uniform(140, 420) * speed, n, levels))
    rub = band_noise(rng, n, 500, 6000) * np.abs(np.sin(np.cumsum(speed) * np.pi * rng.uniform(18, 45) / RATE)) ** 4
    squeal = harmonic(rng.uniform(900, 2600) * (0.5 + 0.5 * fall), n, (1, 0.6, 0.4)) * drift(rng, n, 8, -0.6, 1).clip(0)
    out = (whine + 0.7 * unit(rub) * (1.1 - fall) + rng.uniform(0, 1) * squeal * (1 - fall)) * live
    locked = unit(harmonic(mains(rng), n, rolloff(10, 0.6))) * (1 - live) * curve(n, (0, 1), (0.85, 1), (1, 0))
    add(out, strike(rng, 6400, rng.uniform(70, 200), METAL, 0.25, noise=1.2), int(stop * n), rng.uniform(0.4, 1.1))
    return out * curve(n, (0, 0), (0.03, 1), (1, 1)) + rng.uniform(0.15, 0.5) * locked


@sound("equipment", "Chainsaw; Squeal; Power tool", (1.2, 3.5),
       "a table saw binds and shrieks until it kicks back", "a saw blade binds in the cut and kicks back",
       "a circular saw jams violently, its blade shrieking",
       criterion="equipment", counterpart="power_drill")  # fmt: skip
def saw_binding(rng: Rng, n: int) -> Signal:
    depths = (1, *rng.permutation([1, 1, 0.9, 0.6, 0.4, 0.5]), 0.25)
    bogs = np.interp(np.linspace(0, 7, n), np.arange(8), depths)
    pitch = rng.uniform(900, 2400) * bogs * drift(rng, n, 14, 0.98, 1.02)
    ring = unit(harmonic(pitch, n, (1, 0.5, 0.4, 0.2)) + 0.6 * harmonic(pitch * rng.uniform(1.3, 1.7), n, (1, 0.4)))
    chatter = 1 + np.sign(np.sin(np.cumsum(drift(rng, n, 6, 35, 130)) * 2 * np.pi / RATE)) * (1 - bogs)
    tear = unit(band_noise(rng, n, 700, 7000)) * drift(rng, n, 12, 0.3, 1)
    drive = unit(harmonic(rng.uniform(90, 200) * bogs, n, rolloff(20, 0.5) * rng.uniform(0.3, 1, 20)))
    out = (ring * chatter + rng.uniform(0.3, 0.9) * tear + 0.4 * drive) * arch(n, 0.03, 0.15)
    add(out, strike(rng, 4800, rng.uniform(120, 350), WOOD, 0.15, noise=2), int(n * rng.uniform(0.75, 0.9)), 2.2)
    return out


@sound("equipment", "Engine; Bang; Vehicle", (2.0, 5.0),
       "a misfiring engine lurches and backfires", "an engine misfires and backfires with loud bangs",
       "violent backfire bangs from a failing engine",
       criterion="equipment", counterpart="engine_start")  # fmt: skip
def engine_backfiring(rng: Rng, n: int) -> Signal:
    fires = turns(rng, n, rng.uniform(12, 34) * drift(rng, n, rng.uniform(1, 4), 0.5, 1.2), 0.15)
    fires = fires[rng.random(len(fires)) > rng.uniform(0.15, 0.45)]
    m, body = samples(0.12), rng.uniform(55, 130)
    pulse = formants(lowpass(rng.standard_normal(m), 900) * decay(m, 0.06),
                     (body, 25, 3), (2.2 * body, 60, 2), (rng.uniform(500, 900), 150, 1))  # fmt: skip
    out = 0.6 * unit(struck(rng, n, fires, unit(pulse), 0.7))
    for start in np.sort(rng.uniform(0.05, 0.88, rng.integers(2, 8))):
        bang = report(rng, samples(0.6), rng.uniform(60, 180), rng.uniform(2500, 7000), rng.uniform(0.12, 0.5))
        add(out, bang, int(start * n), rng.uniform(0.6, 1.6))
    return room(out, rng, t60_s=rng.uniform(0.2, 0.8), wet=0.2) * arch(n, 0.03, 0.15)


@sound("equipment", "Jet engine; Whir; Aircraft engine", (2.5, 6.0),
       "an unbalanced turbine howls and shakes apart", "a turbine rotor out of balance screams and shudders",
       "a damaged propeller spins up, shuddering violently",
       criterion="equipment", counterpart="hair_dryer")  # fmt: skip
def turbine_unbalanced(rng: Rng, n: int) -> Signal:
    up = curve(n, (0, rng.uniform(0.4, 1)), (rng.uniform(0.3, 0.8), 1), (0.88, rng.uniform(0.6, 1)), (1, 0.3))
    shaft = rng.uniform(11, 42) * up * drift(rng, n, 3, 0.98, 1.02)
    angle, worse = np.cumsum(shaft) * 2 * np.pi / RATE, curve(n, (0, rng.uniform(0.1, 0.8)), (0.85, 1), (1, 1))
    whine = unit(harmonic(shaft * rng.integers(13, 40), n, rolloff(6, 0.9)))
    air = unit(band_noise(rng, n, 300, 6000, order=0.7))
    shake = np.tanh(3 * np.sin(angle) + np.sin(3 * angle)) * (1 + lowpass(coloured_noise(rng, n, 1), 300))
    rub = unit(formants(air * np.sin(angle / 2) ** 24, *((rng.uniform(800, 4500), 120, 1) for _ in range(3))))
    out = (rng.uniform(0.7, 1.8) * whine + 0.5 * air) * (1 - 0.6 * worse * np.sin(angle))
    out += worse * (rng.uniform(0.2, 1) * shake + rng.uniform(0.3, 1.5) * rub)
    if rng.random() < 0.6:
        add(out, strike(rng, samples(0.6), rng.uniform(120, 400), METAL, 0.4, noise=1.5), int(n * 0.85), 3.0)
    return out * arch(n, 0.06, 0.14)


@sound("equipment", "Crack; Whip; Boing", (1.2, 3.0),
       "an elevator cable snaps with a steely twang", "the elevator rope snaps and lashes the shaft",
       "a steel winch cable snaps, twanging",
       criterion="equipment", counterpart="elevator_ding")  # fmt: skip
def cable_snapping(rng: Rng, n: int) -> Signal:
    out, at, gap = np.zeros(n), int(n * rng.uniform(0.05, 0.3)), rng.uniform(0.05, 0.16)
    for start in np.sort(rng.uniform(0, at, rng.integers(1, 5))):  # strands part first
        add(out, tick(rng, 2000, 5000, 0.05), int(start), rng.uniform(0.2, 0.5))
    m, order = n - at, np.arange(1, 16)
    partials = rng.uniform(35, 95) * order * np.sqrt(1 + rng.uniform(0.002, 0.02) * order**2)
    twang = modes(m, partials, rng.uniform(0.6, 1.6) * order**-0.3, order**-0.5 * rng.uniform(0.3, 1, 15))
    add(out, unit(twang), at, rng.uniform(0.8, 1.3))
    for k in range(rng.integers(3, 7)):  # the wave runs up and down the rope, its high part ahead
        f = rng.uniform(250, 500) + rng.uniform(3000, 6000) * np.exp(-np.linspace(0, 7, samples(0.25)))
        add(out, sine(f, len(f)) * decay(len(f), 0.22), at + samples(k * gap), 0.8 * 0.7**k)
    add(out, report(rng, m, 150, 7000, 0.15), at, rng.uniform(0.4, 1))
    lash = unit(moving_formant(band_noise(rng, m, 300, 6000), drift(rng, m, 4, 500, 4500), 400))
    lash *= drift(rng, m, 5, 0, 1) ** 2 * curve(m, (0, 0), (0.2, 1), (0.6, 0.4), (1, 0))
    add(out, lash, at, rng.uniform(0.2, 0.8))
    return room(out, rng, t60_s=rng.uniform(0.5, 1.3), wet=0.3) * curve(n, (0, 1), (0.8, 0.8), (1, 0))


# -- alarms --------------------------------------------------------------------------------------


@sound("equipment", "Smoke detector, smoke alarm; Alarm; Beep, bleep", (0.95, 4.5),
       "a carbon monoxide alarm beeps in fours", "four rapid beeps from a carbon monoxide detector",
       "the carbon monoxide detector goes off, four beeps at once",
       criterion="equipment", counterpart="washer_done_tune")  # fmt: skip
def carbon_monoxide_alarm(rng: Rng, n: int) -> Signal:
    # Temporal-four: four pulses of a tenth of a second each; the pause is a close-up's, not five seconds.
    on, pause = rng.uniform(0.08, 0.11), rng.uniform(0.3, 0.45)
    pattern = np.add.outer(np.arange(6) * (7 * on + pause), np.arange(4) * 2 * on).ravel()
    whole = pattern[: max(4, np.sum(pattern + on < n / RATE) // 4 * 4)]
    tone = harmonic(rng.uniform(2800, 3500), n, (1, rng.uniform(0.05, 0.4))) * beeps(n, whole, on)
    return room(tone, rng, t60_s=rng.uniform(0.1, 0.4), wet=rng.uniform(0.05, 0.3))


@sound("equipment", "Alarm; Beep, bleep; Siren", (1.5, 5.0),
       "a gas detector warbles shrilly", "a handheld gas detector alarm warbles up and down",
       "a gas alarm trills frantically",
       criterion="equipment", counterpart="washer_done_tune")  # fmt: skip
def gas_detector(rng: Rng, n: int) -> Signal:
    turn, base, width = times(n) * rng.uniform(2.5, 12) % 1.0, rng.uniform(1500, 3300), rng.uniform(0.12, 0.6)
    shape = (turn, 1 - turn, np.abs(2 * turn - 1), (turn > 0.5) * 1.0)[rng.integers(0, 4)]
    tone = harmonic(base / (1 + width / 2) * (1 + width * shape), n, (1, 0.1, rng.uniform(0.05, 0.4)))
    if rng.random() < 0.4:
        tone = tone * beeps(n, np.arange(9) * 0.55, rng.uniform(0.3, 0.45))
    return room(tone, rng, t60_s=0.25, wet=rng.uniform(0.05, 0.3)) * curve(n, (0, 1), (0.96, 1), (1, 0))


@sound("equipment", "Buzzer; Alarm; Engine", (1.5, 4.5),
       "a low oil pressure alarm buzzes in the engine room", "the oil pressure alarm rasps beside the engine",
       "an engine room buzzer alarm rasps for lost oil pressure",
       criterion="equipment", counterpart="electric_shaver")  # fmt: skip
def oil_pressure_buzzer(rng: Rng, n: int) -> Signal:
    hz = rng.uniform(85, 480) * curve(n, (0, 0.9), (0.03, 1), (1, 1)) * drift(rng, n, 15, 0.985, 1.015)
    reed = np.tanh(3 * unit(harmonic(hz, n, rolloff(30, rng.uniform(0, 0.4)))))
    body = unit(formants(reed, *((rng.uniform(600, 3800), rng.uniform(80, 300), 1) for _ in range(3))))
    rate = rng.uniform(0, 5)
    gate = beeps(n, np.arange(25) / rate, rng.uniform(0.5, 0.8) / rate) if rate > 1.4 else curve(n, (0, 1), (1, 1))
    return (body + rng.uniform(0.1, 0.6) * reed) * gate * curve(n, (0, 0), (0.01, 1), (0.97, 1), (1, 0))


@sound("equipment", "Fire alarm; Alarm; Bell", (1.5, 6.0),
       "a fire bell hammers away in the corridor", "an old school's fire bell clangs nonstop",
       "a red electromechanical fire bell clanging", criterion="equipment", counterpart="oven_timer")  # fmt: skip
def fire_bell(rng: Rng, n: int) -> Signal:
    gong, ring = rng.uniform(450, 1700), samples(rng.uniform(0.3, 0.9))
    partials = gong * np.array([1, 1.47, 1.73, 2.36, 3.1, 3.95]) * rng.uniform(0.98, 1.02, 6)
    hit = modes(ring, partials, ring / RATE * np.array([1, 0.8, 0.8, 0.6, 0.5, 0.4]), rng.uniform(0.3, 1, 6))
    hit[: samples(0.01)] += 0.6 * rng.standard_normal(samples(0.01)) * decay(samples(0.01), 0.008)
    blows = turns(rng, n, rng.uniform(7, 22) * curve(n, (0, 0.85), (0.05, 1), (0.9, 1), (1, 0.8)), 0.06)
    out = struck(rng, n, blows[blows < n / RATE * 0.93], hit * np.linspace(1, 0, ring), rng.uniform(0.1, 0.5))
    return room(out, rng, t60_s=rng.uniform(0.3, 1.4), wet=rng.uniform(0.05, 0.3)) * curve(n, (0, 1), (0.92, 1), (1, 0))


# -- what is mistaken for them -------------------------------------------------------------------


@sound("daily_living", "Pump (liquid); Steam; Pour", (2.0, 6.0),
       "a coffee machine brews a cup of espresso", "an espresso machine frothing milk",
       "a barista's machine pumps and drips an espresso")  # fmt: skip
def coffee_machine(rng: Rng, n: int) -> Signal:
    turn = times(n) * float(rng.choice([50, 60])) % 1.0  # a vibration pump strikes once a mains cycle
    pump = formants(np.exp(-rng.uniform(6, 20) * turn), *((rng.uniform(150, 1500), 90, 1) for _ in range(4)))
    trickle = unit(scatter(rng, n, 90, lambda: bubble(rng, 500, 1700))) * curve(n, (0, 0), (0.3, 0), (0.5, 1), (1, 0.2))
    froth, end = unit(band_noise(rng, n, rng.uniform(900, 2500), 7000)), rng.uniform(0.55, 0.85)
    out = unit(highpass(pump, 60)) * curve(n, (0, 0), (0.05, 0.8), (end, 1), (end + 0.04, 0), (1, 0)) + 0.25 * trickle
    return out + rng.uniform(0.15, 0.8) * froth * curve(n, (0, 0), (end, 0), (end + 0.06, 1), (1, 0))


@sound("daily_living", "Pump (liquid); Bicycle; Whoosh, swoosh, swish", (1.2, 5.0),
       "a bicycle pump pushes air into a tyre", "someone pumps up a bike tyre",
       "strokes of a hand pump filling a bicycle tyre")  # fmt: skip
def bicycle_pump(rng: Rng, n: int) -> Signal:
    out, count, low = np.zeros(n), max(2, round(n / RATE / rng.uniform(0.5, 1.0))), rng.uniform(400, 1100)
    period = n / RATE / count
    for start in np.arange(count) * period:
        m = samples(period * rng.uniform(0.5, 0.6))
        push = moving_formant(band_noise(rng, m, 300, 6000), low * curve(m, (0, 1), (1, rng.uniform(1.6, 3))), 300)
        add(out, unit(push) * curve(m, (0, 0), (0.3, 0.6), (0.85, 1), (1, 0)), samples(start), rng.uniform(0.7, 1))
        add(out, tick(rng, 700, 1800, 0.04), samples(start + period * 0.6), rng.uniform(0.1, 0.5))
        add(out, unit(band_noise(rng, m // 2, 600, 3500)) * arch(m // 2), samples(start + period * 0.65), 0.25)
    return out


@sound("daily_living", "Buzz; Hum; Mechanisms", (1.5, 5.0),
       "an electric shaver trims a beard", "someone shaves with an electric razor",
       "hair clippers drone over a chin")  # fmt: skip
def electric_shaver(rng: Rng, n: int) -> Signal:
    touch = drift(rng, n, rng.uniform(1, 4), 0, 1)
    hz = rng.uniform(80, 190) * (1 - 0.04 * touch) * curve(n, (0, 0.6), (0.04, 1), (0.96, 1), (1, 0.6))
    drone = unit(harmonic(hz, n, rolloff(28, rng.uniform(0.3, 0.7)) * rng.uniform(0.2, 1, 28)))
    bristle = scatter(rng, n, 250, lambda: tick(rng, 3000, 6500, 0.004), spread_db=18) * (touch > 0.5)
    return (drone * (1 - 0.3 * touch) + 0.2 * unit(lowpass(bristle, 7000))) * arch(n, 0.02, 0.03)


@sound("daily_living", "Pour; Liquid; Hiss", (1.2, 4.0),
       "a freshly poured soda fizzes in a glass", "lemonade fizzing as the foam settles",
       "sparkling water prickles and fizzes quietly")  # fmt: skip
def soda_fizz(rng: Rng, n: int) -> Signal:
    fall = decay(n, n / RATE * rng.uniform(1, 2.5), attack_s=rng.uniform(0.03, 0.3))
    foam = scatter(rng, n, rng.uniform(300, 1500), lambda: sine(rng.uniform(2500, 7000), 48) * decay(48, 0.003))
    return (unit(foam) + rng.uniform(0.05, 0.3) * unit(band_noise(rng, n, 3500, 7800))) * fall


@sound("daily_living", "Thump, thud; Mechanisms; Clatter", (2.5, 7.0),
       "shoes tumble round in a clothes dryer", "a pair of trainers tumbling in the dryer",
       "sneakers plop round and round in a tumble dryer")  # fmt: skip
def tumbling_shoes(rng: Rng, n: int) -> Signal:
    out, drum = 0.15 * motor(rng, n, mains(rng) / 2, 12, 0.6), rng.uniform(70, 300)
    for start in turns(rng, n, rng.uniform(1.4, 3), 0.35):
        plop = strike(rng, 5600, drum * rng.uniform(0.8, 1.3), (1, 1.6, 2.7, 3.9), 0.15, noise=1, noise_hz=2000)
        add(out, plop, samples(start), rng.uniform(0.3, 1))
        add(out, tick(rng, 900, 2400, 0.03), samples(start + rng.uniform(0, 0.12)), rng.uniform(0.1, 0.7))
    return (out + 0.1 * unit(band_noise(rng, n, 200, 2500))) * arch(n, 0.06, 0.1)


@sound("daily_living", "Ding; Chime", (0.9, 2.5),
       "an elevator dings as its doors slide", "a lift arrives with a soft ding",
       "the elevator announces a floor with two mellow dings")  # fmt: skip
def elevator_ding(rng: Rng, n: int) -> Signal:
    out, f = np.zeros(n), rng.uniform(500, 1300)
    for at in (0, int(n * rng.uniform(0.2, 0.4)))[: rng.integers(1, 3)]:
        fade = n / 15_000 * np.array([1, 0.6, 0.4, 0.2])
        add(out, modes(n - at, f * np.array([1, 2.0, 2.76, 5.4]), fade, (1, 0.3, 0.2, 0.1)), at, rng.uniform(0.7, 1))
        f *= rng.choice([0.8, 0.84, 1.25])
    glide = unit(band_noise(rng, n, 150, 1200)) * curve(n, (0, 0), (0.4, 0), (0.6, 1), (0.9, 0.6), (1, 0))
    return room(out + rng.uniform(0, 0.1) * glide, rng, t60_s=0.6, wet=0.25) * curve(n, (0, 1), (0.8, 0.9), (1, 0))


@sound("daily_living", "Ding; Bell", (1.2, 4.5),
       "an oven timer trills when the cake is done", "a mechanical egg timer rings",
       "a wind-up kitchen timer runs down and rings")  # fmt: skip
def oven_timer(rng: Rng, n: int) -> Signal:
    ring, cup = samples(0.5), rng.uniform(1800, 3400)
    hit = modes(ring, cup * np.array([1, 1.58, 2.24]), (0.5, 0.3, 0.2), (1, 0.5, 0.4)) * np.linspace(1, 0, ring)
    rate = rng.uniform(14, 30) * curve(n, (0, 1), (0.5, 0.8), (1, 0.35))
    whirr = unit(struck(rng, n, turns(rng, n, rate * 2, 0.1), tick(rng, 1500, 4000, 0.02), 0.4))
    out = unit(struck(rng, n, turns(rng, n, rate, 0.05), hit, 0.4)) + rng.uniform(0.05, 0.3) * whirr
    return out * curve(n, (0, 1), (0.5, 0.7), (0.85, 0.3), (1, 0))


@sound("daily_living", "Beep, bleep; Jingle (music); Ringtone", (1.5, 5.0),
       "a washing machine plays its little finishing tune", "the washer sings that the laundry is done",
       "a dishwasher's electronic jingle at the end of its cycle")  # fmt: skip
def washer_done_tune(rng: Rng, n: int) -> Signal:
    count = max(4, round(n / RATE / rng.uniform(0.16, 0.35)))
    note, scale = n / RATE / count, rng.choice([0, 2, 4, 5, 7, 9, 11, 12], count)
    index = np.minimum((times(n) / note).astype(int), count - 1)
    pitch = rng.uniform(700, 2200) * 2 ** (scale[index] / 12)
    inside = times(n) / note - index
    gate = np.minimum(1, inside * note / 0.005) * np.exp(-rng.uniform(0.2, 4) * inside) * (inside < 0.9)
    return lowpass(harmonic(pitch, n, (1, 0.05, rng.uniform(0.1, 0.4), 0, 0.1)) * gate, 7000)
