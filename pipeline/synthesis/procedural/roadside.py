"""At the roadside and the station: harmless sounds that a signal could be taken for."""

import numpy as np

from .dsp import (
    RATE,
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
    modes,
    repeat,
    rolloff,
    room,
    samples,
    sine,
    steps,
    strike,
    unit,
)  # fmt: skip
from .equipment import firing
from .home import WOOD, tick
from .kind import sound
from .signals import gong
from .traffic import doppler, passing

Rng = np.random.Generator


@sound("traffic", "Chime; Ding-dong", (1.6, 4.5),
       "a station chime before an announcement", "three soft gong notes of a station chime",
       "the chime of a railway platform loudspeaker")  # fmt: skip
def station_chime(rng: Rng, n: int) -> Signal:
    base, ring = rng.uniform(380, 800), rng.uniform(0.9, 2.0)
    notes = rng.choice(np.array([0, 4, 5, 7, 9, 12]), rng.integers(2, 5), replace=False)
    gap, out = (n / RATE - 0.7) / len(notes) * rng.uniform(0.5, 1.0), np.zeros(n)
    for i, note in enumerate(notes):
        f = base * 2 ** (note / 12)
        tone = modes(samples(ring * 1.2), f * np.array([1, 2, 3.01, 4.2]), ring * np.array([1, 0.6, 0.4, 0.2]),
                     (1, rng.uniform(0.1, 0.5), rng.uniform(0, 0.2), 0.05))  # fmt: skip
        add(out, tone, samples(i * min(gap, 0.8)))
    return room(out, rng, t60_s=rng.uniform(0.5, 2), wet=0.3) * curve(n, (0, 1), (0.75, 0.9), (1, 0))


@sound("traffic", "Ice cream truck, ice cream van; Chime", (3.0, 9.0),
       "an ice cream van plays its jingle", "the tinkling jingle of an ice cream van in the lane",
       "tinny ice cream truck chimes")  # fmt: skip
def ice_cream_van(rng: Rng, n: int) -> Signal:
    beat, tonic, out, at = rng.uniform(0.14, 0.3), rng.uniform(500, 900), np.zeros(n), 0.0
    while at < n / RATE - 0.3:
        f = tonic * 2 ** (rng.choice(np.array([-5, 0, 2, 4, 5, 7, 9, 12])) / 12)
        bar = modes(samples(0.8), f * np.array([1, 2.76, 3.9]), (0.8, 0.4, 0.2), (1, 0.5, 0.3))
        add(out, bar, samples(at), rng.uniform(0.6, 1))
        at += beat * rng.choice([1, 1, 2])
    van = rng.uniform(0, 0.1) * unit(firing(rng, n, rng.uniform(22, 30), 0.3))
    return (highpass(np.tanh(rng.uniform(1, 3) * unit(out)), 500) + van) * curve(
        n, (0, 0), (0.01, 1), (0.85, 1), (1, 0)
    )


@sound("traffic", "Chime; Ding; Car", (1.5, 6.0),
       "a seat-belt chime dings in a parked car", "soft repeated dings of a seat-belt reminder",
       "the dashboard's gentle seat-belt ding")  # fmt: skip
def seatbelt_chime(rng: Rng, n: int) -> Signal:
    f, ring = rng.uniform(500, 1500), rng.uniform(0.3, 0.9)
    colour = (1, rng.uniform(0, 0.5), rng.uniform(0, 0.3))
    starts = np.arange(0, max(0.1, n / RATE - 0.4), rng.uniform(0.4, min(0.9, ring + 0.35)))
    ding = modes(samples(ring * 1.2), f * np.array([1, 2, 3]), (ring, ring * 0.6, ring * 0.4), colour)
    cabin = 0.01 * coloured_noise(rng, n, 1.5)
    return repeat(rng, n, starts, lambda: ding * decay(len(ding), 9, attack_s=0.005), spread_db=0.5) + cabin


@sound("traffic", "Beep, bleep; Chirp tone; Car", (0.25, 0.7),
       "a car locks with a short chirp",
       "the remote locks the car, one chirp and a clunk", "a parked car chirps as it is unlocked")  # fmt: skip
