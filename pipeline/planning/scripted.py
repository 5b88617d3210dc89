"""The scripted planner: a bag of annotations and a scene grammar make a scene plan, without a language model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, Protocol

import numpy as np

from pipeline.errors import SceneRejected
from pipeline.planning.annotations import Annotation
from pipeline.planning.settings import Fit, Setting, Sound, fit, grammar, recognise, renders
from pipeline.planning.validator import QUERY_CHARACTERS, QUERY_WORDS, count_words, validate_scene
from schemas.language import LanguageRole
from schemas.plan import MAX_SUB_EVENTS, MIN_SUB_EVENTS, Constraint, Refinement, ScenePlan, SubEvent
from schemas.taxonomy import EventKind, Role

FROM_BAG = 0.9
"""Probability of a benign foreground sub-event to come from the bag while the bag has one that fits."""
RENDERED_SHARE = 0.15
"""Weight of a bag annotation without a clip, against one with a clip."""
REPEAT, REPEAT_SUSTAINED = 0.3, 0.1
"""Weight of a sound, to the power of how often the scene already has it."""
POOR = 0.09
"""A bag whose best offer weighs less than this gives way to the grammar's own sounds."""
LONGEST_S = 6.0
"""Longest foreground sub-event planned for a bag clip: long clips are cut, short ones cannot be stretched."""
SHORTEST_S = 0.2
OPENING_S = (0.9, 2.0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A foreground sub-event that the task needs: a trigger, a counted target, music to be asked about."""

    caption: str
    tags: tuple[str, ...]
    kind: EventKind
    duration_s: float
    at: float | None = None
    """Relative place among the foreground sub-events, 0 first, 1 last; None where it does not matter."""
    name: str | None = None


@dataclass(frozen=True, slots=True)
class SceneRequest:
    """What a stream asks of its scene; the wanted sub-events come on top of `foreground` benign ones."""

    foreground: int
    """An upper bound: room for 15 sub-events and the duration may allow fewer."""
    background: int
    duration_s: float
    wanted: tuple[Wanted, ...] = ()
    avoid_tags: frozenset[str] = frozenset()
    """Neither these tags nor sounds that share them enter, except as wanted."""
    language: Literal["en", "zh"] = "en"


@dataclass(frozen=True, slots=True)
class PlannedScene:
    """A scene plan with one refinement and one kind per sub-event."""

    scene: ScenePlan
    refinements: tuple[Refinement, ...]
    kinds: tuple[EventKind, ...]
    wanted: tuple[int, ...]
    """Index in `scene.sub_events` of each wanted sub-event, in the request's order."""
    setting: str
    """Place and part of the day, such as "kitchen morning"."""
    planner: str = "scripted/1"
    by_model: tuple[LanguageRole, ...] = ()
    """What a language model wrote of it."""


class ScenePlanner(Protocol):
    """Writes one scene around what a task wants; the scripted one is `plan_scene`."""

    def __call__(self, bag: Sequence[Annotation], request: SceneRequest, *, rng: np.random.Generator) -> PlannedScene:
        """Raises SceneRejected where the request cannot be met."""
        ...


@dataclass(frozen=True, slots=True)
class _Known:
    """A bag annotation with the sound it was recognised as."""

    annotation: Annotation
    sound: Sound


@dataclass(frozen=True, slots=True, eq=False)
class _Draft:
    """A sub-event before its place and name are known."""

    caption: str
    tags: tuple[str, ...]
    kind: EventKind
    role: Role
    duration_s: float
    how: str
    sound: Sound | None
    name: str = ""
    at: float | None = None
    outside: bool = False


def plan_scene(bag: Sequence[Annotation], request: SceneRequest, *, rng: np.random.Generator) -> PlannedScene:
    """Plan one scene of `request.duration_s` seconds around the wanted sub-events.

    Foreground sub-events are listed in temporal order, then background, then ambient. Benign ones are drawn
    from the bag where it fits the setting, else from sounds that the embedded synthesizer renders.

    Raises SceneRejected("planning", reason) where no setting admits all wanted sub-events, or they do not fit.
    """
    return _Planner(bag, request, rng).plan()


def refine(event: SubEvent, tags: Sequence[str] = ()) -> Refinement:
    """How a sub-event that another planner wrote is searched for; `tags` are known to be evidence of it."""
    sound = identify(event.brief_description, tags, event.name)
    return _refinement(
        _Draft(
            caption=_clean(event.brief_description),
            tags=tuple(dict.fromkeys((*tags, *(sound.tags if sound else ())))) or (event.name,),
            kind=sound.kind if sound else "sfx",
            role=event.role,
            duration_s=event.rough_duration_s,
            how="heard clearly nearby",
            sound=sound,
        )
    )


def identify(caption: str, tags: Sequence[str], name: str = "") -> Sound | None:
    """The sound that an annotation speaks of; the caption decides unless the tags contradict it."""
    by_caption = (recognise(name) if name else None) or recognise(caption)
    by_tag = [sound for tag in tags if (sound := recognise(tag))]
    if by_caption is None:
        return by_tag[0] if by_tag else None
    agree = by_caption in by_tag or not by_tag or bool(_lower(by_caption.tags) & _lower(tags))
    return by_caption if agree else by_tag[0]


class _Planner:
    """One scene being planned; the draws follow `plan` from top to bottom."""

    def __init__(self, bag: Sequence[Annotation], request: SceneRequest, rng: np.random.Generator) -> None:
        self.request, self.rng = request, rng
        self.wanted = tuple((w, identify(w.caption, w.tags, w.name or "")) for w in request.wanted)
        self.slots = MAX_SUB_EVENTS - 1 - len(self.wanted)
        self.free_s = request.duration_s - sum(w.duration_s for w in request.wanted)
        self.targets = frozenset(s.name for _, s in self.wanted if s)
        self.avoided = _lower(request.avoid_tags)
        self.avoided_sounds = frozenset(s.name for tag in request.avoid_tags if (s := recognise(tag))) | frozenset(
            s.name for s in grammar().sounds.values() if _lower(s.tags) & self.avoided
        )
        known = (
            _Known(a, sound)
            for a in bag
            if a.label == "silent" and a.kind != "speech" and (sound := identify(a.caption, a.tags)) is not None
        )
        self.bag = [k for k in known if self._benign(k.sound) and not _lower(k.annotation.tags) & self.avoided]

    def plan(self) -> PlannedScene:
        self._check()
        setting = self._setting()
        time = self._time(setting)
        ambient = self._bed(setting, time, taken=self.targets)
        if ambient is None:
            raise SceneRejected("planning", f"no bed of {setting.name!r} is left by avoid_tags: allow more tags")
        bed = self._draft_bed(ambient, "ambient", self.request.duration_s)
        drafts = [self._draft_wanted(w, s, setting) for w, s in self.wanted]
        foreground = [*drafts, *self._benign_foreground(setting, time, drafts, bed)]
        ordered = self._order(foreground)
        opening = self._opening(setting, ordered)
        behind = self._backgrounds(setting, time, [*ordered, bed])
        everything = [*ordered, *behind, bed]
        if len(everything) < MIN_SUB_EVENTS:
            raise SceneRejected(
                "planning",
                f"{self.request.duration_s:g} s in {setting.name!r} leave {len(everything)} sub-events, "
                f"a scene has at least {MIN_SUB_EVENTS}: ask for more foreground or background, or avoid fewer tags",
            )
        names = _number([d.name for d in everything])
        sub_events = tuple(self._sub_event(d, n, setting) for d, n in zip(everything, names, strict=True))
        scene = ScenePlan(
            scenario=self._scenario(setting, time),
            sub_events=sub_events,
            constraints=_constraints(ordered, names, opening),
        )
        refinements = tuple(_refinement(d) for d in everything)
        validate_scene(scene, refinements, duration_s=self.request.duration_s)
        return PlannedScene(
            scene=scene,
            refinements=refinements,
            kinds=tuple(d.kind for d in everything),
            wanted=tuple(everything.index(d) for d in drafts),
            setting=f"{setting.name} {time}",
        )

    def _check(self) -> None:
        if self.slots < 0:
            raise SceneRejected(
                "planning", f"{len(self.wanted)} wanted sub-events, a scene holds {MAX_SUB_EVENTS - 1}: want fewer"
            )
        if self.free_s < 0:
            raise SceneRejected(
                "planning",
                f"wanted sub-events last {self.request.duration_s - self.free_s:g} s together, "
                f"the scene {self.request.duration_s:g} s: lengthen the scene",
            )

    # -- where and when --------------------------------------------------------------------------

    def _setting(self) -> Setting:
        weights = np.array([self._suits(setting) for setting in grammar().settings])
        if not weights.any():
            wanted = [w.name or w.caption for w, _ in self.wanted]
            raise SceneRejected("planning", f"no setting admits {wanted!r} together: want fewer or more alike sounds")
        return grammar().settings[self._pick(weights)]

    def _suits(self, setting: Setting) -> float:
        weight = 1.0
        for _, sound in self.wanted:
            fits = fit(setting, sound) if sound else Fit(0.5)
            if fits.outside and not self._room_for_opening(setting):
                return 0.0
            weight *= fits.score
        if not weight or not self._beds(setting, None, self.targets):
            return 0.0
        # What the bag offers counts by sound, so that many clips of one sound do not decide.
        offered = {k.sound.name: fit(setting, k.sound).score for k in self.bag}
        return weight * (0.5 + sum(offered.values())) ** 2

    def _time(self, setting: Setting) -> str:
        bound = [s.times for _, s in self.wanted if s and s.times]
        fitting = [t for t in setting.times if all(t in times for times in bound)] or setting.times
        return fitting[int(self.rng.integers(len(fitting)))]

    def _scenario(self, setting: Setting, time: str) -> str:
        moments = grammar().times[time][self.request.language]
        moment = moments[int(self.rng.integers(len(moments)))]
        if self.request.language == "zh":
            return f"{moment}，{setting.zh[0]}，{setting.zh[1]}。"
        doing = setting.doings[int(self.rng.integers(len(setting.doings)))]
        place = setting.places[int(self.rng.integers(len(setting.places)))]
        return f"{doing[0].upper()}{doing[1:]} {place} {moment}."

    # -- what is heard ---------------------------------------------------------------------------

    def _benign_foreground(self, setting: Setting, time: str, wanted: list[_Draft], bed: _Draft) -> list[_Draft]:
        """Draw up to `request.foreground` sub-events, a transition for outside cues counted among them."""
        drafts: list[_Draft] = []
        opened = any(d.outside for d in wanted)
        if opened:
            self.slots -= 1
            self.free_s -= OPENING_S[1]
        least = MIN_SUB_EVENTS - 1 - len(wanted) - self.request.background
        count = min(max(self.request.foreground, least), self.slots)
        while len(drafts) < count:
            # A transition takes a place and some time of its own, and a cue that needs one more.
            let_in = opened or (count - len(drafts) >= 3 and self._room_for_opening(setting))
            limit_s = self.free_s - (0 if opened else OPENING_S[1]) if let_in else self.free_s
            draft = self._draw(setting, time, [*wanted, *drafts, bed], let_in, limit_s)
            if draft is None:
                break
            if draft.outside and not opened:
                opened, count = True, count - 1
                self.slots -= 1
                self.free_s -= OPENING_S[1]
            drafts.append(draft)
            self.slots -= 1
            self.free_s -= draft.duration_s
        return drafts

    def _draw(self, setting: Setting, time: str, heard: list[_Draft], let_in: bool, limit_s: float) -> _Draft | None:
        uses = Counter(d.sound.name for d in heard if d.sound)
        clashing = {s for d in heard if d.role == "ambient" and d.sound for s in _clashing(d.sound.name)}
        taken = {d.caption for d in heard if d.role == "foreground"}

        def weight(sound: Sound) -> float:
            fits = fit(setting, sound)
            if sound.name in clashing or (fits.outside and not let_in) or (sound.times and time not in sound.times):
                return 0.0
            return fits.score * (REPEAT_SUSTAINED if sound.bed else REPEAT) ** uses[sound.name]

        bed = {d.sound.name for d in heard if d.role == "ambient" and d.sound}
        offers: list[tuple[_Known | Sound, float]] = []
        for known in self.bag:
            shortest_s = known.annotation.single_s or min(known.annotation.duration_s, 1.0)
            if known.sound.name not in bed and shortest_s <= limit_s:
                offers.append((known, (1.0 if known.annotation.clip_id else RENDERED_SHARE) * weight(known.sound)))
        for name in sorted(setting.typical | setting.maybe):
            sound = grammar().sounds[name]
            short_enough = sound.rendered_s is not None and sound.rendered_s[0] <= limit_s
            new = sound.name not in bed and sound.say not in taken
            if short_enough and new and not sound.bag_only and self._benign(sound):
                offers.append((sound, RENDERED_SHARE * weight(sound)))
        clips = np.array([isinstance(o, _Known) and bool(o.annotation.clip_id) for o, _ in offers], dtype=bool)
        weights = np.array([weight for _, weight in offers], dtype=float)
        real, other = weights * clips, weights * ~clips
        from_bag = self.rng.random() < FROM_BAG and real.max(initial=0) >= POOR
        weights = real if real.any() and (from_bag or not other.any()) else other
        if not weights.any():
            return None
        offer, _ = offers[self._pick(weights)]
        return self._draft_benign(offer, setting, limit_s)

    def _backgrounds(self, setting: Setting, time: str, heard: list[_Draft]) -> list[_Draft]:
        """Beds behind the foreground, none of them heard already or drowning what is."""
        least = MIN_SUB_EVENTS - len(heard)
        drafts: list[_Draft] = []
        for _ in range(min(max(self.request.background, least), MAX_SUB_EVENTS - len(heard))):
            names = {d.sound.name for d in (*heard, *drafts) if d.sound}
            clashing = {s for d in (*heard, *drafts) if d.sound for s in _clashing(d.sound.name)}
            bed = self._bed(setting, time, taken=frozenset(names | clashing))
            if bed is None:
                break
            duration_s = float(self.rng.uniform(*bed.sound.duration_s if isinstance(bed, _Known) else bed.duration_s))
            drafts.append(self._draft_bed(bed, "background", min(round(duration_s, 2), self.request.duration_s)))
        return drafts

    def _bed(self, setting: Setting, time: str, taken: frozenset[str]) -> _Known | Sound | None:
        beds = self._beds(setting, time, taken) or self._beds(setting, None, taken)
        if not beds:
            return None
        clips = Counter(bed.sound.name for bed in beds if isinstance(bed, _Known))
        weights = [2 / clips[b.sound.name] if isinstance(b, _Known) else float(not clips[b.name]) for b in beds]
        bed = beds[self._pick(np.array(weights))]
        if isinstance(bed, _Known):
            self.bag.remove(bed)
        return bed

    def _beds(self, setting: Setting, time: str | None, taken: frozenset[str]) -> list[_Known | Sound]:
        """What may lie under the scene: sustained clips of the bag, and beds that can be rendered."""

        def allowed(sound: Sound) -> bool:
            clash = not taken.isdisjoint(_clashing(sound.name)) or sound.name in taken
            return self._benign(sound) and not clash and (time is None or not sound.times or time in sound.times)

        sounds = grammar().sounds
        clips = [k for k in self.bag if k.annotation.sustained and k.sound.name in setting.beds and allowed(k.sound)]
        rendered = [sounds[name] for name in setting.beds if sounds[name].renders_bed and allowed(sounds[name])]
        return [*clips, *rendered]

    # -- drafts ----------------------------------------------------------------------------------

    def _draft_wanted(self, wanted: Wanted, sound: Sound | None, setting: Setting) -> _Draft:
        tags = tuple(t for t in wanted.tags if t.strip()) or (sound.tags if sound else (wanted.name or "unknown",))
        caption = _clean(wanted.caption) or (sound.say if sound else wanted.name or "unnamed sound")
        return _Draft(
            caption=caption,
            tags=tags,
            kind=wanted.kind,
            role="foreground",
            duration_s=wanted.duration_s,
            how=self._how(sound),
            sound=sound,
            name=wanted.name or (_spoken(sound) if sound else " ".join(caption.split()[:5])),
            at=wanted.at,
            outside=sound is not None and fit(setting, sound).outside,
        )

    def _draft_benign(self, offer: _Known | Sound, setting: Setting, limit_s: float) -> _Draft:
        if isinstance(offer, Sound):
            sound = offer
            low, high = sound.rendered_s or sound.duration_s
            kind, caption, tags = sound.kind, sound.say, sound.tags
        else:
            self.bag.remove(offer)
            sound, annotation = offer.sound, offer.annotation
            high = min(annotation.duration_s, LONGEST_S)
            low = min(annotation.single_s or high, high)
            high = min(high, 3 * low)
            kind, caption = annotation.kind, _clean(annotation.caption) or sound.say
            tags = tuple(dict.fromkeys((*annotation.tags, *sound.tags)))
        high = max(min(high, limit_s), SHORTEST_S)
        duration_s = float(self.rng.uniform(min(low, high), high))
        return _Draft(
            caption, tags, kind, "foreground", round(duration_s, 2), self._how(sound), sound, _spoken(sound),
            outside=fit(setting, sound).outside,
        )  # fmt: skip

    def _draft_bed(self, bed: _Known | Sound, role: Role, duration_s: float) -> _Draft:
        sound = bed.sound if isinstance(bed, _Known) else bed
        caption, tags, kind = sound.say, sound.tags, sound.kind
        if isinstance(bed, _Known):
            caption, kind = _clean(bed.annotation.caption) or caption, bed.annotation.kind
            tags = tuple(dict.fromkeys((*bed.annotation.tags, *tags)))
        return _Draft(caption, tags, kind, role, duration_s, self._how(sound), sound, _spoken(sound))

    def _how(self, sound: Sound | None) -> str:
        return sound.how[int(self.rng.integers(len(sound.how)))] if sound else "heard clearly nearby"

    # -- order -----------------------------------------------------------------------------------

    def _order(self, drafts: list[_Draft]) -> list[_Draft]:
        """Temporal order: pinned sub-events at their place, the others at random within the grammar's `before`."""
        free = [d for d in drafts if d.at is None]
        free = [free[i] for i in self.rng.permutation(len(free))]
        ordered: list[_Draft] = []
        while free:
            # The grammar's rules have no circle, so there is always one that nothing left must precede.
            first = next(d for d in free if not any(_precedes(other, d) for other in free if other is not d))
            ordered.append(first)
            free.remove(first)
        pinned = sorted((d for d in drafts if d.at is not None), key=lambda d: d.at or 0.0)
        last = len(drafts) - 1
        at = [round((d.at or 0.0) * last) for d in pinned]
        for i in range(1, len(at)):
            at[i] = max(at[i], at[i - 1] + 1)
        for i in reversed(range(len(at))):
            at[i] = min(at[i], last - (len(at) - 1 - i))
        for draft, place in zip(pinned, at, strict=True):
            ordered.insert(place, draft)
        return ordered

    def _opening(self, setting: Setting, ordered: list[_Draft]) -> tuple[_Draft, _Draft] | None:
        """Insert what lets the first outside cue in just before it; returns both."""
        cue = next((d for d in ordered if d.outside), None)
        if cue is None or setting.opening is None:
            return None
        sound = grammar().sounds[setting.opening]
        opening = _Draft(
            sound.say, sound.tags, sound.kind, "foreground", round(float(self.rng.uniform(*OPENING_S)), 2),
            self._how(sound), sound, _spoken(sound),
        )  # fmt: skip
        ordered.insert(ordered.index(cue), opening)
        return opening, cue

    # -- words -----------------------------------------------------------------------------------

    def _sub_event(self, draft: _Draft, name: str, setting: Setting) -> SubEvent:
        where = f"heard in {setting.room}" if draft.sound else ""
        text = ", ".join(part for part in (_capital(draft.caption[:200]), draft.how, where) if part)
        return SubEvent(name=name, role=draft.role, rough_duration_s=draft.duration_s, brief_description=f"{text}.")

    # -- rules -----------------------------------------------------------------------------------

    def _benign(self, sound: Sound) -> bool:
        return sound.name not in self.targets and sound.name not in self.avoided_sounds

    def _room_for_opening(self, setting: Setting) -> bool:
        allowed = setting.opening is not None and setting.opening not in self.avoided_sounds | self.targets
        return allowed and self.slots >= 1 and self.free_s >= OPENING_S[1]

    def _pick(self, weights: np.ndarray) -> int:
        return int(self.rng.choice(len(weights), p=weights / weights.sum()))


def _constraints(
    ordered: list[_Draft], names: tuple[str, ...], opening: tuple[_Draft, _Draft] | None
) -> tuple[Constraint, ...]:
    """The grammar's rules that bear on these sub-events, each true of their order."""
    rules = []
    for j, second in enumerate(ordered):
        for i, first in enumerate(ordered[:j]):
            if _precedes(first, second) or (first, second) == opening:
                rules.append(Constraint(kind="before", first=names[i], second=names[j]))
            if first.sound and second.sound and second.sound.name in _clashing(first.sound.name):
                rules.append(Constraint(kind="exclusive", first=names[i], second=names[j]))
    return tuple(rules)


def _precedes(first: _Draft, second: _Draft) -> bool:
    return bool(first.sound and second.sound and (first.sound.name, second.sound.name) in grammar().before)


@cache
def _clashing(sound: str) -> frozenset[str]:
    return frozenset(name for pair in grammar().exclusive if sound in pair for name in pair if name != sound)


def _refinement(draft: _Draft) -> Refinement:
    bed = draft.role != "foreground"
    length = f"{draft.duration_s:.1f} s long" if not bed and draft.duration_s < 10 else "long and continuous"
    own = _capital(draft.caption)
    said = [f"{own}, {draft.how}, {length}.", f"{own}, {length}.", f"{own}."]
    if draft.sound:
        said.insert(1, f"{_capital(draft.sound.say)}, {draft.how}, {length}.")
    # The embedded synthesizer goes by these words: take the fullest that it understands.
    fallback = next((text for text in said if renders(text, draft.tags, bed=bed)), said[0])
    return Refinement(query=_query(draft), fallback_caption=fallback[:600], accept_tags=draft.tags)


def _query(draft: _Draft) -> str:
    count, chinese = count_words(draft.caption)
    if chinese:
        head = re.sub(r"\s+", "", draft.caption)[: QUERY_CHARACTERS[1]]
        while count_words(head)[0] > QUERY_CHARACTERS[1]:
            head = head[:-1]
        return head if count_words(head)[0] >= QUERY_CHARACTERS[0] else f"{head}的声音清晰"
    words = re.findall(r"[^\W_]+", draft.caption if count >= QUERY_WORDS[0] else f"{draft.caption} {draft.how}")
    words += ["heard", "clearly", "close", "by"][: max(0, QUERY_WORDS[0] - len(words))]
    return " ".join(word[:15] for word in words[: QUERY_WORDS[1]])


def _number(names: list[str]) -> tuple[str, ...]:
    """Unique names in the given order: dog bark, dog bark 2."""
    used: set[str] = set()
    numbered = []
    for wished in names:
        base = wished[:70].strip() or "sound"
        name, count = base, 1
        while name in used:
            count += 1
            name = f"{base} {count}"
        used.add(name)
        numbered.append(name)
    return tuple(numbered)


def _spoken(sound: Sound) -> str:
    return sound.name.replace("_", " ")


def _clean(caption: str) -> str:
    """A caption as plain words: no quotes, line breaks or pictures, at most 300 characters."""
    return " ".join(re.findall(r"[^\W_]+(?:['’-][^\W_]+)*|[,.;]", caption)).replace(" ,", ",").strip(" ,.;")[:300]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lower(tags: Sequence[str] | frozenset[str]) -> frozenset[str]:
    return frozenset(tag.strip().lower() for tag in tags)
