"""Signals: sirens, horns and warnings that ask to be heeded, and what is mistaken for them."""

from collections.abc import Callable

import numpy as np

from .dsp import (
    RATE,
    Signal,
    add,
    arch,
    band_noise,
    beeps,
    buzz,
    coloured_noise,
    curve,
    decay,
    drift,
    formants,
    harmonic,
    highpass,
    lowpass,
    moving_formant,
    repeat,
    rolloff,
    room,
    samples,
    sine,
    steps,
    strike,
    times,
    unit,
)  # fmt: skip
from .equipment import firing
from .home import METAL, WOOD
from .kind import sound
from .traffic import doppler, horn, passing

Rng = np.random.Generator


# -- shared sources ------------------------------------------------------------------------------


def open_air(x: Signal, rng: Rng) -> Signal:
    """Heard from some way off: duller, with an echo, fading out at the very end."""
    wet = room(unit(lowpass(x, rng.uniform(3000, 7500))), rng, t60_s=rng.uniform(0.2, 1.2), wet=rng.uniform(0.05, 0.35))
    return wet * curve(len(x), (0, 1), (0.96, 1), (1, 0))


def blasts(rng: Rng, n: int, low_s: float, high_s: float, gap_s: float, make: Callable[[int], Signal]) -> Signal:
    """Sounds of uneven length, made one by one, with gaps between them; together they fill `n`."""
    count = max(1, round((n / RATE + gap_s) / ((low_s + high_s) / 2 + gap_s)))
    lengths = rng.uniform(low_s, high_s, count)
    starts = np.cumsum(lengths + gap_s) - lengths - gap_s
    scale, out = n / (starts[-1] + lengths[-1]), np.zeros(n)
    for start, length in zip(starts, lengths, strict=True):
        add(out, make(max(160, int(length * scale))), int(start * scale), rng.uniform(0.75, 1.0))
    return out


def on_the_move(rng: Rng, n: int) -> tuple[Signal, Signal]:
    """Level and pitch factor of a vehicle that comes, passes or stands."""
    closest, width = rng.uniform(0.3, 1.0), rng.uniform(0.25, 1.5)
    return passing(n, closest, width), doppler(n, closest, width / 2, rng.uniform(0.0, 0.05))


def gong(rng: Rng, ring_s: float, base_hz: float) -> Signal:
    """A struck dome of metal with a bright contact."""
    return strike(
        rng, samples(ring_s * 1.1), base_hz, (1, 1.51, 2.02, 2.76, 3.9, 5.3), ring_s, noise=0.4, noise_hz=6000
    )


# -- sirens --------------------------------------------------------------------------------------


@sound("traffic", "Police car (siren); Siren", (2.5, 7.0),
       "a police hi-lo siren alternates between two notes", "the hi-lo siren of a police car, high then low",
       "two-note hi-lo siren of the police drawing near",
       criterion="signal", counterpart="ice_cream_van")  # fmt: skip
def police_hi_lo(rng: Rng, n: int) -> Signal:
    t = times(n) / rng.uniform(0.35, 0.75) + rng.uniform(0, 2)
    high = np.clip(20 * (t % 2 - 1), 0, 1)
    level, pitch = on_the_move(rng, n)
    f = rng.uniform(360, 640) * 2 ** (high * rng.choice([3, 4, 5, 5, 7]) / 12) * pitch
    tone = harmonic(f, n, rolloff(16, rng.uniform(0.3, 1.3)) * rng.uniform(0.5, 1, 16))
    return open_air(np.tanh(rng.uniform(0.5, 2) * unit(tone)), rng) * level


@sound("traffic", "Siren; Emergency vehicle", (1.5, 5.0),
       "a piercer siren buzzes up and down in rapid sweeps", "the phaser siren of a patrol car at a junction",
       "rapid zapping phaser siren of an emergency vehicle",
       criterion="signal", counterpart="electric_scooter")  # fmt: skip