def car_lock_chirp(rng: Rng, n: int) -> Signal:
    out, m = np.zeros(n), samples(rng.uniform(0.03, 0.07))
    start = samples(rng.uniform(0, 0.04))
    add(
        out,
        strike(rng, samples(0.12), rng.uniform(120, 300), WOOD, 0.08, noise=1.5, noise_hz=2500),
        start,
        rng.uniform(0.3, 0.9),
    )
    for i in range(rng.integers(1, 3)):
        f = rng.uniform(1100, 2600) * curve(m, (0, 1), (1, rng.uniform(0.9, 1.3)))
        add(out, unit(harmonic(f, m, (1, 0.3, 0.3))) * arch(m, 0.1, 0.1), start + i * samples(0.11))
    return room(out, rng, t60_s=0.3, wet=0.2) * curve(n, (0, 1), (0.8, 0.8), (1, 0))


@sound("traffic", "Tick; Clicking", (2.0, 7.0),
       "a pedestrian light ticks for the blind", "the ticker of a pedestrian light, slow then quick",
       "steady ticks from a pedestrian signal post")  # fmt: skip
def pedestrian_ticker(rng: Rng, n: int) -> Signal:
    f, change = rng.uniform(600, 1500), rng.uniform(0.2, 1.2)
    slow, quick = rng.uniform(0.3, 0.55), rng.uniform(0.08, 0.14)
    early = np.arange(0, n / RATE * min(change, 1) - 0.1, slow)
    late = np.arange(n / RATE * change, n / RATE - 0.1, quick)

    def tock() -> Signal:
        m = samples(0.06)
        return modes(m, f * np.array([1, 2.3, 3.7]), (0.05, 0.03, 0.02), (1, 0.5, 0.3)) + 0.4 * np.resize(
            tick(rng, 2000, 4000, 0.012), m) * curve(m, (0, 1), (0.3, 0), (1, 0))  # fmt: skip

    return room(repeat(rng, n, [*early, *late], tock, spread_db=1), rng, t60_s=0.25, wet=0.15)


@sound("daily_living", "Harmonica", (0.8, 3.8),
       "a mouth organ plays one warm chord",
       "someone breathes a chord on a harmonica", "a reedy harmonica chord swells and fades")  # fmt: skip
def harmonica_chord(rng: Rng, n: int) -> Signal:
    base, out = rng.uniform(260, 620), np.zeros(n)
    for ratio in (1.0, *rng.choice([1.25, 1.5, 1.875, 2.0, 2.5], rng.integers(1, 4), replace=False)):
        bend = curve(n, (0, 0.98), (0.12, 1), (1, 0.995)) * drift(rng, n, 3, 0.998, 1.002) * rng.uniform(0.997, 1.003)
        out += harmonic(base * ratio * bend, n, rolloff(14, rng.uniform(0.7, 1.1)) * rng.uniform(0.5, 1, 14))
    hand = 1 - rng.uniform(0, 0.5) * (0.5 + 0.5 * sine(rng.uniform(3, 7), n))
    return (unit(out) * hand + 0.03 * band_noise(rng, n, 1000, 6000)) * arch(n, rng.uniform(0.1, 0.3), 0.35)


@sound("daily_living", "Bell", (1.8, 5.5),
       "a school bell rings for recess", "the school bell rattles in the corridor before lessons",
       "an electric school bell for the next lesson")  # fmt: skip
def school_bell(rng: Rng, n: int) -> Signal:
    base, ring, rate = rng.uniform(700, 1500), rng.uniform(0.4, 0.9), rng.uniform(14, 24)
    clang = lowpass(gong(rng, ring, base), rng.uniform(2500, 5000))
    out = repeat(rng, n, np.arange(0, max(0.2, n / RATE - ring * 0.8), 1 / rate), lambda: clang, spread_db=2)
    return room(out, rng, t60_s=rng.uniform(0.8, 1.8), wet=0.45) * curve(n, (0, 0.6), (0.1, 1), (0.85, 0.8), (1, 0))


@sound("equipment", "Power tool; Tools", (0.8, 3.5),
       "a nail gun drives nails into timber",
       "quick thuds of a pneumatic nail gun", "a carpenter with a nail gun")  # fmt: skip
