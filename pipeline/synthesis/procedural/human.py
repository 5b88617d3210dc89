"""Human sounds: distress and the body."""

import numpy as np

from .dsp import (
    Signal,
    add,
    arch,
    band_noise,
    buzz,
    curve,
    decay,
    drift,
    formants,
    lowpass,
    moving_formant,
    room,
    samples,
    sine,
    unit,
)  # fmt: skip
from .kind import sound

Rng = np.random.Generator


# -- shared sources ------------------------------------------------------------------------------


def voiced(rng: Rng, n: int, pitch_hz: Signal, *bands: tuple[float, float, float], breath: float = 0.05) -> Signal:
    """A voice of a given pitch curve through fixed formants, with jitter and breath."""
    wobble = 1 + 0.02 * drift(rng, n, 12, -1, 1)
    source = buzz(pitch_hz * wobble, n) + breath * band_noise(rng, n, 500, 6000)
    return formants(source, *bands)


def cough_burst(rng: Rng, n: int, size: float = 1.0) -> Signal:
    """Explosive onset, noisy middle, short voiced tail."""
    blast = band_noise(rng, n, 350 / size, 4500) * curve(n, (0, 0), (0.02, 1), (0.25, 0.55), (0.6, 0.15), (1, 0))
    blast = blast + 0.9 * formants(blast, (600 / size, 150, 3), (1500 / size, 250, 3), (2700, 400, 2))
    pitch = rng.uniform(120, 220) / size * curve(n, (0, 1.2), (1, 0.8))
    voice = voiced(rng, n, pitch, (550, 150, 2), (1300, 200, 1.5), breath=0.3)
    return unit(blast) + 0.45 * unit(voice) * curve(n, (0, 0), (0.15, 0.6), (0.4, 1), (0.7, 0.25), (1, 0))


def inhale(rng: Rng, n: int, harsh: float = 0.0) -> Signal:
    """Noisy breath drawn in; `harsh` adds a strained, whistling voice."""
    air = band_noise(rng, n, 900, 5500) + 1.5 * band_noise(rng, n, 1500, 2200)
    strain = voiced(rng, n, curve(n, (0, 300), (1, 480)), (900, 120, 2), (2400, 200, 2), breath=0.5)
    return (unit(air) + harsh * unit(strain)) * arch(n, 0.5, 0.25)


def laugh_syllable(rng: Rng, pitch: float) -> Signal:
    n = samples(rng.uniform(0.13, 0.17))
    voice = voiced(
        rng, n, pitch * curve(n, (0, 1.08), (1, 0.9)), (800, 120, 3), (1250, 150, 2), (2700, 250, 1), breath=0.2
    )
    return (unit(voice) + 0.05 * band_noise(rng, n, 900, 5000)) * curve(
        n, (0, 0), (0.25, 1), (0.55, 0.8), (0.8, 0.1), (1, 0)
    )


def clap(rng: Rng) -> Signal:
    n, centre = samples(0.09), rng.uniform(900, 2300)
    return unit(band_noise(rng, n, centre * 0.6, centre * 1.8) * decay(n, rng.uniform(0.035, 0.08)))


# -- distress ------------------------------------------------------------------------------------


@sound("human", "Cough; Wheeze; Respiratory sounds", (2.5, 5.0),
       "a violent coughing fit that does not stop", "someone coughs hard again and again, struggling for air",
       "an uncontrolled series of deep hacking coughs", criterion="distress", counterpart="laughter")  # fmt: skip
def coughing_fit(rng: Rng, n: int) -> Signal:
    out, at, size = np.zeros(n), 0.0, rng.uniform(0.85, 1.2)
    end = n / 16_000
    while at < end - 0.75:
        for _ in range(rng.integers(2, 5)):
            length = rng.uniform(0.2, 0.34)
            if at + length > end - 0.05:
                break
            add(out, cough_burst(rng, samples(length), size), samples(at), rng.uniform(0.6, 1.0))
            at += length + rng.uniform(0.02, 0.08)
        if at + 0.35 < end:
            add(out, inhale(rng, samples(0.32), 0.5), samples(at), 0.35)
        at += rng.uniform(0.36, 0.5)
    return room(out, rng, t60_s=0.25, wet=0.15)


