from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SceneRejected
from pipeline.grounding.captions import Description
from pipeline.grounding.cascade import Reprocessed, ground
from pipeline.grounding.verify import Evidence, RuleVerifier, Target
from pipeline.library.clip import Clip
from pipeline.synthesis.generators import Generated, Wish
from schemas.plan import Refinement, SubEvent
from schemas.recipe import GroundingParams
from schemas.taxonomy import Role
from schemas.unit import Offer

PARAMS = GroundingParams(min_score=0.2)
BARK = Clip(
    clip_id="bark",
    path="bark.wav",
    sha256="b" * 64,
    caption="a dog barking",
    tags=("Dog", "Bark"),
    transcript="",
    speaker="",
    language="",
    kind="sfx",
    licence="CC0-1.0",
    attribution="somebody",
    source_rate_hz=44100,
    source_channels=1,
    source_duration_s=5.0,
    num_samples=80_000,
    store_offset=0,
    peak_dbfs=-3.0,
    loudness_lufs=-20.0,
    noise_floor_db=-60.0,
    snr_db=30.0,
    digital_silence_tail_s=0.0,
    onset_cut=False,
    offset_cut=False,
    silence_ratio=0.1,
    track_class="event",
    occurrences=((0, 8_000), (20_000, 28_000), (60_000, 68_000)),
)


class Kept:
    """A cache in memory."""

    def __init__(self) -> None:
        self.put_under: dict[str, tuple[np.ndarray, dict]] = {}

    def get(self, key: str) -> tuple[np.ndarray, dict] | None:
        return self.put_under.get(key)

    def put(self, key: str, samples: np.ndarray, meta: dict) -> None:
        self.put_under[key] = (samples, meta)


@dataclass
class Shelf:
    """A library of clips whose samples say which sample of the store they are."""

    clips: dict[str, Clip] = field(default_factory=dict)
    conditioned: Kept = field(default_factory=Kept)

    def read(self, clip_id: str, start: int = 0, end: int | None = None) -> np.ndarray:
        return np.arange(start, end, dtype=np.float32) / self.clips[clip_id].num_samples


def target(
    duration_s: float = 4.0,
    *,
    role: Role = "foreground",
    single=False,
    tags=("Dog",),
    caption="A dog barks.",
    slot=None,
):
    return Target(
        sub_event=SubEvent(name="dog bark", role=role, rough_duration_s=duration_s, brief_description="a dog barks"),
        refinement=Refinement(query="a dog barking in a yard", fallback_caption=caption, accept_tags=tags),
        kind="sfx",
        scenario="A yard in the morning.",
        single=single,
        max_duration_s=slot,
    )


def run(wanted: Target, *clips: Clip, score: float = 0.9, seed: int = 0):
    reprocessed: list[int] = []
    shelf = Shelf({c.clip_id: c for c in clips})

    def reprocess(material):
        reprocessed.append(len(material.samples))
        if material.clip is not None:
            span = (material.clip_start_sample, material.clip_end_sample)
            np.testing.assert_array_equal(material.samples, shelf.read(material.clip.clip_id, *span))
        return Reprocessed(len(material.samples))

    found = ground(
        wanted,
        [Offer(clip_id=c.clip_id, score=score) for c in clips],
        library=shelf,  # pyright: ignore[reportArgumentType]
        verify=RuleVerifier(PARAMS),
        reprocess=reprocess,
        params=PARAMS,
        rng=np.random.default_rng(seed),
    )
    return found, reprocessed


def test_a_fitting_clip_is_taken_with_its_audible_part():
    found, reprocessed = run(target(), BARK)
    assert (found.material.clip_start_sample, found.material.clip_end_sample) == (0, 68_000)
    assert found.material.source == "retrieved"
    assert [c.verdict for c in found.candidates] == ["accept"]
    assert not reprocessed


