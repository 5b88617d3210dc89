"""Nature: hazards, weather, water, fire."""

import numpy as np

from .dsp import (
    Signal,
    add,
    add_around,
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
    moving_formant,
    rolloff,
    room,
    samples,
    scatter,
    sine,
    strike,
    unit,
)  # fmt: skip
from .home import GLASS, bubble
from .kind import sound

Rng = np.random.Generator


def snap(rng: Rng, low_hz: float = 800, t60_s: float = 0.03) -> Signal:
    """A dry crack."""
    n = samples(t60_s * 1.5)
    return unit(highpass(rng.standard_normal(n), low_hz) * decay(n, t60_s, attack_s=0.0003))


# -- hazards -------------------------------------------------------------------------------------


@sound("nature", "Glass; Shatter; Breaking; Smash, crash", (0.9, 1.8),
       "a window pane shatters", "glass breaks and shards scatter on the floor",
       "a bottle smashes to pieces on tiles", criterion="hazard", counterpart="glass_set_down")  # fmt: skip
def glass_breaking(rng: Rng, n: int) -> Signal:
    out = unit(highpass(rng.standard_normal(n), 1800)) * decay(n, 0.25) * 0.9
    add(out, strike(rng, n, rng.uniform(500, 900), GLASS, 0.2, noise=1.5, noise_hz=7000), 0, 0.8)
    delays = np.minimum(rng.exponential(n / 16_000 * 0.18, 60), n / 16_000 * 0.8)
    for start in delays:
        shard = strike(rng, samples(0.3), rng.uniform(2200, 5000), GLASS, rng.uniform(0.06, 0.28), noise=0.2)
        add(out, shard, samples(0.02 + start), rng.uniform(0.08, 0.5) * np.exp(-1.2 * start))
    return room(out, rng, t60_s=0.3, wet=0.1) * curve(n, (0, 1), (0.8, 0.8), (1, 0))


@sound("nature", "Crack; Breaking", (1.2, 3.0),
       "lake ice cracks under weight", "a frozen surface splits with sharp cracks", "thin ice breaking underfoot",
       criterion="hazard", counterpart="footsteps_gravel")  # fmt: skip
def ice_cracking(rng: Rng, n: int) -> Signal:
    out = np.zeros(n)
    for start in np.sort(rng.uniform(0, n / 16_000 * 0.7, rng.integers(4, 8))):
        m = samples(0.5)
        f = rng.uniform(1800, 3500) * np.exp(-np.linspace(0, 2.6, m))  # dispersive plate: the high part comes first
        ping = sine(f, m) * decay(m, 0.35)
        add(out, unit(ping) + 1.2 * np.pad(snap(rng, 1500, 0.04), (0, m))[:m], samples(start), rng.uniform(0.3, 1))
    crunch = scatter(rng, n, 60, lambda: snap(rng, 1500, 0.01), spread_db=22)
    return out + 0.5 * crunch * curve(n, (0, 1), (0.6, 0.5), (1, 0))


@sound("nature", "Crack; Splinter; Wood", (1.5, 3.5),
       "a tree cracks and comes down", "wood splinters as a big branch breaks off",
       "a falling tree creaks, snaps and crashes", criterion="hazard", counterpart="chopping")  # fmt: skip
def tree_cracking(rng: Rng, n: int) -> Signal:
    early = curve(n, (0, 0.15), (0.45, 1), (0.55, 0.25), (1, 0))
    splinter = scatter(
        rng, n, 70, lambda: snap(rng, rng.uniform(300, 900), rng.uniform(0.02, 0.07)), kinds=24, spread_db=18
    )
    creak = formants(buzz(drift(rng, n, 5, 18, 60), n, open_quotient=0.15), (450, 80, 2), (900, 120, 2), (1700, 200, 1))
    out = splinter * early + 0.5 * unit(creak) * curve(n, (0, 0.4), (0.4, 1), (0.5, 0), (1, 0))
    thud = strike(rng, n, rng.uniform(45, 60), (1, 1.6, 2.7, 4.1), 0.9, noise=1.2, noise_hz=500)
    leaves = unit(band_noise(rng, n, 1200, 7000)) * curve(n, (0, 0), (0.55, 0.1), (0.68, 0.5), (1, 0))
    add(out, thud, int(n * 0.62), 0.9)
    return out + leaves


@sound("nature", "Rumble; Smash, crash; Roll", (2.5, 6.0),
       "rocks tumble down a slope", "a rockfall, boulders crashing and rumbling",
       "stones and debris slide down a cliff", criterion="hazard", counterpart="footsteps_gravel")  # fmt: skip
