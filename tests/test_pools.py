"""What of a library a split may use for what."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from pipeline.library.clip import Clip
from pipeline.library.library import Library
from pipeline.pools import split_pools
from schemas.recipe import Recipe
from tests.grounding.test_cascade import BARK

TEXTURE: dict[str, Any] = {"track_class": "ambient", "occurrences": ((0, 80_000),)}


def clip(name: str, caption: str, tags: tuple[str, ...], **more: Any) -> Clip:
    return replace(BARK, clip_id=name, sha256=name * 8, caption=caption, tags=tags, attribution=name, **more)


def test_noise_is_what_the_audit_calls_silent_and_nobody_speaks_in() -> None:
    clips = (
        clip("rain", "steady rain on a roof", ("Rain",), **TEXTURE),
        clip("keys", "keys jangling", ("Keys jangling",)),
        clip("alarm", "a smoke alarm beeping", ("Smoke detector, smoke alarm",)),
        clip("siren", "an ambulance siren close by", ("Siren",), **TEXTURE),
        clip("scream", "a scream", ("Screaming", "Baby cry, infant cry")),
        clip("said", "a person speaking", ("Speech",), kind="speech"),
        clip("song", "a piano melody", ("Piano", "Music"), kind="music", **TEXTURE),
    )
    library = cast(Library, SimpleNamespace(clips={c.clip_id: c for c in clips}))
    (pool,) = split_pools(Recipe(splits={"train": 1.0}), library).values()
    assert {track: [c.clip_id for c in noise] for track, noise in pool.noise.items()} == {
        "event": ["keys"], "ambient": ["rain"],
    }  # fmt: skip
    assert pool.silent == {"rain", "keys", "song"}
    assert not pool.voices  # nobody wrote down what is said


@given(
    says=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    splits=st.sampled_from(
        [{"train": 1.0}, {"train": 0.8, "test": 0.2}, {"train": 0.9, "validation": 0.05, "test": 0.05}]
    ),
)
def test_a_speaker_is_heard_in_one_split_and_every_split_has_one(says: list[int], splits: dict[str, float]) -> None:
    clips = [
        clip(f"{speaker:04x}{i:012x}", "a person speaking", ("Speech",), kind="speech", transcript=f"number {i}")
        for speaker, count in enumerate(says)
        for i in range(count)
    ]
    clips = [replace(c, speaker=f"reader-{c.clip_id[:4]}", attribution="one corpus") for c in clips]
    library = cast(Library, SimpleNamespace(clips={c.clip_id: c for c in clips}))
    pools = split_pools(Recipe.model_validate({"splits": splits}), library)
    heard = {split: {v.speaker for v in pool.voices.get(("en", False), ())} for split, pool in pools.items()}
    assert sum(map(len, heard.values())) == len(says)
    assert sum(len(v.said) for pool in pools.values() for v in pool.voices.get(("en", False), ())) == len(clips)
    assert len(heard["train"]) == max(map(len, heard.values())) or len(says) <= 2 * len(splits)
    if len(says) >= len(splits):
        assert all(heard.values())
