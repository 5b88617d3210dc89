"""Daily living: bells, phones, alarms and household machines."""

import numpy as np

from .dsp import (
    Signal,
    add,
    add_around,
    arch,
    band_noise,
    beeps,
    curve,
    drift,
    formants,
    harmonic,
    highpass,
    lowpass,
    modes,
    repeat,
    resonate,
    rolloff,
    samples,
    scatter,
    steps,
    strike,
    unit,
)  # fmt: skip
from .home import bubble, motor, tick
from .kind import sound

Rng = np.random.Generator


# -- bells, phones, beeps ------------------------------------------------------------------------


@sound("daily_living", "Doorbell; Ding-dong; Chime", (1.4, 2.6),
       "a doorbell rings ding-dong", "the front door bell chimes twice", "a two-tone house doorbell")  # fmt: skip
def doorbell(rng: Rng, n: int) -> Signal:
    out, base, split = np.zeros(n), rng.uniform(580, 720), int(n * rng.uniform(0.28, 0.36))
    for at, f in ((0, base * 1.26), (split, base)):
        m = n - at
        add(
            out,
            modes(
                m, f * np.array([1, 2.0, 3.01, 4.2]), [m / 17_000 * r for r in (1, 0.6, 0.3, 0.2)], [1, 0.4, 0.25, 0.12]
            ),
            at,
        )
    return out * curve(n, (0, 1), (0.85, 1), (1, 0))


@sound("daily_living", "Telephone; Telephone bell ringing; Ringtone", (1.6, 6.5),
       "a telephone rings", "an old desk phone ringing", "the phone is ringing and nobody answers")  # fmt: skip
def phone_ring(rng: Rng, n: int) -> Signal:
    f1, rate = rng.uniform(900, 1300), rng.uniform(18, 24)
    t = np.arange(n) / 16_000
    strokes = 0.35 + 0.65 * np.exp(-4 * ((t * rate) % 1.0))
    bells = harmonic(f1, n, (1, 0, 0.5, 0, 0.25)) + harmonic(f1 * 1.19, n, (0.9, 0, 0.4))
    return bells * strokes * lowpass(beeps(n, (0.0, 2.4, 4.8), 1.5), 12).clip(0, 1)


@sound("daily_living", "Microwave oven; Beep, bleep", (1.3, 5.0),
       "a microwave oven beeps when it is done", "several short beeps from a microwave",
       "kitchen microwave finished, soft beeping")  # fmt: skip
def microwave_beep(rng: Rng, n: int) -> Signal:
    gate = beeps(n, np.arange(6) * rng.uniform(0.5, 0.75), rng.uniform(0.2, 0.3))
    return harmonic(rng.uniform(950, 1400), n, (1, 0.1, 0.15)) * gate


@sound("daily_living", "Alarm clock; Beep, bleep; Alarm", (1.5, 6.0),
       "a bedside alarm clock beeping", "a digital alarm clock goes off in the morning",
       "wake-up alarm, groups of quick beeps")  # fmt: skip
def alarm_clock(rng: Rng, n: int) -> Signal:
    groups = int(n / 16_000 - 0.42) + 1
    pattern = np.add.outer(np.arange(groups), np.arange(4) * 0.12).ravel()
    return harmonic(rng.uniform(1800, 2200), n, (1, 0.2, 0.2)) * beeps(n, pattern, 0.06)


@sound("daily_living", "Beep, bleep", (2.0, 8.0),
       "a heart monitor beeps steadily at a bedside", "slow electronic beeps beside a hospital bed",
       "a medical monitor beeping regularly and softly")  # fmt: skip
def monitor_beep(rng: Rng, n: int) -> Signal:
    period = rng.uniform(0.7, 1.1)
    return harmonic(rng.uniform(880, 1050), n, (1, 0.1)) * beeps(n, np.arange(12) * period, rng.uniform(0.1, 0.16))


@sound("daily_living", "Beep, bleep", (0.2, 0.8),
       "a checkout scanner beeps once", "one short electronic beep of a barcode scanner",
       "the till scans an item with a dry beep")  # fmt: skip
def scanner_beep(rng: Rng, n: int) -> Signal:
    return harmonic(rng.uniform(2000, 2600), n, (1, 0, 0.2)) * beeps(n, (0.0,), n / 16_000)


# -- machines of the home ------------------------------------------------------------------------


@sound("daily_living", "Vacuum cleaner; Mechanisms", (3.0, 20.0),
       "a vacuum cleaner running", "someone vacuums the carpet", "the loud whine and rush of a vacuum cleaner",
       sustained=True)  # fmt: skip