def phaser_siren(rng: Rng, n: int) -> Signal:
    t = np.cumsum(rng.uniform(7, 22) * drift(rng, n, 2, 0.97, 1.03)) / RATE
    saw = rng.random() < 0.5
    sweep = t % 1 if saw else 1 - np.abs(2 * (t % 1) - 1)
    level, pitch = on_the_move(rng, n)
    f = rng.uniform(450, 900) * 2 ** (rng.uniform(0.6, 1.5) * sweep) * pitch
    tone = harmonic(f, n, rolloff(9, rng.uniform(0.4, 1.0)) * rng.uniform(0.4, 1, 9))
    return (
        open_air(unit(formants(tone, (rng.uniform(900, 1600), 400, 2), (2600, 500, 1)) + 0.3 * unit(tone)), rng) * level
    )


@sound("traffic", "Siren; Mechanical fan", (3.5, 9.0),
       "a hand-cranked siren winds up and howls", "an old motor siren slowly winding up to a howl",
       "a cranked siren howls and winds down again",
       criterion="signal", counterpart="subway_arriving")  # fmt: skip
def cranked_siren(rng: Rng, n: int) -> Signal:
    t, stop = np.linspace(0, 1, n), rng.uniform(0.55, 0.8)
    speed = 1 - np.exp(-t / rng.uniform(0.08, 0.25))
    speed = np.where(t < stop, speed, speed[int(stop * n)] * np.exp(-(t - stop) / rng.uniform(0.15, 0.4)))
    crank = 1 + rng.uniform(0.0, 0.04) * np.sin(2 * np.pi * rng.uniform(1.2, 2.5) * times(n))
    f = rng.uniform(320, 900) * speed * crank + 12
    ports = rng.choice([1.2, 1.25, 1.333, 1.5, 1.003])  # the second row of ports, if there is one
    tone = harmonic(f, n, rolloff(14, 0.9)) + rng.uniform(0, 0.9) * harmonic(f * ports, n, rolloff(11, 0.9))
    air = 0.05 * band_noise(rng, n, 300, 4000) * np.abs(np.sin(np.pi * 0.1 * np.cumsum(f) / RATE))
    return open_air((unit(tone) + air) * speed**1.5, rng)


@sound("traffic", "Car alarm; Alarm", (3.0, 8.0),
       "a car alarm cycles through its tones", "a parked car's theft alarm goes off, cycling six tones",
       "the cycling whoops and yelps of a car alarm",
       criterion="signal", counterpart="ice_cream_van")  # fmt: skip
def car_alarm(rng: Rng, n: int) -> Signal:
    t = times(samples(rng.uniform(0.6, 1.4)))
    slow, fast, quick = rng.uniform(1.5, 3), rng.uniform(4, 7), rng.uniform(8, 14)
    shapes = [
        0.5 - 0.5 * np.cos(2 * np.pi * slow * t), t * fast % 1, 1 - t * fast % 1,
        (t * slow * 2 % 2 >= 1).astype(float), t * slow / 2 % 1, 0.5 - 0.5 * np.cos(2 * np.pi * quick * t),
    ]  # fmt: skip
    order = rng.permutation(6)
    sweep = np.resize(np.concatenate([shapes[i] for i in order]), n)
    f = rng.uniform(500, 1000) * 2 ** (rng.uniform(0.8, 1.5) * sweep)
    tone = harmonic(f, n, rolloff(9, rng.uniform(0.3, 1)) * (0.2 + 0.8 * (np.arange(9) % 2 == 0)))
    return open_air(highpass(tone, 400), rng) * curve(n, (0, 1), (0.985, 1), (1, 0))


@sound("traffic", "Alarm; Siren", (1.5, 6.0),
       "an intruder alarm shrieks inside a building", "the ear-splitting warble of an intruder alarm",
       "a shrill intruder alarm warbles in the hallway",
       criterion="signal", counterpart="alarm_clock")  # fmt: skip
def intruder_alarm(rng: Rng, n: int) -> Signal:
    t, style = times(n) * rng.uniform(1.5, 16), rng.integers(0, 3)
    sweep = (t % 1, 1 - np.abs(2 * (t % 1) - 1), (t % 1 >= 0.5).astype(float))[style]
    f = rng.uniform(1900, 3100) * 2 ** (sweep * rng.uniform(0.12, 0.5))
    piezo = harmonic(f, n, (1, 0.3, 0.2)) + rng.uniform(0, 0.8) * harmonic(f * rng.uniform(1.03, 1.2), n, (1, 0.2))
    hall = room(unit(piezo), rng, t60_s=rng.uniform(0.2, 0.9), wet=rng.uniform(0.1, 0.5))
    return hall * curve(n, (0, 1), (0.97, 1), (1, 0))


