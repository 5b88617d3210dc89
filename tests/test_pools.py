"""What of a library a split may use for what."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

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
    assert not pool.recordings  # nobody wrote down what is said