def nail_gun(rng: Rng, n: int) -> Signal:
    base = rng.uniform(110, 240)

    def nail() -> Signal:
        m = samples(0.32)
        out = strike(rng, m, base, WOOD, 0.15, noise=1.2, noise_hz=4000)
        puff = unit(band_noise(rng, m, 1500, 7000)) * curve(m, (0, 0), (0.05, 0), (0.12, 0.35), (0.6, 0.05), (1, 0))
        return out + rng.uniform(0.3, 1) * puff

    return room(repeat(rng, n, steps(rng, n, rng.uniform(0.22, 0.55), jitter=0.2, tail_s=0.34), nail), rng, t60_s=0.3)


@sound("daily_living", "Burst, pop", (0.3, 0.8),
       "a party balloon pops",
       "someone pricks a balloon and it pops", "one balloon pops with a dry clap")  # fmt: skip
def balloon_pop(rng: Rng, n: int) -> Signal:
    out, m = np.zeros(n), samples(rng.uniform(0.02, 0.06))
    add(out, unit(band_noise(rng, m, rng.uniform(250, 700), 6000)) * decay(m, m / RATE, attack_s=4e-4), 0)
    add(out, strike(rng, samples(0.1), rng.uniform(180, 420), (1, 2.04, 3.1), 0.05, noise=0.3), 0, 0.8)
    return room(out, rng, t60_s=rng.uniform(0.15, 0.6), wet=rng.uniform(0.1, 0.4)) * curve(
        n, (0, 1), (0.6, 0.7), (1, 0)
    )


@sound("traffic", "Electric vehicle; Whir", (1.8, 6.0),
       "an electric scooter whirs past",
       "the whirring motor of an e-scooter on the bike lane", "electric scooter gliding away with a whir")  # fmt: skip
def electric_scooter(rng: Rng, n: int) -> Signal:
    closest, width = rng.uniform(0.35, 0.55), rng.uniform(0.1, 0.25)
    hub = rng.uniform(180, 420) * doppler(n, closest, width, 0.06) * curve(n, (0, 1), (1, rng.uniform(0.8, 1.4)))
    whine = unit(harmonic(hub, n, rolloff(10, 0.8) * rng.uniform(0.2, 1, 10))) + 0.3 * sine(hub * 6.02, n)
    wheels = unit(band_noise(rng, n, 300, 2500)) * drift(rng, n, 12, 0.5, 1)
    return (whine + rng.uniform(0.4, 1.2) * wheels) * passing(n, closest, width)


@sound("traffic", "Roll; Rattle", (1.8, 6.0),
       "a wheelie suitcase rolls along the pavement",
       "suitcase wheels clatter over paving joints", "someone pulls a rattling suitcase on little wheels")  # fmt: skip
def suitcase_wheels(rng: Rng, n: int) -> Signal:
    roll = unit(band_noise(rng, n, rng.uniform(150, 500), rng.uniform(1800, 4000))) * drift(rng, n, 25, 0.4, 1)
    joint = rng.uniform(0.15, 0.5)
    for start in steps(rng, n, joint, jitter=0.12):
        for offset in (0.0, rng.uniform(0.02, 0.05)):
            knock = strike(rng, samples(0.09), rng.uniform(180, 420), WOOD, 0.05, noise=1.2, noise_hz=3500)
            add(roll, knock, samples(start + offset), rng.uniform(0.3, 1))
    return roll * passing(n, rng.uniform(0.3, 0.7), rng.uniform(0.2, 0.8))


@sound("daily_living", "Beep, bleep; Cash register", (1.2, 4.0),
       "a ticket machine beeps at each key press", "keypad beeps of a ticket machine on the platform",
       "someone taps a price into a ticket machine")  # fmt: skip
def ticket_machine(rng: Rng, n: int) -> Signal:
    f, on = rng.uniform(900, 3000), samples(rng.uniform(0.04, 0.12))
    ends = rng.choice([1.0, 1.25, 1.5])  # the last beep says that it was understood

    def press(pitch: float) -> Signal:
        gate = curve(2 * on, (0, 0), (0.05, 1), (0.5, 1), (0.55, 0), (1, 0))
        out = unit(harmonic(pitch, 2 * on, (1, rng.uniform(0, 0.4), 0.2))) * gate
        add(out, tick(rng, 900, 2500, 0.02), 0, rng.uniform(0.2, 0.7))
        return out

    starts = steps(rng, n, rng.uniform(0.25, 0.5), jitter=0.3, tail_s=0.3)
    out = repeat(rng, n, starts[:-1] or starts, lambda: press(f), spread_db=2)
    add(out, press(f * ends), samples(starts[-1]))
    return room(out, rng, t60_s=rng.uniform(0.3, 1.2), wet=0.25) * curve(n, (0, 1), (0.95, 1), (1, 0))


