"""Ahead of a build: kinds of triggers that a library lacks are generated into it, verified like any other clip."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile as sf

from pipeline.annotation.audit import audit
from pipeline.errors import SceneRejected
from pipeline.grounding.captions import Captioner
from pipeline.grounding.cascade import Material, Reprocessed, ground
from pipeline.grounding.verify import Evidence, RuleVerifier, Target, Verdict
from pipeline.library.library import Library, import_library
from pipeline.planning.scripted import refine
from pipeline.seeds import rng
from pipeline.synthesis.generators import SoundGenerator
from pipeline.synthesis.kinds import KINDS, SoundKind, match_kind
from schemas.plan import SubEvent
from schemas.protocol import SAMPLE_RATE
from schemas.recipe import GroundingParams, Recipe

COLUMNS = ("path", "caption", "tags", "kind", "licence", "attribution")
DRAWS = GroundingParams(variants=2**31)
"""Every clip is another variant."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What was added: clips per kind, and the kinds for which no generator made what passes, with the reason."""

    added: dict[str, int]
    failed: dict[str, str]
    sources: Path


def missing(library: Library, per_kind: int) -> dict[str, int]:
    """Kinds of triggers of which the library has fewer than `per_kind` clips, and how many it lacks."""
    have = Counter(match_kind(clip.caption, clip.tags) for clip in library.clips.values())
    return {
        name: per_kind - have[name]
        for name, kind in KINDS.items()
        if kind.criterion is not None and have[name] < per_kind
    }


def fill(
    library_path: Path,
    recipe: Recipe,
    generators: Sequence[SoundGenerator],
    captioner: Captioner,
    *,
    per_kind: int,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Filled:
    """Generate what is missing into LIBRARY-generated/ and import it from there; the indexes are to be made anew.

    Args:
        library_path: a library.
        recipe: seed and policy.
        generators: in order of preference.
        captioner: for generators that do not know their sounds.
        per_kind: clips that every kind of trigger is to have.
        on_progress: called with (clips done, clips in all).
    """
    library = Library.open(library_path)
    wanted = missing(library, per_kind)
    sources = library_path.with_name(f"{library_path.name}-generated")
    rows: list[tuple[str, ...]] = []
    added: Counter[str] = Counter()
    failed: dict[str, str] = {}
    done = 0
    for name, lacking in wanted.items():
        for variant in range(per_kind - lacking, per_kind):
            done += 1
            try:
                material = _made(KINDS[name], variant, library, recipe, generators, captioner)
            except SceneRejected as rejected:
                failed[name] = rejected.reason
                continue
            path = sources / name / f"{name}_{variant:02d}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            sf.write(path, material.samples, SAMPLE_RATE, subtype="PCM_16")
            tags = "; ".join(material.tags)
            by = f"{material.attribution} ({material.generator})"
            rows.append((f"{name}/{path.name}", material.caption, tags, "sfx", material.licence, by))
            added[name] += 1
            on_progress(done, sum(wanted.values()))
    if rows:
        manifest = sources / "manifest.csv"
        with manifest.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        import_library(manifest, library_path)
    return Filled(dict(added), failed, sources)


def _made(
    kind: SoundKind,
    variant: int,
    library: Library,
    recipe: Recipe,
    generators: Sequence[SoundGenerator],
    captioner: Captioner,
) -> Material:
    """One clip of a kind that the verifier accepts and the auditor takes for what it is to be."""
    caption = kind.captions[variant % len(kind.captions)]
    event = SubEvent(
        name=kind.name.replace("_", " "),
        role="foreground",
        rough_duration_s=sum(kind.duration_s) / 2,
        brief_description=caption,
    )
    refinement = refine(event, kind.tags).model_copy(update={"fallback_caption": caption, "accept_tags": kind.tags})
    rules = RuleVerifier(DRAWS)

    def verify(target: Target, evidence: Evidence) -> Verdict:
        verdict = rules(target, evidence)
        judged = audit(evidence.caption, evidence.tags, policy=recipe.policy)
        if verdict.verdict == "accept" and (judged.label, judged.criterion) != ("respond", kind.criterion):
            return Verdict("reject", f"audit: {judged.label} ({judged.criterion}): {judged.reason}")
        return verdict

    return ground(
        Target(event, refinement, kind.kind, scenario=caption),
        [],
        library=library,
        verify=verify,
        reprocess=lambda material: Reprocessed(len(material.samples)),
        params=DRAWS,
        rng=rng(recipe.seed, f"{kind.name} {variant}", "coverage"),
        generators=generators,
        captioner=captioner,
    ).material
