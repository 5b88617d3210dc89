"""Ambiences: whole-scene beds. None holds anything that could trigger a reply."""

import numpy as np

from .animals import birds_chirp, crickets
from .dsp import (
    Signal,
    add_around,
    band_noise,
    coloured_noise,
    decay,
    drift,
    formants,
    harmonic,
    lowpass,
    rolloff,
    room,
    samples,
    scatter,
    strike,
    unit,
)  # fmt: skip
from .equipment import firing, mains_hum
from .home import CERAMIC, GLASS, METAL, bubble, motor, tick
from .kind import sound
from .nature import rain, sea_waves, wind
from .people import babble

Rng = np.random.Generator
LONG = (5.0, 120.0)


def hum(rng: Rng, n: int) -> Signal:
    return mains_hum(rng, n, (0.5, 1, 0.2, 0.5, 0.1, 0.2))


def air(rng: Rng, n: int, low_hz: float = 60) -> Signal:
    return unit(coloured_noise(rng, n, 1.8, low_hz=low_hz))


@sound("ambience", "Inside, small room; Environmental noise", LONG,
       "quiet room tone", "the faint background hush of an empty room", "near silence indoors with soft air",
       sustained=True)  # fmt: skip
def room_tone(rng: Rng, n: int) -> Signal:
    return air(rng, n) + 0.25 * hum(rng, n)


@sound("ambience", "Inside, small room; Hum; Mains hum", LONG,
       "the quiet hum of a kitchen", "kitchen background with a humming refrigerator",
       "a still kitchen, appliances droning softly", sustained=True)  # fmt: skip
def kitchen_hum(rng: Rng, n: int) -> Signal:
    return hum(rng, n) * drift(rng, n, 0.2, 0.7, 1) + 0.12 * air(rng, n, 100)


@sound("ambience", "Traffic noise, roadway noise; Outside, urban or manmade", LONG,
       "a city street with distant traffic", "traffic noise on an urban road", "background of cars on a busy street",
       sustained=True)  # fmt: skip
def street_bed(rng: Rng, n: int) -> Signal:
    out = air(rng, n, 80)
    for _ in range(max(2, int(n / 16_000 / 4))):
        m = min(n, samples(rng.uniform(4, 8)))
        swell = band_noise(rng, m, 250, 2500, order=1) * np.sin(np.linspace(0, np.pi, m)) ** 3
        add_around(out, swell, int(rng.integers(0, n)), rng.uniform(0.15, 0.4))
    return out


@sound("ambience", "Inside, large room or hall; Air conditioning; Environmental noise", LONG,
       "the background of an open-plan office", "office ambience with ventilation and soft typing",
       "a quiet office, people working", sustained=True)  # fmt: skip
def office_bed(rng: Rng, n: int) -> Signal:
    keys = scatter(
        rng,
        n,
        3.5,
        lambda: strike(rng, samples(0.06), rng.uniform(350, 600), (1, 1.9, 3.2), 0.03, noise=1.5),
        spread_db=16,
    )
    voices = lowpass(unit(babble(rng, n, 3)), 900)
    return air(rng, n, 120) + 0.15 * hum(rng, n) + 0.5 * keys + 0.5 * voices


@sound("ambience", "Inside, public space; Hubbub, speech noise, speech babble", LONG,
       "the concourse of a train station", "a large station hall full of travellers",
       "reverberant murmur and steps in a terminal", sustained=True)  # fmt: skip
def station_bed(rng: Rng, n: int) -> Signal:
    feet = scatter(
        rng, n, 5, lambda: strike(rng, samples(0.15), rng.uniform(120, 260), (1, 2.1, 3.7), 0.08, noise=1), spread_db=14
    )
    return room(unit(babble(rng, n, 8)) + 0.4 * feet, rng, t60_s=2.0, wet=1.0) + 0.1 * air(rng, n, 80)


@sound("ambience", "Outside, rural or natural; Bird vocalization, bird call, bird song; Rustling leaves", LONG,
       "a forest with birdsong and rustling leaves", "woodland ambience on a calm day",
       "trees rustle while birds call far off", sustained=True)  # fmt: skip
