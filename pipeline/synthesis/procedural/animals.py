"""Animals: pets, farm, birds, insects."""

import numpy as np

from .dsp import (
    Signal,
    add,
    arch,
    band_noise,
    buzz,
    coloured_noise,
    curve,
    drift,
    formants,
    harmonic,
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
    unit,
)  # fmt: skip
from .human import voiced
from .kind import sound

Rng = np.random.Generator


# -- animals -------------------------------------------------------------------------------------


@sound("nature", "Dog; Bark; Domestic animals, pets", (0.35, 0.6),
       "a dog barks once", "a single sharp bark", "one woof from a guard dog")  # fmt: skip
def dog_bark(rng: Rng, n: int) -> Signal:
    size = rng.uniform(0.7, 1.5)
    pitch = 420 / size * curve(n, (0, 0.7), (0.25, 1.25), (0.6, 1.0), (1, 0.5)) * drift(rng, n, 40, 0.94, 1.06)
    voice = voiced(rng, n, pitch, (800 / size, 180, 3), (1500 / size, 260, 2.5), (3000, 500, 1), breath=0.5)
    return np.tanh(2 * unit(voice)) * curve(n, (0, 0), (0.1, 0.9), (0.3, 1), (0.55, 0.45), (0.75, 0.1), (1, 0))


@sound("nature", "Cat; Meow; Domestic animals, pets", (0.6, 1.2),
       "a cat meows", "one plaintive meow of a cat", "a kitten mews for food")  # fmt: skip
def cat_meow(rng: Rng, n: int) -> Signal:
    pitch = (
        rng.uniform(480, 700) * curve(n, (0, 0.8), (0.35, 1.2), (0.7, 1.05), (1, 0.75)) * drift(rng, n, 8, 0.98, 1.02)
    )
    source = buzz(pitch, n) + 0.08 * band_noise(rng, n, 1000, 6000)
    mouth = curve(n, (0, 500), (0.35, 1300), (0.7, 1000), (1, 550))
    return (
        unit(moving_formant(source, mouth, 160)) + 0.7 * unit(moving_formant(source, mouth * 1.9 + 400, 250))
    ) * arch(n, 0.15, 0.4)


@sound("nature", "Cat; Purr", (3.0, 20.0),
       "a cat purring", "the contented purr of a cat", "soft rhythmic purring close up", sustained=True)  # fmt: skip
def cat_purr(rng: Rng, n: int) -> Signal:
    beat = buzz(rng.uniform(23, 28) * drift(rng, n, 3, 0.97, 1.03), n, open_quotient=0.3)
    rumble = formants(beat + 0.3 * band_noise(rng, n, 80, 900), (140, 60, 3), (320, 100, 2), (700, 200, 0.7))
    breath = 0.55 + 0.45 * np.sin(2 * np.pi * np.arange(n) / 16_000 / rng.uniform(1.3, 1.8))
    return unit(rumble) * breath


@sound("nature", "Crowing, cock-a-doodle-doo; Chicken, rooster; Fowl", (1.6, 2.6),
       "a rooster crows", "cock-a-doodle-doo from a farmyard rooster", "a cockerel crowing at dawn")  # fmt: skip
def rooster(rng: Rng, n: int) -> Signal:
    base = rng.uniform(520, 700)
    pitch = base * curve(
        n, (0, 0.85), (0.1, 1.1), (0.14, 0.9), (0.28, 1.3), (0.34, 1.1), (0.5, 1.65), (0.75, 1.5), (1, 0.85)
    )
    gate = curve(
        n,
        (0, 0),
        (0.03, 1),
        (0.1, 0.8),
        (0.125, 0.05),
        (0.15, 1),
        (0.27, 0.9),
        (0.3, 0.05),
        (0.34, 1),
        (0.8, 0.8),
        (1, 0),
    )
    voice = voiced(rng, n, pitch, (1100, 250, 2), (2200, 350, 3), (3600, 500, 1.5), breath=0.2)
    return np.tanh(1.5 * unit(voice)) * gate


@sound("nature", "Owl; Hoot; Bird", (1.4, 2.6),
       "an owl hoots in the night", "a tawny owl calls hoo-hoo", "soft hooting of an owl")  # fmt: skip
def owl(rng: Rng, n: int) -> Signal:
    out, f = np.zeros(n), rng.uniform(340, 460)
    for at, length in ((0.0, 0.22), (0.38, 0.12), (0.56, 0.42)):
        m = int(n * length)
        hoot = harmonic(
            f
            * curve(m, (0, 0.92), (0.3, 1.03), (1, 0.95))
            * (1 + 0.012 * np.sin(np.arange(m) * 2 * np.pi * 9 / 16_000)),
            m,
            (1, 0.18, 0.06),
        )
        add(out, (hoot + 0.03 * band_noise(rng, m, 300, 1500)) * arch(m, 0.2, 0.35), int(n * at))
    return room(out, rng, t60_s=0.7, wet=0.2) * curve(n, (0, 1), (0.96, 1), (1, 0))


