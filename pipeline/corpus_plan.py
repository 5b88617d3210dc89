"""The planning pass: everything that depends on other scenes, decided once and in order, before any shard is written.

Splits of clips and noise, quotas of sub-tasks, ids, pairs, seeds, near-duplicates and reuse caps are settled here; what
comes out is one list of units per shard, so that a shard is a pure function of its list.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.annotation.audit import Audit, audit
from pipeline.errors import BadInput, SceneRejected
from pipeline.grounding.search import Usage, offers
from pipeline.library.clip import Clip
from pipeline.library.library import Library
from pipeline.planning.annotations import Annotation
from pipeline.planning.streams import plan_stream
from pipeline.seeds import derive, rng
from pipeline.shards.corpus import Quarantined
from pipeline.shards.writer import write_atomically
from pipeline.synthesis.kinds import KINDS
from pipeline.timing import to_seconds
from schemas.plan import StreamPlan
from schemas.recipe import Recipe
from schemas.taxonomy import ABILITY_OF
from schemas.unit import NoisePick, Offer, PlannedStream, Unit

ATTEMPTS = 8
"""Draws of a scene before it is given up and quarantined."""
MAX_TAKES = 8
NOISE_CLIPS_PER_TRACK = 2
EVENT_NOISE_KINDS = ("keyboard_typing", "page_turn", "footsteps_wood", "dishes_clatter")
AMBIENT_NOISE_KINDS = ("room_tone", "street_bed", "office_bed", "forest_bed")


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """One shard to be, before quarantine."""

    name: str
    streams: int


def units_file(folder: Path, shard: str) -> Path:
    """The JSON-lines file that holds a shard's part of the plan."""
    return folder / f"{shard}.jsonl"


@dataclass(frozen=True, slots=True)
class Pool:
    """The clips of one split that the recipe and the audit admit."""

    annotations: tuple[Annotation, ...]
    silent: frozenset[str]
    respond: frozenset[str]
    noise: Mapping[str, tuple[Clip, ...]]
    """By track: "event" and "ambient"; only clips that the audit calls silent."""


@dataclass(slots=True)
class _Progress:
    usage: Usage
    scenarios: set[str] = field(default_factory=set)


