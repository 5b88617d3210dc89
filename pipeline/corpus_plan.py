"""The planning pass: everything that depends on other scenes, decided once and in order, before any shard is written.

Splits of clips and noise, quotas of sub-tasks, ids, pairs, seeds, near-duplicates and reuse caps are settled here; what
comes out is one list of units per shard, so that a shard is a pure function of its list.

Each scene is drafted on its own (by a language model, many at once), and committed in order: only there do near-
duplicates and reuse caps look at other scenes, so nothing depends on who was drafted first.
"""

from __future__ import annotations

import contextlib
import functools
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from pipeline.annotation.model import ModelAuditor
from pipeline.errors import ReplyRejected, SceneRejected
from pipeline.grounding.search import Usage, offers
from pipeline.language.crew import Crew, rejection
from pipeline.language.ordered import in_order
from pipeline.library.library import Library
from pipeline.past import Past, fingerprint
from pipeline.planning.annotations import Annotation
from pipeline.planning.blocks import no_haste
from pipeline.planning.model import ModelScenes, speakable
from pipeline.planning.scenarios import Scenarios
from pipeline.planning.streams import plan_stream, read_texts
from pipeline.planning.wording import look_back, write_replies
from pipeline.pools import Pool, split_pools
from pipeline.seeds import rng
from pipeline.shards.corpus import Quarantined
from pipeline.shards.writer import write_atomically
from pipeline.slots import Slot, apportion, slots_of
from pipeline.synthesis.kinds import KINDS
from schemas.distributions import Distribution
from schemas.plan import StreamPlan
from schemas.provenance import FallbackRecord
from schemas.recipe import ModelPlanner, Recipe
from schemas.unit import NoisePick, Offer, PlannedStream, Unit

_T = TypeVar("_T")

ATTEMPTS = 8
"""Draws of a scene before it is given up and quarantined."""
LAG = 64
"""Scenes that are committed before one that had to be drawn again; fixed, so that it matters to nobody how many scenes
are drafted at once."""
LOOKED_AT = 32
"""So many times the clips that a scene takes are looked at, however large the library is."""
NOISE_CLIPS_PER_TRACK = 2
EVENT_NOISE_KINDS = ("keyboard_typing", "page_turn", "footsteps_wood", "dishes_clatter")
AMBIENT_NOISE_KINDS = ("room_tone", "street_bed", "office_bed", "forest_bed")


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """One shard to be, before quarantine."""

    name: str
    streams: int


def streams_of(recipe: Recipe, limit: int | None) -> int:
    """How many streams a build plans."""
    return min(recipe.streams, limit or recipe.streams)


def units_file(folder: Path, shard: str) -> Path:
    """The JSON-lines file that holds a shard's part of the plan."""
    return folder / f"{shard}.jsonl"


@dataclass(frozen=True, slots=True)
class _Draft:
    """A unit before it is compared with others: the first of its attempts that makes a scene, or why none did."""

    slot: Slot
    attempt: int
    unlike: tuple[str, ...] = ()
    """Scenarios it had to differ from."""
    plans: tuple[StreamPlan, ...] = ()
    noise: tuple[NoisePick, ...] = ()
    fallbacks: tuple[FallbackRecord, ...] = ()
    rejection: SceneRejected | None = None


@dataclass(slots=True)
class _Committed:
    """What the scenes committed so far have used up."""

    usage: Usage
    scenarios: Scenarios
    fingerprints: set[str]

    @staticmethod
    def after(past: Past, recipe: Recipe, library: Library) -> _Committed:
        """Where an earlier version left off."""
        usage = Usage(recipe.scene.max_reuse)
        scenarios = Scenarios(library.index(recipe.grounding.encoder).encoder)
        usage.counts.update(past.uses)
        if isinstance(recipe.planner, ModelPlanner):
            for scenario in past.scenarios:
                scenarios.near_duplicate(scenario)
        return _Committed(usage, scenarios, set(past.fingerprints))


def plan_corpus(
    recipe: Recipe, library: Library, folder: Path, *, crew: Crew, limit: int | None = None, past: Past | None = None
) -> tuple[list[ShardPlan], list[Quarantined]]:
    """All of `plan_shards`: the shards in order, and the scenes that could not be planned.

    Raises as that and `split_pools`.
    """
    past = past or Past()
    pools = split_pools(recipe, library, past.splits)
    shards, rejected = list[ShardPlan](), list[Quarantined]()
    for shard, without in plan_shards(recipe, library, pools, folder, crew=crew, limit=limit, past=past):
        shards.append(shard)
        rejected.extend(without)
    return shards, rejected