def test_a_single_occurrence_is_one_of_the_clips_occurrences():
    spans = {run(target(0.5, single=True), BARK, seed=s)[0].material.clip_start_sample for s in range(20)}
    assert spans == {start for start, _ in BARK.occurrences}


def test_the_cascade_goes_on_to_the_next_candidate_and_records_why():
    rain = replace(BARK, clip_id="rain", tags=("Rain",))
    found, _ = run(target(), rain, BARK)
    assert found.material.clip == BARK
    assert [c.verdict for c in found.candidates] == ["reject", "accept"]
    assert "identity" in found.candidates[0].reason


def test_too_long_a_clip_is_reprocessed_once_into_whole_occurrences():
    found, reprocessed = run(target(1.2), BARK)
    assert len(reprocessed) == 1
    assert [c.verdict for c in found.candidates] == ["reprocess", "accept"]
    span = (found.material.clip_start_sample, found.material.clip_end_sample)
    assert span[0] in {s for s, _ in BARK.occurrences}
    assert span[1] in {e for _, e in BARK.occurrences}
    np.testing.assert_array_equal(found.material.samples, np.arange(*span, dtype=np.float32) / 80_000)


def test_a_window_never_lies_in_the_pause_between_two_occurrences():
    drops = replace(BARK, clip_id="drops", occurrences=((1_280, 3_840), (40_000, 42_880)))
    for seed in range(30):
        found, _ = run(target(0.5), drops, seed=seed)
        start, end = found.material.clip_start_sample, found.material.clip_end_sample
        assert end - start == 8_000
        assert any(start <= first and last <= end for first, last in drops.occurrences)


@given(
    lengths=st.lists(st.integers(1_000, 20_000), min_size=1, max_size=4),
    pauses=st.lists(st.integers(200, 8_000), min_size=4, max_size=4),
    duration_s=st.floats(0.1, 3.0),
    seed=st.integers(0, 1_000),
)
def test_one_of_many_occurrences_that_is_too_long_is_shortened_within_itself(lengths, pauses, duration_s, seed):
    starts = np.cumsum([0, *(a + b for a, b in zip(lengths, pauses, strict=False))])
    spans = tuple((int(s), int(s) + n) for s, n in zip(starts, lengths, strict=False))
    sneezes = replace(BARK, clip_id="sneezes", num_samples=spans[-1][1], occurrences=spans)
    try:
        found, reprocessed = run(target(duration_s, single=True), sneezes, seed=seed)
    except SceneRejected:
        return
    assert all(reprocessed)
    if found.material.clip is not None:
        start, end = found.material.clip_start_sample, found.material.clip_end_sample
        assert any(first <= start < end <= last for first, last in spans)


def test_a_cut_clip_is_reprocessed():
    found, reprocessed = run(target(), replace(BARK, onset_cut=True))
    assert len(reprocessed) == 1
    assert "onset" in found.candidates[0].reason


def test_without_a_candidate_the_sound_is_synthesized_and_says_so():
    found, _ = run(target(1.0, caption="A dog barks once, sharp and close."), replace(BARK, tags=("Rain",)))
    assert found.material.source == "synthesized"
    assert found.material.generator is not None
    assert found.material.generator.startswith("procedural/")
    assert found.material.clip is None
    assert np.abs(found.material.samples).max() > 0.1


def test_what_nobody_can_make_rejects_the_scene():
    with pytest.raises(SceneRejected, match="dog bark"):
        run(target(caption="Qwertz uiop asdf.", tags=("Zzyzx",)))


def test_a_low_score_is_another_sound():
    found, _ = run(target(1.0), BARK, score=0.01)
    assert found.material.source == "synthesized"


