"""Traffic: road, rail, air, and their warning signals."""

import numpy as np

from .dsp import (
    Signal,
    add,
    arch,
    band_noise,
    beeps,
    coloured_noise,
    curve,
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
    steps,
    strike,
    unit,
)  # fmt: skip
from .equipment import firing
from .home import METAL, motor, tick
from .kind import sound

Rng = np.random.Generator


def passing(n: int, closest: float, width: float) -> Signal:
    """Level of something that comes near at relative time `closest` and leaves."""
    x = (np.linspace(0, 1, n) - closest) / width
    edge = np.minimum(1, np.minimum(np.linspace(0, 12, n), np.linspace(12, 0, n)))
    return edge / (1 + x**2)


def doppler(n: int, closest: float, width: float, shift: float) -> Signal:
    """Pitch factor that falls from 1 + shift to 1 - shift around `closest`."""
    return 1 - shift * np.tanh((np.linspace(0, 1, n) - closest) / width)


def horn(rng: Rng, n: int, pitches_hz: tuple[float, ...], harmonics: int = 18, power: float = 0.7) -> Signal:
    """Reed or diaphragm horns sounding together, steady with a hard start."""
    out = np.zeros(n)
    for f in pitches_hz:
        onset = curve(n, (0, 0.96), (0.05, 1), (1, 1)) * drift(rng, n, 10, 0.998, 1.002)
        out += harmonic(f * onset, n, rolloff(harmonics, power) * rng.uniform(0.6, 1, harmonics))
    gate = np.minimum(1, np.minimum(np.arange(n), np.arange(n)[::-1]) / samples(0.02))
    return unit(out) * gate


# -- signals -------------------------------------------------------------------------------------


@sound("traffic", "Vehicle horn, car horn, honking; Car; Toot", (0.8, 2.5),
       "a car horn honks loudly at close range", "a driver leans on the horn right beside you",
       "a long angry car horn very near", criterion="signal", counterpart="car_passing")  # fmt: skip
def horn_close(rng: Rng, n: int) -> Signal:
    f = rng.uniform(370, 440)
    return room(np.tanh(1.5 * horn(rng, n, (f, f * 1.25), 18, 0.45)), rng, t60_s=0.15, wet=0.1) * curve(
        n, (0, 1), (0.97, 1), (1, 0)
    )


@sound("traffic", "Air horn, truck horn; Truck", (1.2, 3.0),
       "a truck blasts its air horn close by", "the deep air horn of a lorry right behind",
       "a heavy truck horn blares a warning", criterion="signal", counterpart="ship_horn")  # fmt: skip
def truck_horn(rng: Rng, n: int) -> Signal:
    f = rng.uniform(150, 190)
    return np.tanh(2 * horn(rng, n, (f, f * 1.26, f * 1.5), 30, 0.4)) * curve(n, (0, 1), (0.96, 1), (1, 0))


@sound("traffic", "Reversing beeps; Beep, bleep; Truck", (2.5, 6.0),
       "a reversing truck beeps", "the backup alarm of a vehicle backing up",
       "steady warning beeps of a reversing lorry", criterion="signal", counterpart="microwave_beep")  # fmt: skip
def reversing_beeper(rng: Rng, n: int) -> Signal:
    period = rng.uniform(0.8, 1.0)
    gate = beeps(n, np.arange(8) * period, period / 2)
    return harmonic(rng.uniform(1050, 1350), n, (1, 0.15, 0.4, 0.05, 0.15)) * gate


@sound("traffic", "Siren; Emergency vehicle; Police car (siren); Ambulance (siren)", (3.0, 8.0),
       "an emergency siren wailing", "an ambulance siren rises and falls", "a police car passes with its siren on",
       criterion="signal", counterpart="car_passing")  # fmt: skip
