"""The procedural synthesizer: what it can render, rendering, and matching a caption to a kind.

The default for sounds no library holds. It is honest about itself: `name`/`version` go into every row.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType

import numpy as np

from pipeline.errors import BadInput

from .procedural import SOUNDS, Criterion, SoundKind

__all__ = ["COUNTERPARTS", "KINDS", "Criterion", "SoundKind", "match_kind", "name", "render", "version"]

name = "procedural"
version = "1"

RATE = 16_000
FADE_SAMPLES = 80  # 5 ms: no click at either end, short enough to keep an attack

SILENCE = 10 ** (-50 / 20)  # of the peak: what comes after the last sample above it is no part of a sound
PAUSE_SAMPLES = 800  # 50 ms before and after a one-shot, as a careful recordist leaves
HUSH = 10 ** (-70 / 20)  # of the peak: the recordist's noise floor

KINDS: Mapping[str, SoundKind] = MappingProxyType({key: SOUNDS[key][0] for key in sorted(SOUNDS)})

COUNTERPARTS: Mapping[str, str] = MappingProxyType(
    {kind.name: kind.counterpart for kind in KINDS.values() if kind.counterpart}
)


def render(kind: str, rng: np.random.Generator, *, duration_s: float | None = None) -> np.ndarray:
    """Render one sound: float32, mono, 16 kHz, peak in (0, 0.9].

    `duration_s` is drawn from the kind's range where it is None. A one-shot is a single audible
    occurrence that ends by itself: its length stays within that range, and silence after it is cut off
    as far as the range allows. A sustained kind has exactly the asked length,
    0.1 s at least. The same (kind, state of rng, duration) gives the same samples.

    Raises BadInput for an unknown kind or an impossible duration.
    """
    if kind not in SOUNDS:
        raise BadInput(
            f"kind {kind!r} is none of the {len(KINDS)} procedural kinds; take one of KINDS or match_kind(text)"
        )
    if duration_s is not None and not (math.isfinite(duration_s) and duration_s > 0):
        raise BadInput(f"duration_s={duration_s!r} must be a positive number of seconds")
    spec, draw = SOUNDS[kind]
    low, high = spec.duration_s
    if duration_s is None:
        duration_s = float(rng.uniform(low, min(high, 2 * low) if spec.sustained else high))
    elif spec.sustained:
        duration_s = max(0.1, duration_s)
    else:
        duration_s = min(max(duration_s, low), high)
    n = round(duration_s * RATE)
    if spec.sustained:
        # These renderers lay events out in time and need a few seconds to do so.
        x = _ends_softened(draw(rng, max(n, 4 * RATE))[:n])
    else:
        x = draw(rng, n - 2 * PAUSE_SAMPLES)
        audible = np.flatnonzero(np.abs(x) > np.max(np.abs(x)) * SILENCE)
        x = _ends_softened(x[: max(round(low * RATE) - 2 * PAUSE_SAMPLES, audible[-1] + 1 + FADE_SAMPLES)])
        hush = rng.standard_normal(len(x) + 2 * PAUSE_SAMPLES) * HUSH * np.max(np.abs(x))
        x = np.pad(x, PAUSE_SAMPLES) + _ends_softened(hush)
    return (x * (rng.uniform(0.7, 0.9) / np.max(np.abs(x)))).astype(np.float32)


def _ends_softened(x: np.ndarray) -> np.ndarray:
    fade = min(FADE_SAMPLES, len(x) // 4)
    ramp = np.sin(np.linspace(0, np.pi / 2, fade)) ** 2
    x = x - x.mean()
    x[:fade] *= ramp
    x[len(x) - fade :] *= ramp[::-1]
    return x


# -- matching ------------------------------------------------------------------------------------

# Words that say nothing about what sounds.
STOPWORDS = frozenset(
    re.findall(
        r"\w+",
        """
        a ambience ambient an and approach are as at away back background be bed being big by city close come
        continuous day deep distance distant down each empty far fast few floor for from front gentle gently get
        give go hard has have hear heard heavy her high his home house in inside into is it its kitchen large
        left light little long loud loudly low make man melody metal more move moving music near nearby new
        noise noisy object of off old on once one or out outside over pass passing people person play playing
        quick quickly quiet quietly quite recording regular rhythmic right room run running several sharp short
        single slight slow slowly small soft softly solo some somebody someone something sound steadily steady
        street strong sudden suddenly table that the their them then there they this three through to tune turn
        twice two under up very while who with without woman wood wooden work
        """,
    )
)
WEAK = 0.35  # weight of a stop word: breaks ties ("wooden door"), never decides


def stem(word: str) -> str:
    """A light English stemmer: plural, -ing, -ed, -er, -ly and a final e or doubled consonant go."""
    for suffix in ("ings", "ing", "edly", "ed", "ies", "es", "s", "ly"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            word = word[: -len(suffix)] + ("y" if suffix == "ies" else "")
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls":
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def words(text: str) -> list[str]:
    return [stem(w) for w in re.findall(r"[a-z0-9]+", text.lower().replace("_", " ")) if len(w) > 1]


STOP_STEMS = frozenset(stem(w) for w in STOPWORDS) | STOPWORDS


@cache
def _index() -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Per kind its words with weights (name 3, tag 2, caption 1 per caption), and each word's rarity."""
    weights: dict[str, dict[str, float]] = {}
    for kind in KINDS.values():
        count: dict[str, float] = {}
        for source, weight in ((kind.name, 3.0), *((t, 2.0) for t in kind.tags), *((c, 1.0) for c in kind.captions)):
            for word in set(words(source)):
                count[word] = count.get(word, 0.0) + weight
        weights[kind.name] = {w: min(1.0, 0.4 + c / 5) for w, c in count.items()}
    found = Counter(w for entry in weights.values() for w in entry)
    rarity = {w: math.log(1 + len(weights) / c) * (WEAK if w in STOP_STEMS else 1.0) for w, c in found.items()}
    return weights, rarity


def match_kind(text: str, tags: Sequence[str] = (), *, sustained: bool | None = None) -> str | None:
    """The kind that a free caption (and AudioSet tags) most likely names, or None where nothing fits.

    Weighted word overlap over stems. A match needs one telling word of the kind's name, tags or
    captions and must explain a third of what the caption says, so an unknown sound gives None.
    `sustained` restricts the search to beds (True) or one-shots (False).
    """
    weights, rarity = _index()
    unknown = math.log(1 + len(weights))
    query: dict[str, float] = {}
    for word in words(text):
        query[word] = rarity.get(word, WEAK if word in STOP_STEMS else unknown)
    for tag in tags:
        for word in words(tag):
            query.setdefault(word, 0.7 * rarity.get(word, 0.0))
    total = sum(query.values())
    if not total:
        return None
    best, best_score = None, 0.0
    for kind in KINDS.values():
        if sustained is not None and kind.sustained != sustained:
            continue
        entry = weights[kind.name]
        hits = [w for w in query if w in entry]
        if not any(w not in STOP_STEMS for w in hits):
            continue
        score = sum(query[w] * entry[w] for w in hits) / total
        if score > best_score:
            best, best_score = kind.name, score
    return best if best_score >= 1 / 3 else None
