"""Stream plans per sub-task: which sounds, which words, and what is answered where (spec/labels.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

import numpy as np

from pipeline.errors import BadInput, SceneRejected
from pipeline.planning import banks
from pipeline.planning.annotations import Annotation, Voices
from pipeline.planning.blocks import Ahead, Auditor, Language, Task, no_haste
from pipeline.planning.instructions import load_instructions
from pipeline.planning.mixed import with_guests
from pipeline.planning.moves import Script, perform
from pipeline.planning.scripted import ScenePlanner, plan_scene
from pipeline.planning.settings import recognise
from pipeline.planning.tasks.agent import (
    emotion_aware_reply,
    environment_aware_reply,
    idle_check_in,
    smart_home_control,
)
from pipeline.planning.tasks.instructions import alert_on_event, count_events, stay_silent_unless
from pipeline.planning.tasks.proactive import counterfactual_pair, proactive
from pipeline.planning.tasks.speech import simultaneous_translation, transcription, translation_by_sentence
from pipeline.planning.tasks.understanding import multiple_choice_qa, music_qa, scene_description, sound_event_qa
from pipeline.planning.tasks.voice import (
    barge_in,
    hesitation_pause,
    history_review,
    multi_turn_dialogue,
    single_turn_qa,
)
from schemas.plan import StreamPlan
from schemas.recipe import Recipe
from schemas.taxonomy import ABILITY_OF, SUB_TASKS

TASKS: Mapping[str, Callable[[Task], Script]] = MappingProxyType(
    {
        "single_turn_qa": single_turn_qa,
        "multi_turn_dialogue": multi_turn_dialogue,
        "hesitation_pause": hesitation_pause,
        "barge_in": barge_in,
        "count_events": count_events,
        "alert_on_event": alert_on_event,
        "stay_silent_unless": stay_silent_unless,
        "history_review": history_review,
        "sound_event_qa": sound_event_qa,
        "scene_description": scene_description,
        "music_qa": music_qa,
        "multiple_choice_qa": multiple_choice_qa,
        "en_zh_sentence": translation_by_sentence,
        "zh_en_sentence": translation_by_sentence,
        "en_zh_simultaneous": simultaneous_translation,
        "zh_en_simultaneous": simultaneous_translation,
        "read_speech": transcription,
        "spontaneous_speech": transcription,
        "noisy_speech": transcription,
        "mandarin_speech": transcription,
        "physiological_distress": proactive,
        "natural_hazard": proactive,
        "equipment_fault": proactive,
        "safety_signal": proactive,
        "smart_home_control": smart_home_control,
        "environment_aware_reply": environment_aware_reply,
        "emotion_aware_reply": emotion_aware_reply,
        "idle_check_in": idle_check_in,
    }
)
CHINESE = frozenset("zh_en_sentence zh_en_simultaneous mandarin_speech".split())
LANGUAGE_OF: Mapping[str, Language] = MappingProxyType(
    {task: "zh" if task in CHINESE else "en" for task in (*SUB_TASKS["translation"], *SUB_TASKS["realtime_asr"])}
)
"""Sub-tasks that are about one language; the others are there in every one."""

DRAWS = 6
"""Scenes drawn from one bag before it is given up."""


def read_texts() -> None:
    """Read the grammar and the banks, so that threads that plan do not all read them at once."""
    recognise("rain")
    for file in files(banks).iterdir():
        if file.name.endswith(".yaml"):
            banks.bank(file.name.removesuffix(".yaml"))


def plan_stream(
    sub_task: str,
    bag: Sequence[Annotation],
    *,
    recipe: Recipe,
    rng: np.random.Generator,
    audit: Auditor,
    plan_scene: ScenePlanner = plan_scene,
    ahead: Ahead = no_haste,
    pair: bool = False,
    turn: int | None = None,
    voices: Voices = MappingProxyType({}),
) -> tuple[StreamPlan, ...]:
    """Plan one stream, or the two of a counterfactual pair (respond, then silent).

    Args:
        sub_task: a key of `TASKS`.
        bag: annotations to plan with; borderline ones are ignored, those worth a reply serve only as triggers.
        recipe: durations, gaps, background, languages, policy, p_silent.
        rng: generator of the stage "planning".
        audit: the silence auditor.
        plan_scene: who writes the scene around what the task wants.
        ahead: asks a slow auditor at once what it is going to be asked.
        pair: two plans that differ in one cue; only for the sub-tasks of `proactive_response`.
        turn: how many streams of this sub-task came before; kinds of triggers take turns by it. None draws one.
        voices: speech of the library with its transcripts, for transcription.

    Raises:
        SceneRejected: the bag cannot support the task.
        BadInput: the sub-task cannot come as a pair.
    """
    if pair and ABILITY_OF[sub_task] != "proactive_response":
        raise BadInput(f"sub-task {sub_task!r} has no pairs; only the sub-tasks of proactive_response do")
    rejected = SceneRejected("planning", "no scene was drawn")
    for draw in range(DRAWS):
        drawn = recipe.languages[int(rng.integers(len(recipe.languages)))]
        task = Task(
            sub_task=sub_task,
            bag=tuple(bag),
            recipe=recipe,
            rng=rng,
            audit=audit,
            language=LANGUAGE_OF.get(sub_task, drawn),
            duration_s=recipe.scene.duration_s.sample(rng),
            background=round(recipe.scene.background_events.sample(rng)),
            plan_scene=plan_scene,
            ahead=ahead,
            # A kind for which no scene was found gives its turn to the next.
            turn=None if turn is None else turn + draw,
            voices=voices,
            instructions=() if recipe.instructions is None else load_instructions(Path(recipe.instructions.file)),
        )
        try:
            return counterfactual_pair(task) if pair else (perform(task, with_guests(task, TASKS)),)
        except SceneRejected as rejection:
            rejected = rejection
    raise rejected