def emergency_siren(rng: Rng, n: int) -> Signal:
    t, style = np.arange(n) / 16_000, rng.integers(0, 3)
    low = rng.uniform(520, 680)
    if style == 0:  # wail
        sweep = low * 2 ** (1.1 * (0.5 - 0.5 * np.cos(2 * np.pi * t / rng.uniform(2.2, 3.2))))
    elif style == 1:  # yelp
        sweep = low * 2 ** (1.1 * (t * rng.uniform(2.5, 3.5) % 1.0))
    else:  # two-tone
        sweep = low * np.where(t % 1.1 < 0.55, 1.0, 1.35)
    bend = doppler(n, 0.55, 0.25, 0.03)
    return room(unit(harmonic(sweep * bend, n, rolloff(8, 1.0))), rng, t60_s=0.5, wet=0.2) * passing(n, 0.5, 0.6)


@sound("traffic", "Train horn; Train; Rail transport", (1.5, 4.0),
       "a train horn blasts nearby", "the loud chord of an approaching locomotive's horn",
       "a train sounds its horn at a crossing", criterion="signal", counterpart="ship_horn")  # fmt: skip
def train_horn(rng: Rng, n: int) -> Signal:
    f = rng.uniform(250, 300)
    chord = horn(rng, n, (f, f * 1.19, f * 1.5, f * 1.78), 16, 0.6)
    return room(chord, rng, t60_s=0.9, wet=0.25) * curve(n, (0, 0), (0.03, 1), (0.85, 1), (1, 0))


@sound("traffic", "Bell; Rail transport", (2.5, 6.0),
       "a railway level crossing bell rings", "warning bells at a railroad crossing",
       "the crossing bell clangs before a train", criterion="signal", counterpart="tram_bell")  # fmt: skip
def crossing_bell(rng: Rng, n: int) -> Signal:
    base, period = rng.uniform(650, 850), rng.uniform(0.3, 0.42)
    starts = np.arange(0.0, n / 16_000 - 0.4, period)
    m = samples(0.9)
    partials = base * np.array([1, 2.01, 2.74, 3.8, 5.2])
    clang = modes(m, partials, [0.9, 0.7, 0.5, 0.4, 0.25], [1, 0.8, 0.6, 0.5, 0.4])
    out = repeat(rng, n, starts, lambda: clang, spread_db=1)
    return out * curve(n, (0, 1), (0.93, 1), (1, 0))


@sound("traffic", "Tire squeal; Skidding; Car", (1.0, 2.5),
       "car tyres screech in an emergency stop", "a car skids with squealing tires",
       "sudden hard braking, tyres shriek on asphalt", criterion="signal", counterpart="car_passing")  # fmt: skip
def tyre_screech(rng: Rng, n: int) -> Signal:
    f = rng.uniform(850, 1250) * curve(n, (0, 1.1), (0.5, 1.0), (1, 0.72)) * drift(rng, n, 16, 0.94, 1.06)
    squeal = harmonic(f, n, (1, 0.8, 0.5, 0.35)) + harmonic(f * 1.13, n, (0.7, 0.4, 0.2))
    return (unit(squeal) + 0.15 * band_noise(rng, n, 700, 5000)) * curve(n, (0, 0), (0.08, 1), (0.7, 0.8), (1, 0))


# -- road ----------------------------------------------------------------------------------------


@sound("traffic", "Car passing by; Car; Vehicle", (1.2, 6.0),
       "a car passes by on the road", "a car drives past on wet asphalt",
       "one vehicle approaches and fades away")  # fmt: skip
def car_passing(rng: Rng, n: int) -> Signal:
    closest = rng.uniform(0.42, 0.55)
    tyres = coloured_noise(rng, n, 0.9, low_hz=400) / 4
    bright = band_noise(rng, n, 900, 5000) / 4
    level = passing(n, closest, 0.13)
    engine = harmonic(rng.uniform(75, 110) * doppler(n, closest, 0.08, 0.06), n, rolloff(16, 0.9))
    return tyres * level + bright * level**2 + 0.35 * unit(engine) * level


@sound("traffic", "Motorcycle; Accelerating, revving, vroom", (2.5, 6.0),
       "a motorcycle rides past", "a motorbike accelerates away",
       "a passing motorcycle with a snarling engine")  # fmt: skip
