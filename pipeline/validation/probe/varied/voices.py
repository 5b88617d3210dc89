"""Throats: people in distress, people otherwise, and animals."""

import numpy as np

from pipeline.synthesis.procedural.dsp import (
    Signal,
    add,
    arch,
    band_noise,
    buzz,
    curve,
    drift,
    moving_formant,
    phase,
    resonate,
    samples,
    sine,
    unit,
)

from .kind import Rng, contour, ratio, repeated, seconds, swell, varied

VOWELS = (
    (800, 1200, 2700, 3600),
    (650, 1080, 2500, 3500),
    (550, 1700, 2500, 3500),
    (480, 950, 2400, 3400),
    (350, 2200, 2900, 3700),
    (700, 1650, 2500, 3600),
    (420, 1300, 2300, 3300),
)
"""First four resonances in hertz, of a tract of ordinary length."""


def throat(rng: Rng, pitch_hz: Signal, *, tract: float | None = None, breath: float | None = None) -> Signal:
    """A voice along a curve of pitch: any vowel or a glide between two, pressed or breathy, clear or rough.

    `tract` multiplies the resonances (above 1 is a shorter tract), `breath` is the part of noise; drawn where None.
    """
    n = len(pitch_hz)
    tract = ratio(rng, 0.85, 1.3) if tract is None else tract
    breath = ratio(rng, 0.03, 0.8) if breath is None else breath
    pitch = pitch_hz * (1 + ratio(rng, 0.005, 0.06) * drift(rng, n, rng.uniform(10, 60), -1, 1))
    if rng.random() < 0.35:
        pitch = pitch * (1 + rng.uniform(0.005, 0.04) * np.sin(phase(rng.uniform(4, 9), n)))
    pitch = np.minimum(pitch, 3000)
    source = buzz(pitch, n, open_quotient=rng.uniform(0.35, 0.8))
    if rng.random() < 0.5:  # folds that swing every second or third time
        source = source * (1 + rng.uniform(0.1, 0.7) * np.sin(phase(pitch / rng.choice((2, 3)), n)))
    if rng.random() < 0.5:
        shaking = drift(rng, n, 6, rng.uniform(25, 60), rng.uniform(60, 140))
        source = source * (1 + rng.uniform(0.1, 0.7) * np.sin(phase(shaking, n)))
    source = source + 2 * breath * np.std(source) * band_noise(rng, n, 500, rng.uniform(3500, 7500))
    begin = VOWELS[rng.integers(len(VOWELS))]
    end = VOWELS[rng.integers(len(VOWELS))] if rng.random() < 0.4 else begin
    gains = (1, rng.uniform(0.3, 1), rng.uniform(0.1, 0.8), rng.uniform(0.05, 0.6))
    out = np.zeros(n)
    for first, last, width, gain in zip(begin, end, (110, 170, 260, 330), gains, strict=True):
        width_hz = width * rng.uniform(0.7, 2)
        if end is begin:
            out += gain * resonate(source, first * tract * rng.uniform(0.93, 1.07), width_hz)
        else:
            out += gain * moving_formant(source, np.linspace(first, last, n) * tract, width_hz)
    if rng.random() < 0.4:
        out = np.tanh(unit(out) * rng.uniform(1, 4))
    return unit(out)


def hack(rng: Rng, m: int, pitch_hz: float, tract: float) -> Signal:
    """One cough: a burst of breath and some voice."""
    blast = unit(band_noise(rng, m, ratio(rng, 200, 800), ratio(rng, 2500, 7500)))
    voice = throat(rng, pitch_hz * contour(rng, m, 0.7, 1.3), tract=tract)
    burst = curve(m, (0, 0), (rng.uniform(0.02, 0.1), 1), (rng.uniform(0.25, 0.5), 0.4), (1, 0))
    return blast * burst + rng.uniform(0.1, 1) * voice * arch(m, 0.15, 0.5)


def gasp(rng: Rng, m: int) -> Signal:
    """A breath drawn in, more or less strained."""
    air = unit(band_noise(rng, m, ratio(rng, 500, 1500), ratio(rng, 2500, 7500)))
    strain = throat(rng, curve(m, (0, ratio(rng, 150, 400)), (1, ratio(rng, 300, 800))))
    return (air + rng.uniform(0, 1) * strain) * arch(m, 0.4, 0.25)


# -- distress ------------------------------------------------------------------------------------


@varied(0.5, 2.5)
def scream(rng: Rng, n: int) -> Signal:
    low = ratio(rng, 380, 1100)
    return throat(rng, contour(rng, n, low, low * rng.uniform(1.1, 1.8))) * swell(rng, n)


@varied(0.2, 1.8)
def pain_cry(rng: Rng, n: int) -> Signal:
    low = ratio(rng, 90, 450)
    voice = throat(rng, contour(rng, n, low, low * rng.uniform(1.1, 2.2)))
    if rng.random() < 0.4:
        return voice * swell(rng, n)
    # Pressed out at once, and the breath after it.
    onset, end = rng.uniform(0.02, 0.15), rng.uniform(0.5, 0.85)
    grunt = voice * curve(n, (0, 0), (onset, 1), (end, rng.uniform(0.4, 1)), (1, 0))
    breath = unit(band_noise(rng, n, ratio(rng, 300, 1500), ratio(rng, 2500, 7000)))
    return grunt + rng.uniform(0, 0.3) * breath * curve(n, (0, 0), (end * 0.8, 0), (end, 1), (1, 0))


