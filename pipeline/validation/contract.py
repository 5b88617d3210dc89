"""Validation of a finished corpus: every rule of its contract, proved again from what is stored.

folder -> each row: audio, labels -> agreement with plan and provenance -> sub-tasks -> stems -> between rows
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from pipeline.config import explain
from pipeline.library.fetch import local_library
from pipeline.library.library import Library
from pipeline.shards.corpus import Tally
from pipeline.shards.reader import iter_rows, to_row
from pipeline.shards.realised import Realised
from pipeline.storage import Location, outages_told
from pipeline.validation.across import Across
from pipeline.validation.agreement import check_agreement
from pipeline.validation.findings import Extent, Finding, Findings, StemCounts
from pipeline.validation.folder import (
    Manifest,
    check_counts,
    check_folder,
    check_realised,
    check_shard,
    load_manifest,
    readable_shards,
)
from pipeline.validation.labels import check_indices, check_labels
from pipeline.validation.sound import LSB, check_format, check_sound
from pipeline.validation.stems import StemChecker
from pipeline.validation.stream import Stream
from pipeline.validation.tasks import check_tasks
from schemas.plan import StreamPlan
from schemas.provenance import Provenance
from schemas.row import Row


def validate_corpus(
    corpus: Location,
    *,
    library: Location | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Findings:
    """Check a corpus against its contract, one row at a time.

    Args:
        corpus: what `streamaudio build` finished, also in an object store; nothing is written to it.
        library: the library it was built from, to render its clips again. Without it only speech and procedural sounds
            are rendered, and clips are checked by their energy.
        on_progress: called with (rows done, rows in all).

    Raises:
        BadInput: `corpus` holds no manifest, or `library` is none.
        StaleIdentity: `library` is another than the corpus was built from.
    """
    with outages_told():
        return _validated(corpus, None if library is None else Library.open(local_library(library)), on_progress)


def _validated(corpus: Location, library: Library | None, on_progress: Callable[[int, int], None]) -> Findings:
    manifest = load_manifest(corpus)
    if isinstance(manifest, Finding):
        findings = Findings(Extent(), StemCounts())
        findings.add([manifest])
        return findings
    checker = _Checker(manifest, library)
    findings = checker.findings
    findings.add(check_folder(corpus, manifest))
    for split, shard, path in readable_shards(corpus, manifest):
        findings.add(check_shard(path, split, shard))
        checker.turn_to(shard.path)
        try:
            for i, record in enumerate(iter_rows(path)):
                checker.check(record, split, f"{shard.path}#{i}")
                on_progress(findings.extent.rows, manifest.rows)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            findings.add([Finding("shard-readable", shard.path, " ".join(str(error).split())[:300])])
    findings.add(checker.across.finish())
    findings.add(check_counts(manifest, checker.tallies))
    findings.add(check_realised(manifest, checker.realised))
    return findings


class _Checker:
    """All checks of a row, and what they leave behind for the corpus."""

    def __init__(self, manifest: Manifest, library: Library | None) -> None:
        self._stems = {manifest.recipe_sha256: StemChecker(manifest, library)}
        self.findings = Findings(Extent(), self._stems[manifest.recipe_sha256].counts)
        self.across = Across()
        self.tallies: dict[str, Tally] = defaultdict(Tally)
        self.realised = Realised(manifest.recipe)
        self._manifest = manifest
        self._library = library
        self._recipe_sha256, self._recipe = manifest.recipe_sha256, manifest.recipe

    def turn_to(self, shard: str) -> None:
        """The next rows are of this shard; those of a merged corpus may have recipes of their own."""
        self._recipe_sha256, self._recipe = self._manifest.recipe_of(shard)
        if self._recipe_sha256 not in self._stems:
            other = self._manifest.model_copy(update={"recipe": self._recipe})
            self._stems[self._recipe_sha256] = StemChecker(other, self._library, self.findings.stems)

    def check(self, record: dict[str, Any], split: str, where: str) -> None:
        """Add what is wrong with one row; later checks build on what earlier ones found to be in order."""
        add = self.findings.add
        self.findings.extent.rows += 1
        try:
            row = to_row(record)
        except (ValidationError, TypeError, KeyError) as error:
            rule = explain(error, Row) if isinstance(error, ValidationError) else f"{type(error).__name__}: {error}"
            add([Finding("row-readable", where, rule[:300])])
            return
        where = f"{where} {row.id}"
        self._count(row)
        add(self._identity(row, record, split, where))
        try:
            plan = StreamPlan.model_validate_json(row.plan_json)
        except ValidationError as error:
            add([Finding("plan-readable", where, explain(error, StreamPlan)[:300])])
            return
        self.tallies[split].add(row)
        pcm, found = check_format(row, where)
        add(found)
        add(self.across.add(row, pcm, where))
        out_of_range = list(check_indices(row, where))
        if out_of_range:
            add(out_of_range)
            return
        add(check_labels(row, where))
        if pcm is None:
            return
        add(check_sound(row, pcm, self._recipe, where))
        try:
            provenance = Provenance.model_validate_json(row.provenance_json)
        except ValidationError as error:
            add([Finding("provenance-readable", where, explain(error, Provenance)[:300])])
            return
        stream = Stream(where, row, plan, provenance, pcm.astype(np.float32) * np.float32(LSB))
        disagreements = list(check_agreement(stream, self._recipe))
        add(disagreements)
        if any(finding.rule == "plan-steps" for finding in disagreements):
            return
        if self._recipe_sha256 == self._manifest.recipe_sha256:
            self.realised.add(row)
        add(check_tasks(stream))
        add(self._stems[self._recipe_sha256].check(stream))
        add(self.across.add_stream(stream, pcm))

    def _count(self, row: Row) -> None:
        extent = self.findings.extent
        extent.samples += row.num_samples
        extent.responses += len(row.responses)
        extent.chunks += row.num_chunks
        extent.sub_tasks.update({row.sub_task} | {response.sub_task for response in row.responses})

    def _identity(self, row: Row, record: dict[str, Any], split: str, where: str) -> list[Finding]:
        expected = {
            "split": (row.split, split),
            "recipe_sha256": (row.recipe_sha256, self._recipe_sha256),
            "audio.path": (record["audio"]["path"], f"{row.id}.flac"),
        }
        return [
            Finding("row-identity", where, f"{name} {value!r}, expected {wanted!r}")
            for name, (value, wanted) in expected.items()
            if value != wanted
        ]