def motorcycle_passing(rng: Rng, n: int) -> Signal:
    closest = rng.uniform(0.38, 0.5)
    rev = rng.uniform(70, 100) * curve(n, (0, 0.9), (0.5, 1.15), (1, 1.4)) * doppler(n, closest, 0.08, 0.08)
    growl = harmonic(rev * drift(rng, n, 14, 0.98, 1.02), n, rolloff(40, 0.5) * rng.uniform(0.3, 1, 40))
    return (np.tanh(1.5 * unit(growl)) + 0.08 * band_noise(rng, n, 500, 4000)) * passing(n, closest, 0.16)


@sound("traffic", "Idling; Engine; Car", (3.0, 30.0),
       "a car engine idling", "the steady rumble of an engine at idle", "a parked vehicle with its motor running",
       sustained=True)  # fmt: skip
def engine_idle(rng: Rng, n: int) -> Signal:
    rate = rng.uniform(22, 32)
    body = unit(firing(rng, n, rate, 0.35))
    return body + 0.2 * motor(rng, n, rate, 20, 1.0) + 0.015 * band_noise(rng, n, 800, 5000)


@sound("traffic", "Engine starting; Car", (1.8, 3.5),
       "a car engine starts", "someone turns the ignition and the engine catches",
       "a starter motor cranks, then the motor runs")  # fmt: skip
def engine_start(rng: Rng, n: int) -> Signal:
    split = int(n * rng.uniform(0.35, 0.45))
    whirr = unit(harmonic(rng.uniform(180, 240) * drift(rng, split, 6, 0.92, 1.05), split, rolloff(12, 0.6)))
    t = np.arange(split) / 16_000
    out = np.zeros(n)
    add(out, whirr * (0.4 + 0.6 * np.abs(np.sin(np.pi * 5.5 * t))) * arch(split, 0.05, 0.05), 0, 0.7)
    m = n - split
    rev = rng.uniform(28, 34) * curve(m, (0, 0.6), (0.15, 1.9), (0.5, 1.0), (1, 0.95))
    run = harmonic(rev, m, rolloff(40, 0.6) * rng.uniform(0.4, 1, 40))
    add(out, unit(run) * curve(m, (0, 0.3), (0.12, 1), (0.5, 0.6), (0.8, 0.5), (1, 0)), split)
    return out


@sound("traffic", "Bicycle bell; Bell; Ding", (0.7, 1.2),
       "a bicycle bell rings", "a cyclist rings a bike bell", "bright ring-ring of a bicycle bell")  # fmt: skip
def bicycle_bell(rng: Rng, n: int) -> Signal:
    base, out = rng.uniform(2000, 2600), np.zeros(n)
    for start in np.concatenate([np.arange(5) * 0.045, 0.3 + np.arange(5) * 0.045]):
        m = n - samples(start)
        add(
            out,
            modes(m, base * np.array([1, 1.52, 2.6]), [min(0.6, m / 16_000), 0.4, 0.25], [1, 0.5, 0.4]),
            samples(start),
            rng.uniform(0.5, 1),
        )
    return out * curve(n, (0, 1), (0.75, 0.8), (1, 0))


@sound("traffic", "Air brake; Bus; Hiss", (0.8, 1.8),
       "bus doors open with a hiss of air", "the air brake of a bus sighs",
       "pneumatic doors release a short puff")  # fmt: skip
def bus_doors(rng: Rng, n: int) -> Signal:
    puff = unit(band_noise(rng, n, 1200, 7000)) * curve(n, (0, 0), (0.04, 1), (0.35, 0.4), (0.5, 0.05), (1, 0))
    add(puff, strike(rng, samples(0.3), 120, (1, 2.1, 3.4, 5.2), 0.2, noise=1, noise_hz=2000), int(n * 0.6), 0.5)
    return puff


@sound("traffic", "Clicking; Tick; Car", (2.0, 8.0),
       "a car's turn signal clicking", "the indicator ticks inside a car", "blinker relay clicking steadily",
       sustained=True)  # fmt: skip
