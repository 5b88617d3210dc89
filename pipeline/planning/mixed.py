"""Several sub-tasks in one unbroken session, which is what a listener has to live in.

Guests are sub-tasks that need no more than themselves; they come before their host, or after it where the host leaves
no standing instruction behind, so that nothing contradicts what was asked before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pipeline.planning.blocks import Task
from pipeline.planning.moves import Move, Say, Script
from pipeline.planning.tasks.voice import remembered
from schemas.taxonomy import CRITERION_OF_TASK

PROACTIVE = tuple(CRITERION_OF_TASK)
GUESTS = (
    "single_turn_qa",
    "multi_turn_dialogue",
    "hesitation_pause",
    "sound_event_qa",
    "music_qa",
    "multiple_choice_qa",
    "smart_home_control",
    "emotion_aware_reply",
    *PROACTIVE,
)
MAX_GUESTS = 2
STANDING = frozenset(
    "count_events alert_on_event stay_silent_unless scene_description en_zh_sentence zh_en_sentence en_zh_simultaneous "
    "zh_en_simultaneous read_speech spontaneous_speech noisy_speech mandarin_speech".split()
)
"""Sub-tasks whose instruction holds to the end of the stream."""
ROUNDS_FOR_HISTORY = 3
"""Rounds between what is mentioned and the question about it; with the mention they are four."""

Scripts = Mapping[str, Callable[[Task], Script]]


def with_guests(task: Task, scripts: Scripts) -> Script:
    """The task's own script, in a share of streams (recipe: mixed, p_proactive, p_history) with others around it."""
    script = scripts[task.sub_task](task)
    fitting = [g for g in GUESTS if g != task.sub_task]
    guests: list[str] = []
    if task.chance(task.recipe.mixed):
        drawn = task.rng.permutation(len(fitting))[: 1 + int(task.rng.integers(MAX_GUESTS))]
        guests = [fitting[i] for i in drawn]
    if task.sub_task not in CRITERION_OF_TASK and task.chance(task.recipe.p_proactive):
        guests = [*(g for g in guests if g not in CRITERION_OF_TASK), task.pick(PROACTIVE)]
    for guest in guests:
        script = _joined(task, script, scripts[guest](replace(task, sub_task=guest)))
    if _looks_back(task, script) and task.chance(task.recipe.p_history):
        script = replace(script, moves=remembered(replace(task, sub_task="history_review"), script.moves))
    return script


def _joined(task: Task, host: Script, guest: Script) -> Script:
    after = task.sub_task not in STANDING and task.chance(0.5)
    moves = [*host.moves, *guest.moves] if after else [*guest.moves, *host.moves]
    return replace(host, moves=moves, avoid=[*host.avoid, *guest.avoid])


def _looks_back(task: Task, script: Script) -> bool:
    return task.sub_task not in STANDING | {"history_review"} and _rounds(script.moves) >= ROUNDS_FOR_HISTORY


def _rounds(moves: Sequence[Move]) -> int:
    return sum(isinstance(move, Say) and move.reply is not None for move in moves)