@sound("human", "Gasp; Wheeze; Respiratory sounds", (2.0, 4.5),
       "a person choking and gasping for breath", "choking gasps and gagging as someone cannot breathe",
       "strangled gulping and desperate gasps of a choking person",
       criterion="distress", counterpart="throat_clear")  # fmt: skip
def choking(rng: Rng, n: int) -> Signal:
    out, at, end = np.zeros(n), 0.0, n / 16_000
    while at < end - 0.5:
        gag = samples(rng.uniform(0.16, 0.28))
        creak = voiced(
            rng, gag, rng.uniform(45, 75) * drift(rng, gag, 25, 0.7, 1.3), (420, 90, 3), (1050, 140, 2), breath=0.4
        )
        add(out, unit(creak) * arch(gag, 0.15, 0.4), samples(at), rng.uniform(0.7, 1.0))
        at += gag / 16_000 + rng.uniform(0.03, 0.15)
        length = rng.uniform(0.3, 0.55)
        if rng.random() < 0.65 and at + length < end:
            add(out, inhale(rng, samples(length), 1.2), samples(at), 0.75)
            at += length + rng.uniform(0.05, 0.15)
    return out


@sound("human", "Screaming; Crying, sobbing; Groan", (0.9, 2.2),
       "a sharp cry of pain from a hurt person", "someone cries out in pain after an injury",
       "a hurt man yells in agony, then whimpers", criterion="distress", counterpart="laughter")  # fmt: skip
def pain_cry(rng: Rng, n: int) -> Signal:
    base = rng.uniform(190, 380)
    pitch = base * curve(n, (0, 0.9), (0.12, 1.7), (0.4, 1.5), (0.7, 1.0), (1, 0.65)) * drift(rng, n, 14, 0.95, 1.05)
    voice = voiced(rng, n, pitch, (850, 110, 3), (1350, 160, 2.5), (2800, 250, 1.5), (3700, 300, 1), breath=0.25)
    rough = 1 + 0.35 * np.sin(np.cumsum(drift(rng, n, 5, 50, 80)) * 2 * np.pi / 16_000)
    return room(unit(voice) * rough * curve(n, (0, 0), (0.05, 1), (0.5, 0.85), (0.75, 0.35), (1, 0)), rng, wet=0.15)


@sound("human", "Screaming; Shout", (0.9, 2.2),
       "a piercing scream of terror", "a woman screams loudly in panic", "a long shrill human scream nearby",
       criterion="distress", counterpart="whistling")  # fmt: skip
def scream(rng: Rng, n: int) -> Signal:
    pitch = (
        rng.uniform(650, 1050) * curve(n, (0, 0.7), (0.12, 1.0), (0.75, 1.05), (1, 0.7)) * drift(rng, n, 9, 0.96, 1.05)
    )
    voice = voiced(rng, n, pitch, (1150, 200, 3), (2100, 300, 2.5), (3400, 400, 2), breath=0.35)
    rough = 1 + 0.5 * np.sin(np.cumsum(drift(rng, n, 6, 60, 110)) * 2 * np.pi / 16_000)
    return room(unit(voice) * rough * arch(n, 0.08, 0.2), rng, wet=0.2)


@sound("human", "Wheeze; Breathing; Respiratory sounds", (2.5, 5.0),
       "laboured wheezing breath of an asthma attack", "someone wheezes with a tight whistling chest",
       "short strained wheezing breaths, barely getting air",
       criterion="distress", counterpart="calm_breathing")  # fmt: skip