def turn_signal(rng: Rng, n: int) -> Signal:
    out, half = np.zeros(n), rng.uniform(0.32, 0.4)
    for i, start in enumerate(np.arange(0.05, n / 16_000 - 0.08, half)):
        add(out, tick(rng, *((2200, 2600) if i % 2 else (1500, 1800)), 0.03), samples(start))
    return out + 0.003 * coloured_noise(rng, n, 1.5)


@sound("traffic", "Bicycle; Ratchet, pawl; Clicking", (2.0, 6.0),
       "a bicycle coasts by, freewheel ticking", "the clicking freewheel of a bike",
       "a bike rolls past with a ticking hub")  # fmt: skip
def bicycle_coasting(rng: Rng, n: int) -> Signal:
    starts = np.cumsum(1 / np.linspace(rng.uniform(24, 30), 14, int(n / 16_000 * 18)))
    ticks = repeat(rng, n, starts[starts < n / 16_000 - 0.05], lambda: tick(rng, 3000, 4200, 0.012), spread_db=4)
    return (ticks + 0.02 * band_noise(rng, n, 500, 4000)) * passing(n, 0.5, 0.3)


# -- rail, air, water ----------------------------------------------------------------------------


@sound("traffic", "Train; Railroad car, train wagon; Clickety-clack", (4.0, 12.0),
       "a train passes on the tracks", "wagons clatter over rail joints",
       "a freight train rolls by, clickety-clack")  # fmt: skip
def train_passing(rng: Rng, n: int) -> Signal:
    level = curve(n, (0, 0), (0.25, 0.9), (0.7, 1), (1, 0))
    out = (coloured_noise(rng, n, 1.5, low_hz=80) / 7 + band_noise(rng, n, 800, 4000) / 40) * drift(rng, n, 3, 0.7, 1)
    period = rng.uniform(0.65, 0.95)
    for start in np.arange(0.2, n / 16_000 - 0.4, period):
        for offset in (0.0, 0.11, 0.3, 0.41):
            clack = strike(rng, samples(0.15), rng.uniform(180, 240), METAL, 0.1, noise=1.2, noise_hz=3000)
            add(out, clack, samples(start + offset * period / 0.8), rng.uniform(0.7, 1.0))
    return out * level


@sound("traffic", "Bell; Rail transport; Ding", (0.9, 2.5),
       "a tram rings its bell", "a streetcar bell dings twice", "clang of a tram bell in the city")  # fmt: skip
def tram_bell(rng: Rng, n: int) -> Signal:
    base, out = rng.uniform(900, 1200), np.zeros(n)
    for start in (0.0, rng.uniform(0.22, 0.32)):
        m = n - samples(start)
        ring = 1.1 * m / 16_000
        add(
            out,
            modes(
                m,
                base * np.array([1, 1.5, 2.02, 2.7, 3.9]),
                [ring, ring * 0.7, ring * 0.5, 0.4, 0.2],
                [1, 0.6, 0.7, 0.4, 0.4],
            ),
            samples(start),
        )
    return out * curve(n, (0, 1), (0.8, 0.9), (1, 0))


@sound("traffic", "Subway, metro, underground; Train wheels squealing; Rail transport", (4.0, 10.0),
       "a subway train brakes into the station", "a metro train arrives with whining brakes",
       "an underground train slows and stops")  # fmt: skip
def subway_arriving(rng: Rng, n: int) -> Signal:
    slow = curve(n, (0, 1), (0.85, 0.2), (1, 0.1))
    rumble = coloured_noise(rng, n, 1.3, low_hz=90) / 3 * curve(n, (0, 0), (0.2, 1), (0.7, 0.6), (0.9, 0.1), (1, 0))
    whine = harmonic(rng.uniform(500, 700) * slow, n, rolloff(8, 0.8)) * curve(
        n, (0, 0), (0.2, 0.5), (0.85, 0.5), (0.95, 0), (1, 0)
    )
    squeal = harmonic(rng.uniform(2300, 2900) * drift(rng, n, 6, 0.98, 1.02), n, (1, 0.4)) * curve(
        n, (0, 0), (0.5, 0), (0.75, 0.25), (0.88, 0.1), (0.92, 0), (1, 0)
    )
    return room(rumble + 0.4 * whine + squeal, rng, t60_s=0.9, wet=0.25) * curve(n, (0, 1), (0.95, 1), (1, 0))