@sound("traffic", "Alarm; Whoop", (2.0, 8.0),
       "a factory alarm whoops slowly upward", "the slow whoop of a factory alarm, sweeping up each time",
       "an industrial alarm whoops from wall loudspeakers",
       criterion="signal", counterpart="station_chime")  # fmt: skip
def slow_whoop(rng: Rng, n: int) -> Signal:
    low, octaves = rng.uniform(300, 620), rng.uniform(0.8, 1.6)
    bend, tilt = rng.uniform(0.7, 1.6), rng.uniform(0.5, 1.3)

    def whoop(m: int) -> Signal:
        f = low * 2 ** (octaves * np.linspace(0, 1, m) ** bend)
        return unit(harmonic(f, m, rolloff(12, tilt))) * arch(m, 0.03, 0.03)

    period = rng.uniform(0.9, 3.2)
    return open_air(highpass(blasts(rng, n, period, period * 1.01, rng.uniform(0.05, 0.45), whoop), 300), rng)


@sound("traffic", "Alarm; Whoop; Aircraft", (1.2, 4.0),
       "a cockpit terrain warning whoops at the pilots", "the whooping terrain warning on a flight deck",
       "whoop after whoop of a cockpit terrain warning",
       criterion="signal", counterpart="seatbelt_chime")  # fmt: skip
def cockpit_whoop(rng: Rng, n: int) -> Signal:
    low, ratio = rng.uniform(250, 620), rng.uniform(1.6, 3.0)
    colour = rolloff(10, rng.uniform(0.2, 1.4)) * rng.uniform(0.3, 1, 10)

    def whoop(m: int) -> Signal:
        f = low * ratio ** np.linspace(0, 1, m)
        return unit(harmonic(f, m, colour)) * arch(m, 0.08, 0.15)

    length, top = rng.uniform(0.2, 0.65), rng.uniform(2000, 6500)
    speaker = highpass(lowpass(blasts(rng, n, length, length * 1.05, rng.uniform(0.04, 0.25), whoop), top), 350)
    jet = unit(coloured_noise(rng, n, 1.2, low_hz=150)) * arch(n, 0.03, 0.05)
    return unit(speaker) + rng.uniform(0.01, 0.4) * jet


# -- bells, chimes, clacks -----------------------------------------------------------------------


@sound("traffic", "Alarm; Bell", (1.8, 6.0),
       "a burglar alarm bell hammers on a wall", "the burglar alarm bell of a shop clangs without pause",
       "a burglar bell hammers away as a security alarm",
       criterion="signal", counterpart="school_bell")  # fmt: skip
def burglar_bell(rng: Rng, n: int) -> Signal:
    base, ring, rate = rng.uniform(600, 1700), rng.uniform(0.3, 1.0), rng.uniform(13, 28)
    starts = np.arange(0.0, max(0.1, n / RATE - ring * 0.6), 1 / rate)
    starts = np.maximum(0, starts + rng.normal(0, 0.05 / rate, len(starts)))
    clang = gong(rng, ring, base)
    rattle = repeat(rng, n, starts, lambda: clang, spread_db=5)
    return open_air(rattle, rng) * curve(n, (0, 1), (0.9, 0.9), (1, 0))


@sound("traffic", "Bell; Rail transport; Gong", (1.0, 3.5),
       "a tram hammers its warning bell right ahead", "the insistent warning bell of a tram, gong after gong",
       "the driver stamps on the tram gong as a warning signal",
       criterion="signal", counterpart="tram_bell")  # fmt: skip
def tram_gong_insistent(rng: Rng, n: int) -> Signal:
    base, ring = rng.uniform(450, 1300), rng.uniform(0.25, 0.7)
    starts = steps(rng, n, rng.uniform(0.09, 0.2), jitter=0.15, tail_s=min(ring, 0.35))
    out = repeat(rng, n, starts, lambda: gong(rng, ring, base), spread_db=6)
    thump = repeat(rng, n, starts, lambda: strike(rng, samples(0.08), 140, WOOD, 0.06, noise=1, noise_hz=1500))
    return open_air(out + rng.uniform(0, 0.5) * thump, rng)


