"""The job that `compose.py` gives to everyone: streams of events, backgrounds and two noise beds from one library."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.corpus_plan import units_file
from pipeline.library.clip import Clip
from pipeline.library.library import Library
from pipeline.seeds import derive, rng
from pipeline.shards.writer import write_atomically
from schemas.plan import Refinement, ScenePlan, Step, StreamPlan, SubEvent
from schemas.recipe import Recipe
from schemas.unit import NoisePick, Offer, PlannedStream, Unit

FOREGROUND, BACKGROUND, STREAM_S = 10, 2, 60.0
LONGEST_S = 6.0


def recipe(gap_s: float, streams: int) -> Recipe:
    """Every feature on; no synthesis and no speech, so that all do the same."""
    return Recipe.model_validate(
        {
            "name": "bench",
            "streams": streams,
            "timing": {"gap_s": ["uniform", 0.5 * gap_s, 1.5 * gap_s]},
            "grounding": {"min_duration_ratio": 0.01, "max_duration_ratio": 100},
        }
    )


def gap_for(library: Library) -> float:
    """Mean gap with which a stream comes to about STREAM_S."""
    mean_s = float(np.mean([c.active_end - c.active_start for c in _events(library)])) / 16_000
    return max(0.2, (STREAM_S - FOREGROUND * mean_s - 4) / (FOREGROUND - 1))


def write_units(folder: Path, shard: str, library: Library, streams: range) -> None:
    """The planning pass's part of this job: the units of one shard."""
    units = (_unit(library, index) for index in streams)
    write_atomically(units_file(folder, shard), "".join(u.model_dump_json() + "\n" for u in units).encode())


def _events(library: Library) -> list[Clip]:
    usable = [
        c for c in library.clips.values() if c.kind == "sfx" and c.active_end - c.active_start < LONGEST_S * 16_000
    ]
    return [c for c in usable if c.track_class == "event" and c.snr_db >= 10] or usable


def _beds(library: Library) -> list[Clip]:
    clips = [c for c in library.clips.values() if c.kind == "sfx"]
    return [c for c in clips if c.track_class == "ambient"] or clips


def _unit(library: Library, index: int) -> Unit:
    draw = rng(0, index, "bench")
    events, beds = _events(library), _beds(library)
    chosen = [events[i] for i in draw.permutation(len(events))[: FOREGROUND + BACKGROUND]]
    under = [beds[i] for i in draw.permutation(len(beds))[:5]]
    parts = [*chosen, under[0]]
    roles = ["foreground"] * FOREGROUND + ["background"] * BACKGROUND + ["ambient"]
    sub_events = tuple(
        SubEvent(
            name=f"{clip.caption[:60]} {i}",
            role=role,
            rough_duration_s=(clip.active_end - clip.active_start) / 16_000,
            brief_description=clip.caption[:400] or "a sound",
        )
        for i, (clip, role) in enumerate(zip(parts, roles, strict=True))
    )
    plan = StreamPlan(
        ability="audio_understanding",
        sub_task="sound_event_qa",
        language="en",
        setting="anywhere",
        scene=ScenePlan(scenario="A place in the afternoon.", sub_events=sub_events),
        refinements=tuple(
            Refinement(query=c.caption[:200], fallback_caption=c.caption, accept_tags=c.tags or ("Sound",))
            for c in parts
        ),
        kinds=tuple(c.kind for c in parts),
        steps=tuple(
            Step(source="event", index=i, sub_task="sound_event_qa", decision="silent") for i in range(FOREGROUND)
        ),
    )
    offers = tuple((Offer(clip_id=c.clip_id, score=1.0),) for c in parts)
    noise = tuple(
        NoisePick(track=track, clip_ids=tuple(c.clip_id for c in pair), snr_db=snr_db)
        for track, pair, snr_db in (("event", under[1:3], 15.0), ("ambient", under[3:5], 20.0))
    )
    seed = derive(0, index, "scene")
    stream = PlannedStream(id=f"bench-train-{index:07d}", plan=plan, offers=offers)
    return Unit(split="train", seed=seed, pair_id=None, streams=(stream,), noise=noise)
