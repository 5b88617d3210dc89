"""Audio agent: acts on commands, uses what lies in the background, hears how somebody feels, notices silence."""

from __future__ import annotations

from typing import cast

from pipeline.errors import SceneRejected
from pipeline.planning.banks import spoken_in
from pipeline.planning.blocks import Task
from pipeline.planning.moves import Asked, Script, say
from pipeline.planning.scripted import PlannedScene, identify
from schemas.plan import PlannedReply, Utterance
from schemas.protocol import Emotion
from schemas.taxonomy import TONE

P_SECOND_COMMAND = 0.5


def smart_home_control(task: Task) -> Script:
    """One or two commands, each acknowledged at its end with the action as JSON."""
    commands = spoken_in(task.language, "home")
    drawn = task.rng.permutation(len(commands))[: 1 + task.chance(P_SECOND_COMMAND)]
    return Script(
        [
            say(task, words, PlannedReply(text=reply, action={"device": device, "verb": verb, "value": value}))
            for words, device, verb, value, reply in (commands[i] for i in drawn)
        ]
    )


def environment_aware_reply(task: Task) -> Script:
    """A question whose right answer is what lies under the scene."""

    def ask(planned: PlannedScene) -> Asked:
        known: list[tuple[int, str, str]] = []
        for i, event in enumerate(planned.scene.sub_events):
            if event.role != "ambient":
                continue
            sound = identify(event.brief_description.split(",")[0], planned.refinements[i].accept_tags, event.name)
            asked = spoken_in(task.language, "surroundings")
            known += [(i, question, answer) for bed, question, answer in asked if sound and bed == sound.name]
        if not known:
            raise SceneRejected("planning", f"nothing to ask about what lies under {planned.setting!r}; draw again")
        index, question, answer = task.pick(known)
        return Asked(Utterance(text=question, language=task.language), PlannedReply(text=answer), (index,))

    return Script([say(task, ask)])


def emotion_aware_reply(task: Task) -> Script:
    """A turn whose voice carries an emotion, and a reply in the tone that meets it."""
    felt, words, answer = task.pick(spoken_in(task.language, "moods"))
    emotion = cast(Emotion, felt)
    utterance = Utterance(text=words, emotion=emotion, language=task.language)
    return Script([say(task, utterance, PlannedReply(text=answer, emotion=TONE[emotion]))])


def idle_check_in(task: Task) -> Script:
    """A conversation that goes quiet; after the silence one question whether somebody is still there."""
    question, answer = task.pick(spoken_in(task.language, "questions"))
    words, check_in = task.pick(spoken_in(task.language, "waiting"))
    quiet_s = round(task.recipe.timing.idle_s.sample(task.rng), 2)
    return Script(
        [
            say(task, question, answer),
            say(task, words, check_in, close=True, reason="asked after once it was quiet", idle_s=quiet_s),
        ]
    )