def rockfall(rng: Rng, n: int) -> Signal:
    surge = curve(n, (0, 0.1), (0.35, 1), (0.65, 0.8), (1, 0))

    def rock() -> Signal:
        m = samples(0.25)
        return strike(
            rng, m, rng.uniform(110, 700), (1, 1.7, 2.9, 4.3), rng.uniform(0.05, 0.14), noise=1.5, noise_hz=3000
        )

    rumble = unit(lowpass(coloured_noise(rng, n, 2, low_hz=40), 300)) * drift(rng, n, 7, 0.4, 1)
    return (
        room(0.9 * rumble + 0.6 * scatter(rng, n, 26, rock, kinds=30, spread_db=14), rng, t60_s=0.6, wet=0.15) * surge
    )


@sound("nature", "Civil defense siren; Siren; Alarm", (5.0, 12.0),
       "a storm warning siren wails over the town", "a tornado siren slowly rises and holds",
       "an outdoor civil defence siren sounds", criterion="hazard", counterpart="wind")  # fmt: skip
def storm_siren(rng: Rng, n: int) -> Signal:
    top = rng.uniform(430, 520)
    pitch = top * curve(n, (0, 0.35), (0.3, 0.95), (0.4, 1), (0.8, 1), (1, 0.6))
    tone = harmonic(pitch, n, rolloff(12, 0.8)) + 0.6 * harmonic(pitch * 1.2, n, rolloff(10, 0.9))
    return (
        room(unit(tone), rng, t60_s=1.6, wet=0.5)
        * curve(n, (0, 0), (0.15, 0.8), (0.8, 1), (1, 0))
        * drift(rng, n, 0.6, 0.75, 1)
    )


@sound("nature", "Thunder; Thunderstorm", (3.0, 7.0),
       "a violent thunderclap right overhead", "lightning strikes close by with a deafening crack",
       "a sharp crack of close thunder, then rolling rumble",
       criterion="hazard", counterpart="thunder_distant")  # fmt: skip
def thunder_close(rng: Rng, n: int) -> Signal:
    rumble = (
        unit(lowpass(coloured_noise(rng, n, 2, low_hz=35), 220))
        * drift(rng, n, 3, 0.4, 1)
        * curve(n, (0, 1), (0.3, 0.7), (1, 0))
    )
    out = rumble.copy()
    for start in np.concatenate([[0.0], rng.uniform(0.03, 0.5, 5)]):
        m = samples(0.8)
        add(out, unit(band_noise(rng, m, 150, 5500, order=0.7)) * decay(m, 0.5), samples(start), rng.uniform(0.5, 1.1))
    return room(out, rng, t60_s=1.5, wet=0.2) * curve(n, (0, 1), (0.6, 0.8), (1, 0))


@sound("nature", "Rain on surface; Thunderstorm", (3.0, 10.0),
       "large hailstones hammer on a metal roof", "a hailstorm pounding car roofs",
       "heavy hail striking tin and glass", criterion="hazard", counterpart="applause")  # fmt: skip
def hailstorm(rng: Rng, n: int) -> Signal:
    def stone() -> Signal:
        return strike(
            rng,
            samples(0.12),
            rng.uniform(350, 1600),
            (1, 1.6, 2.4, 3.7),
            rng.uniform(0.03, 0.09),
            noise=1.5,
            noise_hz=5000,
        )

    hits = scatter(rng, n, rng.uniform(110, 170), stone, kinds=30, spread_db=16)
    return (unit(hits) + 0.12 * band_noise(rng, n, 600, 6000) / 2) * curve(n, (0, 0), (0.12, 1), (0.85, 1), (1, 0))


# -- weather, water, fire ------------------------------------------------------------------------


@sound("nature", "Thunder; Thunderstorm; Rumble", (3.0, 8.0),
       "distant thunder rumbles softly", "a far-off roll of thunder",
       "low thunder far away over the hills")  # fmt: skip
def thunder_distant(rng: Rng, n: int) -> Signal:
    rumble = unit(lowpass(coloured_noise(rng, n, 2.2, low_hz=30), 160))
    return rumble * drift(rng, n, 2.5, 0.2, 1) * arch(n, 0.25, 0.55)


@sound("nature", "Rain; Raindrop", (4.0, 60.0),
       "light rain falling", "gentle rain patters on leaves", "steady drizzle outside a window",
       sustained=True)  # fmt: skip
def rain(rng: Rng, n: int) -> Signal:
    def drop() -> Signal:
        m = samples(rng.uniform(0.003, 0.012))
        return unit(band_noise(rng, m, rng.uniform(1500, 4500), 7500) * decay(m, 0.008))

    return 0.2 * unit(band_noise(rng, n, 900, 7800, order=0.6)) + 0.5 * scatter(
        rng, n, rng.uniform(120, 260), drop, kinds=30, spread_db=22
    )


