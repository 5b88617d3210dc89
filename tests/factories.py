"""A small finished corpus made by hand: placed, mixed and labelled here with numpy, without the builder.

Nine streams: one of each sub-task, of which natural_hazard is a counterfactual pair. Rows are kept as dictionaries in
the layout of a shard, so that a test can break one before it is written.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyloudnorm
import soundfile as sf
import yaml

from pipeline.config import recipe_sha256
from pipeline.grounding.cascade import Material
from pipeline.library.clip import Clip
from pipeline.library.library import Library, import_library
from pipeline.shards.schema import QUARANTINE_SCHEMA, SCHEMA
from pipeline.sounds import Conditioner, Sound
from pipeline.synthesis.espeak import EspeakEngine
from pipeline.synthesis.generators import GENERATOR, Rendering
from pipeline.synthesis.kinds import KINDS, render
from schemas.plan import PairCue, PlannedReply, Refinement, ScenePlan, Step, StreamPlan, SubEvent, Utterance
from schemas.provenance import (
    Agent,
    AuditRecord,
    CandidateRecord,
    ConditioningRecord,
    GroundingRecord,
    PairRecord,
    Provenance,
    RenderingRecord,
    SpeechRecord,
)
from schemas.recipe import Recipe
from schemas.taxonomy import ABILITY_OF, CRITERION_OF_TASK

RATE, CHUNK = 16_000, 6_400
SILENT = "<no need to response>"
LEAD, GAP, TAIL = 16_000, 12_800, 16_000
RECIPE = Recipe(name="handmade", splits={"train": 0.7, "test": 0.3})
SHA = recipe_sha256(RECIPE)
AGENT = Agent(name="scripted", version="1")
AUTHOR = "A. Nonymous"
CLIPS: dict[str, tuple[str, int]] = {
    f"{kind}-{split}": (kind, seed)
    for seed, split in enumerate(("train", "test"))
    for kind in ("door_knock", "cat_meow", "page_turn", "doorbell", "room_tone", "smoke_alarm")
}
"""The library: name -> (procedural kind, seed). One take for either split."""

_SPEECH = EspeakEngine()
_CONDITION = Conditioner(RECIPE.conditioning, None)


def make_library(folder: Path) -> Path:
    """Import the CLIPS as recordings; returns the library."""
    sources = folder / "sources"
    sources.mkdir(parents=True)
    lines = []
    for name, (kind, seed) in CLIPS.items():
        sf.write(sources / f"{name}.wav", render(kind, np.random.default_rng(seed)), RATE, subtype="PCM_16")
        about = {"caption": KINDS[kind].captions[0], "tags": list(KINDS[kind].tags), "licence": "CC0-1.0"}
        lines.append(json.dumps({"path": f"{name}.wav", "attribution": AUTHOR, **about}))
    (sources / "clips.jsonl").write_text("\n".join(lines), encoding="utf-8")
    import_library(sources / "clips.jsonl", folder / "library", layout="manifest")
    return folder / "library"


def clip_named(library: Library, name: str) -> Clip:
    """One of the CLIPS."""
    return next(clip for clip in library.clips.values() if Path(clip.path).stem == name)


@dataclass
class Part:
    """One event on its way into a stream."""

    event: dict[str, Any]
    sound: Sound
    material: tuple[int, int]
    rendering: Rendering | None = None
    speech: dict[str, Any] | None = None


@dataclass
class Maker:
    """One stream in the making; foreground parts follow one another with fixed gaps."""

    id: str
    split: str
    sub_task: str
    library: Library
    parts: list[Part] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    sub_events: list[SubEvent] = field(default_factory=list)
    refinements: list[Refinement] = field(default_factory=list)
    dialogue: list[Utterance] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    audits: list[tuple[str, str | None]] = field(default_factory=list)
    pair: PairCue | None = None
    pair_id: str | None = None

    def say(self, text: str, reply: str | None = None) -> None:
        """Somebody speaks; answered at once or not at all."""
        voice = _SPEECH.voices("en")[0]
        speech = _SPEECH.speak(text, voice, rate_wpm=170, pitch=45)
        step = Step(
            source="speech",
            index=len(self.dialogue),
            sub_task=self.sub_task,
            decision="respond" if reply else "none",
            reply=PlannedReply(text=reply) if reply else None,
        )
        self.dialogue.append(Utterance(text=text))
        event = {"name": "speech", "kind": "speech", "source": "spoken", "generator": speech.engine, "transcript": text}
        event |= {"decision": step.decision, "attribution": speech.engine, "caption": "a person speaking"}
        self._add(step, event, speech.samples, (0, len(speech.samples)), ("none", None))
        words = [(w.word, w.start_sample, w.end_sample) for w in speech.words]
        self.parts[-1].speech = {"voice": voice.name, "rate_wpm": 170, "pitch": 45, "words": words}

    def clip(self, name: str, reply: str | None = None, *, decision: str = "none", target: bool = False) -> None:
        """A clip of the library, as one occurrence."""
        kind = CLIPS[f"{name}-{self.split}"][0]
        clip = clip_named(self.library, f"{name}-{self.split}")
        start, end = clip.occurrences[0]
        step = self._step(kind, reply, decision, target, single=True)
        event = {
            "source": "retrieved",
            "clip_id": clip.clip_id,
            "clip_sha256": clip.sha256,
            "encoder": "lexical",
            "score": 0.5,
            "caption": clip.caption,
            "attribution": AUTHOR,
        }
        samples = self.library.read(clip.clip_id, start, end)
        self._add(step, self._named(event, kind, step), samples, (start, end), ("silent", None))

    def render(
        self,
        kind: str,
        reply: str | None = None,
        *,
        decision: str = "none",
        seconds: float = 1.5,
        slot_s: float | None = None,
        role: str = "foreground",
    ) -> None:
        """A procedural sound; answered sounds are triggers of the stream's criterion."""
        criterion = CRITERION_OF_TASK.get(self.sub_task) if reply else None
        made = Rendering(kind, len(self.parts), seconds)
        samples = made.samples()
        if role == "foreground":
            step = self._step(kind, reply, decision, False, criterion=criterion)
        else:
            step = None
            self._plan(kind, role, 30.0)
        event = {"source": "synthesized", "generator": f"{GENERATOR}:{kind}", "caption": KINDS[kind].captions[0]}
        event |= {"attribution": GENERATOR, "role": role}
        if slot_s is not None:
            self.pair = PairCue(step=len(self.steps), side="respond" if reply else "silent", slot_s=slot_s)
        label = ("respond", criterion) if reply else ("silent", None)
        self._add(step, self._named(event, kind, step), samples, (0, len(samples)), label)
        self.parts[-1].rendering = made

    def _plan(self, kind: str, role: Any, seconds: float) -> None:
        count = sum(e.name.split(" ")[0] == kind for e in self.sub_events)
        name = f"{kind} {count + 1}" if count else kind
        caption = KINDS[kind].captions[0]
        self.sub_events.append(
            SubEvent(name=name, role=role, rough_duration_s=seconds, brief_description=f"{caption}, nearby.")
        )
        query = f"{caption} heard clearly nearby"
        self.refinements.append(Refinement(query=query, fallback_caption=caption, accept_tags=KINDS[kind].tags))

    def _step(
        self, kind: str, reply: str | None, decision: str, target: bool, *, single: bool = False, criterion: Any = None
    ) -> Step:
        self._plan(kind, "foreground", 1.5)
        index = len(self.sub_events) - 1
        if target:
            self.targets.append(index)
        return Step(
            source="event",
            index=index,
            sub_task=self.sub_task,
            decision="respond" if reply else decision,  # pyright: ignore[reportArgumentType]
            reply=PlannedReply(text=reply, emotion="urgent" if criterion else "normal") if reply else None,
            criterion=criterion,
            single_occurrence=single,
            safety=criterion is not None,
        )

    def _named(self, event: dict[str, Any], kind: str, step: Step | None) -> dict[str, Any]:
        planned = self.sub_events[-1]
        event |= {"name": planned.name, "kind": "sfx", "query": self.refinements[-1].query, "verdict": "accept"}
        return event | {"decision": step.decision if step else "none"}

    def _add(
        self,
        step: Step | None,
        event: dict[str, Any],
        samples: np.ndarray,
        span: tuple[int, int],
        audit: tuple[str, str | None],
    ) -> None:
        event = {"role": "foreground", "licence": "CC0-1.0", **event}
        if step is not None:
            self.steps.append(step)
        clip = self.library.clips.get(event.get("clip_id", ""))
        material = Material(
            samples=samples,
            source=event["source"],
            clip=clip,
            clip_start_sample=span[0],
            clip_end_sample=span[1],
            caption=event["caption"],
            tags=(),
            generator=event.get("generator"),
            licence="CC0-1.0",
            attribution=event["attribution"],
        )
        profile = "speech" if event["kind"] == "speech" else "ambient" if event["role"] == "ambient" else "sfx"
        sound = _CONDITION(material, profile)
        if clip is not None:
            event["clip_start_sample"] = span[0] + sound.spans[0].clip_start_sample
            event["clip_end_sample"] = span[0] + sound.spans[-1].clip_end_sample
        self.parts.append(Part(event, sound, span))
        self.audits.append(audit)

    def row(self, *, seed: int) -> dict[str, Any]:
        """Place, mix, label and encode."""
        at, stems = LEAD, []
        for i, part in enumerate(self.parts):
            nonzero = np.flatnonzero(part.sound.samples)
            stem = part.sound.samples[nonzero[0] : nonzero[-1] + 1]
            level = part.sound.level
            lift = -23.0 - level.loudness_lufs + (0 if part.event["role"] == "foreground" else -12)
            part.event["gain_db"] = round(min(lift, -3.0 - level.peak_dbfs), 3)
            stem = stem * np.float32(10 ** (part.event["gain_db"] / 20))
            stems.append(stem)
            if part.event["role"] != "foreground":
                continue
            part.event |= {"start_sample": at, "end_sample": at + len(stem)}
            is_cue = self.pair is not None and self.pair.step == i
            at += (round(self.pair.slot_s * RATE) if self.pair and is_cue else len(stem)) + GAP
        total = -(-(at - GAP + TAIL) // CHUNK) * CHUNK
        mix = self._noise(total, seed)
        for part, stem in zip(self.parts, stems, strict=True):
            if part.event["role"] != "foreground":
                part.event |= {"start_sample": 0, "end_sample": total}
                stem = np.resize(np.roll(stem, -5000), total)
            mix[part.event["start_sample"] : part.event["end_sample"]] += stem
        return self._columns(mix, seed)

    def _noise(self, total: int, seed: int) -> np.ndarray:
        draw = np.random.default_rng(seed)
        return (draw.standard_normal(total) * 10 ** (-45 / 20)).astype(np.float32)

    def _columns(self, mix: np.ndarray, seed: int) -> dict[str, Any]:
        pcm = np.rint(mix * 32768).astype(np.int16)
        events: list[dict[str, Any]] = [{f: part.event.get(f) for f in _EVENT_FIELDS} for part in self.parts]
        plan = self._stream_plan()
        responses, turns = _labels(events, self.steps, plan.setting)
        covered = sum(e["end_sample"] - e["start_sample"] for e in events if e["role"] == "foreground")
        noise_clip = clip_named(self.library, f"room_tone-{self.split}")
        return {
            "id": self.id,
            "split": self.split,
            "ability": ABILITY_OF[self.sub_task],
            "sub_task": self.sub_task,
            "language": "en",
            "scenario": plan.scene.scenario,
            "audio": {"bytes": flac(pcm), "path": f"{self.id}.flac"},
            "sampling_rate": RATE,
            "num_samples": len(pcm),
            "chunk_samples": CHUNK,
            "num_chunks": len(pcm) // CHUNK,
            "turns": turns,
            "responses": responses,
            "events": events,
            "noise": [
                {"track": "event", "snr_db": 20.0, "clip_ids": [], "licences": ["CC0-1.0"]},
                {"track": "ambient", "snr_db": 20.0, "clip_ids": [noise_clip.clip_id], "licences": ["CC0-1.0"]},
            ],
            "pair_id": self.pair_id,
            "plan_json": plan.model_dump_json(),
            "provenance_json": self._provenance(events).model_dump_json(),
            "seed": seed,
            "recipe_sha256": SHA,
            "quality": {
                "peak_dbfs": 20 * np.log10(np.abs(mix).max()),
                "lufs": pyloudnorm.Meter(RATE).integrated_loudness(mix),
                "realised_snr_db": 20 - 10 * np.log10(2),
                "silence_ratio": 1 - covered / len(pcm),
                "max_seam_jump": None,
                "clipped_samples": 0,
            },
        }

    def _stream_plan(self) -> StreamPlan:
        return StreamPlan(
            ability=ABILITY_OF[self.sub_task],
            sub_task=self.sub_task,
            language="en",
            setting="kitchen morning",
            scene=ScenePlan(
                scenario="Somebody is busy in a kitchen in the morning.", sub_events=tuple(self.sub_events)
            ),
            refinements=tuple(self.refinements),
            kinds=("sfx",) * len(self.sub_events),
            dialogue=tuple(self.dialogue),
            steps=tuple(self.steps),
            targets=tuple(self.targets),
            pair=self.pair,
        )

    def _provenance(self, events: Sequence[dict[str, Any]]) -> Provenance:
        step_events = [i for i, e in enumerate(events) if e["role"] == "foreground"]
        pair = None
        if self.pair is not None:
            start = events[self.pair.step]["start_sample"]
            end = start + round(self.pair.slot_s * RATE)
            pair = PairRecord(event=self.pair.step, side=self.pair.side, slot_start_sample=start, slot_end_sample=end)
        return Provenance(
            policy="strict",
            planner=AGENT,
            refiner=AGENT,
            verifier=Agent(name="rules", version="1"),
            responder=AGENT,
            auditor=AGENT,
            audits=tuple(
                AuditRecord(event=i, label=label, criterion=criterion, reason="by hand", confidence=1.0)  # pyright: ignore[reportArgumentType]
                for i, (label, criterion) in enumerate(self.audits)
                if label != "none"
            ),
            grounding=tuple(
                GroundingRecord(event=i, threshold=0.2 if e["clip_id"] else None, candidates=(_candidate(e),))
                for i, e in enumerate(events)
                if e["source"] != "spoken"
            ),
            conditioning=tuple(
                ConditioningRecord(
                    event=i,
                    profile=part.sound.profile,
                    material=part.material,
                    spans=tuple((s.clip_start_sample, s.clip_end_sample, s.start_sample) for s in part.sound.spans),
                    iterations=part.sound.iterations,
                    reason=part.sound.reason,
                )
                for i, part in enumerate(self.parts)
            ),
            renderings=tuple(
                RenderingRecord(event=i, kind=made.kind, seed=made.seed, duration_s=made.duration_s)
                for i, part in enumerate(self.parts)
                if (made := part.rendering) is not None
            ),
            speech=tuple(_speech(i, part) for i, part in enumerate(self.parts) if part.speech is not None),
            targets=tuple(i for i in step_events if self._is_target(step_events.index(i))),
            step_events=tuple(step_events),
            pair=pair,
        )

    def _is_target(self, step: int) -> bool:
        return self.steps[step].source == "event" and self.steps[step].index in self.targets


_EVENT_FIELDS = [f.name for f in SCHEMA.field("events").type.value_type]


def _candidate(event: dict[str, Any]) -> CandidateRecord:
    return CandidateRecord(
        clip_id=event["clip_id"],
        generator=event["generator"],
        score=event["score"],
        verdict="accept",
        reason="by hand",
    )


def _speech(index: int, part: Part) -> SpeechRecord:
    assert part.speech is not None
    start, end = part.event["start_sample"], part.event["end_sample"]
    first = part.sound.spans[0].clip_start_sample
    placed = [(word, start + a - first, start + b - first) for word, a, b in part.speech["words"]]
    words = tuple((word, min(max(a, start), end), min(b, end)) for word, a, b in placed)
    return SpeechRecord(event=index, words_estimated=False, **{**part.speech, "words": words})


def _labels(
    events: Sequence[dict[str, Any]], steps: Sequence[Step], setting: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    responses: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    for i, step in enumerate(steps):
        event, reply = events[i], step.reply
        if reply is not None:
            chunk = (event["end_sample"] - 1) // CHUNK
            responses.append({"chunk": chunk, "text": reply.text, "emotion": reply.emotion, "event": i})
            responses[-1] |= {"delay_chunks": 0, "moved_chunks": 0, "sub_task": step.sub_task, "action": None}
        if event["source"] == "spoken" or step.decision != "none":
            turns.append(
                {
                    "user": event["transcript"] or "" if event["source"] == "spoken" else "",
                    "assistant": reply.text if reply else SILENT,
                    "emotion": reply.emotion if reply else "normal",
                    "scene_type": setting,
                    "sub_task": step.sub_task,
                    "start_sample": event["start_sample"],
                    "end_sample": event["end_sample"],
                    "response": len(responses) - 1 if reply else -1,
                }
            )
    return responses, turns


def flac(pcm: np.ndarray, *, rate: int = RATE) -> bytes:
    """16 bit FLAC."""
    file = io.BytesIO()
    sf.write(file, pcm, rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def make_records(library_path: Path) -> dict[str, dict[str, Any]]:
    """The nine rows by id, as a shard holds them."""
    library = Library.open(library_path)

    def maker(sub_task: str, split: str, suffix: str = "") -> Maker:
        return Maker(f"{sub_task}{suffix}", split, sub_task, library)

    count = maker("count_events", "train")
    count.say("Count every knock on the door for me.")
    count.clip("door_knock", "One.", target=True)
    count.render("light_switch", seconds=0.5)
    count.clip("door_knock", "That makes two.", target=True)
    count.clip("door_knock", "Three so far.", target=True)

    alert = maker("alert_on_event", "train")
    alert.say("Tell me when the cat meows.")
    alert.clip("page_turn")
    alert.clip("cat_meow", "There it is, a cat meowing.", target=True)

    unless = maker("stay_silent_unless", "train")
    unless.say("Say nothing unless you hear the doorbell.")
    unless.clip("page_turn", decision="silent")
    unless.clip("cat_meow", decision="silent")

    question = maker("sound_event_qa", "test")
    question.clip("page_turn")
    question.clip("cat_meow", target=True)
    question.say("What was that sound just now?", "That was a cat meowing.")

    distress = maker("physiological_distress", "train")
    distress.clip("doorbell", decision="silent")
    distress.render("choking", "Somebody is choking. Give five firm back blows now.", seconds=2.0)

    fault = maker("equipment_fault", "test")
    fault.clip("doorbell", decision="silent")
    fault.render("gas_hiss", "That hiss may be gas. Open a window and leave the room.", seconds=2.0)

    signal = maker("safety_signal", "test")
    signal.render("horn_close", "A car is very close. Step back from the road.", seconds=1.2)
    signal.clip("door_knock", decision="silent")

    broken, whole = (maker("natural_hazard", "train", side) for side in ("-respond", "-silent"))
    for stream, kind, reply in (
        (broken, "glass_breaking", "Glass has broken. Keep your feet away from the floor."),
        (whole, "glass_set_down", None),
    ):
        stream.pair_id = "pair-natural_hazard"
        stream.clip("doorbell", decision="silent")
        stream.render(kind, reply, decision="silent", seconds=1.2, slot_s=2.0)
        stream.clip("page_turn", decision="silent")

    makers = [count, alert, unless, question, distress, fault, signal, broken, whole]
    for made in makers:
        made.render("fridge_hum", seconds=6.0, role="ambient")
    return {made.id: made.row(seed=99 if made.pair_id else i) for i, made in enumerate(makers)}


def write_corpus(root: Path, records: Sequence[dict[str, Any]], library_hash: str) -> Path:
    """A folder as a build leaves it, around rows that may be broken."""
    splits: dict[str, dict[str, Any]] = {}
    for split in sorted({record["split"] for record in records}):
        rows = [record for record in records if record["split"] == split]
        path = f"data/{split}-00000-of-00001.parquet"
        (root / "data").mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), root / path)
        splits[split] = {"rows": len(rows), "hours": _hours(rows), "shards": [shard_entry(root, path, len(rows))]}
    events = [event for record in records for event in record["events"]]
    licences = Counter(event["licence"] for event in events)
    licences.update(licence for r in records for track in r["noise"] for licence in track["licences"])
    manifest = {
        "format": 1,
        "recipe": RECIPE.model_dump(mode="json"),
        "recipe_sha256": SHA,
        "identity": {"recipe_sha256": SHA, "library_sha256": library_hash},
        "versions": {"streamaudio-builder": "0"},
        "splits": splits,
        "rows": len(records),
        "hours": _hours(records),
        "responses": sum(len(record["responses"]) for record in records),
        "abilities": Counter(record["ability"] for record in records),
        "sub_tasks": Counter(record["sub_task"] for record in records),
        "languages": Counter(record["language"] for record in records),
        "licences": licences,
        "foreground_sources": Counter(event["source"] for event in events if event["role"] == "foreground"),
        "quarantined": 0,
    }
    files = [{"split": split, "path": f"data/{split}-*.parquet"} for split in splits]
    card = {"license": "cc0-1.0", "language": ["en"], "size_categories": ["n<1K"], "tags": ["synthetic"]}
    card["configs"] = [{"config_name": "default", "data_files": files}]  # pyright: ignore[reportArgumentType]
    (root / "README.md").write_text(f"---\n{yaml.safe_dump(card)}---\n\n# By hand\n", encoding="utf-8")
    pq.write_table(QUARANTINE_SCHEMA.empty_table(), root / "quarantine.parquet")
    (root / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return root


def _hours(records: Sequence[dict[str, Any]]) -> float:
    return round(sum(record["num_samples"] for record in records) / RATE / 3600, 6)


def shard_entry(root: Path, path: str, rows: int) -> dict[str, Any]:
    """A shard as the manifest lists it."""
    data = (root / path).read_bytes()
    return {"path": path, "rows": rows, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@dataclass(frozen=True)
class Handmade:
    """The library, its rows, and a way to write some of them after breaking them."""

    library: Path
    library_hash: str
    records: dict[str, dict[str, Any]]

    @staticmethod
    def make(folder: Path) -> Handmade:
        """Build both in `folder`."""
        library = make_library(folder)
        return Handmade(library, Library.open(library).hash, make_records(library))

    def clip_id(self, name: str) -> str:
        """Id of one of the CLIPS."""
        return clip_named(Library.open(self.library), name).clip_id

    def write(
        self, root: Path, ids: Sequence[str] = (), edit: Callable[[list[dict[str, Any]]], object] | None = None
    ) -> Path:
        """The rows of `ids` (all without), broken by `edit`, as a corpus at `root`."""
        records = copy.deepcopy([self.records[row_id] for row_id in (ids or self.records)])
        if edit is not None:
            edit(records)
        return write_corpus(root, records, self.library_hash)
