"""Real recordings to examine a probe with: clips of a library as they are, one after another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.annotation.audit import audit
from pipeline.library.library import Library
from pipeline.seeds import rng
from pipeline.timing import last_chunk, to_samples, whole_chunks
from pipeline.validation.probe.examples import Example, Label, Occasion, example
from schemas.protocol import CHUNK_SAMPLES
from schemas.taxonomy import TASK_OF_CRITERION, Policy

CLIPS_PER_STREAM, GAP_S = 6, 1.0


def recordings(library: Library, *, policy: Policy = "strict", seed: int = 0) -> Iterator[Example]:
    """Streams of six clips with a second of silence around each: not conditioned, not levelled, without noise.

    What a clip deserves is what the silence auditor says of its caption; borderline clips are left out. The answer of
    one that deserves a reply is due when its last occurrence ends.
    """
    judged = [
        (clip, judgement)
        for clip in library.clips.values()
        if (judgement := audit(clip.caption, clip.tags, scenario="", neighbours=(), policy=policy)).label
        != "borderline"
    ]
    order = rng(seed, 0, "probe recordings").permutation(len(judged))
    for number, first in enumerate(range(0, len(order), CLIPS_PER_STREAM)):
        parts = [np.zeros(to_samples(GAP_S), np.float32)]
        labels, occasions = list[Label](), list[Occasion]()
        at = len(parts[0])
        for i in order[first : first + CLIPS_PER_STREAM]:
            clip, judgement = judged[i]
            answer = judgement.criterion if judgement.label == "respond" else None
            end = last_chunk(at + clip.active_end)
            occasions.append(Occasion((at + clip.active_start) // CHUNK_SAMPLES, end, answer, clip.caption))
            if answer is not None:
                labels.append(Label(end, answer, TASK_OF_CRITERION.get(answer, "emotion")))
            parts += [library.read(clip.clip_id), np.zeros(to_samples(GAP_S), np.float32)]
            at += clip.num_samples + len(parts[-1])
        samples = np.zeros(whole_chunks(at), np.float32)
        samples[:at] = np.concatenate(parts)
        yield example(f"recordings-{number}", "proactive", samples, labels, occasions)
