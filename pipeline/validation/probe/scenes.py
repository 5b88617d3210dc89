"""The probe's own corpus: short scenes of rendered sounds and embedded voices, composed as every stream is.

Nothing is recorded, nothing is read from disk. Three kinds of things are kept out of training, to be examined with:
some kinds of sounds, some voices, and every rendering of the others whose seed is an examination's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.composition.mix import NoiseTrack, compose
from pipeline.composition.timeline import Element, lay_out
from pipeline.conditioning.tfjp import Profile, condition
from pipeline.planning.banks import entries
from pipeline.seeds import rng
from pipeline.synthesis.espeak import EspeakEngine
from pipeline.synthesis.kinds import COUNTERPARTS, KINDS, render
from pipeline.timing import last_chunk
from pipeline.validation.probe.examples import Example, Label, Occasion, example, family
from pipeline.validation.probe.varied import OTHERS, VARIED, recorded
from pipeline.validation.probe.varied.kind import Renderer, ratio
from schemas.composition import CompositionParams
from schemas.conditioning import TfjpParams
from schemas.probe import ProbeScenes
from schemas.protocol import CHUNK_SAMPLES, SAMPLE_RATE
from schemas.taxonomy import TASK_OF_CRITERION

Part = Literal["train", "tune", "seeds", "kinds"]
"""train; tune: train's kinds and voices, other seeds, for the threshold; seeds: train's kinds with other seeds and
held-out voices; kinds: held-out kinds and held-out voices."""

HELD_OUT_KINDS = frozenset(
    """
    pain_groan ice_cracking fault_alarm truck_horn
    yawn hiccup finger_snap duck_quack crow sheep_bleat can_opening doorbell drawer scissors ship_horn skateboard
    motorcycle_passing sanding printer broom_sweeping hair_dryer frogs wind_chimes violin_melody office_bed
    train_interior
    """.split()
)
HELD_OUT_VOICES = ("en-gb-scotland", "+f5", "+m7")
COMFORTED = {"baby_cry": "emotion"}
"""What the policy assist answers beside the criteria that a kind states."""

EVENTS = (5, 9)
TRIGGERS, COUNTERS, VOICES, REPEATS = 0.27, 0.15, 0.15, 0.06
"""Shares of a scene's events: dangers, what is mistaken for them, speech, the sound before once more."""
SUSTAINED_S = (1.5, 6.0)
FADE_SAMPLES = 80
ROOMS = 0.35
DRY = 0.35
"""Share of the scenes for training that are foreground alone: no backgrounds, no bed, no noise."""
OFTEN = {"pain_cry": 4, "scream": 4, "emergency_siren": 2, "glass_breaking": 2, "horn_close": 2, "tyre_screech": 2}
"""Dangers of which the world has most sorts: how often each is taught beside the others, in as many more variants."""
CONDITIONED = 0.6
"""Of the sounds; the probe shall not mind whether somebody trimmed them."""
SPEEDS = (0.75, 1.33)
VARIED_SHARE, RECORDED = 0.6, 0.5
"""Shares of the renderings for training: those as varied as recordings are, where a kind has such; those that went
through a microphone and a file. The examinations have neither, but for the recordings themselves."""
BLENDED, BLEND_DB = 0.2, (-6.0, 6.0)
"""Share of the renderings for training that sound together with another kind of the same class: kinds nobody has heard
lie between those one knows."""


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One rendering of a sound."""

    name: str
    samples: np.ndarray
    answer: str | None
    family: int


class Palette:
    """The sounds of one part, rendered when first used."""

    def __init__(self, params: ProbeScenes, part: Part, seed: int, held_out: Collection[str] = HELD_OUT_KINDS) -> None:
        self.params, self.part, self.seed = params, part, seed
        self.taught = part in ("train", "tune")
        self._takes: dict[tuple[str, int], Take] = {}
        wanted = [k for k in KINDS.values() if (k.name in held_out) == (part == "kinds")]
        self.triggers = [k.name for k in wanted if answer_of(k.name)]
        self.benign = [k.name for k in wanted if not answer_of(k.name) and k.domain != "ambience"]
        if self.taught:
            self.triggers = [name for name in self.triggers for _ in range(OFTEN.get(name, 1))]
            self.benign += OTHERS
        self.beds = [k.name for k in wanted if k.sustained and k.kind != "music"]
        self.voices = [
            voice
            for language in ("en", "zh")
            for voice in EspeakEngine().voices(language)
            if any(mark in voice.name for mark in HELD_OUT_VOICES) == (part in ("seeds", "kinds"))
        ]

    def take(self, kind: str, draw: np.random.Generator) -> Take:
        """One of the kind's variants."""
        count = self.params.trigger_variants if answer_of(kind) else self.params.benign_variants
        if self.taught:
            count *= OFTEN.get(kind, 1)
        variant = int(draw.integers(count))
        if (kind, variant) not in self._takes:
            self._takes[kind, variant] = self._rendered(kind, variant)
        return self._takes[kind, variant]

    def line(self, draw: np.random.Generator) -> Take:
        """Something said."""
        variant = int(draw.integers(self.params.lines))
        if ("speech", variant) not in self._takes:
            self._takes["speech", variant] = self._spoken(variant)
        return self._takes["speech", variant]

    def _rendered(self, kind: str, variant: int) -> Take:
        draw = rng(self.seed, f"{kind} {variant}", f"probe {self.part}")
        samples = self._sound(kind, draw)
        if self.part == "train" and draw.random() < BLENDED:
            alike = [k for k in (*self.triggers, *self.benign) if answer_of(k) == answer_of(kind)]
            samples = _blended(samples, self._sound(_pick(alike, draw), draw), draw)
        if self.taught and draw.random() < RECORDED:
            samples = recorded(samples, draw)
        samples = _conditioned(samples, "sfx", draw)
        if kind in OTHERS:
            return Take(kind, samples, None, family(None, "sfx", OTHERS[kind].domain))
        spec = KINDS[kind]
        return Take(kind, samples, answer_of(kind), family(answer_of(kind), spec.kind, spec.domain))

    def _sound(self, kind: str, draw: np.random.Generator) -> np.ndarray:
        """The kind as corpora have it, or as varied as recordings of it are."""
        if kind in OTHERS:
            return _varied(OTHERS[kind].renderer, OTHERS[kind].duration_s, draw)
        spec = KINDS[kind]
        if self.taught and kind in VARIED and draw.random() < VARIED_SHARE:
            renderer, lengths_s = VARIED[kind]
            return _varied(renderer, lengths_s or (SUSTAINED_S if spec.sustained else spec.duration_s), draw)
        duration_s = float(draw.uniform(*SUSTAINED_S)) if spec.sustained else None
        return _sped(render(kind, draw, duration_s=duration_s), draw)

    def _spoken(self, variant: int) -> Take:
        draw = rng(self.seed, f"line {variant}", f"probe {self.part}")
        voice = self.voices[int(draw.integers(len(self.voices)))]
        texts = entries("reading", "mandarin") if voice.language == "zh" else entries("questions")
        text = texts[int(draw.integers(len(texts)))][0]
        rate_wpm, pitch = int(draw.integers(130, 200)), int(draw.integers(30, 70))
        speech = EspeakEngine().speak(text, voice, rate_wpm=rate_wpm, pitch=pitch)
        return Take("speech", _conditioned(speech.samples, "speech", draw), None, family(None, "speech", ""))