@varied(1.2, 5.0)
def coughing_fit(rng: Rng, n: int) -> Signal:
    pitch, tract = ratio(rng, 90, 350), ratio(rng, 0.85, 1.3)
    fit = repeated(rng, n, lambda m: hack(rng, m, pitch, tract), (0.12, 0.45), (0.02, 0.25))
    gasps = repeated(rng, n, lambda m: gasp(rng, m), (0.2, 0.5), (0.4, 1.5))
    return fit + rng.uniform(0, 0.35) * gasps


@varied(1.0, 4.5)
def choking(rng: Rng, n: int) -> Signal:
    pitch, tract = ratio(rng, 35, 130), ratio(rng, 0.85, 1.2)

    def gag(m: int) -> Signal:
        creak = throat(rng, pitch * drift(rng, m, 20, 0.6, 1.5), tract=tract, breath=ratio(rng, 0.1, 1))
        return creak * arch(m, rng.uniform(0.05, 0.3), rng.uniform(0.2, 0.6))

    gags = repeated(rng, n, gag, (0.1, 0.4), (0.03, 0.4))
    return gags + rng.uniform(0.2, 1) * repeated(rng, n, lambda m: gasp(rng, m), (0.2, 0.7), (0.15, 0.9))


@varied(1.5, 5.0)
def wheezing(rng: Rng, n: int) -> Signal:
    whistle = ratio(rng, 300, 1100)

    def breath(m: int) -> Signal:
        air = unit(band_noise(rng, m, ratio(rng, 300, 1500), ratio(rng, 2500, 7000)))
        tones = sum(
            (sine(whistle * step * drift(rng, m, 6, 0.93, 1.07), m) for step in rng.uniform(1, 2.3, 3)), 0 * air
        )
        return (air * rng.uniform(0.3, 1) + unit(tones) * rng.uniform(0.2, 1)) * arch(m, 0.2, 0.4)

    return repeated(rng, n, breath, (0.25, 0.9), (0.05, 0.4))


@varied()
def baby_cry(rng: Rng, n: int) -> Signal:
    pitch, tract = ratio(rng, 300, 620), ratio(rng, 1.2, 1.7)

    def wail(m: int) -> Signal:
        rise = curve(m, (0, 0.8), (0.2, rng.uniform(1.1, 1.4)), (0.8, 1.1), (1, 0.75)) * drift(rng, m, 6, 0.96, 1.05)
        return throat(rng, pitch * rise, tract=tract, breath=ratio(rng, 0.03, 0.5)) * arch(m, 0.12, 0.3)

    return repeated(rng, n, wail, (0.3, 1.3), (0.08, 0.5))


# -- people --------------------------------------------------------------------------------------


@varied(0.6, 4.0)
def laughter(rng: Rng, n: int) -> Signal:
    pitch, tract, every = ratio(rng, 110, 520), ratio(rng, 0.85, 1.3), rng.uniform(0.11, 0.28)
    out, at = np.zeros(n), rng.uniform(0, 0.1)
    while at + every < seconds(n):
        m = samples(every * rng.uniform(0.5, 0.9))
        syllable = throat(rng, pitch * contour(rng, m, 0.85, 1.2), tract=tract, breath=ratio(rng, 0.2, 1.2))
        add(out, syllable * curve(m, (0, 0), (0.25, 1), (0.6, 0.6), (1, 0)), samples(at), rng.uniform(0.3, 1))
        at += every * rng.uniform(0.85, 1.2) if rng.random() < 0.92 else rng.uniform(0.2, 0.5)
    return out


@varied(0.2, 1.2)
def cough(rng: Rng, n: int) -> Signal:
    pitch, tract = ratio(rng, 90, 350), ratio(rng, 0.85, 1.3)
    if n < samples(0.5) or rng.random() < 0.5:
        return hack(rng, n, pitch, tract)
    return repeated(rng, n, lambda m: hack(rng, m, pitch, tract), (0.15, 0.35), (0.03, 0.3))


@varied(0.4, 2.5)
def throat_clear(rng: Rng, n: int) -> Signal:
    pitch, tract, growl = ratio(rng, 70, 250), ratio(rng, 0.85, 1.3), rng.uniform(18, 40)

    def ahem(m: int) -> Signal:
        voice = throat(rng, pitch * contour(rng, m, 0.7, 1.2), tract=tract, breath=ratio(rng, 0.2, 1))
        return voice * (1 + 0.5 * sine(growl, m)) * arch(m, 0.12, 0.45)

    return repeated(rng, n, ahem, (0.15, 0.6), (0.05, 0.4))


