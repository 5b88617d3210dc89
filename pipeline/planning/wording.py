"""The language model as responder and history reviewer: the words of a plan that its task leaves free."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.language.crew import SceneCrew
from pipeline.language.replies import opening
from pipeline.planning.blocks import words_in
from pipeline.planning.settings import CJK
from schemas.language import LanguageRole
from schemas.plan import PlannedReply, Step, StreamPlan
from schemas.protocol import SILENCE_MARKER
from schemas.roles import HistoryReview, Reply

FREE_REPLIES = frozenset(
    {
        "physiological_distress", "natural_hazard", "equipment_fault", "safety_signal", "alert_on_event",
        "stay_silent_unless", "scene_description", "single_turn_qa", "multi_turn_dialogue", "hesitation_pause",
        "barge_in", "environment_aware_reply", "emotion_aware_reply", "idle_check_in",
    }
)  # fmt: skip
"""Sub-tasks whose replies the responder may word. Everywhere else the task's rule fixes the words: a running count, the
chosen option, an acknowledged action, what was said, its translation, what is remembered."""
MIN_REPLY, MAX_REPLY = {"en": 20, "zh": 8}, {"en": 400, "zh": 160}
"""Characters of a reply that can help and still be spoken."""
ROUNDS_BACK = 3
"""A question about an earlier turn looks back so many rounds or more."""
CUE = re.compile(
    r"\b(earlier|before|again|remember|recall|mentioned|(you|i) (said|told)|previous(ly)?|a while ago)\b"
    r"|之前|刚才|记得|提到|说过",
    re.IGNORECASE,
)
_LITTLE = frozenset("is the it my your you was it's its that and for are has have".split())


def write_replies(plans: Sequence[StreamPlan], crew: SceneCrew) -> tuple[StreamPlan, ...]:
    """The plans with every free reply worded by the responder; the sides of a pair share the words they share."""
    first, *others = plans
    worded = _worded(first, crew)
    return (worded, *(_worded(plan, crew, like=(first, worded)) for plan in others))


def _worded(plan: StreamPlan, crew: SceneCrew, like: tuple[StreamPlan, StreamPlan] | None = None) -> StreamPlan:
    steps: list[Step] = []
    heard: list[str] = []
    openings: list[str] = []
    wrote = False
    for i, step in enumerate(plan.steps):
        if like is not None and i < len(like[0].steps) and step == like[0].steps[i]:
            step = like[1].steps[i]
        elif step.reply is not None and _free(step, plan):
            reply = _reply(plan, step, step.reply, heard, openings, crew)
            wrote = wrote or reply is not step.reply
            step = step.model_copy(update={"reply": reply})
        steps.append(step)
        heard.append(
            f"sound: {plan.scene.sub_events[step.index].name}"
            if step.source == "event"
            else f"user: {plan.dialogue[step.index].text}"
        )
        if step.reply is not None:
            heard.append(f"assistant: {step.reply.text}")
            openings.append(opening(step.reply.text))
    wrote = wrote or (like is not None and "responder" in like[1].by_model)
    return plan.model_copy(update={"steps": tuple(steps), "by_model": also(plan, "responder" if wrote else None)})


def _free(step: Step, plan: StreamPlan) -> bool:
    """Whether a reply may be worded anew; between a fact and the question about it, nothing spoken may give it away."""
    remembers = step.source == "speech" and any(s.recalls is not None for s in plan.steps)
    return step.sub_task in FREE_REPLIES and not (step.options or step.incremental or remembers)


def also(plan: StreamPlan, role: LanguageRole | None) -> tuple[LanguageRole, ...]:
    """What a model wrote of a plan, with one more role."""
    return plan.by_model if role is None or role in plan.by_model else (*plan.by_model, role)


def _reply(
    plan: StreamPlan, step: Step, banked: PlannedReply, heard: list[str], openings: list[str], crew: SceneCrew
) -> PlannedReply:
    event = (
        plan.scene.sub_events[step.index].brief_description
        if step.source == "event"
        else plan.dialogue[step.index].text
    )

    def valid(reply: Reply) -> None:
        text = reply.text.strip()
        in_language(text, plan.language)
        low, high = MIN_REPLY[plan.language], MAX_REPLY[plan.language]
        if not low <= len(text) <= high or SILENCE_MARKER in text:
            raise ValueError(f"the text has {len(text)} characters, it takes {low}-{high}: say one useful thing")

    reply = crew.ask(
        "responder",
        Reply,
        validate=valid,
        language=plan.language,
        scenario=plan.scene.scenario,
        event=event,
        history=heard[-12:],
        wanted={"sub_task": step.sub_task, "criterion": step.criterion, "facts": banked.text},
        openings=openings,
    )
    if reply is None:
        return banked
    # How to answer somebody's mood is the point of that sub-task, and stays as it was planned.
    emotion = banked.emotion if step.sub_task == "emotion_aware_reply" else reply.emotion
    return PlannedReply(text=reply.text.strip(), emotion=emotion)


def look_back(plan: StreamPlan, crew: SceneCrew) -> StreamPlan:
    """The plan with its question about an earlier turn, where it has one, written by the model."""
    for place, step in enumerate(plan.steps):
        if step.recalls is not None and step.source == "speech" and step.reply is not None:
            return _asked(plan, place, step, crew)
    return plan


def _asked(plan: StreamPlan, place: int, asking: Step, crew: SceneCrew) -> StreamPlan:
    rounds = [s for s in plan.steps[:place] if s.source == "speech" and s.reply is not None]
    said = {s.index: plan.dialogue[s.index].text for s in rounds}
    order = list(said)

    def valid(reply: HistoryReview) -> None:
        far = order[: len(order) - ROUNDS_BACK + 1]
        if reply.turn_index not in far:
            raise ValueError(f"turn_index {reply.turn_index} is not {ROUNDS_BACK} rounds back: choose one of {far}")
        if (cue := CUE.search(reply.question)) is not None:
            raise ValueError(f"the question says {cue[0]!r}, which gives away that it looks back: leave it out")
        in_language(f"{reply.question} {reply.answer}", plan.language)
        since = [r for r in rounds if order.index(r.index) > order.index(reply.turn_index)]
        told = " ".join(said[r.index] + " " + (r.reply.text if r.reply else "") for r in since)
        telling = _words(reply.answer) & _words(said[reply.turn_index]) - _words(reply.question) - _words(told)
        if not telling:
            raise ValueError(
                "no word of the answer is from that turn alone: ask for a name, a number or a choice of it"
            )

    reply = crew.ask(
        "history_review",
        HistoryReview,
        validate=valid,
        language=plan.language,
        turns=[{"index": r.index, "user": said[r.index], "assistant": r.reply.text if r.reply else ""} for r in rounds],
        min_rounds=ROUNDS_BACK,
    )
    if reply is None:
        return plan
    question = plan.dialogue[asking.index].model_copy(update={"text": reply.question})
    answered = asking.model_copy(update={"reply": PlannedReply(text=reply.answer), "recalls": reply.turn_index})
    return plan.model_copy(
        update={
            "dialogue": (*plan.dialogue[: asking.index], question, *plan.dialogue[asking.index + 1 :]),
            "steps": (*plan.steps[:place], answered, *plan.steps[place + 1 :]),
            "by_model": also(plan, "history_review"),
        }
    )


def in_language(text: str, language: str) -> None:
    """ValueError for a model that forgot its language."""
    if bool(CJK.search(text)) != (language == "zh"):
        raise ValueError(f"the text is not in the language {language!r}: write it in that language")


def _words(text: str) -> set[str]:
    return {word for word in words_in(text) if len(word) > 1} - _LITTLE