def forest_bed(rng: Rng, n: int) -> Signal:
    leaves = band_noise(rng, n, 1500, 6500, order=0.8) * drift(rng, n, 0.5, 0.2, 1)
    return 0.08 * leaves + 0.15 * air(rng, n, 150) + 0.9 * unit(birds_chirp(rng, n))


@sound("ambience", "Chatter; Hubbub, speech noise, speech babble; Inside, public space", LONG,
       "the murmur of a cafe", "a coffee shop with talking guests and clinking cups",
       "restaurant background chatter and dishes", sustained=True)  # fmt: skip
def cafe_murmur(rng: Rng, n: int) -> Signal:
    cups = scatter(
        rng, n, 0.9, lambda: strike(rng, samples(0.25), rng.uniform(1100, 2200), CERAMIC, 0.15), spread_db=14
    )
    return room(unit(babble(rng, n, 9)), rng, t60_s=0.6, wet=0.4) + 0.12 * cups + 0.03 * air(rng, n, 100)


@sound("ambience", "Mechanisms; Tools; Inside, large room or hall", LONG,
       "the background of a workshop", "a workshop with a running motor and distant tools",
       "machine hall ambience, steady and low", sustained=True)  # fmt: skip
def workshop_bed(rng: Rng, n: int) -> Signal:
    taps = scatter(
        rng, n, 0.8, lambda: strike(rng, samples(0.3), rng.uniform(400, 1100), METAL, 0.2, noise=0.6), spread_db=16
    )
    return (
        motor(rng, n, rng.uniform(45, 60), 20, 0.9) + 0.2 * air(rng, n, 80) + 0.3 * room(taps, rng, t60_s=0.9, wet=0.5)
    )


@sound("ambience", "Inside, large room or hall; Air conditioning; Hum", LONG,
       "a hospital ward at night", "ward ambience with ventilation and a soft pump",
       "a calm clinic corridor, air flowing", sustained=True)  # fmt: skip
def ward_bed(rng: Rng, n: int) -> Signal:
    pump = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / 16_000 / rng.uniform(3.0, 4.0))) ** 3
    return air(rng, n, 150) + 0.3 * hum(rng, n) + 0.12 * band_noise(rng, n, 500, 2500) * pump


@sound("ambience", "Car; Vehicle; Engine", LONG,
       "the interior of a moving car", "road noise inside a car on the motorway",
       "a car ride, engine and tyres droning", sustained=True)  # fmt: skip
def car_interior(rng: Rng, n: int) -> Signal:
    engine = unit(harmonic(rng.uniform(50, 75) * drift(rng, n, 0.3, 0.95, 1.05), n, rolloff(10, 1.0)))
    return lowpass(coloured_noise(rng, n, 2, low_hz=50), 900) * drift(rng, n, 0.7, 0.8, 1) + 0.8 * engine


@sound("ambience", "Waves, surf; Outside, rural or natural; Ocean", LONG,
       "a beach with gentle surf and breeze", "seaside ambience, waves far out", "calm shore background",
       sustained=True)  # fmt: skip
def beach_bed(rng: Rng, n: int) -> Signal:
    return unit(sea_waves(rng, n)) + 0.3 * unit(wind(rng, n))


@sound("ambience", "Cricket; Insect; Outside, rural or natural", LONG,
       "a summer night in the country", "night ambience with distant crickets", "quiet countryside after dark",
       sustained=True)  # fmt: skip
def night_bed(rng: Rng, n: int) -> Signal:
    return 0.5 * unit(crickets(rng, n)) + 0.08 * air(rng, n, 100)


@sound("ambience", "Outside, rural or natural; Wind noise (microphone)", LONG,
       "an open field with a light breeze", "farmland ambience, wind over grass",
       "rural background, soft moving air", sustained=True)  # fmt: skip
def field_bed(rng: Rng, n: int) -> Signal:
    grass = band_noise(rng, n, 1800, 6000, order=0.8) * drift(rng, n, 0.7, 0.1, 1) ** 2
    return air(rng, n, 120) * drift(rng, n, 0.4, 0.5, 1) + 0.12 * grass


@sound("ambience", "Rain; Inside, small room", LONG,
       "a room with rain outside the window", "muffled rain heard from indoors",
       "rainy day background inside a house", sustained=True)  # fmt: skip