@varied(0.4, 1.4)
def sneeze(rng: Rng, n: int) -> Signal:
    before = int(n * rng.uniform(0.15, 0.5))
    m = n - before
    out = np.zeros(n)
    breath = unit(band_noise(rng, before, 700, 5000)) * curve(before, (0, 0), (0.8, 1), (1, 0))
    add(out, breath, 0, rng.uniform(0.1, 0.5))
    blast = unit(band_noise(rng, m, ratio(rng, 300, 1500), ratio(rng, 3000, 7500)))
    voice = throat(rng, ratio(rng, 120, 450) * contour(rng, m, 0.7, 1.3)) * curve(
        m, (0, 0), (0.1, 1), (0.5, 0.3), (1, 0)
    )
    add(out, blast * curve(m, (0, 0), (0.04, 1), (0.3, 0.4), (1, 0)) + rng.uniform(0.2, 1.5) * voice, before)
    return out


@varied()
def crowd_cheer(rng: Rng, n: int) -> Signal:
    out = np.zeros(n)
    for _ in range(rng.integers(4, 14)):
        voice = throat(rng, ratio(rng, 120, 600) * contour(rng, n, 0.85, 1.25), breath=ratio(rng, 0.1, 1))
        out += voice * drift(rng, n, rng.uniform(1, 5), 0, 1)
    return unit(out) * drift(rng, n, 1, 0.4, 1) + rng.uniform(0.1, 0.8) * unit(band_noise(rng, n, 300, 3500))


# -- animals -------------------------------------------------------------------------------------


def muzzle(rng: Rng, pitch_hz: Signal, size: float, breath: float) -> Signal:
    """The voice of an animal: no vowels, but one to four resonances anywhere, sharp or dull; `size` of 1 is a dog's."""
    n = len(pitch_hz)
    pitch = np.minimum(pitch_hz * (1 + ratio(rng, 0.003, 0.08) * drift(rng, n, rng.uniform(10, 80), -1, 1)), 5000)
    source = buzz(pitch, n, open_quotient=rng.uniform(0.3, 0.9))
    if rng.random() < 0.5:  # a rattle, a bleat, a growl
        shaking = drift(rng, n, 4, rng.uniform(8, 25), rng.uniform(25, 70))
        source = source * (1 + rng.uniform(0.2, 1) * np.sin(phase(shaking, n)))
    source = source + 2 * breath * np.std(source) * band_noise(rng, n, ratio(rng, 150, 1500), rng.uniform(3000, 7800))
    out = rng.uniform(0, 0.5) * unit(source)
    for _ in range(rng.integers(1, 5)):
        middle, width = ratio(rng, 250, 4500) / size, ratio(rng, 60, 700)
        glide = rng.uniform(0.7, 1.4) if rng.random() < 0.4 else 1.0
        if glide == 1.0:
            out = out + rng.uniform(0.2, 1) * unit(resonate(source, middle, width))
        else:
            out = out + rng.uniform(0.2, 1) * unit(moving_formant(source, middle * np.linspace(1, glide, n), width))
    return unit(out)


def call(rng: Rng, n: int, low_hz: float, high_hz: float) -> Signal:
    """One call of an animal of any size, from a growl to a squeak."""
    pitch = ratio(rng, low_hz, high_hz)
    curved = contour(rng, n, pitch, pitch * rng.uniform(1.02, 1.8))
    size = (300 / pitch) ** 0.5 * ratio(rng, 0.7, 1.4)
    return muzzle(rng, curved, size, ratio(rng, 0.02, 2.0)) * swell(rng, n)


@varied(0.5, 4.0)
def cow_moo(rng: Rng, n: int) -> Signal:
    return call(rng, n, 40, 300)


@varied(0.3, 2.0)
def cat_meow(rng: Rng, n: int) -> Signal:
    return call(rng, n, 250, 1200)


@varied(0.3, 2.5)
def owl(rng: Rng, n: int) -> Signal:
    return call(rng, n, 200, 900)


@varied(0.15, 2.5)
def dog_bark(rng: Rng, n: int) -> Signal:
    pitch, size = ratio(rng, 120, 1200), ratio(rng, 0.6, 1.6)

    def bark(m: int) -> Signal:
        burst = curve(m, (0, 0), (rng.uniform(0.03, 0.2), 1), (rng.uniform(0.4, 0.7), 0.6), (1, 0))
        return muzzle(rng, pitch * contour(rng, m, 0.7, 1.3), size, ratio(rng, 0.2, 2.0)) * burst

    return repeated(rng, n, bark, (0.06, 0.3), (0.04, 0.6))


@varied(0.8, 3.0)
def rooster(rng: Rng, n: int) -> Signal:
    out, at, pitch, size = np.zeros(n), 0.0, ratio(rng, 300, 900), ratio(rng, 0.5, 1)
    for part in rng.dirichlet((2, 1.5, 2, 4)) * seconds(n) * 0.95:
        m = samples(part * 0.85)
        if m > 400:
            crow = muzzle(rng, pitch * contour(rng, m, 0.8, 1.5), size, ratio(rng, 0.1, 0.8))
            add(out, crow * arch(m, 0.15, 0.3), samples(at), rng.uniform(0.5, 1))
        at += part
    return out