def answer_of(kind: str) -> str | None:
    """Why a kind of sound is answered under one policy or another; None where it never is."""
    return KINDS[kind].criterion or COMFORTED.get(kind) if kind in KINDS else None


def scenes(
    part: Part,
    count: int,
    params: ProbeScenes,
    *,
    seed: int,
    held_out: Collection[str] = HELD_OUT_KINDS,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Example]:
    """Scenes of one part, one after the other; the same arguments give the same scenes.

    `held_out` are the kinds of sounds that only the part `kinds` has.

    Raises:
        MissingDependency: the embedded voice is not installed.
    """
    palette = Palette(params, part, seed, held_out)
    for number in range(count):
        yield _scene(palette, number)
        on_progress(number + 1, count)


def _scene(palette: Palette, number: int) -> Example:
    name = f"{palette.part}-{number}"
    draw = rng(palette.seed, name, "probe scene")
    takes = _cast(palette, draw)
    elements = [
        Element(
            f"e{i}",
            take.samples,
            gap_samples=None if i == 0 or draw.random() < 0.25 else int(draw.uniform(0.1, 1.8) * SAMPLE_RATE),
        )
        for i, take in enumerate(takes)
    ]
    dry = palette.taught and draw.random() < DRY
    for i in range(0 if dry else int(draw.integers(3))):
        elements.append(Element(f"b{i}", palette.take(_pick(palette.benign, draw), draw).samples, role="background"))
    if not dry:
        elements.append(Element("bed", _bed(palette, draw), role="ambient", whole_stream=True))
    params = CompositionParams()
    timeline = lay_out(elements, params=params, rng=draw)
    noise = [
        NoiseTrack("event", [palette.take(_pick(palette.benign, draw), draw).samples], float(draw.uniform(5, 20))),
        NoiseTrack("ambient", [_bed(palette, draw)], float(draw.uniform(10, 25))),
    ]
    room = _room(draw) if draw.random() < ROOMS else None
    mix = compose(timeline, [] if dry else noise, params=params, rng=draw, room_ir=room)
    families = np.zeros(timeline.total_samples // CHUNK_SAMPLES, np.int64)
    labels, occasions = list[Label](), list[Occasion]()
    for i, take in enumerate(takes):
        place = timeline[f"e{i}"]
        first, last = place.start_sample // CHUNK_SAMPLES, last_chunk(place.end_sample)
        # A chunk is what fills most of it.
        families[
            round(place.start_sample / CHUNK_SAMPLES) : max(first + 1, round(place.end_sample / CHUNK_SAMPLES))
        ] = take.family
        occasions.append(Occasion(first, last, take.answer, take.name))
        if take.answer is not None:
            labels.append(Label(last, take.answer, TASK_OF_CRITERION.get(take.answer, "emotion")))
    return example(name, "proactive", np.ascontiguousarray(mix.mix), labels, occasions, families)


def _cast(palette: Palette, draw: np.random.Generator) -> list[Take]:
    """The foreground of a scene."""
    takes = list[Take]()
    counters = [c for t in palette.triggers if (c := COUNTERPARTS.get(t)) in palette.benign] or palette.benign
    for _ in range(int(draw.integers(EVENTS[0], EVENTS[1] + 1))):
        chance = draw.random()
        if takes and chance < REPEATS:
            takes.append(takes[-1])
        elif chance < REPEATS + TRIGGERS:
            takes.append(palette.take(_pick(palette.triggers, draw), draw))
        elif chance < REPEATS + TRIGGERS + COUNTERS:
            takes.append(palette.take(_pick(counters, draw), draw))
        elif chance < REPEATS + TRIGGERS + COUNTERS + VOICES:
            takes.append(palette.line(draw))
        else:
            takes.append(palette.take(_pick(palette.benign, draw), draw))
    return takes


def _pick(names: Sequence[str], draw: np.random.Generator) -> str:
    return names[int(draw.integers(len(names)))]


def _bed(palette: Palette, draw: np.random.Generator) -> np.ndarray:
    return palette.take(_pick(palette.beds, draw), draw).samples


def _sped(samples: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Played slower or faster, pitch and all."""
    length = round(len(samples) / float(draw.uniform(*SPEEDS)))
    return np.interp(np.linspace(0, len(samples) - 1, length), np.arange(len(samples)), samples).astype(np.float32)


def _varied(renderer: Renderer, lengths_s: tuple[float, float], draw: np.random.Generator) -> np.ndarray:
    """One sound of a renderer of VARIED or OTHERS; short ones are as frequent as long ones."""
    samples = renderer(draw, round(ratio(draw, *lengths_s) * SAMPLE_RATE))
    fade = np.minimum(1, np.arange(1, len(samples) + 1) / FADE_SAMPLES)
    samples = samples * fade * fade[::-1]
    return (0.85 * samples / np.abs(samples).max()).astype(np.float32)


def _blended(one: np.ndarray, other: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Two sounds that begin together; the first's length."""
    both = one.copy()
    shared = min(len(one), len(other))
    both[:shared] += other[:shared] * np.float32(10 ** (draw.uniform(*BLEND_DB) / 20))
    return both * np.float32(0.9 / np.abs(both).max())


def _conditioned(samples: np.ndarray, profile: Profile, draw: np.random.Generator) -> np.ndarray:
    if draw.random() >= CONDITIONED:
        return samples
    return condition(samples, profile=profile, params=TfjpParams()).samples


def _room(draw: np.random.Generator) -> np.ndarray:
    """A direct sound and a tail of noise that dies away in 0.15 to 0.6 s."""
    decay_s, ratio_db = draw.uniform(0.15, 0.6), draw.uniform(0, 12)
    time = np.arange(round(decay_s * SAMPLE_RATE)) / SAMPLE_RATE
    tail = draw.standard_normal(len(time)) * 10 ** (-3 * time / decay_s)
    tail[: round(0.002 * SAMPLE_RATE)] = 0
    tail *= 10 ** (-ratio_db / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return tail.astype(np.float32)
