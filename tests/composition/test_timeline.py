"""Places are exact integers: gaps, joins, slots, whole chunks, and refusals that say what to do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.composition.timeline import Element, lay_out, lengthened
from pipeline.errors import BadInput
from schemas.composition import CompositionParams
from schemas.distributions import Const
from schemas.protocol import CHUNK_SAMPLES

RATE = 16_000
PARAMS = CompositionParams(lead_s=Const(value=1.0), tail_s=Const(value=0.5))
CUT = PARAMS.model_copy(update={"seams": "cut"})


def sound(samples: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).uniform(0.01, 0.1, samples) * np.where(np.arange(samples) % 2, 1, -1)
    return x.astype(np.float32)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@given(
    sizes=st.lists(st.integers(700, 40_000), min_size=1, max_size=8),
    gaps=st.lists(st.integers(-600, 30_000), min_size=8, max_size=8),
)
def test_gaps_are_realised_to_the_sample(sizes: list[int], gaps: list[int]) -> None:
    elements = [Element(str(i), sound(n), gap_samples=gaps[i]) for i, n in enumerate(sizes)]
    timeline = lay_out(elements, params=PARAMS, rng=rng())
    end = RATE
    for p, size, gap in zip(timeline.placements, sizes, gaps, strict=False):
        assert p.start_sample == end + (gap if end > RATE else max(gap, 0))
        assert p.end_sample - p.start_sample == size
        end = p.end_sample
    assert timeline.total_samples % CHUNK_SAMPLES == 0
    assert 0 <= timeline.total_samples - (end + RATE // 2) < CHUNK_SAMPLES


def test_join_overlaps_by_the_crossfade_and_a_cut_abuts() -> None:
    elements = [Element("a", sound(8000)), Element("b", sound(8000)), Element("c", sound(100))]
    a, b, c = lay_out(elements, params=PARAMS, rng=rng()).placements
    assert (a.start_sample, b.start_sample, b.join_samples) == (RATE, a.end_sample - 320, 320)
    assert c.start_sample == b.end_sample - 50  # never more than half of a clip
    a, b, c = lay_out(elements, params=CUT, rng=rng()).placements
    assert (b.start_sample, c.start_sample) == (a.end_sample, b.end_sample)


def test_join_is_as_long_as_the_longest_taper() -> None:
    elements = [Element("a", sound(8000), taper_samples=480), Element("b", sound(8000), taper_samples=320)]
    a, b = lay_out(elements, params=PARAMS, rng=rng()).placements
    assert a.end_sample - b.start_sample == b.join_samples == 480


def test_digital_silence_around_a_clip_is_not_part_of_its_event() -> None:
    padded = np.concatenate([np.zeros(1000, np.float32), sound(8000), np.zeros(3000, np.float32)])
    p = lay_out([Element("a", padded)], params=PARAMS, rng=rng())["a"]
    assert (p.start_sample, p.end_sample) == (RATE, RATE + 8000)
    assert (p.clip_start_sample, p.clip_end_sample) == (1000, 9000)
    assert p.origin_sample == RATE - 1000


def test_slot_keeps_what_follows_in_place_whatever_the_cue() -> None:
    def after(cue: np.ndarray) -> object:
        elements = [
            Element("before", sound(9000)),
            Element("cue", cue, slot_samples=20_000, exempt=True),
            Element("after", sound(9000)),
            Element("bed", sound(5000), "ambient", whole_stream=True),
            Element("once", sound(5000), "background"),
        ]
        timeline = lay_out(elements, params=PARAMS, rng=rng())
        return [p for p in timeline.placements if p.key != "cue"], timeline.total_samples

    assert after(sound(200)) == after(sound(20_000))


@pytest.mark.parametrize("size", [5_000, 500_000])
def test_bed_spans_the_stream_tiled_or_cut(size: int) -> None:
    elements = [Element("a", sound(64_000)), Element("bed", sound(size), "ambient", whole_stream=True)]
    timeline = lay_out(elements, params=PARAMS, rng=rng())
    bed = timeline["bed"]
    assert (bed.start_sample, bed.end_sample) == (0, timeline.total_samples)
    if size > timeline.total_samples:
        assert bed.clip_end_sample - bed.clip_start_sample == timeline.total_samples
        assert bed.clip_start_sample > 0
        assert bed.tile_phase_samples is None
    else:
        assert bed.tile_phase_samples is not None
        assert (bed.clip_start_sample, bed.clip_end_sample) == (0, size)


def test_background_shorter_than_the_scene_sounds_once_at_a_drawn_place() -> None:
    elements = [Element("a", sound(64_000)), Element("b", sound(5000), "background")]
    starts = {lay_out(elements, params=PARAMS, rng=np.random.default_rng(s))["b"].start_sample for s in range(20)}
    assert len(starts) > 15
    assert all(0 <= s <= 88_000 for s in starts)


def test_lengthening_moves_nothing_and_stretches_beds() -> None:
    elements = [Element("a", sound(64_000)), Element("bed", sound(5000), "ambient", whole_stream=True)]
    timeline = lay_out(elements, params=PARAMS, rng=rng())
    longer = lengthened(timeline, timeline.total_samples + 1)
    assert longer.total_samples == timeline.total_samples + CHUNK_SAMPLES
    assert longer["a"] == timeline["a"]
    assert longer["bed"].end_sample == longer.total_samples
    assert lengthened(timeline, 5) == timeline


def test_stream_of_beds_alone_needs_a_length() -> None:
    bed = [Element("bed", sound(5000), "ambient", whole_stream=True)]
    with pytest.raises(BadInput, match="min_total_samples"):
        lay_out(bed, params=PARAMS, rng=rng())
    assert lay_out(bed, params=PARAMS, rng=rng(), min_total_samples=10_000).total_samples == 2 * CHUNK_SAMPLES


def test_silence_ratio_counts_overlaps_once() -> None:
    elements = [Element("a", sound(16_000)), Element("b", sound(16_000), gap_samples=-8000)]
    timeline = lay_out(elements, params=PARAMS, rng=rng())
    assert timeline.silence_ratio == pytest.approx(1 - 24_000 / timeline.total_samples)


@pytest.mark.parametrize(
    ("element", "words"),
    [
        (Element("x", np.zeros(0, np.float32)), "at least 2"),
        (Element("x", np.ones(1, np.float32)), "at least 2"),
        (Element("x", np.zeros(16_000, np.float32)), "at least 2"),
        (Element("x", np.ones(100)), "float32"),
        (Element("x", np.ones((100, 2), np.float32)), "mono"),
        (Element("x", sound(100), whole_stream=True), "foreground"),
        (Element("x", sound(100), "ambient", gap_samples=3), "only foreground"),
        (Element("x", sound(100), slot_samples=99), "widen the slot"),
        (Element("x", sound(100), taper_samples=51), "taper"),
        (Element("x", sound(100), gap_samples=-20_000), "raise gap_samples"),
        (Element("first", sound(100)), "have the key"),
    ],
)
def test_what_cannot_be_placed_is_refused_by_name(element: Element, words: str) -> None:
    with pytest.raises(BadInput, match=words) as refusal:
        lay_out([Element("first", sound(9000)), element], params=PARAMS, rng=rng())
    assert repr(element.key) in str(refusal.value)
