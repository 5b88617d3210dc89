"""What the earlier versions of a corpus used up, read from their shards: a later version repeats none of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.planning.scenarios import REMEMBERED
from pipeline.shards.reader import iter_rows, read_manifest
from pipeline.storage import Location
from schemas.plan import StreamPlan

_COLUMNS = ("split", "sub_task", "scenario", "plan_json", "events", "noise")


@dataclass(frozen=True, slots=True)
class Past:
    """Of all versions before `version`; the first has none."""

    version: int = 1
    follows: str | None = None
    """sha256 of the manifest that the version continues."""
    splits: Mapping[str, str] = field(default_factory=dict)
    """The split of every clip that a row holds, noise included."""
    uses: Mapping[str, int] = field(default_factory=dict)
    """Events per clip."""
    fingerprints: frozenset[str] = frozenset()
    scenarios: tuple[str, ...] = ()
    """The latest ones."""
    sub_tasks: Mapping[str, int] = field(default_factory=dict)
    """Streams that were planned, quarantined ones included."""


def read_past(corpus: Location, version: int, follows: str, quarantined: Mapping[str, int]) -> Past:
    """Of a published corpus whose manifest has the sha256 `follows`; `quarantined` are its rejects per sub-task."""
    splits: dict[str, str] = {}
    uses: Counter[str] = Counter()
    sub_tasks = Counter(quarantined)
    fingerprints: set[str] = set()
    scenarios: deque[str] = deque(maxlen=REMEMBERED)
    for shard in (s for split in read_manifest(corpus)["splits"].values() for s in split["shards"]):
        for row in iter_rows(corpus / shard["path"], columns=_COLUMNS):
            clips = [event["clip_id"] for event in row["events"] if event["clip_id"]]
            uses.update(clips)
            for clip in (*clips, *(clip for track in row["noise"] for clip in track["clip_ids"])):
                splits[clip] = row["split"]
            sub_tasks[row["sub_task"]] += 1
            fingerprints.add(_of_json(json.loads(row["plan_json"])))
            scenarios.append(row["scenario"])
    return Past(version, follows, splits, uses, frozenset(fingerprints), tuple(scenarios), sub_tasks)


def fingerprint(plan: StreamPlan) -> str:
    """Equal for scenes with the same scenario, sub-events and words."""
    scene = plan.scene
    return _digest(scene.scenario, (e.name for e in scene.sub_events), (u.text for u in plan.dialogue))


def _of_json(plan: Mapping[str, Any]) -> str:
    scene = plan["scene"]
    return _digest(scene["scenario"], (e["name"] for e in scene["sub_events"]), (u["text"] for u in plan["dialogue"]))


def _digest(scenario: str, names: Iterable[str], texts: Iterable[str]) -> str:
    # Prefixes keep a million of these small.
    return hashlib.sha256("\x1f".join((scenario, *names, *texts)).encode()).hexdigest()[:16]
