"""Speech that is written down or translated, at its end or while it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pipeline.planning.annotations import FILLER, WORD_S, Recording
from pipeline.planning.banks import bank, entries
from pipeline.planning.blocks import Task
from pipeline.planning.moves import Script, say
from schemas.plan import PlannedReply, Segment, Utterance

T = TypeVar("T")

TEXTS = {
    "read_speech": "read",
    "spontaneous_speech": "spontaneous",
    "noisy_speech": "noisy",
    "mandarin_speech": "mandarin",
}
"""The part of the bank that is read in each sub-task."""
PER_READING = (1, 3)
"""Texts read in one go: from, below."""
SENTENCES = (2, 5)
JOINED = (2, 4)
MAX_HESITATIONS = 2
P_RECORDED = 0.8
"""Share of transcriptions of recordings, where the library has any."""
WORDS = (3, 7)
"""Single words said in one go."""


def transcription(task: Task) -> Script:
    """An instruction, then speech; in each chunk in which words end, those words."""
    recordings = _recordings(task)
    if recordings:
        return _written_down(
            task, *(Utterance(text=r.text, language=task.language, clip_id=r.clip_id) for r in recordings)
        )
    drawn = _draw(task, [text for (text,) in entries("reading", TEXTS[task.sub_task])], PER_READING)
    text = ("" if task.language == "zh" else " ").join(drawn)
    pauses = _hesitations(task, text) if task.sub_task == "spontaneous_speech" else ()
    return _written_down(task, Utterance(text=text, language=task.language, pauses=pauses))


def _written_down(task: Task, *spoken: Utterance) -> Script:
    return Script(
        [
            say(task, task.pick(bank("transcribing")["transcribe"][task.language])),
            *(
                say(task, said, said.text, close=True, incremental=True, reason="written down word by word")
                for said in spoken
            ),
        ]
    )


def _recordings(task: Task) -> list[Recording]:
    """Real speech of the library in most streams, where it has any that suits the sub-task: speakers take turns,
    however much each said, and who said single words says several."""
    voices = task.voices.get((task.language, task.sub_task == "spontaneous_speech"), ())
    if not voices or not task.chance(P_RECORDED):
        return []
    turn = int(task.rng.integers(len(voices))) if task.turn is None else task.turn
    voice = voices[turn % len(voices)]
    first = task.pick(voice.said)
    if first.duration_s >= WORD_S:
        return [first]
    several = min(int(task.rng.integers(*WORDS)), len(voice.words))
    return [voice.words[i] for i in task.rng.choice(len(voice.words), several, replace=False)]


def translation_by_sentence(task: Task) -> Script:
    """An instruction, then sentences; at the end of each its translation."""
    pairs = [_sides(task, pair) for pair in _draw(task, entries("translations"), SENTENCES)]
    return Script(
        [
            say(task, task.pick(bank("transcribing")["sentence"][task.language])),
            *(say(task, "".join(source), "".join(target), reason="a sentence has ended") for source, target in pairs),
        ]
    )


def simultaneous_translation(task: Task) -> Script:
    """An instruction, then continuous speech; each translatable segment is translated while the next is spoken."""
    segments: list[Segment] = []
    for pair in _draw(task, entries("translations"), JOINED):
        source, target = _sides(task, pair)
        for k, (own, other) in enumerate(zip(source, target, strict=True)):
            joint = " " if k == 0 and segments else ""
            zh = task.language == "zh"
            segments.append(Segment(source=("" if zh else joint) + own, target=(joint if zh else "") + other))
    reply = PlannedReply(text="".join(s.target for s in segments), segments=tuple(segments))
    spoken = "".join(s.source for s in segments)
    return Script(
        [
            say(task, task.pick(bank("transcribing")["simultaneous"][task.language])),
            say(task, spoken, reply, close=True, incremental=True, reason="translated segment by segment"),
        ]
    )


def _sides(task: Task, pair: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Segments of a sentence in the spoken language and in the other; each side joins to its sentence."""
    english, chinese = pair
    en = [piece if k == 0 else f" {piece}" for k, piece in enumerate(english.split(" / "))]
    zh = [piece.strip() for piece in chinese.split("/")]
    return (zh, en) if task.language == "zh" else (en, zh)


def _hesitations(task: Task, text: str) -> tuple[tuple[int, float], ...]:
    """Pauses after some of the fillers."""
    words = text.split()
    after = [k + 1 for k, word in enumerate(words[:-1]) if FILLER.fullmatch(word.strip(",."))]
    chosen = sorted(after[i] for i in task.rng.permutation(len(after))[:MAX_HESITATIONS])
    return tuple((k, round(task.recipe.timing.hesitation_s.sample(task.rng), 3)) for k in chosen)


def _draw(task: Task, items: Sequence[T], bounds: tuple[int, int]) -> list[T]:
    return [items[i] for i in task.rng.permutation(len(items))[: int(task.rng.integers(*bounds))]]
