"""Music: single instruments playing short, made-up phrases."""

from collections.abc import Callable

import numpy as np

from .dsp import (
    Signal,
    add,
    arch,
    band_noise,
    curve,
    decay,
    drift,
    formants,
    harmonic,
    highpass,
    lowpass,
    modes,
    rolloff,
    room,
    samples,
    sine,
    unit,
)  # fmt: skip
from .kind import sound

Rng = np.random.Generator

SCALES = ((0, 2, 4, 7, 9), (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10))
PROGRESSIONS = ((0, 5, 3, 4), (0, 3, 4, 0), (0, 4, 5, 3), (5, 3, 0, 4))


def hertz(midi: float) -> float:
    return 440.0 * 2 ** ((midi - 69) / 12)


def melody(rng: Rng, n: int, tonic: int, beat_s: float, *, leave_s: float = 0.5) -> list[tuple[float, float, float]]:
    """A wandering tune: (start, length in seconds, frequency) of each note; ends on the tonic."""
    scale = SCALES[rng.integers(0, len(SCALES))]
    ladder = [tonic + 12 * octave + step for octave in (0, 1) for step in scale]
    notes, at, place = [], 0.05, len(scale) // 2
    end = max(beat_s, n / 16_000 - leave_s)
    while at < end:
        length = beat_s * float(rng.choice([0.5, 1, 1, 1.5, 2]))
        place = int(np.clip(place + rng.integers(-2, 3), 0, len(ladder) - 1))
        notes.append((at, length, hertz(ladder[place])))
        at += length
    notes[-1] = (notes[-1][0], notes[-1][1], hertz(tonic + 12))
    return notes


def play(rng: Rng, n: int, notes: list[tuple[float, float, float]], voice: Callable[[float, float], Signal]) -> Signal:
    out = np.zeros(n)
    for start, length, frequency in notes:
        add(out, voice(frequency, length), samples(start), rng.uniform(0.7, 1.0))
    return out * curve(n, (0, 1), (0.92, 1), (1, 0)) ** 2


def pluck(rng: Rng, frequency_hz: float, seconds: float, *, bright: float = 0.5, position: float = 0.2) -> Signal:
    """A plucked string as decaying harmonics: comb of the plucking point, high partials dying first."""
    k = np.arange(1, int(min(40, 7400 / frequency_hz)) + 1)
    amplitude = np.abs(np.sin(np.pi * k * position)) / k ** (1.6 - bright)
    stiff = frequency_hz * k * np.sqrt(1 + 0.0002 * k**2)
    n = samples(seconds)
    return modes(n, stiff * rng.uniform(0.9995, 1.0005), seconds * 1.1 / (1 + 0.12 * k), amplitude) * np.minimum(
        1, np.arange(n)[::-1] / 200
    )


@sound("music", "Piano; Music; Keyboard (musical)", (4.0, 30.0),
       "a calm piano melody", "someone plays a short tune on the piano", "gentle solo piano music", kind="music",
       sustained=True)  # fmt: skip
def piano_melody(rng: Rng, n: int) -> Signal:
    def note(f: float, length: float) -> Signal:
        k = np.arange(1, int(min(16, 7400 / f)) + 1)
        m = samples(length + 0.9)
        tone = modes(m, f * k * np.sqrt(1 + 0.0004 * k**2), (length + 1.1) / (1 + 0.22 * k), 1 / k**1.3)
        hammer = lowpass(rng.standard_normal(samples(0.03)), 1200) * decay(samples(0.03), 0.03)
        tone[: len(hammer)] += 0.05 * hammer
        return tone * np.minimum(1, np.arange(m)[::-1] / samples(0.15))

    tonic, beat = int(rng.integers(52, 60)), rng.uniform(0.36, 0.6)
    tune = melody(rng, n, tonic, beat)
    bass = [
        (i * beat * 4, beat * 4, hertz(tonic - 12 + d))
        for i, d in enumerate(np.resize((0, 7, 9, 5), int(n / 16_000 / beat / 4) + 1))
    ]
    return room(play(rng, n, tune, note) + 0.6 * play(rng, n, bass, note), rng, t60_s=0.7, wet=0.12)


@sound("music", "Acoustic guitar; Plucked string instrument; Guitar", (4.0, 30.0),
       "an acoustic guitar being plucked", "fingerpicked guitar music", "someone picks arpeggios on a guitar",
       kind="music", sustained=True)  # fmt: skip
