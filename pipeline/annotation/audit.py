"""The silence auditor: does a sound, in its context, deserve a reply nobody asked for?

It reads words, so it judges captions it has never seen: concepts are recognised by ontology and inflection, rules
combine them with intensity, distance, place and denial, and what stays undecided is `borderline`. Over-triggering is
the dominant failure of proactive models, so a caption without evidence is `silent`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pipeline.annotation.audit_rules import EVERYDAY, LEXICON, RULES, Rule
from schemas.taxonomy import AuditLabel, Criterion, Policy

AUDITOR_NAME = "rules"
AUDITOR_VERSION = "1"

DENIED = 4
"""Words after a negation that it denies."""
_DROPPED = frozenset(
    "a an the his her their its my your our is are was were be been some very really s that this".split()
)
_WHOLE = frozenset(
    "bearing building ceiling training shorting arcing mugging fainting fir care caring plan planning tired dying "
    "wedding boxing setting shooting note".split()
)
"""Words that their stem would confuse with others."""
_TOKEN = re.compile(r"[a-z]+|[,;.!?:]")
_MAX_WORDS = 1000


@dataclass(frozen=True, slots=True)
class Audit:
    """The judgement of one sound; `confidence` in 0..1, `criterion` only beside respond and borderline."""

    label: AuditLabel
    criterion: Criterion | None
    reason: str
    confidence: float


@dataclass(frozen=True, slots=True)
class _Found:
    concept: str
    start: int
    end: int
    sentence: int
    words: str


@dataclass(frozen=True, slots=True)
class _Test:
    """A rule, taken apart: needs in the text, needs in text or scenario, exceptions in the text, those anywhere."""

    rule: Rule
    near: tuple[str, ...]
    near_set: frozenset[str]
    scene: frozenset[str]
    unless: frozenset[str]
    unless_anywhere: frozenset[str]


def _test(rule: Rule) -> _Test:
    def split(concepts: str) -> tuple[tuple[str, ...], frozenset[str]]:
        names = concepts.split()
        return tuple(n for n in names if not n.startswith("@")), frozenset(n[1:] for n in names if n.startswith("@"))

    (near, scene), (unless, anywhere) = split(rule.needs), split(rule.unless)
    unknown = {*near, *scene, *unless, *anywhere} - LEXICON.keys()
    assert not unknown, unknown
    return _Test(rule, near, frozenset(near), scene, frozenset(unless), anywhere)


_TESTS = tuple(_test(rule) for rule in RULES)


def audit(
    caption: str,
    tags: Sequence[str] = (),
    *,
    scenario: str = "",
    neighbours: Sequence[str] = (),
    policy: Policy = "strict",
) -> Audit:
    """Judge one non-speech sound.

    Args:
        caption: what is heard, in English.
        tags: AudioSet names; they decide where the caption says nothing, and a tag that contradicts it leaves the
            sound borderline.
        scenario: the sentence of the scene around it.
        neighbours: captions of the sounds before and after.
        policy: "strict" answers the four criteria, "assist" also negative emotion and any malfunction.
    """
    heard = _named((caption,))
    scene, beside = _named((scenario,)), _named(tuple(neighbours))
    far = "DISTANT" in heard and "CLOSE" not in heard
    judged = _judge(caption, scene, beside, policy, far=far)
    for tag in tags:
        by_tag = _judge(tag, scene | heard, beside, policy, far=far)
        if by_tag.label == "respond" and judged.label == "silent":
            doubt = Audit(
                "borderline", by_tag.criterion, f"tag {tag!r} says {by_tag.reason}, the caption does not", 0.5
            )
            judged = doubt if heard else by_tag
            break
        if not heard and judged.label == "silent":
            judged = by_tag
    if judged.label == "borderline":
        for text in neighbours:
            next_to = _judge(text, scene, beside, policy, far=False)
            if next_to.label == "respond" and next_to.criterion == judged.criterion:
                return Audit("respond", judged.criterion, f"{judged.reason}; beside {next_to.reason}", 0.6)
    return judged


def _judge(text: str, scene: frozenset[str], beside: frozenset[str], policy: Policy, *, far: bool) -> Audit:
    found = _concepts(text)
    here = _named((text,))
    known = here | scene
    fired = [
        Audit(label, test.rule.criterion, f"{test.rule.reason}: {words}", test.rule.confidence)
        for test in _possible(text)
        if test.scene <= known
        and not (test.unless & here or test.unless_anywhere & known or test.unless_anywhere & beside)
        and (label := _label(test.rule, policy, far=far)) != "silent"
        and (words := _evidence(test, found)) is not None
    ]
    if fired:
        loudest = max(fired, key=lambda a: (a.label == "respond", a.confidence))
        if "PLAYBACK" in here or ("PLAYBACK" in scene | beside and loudest.criterion != "equipment"):
            return Audit("silent", None, f"played or pretended, not real: {loudest.reason}", 0.75)
        if loudest.label == "respond" and (here | scene) & {"DRILL", "OFF"}:
            return Audit("borderline", loudest.criterion, f"a test or already over: {loudest.reason}", 0.5)
        return loudest
    return _unprovoked(text)


@lru_cache(maxsize=4096)
def _unprovoked(text: str) -> Audit:
    """Silent, and why, where no rule speaks."""
    found = _concepts(text)
    for concept, reason in EVERYDAY:
        words = next((f.words for f in found if f.concept == concept), None)
        if words is not None:
            return Audit("silent", None, f"{reason}: {words}", 0.85)
    return Audit("silent", None, "nothing in it meets a criterion", 0.55)


def _label(rule: Rule, policy: Policy, *, far: bool) -> AuditLabel:
    if far and rule.far is not None:
        return rule.far
    return rule.assist if policy == "assist" and rule.assist is not None else rule.label


def _evidence(test: _Test, found: Sequence[_Found]) -> str | None:
    """The words that meet every need of the rule close together, or None."""
    for anchor in (f for f in found if f.concept == test.near[0]):
        chosen = [anchor]
        for concept in test.near[1:]:
            partner = next(
                (
                    f
                    for f in found
                    if f.concept == concept
                    and f.sentence == anchor.sentence
                    and abs(f.start - anchor.start) <= test.rule.reach
                    and all(_apart(f, c) for c in chosen)
                ),
                None,
            )
            if partner is None:
                break
            chosen.append(partner)
        else:
            return " + ".join(c.words for c in chosen)
    return None


def _apart(one: _Found, other: _Found) -> bool:
    """Two pieces of evidence: other words, or one compound that names both ("train horn")."""
    same = (one.start, one.end) == (other.start, other.end)
    return one.end - one.start > 1 if same else one.end <= other.start or other.end <= one.start


@lru_cache(maxsize=4096)
def _named(texts: tuple[str, ...]) -> frozenset[str]:
    """Concepts of any of the texts."""
    return frozenset(f.concept for text in texts for f in _concepts(text))


@lru_cache(maxsize=4096)
def _possible(text: str) -> tuple[_Test, ...]:
    """Rules whose words are in the text, whatever is around it; of most sounds there is none."""
    here = _named((text,))
    return tuple(test for test in _TESTS if test.near_set <= here)


@lru_cache(maxsize=4096)
def _concepts(text: str) -> tuple[_Found, ...]:
    """Concepts of a text; where phrases overlap the longest wins, and what a negation denies is left out."""
    tokens, stems, sentences, clauses = _words(text)
    found: list[_Found] = []
    denied_until, denied_clause = -1, -1
    place = 0
    while place < len(stems):
        for length in range(min(_LONGEST, len(stems) - place), 0, -1):
            concepts = _PHRASES.get(tuple(stems[place : place + length]))
            if concepts and sentences[place] == sentences[place + length - 1]:
                break
        else:
            place += 1
            continue
        if "NEG" in concepts:
            denied_until, denied_clause = place + DENIED, clauses[place]
        elif not (place <= denied_until and clauses[place] == denied_clause):
            words = " ".join(tokens[place : place + length])
            found += [_Found(c, place, place + length, sentences[place], words) for c in concepts]
        place += length
    return tuple(found)


def _words(text: str) -> tuple[list[str], list[str], list[int], list[int]]:
    plain = text.lower()[: _MAX_WORDS * 12].replace("’", "'").replace("can't", "cannot").replace("won't", "will not")
    tokens: list[str] = []
    sentences: list[int] = []
    clauses: list[int] = []
    sentence = clause = 0
    for word in _TOKEN.findall(plain.replace("n't", " not"))[:_MAX_WORDS]:
        if not word.isalpha():
            clause += 1
            sentence += word not in ",:"
        elif word in ("but", "until"):
            clause += 1
        elif word not in _DROPPED:
            tokens.append(word)
            sentences.append(sentence)
            clauses.append(clause)
    return tokens, [stem(t) for t in tokens], sentences, clauses


def stem(word: str) -> str:
    """The word without its English ending: choke, choked and choking are one."""
    if word.endswith("ly") and len(word) > 4:
        word = word[:-2]
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif re.search(r"(s|x|z|ch|sh)es$", word):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        word = word[:-1]
    if word in _WHOLE:
        return word
    for ending in ("ing", "ed"):
        rest = word[: -len(ending)]
        if word.endswith(ending) and len(rest) >= 3 and re.search(r"[aeiouy]", rest) and not word.endswith("eed"):
            word = rest[:-1] if re.search(r"([^aeiouylsz])\1$", rest) else rest
            break
    if word.endswith("e") and len(word) > 3:
        word = word[:-1]
    return re.sub(r"(?<=[^aeiou])y$", "i", word)


def _phrases() -> Iterator[tuple[tuple[str, ...], str]]:
    for concept, phrases in LEXICON.items():
        for phrase in phrases:
            yield tuple(stem(w) for w in phrase.split() if w not in _DROPPED), concept


_PHRASES: dict[tuple[str, ...], tuple[str, ...]] = {}
for _phrase, _concept in _phrases():
    if _concept not in _PHRASES.get(_phrase, ()):
        _PHRASES[_phrase] = (*_PHRASES.get(_phrase, ()), _concept)
_LONGEST = max(map(len, _PHRASES))