def wheezing(rng: Rng, n: int) -> Signal:
    cycle = n / 16_000 / round(n / 16_000 / rng.uniform(0.95, 1.25))
    out = np.zeros(n)
    whistle = rng.uniform(420, 800)
    for start in np.arange(0, n / 16_000 - cycle / 2, cycle):
        add(out, inhale(rng, samples(cycle * 0.32), 0.5), samples(start), 0.7)
        m = samples(cycle * 0.55)
        tones = np.zeros(m)
        for ratio, level in ((1.0, 1.0), (1.49, 0.6), (2.02, 0.4)):
            tones += level * sine(whistle * ratio * drift(rng, m, 6, 0.95, 1.05), m)
        breath = unit(band_noise(rng, m, 500, 3500)) * 0.5
        add(out, (unit(tones) * 0.6 + breath) * arch(m, 0.15, 0.4), samples(start + cycle * 0.38), 0.9)
    return out


@sound("human", "Groan; Whimper; Crying, sobbing", (1.2, 2.8),
       "a low groan of pain from an injured person", "someone moans in severe pain",
       "an injured man groaning weakly in agony", criterion="distress", counterpart="yawn")  # fmt: skip
def pain_groan(rng: Rng, n: int) -> Signal:
    pitch = (
        rng.uniform(95, 150) * curve(n, (0, 1.0), (0.25, 1.35), (0.6, 1.05), (1, 0.75)) * drift(rng, n, 10, 0.94, 1.06)
    )
    voice = voiced(rng, n, pitch, (480, 90, 3), (950, 130, 2), (2300, 250, 0.8), breath=0.2)
    return unit(voice) * arch(n, 0.15, 0.5) * drift(rng, n, 7, 0.75, 1.0)


# -- body ----------------------------------------------------------------------------------------


@sound("human", "Cough", (0.35, 0.7),
       "a single short cough", "a man coughs once", "one dry cough in a quiet room")  # fmt: skip
def cough(rng: Rng, n: int) -> Signal:
    return cough_burst(rng, n, rng.uniform(0.8, 1.25))


@sound("human", "Throat clearing", (1.0, 2.5),
       "a man clears his throat briefly", "someone clearing their throat before speaking",
       "a soft ahem, throat being cleared")  # fmt: skip
def throat_clear(rng: Rng, n: int) -> Signal:
    out, half = np.zeros(n), n // 2
    for at, m in ((0, half), (int(n * 0.5), int(n * 0.48))):
        pitch = rng.uniform(85, 130) * drift(rng, m, 18, 0.75, 1.2)
        voice = voiced(rng, m, pitch, (520, 110, 3), (1150, 160, 2), (2500, 250, 1), breath=0.5)
        growl = 1 + 0.5 * np.sin(np.cumsum(drift(rng, m, 6, 22, 34)) * 2 * np.pi / 16_000)
        add(out, unit(voice) * growl * arch(m, 0.12, 0.45), at, rng.uniform(0.7, 1))
    return out


@sound("human", "Sneeze", (0.7, 1.3),
       "a person sneezes loudly", "a sudden achoo sneeze",
       "one strong sneeze with a short intake of breath")  # fmt: skip
def sneeze(rng: Rng, n: int) -> Signal:
    out, split = np.zeros(n), int(n * rng.uniform(0.38, 0.48))
    add(out, inhale(rng, split, 0.4), 0, 0.3)
    m = n - split
    voice = voiced(
        rng,
        m,
        rng.uniform(180, 340) * curve(m, (0, 1.3), (0.5, 0.8), (1, 0.6)),
        (700, 140, 2),
        (1700, 200, 1.5),
        breath=0.3,
    )
    spray = unit(band_noise(rng, m, 1800, 7000)) * curve(m, (0, 0), (0.06, 1), (0.35, 0.6), (0.7, 0.12), (1, 0))
    add(out, spray + 0.7 * unit(voice) * curve(m, (0, 0), (0.03, 1), (0.4, 0.4), (0.7, 0)), split)
    return room(out, rng, t60_s=0.3, wet=0.12)


