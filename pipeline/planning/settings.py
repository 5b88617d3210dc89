"""The scene grammar: which sounds are at home in which setting, and how a caption is recognised as one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Literal

from pipeline.packaged import packaged_yaml
from pipeline.synthesis.kinds import KINDS, match_kind, words
from schemas.taxonomy import EventKind

CJK = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound the grammar knows; the fields are explained at the head of sounds.yaml."""

    name: str
    phrases: tuple[frozenset[str], ...]
    say: str
    how: tuple[str, ...]
    tags: tuple[str, ...]
    duration_s: tuple[float, float]
    kind: EventKind
    where: Literal["indoor", "outdoor"] | None
    bed: bool
    free: bool
    bag_only: bool
    times: frozenset[str]
    """Parts of the day; empty means any."""
    rendered_s: tuple[float, float] | None
    """Lengths that the embedded synthesizer makes of it in the foreground; None where it cannot."""
    renders_bed: bool


@dataclass(frozen=True, slots=True)
class Setting:
    """A kind of place with what is heard there; the fields are explained at the head of settings.yaml."""

    name: str
    indoor: bool
    places: tuple[str, ...]
    doings: tuple[str, ...]
    times: tuple[str, ...]
    room: str
    zh: tuple[str, str]
    typical: frozenset[str]
    maybe: frozenset[str]
    beds: tuple[str, ...]
    opening: str | None
    outside: frozenset[str]


@dataclass(frozen=True, slots=True)
class Grammar:
    """Everything of the two YAML files."""

    sounds: dict[str, Sound]
    settings: tuple[Setting, ...]
    before: tuple[tuple[str, str], ...]
    exclusive: frozenset[frozenset[str]]
    times: dict[str, dict[str, tuple[str, ...]]]
    """Part of the day -> language -> ways to say it."""
    places: dict[str, tuple[str, ...]]
    """"indoor" and "outdoor" -> words for such places, the longest first."""
    openings: frozenset[str]
    """The sounds that let outside cues in."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a sound suits a setting: 0 not at all, 1 at home; `outside` cues enter through an opening."""

    score: float
    outside: bool = False


@lru_cache(maxsize=1 << 14)
def renders(caption: str, tags: tuple[str, ...], *, bed: bool) -> str | None:
    """The procedural kind that the caption gives and that shares a tag with `tags`, or None."""
    kind = match_kind(caption, tags, sustained=True if bed else None)
    return kind if kind and {t.lower() for t in KINDS[kind].tags} & {t.lower() for t in tags} else None


@cache
def grammar() -> Grammar:
    """The grammar, read once."""
    sounds = {name: _sound(name, entry) for name, entry in packaged_yaml("pipeline.planning", "sounds.yaml").items()}
    data = packaged_yaml("pipeline.planning", "settings.yaml")
    groups = {name: _items(text) for name, text in data["groups"].items()}
    settings = tuple(_setting(name, entry, groups) for name, entry in data["settings"].items())
    return Grammar(
        sounds=sounds,
        settings=settings,
        before=tuple((a, b) for a, b in data["before"]),
        exclusive=frozenset(frozenset(pair) for pair in data["exclusive"]),
        times={t: {language: _items(text) for language, text in ways.items()} for t, ways in data["times"].items()},
        places={
            side: tuple(sorted(_items(text), key=lambda phrase: (-len(phrase), phrase)))
            for side, text in data["places"].items()
        },
        openings=frozenset(s.opening for s in settings if s.opening),
    )


@lru_cache(maxsize=100_000)
def recognise(text: str) -> Sound | None:
    """The sound that a caption, tag or name speaks of, or None; the longest known phrase wins, then the first."""
    tokens = words(text)
    position = {token: i for i, token in reversed(list(enumerate(tokens)))}
    best: tuple[int, int] | None = None
    found = None
    for token in position:
        for phrase, sound in _phrases().get(token, ()):
            if phrase <= position.keys():
                rank = (len(phrase), -min(position[w] for w in phrase))
                if best is None or rank > best:
                    best, found = rank, sound
    return found