def plan_shards(
    recipe: Recipe,
    library: Library,
    pools: Mapping[str, Pool],
    folder: Path,
    *,
    crew: Crew,
    limit: int | None = None,
    past: Past,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Generator[tuple[ShardPlan, list[Quarantined]]]:
    """Decide the whole corpus, or a version of it, and write each shard's units to `folder`.

    Nothing that is planned later changes a shard that was yielded.

    Args:
        recipe: what to build.
        library: an indexed library.
        pools: its clips by split.
        folder: receives one JSON-lines file of units per shard.
        crew: the language model in the roles that the recipe gives it.
        limit: build only the first so many streams.
        past: what earlier versions used up: no id, seed or scene comes again, and no clip changes its split.
        on_progress: called with (streams planned, streams in all).

    Yields:
        The shards in order, each with its scenes that could not be planned.

    Raises:
        EndpointDown, BudgetReached, ReplyMissing: the model cannot be asked; nothing is quarantined because of it.
    """
    wanted = streams_of(recipe, limit)
    by_split = apportion(recipe.splits, wanted)
    done = 0
    with contextlib.closing(_units(recipe, library, pools, crew, by_split, past)) as units:
        for split, rows in by_split.items():
            count = -(-rows // recipe.streams_per_shard)
            planned = 0
            for index in range(count):
                name = f"{split}-{index:05d}-of-{count:05d}"
                before, upto = planned, min(rows, (index + 1) * recipe.streams_per_shard)
                pending, rejected = list[str](), list[Quarantined]()
                while planned < upto:
                    slot, unit = next(units)
                    planned += len(slot.ids)
                    if isinstance(unit, Unit):
                        pending.append(unit.model_dump_json() + "\n")
                    else:
                        rejected.extend(_quarantined(slot, unit))
                    on_progress(done + planned, wanted)
                write_atomically(units_file(folder, name), "".join(pending).encode())
                yield ShardPlan(name, planned - before), rejected
            done += rows


def _units(
    recipe: Recipe, library: Library, pools: Mapping[str, Pool], crew: Crew, by_split: Mapping[str, int], past: Past
) -> Generator[tuple[Slot, Unit | SceneRejected]]:
    """Every unit in the order of its slot, or why there is none. A double of another scene is drawn again, meanwhile
    others are committed."""
    committed = _Committed.after(past, recipe, library)
    draft = functools.partial(_draft, recipe, pools, crew)
    threads = crew.threads if crew.takes("planner", "refiner", "auditor", "responder", "rewriter") else 0
    settled: dict[int, tuple[Slot, Unit | SceneRejected]] = {}
    again: deque[tuple[int, int, Future[_Draft]]] = deque()

    def settle(number: int, drafted: _Draft, now: int) -> None:
        slot, double = drafted.slot, _double(drafted, committed)
        if drafted.rejection is not None:
            settled[number] = slot, drafted.rejection
        elif double is None:
            settled[number] = slot, _commit(drafted, recipe, library, pools[slot.split], committed)
        elif drafted.attempt + 1 == ATTEMPTS:
            reason = f"after {ATTEMPTS} draws still too much like a scene before: {double!r}"
            settled[number] = slot, SceneRejected("planning", reason)
        else:
            unlike = (*drafted.unlike, double)
            again.append((now + LAG, number, redrawers.submit(draft, slot, drafted.attempt + 1, unlike)))

    read_texts()
    drafts = in_order(draft, slots_of(recipe, by_split, version=past.version, before=past.sub_tasks), threads=threads)
    redrawers = ThreadPoolExecutor(max(1, threads), thread_name_prefix="again")
    first = now = 0
    try:
        with contextlib.closing(drafts):
            for now, drafted in enumerate(drafts):
                settle(now, drafted, now)
                while again and again[0][0] <= now:
                    _, number, redrawn = again.popleft()
                    settle(number, redrawn.result(), now)
                while first in settled:
                    yield settled.pop(first)
                    first += 1
        while again:
            _, number, redrawn = again.popleft()
            settle(number, redrawn.result(), now)
        yield from (settled[number] for number in sorted(settled))
    finally:
        redrawers.shutdown(wait=False, cancel_futures=True)


def read_units(path: Path) -> Iterator[Unit]:
    """Units of one shard in order."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield Unit.model_validate_json(line)


def _draft(
    recipe: Recipe,
    pools: Mapping[str, Pool],
    crew: Crew,
    slot: Slot,
    first_attempt: int = 0,
    unlike: tuple[str, ...] = (),
) -> _Draft:
    """Draw scenes until one suits the sub-task. Depends on its arguments and the model's replies, on no other scene."""
    pool = pools[slot.split]
    reason = ""
    for attempt in range(first_attempt, ATTEMPTS):
        generator = rng(slot.seed, slot.ids[0], f"planning {attempt}")
        scene_crew = crew.scene(slot.ids[0], sample_index=attempt)
        try:
            plans = plan_stream(
                slot.sub_task,
                _bag(pool, recipe.planner.bag_size, generator),
                recipe=recipe,
                rng=generator,
                audit=ModelAuditor(scene_crew),
                plan_scene=ModelScenes(scene_crew, unlike),
                ahead=scene_crew.ahead if crew.takes("auditor") else no_haste,
                pair=slot.pair,
                turn=slot.turn,
                voices=pool.voices,
            )
            plans = write_replies([speakable(look_back(plan, scene_crew), scene_crew) for plan in plans], scene_crew)
        except SceneRejected as rejected:
            reason = f"{rejected.stage}: {rejected.reason}"
            continue
        except ReplyRejected as rejected:
            return _Draft(slot, attempt, unlike, rejection=rejection(rejected))
        noise = _noise(recipe, plans, pool, rng(slot.seed, slot.ids[0], "noise"))
        return _Draft(slot, attempt, unlike, plans, noise, scene_crew.stood_in())
    gave_up = SceneRejected("planning", f"gave up after {ATTEMPTS} draws; the last: {reason}")
    return _Draft(slot, ATTEMPTS, unlike, rejection=gave_up)


def _double(draft: _Draft, committed: _Committed) -> str | None:
    """The scenario of a committed scene that the draft's repeats; None where it is new, or no draft."""
    if draft.rejection is not None:
        return None
    plan = draft.plans[0]
    if fingerprint(plan) in committed.fingerprints:
        return plan.scene.scenario
    return committed.scenarios.near_duplicate(plan.scene.scenario) if "planner" in plan.by_model else None


def _commit(draft: _Draft, recipe: Recipe, library: Library, pool: Pool, committed: _Committed) -> Unit:
    """The unit of a draft; its clips count as used."""
    slot = draft.slot
    committed.fingerprints.add(fingerprint(draft.plans[0]))
    draw = rng(slot.seed, slot.ids[0], "offers")
    found = _offers(recipe, library, draft.plans, pool, committed.usage, draw)
    return Unit(
        split=slot.split,
        seed=slot.seed,
        pair_id=f"pair-{slot.ids[0]}" if slot.pair else None,
        streams=tuple(
            PlannedStream(id=row_id, plan=plan, offers=offered)
            for row_id, plan, offered in zip(slot.ids, draft.plans, found, strict=True)
        ),
        noise=draft.noise,
        fallbacks=draft.fallbacks,
    )


def _quarantined(slot: Slot, rejected: SceneRejected) -> list[Quarantined]:
    return [
        Quarantined(row_id, slot.split, slot.sub_task, rejected.stage, rejected.reason, "", slot.seed)
        for row_id in slot.ids
    ]


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
    # A danger is grounded in a clip that is one, everything else in a clip that is none.
    criteria = {
        step.index: step.criterion for step in plan.steps if step.source == "event" and step.decision == "respond"
    }
    found: dict[int, tuple[Offer, ...]] = {}
    for criterion in sorted({criteria.get(i) or "" for i in indices}):
        wanted = [i for i in indices if (criteria.get(i) or "") == criterion]
        offered = offers(
            library,
            [plan.refinements[i] for i in wanted],
            allowed=pool.respond.get(criterion, frozenset()) if criterion else pool.silent,
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
    noisy = any(step.sub_task == "noisy_speech" for plan in plans for step in plan.steps)
    if not (recipe.noise.enabled or noisy):
        return ()
    ambient_snr_db = recipe.noise.noisy_snr_db if noisy else recipe.noise.ambient_snr_db
    heard = {tag.lower() for plan in plans for r in plan.refinements for tag in r.accept_tags}
    picks: list[NoisePick] = []
    tracks: tuple[tuple[Literal["event", "ambient"], Distribution, tuple[str, ...]], ...] = (
        ("event", recipe.noise.event_snr_db, EVENT_NOISE_KINDS),
        ("ambient", ambient_snr_db, AMBIENT_NOISE_KINDS),
    )
    for track, snr, kinds in tracks:
        clips = _some(pool.noise[track], NOISE_CLIPS_PER_TRACK * LOOKED_AT, generator)
        chosen = [c for c in clips if not heard & {tag.lower() for tag in c.tags}][:NOISE_CLIPS_PER_TRACK]
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
    """Annotations of `size` clips, of as many classes as there are among those looked at."""
    by_class: dict[str, list[Annotation]] = defaultdict(list)
    for annotation in _some(pool.annotations, size * LOOKED_AT, generator):
        by_class[annotation.tags[0] if annotation.tags else annotation.caption].append(annotation)
    rounds = max((len(group) for group in by_class.values()), default=0)
    dealt = [group[turn] for turn in range(rounds) for group in by_class.values() if turn < len(group)]
    return tuple(dealt[:size])


def _some(members: Sequence[_T], most: int, generator: np.random.Generator) -> list[_T]:
    """At most `most` of them in drawn order, in time that does not grow with their number."""
    chosen = generator.choice(len(members), size=min(most, len(members)), replace=False) if members else ()
    return [members[int(i)] for i in chosen]