@sound("traffic", "Alarm; Rail transport; Beep, bleep", (2.5, 7.0),
       "an electronic level crossing warbles its warning", "electronic warble of a railway crossing",
       "a level crossing's electronic yodel before the train",
       criterion="signal", counterpart="pedestrian_ticker")  # fmt: skip
def crossing_warble(rng: Rng, n: int) -> Signal:
    t = times(n) * rng.uniform(1.6, 4.5)
    f = rng.uniform(500, 1100) * np.where(t % 1 < 0.5, 1.0, rng.uniform(0.72, 0.9))
    stroke = 2 * t % 1
    ding = np.exp(-rng.uniform(0, 3) * stroke) * np.minimum(1, 30 * stroke) * np.minimum(1, 30 * (1 - stroke))
    odd = (np.arange(12) % 2 == 0) + rng.uniform(0, 0.5)
    return open_air(harmonic(f, n, rolloff(12, rng.uniform(0.6, 1.6)) * odd) * ding, rng)


# -- horns and whistles --------------------------------------------------------------------------


@sound("traffic", "Air horn, truck horn; Fire engine, fire truck (siren)", (1.2, 4.0),
       "a fire engine bursts its air horn at the junction", "short brutal bursts of a fire engine's air horn",
       "fire engine horn in bursts, close behind",
       criterion="signal", counterpart="harmonica_chord")  # fmt: skip
def fire_engine_horn(rng: Rng, n: int) -> Signal:
    f, third = rng.uniform(180, 330), rng.choice([1.19, 1.25, 1.33, 1.5])

    def burst(m: int) -> Signal:
        start = curve(m, (0, 0.93), (0.12, 1), (0.9, 1), (1, 0.96))
        chord = harmonic(f * start, m, rolloff(24, 0.3)) + harmonic(f * third * start, m, rolloff(18, 0.35))
        return np.tanh(2.5 * unit(chord)) * arch(m, 0.05, 0.08)

    out = unit(blasts(rng, n, 0.22, rng.uniform(0.35, 1.1), rng.uniform(0.08, 0.3), burst))
    wail = harmonic(rng.uniform(600, 800) * 2 ** (0.5 * np.sin(times(n) * rng.uniform(2, 16))), n, rolloff(6, 1))
    return open_air(out + rng.choice([0.0, 0.12]) * unit(wail), rng)


@sound("traffic", "Vehicle horn, car horn, honking; Motor vehicle (road); Toot", (0.8, 3.0),
       "a moped horn beeps insistently close by", "the thin insistent horn of a moped right behind you",
       "a moped rider keeps on beeping a nasal horn, very near",
       criterion="signal", counterpart="party_blower")  # fmt: skip
def moped_horn(rng: Rng, n: int) -> Signal:
    f, disc, flutter = rng.uniform(300, 560), rng.uniform(1900, 3600), rng.uniform(0, 0.4)

    def toot(m: int) -> Signal:
        pitch = f * curve(m, (0, 0.97), (0.1, 1), (1, 1)) * drift(rng, m, 15, 0.99, 1.01)
        reed = highpass(buzz(pitch, m, open_quotient=0.35), 250)
        shaky = 1 - flutter * (0.5 + 0.5 * sine(rng.uniform(25, 60), m))  # an alternator that idles
        rasp = unit(formants(reed, (disc, 250, 4), (disc * 1.4, 400, 3), (f * 2, 200, 0.6)))
        return rasp * shaky * arch(m, 0.04, 0.05)

    return open_air(blasts(rng, n, 0.08, rng.uniform(0.2, 0.7), rng.uniform(0.05, 0.15), toot), rng)


@sound("traffic", "Foghorn; Ship; Boat, Water vehicle", (3.0, 7.5),
       "a ship blasts its horn five times close ahead", "danger signal of a ship, five short blasts nearby",
       "five urgent blasts of the horn, a ship very near",
       criterion="signal", counterpart="ship_horn")  # fmt: skip