def plan_corpus(
    recipe: Recipe,
    library: Library,
    folder: Path,
    *,
    limit: int | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[ShardPlan], list[Quarantined]]:
    """Decide the whole corpus and write each shard's units to `folder`.

    Args:
        recipe: what to build.
        library: an indexed library.
        folder: receives one JSON-lines file of units per shard.
        limit: build only the first so many streams.
        on_progress: called with (streams planned, streams in all).

    Returns:
        The shards in order, and the scenes that could not be planned.

    Raises:
        BadInput: nothing in the library may enter under the recipe's licences and policy.
    """
    pools = split_pools(recipe, library)
    wanted = min(recipe.streams, limit or recipe.streams)
    progress = _Progress(Usage(recipe.scene.max_reuse))
    shards: list[ShardPlan] = []
    rejected: list[Quarantined] = []
    done = 0
    for split, rows in apportion(recipe.splits, wanted).items():
        count = -(-rows // recipe.streams_per_shard)
        units = _plan_split(recipe, library, split, rows, pools[split], progress, rejected)
        pending: list[Unit] = []
        planned = 0
        for index in range(count):
            name = f"{split}-{index:05d}-of-{count:05d}"
            before, upto = planned, min(rows, (index + 1) * recipe.streams_per_shard)
            while planned < upto:
                rows_used, unit = next(units)
                planned += rows_used
                if unit is not None:
                    pending.append(unit)
                on_progress(done + planned, wanted)
            write_atomically(units_file(folder, name), "".join(u.model_dump_json() + "\n" for u in pending).encode())
            shards.append(ShardPlan(name, planned - before))
            pending = []
        done += rows
    return shards, rejected


def read_units(path: Path) -> Iterator[Unit]:
    """Units of one shard in order."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield Unit.model_validate_json(line)


def _plan_split(
    recipe: Recipe,
    library: Library,
    split: str,
    rows: int,
    pool: Pool,
    progress: _Progress,
    rejected: list[Quarantined],
) -> Iterator[tuple[int, Unit | None]]:
    """Yield (rows taken, unit or None where the scene was given up) until `rows` are used."""
    first_row = 0
    for sub_task, paired in _order(recipe, split, rows):
        size = 2 if paired else 1
        ids = tuple(f"{recipe.name}-{split}-{first_row + i:07d}" for i in range(size))
        seed = derive(recipe.seed, ids[0], "scene")
        first_row += size
        try:
            yield size, _plan_unit(recipe, library, split, sub_task, ids, seed, pool, progress)
        except SceneRejected as rejection:
            rejected.extend(
                Quarantined(row_id, split, sub_task, rejection.stage, rejection.reason, "", seed) for row_id in ids
            )
            yield size, None


def _plan_unit(
    recipe: Recipe,
    library: Library,
    split: str,
    sub_task: str,
    ids: tuple[str, ...],
    seed: int,
    pool: Pool,
    progress: _Progress,
) -> Unit:
    generator = rng(seed, ids[0], "planning")
    reason = ""
    for _ in range(ATTEMPTS):
        try:
            plans = plan_stream(
                sub_task,
                _bag(pool, recipe.planner.bag_size, generator),
                recipe=recipe,
                rng=generator,
                audit=audit,
                pair=len(ids) == 2,
            )
        except SceneRejected as rejection:
            reason = f"{rejection.stage}: {rejection.reason}"
            continue
        fingerprint = _fingerprint(plans[0])
        if fingerprint in progress.scenarios:
            reason = "the same scenario with the same events was planned before"
            continue
        progress.scenarios.add(fingerprint)
        streams = tuple(
            PlannedStream(id=row_id, plan=plan, offers=found)
            for row_id, plan, found in zip(
                ids, plans, _offers(recipe, library, plans, pool, progress.usage, generator), strict=True
            )
        )
        return Unit(
            split=split,
            seed=seed,
            pair_id=f"pair-{ids[0]}" if len(ids) == 2 else None,
            streams=streams,
            noise=_noise(recipe, plans, pool, generator),
        )
    raise SceneRejected("planning", f"gave up after {ATTEMPTS} draws; the last: {reason}")


def _fingerprint(plan: StreamPlan) -> str:
    # Prefixes keep a million of these small.
    words = [plan.scene.scenario, *(e.name for e in plan.scene.sub_events), *(u.text for u in plan.dialogue)]
    return hashlib.sha256("\x1f".join(words).encode()).hexdigest()[:16]


def _offers(
    recipe: Recipe,
    library: Library,
    plans: Sequence[StreamPlan],
    pool: Pool,
    usage: Usage,
    generator: np.random.Generator,
) -> list[tuple[tuple[Offer, ...], ...]]:
    """Clips per plan and sub-event. The sides of a pair share all but their cue."""
    first = _offers_of(recipe, library, plans[0], range(len(plans[0].refinements)), pool, usage, generator)
    found = [tuple(first[i] for i in range(len(first)))]
    for plan in plans[1:]:
        assert plan.pair is not None
        cue = plan.steps[plan.pair.step].index
        other = _offers_of(recipe, library, plan, [cue], pool, usage, generator)
        found.append(tuple(other.get(i, offered) for i, offered in first.items()))
    return found


def _offers_of(
    recipe: Recipe,
    library: Library,
    plan: StreamPlan,
    indices: Sequence[int],
    pool: Pool,
    usage: Usage,
    generator: np.random.Generator,
) -> dict[int, tuple[Offer, ...]]:
    answered = {step.index for step in plan.steps if step.source == "event" and step.decision == "respond"}
    found: dict[int, tuple[Offer, ...]] = {}
    for wanted, allowed in (
        ([i for i in indices if i in answered], pool.silent | pool.respond),
        ([i for i in indices if i not in answered], pool.silent),
    ):
        offered = offers(
            library,
            [plan.refinements[i] for i in wanted],
            allowed=allowed,
            params=recipe.grounding,
            usage=usage,
            rng=generator,
        )
        found.update(zip(wanted, offered, strict=True))
    return dict(sorted(found.items()))


def _noise(
    recipe: Recipe, plans: Sequence[StreamPlan], pool: Pool, generator: np.random.Generator
) -> tuple[NoisePick, ...]:
    """Two beds that nothing in the stream could be mistaken for."""
    if not recipe.noise.enabled:
        return ()
    heard = {tag.lower() for plan in plans for r in plan.refinements for tag in r.accept_tags}
    picks: list[NoisePick] = []
    for track, snr, kinds in (
        ("event", recipe.noise.event_snr_db, EVENT_NOISE_KINDS),
        ("ambient", recipe.noise.ambient_snr_db, AMBIENT_NOISE_KINDS),
    ):
        clips = [c for c in pool.noise[track] if not heard & {tag.lower() for tag in c.tags}]
        chosen = [clips[i] for i in generator.permutation(len(clips))[:NOISE_CLIPS_PER_TRACK]]
        fitting = [k for k in kinds if not heard & {tag.lower() for tag in KINDS[k].tags}] or list(kinds)
        picks.append(
            NoisePick(
                track=track,
                clip_ids=tuple(c.clip_id for c in chosen),
                generated_kind=None if chosen else fitting[int(generator.integers(len(fitting)))],
                snr_db=snr.sample(generator),
            )
        )
    return tuple(picks)


def _bag(pool: Pool, size: int, generator: np.random.Generator) -> tuple[Annotation, ...]:
    """Annotations of `size` clips, of as many classes as there are."""
    by_class: dict[str, list[Annotation]] = defaultdict(list)
    for i in generator.permutation(len(pool.annotations)):
        annotation = pool.annotations[i]
        by_class[annotation.tags[0] if annotation.tags else annotation.caption].append(annotation)
    rounds = max((len(group) for group in by_class.values()), default=0)
    dealt = [group[turn] for turn in range(rounds) for group in by_class.values() if turn < len(group)]
    return tuple(dealt[:size])


def split_pools(recipe: Recipe, library: Library) -> dict[str, Pool]:
    """Partition the library: every clip belongs to one split, and each class to as many of them as its size allows.

    Raises:
        BadInput: no clip has a licence that the recipe admits.
    """
    admitted = [c for c in library.clips.values() if recipe.licences is None or c.licence in recipe.licences]
    if not admitted:
        raise BadInput(
            f"no clip of the library has a licence in {list(recipe.licences or ())!r}; "
            "`streamaudio library info` lists what it has"
        )
    clips: dict[str, list[Clip]] = {split: [] for split in recipe.splits}
    for done, recording in enumerate(_recordings(admitted), start=1):
        # Dealing to whoever lacks most spreads neighbours, which are of one class, over the splits.
        split = max(recipe.splits, key=lambda name: recipe.splits[name] * done - len(clips[name]))
        clips[split].extend(recording)
    audits = {c.clip_id: audit(c.caption, c.tags, policy=recipe.policy) for c in admitted}
    return {split: _pool(members, audits) for split, members in clips.items()}


def _recordings(clips: Sequence[Clip]) -> list[list[Clip]]:
    """Takes of one recording stay together, or one sound would sit in two splits; ordered by class, then by hash."""
    grouped: dict[str, list[Clip]] = defaultdict(list)
    authors = Counter(c.attribution for c in clips)
    for clip in clips:
        # An attribution shared by many clips names an author or a collection, not a recording.
        alone = not clip.attribution or authors[clip.attribution] > MAX_TAKES
        grouped[clip.clip_id if alone else clip.attribution].append(clip)
    return sorted(grouped.values(), key=lambda takes: (takes[0].tags[:1], min(c.sha256 for c in takes)))


def _pool(clips: Sequence[Clip], audits: Mapping[str, Audit]) -> Pool:
    sounds = [c for c in clips if c.kind != "speech" and audits[c.clip_id].label != "borderline"]
    silent = [c for c in sounds if audits[c.clip_id].label == "silent"]
    return Pool(
        annotations=tuple(_annotation(c, audits[c.clip_id]) for c in sounds),
        silent=frozenset(c.clip_id for c in silent),
        respond=frozenset(c.clip_id for c in sounds) - frozenset(c.clip_id for c in silent),
        noise={
            track: tuple(c for c in silent if c.track_class == track and c.kind == "sfx")
            for track in ("event", "ambient")
        },
    )


def _annotation(clip: Clip, judged: Audit) -> Annotation:
    lengths = [end - start for start, end in clip.occurrences]
    return Annotation(
        clip_id=clip.clip_id,
        caption=clip.caption,
        tags=clip.tags,
        kind=clip.kind,
        duration_s=to_seconds(clip.active_end - clip.active_start),
        single_s=to_seconds(int(np.median(lengths))) if lengths and clip.track_class == "event" else None,
        label=judged.label,
        criterion=judged.criterion,
        sustained=clip.track_class == "ambient",
    )


def _order(recipe: Recipe, split: str, rows: int) -> list[tuple[str, bool]]:
    """The split's sub-tasks in shuffled order, each with whether it is a pair (which takes two rows)."""
    slots: list[tuple[str, bool]] = []
    for sub_task, count in apportion(recipe.mixture, rows).items():
        share = recipe.pairs if ABILITY_OF[sub_task] == "proactive_response" else 0.0
        pairs = round(count * share / 2)
        slots += [(sub_task, True)] * pairs + [(sub_task, False)] * (count - 2 * pairs)
    generator = rng(recipe.seed, split, "order")
    return [slots[i] for i in generator.permutation(len(slots))]


def apportion(weights: Mapping[str, float], total: int) -> dict[str, int]:
    """Whole numbers that sum to `total` in proportion to `weights` (largest remainder, ties to the earlier key)."""
    scale = total / sum(weights.values())
    exact = {key: weight * scale for key, weight in weights.items()}
    counts = {key: int(value) for key, value in exact.items()}
    by_remainder = sorted(exact, key=lambda key: counts[key] - exact[key])
    for key in by_remainder[: total - sum(counts.values())]:
        counts[key] += 1
    return counts
