"""Offline layout of the released model: one recording, perhaps a text about it, one answer.

    prefix  AUDIO_BEGIN AUDIO_PAD x frames AUDIO_END  USER TEXT_BEGIN text TEXT_END
            ASSISTANT TEXT_BEGIN answer TEXT_END

Recording or text may be absent: tasks A_T_T, A_T and T_T. The last block is trained, the rest is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.annotation.tokens import Encode
from pipeline.errors import BadInput
from schemas.plan import StreamPlan
from schemas.protocol import (
    ASSISTANT,
    AUDIO_BEGIN,
    IGNORED_LABEL,
    MAX_POSITIONS,
    OFFLINE_AUDIO_END,
    OFFLINE_AUDIO_PAD,
    OFFLINE_MAX_SAMPLES,
    TEXT_BEGIN,
    TEXT_END,
    USER,
    offline_frames,
)
from schemas.provenance import Provenance
from schemas.row import Row
from schemas.taxonomy import CRITERION_OF_TASK, SUB_TASKS
from schemas.tokens import OfflineRow

ALONE: Final = {"single_turn_qa", "hesitation_pause", "smart_home_control", "emotion_aware_reply", *CRITERION_OF_TASK}
"""Sub-tasks whose answer needs nothing but what it answers."""
INSTRUCTED: Final = {*SUB_TASKS["translation"], *SUB_TASKS["realtime_asr"]}
"""Sub-tasks of speech that an instruction before it says what to do with."""
ABOUT_SOUND: Final = {"sound_event_qa", "music_qa", "multiple_choice_qa"}
"""Sub-tasks of a question about what was heard before it."""


@dataclass(frozen=True, slots=True)
class Example:
    """What a stream teaches in one turn: `audio` is [start, end) in samples of the stream."""

    audio: tuple[int, int]
    user: str | None
    assistant: str


def examples(row: Row) -> Iterator[Example]:
    """The parts of a stream that stand by themselves; those longer than 20 s are left out, never cut.

    A question or command is heard and answered; a danger is heard and answered; speech to transcribe or translate comes
    with its instruction as text, a sound with the question about it as text. Whatever needs more of the stream than
    that gives none.
    """
    plan = StreamPlan.model_validate_json(row.plan_json)
    provenance = Provenance.model_validate_json(row.provenance_json)
    task_of = {event: step.sub_task for step, event in zip(plan.steps, provenance.step_events, strict=True)}
    for event in dict.fromkeys(response.event for response in row.responses):
        mine = [response for response in row.responses if response.event == event]
        task, place = mine[0].sub_task, row.events[event]
        audio, user = (place.start_sample, place.end_sample), None
        if task in INSTRUCTED:
            unanswered = (t.user for t in row.turns if t.sub_task == task and t.user and t.response < 0)
            user = next(unanswered, None)
        elif task in ABOUT_SOUND:
            heard = [row.events[target] for target in provenance.targets if task_of.get(target) == task]
            heard = [sound for sound in heard if sound.end_sample <= place.start_sample]
            audio = (min((s.start_sample for s in heard), default=0), max((s.end_sample for s in heard), default=0))
            user = place.transcript
        if task not in ALONE and not user:
            continue
        if offline_frames(audio[1] - audio[0]) > 0 and audio[1] - audio[0] <= OFFLINE_MAX_SAMPLES:
            yield Example(audio, user, "".join(response.text for response in mine))


def lay_out(
    assistant: str,
    *,
    user: str | None,
    audio_frames: int | None,
    prefix: Sequence[int],
    encode: Encode,
    limit: int = MAX_POSITIONS,
) -> OfflineRow:
    """Ids, targets and audio positions of one example.

    Args:
        assistant: the answer.
        user: what is asked in text; None or "" where nothing is.
        audio_frames: encoder frames of the recording; None without one.
        prefix: what the conversation begins with, system prompt included.
        encode: the tokenizer.
        limit: positions that there are.

    Raises:
        BadInput: there is no answer, or it needs more than `limit` positions.
    """
    if not assistant:
        raise BadInput(f"an example with the answer {assistant!r} teaches nothing; leave it out")
    audio = [] if audio_frames is None else [AUDIO_BEGIN, *[OFFLINE_AUDIO_PAD] * audio_frames, OFFLINE_AUDIO_END]
    asked = [USER, TEXT_BEGIN, *encode(user), TEXT_END] if user else []
    answer = [ASSISTANT, TEXT_BEGIN, *encode(assistant), TEXT_END]
    ids = [*prefix, *audio, *asked, *answer]
    if len(ids) > limit:
        raise BadInput(f"{(user or assistant)[:60]!r} needs {len(ids)} positions, the limit is {limit}; leave it out")
    return OfflineRow(
        input_ids=tuple(ids),
        labels=(*[IGNORED_LABEL] * (len(ids) - len(answer)), *answer),
        audio_pos=None if audio_frames is None else ((len(prefix) + 1, len(prefix) + 1 + audio_frames),),
    )