@sound("nature", "Rain; Rain on surface", (4.0, 60.0),
       "heavy rain pours down", "a downpour drumming on a roof", "heavy rainfall on the ground",
       sustained=True)  # fmt: skip
def heavy_rain(rng: Rng, n: int) -> Signal:
    drops = scatter(rng, n, 1200, lambda: snap(rng, rng.uniform(500, 2000), 0.012), kinds=30, spread_db=18)
    return unit(band_noise(rng, n, 250, 7800, order=0.5)) * drift(rng, n, 0.5, 0.8, 1) + 0.4 * unit(drops)


@sound("nature", "Wind; Rustling leaves", (4.0, 60.0),
       "wind blowing in gusts", "a breeze moans around the house", "the wind howls and whistles through the trees",
       sustained=True)  # fmt: skip
def wind(rng: Rng, n: int) -> Signal:
    gust = drift(rng, n, rng.uniform(0.3, 0.6), 0.15, 1)
    source = coloured_noise(rng, n, 1.0, low_hz=100)
    howl = moving_formant(source, rng.uniform(300, 450) + 450 * gust, 90) + 0.5 * moving_formant(
        source, 900 + 700 * gust, 180
    )
    return (unit(howl) + 0.5 * unit(lowpass(source, 300))) * gust


@sound("nature", "Stream; Water; Trickle, dribble", (4.0, 60.0),
       "a small stream flowing over stones", "a babbling brook", "creek water gurgles along",
       sustained=True)  # fmt: skip
def stream(rng: Rng, n: int) -> Signal:
    gurgle = scatter(rng, n, 160, lambda: bubble(rng, 300, 1600), kinds=40, spread_db=18)
    return unit(gurgle) + 0.12 * unit(band_noise(rng, n, 400, 6000)) * drift(rng, n, 2, 0.6, 1)


@sound("nature", "Waves, surf; Ocean; Water", (6.0, 60.0),
       "sea waves breaking on a beach", "ocean surf rolls in and out", "waves wash up on the shore",
       sustained=True)  # fmt: skip
def sea_waves(rng: Rng, n: int) -> Signal:
    out = 0.12 * unit(coloured_noise(rng, n, 1, low_hz=200))
    period = rng.uniform(5.0, 7.0)
    count = max(1, round(n / 16_000 / period))
    for i in range(count):
        m = min(n, samples(period * 1.15))
        surf = unit(band_noise(rng, m, 200, 5500, order=0.7)) * curve(
            m, (0, 0), (0.25, 0.35), (0.38, 1), (0.6, 0.4), (1, 0)
        )
        fizz = unit(band_noise(rng, m, 2500, 7500)) * curve(m, (0, 0), (0.4, 0.05), (0.6, 0.4), (1, 0))
        add_around(out, surf + fizz * 0.6, i * n // count, rng.uniform(0.6, 1))
    return out


@sound("nature", "Fire; Crackle", (4.0, 60.0),
       "a campfire crackling", "logs burn and pop in a fireplace", "a wood fire crackles quietly",
       sustained=True)  # fmt: skip
def fire_crackle(rng: Rng, n: int) -> Signal:
    pops = scatter(
        rng,
        n,
        rng.uniform(10, 18),
        lambda: snap(rng, rng.uniform(500, 2500), rng.uniform(0.008, 0.04)),
        kinds=30,
        spread_db=26,
    )
    roar = unit(lowpass(coloured_noise(rng, n, 1.6, low_hz=60), 500)) * drift(rng, n, 3, 0.5, 1)
    return pops + 0.12 * roar + 0.03 * unit(band_noise(rng, n, 2000, 7000))


@sound("nature", "Drip; Water; Plop", (2.0, 20.0),
       "water dripping slowly", "drops fall into a basin", "a leaky tap drips, plink, plink",
       sustained=True)  # fmt: skip
def water_drip(rng: Rng, n: int) -> Signal:
    out, base = np.zeros(n), rng.uniform(900, 1600)
    for start in np.arange(0.1, n / 16_000 - 0.2, rng.uniform(0.6, 1.1)):
        m = samples(0.15)
        plink = sine(base * rng.uniform(0.9, 1.1) * curve(m, (0, 0.8), (0.3, 1.35), (1, 1.5)), m) * decay(m, 0.09)
        add(out, plink, samples(start), rng.uniform(0.6, 1))
    return room(out, rng, t60_s=0.5, wet=0.3)
