"""A corpus from its plan: one shard at a time, then publication. `flows/build_corpus.py` runs this."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa
from threadpoolctl import threadpool_limits

from pipeline.captioning import open_captioner
from pipeline.config import recipe_sha256
from pipeline.corpus_plan import ShardPlan, plan_shards, read_units, units_file
from pipeline.draft import Tools
from pipeline.errors import SceneRejected, StreamAudioError
from pipeline.grounding.search import with_threshold
from pipeline.language.crew import Crew, open_crew
from pipeline.language.ordered import in_order
from pipeline.language.spending import keep_measured, spending
from pipeline.library.fetch import local_library
from pipeline.library.hybrid import TAGS
from pipeline.library.library import Library
from pipeline.past import Past
from pipeline.planning.instructions import Instruction, as_lines, instructions_sha256, load_instructions
from pipeline.planning.streams import read_texts
from pipeline.pools import split_pools
from pipeline.rooms import load_rooms, rooms_sha256
from pipeline.scene import build_unit, generate_unit
from pipeline.shards.card import write_card
from pipeline.shards.corpus import TEXT_ONLY, CorpusFolder, Quarantined, ShardReport, Tally, manifest
from pipeline.shards.realised import Realised
from pipeline.shards.timings import OPENING, PLANNING, Begun, keep
from pipeline.shards.writer import write_atomically, write_shard
from pipeline.sounds import Conditioner
from pipeline.storage import Location, local_file, put_files, read, scratch
from pipeline.synthesis.asr import open_check
from pipeline.synthesis.generators import open_generators
from pipeline.synthesis.made import MadeCache
from pipeline.synthesis.voices import open_speech
from pipeline.timing import to_seconds
from schemas.recipe import ModelPlanner, Recipe
from schemas.row import Row
from schemas.unit import Unit

LEDGER = "language.sqlite"
"""What the language model took, in `.state`: one file for all workers and all resumes of a build."""
PLAN = "plan/plan.json"
"""The plan without its units, in `.state`; written when all is planned."""
PROGRESS_S = 0.2
VERSIONED = ("streamaudio-builder", "numpy", "scipy", "soundfile", "pyarrow", "faiss-cpu")
"""Packages whose version can change a shard's bytes."""


def identity(recipe: Recipe, library: Library, limit: int | None, past: Past | None = None) -> dict[str, Any]:
    """What a resume must share with the build it goes on with."""
    instructions = _instructions(recipe)
    after = {"version": past.version, "follows": past.follows} if past is not None and past.follows else {}
    return after | {
        "recipe_sha256": recipe_sha256(recipe),
        "library_sha256": library.hash,
        "index_sha256": _index_sha256(recipe, library),
        "rooms_sha256": rooms_sha256(load_rooms(recipe.composition.room_ir)),
        "instructions_sha256": None if instructions is None else instructions_sha256(instructions),
        "limit": limit,
        "builder": metadata.version("streamaudio-builder"),
    }


def _index_sha256(recipe: Recipe, library: Library) -> str:
    """Of what the library's indexes say about themselves: encoders, kind, calibration."""
    names = [n for n in recipe.grounding.hybrid or [recipe.grounding.encoder] if n != TAGS]
    facts = [library.index(name).facts for name in sorted(names)]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Plan:
    """The planning pass's result: shards in order, and scenes that could not be planned."""

    shards: tuple[ShardPlan, ...]
    rejected: tuple[Quarantined, ...]


def planning(
    folder: CorpusFolder,
    recipe: Recipe,
    library: Library,
    *,
    crew: Crew,
    limit: int | None,
    past: Past | None = None,
    on_progress: Callable[[int, int], None],
) -> Generator[ShardPlan]:
    """The planning pass: every shard, once it can be built. A resume reads what it wrote, or, where it was cut short,
    plans the same again.

    Raises as `split_pools` and `plan_shards`.
    """
    done = folder.state / PLAN
    if read(done) is not None:
        yield from read_plan(folder).shards
        return
    # As long for one stream as for a million: no part of what a stream takes.
    begun, past = Begun.now(), past or Past()
    read_texts()
    _ = library.index(recipe.grounding.encoder).encoder
    pools = split_pools(recipe, library, past.splits)
    keep(folder.state, OPENING, begun.timings(0, 0.0, 0, {}, rest=OPENING))
    here, begun = scratch(folder.root) / "plan", Begun.now()
    shards, rejected = list[ShardPlan](), list[Quarantined]()
    coming = plan_shards(recipe, library, pools, here, crew=crew, limit=limit, past=past, on_progress=on_progress)
    # The library is asked for one thing at a time; further threads would nearly double what that takes of processors.
    with contextlib.closing(coming), threadpool_limits(1):
        for shard, without in coming:
            if not isinstance(done, Path):
                put_files(done.parent, [units_file(here, shard.name)])
            shards.append(shard)
            rejected.extend(without)
            paused = Begun.now()
            yield shard
            begun = begun.without(paused)
    saved = {"shards": [asdict(s) for s in shards], "rejected": [asdict(q) for q in rejected]}
    keep(folder.state, PLANNING, begun.timings(sum(shard.streams for shard in shards), 0.0, 0, {}, rest=PLANNING))
    write_atomically(done, json.dumps(saved, ensure_ascii=False).encode())


