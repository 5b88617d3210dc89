"""Voice chatting, and the question that looks back at what was said."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import SceneRejected
from pipeline.planning.banks import bank, in_language, spoken_in
from pipeline.planning.blocks import Task, words_in
from pipeline.planning.moves import Move, Say, Script, say
from pipeline.synthesis.align import words_of
from schemas.plan import PlannedReply, Speaker, Utterance

SUBJECT_S, MAX_SUBJECTS = 25.0, 3
"""A conversation takes so long; of so many five rounds each are fifteen."""
P_HEARD_OUT = 0.4
"""Share of barge-in rounds in which nobody takes the turn: somebody only speaks meanwhile."""
BARGE_IN_ROUNDS = 2
NEGATIVES: dict[str, tuple[Speaker, float]] = {
    "backchannel": ("user", 1.0),
    "side_talk": ("user", 1.0),
    "television": ("television", 1.0),
    "machine": ("machine", 1.0),
    "fast_speech": ("other", 1.7),
}
"""What is spoken into a reply without taking the turn -> (who speaks, how hastily)."""


def single_turn_qa(task: Task) -> Script:
    """A spoken question, answered at its end; of the recipe's instruction corpus, where it has one, in a share."""
    params = task.recipe.instructions
    fitting = [i for i in task.instructions if i.language == task.language and i.speakable]
    if params is not None and fitting and task.chance(params.spoken):
        chosen = task.pick(fitting)
        return Script([say(task, chosen.instruction, chosen.answer)])
    return Script([_question(task)])


def multi_turn_dialogue(task: Task) -> Script:
    """3-15 rounds by one voice, on as many subjects as there is time for, each turn answered at its end."""
    most = min(max(1, round(task.duration_s / SUBJECT_S)), MAX_SUBJECTS)
    return Script(conversation(task, 1 + int(task.rng.integers(most))))


def conversation(task: Task, subjects: int = 1) -> list[Say]:
    """Conversations of the bank, 3-5 rounds each, one after the other."""
    dialogues: Sequence[str] = bank(in_language(task.language, "dialogues"))
    drawn = [dialogues[int(i)] for i in task.rng.permutation(len(dialogues))[:subjects]]
    turns = [turn.split(" | ") for dialogue in drawn for turn in dialogue.split(" || ")]
    return [say(task, said, reply) for said, reply in turns]


def history_review(task: Task) -> Script:
    """Something is mentioned; after at least three other rounds it is asked for."""
    return Script(remembered(task, [_question(task), *conversation(task)]))


def remembered(task: Task, rounds: Sequence[Move]) -> list[Move]:
    """`rounds` between a fact that nothing else in them tells and the question about it."""
    said = " ".join(text for move in rounds if isinstance(move, Say) for text in _texts(move))
    heard = words_in(said)
    known = [entry for entry in spoken_in(task.language, "memories") if not heard & words_in(entry[-1])]
    if not known:
        raise SceneRejected("planning", "every fact of the bank is told in between; draw again")
    fact, reply, question, answer, _ = task.pick(known)
    asked = say(task, question, answer, recalls=len(rounds) + 1, reason="asks about a turn long before")
    return [say(task, fact, reply), *rounds, asked]


def _texts(move: Say) -> list[str]:
    said = [move.utterance.text] if isinstance(move.utterance, Utterance) else []
    return [*said, move.reply.text] if move.reply is not None else said


def hesitation_pause(task: Task) -> Script:
    """A turn with pauses inside, answered at its true end only."""
    turn, reply = task.pick(spoken_in(task.language, "hesitations"))
    return Script([say(task, hesitant(task, turn), reply, reason="answered at its true end, in no pause")])


def hesitant(task: Task, marked: str) -> Utterance:
    """The turn without its marks "/", a pause drawn for each."""
    pieces = marked.split(" / ")
    words, pauses = 0, []
    for piece in pieces[:-1]:
        words += len(words_of(piece))
        pauses.append((words, round(task.recipe.timing.hesitation_s.sample(task.rng), 3)))
    joint = "" if task.language == "zh" else " "
    return Utterance(text=joint.join(pieces), language=task.language, pauses=tuple(pauses))


def barge_in(task: Task) -> Script:
    """Long replies that somebody speaks into: an interruption is answered, anything else is not."""
    cut = spoken_in(task.language, "interruptions", "cut")
    drawn = task.rng.permutation(len(cut))[:BARGE_IN_ROUNDS]
    moves: list[Move] = []
    for k, (question, reply, words, answer) in enumerate(cut[i] for i in drawn):
        moves.append(say(task, question, reply, close=k > 0))
        share = task.recipe.timing.cut_at.sample(task.rng)
        if task.chance(P_HEARD_OUT):
            kind = task.pick(sorted(NEGATIVES))
            speaker, haste = NEGATIVES[kind]
            (heard,) = task.pick(spoken_in(task.language, "interruptions", kind))
            utterance = Utterance(text=heard, speaker=speaker, haste=haste, language=task.language)
            reason = f"{kind.replace('_', ' ')}: the turn is not taken"
            moves.append(say(task, utterance, close=True, reason=reason, cuts=share))
        else:
            moves.append(say(task, words, answer, close=True, reason="interrupts the reply", cuts=share))
    return Script(moves)


def _question(task: Task) -> Say:
    question, answer = task.pick(spoken_in(task.language, "questions"))
    return say(task, question, PlannedReply(text=answer))