def ship_danger_blasts(rng: Rng, n: int) -> Signal:
    f, second = rng.uniform(75, 240), rng.choice([1.0, 1.26, 1.5])
    count = rng.integers(5, 8)
    length, gap = n / count * rng.uniform(0.6, 0.8), n / count
    out = np.zeros(n)
    for i in range(count):
        m = int(length * rng.uniform(0.9, 1.1))
        blast = np.tanh(1.5 * horn(rng, m, (f, f * second * 1.003), 24, rng.uniform(0.5, 0.7)))
        add(out, blast * arch(m, 0.1, 0.15), int(i * gap))
    hall = room(lowpass(out, rng.uniform(900, 4000)), rng, t60_s=rng.uniform(0.6, 2), wet=rng.uniform(0.1, 0.4))
    return hall * curve(n, (0, 1), (0.93, 1), (1, 0))


@sound("traffic", "Air horn, truck horn; Toot", (0.7, 2.5),
       "a canister air horn blares from a lifeguard", "someone presses a hand-held canister air horn",
       "shrill canister air horn, blown in alarm",
       criterion="signal", counterpart="vuvuzela")  # fmt: skip
def canister_horn(rng: Rng, n: int) -> Signal:
    f, sag = rng.uniform(380, 720), rng.uniform(0.9, 1.0)

    def honk(m: int) -> Signal:
        pitch = f * curve(m, (0, 0.9), (0.06, 1.02), (0.2, 1), (1, sag)) * drift(rng, m, 20, 0.995, 1.005)
        reed = harmonic(pitch, m, rolloff(18, 0.2) * rng.uniform(0.4, 1, 18)) * drift(rng, m, 25, 0.8, 1)
        hiss = 0.1 * highpass(rng.standard_normal(m), 3000)
        return (np.tanh(2 * unit(reed)) + hiss) * arch(m, 0.03, 0.06)

    return open_air(blasts(rng, n, 0.3, rng.uniform(0.5, 2.0), rng.uniform(0.06, 0.25), honk), rng)


@sound("traffic", "Buzzer; Alarm; Vehicle horn, car horn, honking", (0.9, 4.0),
       "a klaxon growls ah-oo-gah", "an old klaxon rasps up and down", "the rasping growl of a klaxon on the deck",
       criterion="signal", counterpart="engine_start")  # fmt: skip
def klaxon(rng: Rng, n: int) -> Signal:
    top, plate = rng.uniform(190, 430), rng.uniform(900, 2300)

    def growl(m: int) -> Signal:
        spin = curve(m, (0, 0.3), (0.18, 0.85), (0.5, 1), (0.75, 0.95), (1, rng.uniform(0.3, 0.6)))
        teeth = buzz(top * spin * drift(rng, m, 12, 0.98, 1.02), m, open_quotient=0.25)
        rasp = formants(teeth, (plate, 130, 3), (plate * 1.6, 220, 2), (plate * 2.7, 400, 1), (400, 150, 1))
        return np.tanh(2.5 * unit(rasp)) * arch(m, 0.08, 0.2)

    return open_air(blasts(rng, n, 0.6, rng.uniform(0.8, 2.2), rng.uniform(0.05, 0.3), growl), rng)


@sound("traffic", "Whistle", (0.7, 2.5),
       "a guard's whistle trills a warning signal", "a guard blows hard on a pea whistle as a warning signal",
       "shrill pea whistle blown again and again, a danger signal",
       criterion="signal", counterpart="whistling")  # fmt: skip
def pea_whistle(rng: Rng, n: int) -> Signal:
    f, pea, depth = rng.uniform(2100, 3600), rng.uniform(18, 70), rng.uniform(0.0, 0.95)
    second = rng.choice([1.0, rng.uniform(1.03, 1.12)])  # a second chamber beats against the first

    def blow(m: int) -> Signal:
        trill = 0.5 + 0.5 * sine(pea * drift(rng, m, 6, 0.85, 1.15), m)
        pitch = f * curve(m, (0, 0.9), (0.08, 1), (0.85, 1), (1, 0.92)) * (1 + 0.02 * depth * trill)
        tone = harmonic(pitch, m, (1, 0.15)) + 0.7 * harmonic(pitch * second, m, (1, 0.1))
        breath = band_noise(rng, m, 1500, 7000) * rng.uniform(0.05, 0.25)
        return (unit(tone) * (1 - depth * trill) + breath) * arch(m, 0.08, 0.1)

    return open_air(blasts(rng, n, 0.12, rng.uniform(0.25, 1.4), rng.uniform(0.05, 0.2), blow), rng)


