"""What a listener and a trainer rely on: stems sum to the mix, levels are what was asked, nothing clips."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.composition import mix as mix_module
from pipeline.composition.mix import Composition, NoiseTrack, compose
from pipeline.composition.timeline import Element, lay_out, lengthened
from pipeline.errors import BadInput
from pipeline.loudness import hull, measure
from schemas.composition import CompositionParams
from schemas.distributions import Const
from schemas.protocol import CHUNK_SAMPLES

RATE = 16_000
PARAMS = CompositionParams(lead_s=Const(value=1.0), tail_s=Const(value=0.5))
CUT = PARAMS.model_copy(update={"seams": "cut"})


def noise(seconds: float, seed: int, level: float = 0.1) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * level).astype(np.float32)


def coloured(seconds: float, seed: int) -> np.ndarray:
    x = np.convolve(noise(seconds + 0.01, seed), np.hanning(40), mode="valid")
    return (x[: round(seconds * RATE)] * 0.1).astype(np.float32)


def scene(seed: int = 0, events: int = 4) -> list[Element]:
    rng = np.random.default_rng(seed)
    gaps = [None, 3000, -900, 0, None, -20_000]
    foreground = [
        Element(
            f"event {k}",
            noise(rng.uniform(1.5, 3), seed + k, rng.uniform(0.01, 0.3)),
            gap_samples=gaps[k % 6],
        )
        for k in range(events)
    ]
    return [
        Element("room tone", coloured(2.3, seed + 50), "ambient", whole_stream=True),
        *foreground,
        Element("passing car", coloured(1.7, seed + 51), "background"),
        Element("long wind", coloured(40, seed + 52), "background", whole_stream=True),
    ]


def tracks(seed: int = 0) -> list[NoiseTrack]:
    return [
        NoiseTrack("event", [coloured(1.5, seed + 60), noise(0.7, seed + 61)], 12.0),
        NoiseTrack("ambient", [noise(60, seed + 62)], 17.0),
    ]


def composed(
    elements: list[Element],
    noise_tracks: list[NoiseTrack] | None = None,
    *,
    params: CompositionParams = PARAMS,
    seed: int = 0,
    room: np.ndarray | None = None,
) -> Composition:
    rng = np.random.default_rng(seed)
    timeline = lay_out(elements, params=params, rng=rng)
    return compose(timeline, noise_tracks or [], params=params, rng=rng, room_ir=room)


def sum_of_stems(c: Composition) -> np.ndarray:
    total = np.zeros(c.timeline.total_samples, np.float64)
    for p in c.timeline.placements:
        stem = c.stem(p.key)
        total[p.start_sample : p.start_sample + stem.size] += stem
    for track in c.noise:
        total += c.noise_stem(track.track)
    return total


def room() -> np.ndarray:
    decay = np.exp(-np.arange(3000) / 400) * np.random.default_rng(1).standard_normal(3000) * 0.3
    return np.concatenate([np.zeros(57), [1.0], decay]).astype(np.float32)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1000),
    events=st.integers(0, 7),
    seams=st.sampled_from([PARAMS, CUT]),
    in_room=st.booleans(),
    loud=st.booleans(),
)
def test_stems_sum_to_the_mix(seed: int, events: int, seams: CompositionParams, in_room: bool, loud: bool) -> None:
    params = seams.model_copy(update={"target_lufs": -8.0}) if loud else seams
    rng = np.random.default_rng(seed)
    timeline = lay_out(scene(seed, events), params=params, rng=rng, min_total_samples=5 * RATE)
    c = compose(timeline, tracks(seed), params=params, rng=rng, room_ir=room() if in_room else None)
    assert c.mix.dtype == np.float32
    assert c.mix.size % CHUNK_SAMPLES == 0
    assert np.abs(sum_of_stems(c) - c.mix).max() < 1e-6
    assert np.abs(c.mix).max() <= 10 ** (-1 / 20)
    assert c.quality.clipped_samples == 0


@given(
    sizes=st.lists(st.integers(2, 9000), min_size=1, max_size=6),
    gaps=st.lists(st.one_of(st.none(), st.integers(-1, 4000)), min_size=6, max_size=6),
    taper=st.booleans(),
)
def test_an_interval_is_the_hull_of_its_stem(sizes: list[int], gaps: list[int | None], taper: bool) -> None:
    elements = [
        Element(
            str(k), noise(n / RATE, k) + np.float32(1e-3), gap_samples=gaps[k], taper_samples=n // 4 if taper else 0
        )
        for k, n in enumerate(sizes)
    ]
    c = composed(elements)
    for p in c.timeline.placements:
        stem = c.stem(p.key)
        assert hull(stem) == (0, p.end_sample - p.start_sample)


def test_the_same_generator_gives_the_same_samples() -> None:
    assert np.array_equal(composed(scene(), tracks()).mix, composed(scene(), tracks()).mix)
    assert not np.array_equal(composed(scene(), tracks()).mix, composed(scene(), tracks(), seed=1).mix)


@pytest.mark.parametrize(("role", "role_db"), [("foreground", 0.0), ("background", -6.0)])
def test_a_clip_has_the_common_loudness_and_its_roles_gain(role: str, role_db: float) -> None:
    for level in (0.003, 0.2):
        c = composed([Element("other", noise(12, 9)), Element("it", noise(4, 1, level), role)])  # type: ignore[arg-type]
        realised = pyloudnorm.Meter(RATE).integrated_loudness(c.stem("it").astype(np.float64))
        assert realised == pytest.approx(-23 + role_db, abs=0.1)


def test_an_elements_own_gain_replaces_its_roles() -> None:
    quiet, usual = (composed([Element("a", noise(2, 1), gain_db=g)]).gains_db["a"] for g in (-4.0, None))
    assert usual - quiet == pytest.approx(4, abs=0.002)


def test_short_clips_are_levelled_without_passing_the_ceiling() -> None:
    click = np.zeros(400, np.float32)
    click[[150, 200, 250]] = [0.5, -0.9, 0.4]
    c = composed([Element("click", click), Element("whisper", noise(1, 1, 1e-6), gap_samples=100)])
    assert np.abs(c.stem("click")).max() <= 10 ** (-1 / 20) + 1e-4
    assert c.gains_db["whisper"] == PARAMS.max_clip_gain_db


def test_a_cut_of_a_long_background_is_levelled_by_itself() -> None:
    long = np.concatenate([noise(60, 1, 0.3), noise(60, 2, 0.003)])
    element = Element("wind", long, "background", whole_stream=True, level=measure(long))
    rng = np.random.default_rng(3)
    timeline = lay_out([Element("a", noise(3, 3)), element], params=PARAMS, rng=rng)
    c = compose(timeline, [], params=PARAMS, rng=rng)
    realised = pyloudnorm.Meter(RATE).integrated_loudness(c.stem("wind").astype(np.float64))
    assert realised == pytest.approx(-29, abs=0.1)


def active_power(stem: np.ndarray) -> tuple[float, int]:
    frames = np.array([np.sum(f.astype(np.float64) ** 2) for f in np.split(stem, range(320, stem.size, 320))])
    if stem.size % 320:
        frames = frames[:-1]
    active = frames[10 * np.log10(frames / frames.mean()) > -15.9]
    return float(active.sum()), 320 * active.size


@given(event_db=st.floats(0, 25), ambient_db=st.floats(0, 30), seed=st.integers(0, 50))
@settings(max_examples=15)
def test_noise_has_the_asked_snr_against_the_active_foreground(event_db: float, ambient_db: float, seed: int) -> None:
    noise_tracks = [replace(t, snr_db=db) for t, db in zip(tracks(seed), (event_db, ambient_db), strict=True)]
    c = composed(scene(seed), noise_tracks)
    sums = np.sum([active_power(c.stem(p.key)) for p in c.timeline.placements if p.role == "foreground"], axis=0)
    signal = sums[0] / sums[1]
    total = 0.0
    for track, asked in zip(c.noise, (event_db, ambient_db), strict=True):
        power = np.mean(c.noise_stem(track.track).astype(np.float64) ** 2)
        total += power
        assert 10 * np.log10(signal / power) == pytest.approx(asked, abs=0.1)
        assert track.snr_db == pytest.approx(asked, abs=0.01)
    assert c.quality.realised_snr_db == pytest.approx(10 * np.log10(signal / total), abs=0.1)


def test_a_hot_stream_is_lowered_whole() -> None:
    elements = [
        Element(
            str(k),
            (0.5 * np.sin(0.1 + np.arange(32_000) * 0.3)).astype(np.float32),
            gap_samples=0 if k == 0 else -32_000,
        )
        for k in range(3)
    ]
    loud = PARAMS.model_copy(update={"target_lufs": -8.0})
    c = composed(elements, params=loud)
    assert c.stream_gain_db < -3
    assert c.quality.peak_dbfs == pytest.approx(-1.0, abs=0.05)
    stems = [c.stem(p.key) for p in c.timeline.placements]
    assert all(np.array_equal(stems[0], s) for s in stems)
    assert np.abs(sum_of_stems(c) - c.mix).max() < 1e-6


def test_quality_describes_the_mix() -> None:
    c = composed(scene(), tracks())
    assert c.quality.lufs == pytest.approx(
        pyloudnorm.Meter(RATE).integrated_loudness(c.mix.astype(np.float64)), abs=0.05
    )
    assert c.quality.peak_dbfs == pytest.approx(20 * np.log10(np.abs(c.mix).max()), abs=1e-3)
    assert c.quality.max_seam_jump == max(s.jump for s in c.seams)
    assert {s.kind for s in c.seams} == {"join", "edge", "tile"}


def test_crossfaded_joins_of_unlike_sounds_measure_smoother_than_cuts() -> None:
    tone = (0.1 * np.sin(0.1 + np.arange(30_000) * 0.2)).astype(np.float32)
    elements = [Element(str(k), noise(2, k) if k % 2 else tone) for k in range(9)]
    crossed, cut = ([s.jump for s in composed(elements, params=p).seams if s.kind == "join"] for p in (PARAMS, CUT))
    assert len(crossed) == len(cut) == 8
    assert np.median(crossed) < 0.8 * np.median(cut)
    assert max(crossed) < max(cut)


def test_every_join_is_found_whatever_stands_between_its_clips() -> None:
    bed = Element("bed", coloured(3, 9), "ambient", whole_stream=True)
    once = Element("once", coloured(3, 8), "background")
    a, b, c = (Element(k, noise(2, i)) for i, k in enumerate("abc"))
    found = composed([a, bed, b, once, replace(c, gap_samples=0)])
    joins = [s.sample for s in found.seams if s.kind == "join"]
    assert joins == [found.timeline["b"].start_sample + 160, found.timeline["c"].start_sample]
    assert sum(s.kind == "edge" for s in found.seams) == 4


def test_the_rows_of_a_pair_differ_only_in_their_cue() -> None:
    def row(cue: np.ndarray) -> Composition:
        elements = scene(events=3)
        elements.insert(3, Element("cue", cue, slot_samples=40_000, exempt=True, gain_db=20.0, gap_samples=500))
        return composed(elements, tracks(), params=PARAMS.model_copy(update={"target_lufs": -14.0}))

    first, second = row(noise(2, 70)), row(coloured(0.4, 71))
    assert first.stream_gain_db != second.stream_gain_db
    lower = min(first.stream_gain_db, second.stream_gain_db)
    first, second = first.lowered(lower), second.lowered(lower)
    start = first.timeline["cue"].start_sample
    apart = np.flatnonzero(first.mix != second.mix)
    assert apart.size > 0
    assert start <= apart.min() < apart.max() < start + 40_000
    for c in (first, second):
        assert np.abs(sum_of_stems(c) - c.mix).max() < 1e-6


def test_a_room_leaves_onsets_in_place_and_spares_dry_elements() -> None:
    elements = [Element("a", noise(1, 1)), Element("phone", noise(1, 2), gap_samples=9000, dry=True)]
    dry, wet = composed(elements), composed(elements, room=room())
    assert wet.timeline == dry.timeline
    assert np.array_equal(wet.stem("phone"), dry.stem("phone"))
    assert wet.stem("a").size == dry.stem("a").size + 3000
    lag = np.argmax(np.correlate(wet.stem("a")[:8000], dry.stem("a")[:7000], mode="valid"))
    assert lag == 0


def test_lengthened_streams_compose() -> None:
    rng = np.random.default_rng(0)
    timeline = lengthened(lay_out(scene(), params=PARAMS, rng=rng), 30 * RATE)
    c = compose(timeline, tracks(), params=PARAMS, rng=rng)
    assert c.mix.size >= 30 * RATE
    assert np.abs(sum_of_stems(c) - c.mix).max() < 1e-6


def test_a_long_stream_equals_a_kept_one_and_needs_only_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    elements = [*scene(events=6), *(Element(f"late {k}", noise(4, k), gap_samples=30_000) for k in range(30))]
    loud = PARAMS.model_copy(update={"target_lufs": -9.0})
    kept = composed(elements, tracks(), params=loud)
    monkeypatch.setattr(mix_module, "KEPT_SAMPLES", 20 * RATE)
    streamed = composed(elements, tracks(), params=loud)
    assert streamed.stream_gain_db == kept.stream_gain_db < 0
    assert streamed.quality.model_dump() == pytest.approx(kept.quality.model_dump(), rel=1e-5)
    assert np.array_equal(np.concatenate(list(streamed.blocks(50_000))), kept.mix)


def test_memory_does_not_grow_with_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mix_module, "KEPT_SAMPLES", 20 * RATE)
    clip, bed = noise(4, 1), coloured(5, 2)

    def peak(events: int) -> tuple[int, int]:
        elements = [Element(str(k), clip, gap_samples=8000) for k in range(events)]
        elements.append(Element("bed", bed, "ambient", whole_stream=True))
        tracemalloc.start()
        c = composed(elements, [NoiseTrack("ambient", [bed], 15.0)])
        samples = sum(block.size for block in c.blocks())
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used, samples * 4

    (short, _), (long, size) = peak(30), peak(150)
    assert long < 1.15 * short
    assert long < size / 4


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_broken_samples_are_refused_by_name(bad: float) -> None:
    x = noise(1, 1)
    x[5] = bad
    level = measure(noise(1, 1))
    for element in (Element("broken", x), Element("broken", x, level=level)):
        with pytest.raises(BadInput, match="'broken'"):
            composed([Element("a", noise(1, 1)), element])


@pytest.mark.parametrize(
    ("track", "words"),
    [
        (NoiseTrack("ambient", [np.zeros(9000, np.float32)], 10.0), "silent"),
        (NoiseTrack("ambient", [np.zeros(0, np.float32)], 10.0), "empty"),
        (NoiseTrack("ambient", [np.ones(9000)], 10.0), "float32"),
        (NoiseTrack("ambient", [], 10.0), "no clips"),
        (NoiseTrack("event", [noise(1, 1)], 10.0), "two noise tracks"),
    ],
)
def test_unusable_noise_is_refused(track: NoiseTrack, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        composed(scene(), [NoiseTrack("event", [noise(1, 1)], 10.0), track])


def test_a_silent_room_is_refused() -> None:
    with pytest.raises(BadInput, match="room response"):
        composed(scene(), room=np.zeros(100, np.float32))