def guitar_plucked(rng: Rng, n: int) -> Signal:
    tonic, beat = int(rng.integers(45, 52)), rng.uniform(0.2, 0.3)
    chords = PROGRESSIONS[rng.integers(0, len(PROGRESSIONS))]
    scale, pattern = SCALES[1], (0, 2, 4, 7, 4, 2, 9, 4)
    notes = []
    for i in range(int(n / 16_000 / beat)):
        degree = chords[i // 8 % 4] + pattern[i % 8]
        notes.append((i * beat, 1.1, hertz(tonic + scale[degree % 7] + 12 * (degree // 7))))
    strings = play(rng, n, notes, lambda f, s: pluck(rng, f, s))
    return unit(strings) + 0.4 * unit(formants(strings, (110, 40, 2), (220, 60, 1)))


@sound("music", "Glockenspiel; Music; Chime", (4.0, 30.0),
       "a music box plays a lullaby", "the tinkling melody of a music box", "a wind-up toy music box", kind="music",
       sustained=True)  # fmt: skip
def music_box(rng: Rng, n: int) -> Signal:
    def tine(f: float, _: float) -> Signal:
        return modes(samples(1.3), f * np.array([1, 2.0, 5.4, 8.9]), [1.3, 0.7, 0.15, 0.08], [1, 0.2, 0.25, 0.1])

    return play(rng, n, melody(rng, n, int(rng.integers(74, 80)), rng.uniform(0.28, 0.4)), tine)


@sound("music", "Drum kit; Drum; Percussion", (4.0, 30.0),
       "a drum beat", "a drummer plays a steady rock rhythm", "drum loop with kick, snare and hi-hat", kind="music",
       sustained=True)  # fmt: skip
def drum_loop(rng: Rng, n: int) -> Signal:
    def kick() -> Signal:
        m = samples(0.28)
        return sine(curve(m, (0, 150), (0.12, 70), (1, 48)), m) * decay(m, 0.28)

    def snare() -> Signal:
        m = samples(0.22)
        return 0.7 * unit(highpass(rng.standard_normal(m), 1200)) * decay(m, 0.2) + modes(
            m, [185, 330], [0.12, 0.1], [0.6, 0.4]
        )

    def hat() -> Signal:
        m = samples(0.07)
        return unit(highpass(rng.standard_normal(m), 5000)) * decay(m, 0.06)

    out, beat = np.zeros(n), 60 / rng.uniform(88, 132)
    for i in range(int(n / 16_000 / beat * 2)):
        at, place = samples(0.05 + i * beat / 2), i % 8
        add(out, hat(), at, rng.uniform(0.15, 0.3))
        if place in (0, 4) or (place in (3, 5, 7) and rng.random() < 0.25):
            add(out, kick(), at, 1.0)
        if place in (2, 6):
            add(out, snare(), at, 0.75)
    return out


@sound("music", "Flute; Wind instrument, woodwind instrument; Music", (4.0, 30.0),
       "a flute playing a melody", "soft solo flute music", "someone plays a tune on a wooden flute", kind="music",
       sustained=True)  # fmt: skip
def flute_melody(rng: Rng, n: int) -> Signal:
    def note(f: float, length: float) -> Signal:
        m = samples(length * 0.96)
        vibrato = 1 + 0.005 * np.sin(2 * np.pi * 5.2 * np.arange(m) / 16_000) * curve(m, (0, 0), (0.3, 1), (1, 1))
        tone = harmonic(f * vibrato, m, (1, 0.45, 0.2, 0.08, 0.03)) + 0.06 * band_noise(rng, m, f, 5000)
        return tone * arch(m, min(0.3, 0.06 / length), min(0.3, 0.08 / length))

    return room(
        play(rng, n, melody(rng, n, int(rng.integers(67, 74)), rng.uniform(0.4, 0.6)), note), rng, t60_s=0.9, wet=0.15
    )


@sound("music", "Organ; Music; Keyboard (musical)", (4.0, 30.0),
       "a church organ plays slow chords", "sustained pipe organ chord", "solemn organ music", kind="music",
       sustained=True)  # fmt: skip
def organ_chord(rng: Rng, n: int) -> Signal:
    out, tonic, length = np.zeros(n), int(rng.integers(48, 56)), rng.uniform(2.0, 3.0)
    degrees = PROGRESSIONS[rng.integers(0, len(PROGRESSIONS))]
    for i in range(int(np.ceil(n / 16_000 / length))):
        m = min(samples(length * 1.04), n - samples(i * length))
        chord = np.zeros(max(m, 0))
        for third in (-7, 0, 2, 4):
            degree = degrees[i % 4] + third
            f = hertz(tonic + SCALES[1][degree % 7] + 12 * (degree // 7))
            chord += harmonic(f, len(chord), (1, 0.8, 0.2, 0.5, 0, 0.2, 0, 0.3))
        add(out, chord * arch(len(chord), 0.03, 0.05), samples(i * length))
    return room(out, rng, t60_s=1.4, wet=0.3) * curve(n, (0, 1), (0.96, 1), (1, 0))


@sound("music", "Bass guitar; Plucked string instrument; Music", (4.0, 30.0),
       "a bass guitar line", "someone plays a groovy bass riff", "low electric bass notes in rhythm", kind="music",
       sustained=True)  # fmt: skip
def bass_line(rng: Rng, n: int) -> Signal:
    tonic, beat = int(rng.integers(28, 36)), 60 / rng.uniform(90, 125) / 2
    riff = rng.choice([0, 0, 3, 5, 7, 10, 12], 8)
    rests = rng.random(8) < 0.25
    notes = [
        (0.05 + i * beat, beat * 0.95, hertz(tonic + int(riff[i % 8])))
        for i in range(int(n / 16_000 / beat))
        if not rests[i % 8] or i % 8 == 0
    ]
    return lowpass(play(rng, n, notes, lambda f, s: pluck(rng, f, s, bright=0.7, position=0.3)), 1800)


@sound("music", "Violin, fiddle; Bowed string instrument; Music", (4.0, 30.0),
       "a violin plays a slow melody", "a solo fiddle tune", "someone bows long notes on a violin", kind="music",
       sustained=True)  # fmt: skip
def violin_melody(rng: Rng, n: int) -> Signal:
    def note(f: float, length: float) -> Signal:
        m = samples(length)
        vibrato = 1 + 0.009 * np.sin(2 * np.pi * 5.8 * np.arange(m) / 16_000) * curve(m, (0, 0), (0.25, 1), (1, 1))
        return harmonic(f * vibrato, m, rolloff(24, 0.9)) * arch(m, min(0.3, 0.08 / length), min(0.3, 0.08 / length))

    bowed = play(rng, n, melody(rng, n, int(rng.integers(60, 67)), rng.uniform(0.5, 0.75)), note)
    body = formants(bowed, (450, 150, 2), (1000, 250, 2), (2700, 500, 2))
    return room(unit(body) + 0.2 * unit(bowed), rng, t60_s=0.9, wet=0.12)


@sound("music", "Marimba, xylophone; Percussion; Music", (4.0, 30.0),
       "a marimba playing a tune", "warm wooden xylophone notes", "someone plays a lively marimba pattern",
       kind="music", sustained=True)  # fmt: skip
def marimba(rng: Rng, n: int) -> Signal:
    def bar(f: float, _: float) -> Signal:
        return modes(samples(0.6), f * np.array([1, 3.93, 9.2]), [0.6, 0.2, 0.08], [1, 0.3, 0.15])

    return play(rng, n, melody(rng, n, int(rng.integers(55, 62)), rng.uniform(0.22, 0.3)), bar)


@sound("music", "Synthesizer; Electronic music; Music", (4.0, 30.0),
       "a soft synthesizer pad", "slow ambient electronic chords", "dreamy background synth music", kind="music",
       sustained=True)  # fmt: skip
def synth_pad(rng: Rng, n: int) -> Signal:
    tonic, length = int(rng.integers(45, 55)), 4.0
    out = np.zeros(n)
    for i, degree in enumerate(np.resize(PROGRESSIONS[rng.integers(0, 4)], int(np.ceil(n / 16_000 / length)))):
        m = min(samples(length * 1.15), n - samples(i * length))
        for third in (0, 2, 4, 7):
            f = hertz(tonic + SCALES[1][(degree + third) % 7] + 12 * ((degree + third) // 7))
            for detune in (0.996, 1.004):
                add(out, harmonic(f * detune, m, rolloff(12, 1.2)) * arch(m, 0.2, 0.25), samples(i * length), 0.3)
    return lowpass(out, 2500) * drift(rng, n, 0.3, 0.8, 1)