@sound("daily_living", "Ding; Bell", (0.8, 2.2),
       "a reception desk bell is tapped", "someone taps the little bell on a hotel counter",
       "bright ting of a hotel reception bell")  # fmt: skip
def reception_bell(rng: Rng, n: int) -> Signal:
    base, ring, out = rng.uniform(1700, 3400), n / RATE * rng.uniform(0.7, 1.0), np.zeros(n)
    for i in range(rng.integers(1, 3)):
        at = int(i * n * rng.uniform(0.15, 0.3))
        ratios, lasting = np.array([1, 1.006, 1.72, 2.4]), ring * np.array([1, 0.9, 0.5, 0.3])
        hit = modes(n - at, base * ratios, lasting, (1, 0.6, 0.4, 0.2))
        add(hit, tick(rng, 1200, 2500, 0.02), 0, 0.6)
        add(out, hit, at, rng.uniform(0.6, 1))
    return room(out, rng, t60_s=0.5, wet=0.2) * curve(n, (0, 1), (0.7, 0.8), (1, 0))


@sound("daily_living", "Vuvuzela", (0.8, 3.5),
       "a fan blows a vuvuzela in the stands", "the flat drone of a vuvuzela at a football match",
       "vuvuzela hooting from the terraces")  # fmt: skip
def vuvuzela(rng: Rng, n: int) -> Signal:
    f = rng.uniform(215, 250) * curve(n, (0, 0.96), (0.1, 1), (0.85, 1), (1, 0.95)) * drift(rng, n, 8, 0.985, 1.01)
    lips = harmonic(f, n, rolloff(16, rng.uniform(0.1, 0.5)) * rng.uniform(0.4, 1, 16))
    bore = formants(lips, (rng.uniform(600, 900), 250, 2), (rng.uniform(1300, 1900), 400, 1), (300, 150, 1))
    stands = 0.2 * unit(band_noise(rng, n, 300, 3000)) * arch(n, 0.1, 0.1)
    blown = unit(bore) * arch(n, 0.06, 0.15) * drift(rng, n, 5, 0.8, 1) + stands
    return room(blown, rng, t60_s=0.8, wet=0.2) * curve(n, (0, 1), (0.93, 1), (1, 0))


@sound("daily_living", "Whistle; Squeak", (0.5, 2.5),
       "a slide whistle swoops up and down", "a comic swoop on a slide whistle",
       "someone plays with a slide whistle")  # fmt: skip
def slide_whistle(rng: Rng, n: int) -> Signal:
    way = np.interp(np.linspace(0, 3, n), np.arange(4), rng.uniform(0, 1, 4))
    shake = 1 + rng.uniform(0, 0.02) * sine(rng.uniform(4, 7), n)
    f = rng.uniform(450, 900) * 2 ** (rng.uniform(0.8, 1.8) * np.sin(way * np.pi / 2)) * shake
    return (harmonic(f, n, (1, 0.08, 0.12)) + 0.06 * band_noise(rng, n, 800, 6000)) * arch(n, 0.08, 0.15)


@sound("daily_living", "Buzz; Squeak", (0.4, 2.0),
       "a party horn unrolls with a rasp", "a paper party blower buzzes and curls back",
       "rasping buzz of a party blower at a birthday")  # fmt: skip
def party_blower(rng: Rng, n: int) -> Signal:
    f = rng.uniform(260, 620) * curve(n, (0, 0.7), (0.15, 1.05), (0.7, 1), (1, 0.75)) * drift(rng, n, 18, 0.95, 1.05)
    reed = formants(buzz(f, n, open_quotient=rng.uniform(0.2, 0.5)), (rng.uniform(900, 1700), 250, 2), (3200, 500, 1))
    paper = unit(band_noise(rng, n, 1500, 7000)) * curve(n, (0, 0), (0.1, 0.5), (0.3, 0.1), (0.9, 0.5), (1, 0))
    return unit(reed) * arch(n, 0.08, 0.15) * drift(rng, n, 20, 0.6, 1) + rng.uniform(0.1, 0.4) * paper