@sound("traffic", "Fixed-wing aircraft, airplane; Aircraft engine; Jet engine", (5.0, 15.0),
       "an airplane flies overhead", "a jet passes high above", "the roar of a plane crossing the sky")  # fmt: skip
def airplane(rng: Rng, n: int) -> Signal:
    closest = rng.uniform(0.4, 0.55)
    roar = coloured_noise(rng, n, 1.4, low_hz=120) / 3 * drift(rng, n, 2, 0.75, 1)
    hiss = band_noise(rng, n, 700, 3500) / 4
    whine = harmonic(rng.uniform(900, 1300) * doppler(n, closest, 0.2, 0.15), n, (1, 0.4)) * 0.06
    level = passing(n, closest, 0.28)
    return roar * level + (hiss * 0.5 + whine) * level**2


@sound("traffic", "Helicopter; Aircraft; Propeller, airscrew", (4.0, 20.0),
       "a helicopter hovers overhead", "the chopping rotor of a helicopter", "a helicopter flying nearby",
       sustained=True)  # fmt: skip
def helicopter(rng: Rng, n: int) -> Signal:
    rate = rng.uniform(10, 14)
    turn = (np.cumsum(np.full(n, rate)) / 16_000) % 1.0
    chop = np.exp(-5 * turn) * (1 - np.exp(-60 * turn))
    air = band_noise(rng, n, 60, 1600, order=1) / 2
    return air * (0.15 + chop) + 0.25 * unit(harmonic(rate * 2, n, rolloff(20, 0.8))) + 0.1 * motor(rng, n, 310.0, 8)


@sound("traffic", "Ship; Foghorn; Boat, Water vehicle", (2.5, 5.0),
       "a distant ship horn across the harbour", "a ferry sounds its deep horn far away",
       "low foghorn over the water")  # fmt: skip
def ship_horn(rng: Rng, n: int) -> Signal:
    f = rng.uniform(85, 120)
    return room(lowpass(horn(rng, n, (f, f * 1.5), 12, 0.9), 900), rng, t60_s=1.2, wet=0.5) * arch(n, 0.12, 0.3)


@sound("traffic", "Accelerating, revving, vroom; Truck; Heavy engine (low frequency)", (3.0, 7.0),
       "a heavy truck drives past", "a lorry rumbles by on the street",
       "a diesel truck pulls away and leaves")  # fmt: skip
def truck_passing(rng: Rng, n: int) -> Signal:
    closest = rng.uniform(0.42, 0.55)
    diesel = unit(firing(rng, n, rng.uniform(28, 36), 0.4))
    road = coloured_noise(rng, n, 1.4, low_hz=90) / 3
    clatter = formants(highpass(diesel, 300), (900, 200, 2), (1800, 300, 1))
    return (diesel + 0.5 * road + 0.5 * unit(clatter)) * passing(n, closest, 0.2)


@sound("traffic", "Skateboard; Roll; Rumble", (2.0, 5.0),
       "a skateboard rolls over the pavement", "skateboard wheels rumble on concrete",
       "someone skates past on a board")  # fmt: skip
def skateboard(rng: Rng, n: int) -> Signal:
    roll = band_noise(rng, n, 250, 2500) / 8 * drift(rng, n, 10, 0.6, 1)
    for start in steps(rng, n, rng.uniform(0.4, 0.6), jitter=0.2):
        for offset in (0.0, 0.06):
            add(
                roll,
                strike(rng, samples(0.1), 160, METAL, 0.06, noise=1.2, noise_hz=2500),
                samples(start + offset),
                0.7,
            )
    return roll * passing(n, 0.5, 0.35)