@sound("nature", "Bird; Bird vocalization, bird call, bird song; Chirp, tweet", (2.0, 30.0),
       "birds chirping in the trees", "songbirds sing in a garden", "morning birdsong, lively tweets",
       sustained=True)  # fmt: skip
def birds_chirp(rng: Rng, n: int) -> Signal:
    out, at = np.zeros(n), 0.05
    while at < n / 16_000 - 0.3:
        base, bend = rng.uniform(2600, 5200), rng.uniform(-0.3, 0.35)
        level = rng.uniform(0.25, 1)
        for _ in range(rng.integers(2, 7)):
            m = samples(rng.uniform(0.05, 0.13))
            trill = (
                1
                + bend * curve(m, (0, 0), (0.6, 1), (1, 0.4))
                + 0.04 * np.sin(np.arange(m) * 2 * np.pi * rng.uniform(25, 60) / 16_000)
            )
            add(out, sine(np.minimum(base * trill, 7400), m) * arch(m, 0.3, 0.4), samples(at), level)
            at += m / 16_000 + rng.uniform(0.02, 0.08)
        at += rng.uniform(0.05, 0.5)
    return room(out, rng, t60_s=0.4, wet=0.15) + 0.004 * coloured_noise(rng, n, 1)


@sound("nature", "Cricket; Insect; Chirp, tweet", (4.0, 60.0),
       "crickets chirping at night", "a chorus of crickets in the grass", "insects trill on a summer evening",
       sustained=True)  # fmt: skip
def crickets(rng: Rng, n: int) -> Signal:
    out, t = 0.01 * coloured_noise(rng, n, 1), np.arange(n) / 16_000
    for level in (1.0, 0.5, 0.3):
        period, pulse = rng.uniform(0.45, 0.8), rng.uniform(26, 34)
        chirp = ((t + rng.uniform(0, 1)) % period < period * 0.5) * np.maximum(0, np.sin(2 * np.pi * pulse * t))
        out += level * sine(rng.uniform(4000, 5200), n) * lowpass(chirp, 120)
    return out


@sound("nature", "Frog; Croak", (2.0, 30.0),
       "frogs croaking at a pond", "a chorus of croaking frogs", "ribbit, ribbit from the marsh",
       sustained=True)  # fmt: skip
def frogs(rng: Rng, n: int) -> Signal:
    out = 0.01 * coloured_noise(rng, n, 1)
    for _ in range(3):
        rate, f, at = rng.uniform(35, 70), rng.uniform(500, 1100), rng.uniform(0, 0.3)
        while at < n / 16_000 - 0.35:
            m = samples(rng.uniform(0.2, 0.32))
            pulse = buzz(rate * curve(m, (0, 0.8), (1, 1.2)), m, open_quotient=0.2)
            add(
                out,
                unit(formants(pulse, (f, 120, 3), (f * 2.2, 250, 1.5))) * arch(m, 0.3, 0.25),
                samples(at),
                rng.uniform(0.4, 1),
            )
            at += rng.uniform(0.45, 1.3)
    return out


@sound("nature", "Crow; Caw; Bird", (0.35, 0.7),
       "a crow caws once", "one harsh caw of a crow", "a single cawing black bird")  # fmt: skip
def crow(rng: Rng, n: int) -> Signal:
    pitch = rng.uniform(280, 360) * curve(n, (0, 0.9), (0.3, 1.1), (1, 0.85)) * drift(rng, n, 60, 0.85, 1.15)
    voice = voiced(rng, n, pitch, (1150, 200, 3), (1700, 250, 2.5), (3100, 400, 1), breath=0.7)
    return np.tanh(2 * unit(voice)) * arch(n, 0.12, 0.35)


@sound("nature", "Cattle, bovinae; Moo", (1.2, 2.4),
       "a cow moos", "one long moo from a cow", "cattle lowing on a farm")  # fmt: skip
def cow_moo(rng: Rng, n: int) -> Signal:
    pitch = rng.uniform(105, 150) * curve(n, (0, 0.8), (0.3, 1.15), (0.75, 1.1), (1, 0.8))
    source = buzz(pitch * drift(rng, n, 12, 0.98, 1.02), n) + 0.1 * band_noise(rng, n, 300, 3000)
    mouth = curve(n, (0, 260), (0.35, 620), (0.8, 560), (1, 300))
    return (unit(moving_formant(source, mouth, 90)) + 0.5 * unit(moving_formant(source, mouth * 2 + 200, 150))) * arch(
        n, 0.2, 0.3
    )