@sound("human", "Hiccup", (0.35, 0.6),
       "a single hiccup", "one small sudden hiccup", "a person hiccups once")  # fmt: skip
def hiccup(rng: Rng, n: int) -> Signal:
    pitch = rng.uniform(200, 330) * curve(n, (0, 0.8), (0.4, 1.7), (1, 1.5))
    voice = voiced(rng, n, pitch, (600, 120, 3), (1500, 180, 2), breath=0.4)
    return unit(voice) * curve(n, (0, 0), (0.25, 0.8), (0.42, 1), (0.5, 0.06), (1, 0))


@sound("human", "Snoring", (1.8, 3.2),
       "a man snores deeply while asleep", "one long rattling snore",
       "heavy snoring of a sleeping person")  # fmt: skip
def snore(rng: Rng, n: int) -> Signal:
    split = int(n * 0.5)
    flutter = buzz(rng.uniform(28, 45) * drift(rng, split, 8, 0.85, 1.15), split, open_quotient=0.25)
    drawn = formants(flutter + 0.3 * band_noise(rng, split, 200, 2000), (250, 90, 3), (700, 140, 2), (1800, 300, 1))
    out = np.zeros(n)
    add(out, unit(drawn) * arch(split, 0.35, 0.2), 0)
    m = n - split - n // 10
    add(out, unit(band_noise(rng, m, 500, 3000)) * arch(m, 0.2, 0.6), split + n // 10, 0.3)
    return out


@sound("human", "Sigh; Breathing", (0.9, 1.8),
       "a long tired sigh", "someone sighs with relief", "a slow breath let out as a sigh")  # fmt: skip
def sigh(rng: Rng, n: int) -> Signal:
    air = band_noise(rng, n, 400, 2600) * curve(n, (0, 0), (0.2, 0.5), (0.35, 1), (0.7, 0.4), (1, 0))
    voice = voiced(
        rng, n, rng.uniform(120, 220) * curve(n, (0, 1.2), (1, 0.7)), (600, 120, 2), (1100, 150, 1), breath=0.4
    )
    return unit(formants(air, (700, 250, 2), (1500, 400, 1))) + 0.35 * unit(voice) * curve(
        n, (0, 0), (0.35, 1), (0.8, 0), (1, 0)
    )


@sound("human", "Breathing", (2.5, 5.0),
       "calm slow breathing of a resting person", "someone breathing quietly and evenly",
       "soft relaxed breaths in and out")  # fmt: skip
def calm_breathing(rng: Rng, n: int) -> Signal:
    cycle = n / 16_000 / max(1, round(n / 16_000 / rng.uniform(2.2, 2.5)))
    out = np.zeros(n)
    for start in np.arange(0, n / 16_000 - cycle / 2, cycle):
        inward, outward = samples(cycle * 0.35), samples(cycle * 0.42)
        add(out, unit(band_noise(rng, inward, 900, 4000)) * arch(inward, 0.5, 0.3), samples(start), 0.6)
        add(out, unit(band_noise(rng, outward, 400, 2500)) * arch(outward, 0.3, 0.6), samples(start + cycle * 0.43))
    return out


@sound("human", "Yawn; Sigh", (1.3, 2.8),
       "a sleepy person yawns widely", "a long relaxed yawn", "someone yawning after waking up")  # fmt: skip
def yawn(rng: Rng, n: int) -> Signal:
    pitch = rng.uniform(150, 260) * curve(n, (0, 1.0), (0.4, 1.25), (1, 0.6))
    source = buzz(pitch, n) * curve(n, (0, 0), (0.3, 0.15), (0.45, 1), (0.85, 0.5), (1, 0)) + 0.25 * band_noise(
        rng, n, 300, 4000
    )
    mouth = curve(n, (0, 350), (0.4, 850), (0.7, 700), (1, 350))
    return unit(moving_formant(source, mouth, 120) + 0.6 * moving_formant(source, mouth * 1.7, 160)) * arch(
        n, 0.3, 0.35
    )


@sound("human", "Baby cry, infant cry; Crying, sobbing", (1.8, 4.0),
       "a baby crying for attention", "an infant wails in its cot",
       "a newborn crying in repeated bursts")  # fmt: skip
def baby_cry(rng: Rng, n: int) -> Signal:
    out, at, base = np.zeros(n), 0.0, rng.uniform(380, 520)
    while (left := n / 16_000 - at) > 0.5:
        m = samples(min(rng.uniform(0.7, 1.0), left - 0.05))
        pitch = (
            base
            * curve(m, (0, 0.8), (0.2, 1.12), (0.7, 1.0), (1, 0.75))
            * (1 + 0.02 * np.sin(np.arange(m) * 2 * np.pi * 6 / 16_000))
        )
        voice = voiced(rng, m, pitch, (1050, 180, 3), (1900, 260, 1.5), (3500, 350, 1.5), breath=0.12)
        add(out, unit(voice) * arch(m, 0.12, 0.3), samples(at), rng.uniform(0.75, 1))
        at += m / 16_000 + rng.uniform(0.08, 0.25)
    return room(out, rng, t60_s=0.3, wet=0.12)


@sound("human", "Laughter; Giggle", (1.0, 4.0),
       "a person laughs heartily", "cheerful laughter, ha ha ha", "someone bursts out laughing")  # fmt: skip
def laughter(rng: Rng, n: int) -> Signal:
    pitch = rng.uniform(170, 360)
    count = max(3, int(n / 16_000 / 0.2))
    out, period = np.zeros(n), (n / 16_000 - 0.17) / count
    for i in range(count):
        fall = 1.15 - 0.4 * i / count
        add(out, laugh_syllable(rng, pitch * fall), samples(i * period), 1 - 0.5 * i / count)
    return room(out, rng, t60_s=0.3, wet=0.15)


@sound("human", "Whistling", (1.0, 2.5),
       "someone whistles a short cheerful tune", "a person whistling a melody",
       "a clear human whistle, a few notes")  # fmt: skip
def whistling(rng: Rng, n: int) -> Signal:
    notes = rng.choice([0, 2, 4, 5, 7, 9, 12], rng.integers(4, 8))
    pitch = 900 * rng.uniform(0.9, 1.3) * 2 ** (np.repeat(notes, -(-n // len(notes)))[:n] / 12)
    glide = lowpass(np.concatenate([np.full(400, pitch[0]), pitch]), 20)[400:]
    gate = arch(-(-n // len(notes)), 0.15, 0.3)
    tone = np.sin(2 * np.pi * np.cumsum(glide * (1 + 0.006 * np.sin(np.arange(n) * 2 * np.pi * 5.5 / 16_000))) / 16_000)
    return (tone + 0.08 * band_noise(rng, n, 1000, 4000)) * np.tile(gate, len(notes))[:n]


@sound("human", "Clapping; Hands", (0.2, 0.35),
       "a single hand clap", "one loud clap of the hands", "someone claps once")  # fmt: skip
def hand_clap(rng: Rng, n: int) -> Signal:
    out = np.zeros(n)
    add(out, clap(rng), 0)
    return room(out, rng, t60_s=0.12, wet=0.3) * curve(n, (0, 1), (0.6, 1), (1, 0))


@sound("human", "Finger snapping; Hands", (0.2, 0.3),
       "a finger snap", "someone snaps their fingers once", "one crisp snap of two fingers")  # fmt: skip
def finger_snap(rng: Rng, n: int) -> Signal:
    return formants(band_noise(rng, n, 1000, 6000), (rng.uniform(1900, 3000), 250, 3), (4200, 600, 1)) * decay(n, 0.06)