def vacuum_cleaner(rng: Rng, n: int) -> Signal:
    whine = motor(rng, n, rng.uniform(190, 260), 28, 0.4)
    rush = band_noise(rng, n, 300, 6000, order=0.8)
    return whine + 0.7 * rush / 3 * drift(rng, n, 0.7, 0.7, 1)


@sound("daily_living", "Hair dryer; Mechanical fan", (3.0, 15.0),
       "a hair dryer blowing", "someone dries their hair with a blow dryer",
       "the steady blast of an electric hair dryer", sustained=True)  # fmt: skip
def hair_dryer(rng: Rng, n: int) -> Signal:
    return band_noise(rng, n, 500, 7000, order=0.7) / 3 + 0.4 * motor(rng, n, rng.uniform(380, 520), 10, 0.9)


@sound("daily_living", "Mechanisms; Water; Slosh", (4.0, 30.0),
       "a washing machine turning laundry", "a washer sloshing and humming",
       "the drum of a washing machine rotating slowly", sustained=True)  # fmt: skip
def washing_machine(rng: Rng, n: int) -> Signal:
    hum = motor(rng, n, rng.choice([50, 60]) * 2.0, 8, 1.2)
    turn = drift(rng, n, rng.uniform(1.1, 1.6), 0.1, 1) ** 2
    slosh = unit(scatter(rng, n, 70, lambda: bubble(rng, 200, 700))) + 0.15 * band_noise(rng, n, 300, 2500)
    out = 0.35 * hum + slosh * turn
    thud = strike(rng, samples(0.3), 70, (1, 1.8, 2.9), 0.25, noise=0.8, noise_hz=500)
    for start in np.arange(0, n / 16_000 - 0.4, rng.uniform(0.75, 1.0)):
        add_around(out, thud, samples(start + rng.uniform(0, 0.1)), rng.uniform(0.3, 0.6))
    return out


@sound("daily_living", "Blender; Mechanisms", (2.0, 6.0),
       "a kitchen blender mixing a smoothie", "a blender whirs loudly",
       "fruit crushed in an electric blender")  # fmt: skip
def blender(rng: Rng, n: int) -> Signal:
    speed = rng.uniform(240, 330) * curve(n, (0, 0.3), (0.1, 1), (0.85, 1.05), (1, 0.25)) * drift(rng, n, 4, 0.97, 1.03)
    whine = harmonic(speed, n, rolloff(22, 0.5) * rng.uniform(0.3, 1, 22))
    return (unit(whine) + 0.12 * band_noise(rng, n, 500, 5000) * drift(rng, n, 9, 0.3, 1)) * arch(n, 0.05, 0.1)


@sound("daily_living", "Scrape; Rub; Scratch", (1.4, 5.0),
       "a broom sweeping the floor", "someone sweeps with a straw broom",
       "bristles brushing across a hard floor in strokes")  # fmt: skip
def broom_sweeping(rng: Rng, n: int) -> Signal:
    def stroke() -> Signal:
        m = samples(rng.uniform(0.4, 0.55))
        bristle = unit(scatter(rng, m, 1200, lambda: tick(rng, 2000, 6000, 0.004), spread_db=20))
        return (bristle + 0.6 * unit(band_noise(rng, m, 1500, 6000))) * curve(m, (0, 0), (0.3, 1), (0.6, 0.5), (1, 0))

    return repeat(rng, n, steps(rng, n, rng.uniform(0.65, 0.8), tail_s=0.55), stroke)


@sound("daily_living", "Toothbrush; Rub; Scratch", (2.0, 6.0),
       "someone brushing their teeth", "quick back and forth strokes of a toothbrush",
       "teeth being brushed over a sink")  # fmt: skip
def tooth_brushing(rng: Rng, n: int) -> Signal:
    rate, t = rng.uniform(4.2, 5.5), np.arange(n) / 16_000
    stroke = np.abs(np.sin(np.pi * rate * t)) ** 1.5
    scrub = formants(band_noise(rng, n, 1200, 7000), (2000, 500, 2), (4000, 800, 2))
    return scrub * stroke * drift(rng, n, 1.2, 0.5, 1) * arch(n, 0.04, 0.06)


@sound("daily_living", "Clicking; Tick", (0.2, 0.35),
       "a light switch is flicked", "someone switches the light on with a click",
       "one snappy click of a wall switch")  # fmt: skip
def light_switch(rng: Rng, n: int) -> Signal:
    out = np.zeros(n)
    add(
        out,
        strike(rng, min(n, samples(0.09)), rng.uniform(900, 1500), (1, 1.8, 2.9), 0.04, noise=1.5, noise_hz=6000),
        0,
    )
    return resonate(out, 1300, 900) + 0.3 * highpass(out, 2500)