@sound("nature", "Sheep; Bleat", (0.7, 1.4),
       "a sheep bleats", "one trembling baa of a sheep", "a lamb bleating in the meadow")  # fmt: skip
def sheep_bleat(rng: Rng, n: int) -> Signal:
    shake = np.sin(2 * np.pi * rng.uniform(7, 10) * np.arange(n) / 16_000)
    pitch = rng.uniform(210, 340) * curve(n, (0, 0.9), (0.2, 1.05), (1, 0.9)) * (1 + 0.05 * shake)
    voice = voiced(rng, n, pitch, (750, 120, 3), (1550, 180, 2.5), (2600, 250, 1.5), breath=0.25)
    return unit(voice) * (0.65 + 0.35 * shake) * arch(n, 0.1, 0.3)


@sound("nature", "Duck; Quack; Fowl", (0.35, 0.6),
       "a duck quacks once", "one nasal quack", "a single duck call by the pond")  # fmt: skip
def duck_quack(rng: Rng, n: int) -> Signal:
    pitch = rng.uniform(210, 300) * curve(n, (0, 1.15), (1, 0.8))
    voice = voiced(rng, n, pitch, (1050, 110, 3), (1850, 150, 3), (2900, 250, 2), breath=0.25)
    return np.tanh(2 * unit(voice)) * curve(n, (0, 0), (0.1, 1), (0.6, 0.6), (1, 0))


@sound("nature", "Horse; Clip-clop", (2.0, 6.0),
       "a horse walks on cobblestones, clip-clop", "horse hooves on the road",
       "the clopping of a trotting horse")  # fmt: skip
def horse_hooves(rng: Rng, n: int) -> Signal:
    base, period = rng.uniform(550, 750), rng.uniform(0.42, 0.56)
    starts = [s + o for s in np.arange(0.02, n / 16_000 - 0.5, period) for o in (0.0, period * 0.42)]
    return room(
        repeat(
            rng,
            n,
            starts,
            lambda: strike(rng, samples(0.1), base * rng.uniform(0.9, 1.15), (1, 2.0, 3.1), 0.06, noise=0.8),
        ),
        rng,
        t60_s=0.3,
        wet=0.2,
    )


@sound("nature", "Bee, wasp, etc.; Insect; Buzz", (1.5, 6.0),
       "a bee buzzes past", "an insect buzzing around a flower", "the drone of a bumblebee flying by")  # fmt: skip
def bee_buzz(rng: Rng, n: int) -> Signal:
    pitch = rng.uniform(180, 250) * drift(rng, n, 3, 0.85, 1.15) * drift(rng, n, 20, 0.985, 1.015)
    return unit(harmonic(pitch, n, rolloff(20, 0.7))) * drift(rng, n, 1.5, 0.15, 1) * arch(n, 0.15, 0.2)


@sound("nature", "Pigeon, dove; Coo; Bird", (1.2, 2.2),
       "a pigeon coos", "soft cooing of a dove", "one rolling coo from a wood pigeon")  # fmt: skip
def pigeon_coo(rng: Rng, n: int) -> Signal:
    out, f = np.zeros(n), rng.uniform(380, 480)
    for at, length in ((0.0, 0.25), (0.3, 0.4), (0.75, 0.22)):
        m = int(n * length)
        roll = 0.65 + 0.35 * np.sin(2 * np.pi * 24 * np.arange(m) / 16_000)
        add(
            out,
            harmonic(f * curve(m, (0, 0.9), (0.4, 1.08), (1, 0.92)), m, (1, 0.25, 0.1)) * roll * arch(m, 0.25, 0.35),
            int(n * at),
        )
    return out


@sound("nature", "Wind chime; Chime; Jingle, tinkle", (2.5, 20.0),
       "wind chimes tinkling", "metal chimes sway in the breeze", "gentle ringing of a wind chime",
       sustained=True)  # fmt: skip
def wind_chimes(rng: Rng, n: int) -> Signal:
    scale = rng.uniform(900, 1200) * 2 ** (np.array([0, 2, 4, 7, 9, 12]) / 12)

    def chime() -> Signal:
        m = samples(1.6)
        return modes(m, rng.choice(scale) * np.array([1, 2.76, 5.4]), [1.6, 0.9, 0.4], [1, 0.35, 0.12])

    return scatter(rng, n, rng.uniform(2.0, 3.5), chime, spread_db=14)
