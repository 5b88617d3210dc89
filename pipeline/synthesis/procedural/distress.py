"""Distress: voices and bodies in trouble, and what is mistaken for them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .dsp import (
    RATE,
    Signal,
    add,
    arch,
    band_noise,
    beeps,
    buzz,
    curve,
    drift,
    formants,
    harmonic,
    lowpass,
    moving_formant,
    phase,
    rolloff,
    room,
    samples,
    scatter,
    strike,
    unit,
)  # fmt: skip
from .home import bubble
from .human import cough_burst, inhale
from .kind import sound

Rng = np.random.Generator
Make = Callable[[int, float], Signal]


# -- shared sources ------------------------------------------------------------------------------


VOWELS = {  # the formants of a man
    "a": (750, 1150, 2500, 3500), "e": (540, 1800, 2500, 3500), "i": (290, 2250, 3000, 3700),
    "o": (500, 850, 2450, 3400), "u": (320, 800, 2250, 3300), "@": (500, 1500, 2500, 3500),
    "m": (250, 1100, 2200, 3200), "l": (380, 900, 2700, 3400),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Throat:
    """Whose voice: its resting pitch, and its formants over those of a man."""

    pitch_hz: float
    tract: float


def throat(rng: Rng, low_hz: float = 80, high_hz: float = 380) -> Throat:
    """Somebody: a man, a woman or (above 250 Hz) a child."""
    pitch = np.exp(rng.uniform(np.log(low_hz), np.log(high_hz)))
    return Throat(pitch, (pitch / 110) ** 0.27 * rng.uniform(0.9, 1.1))


def utter(rng: Rng, who: Throat, rise: Signal, ways: str, *, breath: float = 0.1, rough: float = 0.0) -> Signal:
    """A voice at `rise` times its resting pitch, gliding through the vowels of one of the `ways` ("ao eo")."""
    n, vowels, out = len(rise), rng.choice(ways.split()), np.zeros(len(rise))
    pitch = who.pitch_hz * rise * drift(rng, n, 12, 0.97, 1.03)
    if pitch.mean() < 450:
        source = buzz(pitch, n, open_quotient=rng.uniform(0.45, 0.75))
    else:
        source = harmonic(pitch, n, rolloff(14, rng.uniform(0.6, 1.4)))
    # A forced voice is brighter, and an overstrained one beats.
    source = source - np.clip(rise.mean() - 1, 0, 1) * rng.uniform(0.6, 0.95) * np.append(0, source[:-1])
    source = source / (source.std() + 1e-9) + breath * band_noise(rng, n, 400, 6500)
    if rough:
        source = source * (1 + rough * np.sin(phase(drift(rng, n, 8, 45, 110), n)))
    at, shape = np.linspace(0, len(vowels) - 1, n), np.array([VOWELS[v] for v in vowels])
    for k, (width, level) in enumerate(((90, 3), (130, rng.uniform(1.5, 2.5)), (220, rng.uniform(0.6, 2)), (300, 0.8))):
        track = who.tract * np.interp(at, np.arange(len(vowels)), shape[:, k])
        out += level * moving_formant(source, track, width * who.tract, step=320)
    return unit(out)


def air(rng: Rng, n: int, who: Throat, *, inward: bool = False) -> Signal:
    """Air rushing through an open mouth: sharper on the way in."""
    low, high = (rng.uniform(600, 1000), 5500) if inward else (rng.uniform(250, 450), 3200)
    rush, tract = band_noise(rng, n, low, high), who.tract
    return unit(rush + 2 * formants(rush, (600 * tract, 220, 1), (1500 * tract, 300, 1), (2700 * tract, 400, 1)))


def flutter(rng: Rng, n: int, low_hz: float, high_hz: float, who: Throat, *, wet: float = 0.5) -> Signal:
    """Soft tissue (a palate, lips) beating in the stream of breath."""
    pulses = buzz(rng.uniform(low_hz, high_hz) * drift(rng, n, 8, 0.75, 1.3), n, open_quotient=rng.uniform(0.2, 0.4))
    pulses = pulses / (pulses.std() + 1e-9) * (1 + wet * band_noise(rng, n, 150, 3500))
    tract = who.tract * rng.uniform(0.85, 1.15)
    return unit(formants(pulses, (260 * tract, 110, 3), (800 * tract, 180, 2), (1900 * tract, 320, 1)))


def bubbling(rng: Rng, n: int, per_second: float, low_hz: float, high_hz: float) -> Signal:
    """Many bubbles in a liquid."""
    return unit(scatter(rng, n, per_second, lambda: bubble(rng, low_hz, high_hz), kinds=8))


def knock(rng: Rng, base_hz: float, t60_s: float = 0.15, noise: float = 0.7) -> Signal:
    """One blow on wood or a floor."""
    x = strike(rng, samples(1.4 * t60_s), base_hz * rng.uniform(0.85, 1.2), (1, 2.1, 3.4, 5.2), t60_s, noise=noise)
    return x * curve(len(x), (0, 1), (0.6, 1), (1, 0))


def series(
    rng: Rng, n: int, period_s: float, make: Make, *, fill: tuple[float, float] = (0.9, 1.0), uneven: float = 0.15
) -> Signal:
    """`make(length, progress)` again and again; each fills a part of its share, which is about `period_s` long."""
    count = max(1, round(n / RATE / period_s))
    edges = np.cumsum([0.0, *rng.uniform(1 - uneven, 1 + uneven, count)])
    edges, out = edges * (n / edges[-1]), np.zeros(n)
    for i in range(count):
        x = make(int((edges[i + 1] - edges[i]) * rng.uniform(*fill)), i / max(1, count - 1))
        add(out, x, int(edges[i]), 10 ** (-rng.uniform(0, 4) / 20))
    return out


def joined(n: int, *parts: tuple[float, Signal]) -> Signal:
    """Sounds from given parts (0..1) of a length on."""
    out = np.zeros(n)
    for at, x in parts:
        add(out, x, int(at * n))
    return out


# -- failing breath ------------------------------------------------------------------------------


@sound("human", "Breathing; Gasp", (2.0, 5.0),
       "someone hyperventilating in short frantic breaths", "hyperventilating, a frightened person pulls air too fast",
       "a panicked girl hyperventilates", criterion="distress", counterpart="jogger_panting")  # fmt: skip
def hyperventilating(rng: Rng, n: int) -> Signal:
    who, fear = throat(rng), rng.uniform(0, 1.2)

    def breath(m: int, progress: float) -> Signal:
        a, b = int(m * rng.uniform(0.4, 0.55)), int(m * 0.4)
        gasp = utter(rng, who, curve(a, (0, 1.3), (1, rng.uniform(1.8, 3))), "@i @ e", breath=0.7)
        drawn = (air(rng, a, who, inward=True) + fear * rng.random() * gasp) * arch(a, 0.5, 0.2)
        return joined(m, (0, drawn), (0.6, 0.6 * air(rng, b, who) * arch(b, 0.2, 0.6)))

    return series(rng, n, rng.uniform(0.36, 0.75), breath, uneven=0.25)


@sound("human", "Snoring; Gasp", (2.8, 6.0),
       "a sleeper's snoring stops and he chokes for air", "apnea, snores that break off in a strangled snort",
       "snoring with apnea, then a sudden snorting gasp", criterion="distress", counterpart="snore")  # fmt: skip
def apnea(rng: Rng, n: int) -> Signal:
    who, split, pause = throat(rng, 75, 200), int(n * rng.uniform(0.4, 0.55)), samples(rng.uniform(0.15, 0.35))

    def snore_in(m: int, progress: float) -> Signal:
        return flutter(rng, m, 24, 50, who) * arch(m, 0.4, 0.1) * (0.5 + 0.4 * progress)

    def snort(m: int, progress: float) -> Signal:
        gasp = 0.8 * inhale(rng, m, rng.uniform(0.3, 1.2))
        return (flutter(rng, m, 45, 95, who, wet=1) + gasp) * arch(m, 0.1, 0.4) * (1 - 0.6 * progress)

    snores = series(rng, split, rng.uniform(0.8, 1.3), snore_in, fill=(0.85, 1.0))
    snorts = series(rng, n - split - pause, rng.uniform(0.5, 0.8), snort, fill=(0.6, 0.95))
    return joined(n, (0, snores), ((split + pause) / n, snorts))


@sound("human", "Breathing; Respiratory sounds", (2.0, 5.0),
       "a child with stridor draws each breath through a narrow throat", "harsh stridor, a crowing in the windpipe",
       "stridor on every inward breath", criterion="distress", counterpart="calm_breathing")  # fmt: skip
def stridor(rng: Rng, n: int) -> Signal:
    who, base, noise = throat(rng, 150, 400), rng.uniform(380, 1100), rng.uniform(0.3, 1.2)

    def breath(m: int, progress: float) -> Signal:
        a, b = int(m * rng.uniform(0.5, 0.65)), int(m * 0.3)
        pitch = base * curve(a, (0, 0.8), (0.5, 1.0), (1, rng.uniform(0.9, 1.35))) * drift(rng, a, 20, 0.94, 1.06)
        crow = harmonic(pitch, a, rolloff(6, rng.uniform(0.7, 1.5))) * drift(rng, a, 30, 0.5, 1)
        drawn = (unit(crow) + noise * air(rng, a, who, inward=True)) * arch(a, 0.3, 0.2)
        return joined(m, (0, drawn), (0.68, 0.25 * air(rng, b, who) * arch(b, 0.2, 0.6)))

    return series(rng, n, rng.uniform(0.75, 1.5), breath)


@sound("human", "Cough; Gasp", (2.2, 5.0),
       "a child with whooping cough fights for air", "whooping cough, a volley on one breath and a crowing whoop",
       "paroxysmal coughing that ends in a high whoop", criterion="distress", counterpart="laughter")  # fmt: skip
def whooping_cough(rng: Rng, n: int) -> Signal:
    who, size, whoop = throat(rng, 200, 420), rng.uniform(0.65, 1.0), samples(rng.uniform(0.5, 0.95))
    coughs = series(rng, n - whoop, rng.uniform(0.17, 0.28),
                    lambda m, progress: cough_burst(rng, m, size) * (1 - 0.6 * progress), fill=(0.75, 1))  # fmt: skip
    crow = utter(rng, who, curve(whoop, (0, 1.2), (0.7, rng.uniform(2, 3)), (1, 1.9)), "uo u", breath=1.0)
    crow = (crow + 0.5 * air(rng, whoop, who, inward=True)) * arch(whoop, 0.3, 0.15)
    return joined(n, (0, coughs), ((n - whoop) / n, rng.uniform(0.6, 1) * crow))


@sound("human", "Gurgling; Splash, splatter; Gasp", (2.2, 5.0),
       "a drowning swimmer gurgles between gasps", "somebody drowning, water closing over the cries",
       "swallowed cries of a drowning child", criterion="distress", counterpart="gargling")  # fmt: skip
def drowning(rng: Rng, n: int) -> Signal:
    who = throat(rng, 110, 400)

    def dip(m: int, progress: float) -> Signal:
        a, b = int(m * rng.uniform(0.4, 0.55)), int(m * 0.5)
        rise = rng.uniform(1.3, 2.5) * curve(a, (0, 1), (0.4, 1.2), (1, 0.8))
        cry = utter(rng, who, rise, "ao e@", breath=0.6, rough=0.4) * curve(a, (0, 0), (0.35, 0), (0.5, 1), (1, 0))
        gasp = inhale(rng, a // 2, rng.uniform(0.5, 1.2))
        splash = unit(band_noise(rng, a, rng.uniform(250, 600), 4500)) + bubbling(rng, a, 200, 400, 2500)
        under = bubbling(rng, b, rng.uniform(50, 180), rng.uniform(120, 300), rng.uniform(600, 1200))
        under = lowpass(under + 0.5 * utter(rng, who, np.full(b, 1.3), "uo o", rough=0.8), 1100)
        up = joined(a, (0, 0.4 * splash * arch(a, 0.1, 0.6) + rng.uniform(0.5, 1) * cry), (0.02, gasp))
        return joined(m, (0, up * (1 - 0.4 * progress)), (0.46, unit(under) * arch(b, 0.2, 0.3)))

    return series(rng, n, rng.uniform(0.9, 1.6), dip)


# -- pain and terror, bodies, and the devices that watch over them -------------------------------


@sound("human", "Shout; Yell", (1.2, 4.5),
       "someone calls for help again and again", "desperate shouts for help from a hoarse throat",
       "a woman yelling for help", criterion="distress", counterpart="friendly_hello")  # fmt: skip
def help_call(rng: Rng, n: int) -> Signal:
    who, strain, size = throat(rng, 95, 350), rng.uniform(1.6, 2.8), rng.uniform(0.2, 1.2)

    def call(m: int, progress: float) -> Signal:
        rise = strain * curve(m, (0, 0.8), (0.25, rng.uniform(1, 1.2)), (0.7, 1), (1, 0.7))
        voice = utter(rng, who, rise, "@eeeol eeol", breath=0.2, rough=rng.uniform(0, 0.6))
        voice = voice * curve(m, (0, 0), (0.1, 0.3), (0.25, 1), (0.85, 0.7), (1, 0))
        return voice + 0.15 * air(rng, m, who) * curve(m, (0, 0), (0.06, 1), (0.15, 0), (0.95, 0), (0.97, 0.3), (1, 0))

    return room(series(rng, n, rng.uniform(0.6, 1.15), call, fill=(0.7, 0.95)), rng, t60_s=size, wet=0.25)


@sound("human", "Screaming; Children shouting", (0.7, 2.2),
       "a child's shriek of pain", "a little girl shrieks in pain after a fall",
       "a hurt boy shrieking in agony", criterion="distress", counterpart="child_squeal")  # fmt: skip
def child_shriek(rng: Rng, n: int) -> Signal:
    who, peak, late = throat(rng, 270, 450), rng.uniform(0.05, 0.25), rng.uniform(0.5, 0.8)
    rise = rng.uniform(2.2, 4.5) * curve(n, (0, 0.6), (peak, 1), (late, rng.uniform(0.8, 1.1)), (1, 0.5))
    broken = drift(rng, n, rng.uniform(2, 7), 0, 1) > 0.75  # the voice breaks
    voice = utter(rng, who, rise * np.where(broken, 0.6, 1), "ai ea i aaa", breath=0.3, rough=rng.uniform(0.2, 0.9))
    return room(voice * drift(rng, n, 6, 0.6, 1) * arch(n, 0.06, 0.25), rng, wet=rng.uniform(0.05, 0.3))


@sound("human", "Whimper", (1.0, 3.2),
       "a wounded woman whimpers in pain", "an injured child whimpering weakly",
       "thin whimpers of pain through closed lips", criterion="distress", counterpart="humming")  # fmt: skip
def pain_whimper(rng: Rng, n: int) -> Signal:
    who, shake = throat(rng, 130, 400), rng.uniform(6, 13)

    def whimper(m: int, progress: float) -> Signal:
        rise = rng.uniform(1.3, 2.4) * curve(m, (0, 0.85), (0.3, 1.1), (1, rng.uniform(0.6, 0.9)))
        shiver = np.sin(phase(shake * drift(rng, m, 3, 0.8, 1.2), m))
        voice = utter(rng, who, rise * (1 + 0.04 * shiver), "m mu um mi u@m", breath=0.3)
        return voice * (0.7 + 0.3 * shiver) * arch(m, 0.2, 0.5)

    return series(rng, n, rng.uniform(0.35, 0.8), whimper, fill=(0.6, 0.95), uneven=0.35)


@sound("human", "Crying, sobbing", (2.0, 5.0),
       "a wounded man sobs in agony", "someone sobbing from pain, each moan after jerking breaths",
       "an injured girl sobs and wails in pain", criterion="distress", counterpart="baby_giggle")  # fmt: skip
def pain_sobs(rng: Rng, n: int) -> Signal:
    who, depth = throat(rng), rng.uniform(0.2, 0.6)

    def sob(m: int, progress: float) -> Signal:
        a = int(m * rng.uniform(0.25, 0.4))
        b, jerks = m - a, np.clip(np.sin(np.linspace(0, rng.integers(2, 5) * 2 * np.pi, a)), 0, 1)
        gulp = (air(rng, a, who, inward=True) + 0.5 * utter(rng, who, np.full(a, 1.6), "@ e", breath=1)) * jerks
        rise = rng.uniform(1.1, 2.2) * curve(b, (0, 1.15), (0.3, 1.0), (1, 0.65))
        sway = 1 + depth * np.sin(phase(drift(rng, b, 4, 4, 9), b))
        moan = utter(rng, who, rise, "ao au eo @o", breath=0.3, rough=rng.uniform(0, 0.5))
        return joined(m, (0, 0.4 * gulp), (a / m, moan * sway / (1 + depth) * arch(b, 0.15, 0.5)))

    return room(series(rng, n, rng.uniform(0.9, 1.7), sob, fill=(0.75, 1.0)), rng, t60_s=0.3, wet=0.1)


@sound("human", "Crowd; Shout; Yell", (2.0, 6.0),
       "a crowd shrieks in panic and flees", "terrified people stampede, dozens of screams at once",
       "panic in a crowd, mass screaming", criterion="distress", counterpart="crowd_cheer")  # fmt: skip
def crowd_panic(rng: Rng, n: int) -> Signal:
    out = np.zeros(n)
    for _ in range(6):
        m = min(n, samples(rng.uniform(0.4, 1.2)))
        rise = rng.uniform(1.8, 3.6) * curve(m, (0, 0.7), (0.15, 1), (0.7, rng.uniform(0.8, 1.1)), (1, 0.6))
        cry = utter(rng, throat(rng, 120, 400), rise, "a ai eo", breath=0.3, rough=0.6) * arch(m, 0.1, 0.3)
        for at in rng.uniform(-0.1, 1, rng.integers(1, 4)):
            add(out, cry, int(at * (n - m)), rng.uniform(0.15, 1))
    feet = unit(scatter(rng, n, rng.uniform(15, 40), lambda: knock(rng, 80, 0.09), kinds=5))
    roar = unit(band_noise(rng, n, 350, rng.uniform(1500, 3000)) * drift(rng, n, 3, 0.4, 1))
    mix = unit(out) + rng.uniform(0.1, 0.4) * feet + rng.uniform(0.1, 0.4) * roar
    return room(mix, rng, t60_s=rng.uniform(0.4, 1.2), wet=0.3) * arch(n, 0.1, 0.15)


@sound("human", "Knock; Shout", (1.5, 4.5),
       "someone trapped behind a door pounds and shouts", "a trapped child beating at the locked door",
       "muffled yells of a person trapped", criterion="distress", counterpart="stairs_run")  # fmt: skip
def trapped_pounding(rng: Rng, n: int) -> Signal:
    who, strain = throat(rng, 95, 350), rng.uniform(1.5, 2.8)
    fists = [knock(rng, base, rng.uniform(0.1, 0.3)) for base in [rng.uniform(60, 260)] * 4]

    def shout(m: int, progress: float) -> Signal:
        rise = strain * curve(m, (0, 0.8), (0.3, rng.uniform(1, 1.3)), (1, 0.7))
        return utter(rng, who, rise, "eo ea aeo", rough=rng.uniform(0, 0.6)) * arch(m, 0.15, 0.3)

    voice = lowpass(series(rng, n, rng.uniform(0.6, 1.2), shout, fill=(0.5, 0.9)), rng.uniform(500, 1600))
    blows = series(rng, n, rng.uniform(0.14, 0.32), lambda m, progress: fists[rng.integers(4)], uneven=0.3)
    blows *= drift(rng, n, 1.5, -0.3, 1) > 0
    return room(unit(blows) + rng.uniform(0.5, 1.5) * unit(voice), rng, t60_s=rng.uniform(0.15, 0.6), wet=0.2)


@sound("human", "Groan; Splash, splatter", (1.2, 4.5),
       "someone vomits violently", "retching and vomiting into a bucket", "a sick man retches and throws up",
       criterion="distress", counterpart="burp")  # fmt: skip
def vomiting(rng: Rng, n: int) -> Signal:
    who, flood, size = throat(rng, 85, 280), rng.uniform(0, 1.2), rng.uniform(0.15, 0.6)

    def heave(m: int, progress: float) -> Signal:
        a, b = int(m * rng.uniform(0.55, 0.75)), int(m * 0.4)
        rise = curve(a, (0, 0.7), (0.35, rng.uniform(1.0, 1.9)), (0.7, 1.1), (1, 0.6))
        voice = utter(rng, who, rise, "oa@ uo@ @eo", breath=0.6, rough=rng.uniform(0.5, 1))
        gush = bubbling(rng, b, rng.uniform(80, 300), 250, 1500) + unit(band_noise(rng, b, 250, 3500))
        gush = gush * rng.uniform(0.1, 1) * curve(b, (0, 0), (0.07, 1), (rng.uniform(0.2, 0.6), 0.6), (1, 0))
        return joined(m, (0, voice * curve(a, (0, 0), (0.35, 1), (0.8, 0.8), (1, 0))), (0.6, flood * gush))

    return room(series(rng, n, rng.uniform(0.8, 1.5), heave, fill=(0.7, 1)), rng, t60_s=size, wet=0.15)


@sound("human", "Grunt; Rattle", (2.0, 5.0),
       "someone convulses in a seizure", "an epileptic fit, clenched grunts and a rattling bed frame",
       "a convulsing body drums on the floor", criterion="distress", counterpart="stairs_run")  # fmt: skip
def seizure(rng: Rng, n: int) -> Signal:
    who, clenched = throat(rng, 80, 260), rng.uniform(0.3, 1)
    bed = [knock(rng, base, 0.09, 0.6) for base in [rng.uniform(150, 900)] * 3]
    heels = [knock(rng, 90, 0.12) for _ in range(3)]
    rises = [curve(samples(rng.uniform(0.08, 0.18)), (0, 1.4), (1, 0.9)) for _ in range(5)]
    grunts = [utter(rng, who, r, "@m m e@", breath=0.5, rough=0.6) * arch(len(r), 0.1, 0.5) for r in rises]
    gaps = np.geomspace(rng.uniform(0.13, 0.22), rng.uniform(0.25, 0.5), 40) * rng.uniform(0.85, 1.15, 40)
    starts, out = np.cumsum(gaps), np.zeros(n)
    for at in starts[starts < n / RATE - 0.1]:
        add(out, grunts[rng.integers(5)], samples(at), clenched * rng.uniform(0.3, 1))
        add(out, heels[rng.integers(3)], samples(at), rng.uniform(0.3, 0.8))
        for late in rng.uniform(0, 0.09, rng.integers(0, 4)):
            add(out, bed[rng.integers(3)], samples(at + late), rng.uniform(0.05, 0.4))
    return out + 0.1 * flutter(rng, n, 15, 35, who, wet=1) * drift(rng, n, 3, 0, 1)


@sound("human", "Thump, thud; Yell", (1.0, 3.0),
       "somebody tumbles down the stairs with a cry", "a woman falls down a staircase, bump after bump",
       "a body falls down stairs and cries out", criterion="distress", counterpart="stairs_run")  # fmt: skip
def stair_fall(rng: Rng, n: int) -> Signal:
    who, tread, stop, count = throat(rng), rng.uniform(60, 200), int(n * rng.uniform(0.65, 0.8)), rng.integers(4, 12)
    hits, out = np.sort(rng.uniform(0.05, 0.97, count)) * stop, np.zeros(n)
    for at in hits:
        add(out, knock(rng, tread, rng.uniform(0.1, 0.25), 1.0), int(at), rng.uniform(0.3, 1))
    add(out, knock(rng, 60, 0.3, 1.2), stop, 1.2)
    jolts = np.interp(np.arange(stop), np.repeat(hits, 3) + np.tile([-200, 0, 900], count), [1, 0.4, 1] * int(count))
    rise = rng.uniform(1.5, 3) * curve(stop, (0, 0.8), (0.2, 1.1), (1, 0.7)) * (0.8 + 0.2 * jolts)
    cry = utter(rng, who, rise, "aaoa ao ea@", breath=0.2, rough=rng.uniform(0.1, 0.7))
    add(out, cry * jolts * arch(stop, 0.1, rng.uniform(0.1, 0.7)), 0, rng.uniform(0.4, 1.2))
    return room(out, rng, t60_s=rng.uniform(0.3, 0.9), wet=0.2)


@sound("human", "Alarm; Beep, bleep", (2.5, 8.0),
       "a patient monitor sounds its high-priority alarm", "a hospital monitor in alarm, three tones and then two",
       "a patient monitor in alarm", criterion="distress", counterpart="monitor_beep")  # fmt: skip
def patient_alarm(rng: Rng, n: int) -> Signal:
    on, gap, shape = rng.uniform(0.08, 0.2), rng.uniform(0.05, 0.125), rolloff(8, rng.uniform(0.2, 1.2))
    melody = rng.choice([0, 2, 4, 5, 7, 9, 12], 5) if rng.random() < 0.6 else np.zeros(5)
    marks = np.array([0, 1, 2, 4 + rng.uniform(-0.5, 0.5), 5 + rng.uniform(0, 0.4)]) * (on + gap)
    again, tones = marks[-1] + on + rng.uniform(0.3, 0.5), np.zeros(n)
    pitch, shape, m = rng.uniform(250, 900) * 2 ** (melody / 12), shape * rng.uniform(0.3, 1, 8), samples(on)
    pulses = [harmonic(hz, m, shape) * arch(m, 0.15, 0.25) for hz in pitch]
    for start in np.arange(0, n / RATE, again):
        for mark, pulse in zip(marks, pulses, strict=True):
            add(tones, pulse, samples(start + mark))
    return room(tones, rng, t60_s=0.4, wet=rng.uniform(0, 0.3))


@sound("human", "Beep, bleep; Alarm", (2.0, 6.0),
       "a heart monitor falls into a flatline tone", "the flatline of a cardiac arrest",
       "one unbroken flatline tone", criterion="distress", counterpart="monitor_beep")  # fmt: skip
def flatline(rng: Rng, n: int) -> Signal:
    begin, period = int(n * rng.uniform(0.1, 0.5)), rng.uniform(0.25, 0.5)
    lead = beeps(begin, np.arange(0, begin / RATE, period), min(0.12, period / 2))
    lead *= np.clip(np.arange(begin, 0, -1) / 400 - 2, 0, 1)
    tone = harmonic(rng.uniform(440, 1300), n, rolloff(6, rng.uniform(0.8, 3)))
    return room(tone * np.append(lead, np.minimum(1, np.arange(n - begin) / 400)), rng, wet=rng.uniform(0, 0.25))


# -- mistaken for distress -----------------------------------------------------------------------


@sound("human", "Pant; Breathing", (2.0, 5.0),
       "a jogger panting after a run", "a runner puffs after a workout", "jogging breaths in rhythm")  # fmt: skip
def jogger_panting(rng: Rng, n: int) -> Signal:
    who, hum = throat(rng), rng.uniform(0, 0.3)

    def breath(m: int, progress: float) -> Signal:
        a, b = int(m * 0.35), int(m * rng.uniform(0.45, 0.58))
        huff = air(rng, b, who) + hum * utter(rng, who, curve(b, (0, 1), (1, 0.8)), "@ a", breath=1)
        huff = huff * curve(b, (0, 0), (0.15, 1), (0.5, 0.5), (1, 0))
        return joined(m, (0, 0.4 * air(rng, a, who, inward=True) * arch(a, 0.5, 0.3)), (0.38, huff))

    return series(rng, n, rng.uniform(0.55, 1.1), breath, uneven=0.05)


@sound("human", "Gargling", (1.2, 4.0),
       "someone gargles with mouthwash", "gargling over the bathroom sink", "a warbling gargle")  # fmt: skip
def gargling(rng: Rng, n: int) -> Signal:
    warble = 0.5 + 0.5 * np.sin(phase(drift(rng, n, 8, 14, 30), n))
    voice = utter(rng, throat(rng), drift(rng, n, 2, 0.9, 1.2), "a @ ao", breath=0.3) * warble
    drops = bubbling(rng, n, rng.uniform(40, 120), 500, 2200)
    return (rng.uniform(0.4, 1.2) * voice + drops) * arch(n, 0.1, 0.15)


@sound("human", "Burping, eructation", (0.4, 1.8),
       "a man burps after a meal", "one rude belch", "a child lets out a burp")  # fmt: skip
def burp(rng: Rng, n: int) -> Signal:
    rate, mouth = rng.uniform(40, 110), curve(n, (0, 380), (0.3, 650), (1, rng.uniform(350, 600)))
    croak = buzz(rate * drift(rng, n, 12, 0.6, 1.4) * curve(n, (0, 0.8), (0.3, 1.2), (1, 0.8)), n, open_quotient=0.3)
    croak, mouth = croak + 0.1 * band_noise(rng, n, 200, 3000), mouth * throat(rng).tract
    return unit(moving_formant(croak, mouth, 110) + 0.6 * moving_formant(croak, mouth * 2.2, 180)) * arch(n, 0.12, 0.4)


@sound("human", "Humming", (2.0, 6.0),
       "someone hums a tune", "humming a lullaby with closed lips", "a contented hum while washing up")  # fmt: skip
def humming(rng: Rng, n: int) -> Signal:
    count = max(3, round(n / RATE / rng.uniform(0.25, 0.6)))
    notes, m = 2 ** (np.cumsum(rng.choice([-4, -2, 0, 2, 3], count)).clip(-7, 10) / 12), -(-n // count)
    glide = lowpass(np.append(np.full(2000, notes[0]), np.repeat(notes, m)), 12)[2000 : 2000 + n]
    vibrato = 1 + 0.01 * np.sin(phase(rng.uniform(4.5, 6.5), n))
    swell = np.tile(0.4 + 0.6 * arch(m, 0.2, 0.3), count)[:n] * arch(n, 0.05, 0.1)
    return utter(rng, throat(rng), 1.2 * glide * vibrato, "m", breath=0.05) * swell


@sound("human", "Baby laughter; Giggle", (1.0, 4.0),
       "a baby giggles", "an infant chuckling at peekaboo", "bubbly baby giggles")  # fmt: skip
def baby_giggle(rng: Rng, n: int) -> Signal:
    who, top = throat(rng, 290, 480), rng.uniform(1.0, 1.5)

    def peal(m: int, progress: float) -> Signal:
        squeak = 1.6 if rng.random() < 0.15 else 1.0
        rise = squeak * top * rng.uniform(0.8, 1.2) * curve(m, (0, 0.9), (0.3, 1.2), (1, 0.8))
        return utter(rng, who, rise, "e a@ a", breath=0.4) * arch(m, 0.2, 0.5) * (1 - 0.5 * progress)

    return series(rng, n, rng.uniform(0.18, 0.32), peal, fill=(0.4, 0.75), uneven=0.25)


@sound("human", "Children playing; Squeal", (0.6, 2.2),
       "a child squeals with delight on a swing", "delighted squeals of children at play",
       "a toddler's happy squeal while being tickled")  # fmt: skip
def child_squeal(rng: Rng, n: int) -> Signal:
    who = throat(rng, 280, 450)

    def squeal(m: int, progress: float) -> Signal:
        rise = rng.uniform(1.8, 3.2) * curve(m, (0, 0.7), (0.5, 1), (1, rng.uniform(0.9, 1.4)))
        return utter(rng, who, rise, "i ei ui", breath=0.15) * arch(m, 0.15, 0.3)

    return room(series(rng, n, rng.uniform(0.4, 1.2), squeal, fill=(0.6, 0.95), uneven=0.35), rng, wet=0.2)


@sound("human", "Shout; Greeting", (0.7, 2.6),
       "a cheerful hello across the yard", "a neighbour hollers hello over the fence",
       "hello there, in a friendly sing-song")  # fmt: skip
def friendly_hello(rng: Rng, n: int) -> Signal:
    who, high = throat(rng), rng.uniform(1.2, 2.0)

    def hello(m: int, progress: float) -> Signal:
        rise = high * curve(m, (0, 0.8), (0.3, 0.9), (0.45, 1.25), (0.65, 1.2), (1, 0.85))
        voice = utter(rng, who, rise, "eeloou eloo") * curve(m, (0, 0), (0.12, 0.8), (0.4, 0.5), (0.5, 1), (1, 0))
        return voice + 0.1 * air(rng, m, who) * curve(m, (0, 0), (0.06, 1), (0.15, 0), (1, 0))

    return room(series(rng, n, rng.uniform(0.7, 1.3), hello, fill=(0.75, 0.95)), rng, t60_s=rng.uniform(0.2, 1))


@sound("human", "Run; Walk, footsteps", (1.0, 4.5),
       "someone runs down the stairs in slippers", "children scamper upstairs", "hurried feet on stairs")  # fmt: skip
def stairs_run(rng: Rng, n: int) -> Signal:
    tread, soft, period = rng.uniform(70, 230), rng.uniform(0.3, 1.2), rng.uniform(0.16, 0.32)
    feet = series(rng, n, period, lambda m, progress: knock(rng, tread, noise=soft), uneven=0.08)
    return room(feet, rng, t60_s=rng.uniform(0.3, 0.9), wet=0.2)
