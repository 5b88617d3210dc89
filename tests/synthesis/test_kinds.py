"""The procedural synthesizer: what every kind promises, and that key kinds sound like what they are called."""

from functools import cache

import numpy as np
import pytest
from scipy.signal import stft

from pipeline.errors import BadInput
from pipeline.synthesis.kinds import COUNTERPARTS, KINDS, match_kind, render

RATE = 16_000
SUSTAINED_S = 4.0


@cache
def sound(kind: str, seed: int = 1, duration_s: float | None = None) -> np.ndarray:
    if duration_s is None and KINDS[kind].sustained:
        duration_s = SUSTAINED_S
    return render(kind, np.random.default_rng(seed), duration_s=duration_s)


def spectrum(x: np.ndarray, window: int = 1024) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and power per (frequency, frame)."""
    f, _, z = stft(x, RATE, nperseg=window, noverlap=window // 2)
    return f, np.abs(z) ** 2


def peak_hz(x: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(x * np.hanning(len(x)))) ** 2
    return float(np.fft.rfftfreq(len(x), 1 / RATE)[power.argmax()])


def flatness(x: np.ndarray, low_hz: float, high_hz: float) -> float:
    """Geometric over arithmetic mean of the mean power spectrum in a band: 1 for white noise, 0 for a tone."""
    f, power = spectrum(x)
    band = power.mean(axis=1)[(f >= low_hz) & (f <= high_hz)]
    return float(np.exp(np.mean(np.log(band + 1e-20))) / band.mean())


def envelope(x: np.ndarray, hop: int = 160) -> np.ndarray:
    return np.sqrt(np.mean(x[: len(x) // hop * hop].reshape(-1, hop) ** 2, axis=1))


def bursts(x: np.ndarray, *, gap_s: float = 0.05) -> int:
    """Stretches above a tenth of the peak, apart by more than `gap_s`."""
    loud = np.flatnonzero(np.abs(x) > 0.1 * np.max(np.abs(x)))
    return 1 + int(np.sum(np.diff(loud) > gap_s * RATE))


def period_s(x: np.ndarray, low_s: float, high_s: float) -> float:
    """Lag of the strongest autocorrelation of the envelope."""
    e = envelope(x) - envelope(x).mean()
    correlation = np.correlate(e, e, "full")[len(e) - 1 :]
    low, high = round(low_s * 100), round(high_s * 100)
    return float((low + correlation[low:high].argmax()) / 100)


# -- the promise of every kind -------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_renders_as_promised(kind: str) -> None:
    spec, x = KINDS[kind], sound(kind)
    assert x.dtype == np.float32
    assert x.ndim == 1
    assert np.isfinite(x).all()
    assert 0.5 < np.max(np.abs(x)) <= 0.9001
    assert np.sqrt(np.mean(x**2)) > 0.01
    assert abs(x[0]) < 0.01
    assert abs(x[-1]) < 0.01
    if spec.sustained:
        assert len(x) == round(SUSTAINED_S * RATE)
    else:
        assert spec.duration_s[0] - 0.001 <= len(x) / RATE <= spec.duration_s[1] + 0.001


@pytest.mark.parametrize("kind", sorted(k for k, spec in KINDS.items() if not spec.sustained))
def test_the_shortest_renders_whatever_is_drawn(kind: str) -> None:
    shortest_s = KINDS[kind].duration_s[0]
    for seed in range(12):
        x = render(kind, np.random.default_rng(seed), duration_s=shortest_s)
        assert np.isfinite(x).all()
        assert len(x) / RATE == pytest.approx(shortest_s, abs=0.001)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_same_seed_same_bytes_other_seed_other_sound(kind: str) -> None:
    again = render(kind, np.random.default_rng(1), duration_s=SUSTAINED_S if KINDS[kind].sustained else None)
    assert again.tobytes() == sound(kind).tobytes()
    other = sound(kind, seed=2)
    n = min(len(other), len(again))
    a, b = other[:n], again[:n]
    assert abs(np.dot(a, b)) / (np.linalg.norm(a) * np.linalg.norm(b)) < 0.9


def test_the_starter_vocabulary_is_wide_and_well_described() -> None:
    assert len(KINDS) >= 70
    assert {spec.domain for spec in KINDS.values()} == {
        "human", "daily_living", "equipment", "traffic", "nature", "music", "ambience",
    }  # fmt: skip
    for name, spec in KINDS.items():
        assert spec.name == name
        assert len(set(spec.captions)) == len(spec.captions) >= 3
        assert all(len(caption.split()) <= 12 for caption in spec.captions)
        assert spec.tags
    captions = [caption for spec in KINDS.values() for caption in spec.captions]
    assert len(captions) == len(set(captions))


@pytest.mark.parametrize("criterion", ["distress", "hazard", "equipment", "signal"])
def test_every_criterion_has_several_kinds(criterion: str) -> None:
    assert sum(spec.criterion == criterion for spec in KINDS.values()) >= 5


def test_every_trigger_has_a_benign_counterpart_that_can_be_as_long() -> None:
    assert set(COUNTERPARTS) == {name for name, spec in KINDS.items() if spec.criterion}
    for trigger, benign in COUNTERPARTS.items():
        assert KINDS[benign].criterion is None
        lengths, others = KINDS[trigger].duration_s, KINDS[benign].duration_s
        assert max(lengths[0], others[0]) <= min(lengths[1], others[1]), (trigger, benign)


def test_beds_hold_no_trigger() -> None:
    assert not [name for name, spec in KINDS.items() if spec.sustained and spec.criterion]


@pytest.mark.parametrize(
    ("kind", "asked_s", "given_s"), [("rain", 7.5, 7.5), ("clock_tick", 0.7, 0.7), ("gas_hiss", 60, 5)]
)
def test_asked_durations(kind: str, asked_s: float, given_s: float) -> None:
    assert len(sound(kind, duration_s=asked_s)) == pytest.approx(given_s * RATE, abs=0.1 * RATE)


@pytest.mark.parametrize("duration_s", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_durations_are_refused(duration_s: float) -> None:
    with pytest.raises(BadInput, match="positive number of seconds"):
        render("rain", np.random.default_rng(0), duration_s=duration_s)


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(BadInput, match="'kazoo'"):
        render("kazoo", np.random.default_rng(0))


# -- key kinds sound like their names ------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_siren_sweeps(seed: int) -> None:
    f, power = spectrum(sound("emergency_siren", seed))
    pitch = f[power[(f > 0)].argmax(axis=0) + 1]
    loud = power.sum(axis=0) > 0.05 * power.sum(axis=0).max()
    assert np.percentile(pitch[loud], 95) / np.percentile(pitch[loud], 5) > 1.25


def test_storm_siren_rises_slowly() -> None:
    x = sound("storm_siren", 3)
    first, middle = x[len(x) // 16 : len(x) // 8], x[len(x) // 2 : len(x) // 2 + RATE]
    assert peak_hz(middle) > 1.2 * peak_hz(first)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("kind", "low_s", "high_s"), [("reversing_beeper", 0.7, 1.3), ("smoke_alarm", 0.9, 1.4)])
def test_beepers_are_periodic_tones(kind: str, low_s: float, high_s: float, seed: int) -> None:
    x = sound(kind, seed, KINDS[kind].duration_s[1])
    assert low_s <= period_s(x, 0.3, 1.6) <= high_s
    assert bursts(x, gap_s=0.2) >= 4
    assert flatness(x, 200, 7000) < 0.01


def test_horn_is_a_chord_of_steady_pitch() -> None:
    x = sound("horn_close", 5)
    third = len(x) // 3
    assert flatness(x, 200, 3000) < 0.2
    assert abs(peak_hz(x[:third]) - peak_hz(x[-third:])) < 15


@pytest.mark.parametrize("seed", range(3))
def test_fridge_hums_at_the_mains(seed: int) -> None:
    x = sound("fridge_hum", seed)
    assert min(abs(peak_hz(x) % mains - rest) for mains in (50, 60) for rest in (0, mains)) < 2
    assert peak_hz(x) < 250


def test_rain_is_flat_noise_and_a_flute_is_not() -> None:
    assert flatness(sound("heavy_rain"), 500, 6000) > 0.6
    assert flatness(sound("rain"), 1500, 6000) > 0.6
    assert flatness(sound("flute_melody"), 500, 6000) < 0.1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["dog_bark", "cough", "hand_clap", "sneeze", "crow", "duck_quack", "hiccup"])
def test_counted_one_shots_are_one_occurrence(kind: str, seed: int) -> None:
    assert bursts(sound(kind, seed), gap_s=0.12) == 1


@pytest.mark.parametrize("kind", ["footsteps_wood", "hammering", "chopping", "clock_tick", "horse_hooves"])
def test_impacts_are_impulsive(kind: str) -> None:
    x = sound(kind)
    assert np.max(np.abs(x)) / np.sqrt(np.mean(x**2)) > 6
    assert bursts(x, gap_s=0.1) >= 3


def test_a_door_knock_is_three_knocks() -> None:
    assert bursts(sound("door_knock", 4), gap_s=0.03) == 3


def test_passing_car_comes_and_goes() -> None:
    e = envelope(sound("car_passing", 2), 800)
    assert 0.25 < e.argmax() / len(e) < 0.75
    assert e[:2].mean() < 0.3 * e.max()
    assert e[-2:].mean() < 0.3 * e.max()


def test_bells_and_breaking_glass_decay() -> None:
    for kind in ("doorbell", "tram_bell", "glass_breaking", "thunder_close"):
        e = envelope(sound(kind))
        assert e[-len(e) // 8 :].mean() < 0.15 * e.max(), kind


def test_pitch_of_what_is_poured_rises() -> None:
    x = sound("pouring", 3)
    f, power = spectrum(x)
    frames = power.shape[1]
    centre = (f[:, None] * power).sum(axis=0) / power.sum(axis=0)
    assert centre[frames * 3 // 4 : -2].mean() > 1.3 * centre[2 : frames // 4].mean()


@pytest.mark.parametrize("kind", ["room_tone", "rain", "fridge_hum", "car_interior", "ward_bed", "street_bed"])
def test_beds_neither_fade_nor_stop(kind: str) -> None:
    e = envelope(sound(kind, duration_s=12.0), RATE)
    assert e.min() > 0.2 * e.max()


# -- captions to kinds ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caption", "kind"),
    [
        ("a ceramic mug placed on a wooden desk", "cup_on_table"),
        ("a pane of glass shatters into pieces", "glass_breaking"),
        ("a drinking glass is gently put down on the bar", "glass_set_down"),
        ("a dog barking outside", "dog_bark"),
        ("heavy rainfall on the roof", "heavy_rain"),
        ("someone coughs violently and cannot stop", "coughing_fit"),
        ("a man gives one dry cough", "cough"),
        ("an ambulance siren approaching", "emergency_siren"),
        ("truck backing up with warning beeps", "reversing_beeper"),
        ("the smoke detector is beeping", "smoke_alarm"),
        ("sparks from a short circuit", "electric_arcing"),
        ("a car honks its horn right next to me", "horn_close"),
        ("knocking on a wooden door", "door_knock"),
        ("ocean waves crash on the shore", "sea_waves"),
        ("wind howling through trees", "wind"),
        ("thunder rumbling far away", "thunder_distant"),
        ("walking across a wooden floor", "footsteps_wood"),
        ("a person is choking on food", "choking"),
        ("the ice on the lake cracks", "ice_cracking"),
        ("piano music playing softly", "piano_melody"),
    ],
)
def test_a_paraphrase_finds_its_kind(caption: str, kind: str) -> None:
    assert match_kind(caption) == kind


@pytest.mark.parametrize(
    "caption",
    ["", "sound", "a church bell tolls", "an elephant trumpets", "a man reads the news in Mandarin", "zxqv blorp",
     "two swords clash", "an opera singer performs an aria", "something happens in the room"],
)  # fmt: skip
def test_what_it_cannot_make_is_none(caption: str) -> None:
    assert match_kind(caption) is None


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_own_captions_find_their_kind(kind: str) -> None:
    assert {match_kind(caption) for caption in KINDS[kind].captions} == {kind}


def test_tags_help_and_sustained_restricts() -> None:
    assert match_kind("", ["Rain"]) in ("rain", "heavy_rain", "rainy_room")
    bed = match_kind("birds singing in the forest", sustained=True)
    assert bed is not None
    assert KINDS[bed].sustained
    assert match_kind("a car horn honks", sustained=True) != "horn_close"