@given(
    st.floats(0.05, 30),
    st.floats(0.05, 30),
    st.booleans(),
    st.booleans(),
    st.floats(-20, 60),
    st.floats(-1, 1),
    st.sets(st.sampled_from(["Dog", "Bark", "Speech", "Music", "Rain"]), min_size=1),
)
def test_no_verdict_is_kinder_than_its_rules(duration, planned, onset, offset, snr, score, tags):
    verdict = RuleVerifier(PARAMS)(
        target(planned),
        Evidence("a sound", tuple(tags), "retrieved", score, duration, 1, onset, offset, snr),
    )
    right = "Dog" in tags and score >= PARAMS.min_score
    clean = not tags & {"Speech", "Music"} and snr >= 6
    long_enough = duration / planned >= 0.5
    if verdict.verdict == "accept":
        assert right
        assert clean
        assert 0.5 <= duration / planned <= 2
        assert not onset
        assert not offset
    if not (right and clean and long_enough):
        assert verdict.verdict == "reject"
    assert verdict.reason


def test_the_parent_of_a_wanted_tag_is_no_foreign_sound():
    for tags, wanted, verdict in (
        (("Siren", "Alarm"), ("Siren",), "accept"),
        (("Beep, bleep", "Alarm"), ("Beep, bleep",), "reject"),
        (("Dog", "Siren", "Alarm"), ("Dog",), "reject"),
    ):
        evidence = Evidence("a sound", tags, "retrieved", 0.9, 1.0, 1, False, False, 30.0)
        assert RuleVerifier(PARAMS)(target(1.0, tags=wanted), evidence).verdict == verdict


BARKS = Description("a dog barks", ("Dog",), "ears/1")
TWO_BANGS = np.zeros(32_000, np.float32)
for _start in (4_000, 20_000):
    TWO_BANGS[_start : _start + 6_000] = 0.5 * np.sin(np.arange(6_000) / 3) * np.exp(-np.arange(6_000) / 2_000)


@dataclass
class Machine:
    """A generator that does not know what it makes."""

    samples: np.ndarray | None = field(default_factory=lambda: TWO_BANGS)
    takes: int = 2
    wishes: list[Wish] = field(default_factory=list)

    def generate(self, wish: Wish) -> Generated | None:
        self.wishes.append(wish)
        if self.samples is None:
            return None
        return Generated(self.samples, None, None, "machine/1", "X-1", "machine", "c" * 64)


def make(wanted: Target, *generators, heard: Description | None = BARKS):
    return ground(
        wanted,
        [],
        library=Shelf(),  # pyright: ignore[reportArgumentType]
        verify=RuleVerifier(PARAMS),
        reprocess=lambda material: Reprocessed(len(material.samples)),
        params=PARAMS,
        rng=np.random.default_rng(0),
        generators=generators,
        captioner=lambda samples: heard,
    )


def test_a_generated_sound_is_judged_by_what_is_heard_in_it_never_by_its_prompt():
    found = make(target(1.0), Machine())
    assert (found.material.caption, found.material.captioner) == ("a dog barks", "ears/1")
    assert (found.material.generator, found.material.licence) == ("machine/1", "X-1")
    assert found.candidates[-1].captioner == "ears/1"
    with pytest.raises(SceneRejected, match=r"tags \['cat'\] share none"):
        make(target(1.0), Machine(), heard=Description("a cat", ("Cat",), "ears/1"))


def test_a_generated_sound_is_measured_and_cut_like_a_clip():
    once = make(target(0.4, single=True), Machine()).material
    assert 3_000 < len(once.samples) < 10_000
    assert once.clip_start_sample > 0
    with pytest.raises(SceneRejected):
        make(target(1.0), Machine(np.zeros(16_000, np.float32)))


def test_generators_take_turns_in_the_recipes_order():
    first, second = Machine(None), Machine()
    assert make(target(1.0), first, second).material.generator == "machine/1"
    assert len(first.wishes) == 1
    assert second.wishes[0].caption == "A dog barks."
    unheard = Machine()
    with pytest.raises(SceneRejected):
        make(target(1.0), unheard, heard=None)
    assert len(unheard.wishes) == unheard.takes