# -- shots, brakes, vehicles that back up --------------------------------------------------------


def report(rng: Rng, t60_s: float, crack: float) -> Signal:
    """One shot: a bullet's N-wave (`crack` of it), the muzzle blast, echoes from what stands around."""
    n = samples(t60_s)
    t, gap = times(n), samples(rng.uniform(0.004, 0.03))
    length = rng.uniform(0.0006, 0.003)
    push = (1 - t / length) * np.exp(-t / length)
    burst = lowpass(rng.standard_normal(n), rng.uniform(2500, 7500)) * decay(n, rng.uniform(0.06, 0.25), attack_s=3e-4)
    blast = unit(push) + rng.uniform(0.5, 1.2) * unit(burst)
    out = np.zeros(n)
    add(out, np.linspace(1, -1, 24), 0, crack)
    add(out, blast, gap if crack else 0)
    for delay in rng.uniform(0.02, 0.35, 4):
        add(out, lowpass(blast, rng.uniform(600, 3000)), samples(delay), rng.uniform(0.05, 0.3))
    return highpass(np.tanh(out), 60) * curve(n, (0, 1), (0.8, 1), (1, 0))


@sound("traffic", "Gunshot, gunfire; Explosion", (0.5, 1.8),
       "a pistol shot rings out nearby", "pistol shots crack in the street", "sudden gunshot of a pistol, very close",
       criterion="signal", counterpart="balloon_pop")  # fmt: skip
def pistol_shot(rng: Rng, n: int) -> Signal:
    count = int(rng.integers(1, 4)) if n > samples(0.9) else 1
    starts = np.cumsum(rng.uniform(0.18, 0.35, count)) - 0.18
    shot = report(rng, rng.uniform(0.35, 0.7), 0.0)
    return open_air(repeat(rng, n, starts, lambda: shot), rng) * curve(n, (0, 1), (0.8, 0.8), (1, 0))


@sound("traffic", "Machine gun; Fusillade; Gunshot, gunfire", (0.7, 2.5),
       "an automatic rifle fires a burst", "bursts of rifle fire crack overhead",
       "a burst of automatic gunfire close by",
       criterion="signal", counterpart="nail_gun")  # fmt: skip
def rifle_burst(rng: Rng, n: int) -> Signal:
    rate, start, starts = rng.uniform(8, 15), 0.0, []
    while start < max(0.1, n / RATE - 0.35):
        size = int(rng.integers(3, 9))
        starts.extend(start + np.arange(size) / rate)
        start += size / rate + rng.uniform(0.15, 0.45)
    shot, fitting = report(rng, 0.4, rng.uniform(0, 1)), [s for s in starts if s < n / RATE - 0.2]
    return open_air(repeat(rng, n, fitting, lambda: shot, spread_db=4), rng) * curve(n, (0, 1), (0.85, 0.8), (1, 0))


@sound("traffic", "Reversing beeps; Hiss; White noise", (2.0, 6.0),
       "a broadband reversing alarm rasps in hissing pulses", "pulses of broadband hiss from a reversing alarm",
       "the broadband squawker of a digger, a reversing alarm",
       criterion="signal", counterpart="lawn_sprinkler")  # fmt: skip
def broadband_squawker(rng: Rng, n: int) -> Signal:
    pulse, period = rng.uniform(0.2, 0.45), rng.uniform(0.5, 0.8)
    gate = beeps(n, np.arange(20) * period, min(pulse, period * 0.7))
    rush = band_noise(rng, n, rng.uniform(350, 900), rng.uniform(3000, 7000))
    body = formants(rush, (rng.uniform(900, 1800), 300, 1.5), (rng.uniform(2200, 4000), 500, 1))
    diesel = rng.uniform(0, 0.15) * unit(firing(rng, n, rng.uniform(18, 32), 0.4)) * arch(n, 0.05, 0.05)
    return open_air((unit(rush) + unit(body)) * gate + diesel, rng)


