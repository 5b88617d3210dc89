"""Equipment: house machines, tools, and machines about to fail."""

import numpy as np
from scipy.signal import fftconvolve

from .dsp import (
    RATE,
    Signal,
    add,
    add_around,
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
from .home import METAL, WOOD, motor, tick
from .kind import sound

Rng = np.random.Generator


# -- failing -------------------------------------------------------------------------------------


@sound("equipment", "Hiss; Steam; Spray", (2.0, 5.0),
       "gas hissing from a leaking pipe", "a pressurised gas leak, loud steady hiss",
       "high-pressure gas escapes from a broken valve", criterion="equipment", counterpart="can_opening")  # fmt: skip
def gas_hiss(rng: Rng, n: int) -> Signal:
    jet = band_noise(rng, n, rng.uniform(2200, 3200), 7900, order=1.5)
    whistle = formants(band_noise(rng, n, 3000, 6500), (rng.uniform(3500, 5500), 60, 2))
    return (
        (unit(jet) + 0.5 * unit(whistle))
        * drift(rng, n, 12, 0.85, 1)
        * curve(n, (0, 0), (0.03, 1), (0.85, 0.95), (1, 0))
    )


@sound("equipment", "Buzz; Crackle; Static", (1.5, 4.0),
       "electric arcing and sparking in a fuse box", "a short circuit crackles and buzzes",
       "sparks snap loudly from a damaged power cable",
       criterion="equipment", counterpart="sewing_machine")  # fmt: skip
def electric_arcing(rng: Rng, n: int) -> Signal:
    def spark() -> Signal:
        m = samples(rng.uniform(0.004, 0.03))
        return unit(highpass(rng.standard_normal(m), 1500) * decay(m, m / 16_000))

    mains = rng.choice([100, 120])
    t = np.arange(n) / 16_000
    bursts = (drift(rng, n, 7, -0.8, 1).clip(0) ** 0.5) * arch(n, 0.03, 0.1)
    buzzing = unit(highpass(harmonic(float(mains), n, rolloff(60, 0.3)), 300))
    gated = band_noise(rng, n, 1500, 7500) * np.abs(np.sin(np.pi * mains * t)) ** 6 / 3
    return (0.5 * buzzing + gated) * bursts + scatter(rng, n, 30, spark, kinds=20, spread_db=14) * arch(n, 0.02, 0.08)


@sound("equipment", "Smoke detector, smoke alarm; Fire alarm; Alarm; Beep, bleep", (2.0, 6.0),
       "a smoke alarm beeping loudly", "piercing beeps of a smoke detector", "a fire alarm on the ceiling goes off",
       criterion="equipment", counterpart="microwave_beep")  # fmt: skip
def smoke_alarm(rng: Rng, n: int) -> Signal:
    # Temporal-three pattern: three half-second beeps, then a pause.
    return harmonic(rng.uniform(2900, 3300), n, (1, 0.35)) * beeps(n, (0, 1, 2, 4, 5, 6), 0.5)


@sound("equipment", "Squeal; Scrape; Squeak; Mechanisms", (2.5, 6.0),
       "a failing bearing grinds in a machine", "harsh metallic grinding of a worn-out bearing",
       "a motor bearing screeching and scraping metal on metal",
       criterion="equipment", counterpart="power_drill")  # fmt: skip
def grinding_bearing(rng: Rng, n: int) -> Signal:
    turn = rng.uniform(7, 12)
    t = np.arange(n) / 16_000
    rub = (0.25 + np.abs(np.sin(np.pi * turn * t)) ** 3) * drift(rng, n, 3, 0.5, 1)
    grit = band_noise(rng, n, 700, 6500) * np.clip(rng.standard_normal(n), -2, 2)
    squeal = harmonic(rng.uniform(1400, 2200) * drift(rng, n, 7, 0.93, 1.07), n, (1, 0.6, 0.4))
    metal = formants(grit, (1250, 60, 3), (2300, 80, 3), (3700, 100, 2))
    out = unit(metal) * rub + 0.35 * squeal * drift(rng, n, 4, -0.5, 1).clip(0) + 0.12 * motor(rng, n, 49.0, 12)
    return out * arch(n, 0.08, 0.12)


@sound("equipment", "Engine knocking; Engine; Heavy engine (low frequency)", (2.5, 6.0),
       "an engine knocking hard under load", "loud metallic knocks from a damaged engine",
       "a failing diesel machine clanks and misfires", criterion="equipment", counterpart="printer")  # fmt: skip
def engine_knocking(rng: Rng, n: int) -> Signal:
    out = 0.35 * unit(firing(rng, n, rng.uniform(11, 15), 0.5))
    base = rng.uniform(500, 800)
    for start in steps(rng, n, rng.uniform(0.14, 0.19), jitter=0.05):
        add(
            out,
            strike(rng, samples(0.15), base, METAL, 0.09, noise=1, noise_hz=4000),
            samples(start),
            rng.uniform(0.5, 1),
        )
    return out * arch(n, 0.06, 0.12)


@sound("equipment", "Squeal; Squeak", (1.5, 4.0),
       "a slipping machine belt squeals", "high squeal of a fan belt about to snap",
       "a drive belt shrieks on its pulley and smells of burning rubber",
       criterion="equipment", counterpart="power_drill")  # fmt: skip
def belt_squeal(rng: Rng, n: int) -> Signal:
    f = rng.uniform(1100, 1900) * curve(n, (0, 0.8), (0.2, 1.1), (0.7, 1.0), (1, 0.75)) * drift(rng, n, 10, 0.97, 1.03)
    chirp = 0.6 + 0.4 * np.sin(np.cumsum(drift(rng, n, 1, 14, 22)) * 2 * np.pi / 16_000)
    return (unit(harmonic(f, n, (1, 0.7, 0.5, 0.3))) * chirp + 0.1 * band_noise(rng, n, 1000, 6000)) * arch(n, 0.1, 0.2)


@sound("equipment", "Buzzer; Alarm; Beep, bleep", (2.0, 5.0),
       "an industrial fault alarm buzzes", "a machine overload warning alternates two harsh tones",
       "the control panel's failure alarm sounds", criterion="equipment", counterpart="microwave_beep")  # fmt: skip
def fault_alarm(rng: Rng, n: int) -> Signal:
    low, t = rng.uniform(420, 560), np.arange(n) / 16_000
    high = (t % 0.8 >= 0.4).astype(float)
    f = low * (1 + 0.26 * high)
    return unit(harmonic(f, n, rolloff(12, 0.7) * (np.arange(12) % 2 == 0))) * curve(
        n, (0, 0), (0.01, 1), (0.97, 1), (1, 0)
    )


# -- house equipment -----------------------------------------------------------------------------


def firing(rng: Rng, n: int, rate_hz: float, roughness: float = 0.3) -> Signal:
    """A combustion engine: one pulse per firing, uneven in level and time, through a resonant body."""
    turn = np.cumsum(rate_hz * drift(rng, n, 6, 1 - 0.05 * roughness, 1 + 0.05 * roughness)) / 16_000
    fires = np.diff(np.floor(turn), prepend=0.0)
    at = np.flatnonzero(fires)
    pulse = lowpass(rng.standard_normal(samples(0.05)), 600) * decay(samples(0.05), 0.06)
    impulses = np.zeros(n)
    impulses[at] = 1 - roughness * rng.random(len(at))
    out = fftconvolve(impulses, pulse)[:n]
    return out + 0.5 * formants(out, (90, 40, 3), (180, 60, 2), (420, 120, 1))


def mains_hum(rng: Rng, n: int, levels: tuple[float, ...]) -> Signal:
    """Harmonics of 50 or 60 Hz, each a little stronger or weaker, from a random moment on."""
    start = int(rng.integers(0, RATE))
    uneven = np.array(levels) * rng.uniform(0.6, 1.0, len(levels))
    return unit(harmonic(float(rng.choice([50, 60])), n + start, uneven)[start:])


@sound("equipment", "Mains hum; Hum; Mechanisms", (4.0, 60.0),
       "the low hum of a refrigerator", "a fridge humming in a kitchen", "steady drone of a refrigerator compressor",
       sustained=True)  # fmt: skip
def fridge_hum(rng: Rng, n: int) -> Signal:
    hum = mains_hum(rng, n, (0.9, 1.0, 0.25, 0.5, 0.1, 0.25, 0.05, 0.1)) * drift(rng, n, 0.5, 0.85, 1)
    return unit(hum) + 0.03 * coloured_noise(rng, n, 1)


@sound("equipment", "Mechanical fan; Air conditioning; Whir", (4.0, 60.0),
       "an electric fan blowing air", "a desk fan whirring", "the even rush of a ventilation fan",
       sustained=True)  # fmt: skip
def electric_fan(rng: Rng, n: int) -> Signal:
    blades, t = rng.uniform(16, 28), np.arange(n) / 16_000
    air = coloured_noise(rng, n, 1.3, low_hz=150) * (1 + 0.25 * np.sin(2 * np.pi * blades * t))
    return air / 5 + 0.2 * motor(rng, n, rng.uniform(95, 125), 8, 1.0)


@sound("equipment", "Printer; Mechanisms", (2.5, 6.0),
       "an office printer printing a page", "a printer head moving back and forth",
       "an inkjet printer whirs and feeds paper")  # fmt: skip
def printer(rng: Rng, n: int) -> Signal:
    out, at, period = np.zeros(n), 0.0, n / 16_000 / round(n / 16_000 / rng.uniform(0.55, 0.75))
    feed = samples(0.18)
    while at < n / 16_000 - period / 2:
        m = samples(period * 0.62)
        sweep = rng.uniform(330, 380) * curve(m, (0, 0.6), (0.15, 1), (0.85, 1), (1, 0.6))
        add(
            out,
            (unit(harmonic(sweep, m, rolloff(14, 0.6))) + 0.1 * band_noise(rng, m, 1000, 6000)) * arch(m, 0.1, 0.1),
            samples(at),
            0.7,
        )
        roll = unit(harmonic(150.0, feed, rolloff(20, 0.4))) * arch(feed, 0.1, 0.2)
        add(out, roll + 0.2 * band_noise(rng, feed, 800, 5000) * arch(feed), samples(at + period * 0.66), 0.5)
        at += period
    return out


@sound("equipment", "Sewing machine; Mechanisms", (1.5, 5.0),
       "a sewing machine stitching fabric", "the rapid rattle of a sewing machine",
       "someone sews a seam by machine")  # fmt: skip
def sewing_machine(rng: Rng, n: int) -> Signal:
    base, rate = rng.uniform(280, 420), rng.uniform(11, 15)
    starts = np.arange(0.05, n / 16_000 - 0.12, 1 / rate)
    out = repeat(
        rng, n, starts, lambda: strike(rng, samples(0.06), base, METAL, 0.035, noise=1.5, noise_hz=3500), spread_db=2
    )
    return out + 0.2 * motor(rng, n, rate * 8, 16) * arch(n, 0.08, 0.1)


@sound("equipment", "Pump (liquid); Mechanisms; Hum", (4.0, 30.0),
       "an air compressor chugging", "a small pump running steadily", "the throb of a workshop compressor",
       sustained=True)  # fmt: skip
def air_compressor(rng: Rng, n: int) -> Signal:
    rate = rng.uniform(9, 13)
    t = np.arange(n) / 16_000
    throb = band_noise(rng, n, 90, 1400) * (0.15 + np.abs(np.sin(np.pi * rate * t)) ** 4)
    return throb / 3 + 0.35 * motor(rng, n, 50.0, 12, 0.9)


# -- tools ---------------------------------------------------------------------------------------


@sound("equipment", "Drill; Power tool", (1.5, 5.0),
       "an electric drill boring into a wall", "someone drills a hole with a power drill",
       "the rising whine of a cordless drill")  # fmt: skip
def power_drill(rng: Rng, n: int) -> Signal:
    speed = rng.uniform(210, 300) * curve(n, (0, 0.2), (0.12, 1.15), (0.25, 0.92), (0.8, 0.9), (0.88, 1.15), (1, 0.15))
    speed = speed * drift(rng, n, 8, 0.97, 1.03)
    load = curve(n, (0, 0.1), (0.2, 0.2), (0.3, 1), (0.8, 1), (0.88, 0.2), (1, 0))
    whine = harmonic(speed, n, rolloff(24, 0.45) * rng.uniform(0.3, 1, 24))
    return (unit(whine) + 0.3 * load * band_noise(rng, n, 800, 6500) / 2) * arch(n, 0.04, 0.08)


@sound("equipment", "Hammer; Bang", (1.2, 5.0),
       "a hammer driving a nail", "someone hammers nails into wood", "slow hammer blows on a nail")  # fmt: skip
def hammering(rng: Rng, n: int) -> Signal:
    base = rng.uniform(140, 220)

    def blow() -> Signal:
        hit = strike(rng, samples(0.35), base, WOOD, 0.16, noise=1.0, noise_hz=3500)
        add(hit, strike(rng, samples(0.3), base * 11, (1, 1.6, 2.3), 0.18), 0, 0.45)
        return hit

    return room(repeat(rng, n, steps(rng, n, rng.uniform(0.45, 0.6), tail_s=0.4), blow), rng, t60_s=0.4, wet=0.2)


@sound("equipment", "Sawing; Tools", (1.5, 5.0),
       "a hand saw cutting wood", "someone saws a plank back and forth",
       "rhythmic sawing through timber")  # fmt: skip
def hand_saw(rng: Rng, n: int) -> Signal:
    out, at, stroke, push = np.zeros(n), 0.0, n / 16_000 / round(n / 16_000 / rng.uniform(0.34, 0.45)), True
    while at < n / 16_000 - stroke / 2:
        m = samples(stroke * 0.92)
        teeth = rng.uniform(95, 130) * curve(m, (0, 0.5), (0.5, 1.2), (1, 0.5))
        rasp = band_noise(rng, m, 600, 5500) * (0.3 + np.abs(np.sin(np.cumsum(teeth) * np.pi / 16_000)) ** 2)
        body = formants(rasp, (rng.uniform(700, 900), 150, 2), (1900, 300, 2), (3400, 500, 1))
        add(out, unit(body) * arch(m, 0.3, 0.3), samples(at), 1.0 if push else 0.6)
        at, push = at + stroke, not push
    return out


@sound("equipment", "Chainsaw; Light engine (high frequency)", (2.5, 8.0),
       "a chainsaw cutting a log", "someone revs a chainsaw", "the snarl of a petrol chainsaw")  # fmt: skip
def chainsaw(rng: Rng, n: int) -> Signal:
    rev = rng.uniform(95, 130) * drift(rng, n, 0.9, 0.7, 1.3) * drift(rng, n, 15, 0.97, 1.03)
    snarl = harmonic(rev, n, rolloff(50, 0.35) * rng.uniform(0.3, 1, 50))
    return np.tanh(2 * unit(snarl)) * arch(n, 0.04, 0.08) + 0.12 * band_noise(rng, n, 800, 6000) * arch(n, 0.04, 0.08)


@sound("equipment", "Filing (rasp); Sanding; Rub", (1.4, 5.0),
       "sanding a piece of wood by hand", "sandpaper rubs back and forth",
       "someone smooths a board with sandpaper")  # fmt: skip
def sanding(rng: Rng, n: int) -> Signal:
    def stroke() -> Signal:
        m = samples(rng.uniform(0.3, 0.36))
        return unit(band_noise(rng, m, 1800, 7000)) * arch(m, 0.4, 0.4)

    return repeat(rng, n, steps(rng, n, rng.uniform(0.36, 0.42), tail_s=0.38), stroke)


@sound("equipment", "Ratchet, pawl; Clicking; Tools", (0.6, 2.0),
       "a ratchet wrench clicking", "someone tightens a bolt with a ratchet",
       "quick metallic clicks of a socket wrench")  # fmt: skip
def ratchet(rng: Rng, n: int) -> Signal:
    rate = rng.uniform(14, 22)
    starts = np.arange(0.02, n / 16_000 - 0.06, 1 / rate)
    return repeat(rng, n, starts, lambda: tick(rng, 2200, 2600, 0.03), spread_db=2)


@sound("equipment", "Clang; Bang; Tools", (0.6, 1.1),
       "a metal wrench drops on a concrete floor", "a steel tool falls with a clang",
       "a spanner clatters to the ground")  # fmt: skip
def wrench_drop(rng: Rng, n: int) -> Signal:
    out, at, gap, gain, base = np.zeros(n), 0.0, rng.uniform(0.16, 0.24), 1.0, rng.uniform(900, 1500)
    for _ in range(rng.integers(3, 6)):
        if (m := n - samples(at)) <= 0:
            break
        add(out, strike(rng, m, base, METAL, min(0.5, m / 16_000), noise=0.6), samples(at), gain)
        at, gap, gain = at + gap, gap * 0.6, gain * 0.5
    return room(out, rng, t60_s=0.4) * curve(n, (0, 1), (0.8, 1), (1, 0))


@sound("equipment", "Hum; Mechanisms; Pump (liquid)", (3.0, 20.0),
       "a 3D printer moving in little melodic steps", "stepper motors singing in a machine",
       "a plotter's stepper motor changes pitch", sustained=True)  # fmt: skip
def stepper_motor(rng: Rng, n: int) -> Signal:
    out, at = np.zeros(n), 0.0
    while at < n / 16_000:
        m = samples(rng.uniform(0.12, 0.6))
        pitch = rng.choice([180, 240, 300, 360, 450, 520]) * rng.uniform(0.97, 1.03)
        add_around(
            out, unit(harmonic(pitch, m, rolloff(10, 0.8))) * arch(m, 0.05, 0.05), samples(at), rng.uniform(0.4, 1)
        )
        at += m / 16_000
    return out + 0.02 * sine(120.0, n) + 0.05 * coloured_noise(rng, n, 1)
