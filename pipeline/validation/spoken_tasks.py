"""The rules of sub-tasks in which somebody speaks and is answered, written down, translated or helped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pipeline.planning.phrases import phrase_of
from pipeline.timing import last_chunk, to_samples
from pipeline.validation.findings import Finding
from pipeline.validation.stream import Stream
from schemas.protocol import CHUNK_SAMPLES, Emotion
from schemas.recipe import NOISY_SNR_DB
from schemas.row import Turn

PAUSE_S = (0.6, 2.5)
IDLE_S = 8.0
ROUNDS, ROUNDS_BACK = (3, 15), 3
FILLER = re.compile(r"\b(um|uh|er|uhm|erm|hmm?|you know|i mean)\b|[嗯呃]", re.IGNORECASE)
HINT = re.compile(
    r"\b(earlier|before|you said|i said|told you|remember|mentioned)\b|刚才|之前|记得|提到|说过", re.IGNORECASE
)
HAN = re.compile(r"[\u3400-\u9fff]")
TONES: Mapping[Emotion, Emotion] = MappingProxyType(
    {"happy": "happy", "sad": "sad", "angry": "normal", "surprise": "surprise", "urgent": "urgent"}
)
COMMON = frozenset("is the a it my your you i on at in".split())
NUMBERS = {"en": ("one", "two", "three", "four", "five"), "zh": ("第一", "第二", "第三", "第四", "第五")}


def spoken_answers(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """Questions are answered, each once, and nothing else is."""
    asked = stream.asked(sub_task)
    if not asked:
        yield stream.finding("question-answered", "nobody asks")
    for response in stream.responses_of(sub_task):
        if response.event not in asked:
            yield stream.finding("question-answered", f"{response.text!r} answers no question", event=response.event)
    answered = {r.event for r in stream.responses_of(sub_task)}
    for event in asked:
        if event not in answered:
            yield stream.finding("question-answered", "the question has no answer", event=event)


def question_about_sounds(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """A question about what was heard before it."""
    yield from spoken_answers(stream, sub_task)
    events, targets = stream.row.events, stream.targets_of(sub_task)
    if not targets:
        yield stream.finding("question-evidence", "the question is about no event")
    for event in targets:
        if not any(events[event].end_sample <= events[asked].start_sample for asked in stream.asked(sub_task)):
            yield stream.finding("question-evidence", "ends after the question about it has begun", event=event)


def dialogue(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """3-15 turns by one voice."""
    yield from spoken_answers(stream, sub_task)
    turns = stream.asked(sub_task)
    if not ROUNDS[0] <= len(turns) <= ROUNDS[1]:
        yield stream.finding("dialogue-turns", f"{len(turns)} turns, expected {ROUNDS[0]}-{ROUNDS[1]}")
    voices = {record.voice for event in turns if (record := stream.speech(event)) is not None}
    if len(voices) != 1:
        yield stream.finding("dialogue-voice", f"spoken by {sorted(voices)}, expected one voice")


def hesitation(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """Pauses of 0.6-2.5 s inside the turn, and no answer before its end."""
    yield from spoken_answers(stream, sub_task)
    for event in stream.asked(sub_task):
        record, place = stream.speech(event), stream.row.events[event]
        pauses = record.pauses if record is not None else ()
        if not pauses:
            yield stream.finding("hesitation-pauses", "the turn has no pause", event=event)
        for start, end in pauses:
            long_enough = to_samples(PAUSE_S[0]) <= end - start <= to_samples(PAUSE_S[1])
            if not (long_enough and place.start_sample < start and end < place.end_sample):
                yield stream.finding("hesitation-pauses", f"pause over [{start}, {end})", event=event)
        first, last = place.start_sample // CHUNK_SAMPLES, last_chunk(place.end_sample)
        for response in stream.row.responses:
            if first < response.chunk < last:
                yield stream.finding("hesitation-silence", f"{response.text!r} in chunk {response.chunk}", event=event)


def barge_in(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """Somebody speaks into each reply on record; who takes the turn is answered, and the cut is where he begins."""
    yield from spoken_answers(stream, sub_task)
    events = [event for event, _ in stream.steps()]
    records = [r for r in stream.provenance.replies if r.event in stream.asked(sub_task)]
    if not records:
        yield stream.finding("barge-in-cut", "nobody speaks into a reply")
    for record in records:
        chunk = next((r.chunk for r in stream.row.responses if r.event == record.event), None)
        place = events.index(record.event) + 1
        if chunk is None or place >= len(events):
            yield stream.finding("barge-in-cut", "nothing follows the reply", event=record.event)
            continue
        text = next(r.text for r in stream.row.responses if r.event == record.event)
        start = (chunk + 1) * CHUNK_SAMPLES
        words = len(HAN.findall(text)) / 1.5 or len(text.split())
        end = start + to_samples(60 * words / record.words_per_minute)
        if (record.nominal_start_sample, record.nominal_end_sample) != (start, end):
            yield stream.finding("barge-in-reply", f"{record}, expected [{start}, {end})", event=record.event)
        then = stream.row.events[events[place]]
        if not start <= then.start_sample < end:
            yield stream.finding(
                "barge-in-cut", f"{then.transcript!r} begins at {then.start_sample}, not in [{start}, {end})"
            )
        expected = then.start_sample if then.decision == "respond" else None
        if record.cut_sample != expected:
            yield stream.finding("barge-in-cut", f"cut at {record.cut_sample}, expected {expected}", event=record.event)


def history(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """A question whose answer was said at least three rounds back, in no turn since, and which gives no hint."""
    turns = stream.row.turns
    questions = [(e, step) for e, step in stream.steps_of(sub_task) if step.recalls is not None]
    if not questions:
        yield stream.finding("history-turn", "no question looks back")
    for event, _ in questions:
        record = next((r for r in stream.provenance.answers if r.event == event), None)
        mine = next((k for k, t in enumerate(turns) if t.start_sample == stream.row.events[event].start_sample), -1)
        if record is None or record.answer_turn is None or not 0 <= record.answer_turn < mine:
            yield stream.finding("history-turn", f"no earlier turn supplies the answer: {record}", event=event)
            continue
        back = sum(bool(t.user) and t.response >= 0 for t in turns[record.answer_turn : mine])
        if back < ROUNDS_BACK:
            yield stream.finding("history-turn", f"{back} rounds back, expected {ROUNDS_BACK} or more", event=event)
        question, source = turns[mine], turns[record.answer_turn]
        telling = _words(question.assistant) & _words(source.user) - _words(question.user)
        between: set[str] = set().union(*(_both(t) for t in turns[record.answer_turn + 1 : mine]))
        if not telling - between:
            yield stream.finding("history-answer", f"{question.assistant!r} is not from {source.user!r}", event=event)
        if HINT.search(question.user):
            yield stream.finding("history-hint", f"{question.user!r} points back", event=event)


def _words(text: str) -> set[str]:
    """Words that may tell something; of Chinese, every two characters that follow one another."""
    latin = set(re.findall(r"[^\W_]+", HAN.sub(" ", text.lower())))
    return latin - COMMON | set(re.findall(rf"(?=({HAN.pattern}{{2}}))", text))


def _both(turn: Turn) -> set[str]:
    return _words(turn.user) | _words(turn.assistant)


def description(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """After the instruction each sound is described, once."""
    instructions = [e for e, step in stream.steps_of(sub_task) if step.source == "speech"]
    if not instructions:
        yield stream.finding("instruction-first", "nobody asks for a description")
        return
    steps = list(stream.steps())
    after = steps[[e for e, _ in steps].index(instructions[0]) + 1 :]
    sounds = [e for e, step in after if step.source == "event"]
    described = [r.event for r in stream.responses_of(sub_task)]
    if sorted(described) != sorted(sounds):
        yield stream.finding("description-complete", f"events {described} are described, heard were {sounds}")


def music(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """The question is about music."""
    yield from question_about_sounds(stream, sub_task)
    for event in stream.targets_of(sub_task):
        if stream.row.events[event].kind != "music":
            yield stream.finding("music-heard", f"{stream.row.events[event].kind!r} is no music", event=event)


def choice(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """The options are spoken; the answer names the right one, which was heard, and no other."""
    yield from question_about_sounds(stream, sub_task)
    for event in stream.asked(sub_task):
        record = next((r for r in stream.provenance.answers if r.event == event), None)
        if record is None or record.right_option is None or not 0 <= record.right_option < len(record.options):
            yield stream.finding("choice-right", f"{record} has no right option", event=event)
            continue
        said = (stream.row.events[event].transcript or "").lower()
        right = record.options[record.right_option]
        if len(set(record.options)) < 3 or any(option.lower() not in said for option in record.options):
            yield stream.finding("choice-options", f"{record.options} are not all in {said!r}", event=event)
        answer = next((r.text.lower() for r in stream.responses_of(sub_task) if r.event == event), "")
        numbers = NUMBERS[stream.plan.language]
        number = numbers[record.right_option]
        wrong = [o for o in record.options if o != right and _says(answer, o)]
        others = [n for n in numbers if n != number and _says(answer, n)]
        if right.lower() not in answer or not _says(answer, number) or wrong or others:
            yield stream.finding("choice-right", f"{answer!r}, expected {number}, {right!r}", event=event)
        heard = {_named(stream, target) for target in stream.targets_of(sub_task)}
        if right not in heard:
            yield stream.finding("choice-evidence", f"{right!r} was not heard before: {heard}", event=event)


def _says(answer: str, words: str) -> bool:
    """Whether an answer in lower case says the words; Chinese has no edges between words."""
    edge = "" if HAN.search(words) else r"\b"
    return re.search(f"{edge}{re.escape(words.lower())}{edge}", answer) is not None


def _named(stream: Stream, event: int) -> str | None:
    index, refinement = stream.sub_event(event), stream.refinement(event)
    if index is None or refinement is None:
        return None
    caption = stream.plan.scene.sub_events[index].brief_description.split(",")[0]
    phrase = phrase_of(caption, refinement.accept_tags)
    return phrase.heard(stream.plan.language) if phrase else None


def by_sentence(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """An instruction that nobody answers, then sentences, each translated at its end."""
    yield from spoken_answers(stream, sub_task)
    yield from _instructed(stream, sub_task)
    for response in stream.responses_of(sub_task):
        yield from _languages(stream, sub_task, response.event, response.text)


def simultaneous(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """The pieces join to the whole translation, each right after the words of its segment."""
    yield from _instructed(stream, sub_task)
    for event, step in stream.steps_of(sub_task):
        if step.reply is None:
            continue
        turns, record = stream.partials(event), stream.speech(event)
        segments = step.reply.segments
        if [t.assistant for t in turns] != [s.target for s in segments] or record is None:
            yield stream.finding("partials-join", f"{[t.assistant for t in turns]}, planned {segments}", event=event)
            continue
        if "".join(s.target for s in segments) != step.reply.text:
            yield stream.finding("partials-join", "the segments are not the translation", event=event)
        if "".join(s.source for s in segments) != stream.row.events[event].transcript:
            yield stream.finding("partials-join", "the segments are not what is said", event=event)
        yield from _ends(stream, event, turns)
        yield from _languages(stream, sub_task, event, step.reply.text)


def transcript(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """The pieces join to what was said, one in each chunk in which a word ends."""
    yield from _instructed(stream, sub_task)
    for event, step in stream.steps_of(sub_task):
        if step.reply is None:
            continue
        place, turns, record = stream.row.events[event], stream.partials(event), stream.speech(event)
        if "".join(t.assistant for t in turns) != place.transcript or record is None:
            yield stream.finding("partials-join", f"{[t.assistant for t in turns]}, {place.transcript!r}", event=event)
            continue
        chunks, latest = set[int](), 0
        for _, _, end in record.words:
            latest = max(latest, end)
            chunks.add(last_chunk(latest))
        found = [last_chunk(t.end_sample) for t in turns]
        if found != sorted(chunks):
            yield stream.finding("partials-per-chunk", f"pieces in {found}, words end in {sorted(chunks)}", event=event)
        for response in stream.responses_of(sub_task):
            if response.event == event and response.delay_chunks != response.moved_chunks:
                yield stream.finding("partials-per-chunk", f"{response.text!r} comes late by itself", event=event)
        yield from _ends(stream, event, turns)
        yield from _manner(stream, sub_task, event, place.transcript or "")


def _manner(stream: Stream, sub_task: str, event: int, text: str) -> Iterator[Finding]:
    if sub_task == "spontaneous_speech" and not FILLER.search(text):
        yield stream.finding("speech-manner", f"{text!r} has no filler", event=event)
    if (sub_task == "mandarin_speech") != bool(HAN.search(text)):
        yield stream.finding("speech-manner", f"{text!r} in {sub_task!r}", event=event)
    if sub_task == "noisy_speech":
        levels = [track.snr_db for track in stream.row.noise if track.track == "ambient"]
        if not levels or min(levels) > NOISY_SNR_DB + 0.01:
            yield stream.finding("speech-manner", f"noise at {levels} dB, expected {NOISY_SNR_DB:g} or less")


def _ends(stream: Stream, event: int, turns: list[Turn]) -> Iterator[Finding]:
    """Pieces follow one another over whole words, and none is answered before its words are over."""
    record = stream.speech(event)
    words = record.words if record is not None else ()
    starts, ends = {start for _, start, _ in words}, {end for _, _, end in words}
    before = 0
    for turn in turns:
        whole = turn.start_sample in starts and (turn.end_sample in ends or turn.end_sample == turn.start_sample + 1)
        if not whole or turn.start_sample < before:
            yield stream.finding("partials-words", f"{turn.user!r} over [{turn.start_sample}, {turn.end_sample})")
        before = turn.start_sample


def _instructed(stream: Stream, sub_task: str) -> Iterator[Finding]:
    steps = [(e, s) for e, s in stream.steps_of(sub_task) if s.source == "speech"]
    if len(steps) < 2 or steps[0][1].reply is not None or any(s.reply is None for _, s in steps[1:]):
        yield stream.finding("instruction-first", f"{len(steps)} turns; the first instructs, all others are answered")


def _languages(stream: Stream, sub_task: str, event: int, text: str) -> Iterator[Finding]:
    to_chinese = sub_task.startswith("en_zh")
    said = stream.row.events[event].transcript or ""
    if bool(HAN.search(text)) != to_chinese or bool(HAN.search(said)) == to_chinese:
        yield stream.finding("translation-language", f"{said!r} became {text!r}", event=event)


def command(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """Each command is acknowledged with an action, over an audible environment."""
    yield from spoken_answers(stream, sub_task)
    for response in stream.responses_of(sub_task):
        action = _action(response.action)
        if sorted(action) != ["device", "value", "verb"] or not all(isinstance(v, str) and v for v in action.values()):
            yield stream.finding("command-action", f"{response.action!r} names no device, verb and value")
    if not any(event.role != "foreground" for event in stream.row.events):
        yield stream.finding("command-environment", "nothing lies under the stream")


def _action(text: str | None) -> dict[str, object]:
    try:
        action = json.loads(text or "")
    except ValueError:
        return {}
    return action if isinstance(action, dict) else {}


def environment(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """The answer rests on what lies under the whole stream."""
    yield from spoken_answers(stream, sub_task)
    steps = {event for event, _ in stream.steps()}
    roles = [stream.row.events[event].role for event in stream.provenance.targets if event not in steps]
    if not roles or set(roles) != {"ambient"}:
        yield stream.finding("environment-evidence", f"the answer rests on {roles}, expected what is ambient")


def emotion(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """The voice carries an emotion, says how it was made, and the reply's tone meets it."""
    yield from spoken_answers(stream, sub_task)
    for response in stream.responses_of(sub_task):
        record = stream.speech(response.event)
        if record is None or record.emotion == "normal" or record.prosody is None:
            yield stream.finding("emotion-audible", f"{record} has none", event=response.event)
        elif response.emotion != TONES[record.emotion]:
            yield stream.finding(
                "emotion-tone", f"{response.emotion!r} to {record.emotion!r}, expected {TONES[record.emotion]!r}"
            )


def check_in(stream: Stream, sub_task: str) -> Iterator[Finding]:
    """After more than 8 s without a sound in the foreground, one check-in on the last spoken event."""
    idle = {e for e, step in stream.steps_of(sub_task) if step.idle_s is not None}
    found = [r for r in stream.responses_of(sub_task) if r.event in idle]
    if len(found) != 1:
        yield stream.finding("idle-once", f"{len(found)} check-ins, expected 1")
    for response in found:
        event = stream.row.events[response.event]
        drawn = response.delay_chunks - response.moved_chunks
        if drawn * CHUNK_SAMPLES <= to_samples(IDLE_S):
            yield stream.finding("idle-quiet", f"{drawn} chunks of quiet, expected more than {IDLE_S:g} s")
        until = (response.chunk + 1) * CHUNK_SAMPLES
        for i, other in enumerate(stream.row.events):
            within = other.start_sample < until and other.end_sample > event.end_sample
            if i != response.event and other.role == "foreground" and within:
                yield stream.finding("idle-quiet", "is heard before the check-in", event=i)