@sound("traffic", "Reversing beeps; Beep, bleep; Vehicle", (1.5, 5.0),
       "a forklift beeps as it backs toward you", "quick warning beeps of a forklift in the warehouse",
       "a whining forklift in reverse gear, beeping fast",
       criterion="signal", counterpart="ticket_machine")  # fmt: skip
def forklift_beeper(rng: Rng, n: int) -> Signal:
    period = rng.uniform(0.22, 0.5)
    gate = beeps(n, np.arange(30) * period, period * rng.uniform(0.4, 0.6))
    beep = harmonic(rng.uniform(1400, 3200), n, (1, 0.2, 0.35)) * gate
    whine = harmonic(rng.uniform(280, 700) * drift(rng, n, 0.8, 0.6, 1.1), n, rolloff(8, 0.9))
    out = unit(beep) + rng.uniform(0.05, 0.35) * unit(whine) * arch(n, 0.1, 0.1)
    forks = repeat(rng, n, rng.uniform(0, n / RATE - 0.2, 4), lambda: strike(
        rng, samples(0.25), rng.uniform(250, 500), METAL, 0.15, noise=1))  # fmt: skip
    return open_air(out + rng.uniform(0, 0.3) * forks, rng)


@sound("traffic", "Skidding; Air brake; Truck", (1.4, 3.8),
       "a lorry skids with locked wheels and hissing air", "a heavy lorry slams on its brakes and judders to a stop",
       "locked lorry wheels stutter, skidding, then air hisses",
       criterion="signal", counterpart="bus_doors")  # fmt: skip
def lorry_skid(rng: Rng, n: int) -> Signal:
    slow, stop = curve(n, (0, 1), (0.75, 0.45), (1, 0.35)), rng.uniform(0.65, 0.8)
    judder = 0.35 + 0.65 * np.abs(np.sin(np.pi * np.cumsum(rng.uniform(7, 15) * slow) / RATE))
    howl = harmonic(rng.uniform(330, 700) * slow**0.3 * drift(rng, n, 18, 0.93, 1.07), n, rolloff(9, 0.6))
    scrub = band_noise(rng, n, 250, 3000) * drift(rng, n, 15, 0.3, 1)
    drag = (rng.uniform(0.2, 1) * unit(howl) + rng.uniform(0.3, 1) * unit(scrub)) * judder
    out = drag * curve(n, (0, 0), (0.06, 1), (stop - 0.06, 0.8), (stop, 0), (1, 0))
    for start in rng.uniform(0.05, stop, 8):
        clank = strike(rng, samples(0.25), rng.uniform(70, 260), METAL, 0.18, noise=1, noise_hz=2500)
        add(out, clank, int(start * n), 0.35)
    puff = unit(band_noise(rng, n, 1000, 7000)) * curve(n, (0, 0), (stop - 0.03, 0), (stop, 0.6), (0.93, 0.1), (1, 0))
    return open_air(out + puff, rng)


@sound("traffic", "Bicycle; Skidding; Squeal", (0.7, 2.5),
       "a bicycle skids to a halt with shrieking brakes", "the squeal of bicycle brakes in an emergency braking",
       "a bike brakes hard in a panic, rims shrieking, tyre skidding",
       criterion="signal", counterpart="bicycle_coasting")  # fmt: skip
def bicycle_brake_shriek(rng: Rng, n: int) -> Signal:
    f = rng.uniform(900, 2600) * curve(n, (0, 1.03), (0.6, 1), (1, 0.93)) * drift(rng, n, 12, 0.99, 1.01)
    stick = 1 - rng.uniform(0, 0.7) * (0.5 + 0.5 * sine(curve(n, (0, 60), (1, 12)) * rng.uniform(0.6, 1.4), n))
    rim = harmonic(f, n, (1, 0.7, 0.4, 0.25)) + rng.uniform(0, 0.5) * sine(f * rng.uniform(1.2, 1.6), n)
    tyre = unit(band_noise(rng, n, 700, 5000)) * curve(n, (0, 0), (0.3, 0.1), (0.6, 0.9), (0.9, 0.5), (1, 0))
    out = unit(rim) * stick * curve(n, (0, 0), (0.07, 1), (0.75, 0.8), (0.92, 0.1), (1, 0)) + rng.uniform(0, 0.5) * tyre
    add(out, strike(rng, samples(0.2), rng.uniform(300, 700), METAL, 0.12, noise=1), int(n * 0.88), rng.uniform(0, 0.5))
    return open_air(out, rng)