def read_plan(folder: CorpusFolder) -> Plan:
    """What the planning pass decided, once it is over."""
    saved = json.loads((folder.state / PLAN).read_bytes())
    return Plan(tuple(ShardPlan(**s) for s in saved["shards"]), tuple(Quarantined(**q) for q in saved["rejected"]))


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a worker finds all it needs: only paths, so that it crosses to other processes and machines."""

    root: Location
    library_path: Location
    replay_only: bool = False

    @staticmethod
    def prepare(
        folder: CorpusFolder, recipe: Recipe, library_path: Location, *, replay_only: bool = False
    ) -> Workplace:
        """Write down the recipe for the workers."""
        write_atomically(folder.state / "recipe.json", recipe.model_dump_json().encode())
        return Workplace(folder.root, library_path, replay_only)

    def crew(self, recipe: Recipe) -> Crew:
        """The language model in its roles; all workers share one ledger."""
        return open_crew(recipe, self.ledger, replay_only=self.replay_only)

    def spending(self, recipe: Recipe) -> dict[str, Any] | None:
        """Requests, tokens and money of this build so far: in all, per role and per scene; None without a model."""
        if not isinstance(recipe.planner, ModelPlanner):
            return None
        return spending(self.ledger, recipe.planner)

    @property
    def ledger(self) -> Path:
        """What the language model took: a file of this machine."""
        return scratch(self.root) / LEDGER

    @property
    def folder(self) -> CorpusFolder:
        """The corpus that is built."""
        return CorpusFolder(self.root)

    def report_progress(self, shard: str, streams_done: int) -> None:
        """Note how far a shard is, for the progress display."""
        path = scratch(self.root) / "progress" / shard
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(streams_done), encoding="utf-8")

    def progress(self) -> int:
        """Streams done, those of finished shards included."""
        # A worker may be writing its count just now; an empty file is no count yet.
        counts = [(path.read_text(encoding="utf-8") or "0") for path in (scratch(self.root) / "progress").glob("*")]
        return sum(int(count) for count in counts)


@functools.lru_cache(maxsize=1)
def open_tools(workplace: Workplace) -> Tools:
    """Everything a worker needs, opened once per process, which then computes on one thread."""
    _on_one_thread()
    recipe = Recipe.model_validate_json((workplace.folder.state / "recipe.json").read_bytes())
    library = Library.open(local_library(workplace.library_path))
    made = MadeCache.at(recipe.synthesis.cache)
    tools = Tools(
        recipe=recipe,
        recipe_sha256=recipe_sha256(recipe),
        grounding=with_threshold(recipe.grounding, library),
        library=library,
        speech=open_speech(recipe.speech, made),
        check_speech=open_check(recipe.asr, made),
        condition=Conditioner(recipe.conditioning, library.conditioned),
        generators=open_generators(recipe.synthesis, made, library.conditioned),
        captioner=open_captioner(recipe, library, made, workplace.ledger),
        made=made,
        crew=workplace.crew(recipe),
        rooms=load_rooms(recipe.composition.room_ir),
    )
    # Modules, models of rows and the library stay; looking through them again and again took a sixth of a build.
    gc.collect()
    gc.freeze()
    return tools


def _on_one_thread() -> None:
    # What is loaded by now, and what will be.
    threadpool_limits(1)
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")


def _give_memory_back() -> None:
    """Return what is freed to the system: a shard with long sounds then swells its worker for no longer than it takes.

    Arrow's pool and glibc would keep it. Done after every array, this would cost a tenth of the time.
    """
    pa.default_memory_pool().release_unused()
    with contextlib.suppress(AttributeError, TypeError):  # glibc's alone
        ctypes.CDLL(None).malloc_trim(0)


def generate_shard(workplace: Workplace, name: str) -> dict[str, bytes]:
    """Have all that a shard needs made by the recipe's generators, voices, captioner and speech check.

    `build_shard` then takes it from their cache and asks none of their models. Returns that cache's files, for a
    machine that does not share it; some 0.3 MB for 10 s of sound.
    """
    folder = workplace.folder
    if folder.finished(name) is not None:
        return {}
    tools = open_tools(workplace)

    def generate(unit: Unit) -> None:
        with contextlib.suppress(SceneRejected):  # It will be again, and told, when it is built.
            generate_unit(unit, tools)

    with _units(folder, name) as units, tools.made.noted() as keys:
        for _ in in_order(generate, units, threads=_threads(tools)):
            pass
    return tools.made.files(keys)


def build_shard(workplace: Workplace, name: str, made: Mapping[str, bytes] | None = None) -> ShardReport:
    """Build one shard, write it, mark it; returns at once where it is already there.

    `made` is what `generate_shard` returned, perhaps elsewhere.
    """
    folder = workplace.folder
    before = folder.finished(name)
    if before is not None:
        return before
    tools = open_tools(workplace)
    tools.made.take(made or {})
    begun = Begun.now()
    tools.watch.take()
    tally, realised, quarantined = Tally(), Realised(tools.recipe), list[Quarantined]()

    def build(unit: Unit) -> tuple[Unit, tuple[Row, ...] | SceneRejected]:
        try:
            return unit, build_unit(unit, tools)
        except SceneRejected as rejected:
            return unit, rejected

    def rows(units: Iterator[Unit]) -> Iterator[Row]:
        done, reported = 0, -math.inf
        for unit, built in in_order(build, units, threads=_threads(tools)):
            done += len(unit.streams)
            if isinstance(built, SceneRejected):
                quarantined.extend(_rejected(unit, built))
            else:
                for row in built:
                    tally.add(row)
                    realised.add(row)
                    yield row
            if time.monotonic() - reported > PROGRESS_S:
                workplace.report_progress(name, done)
                reported = time.monotonic()
        workplace.report_progress(name, done)

    with _units(folder, name) as units:
        file = write_shard(folder.root, f"data/{name}.parquet", rows(units))
    report = ShardReport.of(file, name.rsplit("-", 3)[0], tally, quarantined, realised.state())
    folder.mark(name, report)
    stages = tools.watch.take()
    keep(folder.state, name, begun.timings(file.rows, to_seconds(tally.samples), file.bytes, stages))
    _give_memory_back()
    return report


def _threads(tools: Tools) -> int:
    """For scenes at a time; none where no language model is waited for."""
    return tools.crew.threads if tools.crew.takes("verifier", "scene_check", "auditor") else 0


@contextlib.contextmanager
def _units(folder: CorpusFolder, name: str) -> Iterator[Iterator[Unit]]:
    """What the plan has for a shard."""
    with local_file(folder.state / units_file(Path("plan"), name).as_posix()) as file:
        yield read_units(file)


def _rejected(unit: Unit, rejection: SceneRejected) -> Iterator[Quarantined]:
    for stream in unit.streams:
        yield Quarantined(
            id=stream.id,
            split=unit.split,
            sub_task=stream.plan.sub_task,
            stage=rejection.stage,
            reason=rejection.reason,
            plan_json=stream.plan.model_dump_json(),
            seed=unit.seed,
        )


def _instructions(recipe: Recipe) -> tuple[Instruction, ...] | None:
    return None if recipe.instructions is None else load_instructions(Path(recipe.instructions.file))


def publish(workplace: Workplace, recipe: Recipe, plan: Plan, build_identity: Mapping[str, Any]) -> dict[str, Any]:
    """Write quarantine, card and, last, the manifest; returns the manifest.

    Raises:
        StreamAudioError: a shard of the plan is missing; nothing is published.
    """
    folder, rejected, authors = workplace.folder, list(plan.rejected), set[str]()

    def reports() -> Iterator[ShardReport]:
        for shard, report in zip(plan.shards, folder.each_finished(s.name for s in plan.shards), strict=True):
            if report is None:
                raise StreamAudioError(f"shard {shard.name!r} was not built; run the same build again to resume")
            rejected.extend(report.quarantined)
            authors.update(report.attributions)
            yield report

    content = manifest(
        reports(),
        rejected,
        recipe=recipe.model_dump(mode="json"),
        identity=build_identity,
        versions={name: metadata.version(name) for name in VERSIONED},
        text=_publish_text(folder, recipe),
        language=workplace.spending(recipe),
    )
    folder.write_quarantine(rejected)
    write_card(folder.root, content, sorted(authors))
    folder.write_manifest(content)
    if isinstance(recipe.planner, ModelPlanner):
        keep_measured(recipe.planner, content)
    return content


def _publish_text(folder: CorpusFolder, recipe: Recipe) -> dict[str, Any] | None:
    instructions = _instructions(recipe)
    if instructions is None or recipe.instructions is None or not recipe.instructions.text_only:
        return None
    lines = as_lines(instructions)
    write_atomically(folder.root / TEXT_ONLY, lines)
    digest = hashlib.sha256(lines).hexdigest()
    return {"path": TEXT_ONLY, "rows": len(instructions), "bytes": len(lines), "sha256": digest}