def rainy_room(rng: Rng, n: int) -> Signal:
    return unit(lowpass(unit(rain(rng, n)), 1600)) + 0.03 * hum(rng, n)


@sound("ambience", "Inside, small room; Drip; Mechanical fan", LONG,
       "a bathroom with a humming extractor fan", "tiled bathroom ambience, fan and a drip",
       "small wet room background", sustained=True)  # fmt: skip
def bathroom_bed(rng: Rng, n: int) -> Signal:
    drips = scatter(rng, n, 0.7, lambda: bubble(rng, 900, 1800), spread_db=8)
    return air(rng, n, 200) + 0.5 * motor(rng, n, 98.0, 6, 1.0) + room(drips, rng, t60_s=0.8, wet=0.6) * 1.2


@sound("ambience", "Inside, public space; Hum; Cash register", LONG,
       "a supermarket with freezers humming", "shop ambience, trolleys and soft scanning clicks",
       "inside a store on a quiet afternoon", sustained=True)  # fmt: skip
def shop_bed(rng: Rng, n: int) -> Signal:
    clicks = scatter(rng, n, 1.2, lambda: tick(rng, 1200, 2500, 0.04), spread_db=14)
    voices = lowpass(unit(babble(rng, n, 4)), 1500)
    return hum(rng, n) + 0.3 * air(rng, n, 100) + 0.7 * voices + 0.25 * clicks


@sound("ambience", "Rail transport; Train; Rumble", LONG,
       "inside a moving train carriage", "train compartment ambience, wheels rolling",
       "a railway ride, low rumble and joints", sustained=True)  # fmt: skip
def train_interior(rng: Rng, n: int) -> Signal:
    out = lowpass(coloured_noise(rng, n, 1.8, low_hz=50), 1200) * drift(rng, n, 0.8, 0.75, 1)
    joint = lowpass(strike(rng, samples(0.15), 140, METAL, 0.1, noise=1), 900)
    period = rng.uniform(0.9, 1.3)
    for start in np.arange(0, n / 16_000 - period / 2, period):
        add_around(out, joint, samples(start), 1.6)
        add_around(out, joint, samples(start + 0.12), 1.3)
    return out


@sound("ambience", "Engine; Outside, urban or manmade; Heavy engine (low frequency)", LONG,
       "a construction site in the distance", "far-off diggers and machines at work",
       "building site background, engines droning", sustained=True)  # fmt: skip
def construction_bed(rng: Rng, n: int) -> Signal:
    digger = lowpass(unit(firing(rng, n, rng.uniform(18, 24))), 700) * drift(rng, n, 0.3, 0.4, 1)
    knocks = scatter(
        rng, n, 1.0, lambda: strike(rng, samples(0.25), rng.uniform(200, 500), METAL, 0.15, noise=1), spread_db=14
    )
    return digger + 0.2 * air(rng, n, 80) + 0.12 * room(knocks, rng, t60_s=0.8, wet=0.5)


@sound("ambience", "Water; Inside, large room or hall; Splash, splatter", LONG,
       "an indoor swimming pool", "splashing water and echoing voices in a pool hall", "swimming bath ambience",
       sustained=True)  # fmt: skip
def pool_bed(rng: Rng, n: int) -> Signal:
    def splash() -> Signal:
        m = samples(0.5)
        return unit(band_noise(rng, m, 500, 5500)) * decay(m, 0.5, attack_s=0.05)

    water = scatter(rng, n, 1.6, splash, spread_db=14)
    return room(water + 0.4 * unit(babble(rng, n, 5)), rng, t60_s=1.8, wet=0.8) + 0.05 * air(rng, n, 100)


@sound("ambience", "Chatter; Glass; Inside, public space", LONG,
       "a lively bar in the evening", "pub ambience, loud talk and glasses",
       "party background, guests talking and toasting", sustained=True)  # fmt: skip
def bar_bed(rng: Rng, n: int) -> Signal:
    clinks = scatter(rng, n, 1.2, lambda: strike(rng, samples(0.3), rng.uniform(1800, 3200), GLASS, 0.2), spread_db=12)
    crowd = formants(unit(babble(rng, n, 12)), (600, 400, 1), (1400, 600, 1), (2600, 800, 1))
    return room(unit(crowd), rng, t60_s=0.5, wet=0.4) + 0.1 * clinks