@sound("traffic", "Train wheels squealing; Train; Squeal", (2.5, 7.0),
       "a train shrieks along the rails in emergency braking", "locked train wheels skid and squeal on steel rails",
       "emergency braking of a train, steel screaming on steel rails",
       criterion="signal", counterpart="subway_arriving")  # fmt: skip
def train_emergency_stop(rng: Rng, n: int) -> Signal:
    slow = np.linspace(1, 0.05, n) ** rng.uniform(0.5, 1)
    out = unit(coloured_noise(rng, n, 1.4, low_hz=70)) * slow * rng.uniform(0.2, 1.0)
    for _ in range(rng.integers(1, 7)):  # every wheel has a mode of its own, and comes and goes
        f = rng.uniform(1100, 5500) * drift(rng, n, 7, 0.985, 1.01)
        shriek = harmonic(f, n, (1, 0.4, 0.2)) * drift(rng, n, rng.uniform(1, 6), -0.4, 1).clip(0)
        out += shriek * rng.uniform(0.2, 0.6) * drift(rng, n, 60, 0.6, 1)
    grind = formants(rng.standard_normal(n), (rng.uniform(500, 900), 100, 2), (rng.uniform(1500, 2600), 150, 1))
    joints = np.cumsum(np.linspace(rng.uniform(0.12, 0.3), 0.6, 40))
    clack = repeat(rng, n, joints[joints < n / RATE - 0.2], lambda: strike(
        rng, samples(0.15), rng.uniform(150, 260), METAL, 0.1, noise=1.2))  # fmt: skip
    return open_air(out + rng.uniform(0.05, 0.7) * unit(grind) + rng.uniform(0, 0.6) * clack, rng) * curve(
        n, (0, 0), (0.05, 1), (0.85, 0.8), (1, 0)
    )


@sound("traffic", "Shout; Yell", (0.5, 2.2),
       "someone shouts to watch out", "a worker yells hey, look out", "a hoarse wordless yell to watch out",
       criterion="signal", counterpart="laughter")  # fmt: skip
def warning_shout(rng: Rng, n: int) -> Signal:
    base, size = rng.uniform(160, 430), rng.uniform(0.9, 1.2)
    mouths = ((560, 1800, 330, 2300), (750, 1200, 420, 900), (620, 1150, 700, 1250))  # hey, ow, ah

    def call(m: int) -> Signal:
        one, two, one_end, two_end = np.array(mouths[rng.integers(0, 3)]) * size
        pitch = base * curve(m, (0, 0.85), (0.25, rng.uniform(1.1, 1.5)), (0.7, 1.1), (1, rng.uniform(0.7, 1.0)))
        rough = 1 + rng.uniform(0, 0.4) * sine(rng.uniform(40, 90), m)
        voice = buzz(pitch * drift(rng, m, 14, 0.97, 1.03), m, open_quotient=rng.uniform(0.3, 0.5)) * rough
        breath = 0.2 * band_noise(rng, m, 600, 5000)
        throat = highpass(voice * curve(m, (0, 0), (0.12, 0.1), (0.2, 1), (0.8, 0.8), (1, 0)) + breath, 900)
        first = moving_formant(throat, curve(m, (0, one), (0.45, one), (1, one_end)), 110)
        second = moving_formant(throat, curve(m, (0, two), (0.45, two), (1, two_end)), 160)
        return unit(first + second + formants(throat, (2900 * size, 300, 0.7))) * arch(m, 0.1, 0.25)

    return open_air(blasts(rng, n, 0.3, rng.uniform(0.4, 0.9), rng.uniform(0.05, 0.2), call), rng)