def fit(setting: Setting, sound: Sound) -> Fit:
    """How well a sound suits a setting as a foreground sub-event."""
    beyond = sound.name in setting.outside or (sound.free and sound.where == "outdoor")
    if setting.indoor and setting.opening and beyond:
        return Fit(0.4, outside=True)
    if sound.where == ("outdoor" if setting.indoor else "indoor"):
        return Fit(0.0)
    if sound.name in setting.typical:
        return Fit(1.0)
    if sound.name in setting.maybe:
        return Fit(0.7)
    return Fit(0.4 if sound.free or sound.name in setting.beds else 0.0)


def indoors(scenario: str) -> bool | None:
    """Whether a scenario names an indoor place (True), an outdoor one (False), or both or neither (None)."""
    text = f" {' '.join(re.findall(r'[a-z]+', scenario.lower()))} "
    sides = set()
    phrases = sorted(
        ((phrase, side) for side, phrases in grammar().places.items() for phrase in phrases), key=lambda p: -len(p[0])
    )
    for phrase, side in phrases:
        if CJK.search(phrase):
            if phrase in scenario:
                sides.add(side)
            continue
        for form in (f" {phrase} ", f" {phrase}s "):
            if form in text:
                sides.add(side)
                text = text.replace(form, " _ ")  # "car park" is no car
    return sides == {"indoor"} if len(sides) == 1 else None


@cache
def _phrases() -> dict[str, list[tuple[frozenset[str], Sound]]]:
    index: dict[str, list[tuple[frozenset[str], Sound]]] = {}
    for sound in grammar().sounds.values():
        for phrase in sound.phrases:
            index.setdefault(min(phrase), []).append((phrase, sound))
    return index


def _items(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(";"))


def _sound(name: str, entry: dict[str, Any]) -> Sound:
    tags, say, how = _items(entry["tags"]), entry["say"], _items(entry["how"])
    bed = entry.get("bed", False)
    # Ways to say it that the embedded synthesizer understands are the only ones used where there are any.
    found = {h: kind for h in how if (kind := renders(f"{say}, {h}", tags, bed=False))}
    rendered = {h: kind for h, kind in found.items() if entry.get("bag") or KINDS[kind].criterion is None}
    low, high = entry["s"]
    rendered_s = None
    if rendered:
        kinds = [KINDS[kind] for kind in rendered.values()]
        if not all(kind.sustained for kind in kinds):
            shortest, longest = max(k.duration_s[0] for k in kinds), min(k.duration_s[1] for k in kinds)
            overlap = low < longest and high > shortest
            low, high = (max(low, shortest), min(high, longest)) if overlap else (shortest, longest)
        rendered_s = (low, high)
    spoken = name.replace("_", " ")
    return Sound(
        name=name,
        phrases=tuple(frozenset(words(phrase)) for phrase in (*_items(entry["words"]), spoken)),
        say=say,
        how=tuple(rendered) or how,
        tags=tags,
        duration_s=(entry["s"][0], entry["s"][1]),
        kind=entry.get("kind", "sfx"),
        where=entry.get("where"),
        bed=bed,
        free=entry.get("free", False),
        bag_only=entry.get("bag", False),
        times=frozenset(_items(entry["times"])) if "times" in entry else frozenset(),
        rendered_s=rendered_s,
        renders_bed=bed and all(renders(f"{say}, {h}", tags, bed=True) for h in tuple(rendered) or how),
    )


def _setting(name: str, entry: dict[str, Any], groups: dict[str, tuple[str, ...]]) -> Setting:
    def sounds(key: str) -> tuple[str, ...]:
        listed = _items(entry[key]) if key in entry else ()
        return tuple(s for item in listed for s in (groups[item[1:]] if item.startswith("@") else (item,)))

    place, doing = _items(entry["zh"])
    return Setting(
        name=name.replace("_", " "),
        indoor="in" in entry,
        places=_items(entry["in"] if "in" in entry else entry["out"]),
        doings=_items(entry["doing"]),
        times=_items(entry["times"]),
        room=entry["room"],
        zh=(place, doing),
        typical=frozenset(sounds("typical")),
        maybe=frozenset(sounds("maybe")),
        beds=tuple(dict.fromkeys(sounds("beds"))),
        opening=entry.get("opening"),
        outside=frozenset(sounds("outside")),
    )
